// The fuzzer inside the module (assembly/fuzz) behind typed methods: one shard at a time.
import { unknownName } from '../errors.js';
import type { Engine } from './engine.js';
import { trapped } from './trap.js';
import type { Violation } from './types.js';
import { decodeViolation } from './violation.js';

/** What assembly/fuzz/run.ts exports. */
interface FuzzExports {
  fuzz_begin(seedHi: number, seedLo: number, shard: number, strategy: number, collecting: number): number;
  fuzz_run(seedHi: number, seedLo: number, shard: number, first: number, count: number, strategy: number): number;
  fuzz_know(key: number): number;
  fuzz_focus(focus: number): number;
  fuzz_focus_row(index: number): number;
  fuzz_latitude_row(index: number): number;
  fuzz_digest(): bigint;
  fuzz_describe(index: number): number;
}

/** In the order of assembly/fuzz/area.ts. `fresh`: as guided, without corpus and without noting what is new. */
export const STRATEGIES = ['guided', 'random', 'fresh'] as const;
export type FuzzStrategy = (typeof STRATEGIES)[number];

/** What earlier shards learned. Of programs, `lengths[i]` words stand in `words` one after the other. */
export interface Knowledge {
  /** Handler points reached, 1 byte each. */
  readonly coverage: Uint8Array;
  /** Abstract states reached, 1 bit each. */
  readonly states: Uint8Array;
  readonly lengths: Uint8Array;
  readonly words: Uint32Array;
  /** Keys of failures that need no second report. */
  readonly keys: Uint32Array;
}

/** A program that reached something new. */
export interface NovelProgram {
  readonly words: Uint32Array;
  /** What it was: a state, or `NEWS_POINT` + a point. */
  readonly news: Uint32Array;
}
export const NEWS_POINT = 0x10000;

/** A failing program, reduced inside the module. */
export interface Failure {
  /** Index of the program in its shard. */
  readonly index: number;
  readonly words: Uint32Array;
  readonly reduced: Uint32Array;
  readonly mask: number;
  readonly violation: Violation;
  /** Key of the reduced program's shape. */
  readonly key: number;
  /** Of this shard, up to and including this program. */
  readonly programs: number;
  readonly faults: number;
}

export interface Work {
  readonly programs: number;
  readonly ops: number;
  /** Calls of handle_mm_fault. */
  readonly faults: number;
}

export interface FocusInfo {
  readonly name: string;
  readonly doc: string;
}
export const NO_FOCUS = 'all';

/** What two runs of a program may differ in without being wrong. */
export interface Latitude {
  readonly name: string;
  /** Differential modes, or `all`. */
  readonly modes: string;
  readonly what: string;
  readonly why: string;
}

/** The cells of each row up to the first empty one. */
function rows(row: (index: number) => string): string[][] {
  const found: string[][] = [];
  for (;;) {
    const text = row(found.length);
    if (text === '') return found;
    found.push(text.split('\t'));
  }
}

const MAX_WORDS = 64;
const KEY_OFFSET = 44;

export class Fuzzer {
  readonly engine: Engine;
  readonly #exports: FuzzExports;
  readonly #area = new Map<string, number>();
  /** What the op mixes can dwell on. */
  readonly focuses: readonly FocusInfo[];
  #seed: bigint = 0n;
  #shard = 0;
  #strategy = 0;
  #start: Work = { programs: 0, ops: 0, faults: 0 };

  constructor(engine: Engine) {
    this.engine = engine;
    this.#exports = engine.module as typeof engine.module & FuzzExports;
    for (let i = 0; ; i++) {
      const [name, value] = engine.module.__getString(this.#exports.fuzz_describe(i)).split('\t');
      if (!name) break;
      this.#area.set(name, Number(value));
    }
    const text = (row: number) => engine.module.__getString(row);
    this.focuses = rows((index) => text(this.#exports.fuzz_focus_row(index))).map(([name, doc]) => ({
      name: name!,
      doc: doc!,
    }));
    if (this.#at('NEWS_POINT') !== NEWS_POINT) throw new Error('the module numbers points in another way');
  }

  /** What differential runs may differ in. */
  get latitudes(): readonly Latitude[] {
    return rows((index) => this.engine.module.__getString(this.#exports.fuzz_latitude_row(index))).map(
      ([name, modes, what, why]) => ({
        name: name!,
        modes: modes!,
        what: what!,
        why: why!,
      }),
    );
  }

  /** For the shards begun from now on; `NO_FOCUS` to begin with. Throws UsageError for a name that does not exist. */
  setFocus(name: string): void {
    const at = this.focuses.findIndex((focus) => focus.name === name);
    if (at < 0)
      throw unknownName(
        'focus',
        name,
        this.focuses.map((focus) => focus.name),
      );
    this.#exports.fuzz_focus(at);
  }

  /**
   * Begins a shard of the configured kernel. `collect`: failures are reduced and kept for `failures`, and `run` goes on
   * past them. Throws RangeError for a seed of more than 64 bits.
   */
  begin(seed: bigint, shard: number, strategy: FuzzStrategy, collect: boolean, known?: Knowledge): void {
    if (seed < 0n || seed >= 1n << 64n) throw new RangeError(`seed ${seed} has more than 64 bits`);
    this.#seed = seed;
    this.#shard = shard;
    this.#strategy = STRATEGIES.indexOf(strategy);
    this.#learn(known);
    const [high, low] = this.#seedWords();
    if (!trapped(() => this.#exports.fuzz_begin(high, low, shard, this.#strategy, collect ? 1 : 0)))
      throw new Error(`the module refuses strategy ${strategy}`);
    for (const key of known?.keys ?? []) this.#exports.fuzz_know(key);
    this.#start = this.#counters();
  }

  /** Runs programs first .. first + count - 1. Returns how many: fewer only if not collecting and the last one failed. */
  run(first: number, count: number): number {
    const [high, low] = this.#seedWords();
    return trapped(() => this.#exports.fuzz_run(high, low, this.#shard, first, count, this.#strategy));
  }

  /** The failing program at which `run` stopped (not collecting), or undefined. */
  stopped(): { readonly words: Uint32Array; readonly mask: number; readonly violation: Violation } | undefined {
    const { mask, violations } = this.engine.verdict();
    if (mask === 0) return undefined;
    const { catalogue, module } = this.engine;
    const n = new DataView(module.memory.buffer).getUint32(catalogue.at('SCRATCH'), true);
    return { words: this.#words(catalogue.at('PROGRAM'), n), mask, violation: violations[0]! };
  }

  /** Work since `begin`, reductions not counted. */
  work(): Work {
    const now = this.#counters();
    const { programs, ops, faults } = this.#start;
    return { programs: now.programs - programs, ops: now.ops - ops, faults: now.faults - faults };
  }

  /** Over the random streams, the results of the ops and the leaves they wrote since `begin`. */
  digest(): bigint {
    return BigInt.asUintN(64, this.#exports.fuzz_digest());
  }

  /** Everything reached by now; copies. */
  coverage(): Pick<Knowledge, 'coverage' | 'states'> {
    const { engine } = this;
    const copy = (name: string) => engine.bytes(name, engine.catalogue.at(`${name}_SIZE`)).slice();
    return { coverage: copy('COVERAGE'), states: copy('STATES') };
  }

  /** Failures since `begin`, in the order of their indices, one of each shape. */
  failures(): Failure[] {
    const view = new DataView(this.engine.module.memory.buffer);
    return this.#records('FOUND').map((at): Failure => {
      const words = at + this.#at('FOUND_HEADER');
      const u32 = (offset: number) => view.getUint32(at + offset, true);
      const since = (offset: number, start: number) => Number(view.getBigUint64(at + offset, true)) - start;
      return {
        index: u32(0),
        words: this.#words(words, u32(4)),
        reduced: this.#words(words + 4 * MAX_WORDS, u32(8)),
        mask: u32(12),
        programs: since(16, this.#start.programs),
        faults: since(24, this.#start.faults),
        violation: decodeViolation(view, at + 32),
        key: u32(KEY_OFFSET),
      };
    });
  }

  /** Programs since `begin` that reached something new and broke nothing. */
  novel(): NovelProgram[] {
    const header = 8 + 4 * this.#at('NOVEL_NEWS');
    const view = new DataView(this.engine.module.memory.buffer);
    return this.#records('NOVEL').map((at) => ({
      words: this.#words(at + header, view.getUint32(at, true)),
      news: this.#words(at + 8, view.getUint32(at + 4, true)),
    }));
  }

  /** Keys learned since `begin`. */
  keys(): Uint32Array {
    const view = new DataView(this.engine.module.memory.buffer);
    return this.#words(this.#at('NEW_KEYS'), view.getUint32(this.#at('NEW_KEYS_COUNT'), true));
  }

  #learn(known: Knowledge | undefined): void {
    const { engine } = this;
    const fill = (name: string, bytes: Uint8Array | undefined) => {
      const target = engine.bytes(name, engine.catalogue.at(`${name}_SIZE`));
      if (bytes) target.set(bytes);
      else target.fill(0);
    };
    fill('COVERAGE', known?.coverage);
    fill('STATES', known?.states);
    const { buffer } = engine.module.memory;
    const lengths = (known?.lengths ?? new Uint8Array()).subarray(0, this.#at('CORPUS_MAX'));
    new DataView(buffer).setUint32(this.#at('CORPUS_COUNT'), lengths.length, true);
    new Uint8Array(buffer, this.#at('CORPUS_LENGTHS'), lengths.length).set(lengths);
    let from = 0;
    for (const [i, length] of lengths.entries()) {
      const to = new Uint32Array(buffer, this.#at('CORPUS_WORDS') + 4 * MAX_WORDS * i, length);
      to.set(known!.words.subarray(from, from + length));
      from += length;
    }
  }

  #records(list: 'FOUND' | 'NOVEL'): number[] {
    const count = new DataView(this.engine.module.memory.buffer).getUint32(this.#at(`${list}_COUNT`), true);
    return Array.from({ length: count }, (_, i) => this.#at(list) + i * this.#at(`${list}_RECORD`));
  }

  #words(at: number, n: number): Uint32Array {
    return new Uint32Array(this.engine.module.memory.buffer, at, n).slice();
  }

  #counters(): Work {
    const { engine } = this;
    return { programs: engine.counter('programs'), ops: engine.counter('ops'), faults: engine.counter('faults') };
  }

  #seedWords(): [high: number, low: number] {
    return [Number(this.#seed >> 32n), Number(this.#seed & 0xffffffffn)];
  }

  #at(name: string): number {
    const value = this.#area.get(name);
    if (value === undefined) throw new Error(`the module does not describe ${name}`);
    return value;
  }
}
