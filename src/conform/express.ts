// Programs that a kernel can perform: each op is rewritten to the nearest thing that user space can do, or left out.
import { CellReader, type RawLeaf } from '../engine/cells.js';
import type { Engine } from '../engine/engine.js';
import { wordError } from '../engine/optable.js';
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
} from '../engine/opword.js';
import { Stepper } from '../engine/stepper.js';
import { GupFlavours, Vocabulary } from './flavours.js';
import type { Capability, PageLayout } from './observed.js';

/** Words of one transfer, or of one op alone; run as one. */
type Group = readonly number[];

/**
 * Builds an expressible program op by op, running it on the engine's kernel as it grows. An op that the kernel would
 * do, but for which the model's world is too small, is left out.
 */
export class Expresser {
  readonly stepper: Stepper;
  readonly vocabulary: Vocabulary;
  readonly gup: GupFlavours;
  readonly #reader: CellReader;
  readonly #can: ReadonlySet<Capability>;
  readonly #layout: PageLayout;
  readonly #code: Readonly<Record<string, number>>;
  readonly #wakes: ReadonlySet<number>;
  readonly #crowded: number;
  readonly #leaf: RawLeaf = { kind: 0, low: 0, high: 0, huge: false, frame: 0, vma: 0 };
  /** Handles that a sleeping call will fill, by the index of that op. */
  #awaited = new Map<number, number>();
  #words: number[] = [];

  constructor(engine: Engine, can: ReadonlySet<Capability>, layout: PageLayout) {
    this.stepper = new Stepper(engine);
    this.vocabulary = new Vocabulary(engine.catalogue.ops);
    this.gup = new GupFlavours(this.vocabulary);
    this.#reader = new CellReader(engine);
    this.#can = can;
    this.#layout = layout;
    this.#code = Object.fromEntries(engine.catalogue.ops.map(({ name, code }) => [name, code]));
    this.#wakes = new Set(
      ['unwp', 'wake', 'uffd_close', 'uffd_unreg', 'uffd_move', 'uffd_copy', 'uffd_zeropage'].map((name) =>
        this.vocabulary.code(name),
      ),
    );
    const crowded = engine.catalogue.points.find(
      (point) => point.function === 'do_huge_pmd_anonymous_page' && point.decision.startsWith('no huge page free'),
    );
    if (!crowded) throw new Error('the module does not tell when it has no huge page');
    this.#crowded = engine.catalogue.at('COVERAGE') + crowded.id;
  }

  begin(): void {
    this.stepper.begin();
    this.#words = [];
    this.#awaited = new Map();
  }

  /** The program so far. */
  get words(): Uint32Array {
    return Uint32Array.from(this.#words);
  }

  get length(): number {
    return this.#words.length;
  }

  /** Adds what `word` becomes, if that is anything and fits into `room` ops; returns its result, or undefined. */
  offer(word: number, room: number): number | undefined {
    const group = this.#waits(word) ? undefined : this.rewrite(word);
    if (group === undefined || this.#words.length + group.length > Math.min(room, MAX_OPS)) return undefined;
    const before = this.stepper.save();
    const results = this.stepper.engine.results(MAX_OPS);
    const result = this.#run(group);
    if (result === undefined) {
      this.stepper.restore(before);
      this.stepper.engine.bytes('RESULTS', MAX_OPS).set(results);
    }
    return result;
  }

  /**
   * swapoff waits for whoever is inside do_swap_page, and a thread that took its uffd event there is: it would wait
   * until that thread is woken, which nobody does meanwhile.
   */
  #waits(word: number): boolean {
    return decodeOp(word).code === this.#code.swapoff && this.#reader.asleep().length > 0;
  }

  /** Takes the ops from `length` on back; the caller restores the world. */
  truncate(length: number): void {
    this.#words.length = length;
  }

  /** What a word becomes; undefined if nothing of the sort can be done. */
  rewrite(word: number): Group | undefined {
    const fields: OpFields = { ...decodeOp(word), cpu: 0, pair: false, schedule: 0 };
    const name = this.vocabulary.ops[fields.code]?.name;
    const { vocabulary } = this;
    switch (name) {
      case 'numa_hint':
      case 'migrate':
      case 'migrate_begin':
      case 'migrate_end':
      case 'mergeable':
      case 'unmergeable':
      case 'ksm_merge':
        return undefined;
      case 'uffd_copy':
      case 'uffd_zeropage':
        return this.#can.has('UFFD_WP') && this.#can.has('UFFD_MISSING') ? [encodeOp(fields)] : undefined;
      case 'pagemap_scan':
        return this.#can.has('PAGEMAP_SCAN') && this.#can.has('WP_ASYNC') && !this.#hole(fields)
          ? [encodeOp(fields)]
          : undefined;
      case 'uffd_move':
        return this.#can.has('UFFD_MOVE') ? [encodeOp(fields)] : undefined;
      case 'mremap':
        // Of four 4 KiB pages the model moves the page table, as it is.
        return this.#layout === 'pte' && this.#can.has('SOFT_DIRTY') && fields.page >= PAGE_COUNT
          ? undefined
          : [encodeOp(fields)];
      case 'write':
        return [encodeOp({ ...fields, flags: 0 })];
      case 'pageout':
        if (!this.#can.has('SWAP')) return undefined;
        return [encodeOp({ ...fields, flags: vocabulary.flag('pageout', 'madv') })];
      case 'swapoff':
        return this.#can.has('SWAP') ? [encodeOp(fields)] : undefined;
      case 'clear_refs':
        return this.#can.has('SOFT_DIRTY') ? [encodeOp(fields)] : undefined;
      case 'collapse':
      case 'thp_split':
        return this.#layout === 'pmd' && this.#can.has('THP') ? [encodeOp(fields)] : undefined;
      case 'mmap': {
        const thp = this.#layout === 'pmd' && this.#can.has('THP') ? vocabulary.flag('mmap', 'thp') : 0;
        return [encodeOp({ ...fields, flags: fields.flags & thp })];
      }
      case 'uffd_reg':
      case 'uffd_unreg':
      case 'uffd_close':
      case 'wp':
      case 'unwp':
      case 'wake':
        return this.#can.has('UFFD_WP')
          ? [encodeOp({ ...fields, flags: this.#features(name, fields.flags) })]
          : undefined;
      case 'gup':
        return this.#gup(fields);
      case undefined:
        return undefined;
      default:
        return [encodeOp(fields)];
    }
  }

  /** All small pages lie in one page table, so that a hole in it is a matter of the model. */
  #hole({ mm, page }: OpFields): boolean {
    this.#reader.refresh();
    return this.#layout === 'pte' && mm < MM_NAMES.length && pagesOf(page).some((one) => this.#reader.hole(mm, one));
  }

  #features(name: string, flags: number): number {
    if (name !== 'uffd_reg') return flags;
    const features = ['EVENT_FORK', 'WP_UNPOPULATED', 'WP_ASYNC'] as const;
    const granted = features.filter((feature) => this.#can.has(feature));
    const modes = this.#can.has('UFFD_MISSING')
      ? (['MISSING', 'BOTH', 'EVENT_REMAP'] as const)
      : (['EVENT_REMAP'] as const);
    return [...granted, ...modes].reduce((kept, text) => kept | (flags & this.vocabulary.flag(name, text)), 0);
  }

  #gup(fields: OpFields): Group | undefined {
    const flags = this.gup.nearest(fields.flags, this.#can);
    if (flags === undefined) return undefined;
    const call = encodeOp({ ...fields, flags });
    if (this.gup.flavour(flags) === 'held') return [call];
    const use = (flags & this.gup.W) !== 0 ? 'hwrite' : 'hread';
    return [call, ...[use, 'put'].map((name) => encodeOp({ ...NO_FIELDS, code: this.#code[name]!, y: fields.y }))];
  }

  /** Runs the group as the next ops; its first result, or undefined if it must be taken back. */
  #run(group: Group): number | undefined {
    const at = this.#words.length;
    const coverage = new Uint8Array(this.stepper.engine.module.memory.buffer, this.#crowded, 1);
    const known = coverage[0]!;
    coverage[0] = 0;
    const fields = decodeOp(group[0]!);
    const place = this.#entry(fields);
    const waiting = this.#places();
    const results = group.map((word, i) => this.stepper.run(word, at + i));
    const crowded = coverage[0] !== 0;
    coverage[0] = known;
    this.#reader.refresh();
    const [first] = results as [number];
    const takes = fields.code === this.#code.gup;
    if (crowded || first === RESULT.NOMEM || first === RESULT.LIVELOCK) return undefined;
    // With every slot taken, the model leaves pages alone that a real device would have room for.
    if (fields.code === this.#code.pageout && this.#reader.slotsUsed() === this.#reader.is.slots) return undefined;
    if (this.#wokenBadly()) return undefined;
    // A transfer is one call: it neither waits, nor uses a handle that somebody else holds.
    if (group.length > 1 && first !== RESULT.OK && first !== RESULT.FAULT) return undefined;
    if (this.#layout === 'pmd') {
      // An op that stops at the first of many small pages may have changed that one only: no page of the model is so.
      if ((first === RESULT.SLEEP || first === RESULT.FAULT) && this.#entry(fields) !== place) return undefined;
      if (this.#wakes.has(fields.code) && this.#strayed(waiting)) return undefined;
    }
    // Two calls for one handle: who gets it is a matter of the executor's own order.
    if (takes && this.#awaitedNow().includes(fields.y)) return undefined;
    this.#words.push(...group);
    if (takes && first === RESULT.SLEEP) this.#awaited.set(at, fields.y);
    return first;
  }

  /** What an access finds, apart from its traces. */
  #entry({ code, mm, page }: OpFields): string {
    if (this.vocabulary.ops[code]?.pages !== 'P' || mm >= MM_NAMES.length) return '';
    this.#reader.leaf(mm, page, this.#leaf);
    return `${this.#leaf.kind} ${this.#leaf.frame}`;
  }

  /** Where threads sleep, and what is there, by the op of each. */
  #places(): Map<number, string> {
    return new Map(this.#reader.asleep().map((op) => [op, this.#entry(decodeOp(this.#words[op]!))]));
  }

  /** Does a thread sleep again that has changed its page in between? */
  #strayed(waiting: Map<number, string>): boolean {
    return [...this.#places()].some(([op, entry]) => waiting.has(op) && waiting.get(op) !== entry);
  }

  /** Did a thread that the op woke run out of memory, or into a loop? */
  #wokenBadly(): boolean {
    const results = this.stepper.engine.results(this.#words.length);
    return results.includes(RESULT.NOMEM) || results.includes(RESULT.LIVELOCK);
  }

  /** Handles that calls which still sleep will fill. */
  #awaitedNow(): number[] {
    const asleep = this.#reader.asleep();
    return [...this.#awaited].filter(([op]) => asleep.includes(op)).map(([, handle]) => handle);
  }

  /** Every page that a living process has mapped: [mm, page]. */
  mappedPages(): [mm: number, page: number][] {
    this.#reader.refresh();
    const found: [number, number][] = [];
    for (let mm = 0; mm < MM_NAMES.length; mm++) {
      if (!this.#reader.alive(mm)) continue;
      for (let page = 0; page < PAGE_COUNT; page++) if (this.#reader.mapped(mm, page)) found.push([mm, page]);
    }
    return found;
  }

  /** The expressible part of a whole program, at most `room` ops. Words must be valid. */
  program(words: Iterable<number>, room = MAX_OPS): Uint32Array {
    this.begin();
    const program = [...words];
    for (let i = 0; i < program.length; i++) {
      const word = program[i]!;
      if (wordError(this.vocabulary.ops, word) !== undefined) continue;
      if (this.offer(word, room) === undefined) continue;
      i += this.#alreadyThere(program, i);
    }
    return this.words;
  }

  /** How many of the ops after a transfer's first one are the rest of that very group. */
  #alreadyThere(program: readonly number[], i: number): number {
    const group = this.rewrite(program[i]!)!;
    const same = group.slice(1).every((word, k) => {
      const next = program[i + 1 + k];
      return next !== undefined && decodeOp(next).code === decodeOp(word).code && decodeOp(next).y === decodeOp(word).y;
    });
    return same ? group.length - 1 : 0;
  }
}
