// A traced run as a list of steps: what each op returned, decided and changed, in kernel terms.
import type { Catalogue } from '../engine/catalogue.js';
import type { Observation } from '../engine/observation.js';
import type { OpInfo } from '../engine/optable.js';
import { COMMON_VERSION, decodeOp, MM_NAMES, PAGE_COUNT, RESULT, RESULT_NAMES } from '../engine/opword.js';
import { type Leaf, leafText, type Mm, type Page, type Translation, type World } from '../engine/world.js';
import { type HandleName, handleNames, printItems, printOp } from '../text/print.js';
import { type Decision, decisionsOf, type Section, sectionsOf } from './sections.js';
import type { TracedRun, TracedStep } from './trace.js';

/** A leaf and the pages behind it at one moment. */
export interface LeafState {
  /** `P W D A SD`, `swap(slot 0, U)`, `marker(UFFD_WP)`, `none`. */
  readonly entry: string;
  readonly level: Leaf['level'];
  /** Undefined for none, markers and the zero pages; the first one where the change spans several pages. */
  readonly page?: PageState;
  /** Zero page, huge zero page or DAX page. */
  readonly special?: string;
  /** Whose data, one per page where there is some page: number of the step that wrote it, 0 = zeroes. */
  readonly dataOf: readonly number[];
}

export interface PageState {
  readonly frame: number;
  readonly refs: number;
  /** PTEs and PMDs that map this very page. */
  readonly mapcount: number;
  readonly pins: number;
  readonly exclusive: boolean;
  readonly swapCache: boolean;
}

export interface LeafChange {
  readonly mm: string;
  /** `p0` or `p0..p3`. */
  readonly pages: string;
  readonly before: LeafState;
  readonly after: LeafState;
}

export interface Step {
  /** Number of its first op, from 1: content "of step n" was written by op n. */
  readonly number: number;
  readonly text: string;
  /** Per op of the step (two for a pair). */
  readonly results: readonly string[];
  readonly decisions: readonly Decision[];
  /** The same decisions by section, where two ops ran at once. */
  readonly sections?: readonly Section[];
  /** What could be seen from outside, in order. */
  readonly events: readonly string[];
  readonly changes: readonly LeafChange[];
}

/** "what A wrote in step 6", "zeroes": a content version in words. */
export function contentText(version: number, words: Uint32Array, ops: readonly OpInfo[], handle: HandleName): string {
  if (version === 0) return 'zeroes';
  if (version === COMMON_VERSION) return 'the value that all share';
  const word = words[version - 1];
  if (word === undefined) return `unknown data (version ${version})`;
  const fields = decodeOp(word);
  const op = ops[fields.code]!;
  const who = op.takesMm ? `${MM_NAMES[fields.mm]} wrote` : `was written through ${handle(fields.y)}`;
  return `what ${who} in step ${version}`;
}

/** `tlb`: also tell what the CPUs cache; it is seldom to the point. */
export function explain(run: TracedRun, words: Uint32Array, catalogue: Catalogue, tlb = false): Step[] {
  const { ops } = catalogue;
  const handle = handleNames(words, ops);
  const items = printItems(words, ops);
  return run.steps.map((step): Step => {
    const texts = [...words.subarray(step.first, step.first + step.count)].map((word) => printOp(word, ops, handle));
    const sections = sectionsOf(step.trace, catalogue, texts);
    return {
      number: step.first + 1,
      text: items.find(({ first }) => first === step.first)?.text ?? texts[0]!,
      results: step.results.map((code) => RESULT_NAMES[code] ?? `result ${code}`),
      decisions:
        sections.length > 0 ? sections.flatMap(({ decisions }) => decisions) : decisionsOf(step.trace, catalogue),
      ...(sections.length > 0 && { sections }),
      events: [...eventsOf(step, words, ops, handle), ...(tlb ? translationsOf(step) : [])],
      changes: changesOf(step.before, step.after),
    };
  });
}

function eventsOf(step: TracedStep, words: Uint32Array, ops: readonly OpInfo[], handle: HandleName): string[] {
  const events = step.observations.flatMap((seen) => eventText(seen, words, ops, handle, step));
  for (const [i, result] of step.results.entries()) {
    const op = ops[words[step.first + i]! & 63]!;
    if (result === RESULT.FAULT) events.push(op.shape.startsWith('h=') || op.takesTarget ? '-EFAULT' : 'SIGSEGV');
  }
  return events;
}

function eventText(
  seen: Observation,
  words: Uint32Array,
  ops: readonly OpInfo[],
  handle: HandleName,
  step: TracedStep,
): string[] {
  const where = `${MM_NAMES[seen.mm]} p${seen.page}`;
  const content = contentText(seen.version, words, ops, handle);
  const late = seen.op < step.first || seen.op >= step.first + step.count;
  const again = late && seen.kind !== 'syscall' ? `step ${seen.op + 1}, woken: ` : '';
  switch (seen.kind) {
    case 'load':
      return [`${again}the load sees ${content}`];
    case 'store':
      return late ? [`${again}the store goes through`] : [];
    case 'event':
      return [
        `${again}${(seen.flags & 2) !== 0 ? 'missing-page' : 'uffd-wp'} event for a ${(seen.flags & 1) !== 0 ? 'write' : 'read'} of ${where}; the thread sleeps`,
      ];
    case 'filled': {
      const what =
        (seen.flags & 2) !== 0 ? 'the zero page' : `a new page${(seen.flags & 1) !== 0 ? ', write-protected' : ''}`;
      return [`${where} is filled with ${what}`];
    }
    case 'gup': {
      const held = step.after.handles.find((entry) => entry.handle === seen.handle);
      const page = held && step.after.pages[held.frame]!;
      const name = page ? (page.special ?? `page ${page.frame}`) : 'a page';
      return [`${again}${handle(seen.handle)} holds ${name}: ${content}`];
    }
    case 'hread':
      return [`${handle(seen.handle)} shows ${content}`];
    case 'syscall': {
      const word = words[seen.op];
      if (word === undefined || ops[decodeOp(word).code]!.name !== 'pagemap_scan') return [];
      const pages = Array.from({ length: 8 }, (_, page) => page).filter((page) => (seen.version >> page) & 1);
      return [`it reports ${pages.length === 0 ? 'nothing' : pages.map((page) => `p${page}`).join(' ')}`];
    }
    case 'no-progress':
      return [`${again}the fault loop at ${where} is back in the same state`];
    case 'fast-refused':
      return [`GUP-fast finds nothing at ${where}`];
    case 'wp-partial':
      return ['it stops midway at a VMA that is not registered; what came before it stays done'];
    default:
      return [];
  }
}

function leafState(world: World, leaf: Leaf, page: number): LeafState {
  const state = { entry: leafText(leaf), level: leaf.level, dataOf: [] };
  if (leaf.frame === undefined) return state;
  const { special } = world.pages[leaf.frame]!;
  if (special !== undefined) return { ...state, special };
  const own = world.pages[leaf.level === 'PMD' ? leaf.frame + (page & 3) : leaf.frame]!;
  return { ...state, page: pageState(world.pages, own, leaf.level === 'PMD'), dataOf: [own.version] };
}

function pageState(pages: readonly Page[], page: Page, huge: boolean): PageState {
  const head = page.compound ? pages[page.frame & ~3]! : page;
  return {
    frame: page.frame,
    refs: head.refs,
    mapcount: page.mapcount + head.entire,
    pins: head.pins,
    exclusive: huge ? head.exclusive : page.exclusive,
    swapCache: page.slot !== undefined,
  };
}

/** Translations that a CPU has now and had not before, and those it lost. */
function translationsOf({ before, after }: TracedStep): string[] {
  const text = ({ cpu, mm, page, frame, write }: Translation) =>
    `CPU ${cpu} TLB: ${mm} p${page} is page ${frame}, ${write ? 'writable' : 'read-only'}`;
  const [old, now] = [before.tlb.map(text), after.tlb.map(text)];
  return [
    ...now.filter((entry) => !old.includes(entry)),
    ...old.filter((entry) => !now.includes(entry)).map((entry) => `${entry}: flushed`),
  ];
}

/** Neighbours that are told as one: all equal but the data, frames consecutive. */
function alike(a: LeafState, b: LeafState, distance: number): boolean {
  if (a.entry !== b.entry || a.level !== b.level || a.special !== b.special) return false;
  if (!a.page || !b.page) return a.page === b.page;
  return JSON.stringify({ ...a.page, frame: a.page.frame + distance }) === JSON.stringify(b.page);
}

function changesOf(before: World, after: World): LeafChange[] {
  return after.mms.flatMap((mm, i) => changesOfMm(before, before.mms[i]!, after, mm));
}

function changesOfMm(before: World, old: Mm, after: World, mm: Mm): LeafChange[] {
  const states = mm.leaves.map((leaf, page) => ({
    before: leafState(before, old.leaves[page]!, page),
    after: leafState(after, leaf, page),
  }));
  const unchanged = ({ before: a, after: b }: (typeof states)[number]) => JSON.stringify(a) === JSON.stringify(b);
  const found: LeafChange[] = [];
  for (let page = 0; page < PAGE_COUNT; ) {
    const first = states[page]!;
    const next = states.findIndex(
      ({ before: a, after: b }, i) =>
        i > page && !(alike(first.before, a, i - page) && alike(first.after, b, i - page)),
    );
    const end = next < 0 ? PAGE_COUNT : next;
    const group = states.slice(page, end);
    const pages = group.length === 1 ? `p${page}` : `p${page}..p${end - 1}`;
    const joined = (side: 'before' | 'after') => ({
      ...first[side],
      dataOf: group.flatMap((state) => state[side].dataOf),
    });
    if (!group.every(unchanged)) found.push({ mm: mm.name, pages, before: joined('before'), after: joined('after') });
    page = end;
  }
  return found;
}
