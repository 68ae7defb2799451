// Instances of the module of mutants, and what the kernel as it is does with the programs that mutants are tried with.
import { type KnobVector, withKnob } from '../engine/catalogue.js';
import { Engine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { compiledModule } from '../engine/load.js';
import { type EngineModule, engineModule } from '../engine/module.js';
import { MAX_OPS } from '../engine/opword.js';
import { trapped } from '../engine/trap.js';
import { smallCheck } from './check.js';
import type { Answers, Base, KernelAnswers, Ran, Setup } from './types.js';

interface MutantExports extends EngineModule {
  mutant_select(id: number): void;
  mutant_fuel(turns: number): void;
  mutant_probe(on: number): number;
}

/** Turns of loops: many times what one program, a batch of them, or a search ever needs. */
const PROGRAM_FUEL = 4_000_000;
const BATCH_FUEL = 200_000_000;
export const CHECK_FUEL = 2_000_000_000;
/** Programs of one call into the module, and of one shard, whose mixes are drawn once. */
const BATCH = 512;
const SHARD = 4096;
/** Programs on each of the other kernels: their results are compared, not judged. */
const ELSEWHERE = 512;
const SEED = 1n;
/** set_judges: touched entries and the world at the end. */
const JUDGES = 1;
/** Records of an op that are compared: a mutant may have written anything to their count. */
const TOLD = 64;

function hash(words: Uint8Array | Uint32Array, from: number): number {
  let sum = from;
  for (let i = 0; i < words.length; i++) {
    sum = Math.imul(sum ^ words[i]!, 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  return sum;
}

/** A program that was drawn at random and broke a promise. */
export interface Stopped {
  readonly mask: number;
  readonly words: Uint32Array;
  /** Of the shard, this one included. */
  readonly programs: number;
}

/** Sizes of the shards that a budget of programs makes. */
export function shardsOf(budget: number): number[] {
  return Array.from({ length: Math.ceil(budget / SHARD) }, (_, i) => Math.min(SHARD, budget - i * SHARD));
}

export function trialPrograms({ programs, drawn, costs }: Base, knob: number): readonly Uint32Array[] {
  return knob === costs ? [...programs, ...drawn] : programs;
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
    this.#module.set_judges(JUDGES);
    this.#fuzzer = new Fuzzer(this.engine);
  }

  /** Turns of loops until the next trap. */
  fuel(turns: number): void {
    this.#module.mutant_fuel(turns);
  }

  /** Marks the mutants that would decide otherwise, from a clean slate. */
  probe(mutants: number): void {
    this.#marks(mutants).fill(0);
  }

  /** Bytes by the id of a mutant, a copy: 1 = it would have decided otherwise since `probe`. */
  probed(mutants: number): Uint8Array {
    return this.#marks(mutants).slice();
  }

  #marks(mutants: number): Uint8Array {
    return new Uint8Array(this.#module.memory.buffer, this.#module.mutant_probe(1), mutants + 1);
  }

  /** Of a valid program. */
  run(vector: KnobVector, words: Uint32Array): Ran {
    const { engine } = this;
    engine.configureVector(vector);
    this.#module.set_judges(JUDGES);
    this.fuel(PROGRAM_FUEL);
    this.#words('PROGRAM', MAX_OPS).set(words);
    const mask = trapped(() => this.#module.run_program(words.length)) >>> 0;
    const world = hash(this.#words('WORLD', engine.catalogue.at('WORLD_SIZE') / 4), 0x811c9dc5);
    const told = hash(this.#told(), world);
    return { mask, digest: hash(engine.results(words.length), told) };
  }

  /** What the last op showed beside its result, such as the pages that a scan reports. */
  #told(): Uint32Array {
    const [records] = this.#words('OBS_COUNT', 1);
    return this.#words('OBS', Math.min(records!, TOLD));
  }

  /** Valid until memory grows, as a search makes it. */
  #words(name: string, size: number): Uint32Array {
    return new Uint32Array(this.#module.memory.buffer, this.engine.catalogue.at(name), size);
  }

  /** Programs of a shard; each that breaks a promise is given. Returns their digest. */
  *shard({ knowledge }: Base, vector: KnobVector, shard: number, size: number): Generator<Stopped, bigint> {
    this.engine.configureVector(vector);
    this.#module.set_judges(JUDGES);
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
    this.#module.set_judges(JUDGES);
    this.#fuzzer.begin(SEED, 0, 'fresh', false);
    for (let index = 0; index < ELSEWHERE; ) {
      this.fuel(BATCH_FUEL);
      index += this.#fuzzer.run(index, Math.min(BATCH, ELSEWHERE - index));
    }
    return this.#fuzzer.digest();
  }
}

/** What the kernel as it is does, and which mutants can change anything of it at all. Found once, for all threads. */
export function answersOf(module: WebAssembly.Module, base: Base, mutants: number): Answers {
  const right = new Specimen(module, 0);
  const { vector, programs, trials, others, budget } = base;
  right.probe(mutants);
  const ran = programs.map((words) => right.run(vector, words));
  const shards = shardsOf(budget).map((size, shard) => {
    const run = right.shard(base, vector, shard, size);
    let next = run.next();
    while (!next.done) next = run.next();
    return next.value;
  });
  right.fuel(CHECK_FUEL);
  smallCheck(right.engine, vector);
  const own: KernelAnswers = { ran, digest: 0n, marks: right.probed(mutants) };
  const tried = trials.map(({ knob }): KernelAnswers => {
    right.probe(mutants);
    const there = trialPrograms(base, knob).map((words) => right.run(withKnob(vector, knob, true), words));
    return { ran: there, digest: 0n, marks: right.probed(mutants) };
  });
  const elsewhere = others.map((other): KernelAnswers => {
    right.probe(mutants);
    const there = programs.map((words) => right.run(other.vector, words));
    return { ran: there, digest: right.digest(other.vector), marks: right.probed(mutants) };
  });
  return { own, shards, trials: tried, elsewhere };
}

/** One thread's. */
export class Bench {
  readonly setup: Setup;
  readonly #module: WebAssembly.Module;

  constructor(setup: Setup) {
    this.setup = setup;
    this.#module = compiledModule(new URL(setup.wasm));
  }

  specimen(id: number): Specimen {
    return new Specimen(this.#module, id);
  }
}
