// What a kernel that keeps its promises shows of a program, step by step: facts that user space can check.
import type { Fact } from '../conform/facts.js';
import { Inexpressible } from '../conform/reproducer.js';
import type { KnobVector } from '../engine/catalogue.js';
import { CellReader } from '../engine/cells.js';
import type { Engine } from '../engine/engine.js';
import {
  decodeOp,
  encodeOp,
  MAX_OPS,
  MM_NAMES,
  NO_FIELDS,
  type OpFields,
  PAGE_COUNT,
  pagesOf,
  RESULT,
  TARGET_MASK,
} from '../engine/opword.js';
import { Reference } from './reference.js';

export interface Promised {
  readonly facts: readonly Fact[];
  /** Op -> op during which its thread ended. */
  readonly settled: ReadonlyMap<number, number>;
  /** Ops that may fail and the test goes on: their end is promised, or it is failure. */
  readonly may: readonly number[];
}

const PAGES = Array.from({ length: PAGE_COUNT }, (_, page) => page);
const MMS = MM_NAMES.map((_, mm) => mm);

/** Runs the program op by op on a kernel that keeps all promises in it. Throws Inexpressible where the model gives up. */
export function promisesOf(engine: Engine, vector: KnobVector, words: Uint32Array): Promised {
  return new Witness(engine, vector, words).promised();
}

/** Places whose uffd-wp is put to the test at the end: each takes four ops. */
const MAX_PROBES = 2;

/**
 * Ops that look at what no op of the program has looked at: every page, every handle, a store to what is protected, and
 * one to what is pinned, seen through the pin. Where protection has ended: protected anew as a range, though not as a
 * page, it takes a store without an event; kernels before 5.14 show no other way whether a mark has stayed.
 */
export function finalLook(engine: Engine, vector: KnobVector, words: Uint32Array): Uint32Array {
  engine.configureVector(vector);
  engine.begin(words);
  const marked = new Map<number, number>();
  for (let k = 0; k < words.length; k++) {
    engine.step(k, words.length);
    markedSoFar(engine, words[k]!, marked);
  }
  const seen = new Reference(engine);
  const code = (name: string) => engine.catalogue.ops.findIndex((op) => op.name === name);
  const op = (name: string, fields: Partial<OpFields>) => encodeOp({ ...NO_FIELDS, code: code(name), ...fields });
  const places = MMS.filter((mm) => seen.alive(mm)).flatMap((mm) =>
    PAGES.filter((page) => seen.has(mm, 'mapped', page)).map((page) => ({ mm, page })),
  );
  const asleep = new CellReader(engine);
  asleep.refresh();
  const busy = asleep.asleep().map((at) => decodeOp(words[at]!));
  const idle = ({ mm, page }: { mm: number; page: number }) => !busy.some((one) => one.mm === mm && one.page === page);
  const held = seen.held();
  const pins = held.filter(
    ({ mm, page, strictPin }) =>
      strictPin && seen.has(mm, 'writable', page) && !seen.has(mm, 'protected', page) && !seen.has(mm, 'maybe', page),
  );
  const flag = (name: string, text: string) => {
    const choices = engine.catalogue.ops[code(name)]!.groups.flatMap((group) => group.choices);
    return choices.find((choice) => choice.text === text)!.value;
  };
  const freed = places
    .filter(({ mm, page }) => ((marked.get(mm) ?? 0) >> page) & 1 && seen.has(mm, 'writable', page))
    .filter((place) => !seen.has(place.mm, 'protected', place.page) && !seen.has(place.mm, 'maybe', place.page))
    .filter(idle)
    .slice(0, MAX_PROBES);
  const looks = [
    ...places.filter(({ mm, page }) => seen.value(mm, page) !== undefined).map((place) => op('read', place)),
    ...held.filter(({ shows }) => shows !== undefined).map(({ handle }) => op('hread', { y: handle })),
    ...pins.flatMap(({ mm, page, handle }) => [op('write', { mm, page }), op('hread', { y: handle })]),
    ...freed.flatMap((place) => [
      op('uffd_reg', { ...place, flags: flag('uffd_reg', 'WP') }),
      op('mprotect', { ...place, flags: flag('mprotect', 'R') }),
      op('mprotect', { ...place, flags: flag('mprotect', 'RW') }),
      op('write', place),
    ]),
    ...places
      .filter((place) => seen.has(place.mm, 'protected', place.page) && seen.has(place.mm, 'writable', place.page))
      .filter(idle)
      .slice(0, 4 - busy.length)
      .map((place) => op('write', place)),
  ];
  return Uint32Array.from([...words, ...looks].slice(0, MAX_OPS));
}

/** Takes in what is protected after an op; a child has the marks of its parent. */
function markedSoFar(engine: Engine, word: number, marked: Map<number, number>): void {
  const { code, mm, y } = decodeOp(word);
  const now = new Reference(engine);
  if (engine.catalogue.ops[code]!.name === 'fork') marked.set(y, marked.get(mm) ?? 0);
  for (const one of MMS) {
    const mapped = now.alive(one) ? now.mask(one, 'mapped') : 0;
    const before = (marked.get(one) ?? 0) | (one === mm ? movedMarks(engine, word, marked.get(one) ?? 0) : 0);
    marked.set(one, (before | now.mask(one, 'protected')) & mapped);
  }
}

/** Source and target pages of an op that moves them, one by one. */
function moves({ catalogue: { ops } }: Engine, word: number): readonly (readonly [from: number, to: number])[] {
  const { code, page, flags } = decodeOp(word);
  if (!ops[code]!.takesTarget) return [];
  return pagesOf(page).map((from, i) => [from, pagesOf(flags & TARGET_MASK)[i]!]);
}
function movedMarks(engine: Engine, word: number, marks: number): number {
  return moves(engine, word).reduce((moved, [from, to]) => moved | (((marks >> from) & 1) << to), 0);
}
const ACCESSES: readonly string[] = ['read', 'write', 'gup', 'populate'];

class Witness {
  readonly #engine: Engine;
  readonly #words: Uint32Array;
  readonly #reader: CellReader;
  readonly #facts: Fact[] = [];
  readonly #settled = new Map<number, number>();
  readonly #may = new Set<number>();
  /** What was last stated of uffd-wp, by mm * PAGE_COUNT + page. */
  readonly #stated = new Map<number, boolean>();

  constructor(engine: Engine, vector: KnobVector, words: Uint32Array) {
    this.#engine = engine;
    this.#words = words;
    engine.configureVector(vector);
    this.#reader = new CellReader(engine);
  }

  promised(): Promised {
    this.#engine.begin(this.#words);
    let before = new Reference(this.#engine);
    let asleep: readonly number[] = [];
    for (let k = 0; k < this.#words.length; k++) {
      this.#engine.step(k, this.#words.length);
      const after = new Reference(this.#engine);
      this.#reader.refresh();
      const now = this.#reader.asleep();
      this.#outcome(k, before, after, asleep.length > 0);
      this.#sleepers(k, asleep, now, after);
      this.#entries(k, after);
      before = after;
      asleep = now;
    }
    return { facts: this.#facts, settled: this.#settled, may: [...this.#may] };
  }

  #name(k: number): string {
    return this.#engine.catalogue.ops[decodeOp(this.#words[k]!).code]!.name;
  }

  #outcome(op: number, before: Reference, after: Reference, sleepers: boolean): void {
    const { mm, page, y } = decodeOp(this.#words[op]!);
    const name = this.#name(op);
    const result = this.#engine.result(op);
    if (result === RESULT.NOMEM || result === RESULT.LIVELOCK)
      throw new Inexpressible(`step ${op + 1}: the model has no room for it`);
    if (result !== RESULT.SLEEP) this.#settled.set(op, op);
    if (result !== RESULT.OK) this.#may.add(op);
    if (name === 'swapoff' && sleepers)
      throw new Inexpressible(`step ${op + 1}: swapoff waits for threads that sleep inside a fault`);
    if (name === 'hread' && result === RESULT.OK) {
      const shows = before.held().find(({ handle }) => handle === y)?.shows;
      if (shows) this.#facts.push({ kind: 'shows', op, value: shows[0]!, or: shows.slice(1) });
    }
    if (!ACCESSES.includes(name)) return;
    if (result === RESULT.SKIP) return;
    if (name === 'read' || name === 'write') this.#may.add(op);
    // Whether such a page raises an event is up to the kernel.
    if (before.has(mm, 'maybe', page) && !after.has(mm, 'protected', page) && name !== 'read') return;
    if (result === RESULT.SLEEP) this.#facts.push({ kind: 'sleeps', op });
    else this.#ended(op, before, result);
  }

  #ended(op: number, before: Reference, result: number): void {
    const { mm, page } = decodeOp(this.#words[op]!);
    const name = this.#name(op);
    if (MMS.some((one) => before.mask(one, 'registered') !== 0)) this.#facts.push({ kind: 'silent', op });
    const values = name === 'read' && result === RESULT.OK ? before.values(mm, page) : undefined;
    const takes = name === 'gup' || name === 'populate';
    if (values !== undefined) this.#facts.push({ kind: 'shows', op, value: values[0]!, or: values.slice(1) });
    else if (!takes || result !== RESULT.OK) this.#facts.push({ kind: 'ends', op, result });
  }

  #sleepers(op: number, before: readonly number[], now: readonly number[], after: Reference): void {
    for (const sleeper of before) {
      const { mm, page } = decodeOp(this.#words[sleeper]!);
      if (now.includes(sleeper)) {
        const own = decodeOp(this.#words[op]!).mm === mm && this.#name(op) !== 'exit';
        if (own && after.has(mm, 'protected', page)) this.#facts.push({ kind: 'asleep', op, sleeper });
      } else if (this.#engine.result(sleeper) !== RESULT.SLEEP) {
        this.#settled.set(sleeper, op);
        this.#facts.push({ kind: 'wakes', op, sleeper });
      }
    }
  }

  /** What pagemap must show: uffd-wp and soft-dirty of the pages that the op is about. */
  #entries(op: number, after: Reference): void {
    const last = op === this.#words.length - 1;
    const fields = decodeOp(this.#words[op]!);
    const info = this.#engine.catalogue.ops[fields.code]!;
    const far = !info.takesMm || info.takesY === 'mm' || info.name === 'exit' || !info.pages;
    const moved = moves(this.#engine, this.#words[op]!);
    const range = info.pages ? [...pagesOf(fields.page), ...moved.map(([, to]) => to)] : PAGES;
    this.#move(fields.mm, moved);
    for (const mm of MMS)
      for (const page of PAGES) {
        const at = mm * PAGE_COUNT + page;
        if (!after.alive(mm) || !after.has(mm, 'mapped', page)) {
          this.#stated.delete(at);
          continue;
        }
        if (info.takesY === 'mm' && mm === fields.y && info.name === 'fork') this.#inherit(fields.mm, mm, page);
        const about = last || far || (mm === fields.mm && range.includes(page));
        const place = { op, mm, page };
        const set = after.has(mm, 'protected', page);
        if (
          set
            ? about || this.#stated.get(at) !== true
            : this.#stated.get(at) === true || (about && this.#stated.has(at))
        )
          if (!after.has(mm, 'maybe', page)) {
            this.#facts.push({ kind: 'bit', bit: 'uffd-wp', ...place, set });
            this.#stated.set(at, set);
          }
        if (about && after.has(mm, 'dirty', page))
          this.#facts.push({ kind: 'bit', bit: 'soft-dirty', ...place, set: true });
      }
  }

  /** What was said of an entry is to be said of it where it goes. */
  #move(mm: number, moved: readonly (readonly [from: number, to: number])[]): void {
    for (const [from, to] of moved) {
      const stated = this.#stated.get(mm * PAGE_COUNT + from);
      if (stated !== undefined) this.#stated.set(mm * PAGE_COUNT + to, stated);
      else this.#stated.delete(mm * PAGE_COUNT + to);
    }
  }

  /** A child has the parent's entries: what was said of them is to be said of its own. */
  #inherit(parent: number, child: number, page: number): void {
    const stated = this.#stated.get(parent * PAGE_COUNT + page);
    if (stated !== undefined && !this.#stated.has(child * PAGE_COUNT + page))
      this.#stated.set(child * PAGE_COUNT + page, stated);
  }
}
