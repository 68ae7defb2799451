// Shards over a queue beside shards in threads of one process: what the queue costs, and how far it reaches.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Lane, type LaneState } from '../src/campaign/lane.js';
import { EPOCH_SHARDS } from '../src/campaign/plan.js';
import { Pool } from '../src/campaign/pool.js';
import type { Runner } from '../src/campaign/runner.js';
import type { ShardJob } from '../src/campaign/task.js';
import { loadEngine } from '../src/engine/engine.js';
import { NO_FOCUS } from '../src/engine/fuzzer.js';
import { buildHash } from '../src/engine/load.js';
import { QueueRunner } from '../src/queue/runner.js';
import { RedisServer, withoutRedis } from './redis-server.js';
import { readServer, type ServerUse, useBetween } from './redis-use.js';
import { type Contender, measureRounds, type RoundReport, type Spread, spread } from './rounds.js';

export interface QueueBenchOptions {
  /** Programs of a sample, default 512,000. */
  programs?: number;
  /** Rounds, default 5. */
  samples?: number;
  /** Default all cores but at most 2. */
  threads?: number;
  onSample?: (sample: RoundReport) => void;
}

/** What one job costs besides the work in it. */
export interface JobCost {
  /** Milliseconds of a core, what they cost when idle included. */
  readonly driverMs: number;
  readonly redisMs: number;
  /** Scripts that Redis runs, and all commands, those inside scripts too. */
  readonly scripts: number;
  readonly commands: number;
  /** Bytes that Redis receives and sends. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface QueueRow {
  /** Programs of a shard. */
  readonly size: number;
  /** Milliseconds that a thread takes for one. */
  readonly shardMs: number;
  /** Thousand programs a second. */
  readonly pool: Spread;
  readonly queue: Spread;
  /** Time of the queue to that of the pool in the same round, less 1. */
  readonly overhead: Spread;
  /** The same for the processor time of all processes together, which other load of the machine disturbs less; NaN if unknown. */
  readonly cpu: Spread;
  readonly cost: JobCost;
}

export interface QueueTable {
  readonly threads: number;
  readonly cores: number;
  readonly samples: number;
  readonly host: string;
  /** Of the machine before and after. */
  readonly load: readonly [number, number];
  readonly rows: readonly QueueRow[];
}

/** No Redis, no table. */
export interface QueueUnavailable {
  readonly unavailable: string;
}

const SIZES = [500, 2000, 8000, 32_000];
const KERNEL = { kernel: 'repaired', with: [], without: [] };
const CLI = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const WARM_PROGRAMS = 8000;
const LEARN_EPOCHS = 4;
const LEARN_PROGRAMS = 4000;

/** Measures on the repaired kernel. Throws RangeError for options that are not positive whole numbers. */
export async function runQueue(options: QueueBenchOptions = {}): Promise<QueueTable | QueueUnavailable> {
  const cores = availableParallelism();
  const { programs = 512_000, samples = 5, threads = Math.min(2, cores), onSample } = options;
  for (const [name, value] of Object.entries({ programs, samples, threads })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name}: ${value} is not a positive whole number`);
  }
  const unavailable = withoutRedis();
  if (unavailable !== false) return { unavailable };
  const before = loadavg()[0]!;
  const server = await RedisServer.start({ args: ['--appendonly', 'yes'] });
  const worker = startWorker(server.url, threads);
  const pool = new Pool(threads);
  const queue = new QueueRunner({ url: server.url, campaign: 'bench', build: buildHash(), limit: 4 * threads });
  const client = server.client();
  try {
    const learned = await learn(pool);
    const pairs = SIZES.map((size) => {
      const jobs = Math.max(threads, Math.round(programs / size));
      const costs: ServerUse[] = [];
      const driver: number[] = [];
      const spent = { pool: [] as number[], queue: [] as number[] };
      const contender = (id: string, runner: Runner, sample: (run: () => Promise<number>) => Promise<number>) =>
        ({
          id: `${id}-${size}`,
          label: `${id}, ${size} programs`,
          warm: async () => void (await drive(runner, 500, WARM_PROGRAMS / 500, learned)),
          sample: async () => ({ ops: await sample(() => drive(runner, size, jobs, learned)) }),
        }) satisfies Contender;
      const measured = async (run: () => Promise<number>) => {
        const start = await readServer(client);
        const cpu = process.cpuUsage();
        const before = cpuMsOf(worker.pid!);
        const done = await run();
        const own = ownCpuMs(cpu);
        const use = useBetween(start, await readServer(client));
        driver.push(own / jobs);
        costs.push(use);
        spent.queue.push(own + use.cpuMs + cpuMsOf(worker.pid!) - before);
        return done;
      };
      const alone = async (run: () => Promise<number>) => {
        const cpu = process.cpuUsage();
        const done = await run();
        spent.pool.push(ownCpuMs(cpu));
        return done;
      };
      return {
        size,
        jobs,
        costs,
        driver,
        spent,
        contenders: [contender('pool', pool, alone), contender('queue', queue, measured)],
      };
    });
    const all = pairs.flatMap(({ contenders }) => contenders);
    const results = await measureRounds(all, samples, onSample);
    const rows = pairs.map(({ size, jobs, costs, driver, spent }, i): QueueRow => {
      const [inPool, inQueue] = [results[2 * i]!.mops, results[2 * i + 1]!.mops];
      const median = (of: (use: ServerUse) => number) => spread(costs.map((use) => of(use) / jobs)).median;
      return {
        size,
        shardMs: (threads * size) / spread(inPool).median / 1000,
        pool: spread(inPool.map((mops) => 1000 * mops)),
        queue: spread(inQueue.map((mops) => 1000 * mops)),
        overhead: spread(inPool.map((mops, round) => mops / inQueue[round]! - 1)),
        cpu: spread(spent.pool.map((ms, round) => spent.queue[round]! / ms - 1)),
        cost: {
          driverMs: spread(driver).median,
          redisMs: median(({ cpuMs }) => cpuMs),
          scripts: median(({ scripts }) => scripts),
          commands: median(({ commands }) => commands),
          bytesIn: median(({ bytesIn }) => bytesIn),
          bytesOut: median(({ bytesOut }) => bytesOut),
        },
      };
    });
    const host = `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Node ${process.versions.node}`;
    return { threads, cores, samples, host, load: [before, loadavg()[0]!], rows };
  } finally {
    client.disconnect();
    await Promise.all([queue.destroy(), pool.destroy()]);
    worker.kill('SIGKILL');
    if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit');
    await server.end();
  }
}

function ownCpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

/** Processor time of a process so far, in steps of 10 ms; NaN where /proc does not tell. */
function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return Number.NaN;
  }
}

/** `breakcow worker`, as users start it. */
function startWorker(url: URL, threads: number): ChildProcess {
  const args = [CLI, 'worker', '--workers', `${threads}`, '--json'];
  return spawn(process.execPath, args, { env: { ...process.env, BREAKCOW_QUEUE: url.href }, stdio: 'ignore' });
}

const { catalogue } = loadEngine();
let shards = 0;

/** What a campaign knows after some epochs: the news that most of its shards bring are few. */
async function learn(pool: Pool): Promise<LaneState> {
  let lane = new Lane(catalogue, 0, KERNEL);
  for (let epoch = 0; epoch < LEARN_EPOCHS; epoch++) {
    const next = new Lane(catalogue, 0, KERNEL, lane.state);
    await drive(pool, LEARN_PROGRAMS, EPOCH_SHARDS, lane.state, next);
    lane = next;
  }
  return lane.state;
}

/** Runs so many shards and merges them, as a campaign does. Returns the programs run. */
async function drive(
  runner: Runner,
  size: number,
  jobs: number,
  learned: LaneState,
  lane: Lane = new Lane(catalogue, 0, KERNEL, learned),
): Promise<number> {
  const knowledge = lane.learned.snapshot();
  const underway: Promise<void>[] = [];
  let programs = 0;
  for (let i = 0; i < jobs; i++) {
    await runner.room();
    const shard = shards++;
    const job: ShardJob = {
      kind: 'shard',
      vector: lane.vector,
      seed: 1n,
      shard,
      epoch: 0,
      programs: size,
      strategy: 'guided',
      focus: NO_FOCUS,
      knowledge,
      counted: true,
    };
    const run = async () => {
      const result = await runner.run(() => job);
      if (result.kind !== 'shard')
        throw new Error(`shard ${shard}: ${result.kind === 'trapped' ? result.message : result.kind}`);
      lane.merge(shard, result);
      programs += result.work.programs;
    };
    underway.push(run());
  }
  await Promise.all(underway);
  return programs;
}
