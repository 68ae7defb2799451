// Programs that grow one op at a time: run an op, look, keep it or take it back.
import type { Engine, SavedState } from './engine.js';
import { MAX_OPS } from './opword.js';
import { trapped } from './trap.js';

/** What assembly/fuzz/run.ts exports for drawing. */
interface DrawExports {
  fuzz_draw_begin(seedHi: number, seedLo: number, shard: number, index: number): void;
  fuzz_draw(first: number): number;
}

/** No process lives, so nothing can be drawn. */
const NOTHING = 0xffffffff;

export class Stepper {
  readonly engine: Engine;
  readonly #draw: DrawExports;
  readonly #program: number;
  readonly #results: number;

  constructor(engine: Engine) {
    this.engine = engine;
    this.#draw = engine.module as typeof engine.module & DrawExports;
    this.#program = engine.catalogue.at('PROGRAM');
    this.#results = engine.catalogue.at('RESULTS');
  }

  /** Empties the world. */
  begin(): void {
    trapped(() => this.engine.module.begin_program());
  }

  /** Runs `word` as op `index`, 0 .. MAX_OPS - 1, and returns its result (R of assembly/ops/table.ts). */
  run(word: number, index: number): number {
    const { buffer } = this.engine.module.memory;
    new Uint32Array(buffer, this.#program, MAX_OPS)[index] = word;
    this.engine.step(index, index + 1);
    return new Uint8Array(buffer, this.#results, MAX_OPS)[index]!;
  }

  save(): SavedState {
    return this.engine.save();
  }

  restore(state: SavedState): void {
    this.engine.restore(state);
  }

  /** Chooses the random stream of program `index` of a shard. Throws RangeError for a seed of more than 64 bits. */
  choose(seed: bigint, shard: number, index: number): void {
    if (seed < 0n || seed >= 1n << 64n) throw new RangeError(`seed ${seed} has more than 64 bits`);
    trapped(() => this.#draw.fuzz_draw_begin(Number(seed >> 32n), Number(seed & 0xffffffffn), shard, index));
  }

  /** An op for the world as it is; undefined if no process lives. `first`: one that opens a program. */
  draw(first: boolean): number | undefined {
    const word = trapped(() => this.#draw.fuzz_draw(first ? 1 : 0)) >>> 0;
    return word === NOTHING ? undefined : word;
  }
}
