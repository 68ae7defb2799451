// The reference memory judging a run that did not happen in the model (assembly/oracle/foreign.ts).
import { type Engine, loadEngine, type Verdict } from './engine.js';
import { MAX_OPS } from './opword.js';
import { trapped } from './trap.js';

interface ForeignExports {
  foreign_begin(): void;
  foreign_step(index: number): void;
  foreign_cell(mm: number, page: number, version: number, seen: number): void;
}

/** Kinds of records, as assembly/mm/observe.ts numbers them. */
export const RECORD = { LOAD: 1, STORE: 2, EVENT: 3, GUP: 4, HREAD: 5, HWRITE: 6, SYSCALL: 7 } as const;
/** A version that nobody saw. */
export const UNSEEN = 0xff;

/** More than one op and the sleepers it wakes can make; the log has room for these. */
const MAX_RECORDS = 64;

/** What was seen of an entry; undefined = nothing is known. */
export interface SeenCell {
  readonly version?: number | undefined;
  readonly uffdWp?: boolean | undefined;
  readonly softDirty?: boolean | undefined;
}

/** An engine of its own, for its memory holds the records. */
export class ForeignJudge {
  readonly engine: Engine;
  readonly #exports: ForeignExports;
  readonly #at: { program: number; results: number; obs: number; count: number };
  #records: number[] = [];

  constructor(engine: Engine = loadEngine()) {
    this.engine = engine;
    this.#exports = engine.module as typeof engine.module & ForeignExports;
    const at = (name: string) => engine.catalogue.at(name);
    this.#at = { program: at('PROGRAM'), results: at('RESULTS'), obs: at('OBS'), count: at('OBS_COUNT') };
  }

  /** A new program of at most MAX_OPS words. */
  begin(words: Uint32Array): void {
    if (words.length > MAX_OPS) throw new RangeError(`${words.length} ops are no program`);
    new Uint32Array(this.engine.module.memory.buffer, this.#at.program, MAX_OPS).set(words);
    this.#records = [];
    trapped(() => this.#exports.foreign_begin());
  }

  /** One thing that op `op` did; versions are tokens, handle and flags as the kind has them. */
  record(kind: number, op: number, mm: number, page: number, handle: number, version: number, flags: number): void {
    const where = (mm << 4) | (page << 6) | (handle << 10);
    this.#records.push((kind | where | (version << 12) | (op << 20) | (flags << 26)) >>> 0);
  }

  /** Judges the records since the last call as those of op `index`. */
  settle(index: number, result: number): void {
    const { buffer } = this.engine.module.memory;
    const records = this.#records.slice(0, MAX_RECORDS);
    new Uint32Array(buffer, this.#at.obs, records.length).set(records);
    new DataView(buffer).setUint32(this.#at.count, records.length, true);
    new Uint8Array(buffer, this.#at.results, MAX_OPS)[index] = result;
    this.#records = [];
    trapped(() => this.#exports.foreign_step(index));
  }

  /** Judges what stands at (mm, page) after that op. */
  cell(mm: number, page: number, { version, uffdWp, softDirty }: SeenCell): void {
    const wp = uffdWp === undefined ? 0 : uffdWp ? 6 : 2;
    const dirty = softDirty === undefined ? 0 : softDirty ? 24 : 8;
    this.#exports.foreign_cell(mm, page, version ?? 0, (version === undefined ? 0 : 1) | wp | dirty);
  }

  /** Mask of what is broken so far, bit = invariant. */
  broken(): number {
    return this.engine.brokenSoFar();
  }
  verdict(): Verdict {
    return this.engine.verdict();
  }
}
