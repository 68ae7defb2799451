// Table rows of the fault handler as data: a state made by a short program, the deciding step, what it must leave behind.
// Nothing here looks at knobs or judges: the rows and the recount below are a reading of the model from outside.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { MM_NAMES, RESULT_NAMES } from '../src/engine/opword.js';
import type { KernelSpec } from '../src/engine/types.js';
import { type Leaf, leafText, type Page, type World, WorldReader } from '../src/engine/world.js';
import { parseProgram } from '../src/text/parse.js';

export const engine = loadEngine();
const reader = new WorldReader(engine.catalogue);
const module = engine.module as typeof engine.module & { fault(mm: number, page: number, flags: number): number };
const at = (name: string) => engine.catalogue.at(name);

/** A bare handle_mm_fault of A at p0 (or of B); FAULT_FLAG_* joined by "|", "READ" for none. */
const FAULT_FLAGS: Readonly<Record<string, number>> = { READ: 0, WRITE: 1, BREAK_COW: 2, UNSHARE: 4 };
const BARE_FAULT = /^fault ([AB]) (\S+)$/;

export interface Row {
  /** The table row, in its own words. */
  readonly row: string;
  /** Kernels: "seed", "v5.8 +gup.break_cow -gup.as_write"; see `releases`. */
  readonly on: readonly string[];
  readonly given: string;
  /** Leaf bits taken away by hand, which no program can: "A0 D". */
  readonly strip?: string;
  /** The deciding step: one op or pair, or "fault A BREAK_COW". */
  readonly when: string;
  /** Result of the (first) deciding op; "ok" unless told. Bare faults answer with nothing. */
  readonly result?: string;
  /** Results of earlier ops afterwards, by index: sleepers that went on. */
  readonly ends?: Readonly<Record<number, string>>;
  /**
   * Leaves afterwards: `A0: 'P W D A SD'`, with `PMD` or `PUD` before it where a huge leaf maps the page, `none`, `swap SD E`,
   * `marker UFFD_WP`. Bits stand in the order P/N W D A U SD Z.
   */
  readonly leaf?: Readonly<Record<string, string>>;
  /**
   * Pages afterwards, words: `same`, `copied` (against the page before), `zero`, `hugezero`, `dax`, `is:B0`, `not:B0`, `refs:2`,
   * `map:1`, `pins:1`, `excl`, `shared`, `lazyfree`, `swapbacked`, `cached`, `uncached`, `v:3` (content).
   */
  readonly page?: Readonly<Record<string, string>>;
  /** What handle h0 holds, same words: `is:A0`, `zero`, `none` (no handle). */
  readonly handle?: string;
  /** How far counters moved in the deciding step. */
  readonly counts?: Readonly<Record<string, number>>;
  /** Handler points passed and not passed: the beginning of "function: decision". */
  readonly passes?: readonly string[];
  readonly avoids?: readonly string[];
}

const RELEASES = engine.catalogue.kernels.map(({ name }) => name).filter((name) => /^(?:v\d|repaired$)/.test(name));

/** Releases from `first` to `last` in time; `repaired` is the newest. */
export function releases(first: string, last = 'repaired'): string[] {
  const [from, to] = [RELEASES.indexOf(first), RELEASES.indexOf(last)];
  assert.ok(from >= 0 && from <= to, `no releases ${first} to ${last}`);
  return RELEASES.slice(from, to + 1);
}

function spec(text: string): KernelSpec {
  const [kernel, ...changes] = text.split(' ');
  const of = (sign: string) => changes.filter((change) => change.startsWith(sign)).map((change) => change.slice(1));
  return { kernel: kernel!, with: of('+'), without: of('-') };
}

/** Id of the one point that begins so. */
function point(text: string): number {
  const found = engine.catalogue.points.filter((p) => `${p.function}: ${p.decision}`.startsWith(text));
  assert.equal(found.length, 1, `"${text}" names ${found.length} points`);
  return found[0]!.id;
}

export function world(): World {
  return reader.world(engine.snapshot());
}
function place(name: string): [mm: number, page: number] {
  assert.match(name, /^[ABC][0-7]$/);
  return [MM_NAMES.indexOf(name[0]!), Number(name[1])];
}
export function leafAt(w: World, name: string): Leaf {
  const [mm, page] = place(name);
  return w.mms[mm]!.leaves[page]!;
}
/** Frame that backs the page: mapped, or cached for its swap slot. */
function frameAt(w: World, name: string): number | undefined {
  const leaf = leafAt(w, name);
  if (leaf.frame === undefined) return leaf.slot === undefined ? undefined : w.swap[leaf.slot]!.cache;
  return leaf.level === 'PMD' ? leaf.frame + (place(name)[1] & 3) : leaf.frame;
}
/** `leafText` with the level said and slot numbers left out. */
export function leafWords(leaf: Leaf): string {
  if (leaf.kind === 'swap') return ['swap', ...leaf.bits].join(' ');
  if (leaf.kind === 'marker') return ['marker', ...leaf.bits].join(' ');
  if (leaf.kind === 'migration')
    return [...(leaf.level === 'PTE' ? [] : [leaf.level]), 'migration', ...leaf.bits].join(' ');
  const text = leafText(leaf).replace(' PSE', '');
  return leaf.level === 'PTE' || leaf.kind === 'none' ? text : `${leaf.level} ${text}`;
}
function headOf(w: World, page: Page): Page {
  return page.compound ? w.pages[page.frame & ~3]! : page;
}

/** The page words that do not hold. */
function pageFailures(words: string, frame: number | undefined, before: number | undefined, w: World): string[] {
  const page = w.pages[frame ?? -1];
  const head = page && headOf(w, page);
  const holds = (word: string): boolean => {
    const [, key, value] = /^(\w+)(?::(\w+))?$/.exec(word)!;
    switch (key) {
      case 'none':
        return frame === undefined;
      case 'same':
        return frame !== undefined && frame === before;
      case 'copied':
        assert.notEqual(before, undefined, 'copied needs a page before');
        return frame !== undefined && frame < at('NR_FRAMES') && frame !== before;
      case 'zero':
        return frame === at('ZERO_PFN');
      case 'hugezero':
        return frame !== undefined && (frame & ~3) === at('HUGE_ZERO_PFN');
      case 'dax':
        return frame === at('DAX_PFN');
      case 'is':
        return frame !== undefined && frame === frameAt(w, value!);
      case 'not':
        return frame !== undefined && frame !== frameAt(w, value!);
      case 'refs':
        return head?.refs === Number(value);
      case 'map':
        return page !== undefined && page.mapcount + head!.entire === Number(value);
      case 'pins':
        return head?.pins === Number(value);
      case 'excl':
        return page?.exclusive === true;
      case 'lazyfree':
        return page?.lazyfree === true;
      case 'swapbacked':
        return page?.lazyfree === false;
      case 'shared':
        return page?.exclusive === false;
      case 'cached':
        return page?.slot !== undefined;
      case 'uncached':
        return page !== undefined && page.slot === undefined;
      case 'v':
        return page?.version === Number(value);
      default:
        throw new Error(`no page word "${word}"`);
    }
  };
  return words.split(' ').filter((word) => !holds(word));
}

/** Counts every reference, mapping, pin and swap entry again from the leaves up; what does not balance. */
export function recount(w: World): string[] {
  const zeroes = () => w.pages.map(() => 0);
  const [refs, maps, entire, pins] = [zeroes(), zeroes(), zeroes(), zeroes()];
  const entries = w.swap.map(() => 0);
  const add = (counts: number[], index: number) => {
    counts[index] = counts[index]! + 1;
  };
  const ordinary = (frame: number) => frame < at('NR_FRAMES');
  const ref = (frame: number) => add(refs, headOf(w, w.pages[frame]!).frame);
  for (const mm of w.mms) {
    for (const [index, leaf] of mm.leaves.entries()) {
      if (leaf.slot !== undefined && leaf.kind === 'swap') add(entries, leaf.slot);
      if (
        leaf.kind === 'migration' ||
        leaf.frame === undefined ||
        !ordinary(leaf.frame) ||
        (leaf.level === 'PMD' && index % 4 !== 0)
      )
        continue;
      ref(leaf.frame);
      add(leaf.level === 'PMD' ? entire : maps, leaf.frame);
    }
  }
  for (const { frame, flags } of w.handles.filter((handle) => ordinary(handle.frame))) {
    ref(frame);
    if ((flags & 2) !== 0) add(pins, headOf(w, w.pages[frame]!).frame);
  }
  for (const { cache } of w.swap) if (cache !== undefined) ref(cache);
  for (const { frame, migrating } of w.pages) if (migrating) ref(frame);
  const free = new DataView(engine.module.memory.buffer).getUint32(at('FREE_MASK'), true);
  const bugs = new DataView(engine.module.memory.buffer).getUint32(at('PAGE_BUGS'), true);
  const wrong = bugs === 0 ? [] : [`${bugs} bad page states`];
  const compare = (what: string, found: number, counted: number) => {
    if (found !== counted) wrong.push(`${what} is ${found}, counted ${counted}`);
  };
  for (const page of w.pages.filter(({ frame }) => ordinary(frame))) {
    const name = `of frame ${page.frame}`;
    compare(`refs ${name}`, page.refs, refs[page.frame]!);
    compare(`mapcount ${name}`, page.mapcount, maps[page.frame]!);
    compare(`entire mapcount ${name}`, page.entire, entire[page.frame]!);
    compare(`pins ${name}`, page.pins, pins[page.frame]!);
    compare(`use ${name}`, 1 - ((free >> page.frame) & 1), refs[headOf(w, page).frame]! > 0 ? 1 : 0);
    if (page.slot !== undefined) compare(`swap cache ${name}`, w.swap[page.slot]!.cache ?? -1, page.frame);
  }
  for (const { slot, count } of w.swap) compare(`count of slot ${slot}`, count, entries[slot]!);
  return wrong;
}
/** Translations that allow what the leaf does not. */
function staleTranslations(w: World): string[] {
  return w.tlb
    .filter(({ mm, page, frame, write }) => {
      const leaf = leafAt(w, `${mm}${page}`);
      return frameAt(w, `${mm}${page}`) !== frame || leaf.bits[0] !== 'P' || (write && !leaf.bits.includes('W'));
    })
    .map(({ cpu, mm, page }) => `stale translation of ${mm} p${page} on CPU ${cpu}`);
}

function strip(text: string): void {
  const [name, ...bits] = text.split(' ');
  const [mm, page] = place(name!);
  const leaf = leafAt(world(), name!);
  const offset = { PTE: at('MM_PTE') + 8 * page, PMD: at('MM_PMD') + 8 * (page >> 2), PUD: at('MM_PUD') }[leaf.level];
  const named: Readonly<Record<string, string>> = { D: '_PAGE_DIRTY', A: '_PAGE_ACCESSED' };
  const mask = bits.reduce((all, bit) => all | engine.catalogue.bits(named[bit]!), 0n);
  assert.equal(leaf.raw & mask, mask, `${name} has not all of ${bits.join(' ')}`);
  const view = new DataView(engine.module.memory.buffer);
  view.setBigUint64(at('WORLD') + mm * at('MM_SIZE') + offset, leaf.raw & ~mask, true);
}

/** Runs `given` and `when` on one kernel; every expectation that does not hold. */
export function check(row: Row, kernel: string): string[] {
  engine.configure(spec(kernel));
  const bare = BARE_FAULT.exec(row.when);
  const given = parseProgram(row.given, engine.catalogue.ops);
  const program = bare ? given : parseProgram(`${row.given}; ${row.when}`, engine.catalogue.ops);
  engine.begin(program);
  for (let index = 0; index < given.length; ) index += engine.step(index, given.length);
  if (row.strip !== undefined) strip(row.strip);
  const before = world();
  const wanted = { ...row.counts };
  const counters = Object.fromEntries(Object.keys(wanted).map((name) => [name, engine.counter(name)]));
  const coverage = engine.bytes('COVERAGE', at('COVERAGE_SIZE'));
  coverage.fill(0);

  const wrong: string[] = [];
  if (bare) {
    const flags = bare[2]!.split('|').reduce((all, flag) => all | FAULT_FLAGS[flag]!, 0);
    assert.ok(module.fault(MM_NAMES.indexOf(bare[1]!), 0, flags) >= 0, 'fault refuses its arguments');
  } else {
    const first = given.length;
    for (let index = first; index < program.length; ) index += engine.step(index, program.length);
    const result = RESULT_NAMES[engine.result(first)];
    if (result !== (row.result ?? 'ok')) wrong.push(`result is ${result}, not ${row.result ?? 'ok'}`);
  }
  const passed = coverage.slice();
  const after = world();

  for (const [index, words] of Object.entries(row.ends ?? {})) {
    const result = RESULT_NAMES[engine.result(Number(index))];
    if (result !== words) wrong.push(`op ${index} ends as ${result}, not ${words}`);
  }
  for (const [name, words] of Object.entries(row.leaf ?? {})) {
    const found = leafWords(leafAt(after, name));
    if (found !== words) wrong.push(`${name} is "${found}", not "${words}"`);
  }
  for (const [name, words] of Object.entries(row.page ?? {})) {
    const failed = pageFailures(words, frameAt(after, name), frameAt(before, name), after);
    if (failed.length > 0) wrong.push(`page of ${name} is not ${failed.join(', ')}`);
  }
  if (row.handle !== undefined) {
    const frame = after.handles.find(({ handle }) => handle === 0)?.frame;
    const failed = pageFailures(row.handle, frame, undefined, after);
    if (failed.length > 0) wrong.push(`page of h0 is not ${failed.join(', ')}`);
  }
  for (const [name, moved] of Object.entries(wanted)) {
    const found = engine.counter(name) - counters[name]!;
    if (found !== moved) wrong.push(`${name} went up by ${found}, not ${moved}`);
  }
  for (const text of row.passes ?? []) if (passed[point(text)] === 0) wrong.push(`did not pass "${text}"`);
  for (const text of row.avoids ?? []) if (passed[point(text)] !== 0) wrong.push(`passed "${text}"`);
  // Before v5.12 clear_refs does not flush, so its programs may leave translations behind.
  const name = kernel.split(' ')[0]!;
  const flushes = releases('v5.12').includes(name) || !`${row.given}; ${row.when}`.includes('clear_refs');
  return [...wrong, ...recount(after), ...(flushes ? staleTranslations(after) : [])];
}

/** One test per row, on all its kernels. */
export function rows(title: string, table: readonly Row[]): void {
  describe(title, () => {
    for (const row of table) {
      it(row.row, () => {
        const program = `${row.given}; ${row.strip ? `(strip ${row.strip}); ` : ''}${row.when}`;
        const wrong = row.on.flatMap((kernel) => check(row, kernel).map((what) => `${kernel}: ${what}`));
        assert.deepEqual(wrong, [], program);
      });
    }
  });
}
