// A campaign on the thread that calls it, without end, in pieces of milliseconds: the same shards, in the same order, with
// the same findings as over many threads.
import type { KnobVector } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { Fuzzer, type Work } from '../engine/fuzzer.js';
import type { KernelSpec } from '../engine/types.js';
import { batches, canaryRun, shardResult } from './batches.js';
import { CANARIES, CANARY_PROGRAMS, Canaries } from './canary.js';
import { Merged } from './merged.js';
import { planShards, type Shard } from './plan.js';
import type { CampaignResult, CoverageReport, RawFinding } from './types.js';

const STRATEGY = 'guided';
const NOTHING: Work = { programs: 0, ops: 0, faults: 0 };

export interface SoloProgress extends Work {
  /** Spent on these programs. */
  readonly seconds: number;
  readonly coverage: CoverageReport;
  readonly canary: CampaignResult['canary'];
}

export class Solo {
  readonly #fuzzer: Fuzzer;
  readonly #vector: KnobVector;
  readonly #seed: bigint;
  readonly #canaries: Canaries;
  readonly #merged: Merged;
  readonly #run: Generator<RawFinding[], never, void>;
  /** A shard is under way, its work not merged yet. */
  #open = false;
  #seconds = 0;

  /** The engine belongs to it from now on. Throws UsageError for an unknown kernel. */
  constructor(engine: Engine, spec: KernelSpec, seed: bigint) {
    this.#fuzzer = new Fuzzer(engine);
    this.#vector = engine.catalogue.vector(spec);
    this.#seed = seed;
    this.#canaries = new Canaries(engine.catalogue, CANARIES);
    this.#merged = new Merged(engine.catalogue);
    this.#run = this.#shards();
  }

  /** Runs one batch of programs. Returns what it found that may be of a new cause. */
  step(): RawFinding[] {
    return this.#run.next().value;
  }

  progress(): SoloProgress {
    const { work } = this.#merged;
    const now = this.#open ? this.#fuzzer.work() : NOTHING;
    return {
      programs: work.programs + now.programs,
      ops: work.ops + now.ops,
      faults: work.faults + now.faults,
      seconds: this.#seconds,
      coverage: this.#merged.coverage(this.#open ? this.#fuzzer.coverage() : undefined),
      canary: this.#canaries.report,
    };
  }

  *#shards(): Generator<RawFinding[], never, void> {
    for (const shard of planShards()) {
      if (shard.canary) yield* this.#canary(shard);
      yield* this.#shard(shard);
    }
    throw new Error('the shards have no end');
  }

  *#shard(shard: Shard): Generator<RawFinding[], void, void> {
    const fuzzer = this.#fuzzer;
    fuzzer.engine.configureVector(this.#vector);
    fuzzer.begin(this.#seed, shard.index, STRATEGY, true, this.#merged.knowledge(shard.epoch));
    this.#open = true;
    let told = 0;
    for (const { first, count } of batches(shard.programs)) {
      const start = performance.now();
      fuzzer.run(first, count);
      this.#seconds += (performance.now() - start) / 1000;
      const failures = fuzzer.failures();
      yield failures.slice(told).flatMap((failure) => this.#merged.find(shard, failure) ?? []);
      told = failures.length;
    }
    this.#merged.merge(shard, shardResult(fuzzer));
    this.#open = false;
  }

  *#canary({ index: shard }: Shard): Generator<RawFinding[], void, void> {
    for (const { canary, report } of this.#canaries.due()) {
      this.#fuzzer.engine.configureVector(canary.vector);
      const { invariant } = canary;
      const task = { seed: this.#seed, shard, strategy: STRATEGY, programs: CANARY_PROGRAMS, invariant } as const;
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
