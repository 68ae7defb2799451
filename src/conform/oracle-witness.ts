// A kernel's run told to the reference memory: which promise it breaks, with no model in between.
import { ForeignJudge, RECORD, UNSEEN } from '../engine/foreign.js';
import type { OpInfo } from '../engine/optable.js';
import { decodeOp, MM_NAMES, type OpFields, PAGE_COUNT, pagesOf, RESULT } from '../engine/opword.js';
import type { Violation } from '../engine/types.js';
import { GupFlavours, Vocabulary } from './flavours.js';
import type { Capability, Cell, Observed, Outcome, Run } from './observed.js';

/** Promises that can be judged by what user space sees: I2-I6, I10, I16, and I11 where soft-dirty is compiled in. */
export const JUDGED: readonly string[] = [
  'wp-silent-write',
  'cow-leak',
  'pin-detached',
  'wp-event-on-read',
  'wp-lost',
  'data-lost',
  'softdirty-lost',
  'permission-gained',
  'guard-lost',
];

/** Where a promise was first seen broken. */
export interface Broken {
  readonly slug: string;
  readonly violation: Violation;
}

const FEATURE_UNPOPULATED = 1;
const FEATURE_EVENT_FORK = 2;
const FEATURE_EVENT_REMAP = 4;

interface Names {
  readonly of: (code: number) => string;
  readonly gup: GupFlavours;
  readonly populateWrite: number;
  readonly eventFork: number;
  readonly unpopulated: number;
  readonly eventRemap: number;
}

export class Witness {
  readonly #judge: ForeignJudge;
  readonly #names: Names;
  readonly #slugs: ReadonlyMap<number, string>;
  readonly #can: ReadonlySet<Capability>;
  readonly #mask: number;

  /** `can`: of the kernel whose runs are judged. */
  constructor(can: ReadonlySet<Capability>, judge = new ForeignJudge()) {
    const { ops, invariants } = judge.engine.catalogue;
    const vocabulary = new Vocabulary(ops);
    this.#judge = judge;
    this.#can = can;
    this.#names = {
      of: (code) => ops[code]?.name ?? '',
      gup: new GupFlavours(vocabulary),
      populateWrite: vocabulary.flag('populate', 'W'),
      eventFork: vocabulary.flag('uffd_reg', 'EVENT_FORK'),
      unpopulated: vocabulary.flag('uffd_reg', 'WP_UNPOPULATED'),
      eventRemap: vocabulary.flag('uffd_reg', 'EVENT_REMAP'),
    };
    this.#slugs = new Map(invariants.map(({ id, slug }) => [id, slug]));
    this.#mask = invariants.reduce((mask, { id, slug }) => (JUDGED.includes(slug) ? mask | (1 << id) : mask), 0);
  }

  get ops(): readonly OpInfo[] {
    return this.#judge.engine.catalogue.ops;
  }

  /** The first promise that the run breaks. A run that was cut short is judged as far as it goes. */
  broken(words: Uint32Array, run: Run): Broken | undefined {
    this.#judge.begin(words);
    const testimony = new Testimony(words, run, this.#judge, this.#names, this.#can);
    const n = Math.min(words.length, run.ops.length);
    for (let op = 0; op < n; op++) {
      if (!testimony.tell(op)) return undefined;
      if ((this.#judge.broken() & this.#mask) === 0) continue;
      for (const violation of this.#judge.verdict().violations) {
        const slug = this.#slugs.get(violation.invariant)!;
        if (JUDGED.includes(slug)) return { slug, violation };
      }
    }
    return undefined;
  }
}

/** What has been told of one run so far, as far as the next op's meaning depends on it. */
class Testimony {
  readonly #words: Uint32Array;
  readonly #run: Run;
  readonly #judge: ForeignJudge;
  readonly #names: Names;
  readonly #can: ReadonlySet<Capability>;
  /** Features of the open uffd of each mm. */
  readonly #uffds: (number | undefined)[] = [];
  /** Pages of each mm, bit = page. */
  readonly #mapped = [0, 0, 0];
  readonly #registered = [0, 0, 0];
  /** Ops of a transfer that is one call: judged at its last one. */
  #until = -1;
  /** Was that transfer granted? */
  #granted = false;

  constructor(words: Uint32Array, run: Run, judge: ForeignJudge, names: Names, can: ReadonlySet<Capability>) {
    this.#words = words;
    this.#run = run;
    this.#judge = judge;
    this.#names = names;
    this.#can = can;
  }

  /** Tells op `op`; false if what it did cannot be told, so that nothing after it counts. */
  tell(op: number): boolean {
    const seen = this.#run.ops[op]!;
    const fields = decodeOp(this.#words[op]!);
    const name = this.#names.of(fields.code);
    // A move that fails may have gone some of its way.
    if (name === 'mremap' && seen.result === RESULT.FAULT) return false;
    if (name === 'uffd_move' && seen.result === RESULT.REFUSED) return false;
    if (name === 'gup' && this.#transient(fields) && !this.#begins(op, fields, seen)) return false;
    const own = seen.outcomes.find((outcome) => outcome.op === op);
    if (op <= this.#until) this.#transfer(op, name, fields, own);
    else this.#own(op, name, fields, seen, own);
    for (const outcome of seen.outcomes) if (outcome.op !== op) this.#ended(outcome, undefined);
    for (const event of seen.events) this.#event(event.op, event.mm, event.page);
    this.#judge.settle(op, seen.result);
    if (op >= this.#until) this.#look(seen);
    return true;
  }

  #transient({ flags }: OpFields): boolean {
    const { gup } = this.#names;
    // vmsplice, however its op is written.
    return (flags & ~gup.FAST) !== 0 && gup.flavour(flags & ~gup.FAST) === 'transient';
  }

  /** A transfer is one call; one that sleeps cannot be told apart from the ops that follow it. */
  #begins(op: number, { y }: OpFields, { result }: Observed): boolean {
    if (result === RESULT.SLEEP) return false;
    const put = this.#words.findIndex((word, i) => {
      const fields = decodeOp(word);
      return i > op && this.#names.of(fields.code) === 'put' && fields.y === y;
    });
    if (put < 0) return false;
    this.#until = put;
    this.#granted = result === RESULT.OK;
    return true;
  }

  #transfer(op: number, name: string, fields: OpFields, own: Outcome | undefined): void {
    if (!this.#granted) return;
    if (name === 'gup') {
      const use = this.#words[op + 1];
      // A read is told with what it read, at the hread.
      if (use !== undefined && this.#names.of(decodeOp(use).code) === 'hread') return;
      this.#judge.record(RECORD.GUP, op, fields.mm, fields.page, fields.y, UNSEEN, 0);
    } else if (name === 'hread') {
      const gup = decodeOp(this.#words[op - 1]!);
      const value = own?.value ?? UNSEEN;
      this.#judge.record(RECORD.GUP, op - 1, gup.mm, gup.page, gup.y, value, 0);
      if (value !== UNSEEN) this.#judge.record(RECORD.HREAD, op, 0, 0, fields.y, value, 0);
    } else if (name === 'hwrite') {
      this.#judge.record(RECORD.HWRITE, op, 0, 0, fields.y, op + 1, 0);
    } else {
      this.#judge.record(RECORD.SYSCALL, op, 0, 0, 0, 0, 0);
    }
  }

  #own(op: number, name: string, fields: OpFields, seen: Observed, own: Outcome | undefined): void {
    this.#follow(name, fields, seen.result);
    if (name === 'read' || name === 'write' || name === 'gup' || name === 'populate') {
      if (own) this.#ended(own, seen);
      return;
    }
    if (seen.result !== RESULT.OK) return;
    switch (name) {
      case 'hread':
        if (own?.value !== undefined) this.#judge.record(RECORD.HREAD, op, 0, 0, fields.y, own.value, 0);
        return;
      case 'hwrite':
        this.#judge.record(RECORD.HWRITE, op, 0, 0, fields.y, op + 1, 0);
        return;
      case 'uffd_reg':
        this.#judge.record(RECORD.SYSCALL, op, 0, 0, 0, 0, this.#uffds[fields.mm] ?? 0);
        return;
      default:
        this.#judge.record(RECORD.SYSCALL, op, 0, 0, 0, 0, 0);
    }
  }

  /** Follows which uffd is open, with features settled when it is made, and where it is registered. */
  #follow(name: string, { mm, page, y, flags }: OpFields, result: number): void {
    if (result === RESULT.SKIP) return;
    const has = (bit: number) => (flags & bit) !== 0;
    const pages = pagesOf(page).reduce((mask, one) => mask | (1 << one), 0);
    if (name === 'uffd_reg' && this.#uffds[mm] === undefined) {
      const unpopulated = has(this.#names.unpopulated) && this.#can.has('WP_UNPOPULATED') ? FEATURE_UNPOPULATED : 0;
      const fork = has(this.#names.eventFork) && this.#can.has('EVENT_FORK') ? FEATURE_EVENT_FORK : 0;
      this.#uffds[mm] = unpopulated | fork | (has(this.#names.eventRemap) ? FEATURE_EVENT_REMAP : 0);
    }
    if (result !== RESULT.OK) return;
    switch (name) {
      case 'mmap':
        this.#mapped[mm]! |= pages;
        return;
      case 'munmap':
        this.#mapped[mm]! &= ~pages;
        this.#registered[mm]! &= ~pages;
        return;
      case 'uffd_reg':
        this.#registered[mm]! |= pages & this.#mapped[mm]!;
        return;
      case 'uffd_unreg':
        this.#registered[mm]! &= ~pages;
        return;
      case 'mremap':
        this.#move(mm, page, flags);
        return;
      case 'exit':
        this.#mapped[mm] = 0;
        this.#close(mm);
        return;
      case 'uffd_close':
        this.#close(mm);
        return;
      case 'fork': {
        this.#mapped[y] = this.#mapped[mm]!;
        this.#close(y);
        const features = this.#uffds[mm];
        // A uffd comes to the child with the VMAs that belong to it: without one there is no event.
        if (features === undefined || (features & FEATURE_EVENT_FORK) === 0 || this.#registered[mm] === 0) return;
        this.#uffds[y] = features;
        this.#registered[y] = this.#registered[mm]!;
      }
    }
  }

  #move(mm: number, page: number, target: number): void {
    const kept = ((this.#uffds[mm] ?? 0) & FEATURE_EVENT_REMAP) !== 0;
    for (const [i, from] of pagesOf(page).entries()) {
      const [old, now] = [1 << from, 1 << pagesOf(target)[i]!];
      const [mapped, registered] = [this.#mapped[mm]! & old, kept && (this.#registered[mm]! & old) !== 0];
      if (mapped === 0) continue;
      this.#mapped[mm] = (this.#mapped[mm]! & ~old) | now;
      this.#registered[mm] = (this.#registered[mm]! & ~(old | now)) | (registered ? now : 0);
    }
  }

  #close(mm: number): void {
    this.#uffds[mm] = undefined;
    this.#registered[mm] = 0;
  }

  /** A thread came to its end: at once (then `seen` shows what was there), or woken. */
  #ended({ op, result, value }: Outcome, seen: Observed | undefined): void {
    if (result !== RESULT.OK) return;
    const { code, mm, page, y } = decodeOp(this.#words[op]!);
    switch (this.#names.of(code)) {
      case 'read':
        if (value !== undefined) this.#judge.record(RECORD.LOAD, op, mm, page, 0, value, 0);
        return;
      case 'write':
        this.#judge.record(RECORD.STORE, op, mm, page, 0, op + 1, 0);
        return;
      case 'populate':
        this.#judge.record(RECORD.SYSCALL, op, 0, 0, 0, 0, 0);
        return;
      case 'gup': {
        const cell = seen?.cells[mm]?.[page];
        const there = cell?.kind === 'present' ? cell.value : undefined;
        this.#judge.record(RECORD.GUP, op, mm, page, y, there ?? UNSEEN, 0);
      }
    }
  }

  #event(op: number, mm: number, page: number): void {
    const { code, flags } = decodeOp(this.#words[op]!);
    const name = this.#names.of(code);
    const asks = name === 'gup' ? this.#names.gup.W : name === 'populate' ? this.#names.populateWrite : 0;
    const write = name === 'write' || (flags & asks) !== 0;
    this.#judge.record(RECORD.EVENT, op, mm, page, 0, 0, write ? 1 : 0);
  }

  #look({ cells }: Observed): void {
    for (let mm = 0; mm < MM_NAMES.length; mm++) {
      const row = cells[mm];
      if (!row) continue;
      for (let page = 0; page < PAGE_COUNT; page++) {
        const cell = row[page]!;
        const { uffdWp, softDirty } = cell;
        this.#judge.cell(mm, page, { version: contentOf(cell), uffdWp, softDirty });
      }
    }
  }
}

/** What a load would find, if the entry tells. */
function contentOf({ kind, value }: Cell): number | undefined {
  return kind === 'present' ? value : kind === 'swap' ? undefined : 0;
}
