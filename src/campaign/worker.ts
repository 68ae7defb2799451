// Runs in a Piscina thread: one engine a thread, one task at a time.
import { loadEngine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { EngineTrap } from '../engine/trap.js';
import { type CanaryTask, type ShardTask, Shared, type Task, type TaskResult } from './task.js';

/** A batch is one call into the module: short enough to stop soon, and the first ones so short that they warm it up. */
const FIRST_BATCH = 64;
const LONGEST_BATCH_MS = 25;

let fuzzer: Fuzzer | undefined;

export default function runTask(task: Task): TaskResult {
  try {
    fuzzer ??= new Fuzzer(loadEngine());
    fuzzer.engine.configureVector(task.vector);
    return task.kind === 'shard' ? runShard(fuzzer, task) : runCanary(fuzzer, task);
  } catch (error) {
    // Whatever the engine was doing, it did not finish: the next task gets a new one.
    fuzzer = undefined;
    if (error instanceof EngineTrap) return { kind: 'trapped', message: error.message };
    throw error;
  }
}

/** Calls `batch` with growing counts until `programs` are run or it says false. Returns false if told to stop. */
function inBatches(programs: number, shared: Shared, batch: (first: number, count: number) => boolean): boolean {
  let size = FIRST_BATCH;
  for (let first = 0; first < programs; ) {
    if (shared.stopped) return false;
    const count = Math.min(size, programs - first);
    const start = performance.now();
    if (!batch(first, count)) return true;
    if (performance.now() - start < LONGEST_BATCH_MS / 2) size *= 2;
    first += count;
  }
  return true;
}

function runShard(fuzzer: Fuzzer, task: ShardTask): TaskResult {
  const shared = new Shared(task.shared);
  fuzzer.begin(task.seed, task.shard, task.strategy, true, task.knowledge);
  let told = fuzzer.work();
  const finished = inBatches(task.programs, shared, (first, count) => {
    if (task.fault === 'trap') throw new EngineTrap(new WebAssembly.RuntimeError('unreachable'));
    fuzzer.run(first, count);
    if (task.counted) {
      const work = fuzzer.work();
      const { programs, ops, faults } = work;
      shared.add({ programs: programs - told.programs, ops: ops - told.ops, faults: faults - told.faults });
      told = work;
    }
    return true;
  });
  if (!finished) return { kind: 'stopped' };
  const digest = fuzzer.digest();
  return {
    kind: 'shard',
    work: fuzzer.work(),
    digest: task.fault === 'digest' ? digest ^ 1n : digest,
    failures: fuzzer.failures(),
    novel: fuzzer.novel(),
    keys: fuzzer.keys(),
    ...fuzzer.coverage(),
  };
}

function runCanary(fuzzer: Fuzzer, task: CanaryTask): TaskResult {
  fuzzer.begin(task.seed, task.shard, task.strategy, false);
  let found = false;
  const finished = inBatches(task.programs, new Shared(task.shared), (first, count) => {
    for (let done = 0; done < count && !found; ) {
      done += fuzzer.run(first + done, count - done);
      found = (((fuzzer.stopped()?.mask ?? 0) >> task.invariant) & 1) !== 0;
    }
    return !found;
  });
  return finished ? { kind: 'canary', found, programs: fuzzer.work().programs } : { kind: 'stopped' };
}
