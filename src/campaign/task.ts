// What a worker is told to do, and what it answers: plain data that crosses threads.
import type { KnobVector } from '../engine/catalogue.js';
import type { Failure, FuzzStrategy, Knowledge, NovelProgram, Work } from '../engine/fuzzer.js';

interface JobBase {
  readonly vector: KnobVector;
  readonly seed: bigint;
  readonly shard: number;
  readonly programs: number;
  readonly strategy: FuzzStrategy;
  /** What the op mixes dwell on. */
  readonly focus: string;
}

/** One shard of a kernel under test. */
export interface ShardJob extends JobBase {
  readonly kind: 'shard';
  readonly epoch: number;
  /** The same object for all shards of an epoch. */
  readonly knowledge: Knowledge;
  /** false for the second run of a shard, whose work is not progress. */
  readonly counted: boolean;
  /** Tests only: the digest comes out changed, the engine traps, the thread never comes back, the thread dies. */
  readonly fault?: 'digest' | 'trap' | 'hang' | 'die';
}

/** A kernel known to be broken, until `invariant` breaks. */
export interface CanaryJob extends JobBase {
  readonly kind: 'canary';
  readonly invariant: number;
}

export type Job = ShardJob | CanaryJob;

/** A job in a thread, with what it shares with the main thread while it runs. */
export interface Task {
  readonly job: Job;
  /** See `Shared`. */
  readonly shared: SharedArrayBuffer;
  /** See `Pulse`. */
  readonly pulse: SharedArrayBuffer;
}

/** The task was told to stop before its end: nothing of it counts. */
export interface Stopped {
  readonly kind: 'stopped';
}
/** The engine trapped (the message names the AssemblyScript line), or its thread hung or died. */
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

/** A number that a task increases with every batch, so that one that does not come back is seen. */
export class Pulse {
  readonly buffer: SharedArrayBuffer;
  readonly #beats: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.buffer = buffer;
    this.#beats = new Int32Array(buffer);
  }

  beat(): void {
    Atomics.add(this.#beats, 0, 1);
  }

  /** 0 = not begun. */
  get beats(): number {
    return Atomics.load(this.#beats, 0);
  }
}
