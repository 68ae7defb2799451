// The kernel's selftest cow.c in our ops: its anonymous cases on every kind of page, and the zero pages.
import { everywhere, type Measured, type SelftestCase } from './selftests-case.js';

interface PageKind {
  readonly name: string;
  readonly layout: 'pte' | 'pmd';
  /** Makes A's p0 of this kind; the op that wrote its contents is called `old`. */
  readonly make: string;
  /** What the case maps, protects and unmaps. */
  readonly range: string;
}

const BASE = 'mmap A p0; old: write A p0';
const THP = 'mmap A p0..p3 thp; old: write A p0';
const MAPPED_BY_PTES = `${THP}; thp_split A p0..p3`;
const ONE_PTE = `${MAPPED_BY_PTES}; munmap A p1; munmap A p2; munmap A p3`;
/** A quarter of it goes on belonging to another process that is gone by now. */
const PARTLY_SHARED = `${MAPPED_BY_PTES}; fork A->C; munmap C p0; munmap C p1; exit C`;

const KINDS: readonly PageKind[] = [
  { name: 'base', layout: 'pte', make: BASE, range: 'p0' },
  { name: 'swapped', layout: 'pte', make: `${BASE}; pageout A p0`, range: 'p0' },
  { name: 'THP', layout: 'pmd', make: THP, range: 'p0..p3' },
  { name: 'swapped THP', layout: 'pmd', make: `${THP}; pageout A p0..p3`, range: 'p0..p3' },
  { name: 'PTE-mapped THP', layout: 'pmd', make: MAPPED_BY_PTES, range: 'p0..p3' },
  { name: 'swapped PTE-mapped THP', layout: 'pmd', make: `${MAPPED_BY_PTES}; pageout A p0..p3`, range: 'p0..p3' },
  { name: 'one PTE of a THP', layout: 'pmd', make: ONE_PTE, range: 'p0' },
  { name: 'one swapped PTE of a THP', layout: 'pmd', make: `${ONE_PTE}; pageout A p0`, range: 'p0' },
  { name: 'partly shared THP', layout: 'pmd', make: PARTLY_SHARED, range: 'p0..p3' },
];

/** Kinds on which read-only long-term pins were tried, on 6.1, with a module. */
const PINNED = ['base', 'swapped', 'THP', 'PTE-mapped THP', 'one PTE of a THP', 'swapped THP'];
/** Swapped in while both still refer to the slot, or THP: on 5.10 who writes may reuse what a pipe holds. */
const LEAKY = ['swapped', 'THP', 'swapped THP', 'swapped PTE-mapped THP', 'one swapped PTE of a THP'];

const never = () => false;

interface Scenario {
  readonly name: string;
  /** After the page is made; R stands for the kind's range. */
  readonly ops: string;
  /** Does it break on 5.10 with pages of this kind? Newer kernels pass. Undefined = see only61. */
  readonly broken510?: (kind: string) => boolean;
  /** Measured on 6.1 alone, where all kinds passed. */
  readonly only61?: boolean;
  /** Not measured on 6.18, which has no soft-dirty here. */
  readonly softDirty?: boolean;
}

const REMAP = 'mprotect A R R; mprotect A R RW';
const REMAP_CLEAN = 'mprotect A R R; clear_refs A; mprotect A R RW';
/** The selftest notes what the page holds before it takes it. */
const VMSPLICE_IN_CHILD = 'fork A->B; read B p0 => old; h=gup B p0 R GET; munmap B R';

const SCENARIOS: readonly Scenario[] = [
  { name: 'COW after fork', ops: 'fork A->B; write A p0; read B p0 => old', broken510: never },
  { name: 'COW after fork, mprotect', ops: `fork A->B; ${REMAP}; write A p0; read B p0 => old`, broken510: never },
  {
    name: 'vmsplice and unmap in child',
    ops: `${VMSPLICE_IN_CHILD}; write A p0; hread h => old`,
    broken510: (kind) => LEAKY.includes(kind),
  },
  {
    name: 'vmsplice and unmap in child, mprotect',
    ops: `${VMSPLICE_IN_CHILD}; ${REMAP}; write A p0; hread h => old`,
    broken510: (kind) => LEAKY.includes(kind),
  },
  {
    name: 'vmsplice before fork, unmap in parent',
    ops: 'read A p0 => old; h=gup A p0 R GET; fork A->B; munmap A R; write B p0; hread h => old',
    broken510: (kind) => kind === 'THP',
  },
  {
    name: 'vmsplice after fork, unmap in parent',
    ops: 'read A p0 => old; fork A->B; h=gup A p0 R GET; munmap A R; write B p0; hread h => old',
    broken510: (kind) => kind === 'THP',
  },
  {
    name: 'vmsplice after fork, unmap in parent, not read before',
    ops: 'fork A->B; h=gup A p0 R GET; munmap A R; write B p0; hread h => old',
    broken510: (kind) => LEAKY.includes(kind),
  },
  {
    name: 'fixed buffer, then mapped read-only',
    ops: `h=gup A p0 W PIN LONGTERM; ${REMAP}; new: write A p0; hread h => new`,
    broken510: (kind) => kind !== 'THP',
  },
  {
    name: 'fixed buffer, then mapped read-only, soft-dirty cleared',
    ops: `h=gup A p0 W PIN LONGTERM; ${REMAP_CLEAN}; new: write A p0; hread h => new`,
    broken510: (kind) => kind !== 'THP',
    softDirty: true,
  },
  {
    name: 'fork with a fixed buffer',
    ops: 'h=gup A p0 W PIN LONGTERM; fork A->B; new: write A p0; hread h => new; read B p0 => old',
    broken510: never,
  },
  ...longTermReads('', ''),
  ...longTermReads(' fast', ', GUP-fast'),
];

/** R/O long-term pins of a page that is, or was, shared: what the owner writes must reach the pin. */
function longTermReads(flag: string, suffix: string): Scenario[] {
  const pin = `h=gup A p0 R PIN LONGTERM${flag}`;
  const sees = 'new: write A p0; hread h => new';
  const only61 = true;
  return [
    { name: `R/O pin of a shared page${suffix}`, ops: `fork A->B; ${pin}; ${sees}; read B p0 => old`, only61 },
    { name: `R/O pin of a page once shared${suffix}`, ops: `fork A->B; exit B; ${pin}; ${sees}`, only61 },
    { name: `R/O pin of a read-only exclusive page${suffix}`, ops: `${REMAP_CLEAN}; ${pin}; ${sees}`, only61 },
  ];
}

function measured({ broken510, only61, softDirty }: Scenario, { name }: PageKind): Measured {
  if (only61) return PINNED.includes(name) ? { '6.1': 'pass' } : {};
  if (!broken510) return {};
  const rest: Measured = { '6.1': 'pass', '6.12': 'pass', '7.2': 'pass', ...(!softDirty && { '6.18': 'pass' }) };
  return { '5.10': broken510(name) ? 'fail' : 'pass', ...rest };
}

const ZERO_PAGES: readonly PageKind[] = [
  { name: 'zero page', layout: 'pte', make: 'mmap A p0; read A p0 => zero', range: 'p0' },
  { name: 'huge zero page', layout: 'pmd', make: 'mmap A p0..p3 thp; read A p0 => zero', range: 'p0..p3' },
];

function zeroPageCases({ name: kind, layout, make }: PageKind): SelftestCase[] {
  const group = 'cow.c, not anonymous';
  const pinned = (flag: string) => `${make}; h=gup A p0 R PIN LONGTERM${flag}; new: write A p0; hread h => new`;
  const shows: Measured = { '6.1': layout === 'pte' ? 'fail' : 'pass' };
  const forked = `${make}; fork A->B; write A p0; read B p0 => zero`;
  return [
    { group, name: 'COW', kind, layout, text: forked, measured: everywhere('pass') },
    { group, name: 'R/O pin', kind, layout, text: pinned(''), measured: shows },
    { group, name: 'R/O pin, GUP-fast', kind, layout, text: pinned(' fast'), measured: {} },
  ];
}

export const COW_CASES: readonly SelftestCase[] = [
  ...SCENARIOS.flatMap((scenario) =>
    KINDS.map((kind): SelftestCase => {
      const ops = scenario.ops.replaceAll(/\b([AB]) R(?=[; ])/g, `$1 ${kind.range}`);
      return {
        group: 'cow.c',
        name: scenario.name,
        kind: kind.name,
        layout: kind.layout,
        text: `${kind.make}; ${ops}`,
        measured: measured(scenario, kind),
      };
    }),
  ),
  ...ZERO_PAGES.flatMap(zeroPageCases),
];
