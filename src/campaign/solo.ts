// A campaign on the thread that calls it, without end, in pieces of milliseconds: the same shards, in the same order, with
// the same findings as over many threads.
import type { Engine } from '../engine/engine.js';
import { Fuzzer, type Knowledge, NO_FOCUS, type Work } from '../engine/fuzzer.js';
import type { KernelSpec } from '../engine/types.js';
import { batches, canaryRun, shardResult } from './batches.js';
import { CANARY_PROGRAMS, Canaries, canariesFor } from './canary.js';
import { Lane } from './lane.js';
import { EPOCH_SHARDS, LAG, type Shard, shardPrograms, shardsOf } from './plan.js';
import type { CampaignResult, CoverageReport, RawFinding } from './types.js';

const STYLE = { strategy: 'guided', focus: NO_FOCUS } as const;
const NOTHING: Work = { programs: 0, ops: 0, faults: 0 };

export interface SoloProgress extends Work {
  /** Spent on these programs. */
  readonly seconds: number;
  readonly coverage: CoverageReport;
  readonly canary: CampaignResult['canary'];
}

export class Solo {
  readonly #fuzzer: Fuzzer;
  readonly #seed: bigint;
  readonly #canaries: Canaries;
  readonly #lane: Lane;
  readonly #run: Generator<RawFinding[], never, void>;
  /** A shard is under way, its work not merged yet. */
  #open = false;
  #seconds = 0;

  /** The engine belongs to it from now on. Throws UsageError for an unknown kernel. */
  constructor(engine: Engine, spec: KernelSpec, seed: bigint) {
    this.#fuzzer = new Fuzzer(engine);
    this.#seed = seed;
    this.#canaries = new Canaries(engine.catalogue, canariesFor([spec]));
    this.#lane = new Lane(engine.catalogue, 0, spec);
    this.#run = this.#shards();
  }

  /** Runs one batch of programs. Returns what it found that may be of a new cause. */
  step(): RawFinding[] {
    return this.#run.next().value;
  }

  progress(): SoloProgress {
    const { work } = this.#lane;
    const now = this.#open ? this.#fuzzer.work() : NOTHING;
    return {
      programs: work.programs + now.programs,
      ops: work.ops + now.ops,
      faults: work.faults + now.faults,
      seconds: this.#seconds,
      coverage: this.#lane.coverage(this.#open ? this.#fuzzer.coverage() : undefined),
      canary: this.#canaries.report,
    };
  }

  *#shards(): Generator<RawFinding[], never, void> {
    const { learned } = this.#lane;
    const known = Array.from({ length: LAG }, () => learned.snapshot());
    for (let epoch = 0; ; epoch++) {
      const size = shardPrograms(epoch);
      const shards = EPOCH_SHARDS;
      const plan = {
        epoch,
        arm: 0,
        lane: 0,
        style: STYLE,
        first: epoch * shards,
        shards,
        programs: shards * size,
        size,
      };
      const knowledge = known.shift()!;
      for (const shard of shardsOf(plan)) {
        if (shard.canary) yield* this.#canary(shard);
        yield* this.#shard(shard, knowledge);
      }
      known.push(learned.snapshot());
    }
  }

  *#shard(shard: Shard, knowledge: Knowledge): Generator<RawFinding[], void, void> {
    const fuzzer = this.#fuzzer;
    fuzzer.engine.configureVector(this.#lane.vector);
    fuzzer.setFocus(STYLE.focus);
    fuzzer.begin(this.#seed, shard.index, STYLE.strategy, true, knowledge);
    this.#open = true;
    let told = 0;
    for (const { first, count } of batches(shard.programs)) {
      const start = performance.now();
      fuzzer.run(first, count);
      this.#seconds += (performance.now() - start) / 1000;
      const failures = fuzzer.failures();
      yield failures.slice(told).flatMap((failure) => this.#lane.find(shard.index, failure) ?? []);
      told = failures.length;
    }
    this.#lane.merge(shard.index, shardResult(fuzzer));
    this.#open = false;
  }

  *#canary({ index: shard }: Shard): Generator<RawFinding[], void, void> {
    for (const { canary, report } of this.#canaries.due()) {
      this.#fuzzer.engine.configureVector(canary.vector);
      const { invariant } = canary;
      const task = { seed: this.#seed, shard, strategy: STYLE.strategy, programs: CANARY_PROGRAMS, invariant } as const;
      const run = canaryRun(this.#fuzzer, task);
      for (;;) {
        const { done, value } = run.next();
        if (done) {
          report(value);
          break;
        }
        yield [];
      }
    }
  }
}
