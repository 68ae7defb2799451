// Which operations a search tries in every state: all that a scope allows, none that says the same as another.
import type { Catalogue } from '../engine/catalogue.js';
import { HANDLE_COUNT, MM_NAMES, PAGE_COUNT, PAGE_NAMES, pagesOf } from '../engine/opword.js';
import { parseProgram } from '../text/parse.js';
import { concurrentPairs } from './pairs.js';
import { gupFlavours, type Scope } from './scope.js';

export interface Alphabet {
  /** Op words that may be next in any state. */
  readonly alphabet: Uint32Array;
  /** Concurrent steps, two words each, the schedule in the first; empty without `pairs`. */
  readonly pairs: Uint32Array;
  /** Schedules that were left out because another one of the list, or two single steps, do the same. */
  readonly schedulesSpared: number;
  /** Pages that some operation can touch, bit = page. */
  readonly pages: number;
  readonly mms: number;
}

/** Page arguments of a scope. */
interface Pages {
  /** Named one by one. */
  readonly single: readonly string[];
  /** Ranges that hold more than one page in scope. */
  readonly ranges: readonly string[];
  /** Ranges where huge pages are mapped. */
  readonly huge: readonly string[];
}

/** With two PMDs the pages are dealt to them in turn, so that two pages already see both. */
function pagesInScope({ pages, pmds }: Scope): Pages {
  const dealt = pmds < 2 ? [0, 1, 2, 3, 4, 5, 6, 7] : [0, 4, 1, 5, 2, 6, 3, 7];
  const chosen = dealt.slice(0, pages).toSorted((a, b) => a - b);
  const huge = ['p0..p3', 'p4..p7'].slice(0, pmds);
  const whole = PAGE_NAMES.slice(PAGE_COUNT).filter((name) =>
    pagesOf(PAGE_NAMES.indexOf(name)).every((page) => chosen.includes(page)),
  );
  return { single: chosen.map((page) => `p${page}`), ranges: [...new Set([...huge, ...whole])], huge };
}

/** Pages that lie under a huge range come into being with it alone. */
function mappings({ single, ranges, huge }: Pages, { dax }: Scope): string[] {
  const under = (page: string) => huge.some((range) => pagesOf(PAGE_NAMES.indexOf(range)).includes(Number(page[1])));
  return [
    ...huge.map((range) => `${range} thp`),
    ...single.filter((page) => !under(page)),
    ...ranges.filter((range) => !huge.includes(range) && huge.length === 0),
    ...(dax ? ['p0..p7 dax'] : []),
  ];
}

function featuresOf(uffd: Scope['uffd']): string[] {
  if (uffd === 'async') return [' WP_ASYNC'];
  return uffd === 'all' ? ['', ' EVENT_FORK', ' WP_UNPOPULATED', ' EVENT_FORK WP_UNPOPULATED'] : [''];
}

/** What one process can do, as text, X for its name. */
function perProcess(scope: Scope, pages: Pages): string[] {
  const { single, ranges } = pages;
  const both = [...single, ...ranges];
  const threads = scope.cpus > 1 ? ['X', 'X.2'] : ['X'];
  const on = (wanted: boolean, texts: readonly string[]) => (wanted ? texts : []);
  const each = (name: string, args: readonly string[], flags = '') => args.map((page) => `${name} X ${page}${flags}`);
  const access = (name: string) => threads.flatMap((thread) => single.map((page) => `${name} ${thread} ${page}`));
  return [
    ...each('mmap', mappings(pages, scope)),
    ...access('write'),
    ...access('read'),
    ...on(scope.zap, [...each('munmap', both), ...each('dontneed', both)]),
    ...on(scope.swap, each('pageout', both)),
    ...on(scope.mprotect, [...each('mprotect', both, ' R'), ...each('mprotect', both, ' RW')]),
    ...on(scope.numa, each('numa_hint', both)),
    ...on(scope.migrate, [...each('migrate', both), ...each('migrate_begin', both)]),
    ...on(scope.ksm, [
      ...threads.flatMap((thread) => single.map((page) => `write ${thread} ${page} same`)),
      ...each('mergeable', both),
      ...each('unmergeable', both),
    ]),
    ...on(scope.softdirty, ['clear_refs X']),
    ...each('thp_split', pages.huge),
    ...on(
      scope.uffd !== 'none',
      featuresOf(scope.uffd).flatMap((features) => each('uffd_reg', both, ` WP${features}`)),
    ),
    ...on(scope.uffd === 'missing', [...each('uffd_reg', both, ' MISSING'), ...each('uffd_reg', both, ' BOTH')]),
    ...on(scope.uffd === 'missing', [
      ...each('uffd_copy', both),
      ...each('uffd_copy', both, ' WP'),
      ...each('uffd_zeropage', both),
    ]),
    ...on(scope.uffd === 'async', [...each('pagemap_scan', both), ...each('pagemap_scan', both, ' WP')]),
    ...on(scope.uffd !== 'none', [...each('wp', both), ...each('unwp', both)]),
    ...on(scope.uffd === 'all', [...each('uffd_unreg', both), 'uffd_close X', ...each('wake', both)]),
    ...handlesOf(scope).flatMap((h) =>
      gupFlavours(scope).flatMap((flavour) =>
        single.map((page) => `${h}=gup X ${page} ${flavour.replaceAll('.', ' ')}`),
      ),
    ),
    ...on(scope.mms > 1, ['exit X']),
  ];
}

function handlesOf({ pins }: Scope): string[] {
  return Array.from({ length: Math.min(pins, HANDLE_COUNT) }, (_, h) => `h${h}`);
}

/** All operations of a scope as program text. */
export function operations(scope: Scope): string[] {
  const names = MM_NAMES.slice(0, scope.mms);
  const pages = pagesInScope(scope);
  const writes = gupFlavours(scope).some((flavour) => flavour.startsWith('W.'));
  return [
    ...names.flatMap((name) => perProcess(scope, pages).map((text) => text.replace(/\bX\b/, name))),
    ...names.flatMap((from) => names.filter((to) => to !== from).map((to) => `fork ${from}->${to}`)),
    ...(scope.swap ? ['swapoff'] : []),
    ...(scope.migrate ? ['migrate_end'] : []),
    ...(scope.ksm ? ['ksm_merge'] : []),
    ...handlesOf(scope).flatMap((h) => (gupFlavours(scope).length === 0 ? [] : [`put ${h}`])),
    ...handlesOf(scope).flatMap((h) => (writes ? [`hwrite ${h}`] : [])),
  ];
}

/**
 * The op words of a scope. It is the same set after processes, or pages of one PMD that are all in scope, trade names,
 * so that symmetry is sound. Reads through handles are left out: every state is looked at whole.
 */
export function alphabet({ ops }: Catalogue, scope: Scope): Alphabet {
  const words = operations(scope).map((text) => parseProgram(text, ops)[0]!);
  const { single, ranges } = pagesInScope(scope);
  const touched = [...single, ...ranges, ...(scope.dax ? ['p0..p7'] : [])].flatMap((name) => [
    ...pagesOf(PAGE_NAMES.indexOf(name)),
  ]);
  const { pairs, spared } = scope.pairs ? concurrentPairs(ops, words) : { pairs: [], spared: 0 };
  return {
    alphabet: Uint32Array.from(words),
    pairs: Uint32Array.from(pairs),
    schedulesSpared: spared,
    pages: touched.reduce((mask, page) => mask | (1 << page), 0),
    mms: scope.mms,
  };
}
