// A shard in batches: one call into the module each, short enough to stop soon.
import type { Fuzzer, FuzzStrategy } from '../engine/fuzzer.js';
import type { CanaryResult, ShardResult } from './task.js';

/** The first ones are so short that they warm the module up. */
const FIRST_BATCH = 64;
const LONGEST_BATCH_MS = 25;

export interface Batch {
  readonly first: number;
  readonly count: number;
}

/** Growing batches of `programs` programs. Whoever takes one has run it when they ask for the next. */
export function* batches(programs: number): Generator<Batch, void, void> {
  let size = FIRST_BATCH;
  for (let first = 0; first < programs; ) {
    const count = Math.min(size, programs - first);
    const start = performance.now();
    yield { first, count };
    if (performance.now() - start < LONGEST_BATCH_MS / 2) size *= 2;
    first += count;
  }
}

/** What a shard came to, once its programs are run. */
export function shardResult(fuzzer: Fuzzer): ShardResult {
  return {
    kind: 'shard',
    work: fuzzer.work(),
    digest: fuzzer.digest(),
    failures: fuzzer.failures(),
    novel: fuzzer.novel(),
    keys: fuzzer.keys(),
    ...fuzzer.coverage(),
  };
}

interface CanaryShard {
  readonly seed: bigint;
  readonly shard: number;
  readonly strategy: FuzzStrategy;
  readonly programs: number;
  readonly invariant: number;
}

/** Runs the kernel configured, known to be broken, until `invariant` breaks. Yields before every batch. */
export function* canaryRun(fuzzer: Fuzzer, shard: CanaryShard): Generator<void, CanaryResult, void> {
  fuzzer.begin(shard.seed, shard.shard, shard.strategy, false);
  let found = false;
  for (const { first, count } of batches(shard.programs)) {
    yield;
    for (let done = 0; done < count && !found; ) {
      done += fuzzer.run(first + done, count - done);
      found = (((fuzzer.stopped()?.mask ?? 0) >> shard.invariant) & 1) !== 0;
    }
    if (found) break;
  }
  return { kind: 'canary', found, programs: fuzzer.work().programs };
}
