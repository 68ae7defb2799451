// Runs in a Piscina thread: one engine a thread, one task at a time.
import { loadEngine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { EngineTrap } from '../engine/trap.js';
import { batches, canaryRun, shardResult } from './batches.js';
import { type CanaryJob, type Job, Pulse, type ShardJob, Shared, type Task, type TaskResult } from './task.js';

let fuzzer: Fuzzer | undefined;

/** How a running job hears that it shall stop, and tells that it lives. */
interface Line {
  readonly shared: Shared;
  readonly pulse: Pulse;
}

export default function runTask({ job, shared, pulse }: Task): TaskResult {
  return runJob(job, { shared: new Shared(shared), pulse: new Pulse(pulse) });
}

function runJob(job: Job, line: Line): TaskResult {
  line.pulse.beat();
  try {
    fuzzer ??= new Fuzzer(loadEngine());
    fuzzer.engine.configureVector(job.vector);
    fuzzer.setFocus(job.focus);
    return job.kind === 'shard' ? runShard(fuzzer, job, line) : runCanary(fuzzer, job, line);
  } catch (error) {
    // Whatever the engine was doing, it did not finish: the next task gets a new one.
    fuzzer = undefined;
    if (error instanceof EngineTrap) return { kind: 'trapped', message: error.message };
    throw error;
  }
}

/** Tests only. */
function fail(fault: ShardJob['fault']): void {
  if (fault === 'trap') throw new EngineTrap(new WebAssembly.RuntimeError('unreachable'));
  if (fault === 'die') process.exit(1);
  while (fault === 'hang');
}

function runShard(fuzzer: Fuzzer, job: ShardJob, { shared, pulse }: Line): TaskResult {
  fuzzer.begin(job.seed, job.shard, job.strategy, true, job.knowledge);
  let told = fuzzer.work();
  for (const { first, count } of batches(job.programs)) {
    if (shared.stopped) return { kind: 'stopped' };
    fail(job.fault);
    fuzzer.run(first, count);
    pulse.beat();
    if (!job.counted) continue;
    const work = fuzzer.work();
    const { programs, ops, faults } = work;
    shared.add({ programs: programs - told.programs, ops: ops - told.ops, faults: faults - told.faults });
    told = work;
  }
  const result = shardResult(fuzzer);
  return job.fault === 'digest' ? { ...result, digest: result.digest ^ 1n } : result;
}

function runCanary(fuzzer: Fuzzer, job: CanaryJob, { shared, pulse }: Line): TaskResult {
  const run = canaryRun(fuzzer, job);
  for (;;) {
    if (shared.stopped) return { kind: 'stopped' };
    const { done, value } = run.next();
    if (done) return value;
    pulse.beat();
  }
}
