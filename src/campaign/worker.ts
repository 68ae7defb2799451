// Runs in a Piscina thread: one engine a thread, one task at a time.
import { loadEngine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { EngineTrap } from '../engine/trap.js';
import { batches, canaryRun, shardResult } from './batches.js';
import { type CanaryTask, type ShardTask, Shared, type Task, type TaskResult } from './task.js';

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

function runShard(fuzzer: Fuzzer, task: ShardTask): TaskResult {
  const shared = new Shared(task.shared);
  fuzzer.begin(task.seed, task.shard, task.strategy, true, task.knowledge);
  let told = fuzzer.work();
  for (const { first, count } of batches(task.programs)) {
    if (shared.stopped) return { kind: 'stopped' };
    if (task.fault === 'trap') throw new EngineTrap(new WebAssembly.RuntimeError('unreachable'));
    fuzzer.run(first, count);
    if (!task.counted) continue;
    const work = fuzzer.work();
    const { programs, ops, faults } = work;
    shared.add({ programs: programs - told.programs, ops: ops - told.ops, faults: faults - told.faults });
    told = work;
  }
  const result = shardResult(fuzzer);
  return task.fault === 'digest' ? { ...result, digest: result.digest ^ 1n } : result;
}

function runCanary(fuzzer: Fuzzer, task: CanaryTask): TaskResult {
  const shared = new Shared(task.shared);
  const run = canaryRun(fuzzer, task);
  for (;;) {
    const { done, value } = run.next();
    if (done) return value;
    if (shared.stopped) return { kind: 'stopped' };
  }
}
