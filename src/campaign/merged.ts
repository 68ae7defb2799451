// What the shards of a campaign came to, merged in their order: so it depends on seed and kernel alone.
import type { Catalogue } from '../engine/catalogue.js';
import type { Failure, Knowledge, Work } from '../engine/fuzzer.js';
import { Kinds } from './kinds.js';
import { Learned, type Reached } from './knowledge.js';
import { knownEpoch, type Shard } from './plan.js';
import type { ShardResult } from './task.js';
import type { CoverageReport, RawFinding } from './types.js';

export class Merged {
  readonly raw: RawFinding[] = [];
  readonly #points: Catalogue['points'];
  readonly #learned: Learned;
  readonly #kinds = new Kinds();
  /** By epoch: what was known after it; -2 and -1 stand for nothing known. */
  readonly #snapshots = new Map<number, Knowledge>();
  #work: Work = { programs: 0, ops: 0, faults: 0 };
  #epoch = 0;

  constructor(catalogue: Catalogue) {
    this.#points = catalogue.points;
    this.#learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'));
    this.#snapshots.set(-2, this.#learned.snapshot()).set(-1, this.#learned.snapshot());
  }

  /** Of the shards merged. */
  get work(): Work {
    return this.#work;
  }

  /** Epochs merged to their end. */
  get epoch(): number {
    return this.#epoch;
  }

  /** A failure of the shard whose turn it is, kept if it is worth it. */
  find({ index: shard }: Shard, failure: Failure): RawFinding | undefined {
    if (!this.#kinds.adds(failure)) return undefined;
    const { index, words, reduced, mask, violation } = failure;
    const firstAt = {
      programs: this.#work.programs + failure.programs,
      faults: this.#work.faults + failure.faults,
    };
    const finding: RawFinding = { words, reduced, mask, violation, shard, index, firstAt };
    this.raw.push(finding);
    return finding;
  }

  /** The shard whose turn it is has ended; its failures were told. Without a result it counts as empty. */
  merge(shard: Shard, result: ShardResult | undefined): void {
    if (result) {
      const { programs, ops, faults } = this.#work;
      const { work } = result;
      this.#work = { programs: programs + work.programs, ops: ops + work.ops, faults: faults + work.faults };
      this.#learned.merge(result);
    }
    if (!shard.closesEpoch) return;
    this.#epoch = shard.epoch + 1;
    this.#snapshots.set(shard.epoch, this.#learned.snapshot());
  }

  /** What a shard of `epoch` starts from; undefined where that is not merged yet. Epochs are asked for in their order. */
  knowledge(epoch: number): Knowledge | undefined {
    const known = knownEpoch(epoch);
    const found = this.#snapshots.get(known);
    if (found) this.#snapshots.delete(known - 1);
    return found;
  }

  /** `open`: what the shard under way has reached as well. */
  coverage(open?: Reached): CoverageReport {
    return {
      points: this.#points.filter(({ id }) => this.#learned.reached(id, open)).length,
      pointsTotal: this.#points.length,
      states: this.#learned.states(open),
    };
  }
}
