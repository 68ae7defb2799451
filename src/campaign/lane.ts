// What a campaign knows of one of its kernels.
import type { Catalogue, KnobVector } from '../engine/catalogue.js';
import type { Failure, Work } from '../engine/fuzzer.js';
import type { KernelSpec } from '../engine/types.js';
import { Kinds, type KindsState } from './kinds.js';
import { Learned, type LearnedState, type Reached } from './knowledge.js';
import type { ShardResult } from './task.js';
import type { CoverageReport, RawFinding } from './types.js';

/** All of it, to go on from: plain data. */
export interface LaneState {
  readonly learned: LearnedState;
  readonly kinds: KindsState;
  readonly work: Work;
}

/** A kind of failure that the kernel had not shown counts as so many states. */
const KIND_NEWS = 16;

export class Lane {
  readonly index: number;
  readonly spec: KernelSpec;
  readonly vector: KnobVector;
  readonly learned: Learned;
  readonly #catalogue: Catalogue;
  readonly #kinds: Kinds;
  #work: Work;

  /** Throws UsageError for a kernel or knob that does not exist. */
  constructor(catalogue: Catalogue, index: number, spec: KernelSpec, from?: LaneState) {
    this.index = index;
    this.spec = spec;
    this.vector = catalogue.vector(spec);
    this.#catalogue = catalogue;
    this.learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'), from?.learned);
    this.#kinds = new Kinds(from?.kinds);
    this.#work = from?.work ?? { programs: 0, ops: 0, faults: 0 };
  }

  get state(): LaneState {
    return { learned: this.learned.state, kinds: this.#kinds.state, work: this.#work };
  }

  get work(): Work {
    return this.#work;
  }

  /** `open`: what a shard under way has reached as well. */
  coverage(open?: Reached): CoverageReport {
    return {
      points: this.#catalogue.points.filter(({ id }) => this.learned.reached(id, open)).length,
      pointsTotal: this.#catalogue.points.length,
      states: this.learned.states(open),
    };
  }

  /** Takes in a shard. Returns its raw findings worth keeping (but for those `find` was asked for), and how much was new. */
  merge(shard: number, result: ShardResult): { readonly raw: RawFinding[]; readonly news: number } {
    const raw = result.failures.flatMap((failure) => this.find(shard, failure) ?? []);
    const { programs, ops, faults } = this.#work;
    const { work } = result;
    this.#work = { programs: programs + work.programs, ops: ops + work.ops, faults: faults + work.faults };
    return { raw, news: this.learned.merge(result) + KIND_NEWS * raw.length };
  }

  /** A failure of the shard whose turn it is, if it is worth keeping. */
  find(shard: number, failure: Failure): RawFinding | undefined {
    if (!this.#kinds.adds(failure)) return undefined;
    const { index, words, reduced, mask, violation } = failure;
    const firstAt = {
      programs: this.#work.programs + failure.programs,
      faults: this.#work.faults + failure.faults,
    };
    return { lane: this.index, words, reduced, mask, violation, shard, index, firstAt };
  }
}
