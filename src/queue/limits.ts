// What the engine of this build can be asked for: the measure of every job, knowledge and result.
import { CANARY_PROGRAMS } from '../campaign/canary.js';
import { shardPrograms } from '../campaign/plan.js';
import type { KnobVector } from '../engine/catalogue.js';
import { loadEngine } from '../engine/engine.js';
import { Fuzzer, NEWS_POINT } from '../engine/fuzzer.js';
import { type OpInfo, wordError } from '../engine/optable.js';
import { MAX_OPS } from '../engine/opword.js';
import { hex64, list, Malformed, wrong } from './check.js';

/** Of a frame before compression: several times what the largest real one has. */
export const MOST_BYTES = 1 << 20;
/** Of the lists of a shard; assembly/fuzz/area.ts has fewer of each. */
export const MOST = { failures: 1024, novel: 1024, news: 64, newKeys: 16_384, corpus: 4096, keys: 65_536 } as const;

export class Limits {
  readonly #known: readonly bigint[];
  readonly #ops: readonly OpInfo[];
  readonly focuses: ReadonlySet<string>;
  readonly invariants: ReadonlySet<number>;
  readonly coverageSize: number;
  readonly statesSize: number;
  /** Of one job. */
  readonly programs: number;

  constructor() {
    const fuzzer = new Fuzzer(loadEngine());
    const { catalogue } = fuzzer.engine;
    const known = [0n, 0n, 0n, 0n];
    for (const { id } of catalogue.knobs) known[id >> 6]! |= 1n << BigInt(id & 63);
    this.#known = known;
    this.#ops = catalogue.ops;
    this.focuses = new Set(fuzzer.focuses.map(({ name }) => name));
    this.invariants = new Set(catalogue.invariants.map(({ id }) => id));
    this.coverageSize = catalogue.at('COVERAGE_SIZE');
    this.statesSize = catalogue.at('STATES_SIZE');
    this.programs = Math.max(shardPrograms(Number.MAX_SAFE_INTEGER), CANARY_PROGRAMS);
  }

  /** What a program can be news of. */
  get newsEnd(): number {
    return NEWS_POINT + this.coverageSize;
  }

  vector(value: unknown): KnobVector {
    const [a, b, c, d] = list('vector', value, 4, 4).map((word, i) => {
      const bits = hex64('vector', word);
      return (bits & ~this.#known[i]!) === 0n ? bits : wrong('vector has knobs that do not exist', word);
    });
    return [a!, b!, c!, d!];
  }

  /** Is it a program that the engine takes? */
  program(what: string, words: Uint32Array): Uint32Array {
    if (words.length === 0 || words.length > MAX_OPS) throw new Malformed(`${what} of ${words.length} ops`);
    for (const word of words) {
      const error = wordError(this.#ops, word);
      if (error !== undefined) throw new Malformed(`${what}: ${error}`);
    }
    return words;
  }
}
