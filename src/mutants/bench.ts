// Instances of the module of mutants, and what the kernel as it is does with the programs that mutants are tried with.
import type { KnobVector } from '../engine/catalogue.js';
import { Engine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { compiledModule } from '../engine/load.js';
import { type EngineModule, engineModule } from '../engine/module.js';
import type { Setup } from './types.js';

interface MutantExports extends EngineModule {
  mutant_select(id: number): void;
  mutant_fuel(turns: number): void;
}

/** Turns of loops: many times what one program, or a batch of them, ever needs. */
const PROGRAM_FUEL = 4_000_000;
const BATCH_FUEL = 200_000_000;
/** Programs of one call into the module, and of one shard, whose mixes are drawn once. */
const BATCH = 512;
export const SHARD = 4096;
/** Programs on each of the other kernels: their results are compared, not judged. */
const ELSEWHERE = 1024;
const SEED = 1n;

/** What one program came to. */
export interface Ran {
  readonly mask: number;
  /** Over results and the world at the end. */
  readonly digest: number;
}

function hash(bytes: Uint8Array, from: number): number {
  let sum = from;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum;
}

/** A program that was drawn at random and broke a promise. */
export interface Stopped {
  readonly mask: number;
  readonly words: Uint32Array;
  /** Of the shard, this one included. */
  readonly programs: number;
}

/** One mutant (0: none) in an instance of its own, so that whatever it does to its memory ends with it. */
export class Specimen {
  readonly engine: Engine;
  readonly #module: MutantExports;
  readonly #fuzzer: Fuzzer;

  constructor(module: WebAssembly.Module, id: number) {
    this.#module = engineModule(module) as MutantExports;
    this.#module.mutant_select(id);
    this.engine = new Engine(this.#module);
    this.engine.setJudges('touched');
    this.#fuzzer = new Fuzzer(this.engine);
  }

  /** Turns of loops until the next trap. */
  fuel(turns: number): void {
    this.#module.mutant_fuel(turns);
  }

  run(vector: KnobVector, words: Uint32Array): Ran {
    const { engine } = this;
    engine.configureVector(vector);
    this.fuel(PROGRAM_FUEL);
    const mask = engine.mask(words);
    const world = hash(engine.bytes('WORLD', engine.catalogue.at('WORLD_SIZE')), 0x811c9dc5);
    return { mask, digest: hash(engine.results(words.length), world) };
  }

  /** Programs of a shard of the base; each that breaks a promise is given. Returns their digest. */
  *shard({ knowledge }: Setup, vector: KnobVector, shard: number, size: number): Generator<Stopped, bigint> {
    this.engine.configureVector(vector);
    this.#fuzzer.begin(SEED, shard, 'guided', false, knowledge);
    for (let index = 0; index < size; ) {
      this.fuel(BATCH_FUEL);
      index += this.#fuzzer.run(index, Math.min(BATCH, size - index));
      const stopped = this.#fuzzer.stopped();
      if (stopped) yield { mask: stopped.mask, words: stopped.words, programs: index };
    }
    return this.#fuzzer.digest();
  }

  /** Digest of programs whose violations do not count: the kernel has its own. */
  digest(vector: KnobVector): bigint {
    this.engine.configureVector(vector);
    this.#fuzzer.begin(SEED, 0, 'fresh', false);
    for (let index = 0; index < ELSEWHERE; ) {
      this.fuel(BATCH_FUEL);
      index += this.#fuzzer.run(index, Math.min(BATCH, ELSEWHERE - index));
    }
    return this.#fuzzer.digest();
  }
}

/** Answers of the kernel as it is, each found once. */
export class Bench {
  readonly setup: Setup;
  readonly #module: WebAssembly.Module;
  readonly #ran = new Map<KnobVector, readonly Ran[]>();
  readonly #digests = new Map<KnobVector, bigint>();
  readonly #shards = new Map<number, bigint>();

  constructor(setup: Setup) {
    this.setup = setup;
    this.#module = compiledModule(new URL(setup.wasm));
  }

  specimen(id: number): Specimen {
    return new Specimen(this.#module, id);
  }

  /** Of `setup.programs`. */
  ran(vector: KnobVector): readonly Ran[] {
    return remembered(this.#ran, vector, () => {
      const right = this.specimen(0);
      return this.setup.programs.map((words) => right.run(vector, words));
    });
  }

  digest(vector: KnobVector): bigint {
    return remembered(this.#digests, vector, () => this.specimen(0).digest(vector));
  }

  /** Of a shard of the base. */
  shardDigest(shard: number, size: number): bigint {
    return remembered(this.#shards, shard, () => {
      const run = this.specimen(0).shard(this.setup, this.setup.base, shard, size);
      let next = run.next();
      while (!next.done) next = run.next();
      return next.value;
    });
  }
}

function remembered<K, V>(known: Map<K, V>, key: K, find: () => V): V {
  const found = known.get(key) ?? find();
  known.set(key, found);
  return found;
}
