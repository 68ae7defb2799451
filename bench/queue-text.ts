// The table of bench/queue.ts as text, and what follows from it for many machines.
import type { JobCost, QueueRow, QueueTable, QueueUnavailable } from './queue.js';
import type { Spread } from './rounds.js';
import { alignColumns, threeDigits } from './table.js';

/** Where the estimates look. */
const CORES = [100, 10_000];
/** Driver and Redis each run on one core; half of it leaves room for everything else. */
const SHARE = 0.5;

export interface Estimate {
  readonly cores: number;
  readonly jobsPerSecond: number;
  /** Cores that Redis and the driver are busy with, each of which can be so with one. */
  readonly redisCores: number;
  readonly driverCores: number;
  /** Million bytes a second through Redis, both ways. */
  readonly megabytes: number;
  /** So many times larger shards keep both below SHARE of a core; at most 1 = they are. */
  readonly factor: number;
}

/** Cores that something is busy with: always, and for each job. */
interface Share {
  readonly always: number;
  readonly perJobMs: number;
}

/** From two rows with different numbers of jobs a second: a part of what they cost is there without any job. */
export function shareOf(few: Measured, many: Measured, cost: (of: JobCost) => number): Share {
  const [slow, fast] = [few, many].map((row) => ({ ms: cost(row.cost), wallMs: row.size / row.queue.median }));
  const always = Math.max(0, (slow!.ms - fast!.ms) / (slow!.wallMs - fast!.wallMs));
  return { always, perJobMs: Math.max(0, fast!.ms - always * fast!.wallMs) };
}

export type Measured = Pick<QueueRow, 'size' | 'queue' | 'shardMs' | 'cost'>;

/** `rows`: by size. So many cores, each busy with shards of the last row. */
export function estimate(rows: readonly Measured[], cores: number): Estimate {
  const [many, few] = [rows[0]!, rows.at(-1)!];
  const jobsPerSecond = (1000 * cores) / few.shardMs;
  const [redis, driver] = [(of: JobCost) => of.redisMs, (of: JobCost) => of.driverMs].map((cost) => {
    const { always, perJobMs } = shareOf(few, many, cost);
    return { always, jobs: (perJobMs * jobsPerSecond) / 1000 };
  });
  return {
    cores,
    jobsPerSecond,
    redisCores: redis!.always + redis!.jobs,
    driverCores: driver!.always + driver!.jobs,
    megabytes: ((few.cost.bytesIn + few.cost.bytesOut) * jobsPerSecond) / 1e6,
    factor: Math.max(...[redis!, driver!].map(({ always, jobs }) => jobs / (SHARE - Math.min(always, SHARE / 2)))),
  };
}

export function formatQueue(table: QueueTable | QueueUnavailable): string {
  if ('unavailable' in table) return table.unavailable;
  const { rows, threads, cores, samples, host, load } = table;
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const range = ({ min, max }: Spread) => `${percent(min)} to ${percent(max)}`;
  const header = [
    'shards over a queue',
    'shard ms',
    'Pool k/s',
    'queue k/s',
    'overhead',
    'min to max',
    'of CPU',
    'min to max',
  ];
  const speed = rows.map(({ size, shardMs, pool, queue, overhead, cpu }) => [
    `${size} programs`,
    threeDigits(shardMs),
    threeDigits(pool.median),
    threeDigits(queue.median),
    percent(overhead.median),
    range(overhead),
    percent(cpu.median),
    range(cpu),
  ]);
  const costHeader = ['of one job', 'driver ms', 'Redis ms', 'scripts', 'commands', 'bytes in', 'bytes out'];
  const costs = rows.map(({ size, cost }) => [`${size} programs`, ...costCells(cost)]);
  return [
    alignColumns([header, ...speed]),
    '',
    alignColumns([costHeader, ...costs]),
    '',
    ...CORES.map((count) => estimateText(estimate(rows, count), rows.at(-1)!.size)),
    `medians of ${samples} interleaved rounds on ${threads} threads; driver, Redis and worker share ${cores} cores`,
    `load ${load.map(threeDigits).join(' before, ')} after; ${host}`,
  ].join('\n');
}

function costCells({ driverMs, redisMs, scripts, commands, bytesIn, bytesOut }: JobCost): string[] {
  return [driverMs, redisMs, scripts, commands, bytesIn, bytesOut].map(threeDigits);
}

function estimateText(
  { cores, jobsPerSecond, redisCores, driverCores, megabytes, factor }: Estimate,
  size: number,
): string {
  const busy = `Redis ${threeDigits(redisCores)} and the driver ${threeDigits(driverCores)} of a core`;
  const larger = `${threeDigits((size * factor) / 1e6)} M programs`;
  const more = `shards of ${larger}, or ${Math.ceil(factor)} campaigns, each with a Redis of its own`;
  const need = factor <= 1 ? 'one of each is enough' : `too much for one of each: ${more}`;
  return `estimate, ${cores} cores, shards of ${size}: ${threeDigits(jobsPerSecond)} jobs/s, ${busy}, ${threeDigits(megabytes)} MB/s; ${need}`;
}
