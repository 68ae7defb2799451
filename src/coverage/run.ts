// Programs as a campaign draws them, on the engine that marks its branches: what was learned guides the next ones.
import { setImmediate } from 'node:timers/promises';
import { batches, shardResult } from '../campaign/batches.js';
import { Learned } from '../campaign/knowledge.js';
import { Fuzzer, type Work } from '../engine/fuzzer.js';
import type { KernelSpec } from '../engine/types.js';
import type { Branch } from '../transform/cover.js';
import type { CoverEngine } from './module.js';

export interface CoverOptions {
  readonly spec: KernelSpec;
  readonly seed: bigint;
  /** Whichever is used up first ends it. */
  readonly programs?: number;
  readonly timeMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (work: Work, taken: number) => void;
}

export interface CoverResult extends Work {
  readonly branches: readonly Branch[];
  /** By id of the branch. */
  readonly taken: readonly boolean[];
  /** Op words of the programs that reached something new. */
  readonly corpus: readonly Uint32Array[];
  readonly seconds: number;
  readonly interrupted: boolean;
}

const SHARD_PROGRAMS = 4000;

/** Violations are passed over: this is about where programs go. Throws UsageError for an unknown kernel. */
export async function runCoverage(cover: CoverEngine, options: CoverOptions): Promise<CoverResult> {
  const { spec, seed, programs = Number.POSITIVE_INFINITY, timeMs = Number.POSITIVE_INFINITY, signal } = options;
  const { engine } = cover;
  const { catalogue } = engine;
  const vector = catalogue.vector(spec);
  const fuzzer = new Fuzzer(engine);
  const learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'));
  const start = performance.now();
  const over = () => signal?.aborted === true || performance.now() - start >= timeMs;
  const taken = () => cover.marks.reduce((sum, mark) => sum + mark, 0);
  let work: Work = { programs: 0, ops: 0, faults: 0 };
  cover.clear();
  for (let shard = 0; work.programs < programs && !over(); shard++) {
    engine.configureVector(vector);
    fuzzer.begin(seed, shard, 'guided', true, learned.snapshot());
    for (const { first, count } of batches(Math.min(SHARD_PROGRAMS, programs - work.programs))) {
      fuzzer.run(first, count);
      await setImmediate();
      if (over()) break;
    }
    const done = fuzzer.work();
    work = {
      programs: work.programs + done.programs,
      ops: work.ops + done.ops,
      faults: work.faults + done.faults,
    };
    learned.merge(shardResult(fuzzer));
    options.onProgress?.(work, taken());
  }
  const { lengths, words } = learned.snapshot();
  const corpus: Uint32Array[] = [];
  let from = 0;
  for (const length of lengths) {
    corpus.push(words.slice(from, from + length));
    from += length;
  }
  return {
    ...work,
    branches: cover.branches,
    taken: Array.from(cover.marks, (mark) => mark !== 0),
    corpus,
    seconds: (performance.now() - start) / 1000,
    interrupted: signal?.aborted === true,
  };
}
