// The scope of a search: how much of everything there is, as one line of text.
import { UsageError, unknownName } from '../errors.js';
import { wrap } from '../report/layout.js';

export interface Scope {
  /** Processes, 1 .. 3. */
  readonly mms: number;
  /** Pages that operations name one by one, 1 .. 8. */
  readonly pages: number;
  /** PMDs where huge pages may be mapped, 0 .. 2. */
  readonly pmds: number;
  /** GUP handles, 0 .. 4. */
  readonly pins: number;
  /** Ways to call GUP: names of a set, or of single ones (`R.GET`), see `GUP_SETS`. */
  readonly gup: readonly string[];
  readonly uffd: Uffd;
  /** Threads that may sleep in a uffd event at once, 0 .. 4. */
  readonly asleep: number;
  /** pageout, swapoff. */
  readonly swap: boolean;
  /** munmap, dontneed. */
  readonly zap: boolean;
  readonly mprotect: boolean;
  /** clear_refs. */
  readonly softdirty: boolean;
  /** numa_hint. */
  readonly numa: boolean;
  /** migrate, migrate_begin, migrate_end. */
  readonly migrate: boolean;
  /** mergeable, unmergeable, ksm_merge, and stores of the same value. */
  readonly ksm: boolean;
  /** A mapping of the DAX-like file. */
  readonly dax: boolean;
  /** Threads of each process, each on a CPU of its own: 1 or 2. */
  readonly cpus: number;
  /** Two threads at once, by every schedule. */
  readonly pairs: boolean;
}

/**
 * wp: register, protect, un-protect. all: also the features, unregister, close and wake. async: protection without events, and
 * scans. missing: missing pages, and what fills them.
 */
export type Uffd = 'none' | 'wp' | 'all' | 'async' | 'missing';

/**
 * Flavours of a GUP call by the name of their set; the flags as the op table writes them, "." between. Common ones are those of
 * most programs of the bug corpus.
 */
export const GUP_SETS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  common: ['R.GET', 'R.PIN', 'W.PIN'],
  longterm: ['R.PIN.LONGTERM', 'W.PIN.LONGTERM'],
  force: ['R.GET.FORCE', 'W.GET.FORCE'],
  fast: ['R.GET.fast', 'R.GET.fast-only', 'W.PIN.fast'],
  asked: ['R.GET.BREAK_COW', 'R.GET.DONT_COW'],
};
const GUP_ALL = [...new Set(['W.GET', ...Object.values(GUP_SETS).flat()])];

const UFFD: readonly Uffd[] = ['none', 'wp', 'all', 'async', 'missing'];

export const DEFAULT_SCOPE: Scope = {
  mms: 2,
  pages: 1,
  pmds: 0,
  pins: 1,
  gup: ['R.GET', 'R.PIN'],
  uffd: 'wp',
  asleep: 1,
  swap: true,
  zap: true,
  mprotect: false,
  softdirty: false,
  numa: false,
  migrate: false,
  ksm: false,
  dax: false,
  cpus: 1,
  pairs: false,
};

interface Key<T> {
  /** What is valid, for people. */
  readonly valid: string;
  /** undefined: no such value. */
  readonly read: (text: string) => T | undefined;
  readonly print: (value: T) => string;
  readonly doc: string;
}

function range(low: number, high: number, doc: string): Key<number> {
  const read = (text: string) => {
    const value = /^\d$/.test(text) ? Number(text) : Number.NaN;
    return value >= low && value <= high ? value : undefined;
  };
  return { valid: `${low} to ${high}`, read, print: String, doc };
}

function flag(doc: string): Key<boolean> {
  const read = (text: string) => (text === '1' ? true : text === '0' ? false : undefined);
  return { valid: '0 or 1', read, print: (on) => (on ? '1' : '0'), doc };
}

const GUP_KEY: Key<readonly string[]> = {
  valid: `sets or single calls with "+" between: all, ${[...Object.keys(GUP_SETS), ...GUP_ALL].join(', ')}`,
  read: (text) => {
    const names = text.split('+');
    return names.every((name) => name === 'all' || name in GUP_SETS || GUP_ALL.includes(name)) ? names : undefined;
  },
  print: (names) => names.join('+'),
  doc: 'ways to call GUP',
};

const UFFD_KEY: Key<Uffd> = {
  valid: UFFD.join(', '),
  read: (text) => UFFD.find((value) => value === text),
  print: (value) => value,
  doc: 'wp: register, wp, unwp; all: features, unregister, close and wake as well; async: WP_ASYNC, scans; missing: missing pages, fills',
};

const KEYS: { readonly [K in keyof Scope]: Key<Scope[K]> } = {
  mms: range(1, 3, 'processes (fork and exit from 2 on)'),
  pages: range(1, 8, 'pages that operations name one by one'),
  pmds: range(0, 2, 'PMDs where huge pages are mapped; the pages are dealt to them in turn'),
  pins: range(0, 4, 'GUP handles'),
  gup: GUP_KEY,
  uffd: UFFD_KEY,
  asleep: range(0, 4, 'threads asleep in a uffd event at once'),
  swap: flag('pageout, swapoff'),
  zap: flag('munmap, dontneed'),
  mprotect: flag('mprotect'),
  softdirty: flag('clear_refs'),
  numa: flag('numa_hint'),
  migrate: flag('migrate, migrate_begin, migrate_end'),
  ksm: flag('mergeable, unmergeable, ksm_merge, write same'),
  dax: flag('the DAX-like file'),
  cpus: range(1, 2, 'threads of each process, each on its own CPU'),
  pairs: flag('two threads at once, by every schedule (needs cpus=2)'),
};
const NAMES = Object.keys(KEYS) as (keyof Scope)[];

/** Keys, valid values and meaning, one row each, for --help. */
export function scopeHelp(): string {
  return NAMES.flatMap((name) => {
    const value = `${name}=${printKey(name, DEFAULT_SCOPE)}`;
    return wrap(`${KEYS[name].doc}: ${KEYS[name].valid}`, `  ${value.padEnd(15)} `);
  }).join('\n');
}

function printKey<K extends keyof Scope>(name: K, scope: Scope): string {
  return KEYS[name].print(scope[name]);
}

/** Every key with its value: `mms=2,pages=1,...`; `parseScope` reads it. */
export function printScope(scope: Scope): string {
  return NAMES.map((name) => `${name}=${printKey(name, scope)}`).join(',');
}

function set<K extends keyof Scope>(name: K, text: string, into: Writable<Scope>): void {
  const value = KEYS[name].read(text);
  if (value === undefined) throw new UsageError(`scope: ${name}=${text}: expected ${KEYS[name].valid}`);
  into[name] = value;
}
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads `mms=2,pages=1,uffd=wp`; keys left out are as in `base`. Throws UsageError for unknown keys, values out of
 * range, a key given twice, and what contradicts itself.
 */
export function parseScope(text: string, base: Scope = DEFAULT_SCOPE): Scope {
  const scope: Writable<Scope> = { ...base };
  const seen = new Set<string>();
  for (const part of text.split(',').filter((one) => one !== '')) {
    const [key, value, ...rest] = part.split('=');
    const name = NAMES.find((one) => one === key);
    if (name === undefined) throw unknownName('key of the scope', key!, NAMES);
    if (value === undefined || rest.length > 0) throw new UsageError(`scope: "${part}": expected ${name}=VALUE`);
    if (seen.has(name)) throw new UsageError(`scope: ${name} is given twice`);
    seen.add(name);
    set(name, value, scope);
  }
  if (scope.pairs && scope.cpus < 2) {
    if (seen.has('cpus')) throw new UsageError('scope: pairs=1 needs the second thread: cpus=2');
    scope.cpus = 2;
  }
  if (scope.gup.includes('none') && scope.gup.length > 1) throw new UsageError('scope: gup=none stands alone');
  return scope;
}

/** Single flavours of the scope, each once, in the order of the sets. */
export function gupFlavours({ pins, gup }: Scope): readonly string[] {
  if (pins === 0) return [];
  const asked = gup.flatMap((name) => (name === 'all' ? GUP_ALL : (GUP_SETS[name] ?? [name])));
  return [...new Set([...GUP_SETS.common!, ...GUP_ALL])].filter((flavour) => asked.includes(flavour));
}

const COUNTED = (count: number, noun: string, plural = `${noun}s`) => `${count} ${count === 1 ? noun : plural}`;

/** The scope in words, as a verdict names its bound. */
export function scopeWords(scope: Scope): string {
  const without: [boolean, string][] = [
    [scope.uffd !== 'none', 'userfaultfd'],
    [scope.swap, 'swap'],
    [scope.zap, 'unmapping'],
    [scope.mprotect, 'mprotect'],
    [scope.softdirty, 'soft-dirty'],
    [scope.numa, 'NUMA hints'],
  ];
  const missing = without.filter(([has]) => !has).map(([, what]) => what);
  return [
    COUNTED(scope.mms, 'process', 'processes'),
    COUNTED(scope.pages, 'page'),
    COUNTED(scope.pmds, 'huge page'),
    scope.pins === 0 ? 'no GUP' : `${COUNTED(scope.pins, 'GUP handle')} (${gupFlavours(scope).join(', ') || 'none'})`,
    ...(scope.uffd === 'none' ? [] : [`at most ${COUNTED(scope.asleep, 'thread')} asleep`]),
    ...(scope.migrate ? ['with migration'] : []),
    ...(scope.ksm ? ['with KSM'] : []),
    ...(scope.cpus > 1 ? [`${scope.cpus} threads each`] : []),
    ...(missing.length > 0 ? [`no ${missing.join(', ')}`] : []),
  ].join(', ');
}
