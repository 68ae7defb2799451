// What a worker is told to do, and what it answers: plain data that crosses threads.
import type { KnobVector } from '../engine/catalogue.js';
import type { Failure, FuzzStrategy, Knowledge, NovelProgram, Work } from '../engine/fuzzer.js';

interface TaskBase {
  readonly vector: KnobVector;
  readonly seed: bigint;
  readonly shard: number;
  readonly programs: number;
  readonly strategy: FuzzStrategy;
  /** See `Shared`. */
  readonly shared: SharedArrayBuffer;
}

/** One shard of the kernel under test. */
export interface ShardTask extends TaskBase {
  readonly kind: 'shard';
  readonly knowledge: Knowledge;
  /** false for the second run of a shard, whose work is not progress. */
  readonly counted: boolean;
  /** Tests only: the digest comes out changed, or the engine traps. */
  readonly fault?: 'digest' | 'trap';
}

/** A kernel known to be broken, until `invariant` breaks. */
export interface CanaryTask extends TaskBase {
  readonly kind: 'canary';
  readonly invariant: number;
}

export type Task = ShardTask | CanaryTask;

/** The task was told to stop before its end: nothing of it counts. */
export interface Stopped {
  readonly kind: 'stopped';
}
/** The engine trapped; the message names the AssemblyScript line. */
export interface Trapped {
  readonly kind: 'trapped';
  readonly message: string;
}
export interface ShardResult {
  readonly kind: 'shard';
  readonly work: Work;
  readonly digest: bigint;
  readonly failures: readonly Failure[];
  readonly novel: readonly NovelProgram[];
  readonly keys: Uint32Array;
  readonly coverage: Uint8Array;
  readonly states: Uint8Array;
}
export interface CanaryResult {
  readonly kind: 'canary';
  readonly found: boolean;
  readonly programs: number;
}

export type TaskResult = ShardResult | CanaryResult | Stopped | Trapped;

/** The numbers that threads share while tasks run: a flag and the work done so far. */
export class Shared {
  readonly buffer: SharedArrayBuffer;
  readonly #flag: Int32Array;
  readonly #work: BigInt64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(32)) {
    this.buffer = buffer;
    this.#flag = new Int32Array(buffer, 0, 1);
    this.#work = new BigInt64Array(buffer, 8, 3);
  }

  stop(): void {
    Atomics.store(this.#flag, 0, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#flag, 0) !== 0;
  }

  add({ programs, ops, faults }: Work): void {
    for (const [i, n] of [programs, ops, faults].entries()) Atomics.add(this.#work, i, BigInt(n));
  }

  work(): Work {
    const [programs, ops, faults] = [0, 1, 2].map((i) => Number(Atomics.load(this.#work, i)));
    return { programs: programs!, ops: ops!, faults: faults! };
  }
}
