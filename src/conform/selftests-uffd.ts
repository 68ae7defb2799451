// The uffd-wp cases of uffd-unit-tests.c, mkdirty.c and soft-dirty.c in our ops, and what real kernels showed besides.
import { everywhere, type Measured, type SelftestCase } from './selftests-case.js';

const PROTECTED = 'mmap A p0; old: write A p0; uffd_reg A p0 WP; wp A p0';
const PROTECTED_THP = 'mmap A p0..p3 thp; old: write A p0; uffd_reg A p0..p3 WP; wp A p0..p3';

/** Where pagemap shows uffd-wp; where there is WP_UNPOPULATED; where soft-dirty is compiled in. */
const BIT_SHOWN: Measured = { '6.1': 'pass', '6.12': 'pass', '6.18': 'pass', '7.2': 'pass' };
const FEATURE_THERE: Measured = { '6.12': 'pass', '6.18': 'pass', '7.2': 'pass' };
const TRACKED: Measured = { '5.10': 'pass', '6.1': 'pass', '6.12': 'pass', '7.2': 'pass' };

/** One case on a base page and on a THP; R stands for the range. */
function both(group: string, name: string, text: string, measured: Measured): SelftestCase[] {
  const on = (range: string, thp: string) =>
    text.replaceAll(/\b([AB]) R\b/g, `$1 ${range}`).replaceAll(/(mmap A [\w.]+)/g, `$1${thp}`);
  return [
    { group, name, kind: 'base', layout: 'pte', text: on('p0', ''), measured },
    { group, name, kind: 'THP', layout: 'pmd', text: on('p0..p3', ' thp'), measured },
  ];
}

/** Does the child keep the protection? Only if the uffd asked for fork events. */
function forkCases(feature: string, bit: string): SelftestCase[] {
  const group = 'uffd-unit-tests.c';
  const begin = `mmap A R; old: write A p0; uffd_reg A R WP${feature}; wp A R => A p0 wp`;
  const suffix = feature === '' ? '' : ' with event';
  const name = (what: string) => `${what}${suffix}`;
  const child = `A p0 wp & B p0 ${bit}`;
  const swapped = `pageout A R => A p0 wp; fork A->B => ${child}; unwp A R => A p0 no-wp; write A p0 => silent`;
  const forkPinned = `h=gup A p0 R PIN LONGTERM; fork A->B => ${child}`;
  const pinChild = `fork A->B; h=gup B p0 R PIN LONGTERM => ${child}; hread h => old`;
  const readChild = `fork A->B; h=gup B p0 R PIN; hread h => old; put h => ${child}`;
  return [
    ...both(group, name('wp-fork'), `${begin}; fork A->B => ${child}; read B p0 => old`, BIT_SHOWN),
    ...both(group, name('wp-fork, swapped'), `${begin}; ${swapped}`, BIT_SHOWN),
    ...both(group, name('wp-fork-pin, then fork'), `${begin}; ${forkPinned}`, {}),
    ...both(group, name('wp-fork-pin, pin in child'), `${begin}; ${pinChild}`, {}),
    ...both(group, name('wp-fork, short read in child'), `${begin}; ${readChild}`, BIT_SHOWN),
  ];
}

const UNPOPULATED = 'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED';
const UNPOPULATED_CASES: readonly [name: string, text: string][] = [
  ['set and cleared', `${UNPOPULATED}; wp A p0 => A p0 wp; unwp A p0 => A p0 no-wp`],
  [
    'dropped by DONTNEED',
    `${UNPOPULATED}; wp A p0 => A p0 wp; dontneed A p0 => A p0 no-wp; write A p0 => silent & A p0 no-wp`,
  ],
  [
    'zero page in its place',
    `${UNPOPULATED}; wp A p0 => A p0 wp; read A p0 => zero & silent & A p0 wp; write A p0 => sleeps`,
  ],
  [
    'a write sleeps',
    `${UNPOPULATED}; wp A p0; w: write A p0 => sleeps; unwp A p0 => wakes w & A p0 no-wp; read A p0 => w`,
  ],
];

/** "Making an entry dirty must not make it writable": the store must fault and change nothing. */
function mkdirtyCases(): SelftestCase[] {
  const group = 'mkdirty.c';
  const forced = 'mprotect A R R; h=gup A p0 W GET FORCE; d: hwrite h; put h; write A p0 => fault; read A p0 => d';
  const split = 'mprotect A p0..p3 R; dontneed A p3; write A p0 => fault; read A p0 => old';
  return [
    ...both(group, 'FOLL_FORCE write over the zero page', `mmap A R; read A p0; ${forced}`, everywhere('pass')),
    ...both(group, 'FOLL_FORCE write over a page', `mmap A R; write A p0; ${forced}`, everywhere('pass')),
    {
      group,
      name: 'PTE-mapped last',
      kind: 'THP',
      layout: 'pmd',
      text: `mmap A p0..p3 thp; old: write A p0; ${split}`,
      measured: everywhere('pass'),
    },
  ];
}

function softDirtyCases(): SelftestCase[] {
  const group = 'soft-dirty.c';
  const made = 'mmap A R; write A p0; clear_refs A => A p0 clean';
  const remap = 'mprotect A R R; mprotect A R RW';
  const swapped = 'write A p0 => A p0 dirty; pageout A R => A p0 dirty; read A p0 => A p0 dirty';
  return [
    ...both(group, 'simple', `${made}; read A p0 => A p0 clean; write A p0 => A p0 dirty`, TRACKED),
    ...both(group, 'mprotect', `${made}; ${remap} => A p0 clean; write A p0 => A p0 dirty`, TRACKED),
    ...both(group, 'VMA reuse', `${made}; munmap A R; mmap A R; write A p0 => A p0 dirty`, TRACKED),
    ...both(group, 'swapped', `${made}; ${swapped}`, TRACKED),
  ];
}

/** Not of the selftests: protection as such, and who wakes a sleeper. */
function wakeCases(): SelftestCase[] {
  const group = 'uffd-wp';
  const sleeping = (made: string) => `${made}; w: write A p0 => sleeps`;
  const cases = (kind: string, layout: 'pte' | 'pmd', made: string, range: string): SelftestCase[] => {
    const make = (name: string, text: string, verdict: 'pass' | 'fail' = 'pass'): SelftestCase => {
      return { group, name, kind, layout, text, measured: everywhere(verdict) };
    };
    return [
      make('a read goes ahead', `${made}; read A p0 => old & silent`),
      make('unprotecting wakes', `${sleeping(made)}; unwp A ${range} => wakes w; read A p0 => w; write A p0 => silent`),
      make('waking alone lets it sleep again', `${sleeping(made)}; wake A ${range} => w asleep`),
      make('closing wakes', `${sleeping(made)}; uffd_close A => wakes w; read A p0 => w; write A p0 => silent`),
      make('DONTNEED ends the protection', `${made}; dontneed A ${range}; write A p0 => silent`),
      make('mprotect keeps it', `${made}; mprotect A ${range} R; mprotect A ${range} RW; write A p0 => sleeps`),
      make('swap keeps it', `${made}; pageout A ${range}; read A p0 => old & silent; write A p0 => sleeps`),
      make('swap keeps it, written first', `${made}; pageout A ${range}; write A p0 => sleeps`),
      make('unregistering wakes', `${sleeping(made)}; uffd_unreg A ${range} => wakes w`, 'fail'),
    ];
  };
  return [...cases('base', 'pte', PROTECTED, 'p0'), ...cases('THP', 'pmd', PROTECTED_THP, 'p0..p3')];
}

export const UFFD_CASES: readonly SelftestCase[] = [
  ...forkCases('', 'no-wp'),
  ...forkCases(' EVENT_FORK', 'wp'),
  ...UNPOPULATED_CASES.map(
    ([name, text]): SelftestCase => ({
      group: 'uffd-unit-tests.c',
      name: `wp-unpopulated: ${name}`,
      kind: 'base',
      layout: 'pte',
      text,
      measured: FEATURE_THERE,
    }),
  ),
  ...wakeCases(),
  ...mkdirtyCases(),
  ...softDirtyCases(),
];
