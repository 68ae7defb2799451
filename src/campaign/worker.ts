// Runs in a Piscina thread: one engine a thread, one task at a time.
import { loadEngine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { EngineTrap } from '../engine/trap.js';
import { type CanaryJob, type Job, Pulse, type ShardJob, Shared, type Task, type TaskResult } from './task.js';

/** A batch is one call into the module: short enough to stop soon, and the first ones so short that they warm it up. */
const FIRST_BATCH = 64;
const LONGEST_BATCH_MS = 25;

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

/** Calls `batch` with growing counts until `programs` are run or it says false. Returns false if told to stop. */
function inBatches(programs: number, line: Line, batch: (first: number, count: number) => boolean): boolean {
  let size = FIRST_BATCH;
  for (let first = 0; first < programs; ) {
    if (line.shared.stopped) return false;
    const count = Math.min(size, programs - first);
    const start = performance.now();
    if (!batch(first, count)) return true;
    line.pulse.beat();
    if (performance.now() - start < LONGEST_BATCH_MS / 2) size *= 2;
    first += count;
  }
  return true;
}

/** Tests only. */
function fail(fault: ShardJob['fault']): void {
  if (fault === 'trap') throw new EngineTrap(new WebAssembly.RuntimeError('unreachable'));
  if (fault === 'die') process.exit(1);
  while (fault === 'hang');
}

function runShard(fuzzer: Fuzzer, job: ShardJob, line: Line): TaskResult {
  fuzzer.begin(job.seed, job.shard, job.strategy, true, job.knowledge);
  let told = fuzzer.work();
  const finished = inBatches(job.programs, line, (first, count) => {
    fail(job.fault);
    fuzzer.run(first, count);
    if (job.counted) {
      const work = fuzzer.work();
      const { programs, ops, faults } = work;
      line.shared.add({ programs: programs - told.programs, ops: ops - told.ops, faults: faults - told.faults });
      told = work;
    }
    return true;
  });
  if (!finished) return { kind: 'stopped' };
  const digest = fuzzer.digest();
  return {
    kind: 'shard',
    work: fuzzer.work(),
    digest: job.fault === 'digest' ? digest ^ 1n : digest,
    failures: fuzzer.failures(),
    novel: fuzzer.novel(),
    keys: fuzzer.keys(),
    ...fuzzer.coverage(),
  };
}

function runCanary(fuzzer: Fuzzer, job: CanaryJob, line: Line): TaskResult {
  fuzzer.begin(job.seed, job.shard, job.strategy, false);
  let found = false;
  const finished = inBatches(job.programs, line, (first, count) => {
    for (let done = 0; done < count && !found; ) {
      done += fuzzer.run(first + done, count - done);
      found = (((fuzzer.stopped()?.mask ?? 0) >> job.invariant) & 1) !== 0;
    }
    return !found;
  });
  return finished ? { kind: 'canary', found, programs: fuzzer.work().programs } : { kind: 'stopped' };
}
