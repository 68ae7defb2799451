import { availableParallelism, cpus } from 'node:os';
import { type CWalk, compileC } from './peers/c.js';
import { type FastCheckStyle, runFastCheck } from './peers/fastcheck.js';
import { objectWalk } from './peers/objects.js';
import { typedWalk } from './peers/typed.js';
import { DEFAULT_SEED, type Walk } from './peers/walk.js';
import { assemblyWalk, LANES, lanes } from './peers/wasm.js';
import {
  type Contender,
  type ContenderResult,
  measureRounds,
  type RoundReport,
  type Spread,
  spread,
} from './rounds.js';
import { alignColumns, threeDigits } from './table.js';

export interface PeerOptions {
  /** Operations per sample of a scalar walk, default 10 million; lanes do four times, fast-check 1/10 and 1/100 of it. */
  ops?: number;
  /** Rounds, default 7. */
  samples?: number;
  onSample?: (sample: RoundReport) => void;
}

export interface PeerRow {
  id: string;
  label: string;
  opsPerSample: number;
  /** Million operations a second. */
  mops: Spread;
  /** To the reference in the same round; 2 is twice as fast. */
  ratio: Spread;
}

/** The small handler, the same in every language, fastest first. */
export interface PeerTable {
  /** The row that has ratio 1. */
  reference: string;
  samples: number;
  /** Processor, cores and Node it was measured on. */
  host: string;
  rows: PeerRow[];
  /** What is missing, and why. */
  notes: string[];
}

/** Steps of one call: long enough to hide the call, short enough that no call runs long in the baseline compiler. */
const BATCH = 1_000_000;
const WARM_CALLS = 300;
const WARM_STEPS = 10_000;
const PROGRAM_LENGTH = 100;

/**
 * Runs all peers in interleaved rounds on this thread. Where no C compiler works, the scalar AssemblyScript walk is
 * the reference. Throws RangeError for `ops` or `samples` that are not positive whole numbers.
 */
export async function runPeers(options: PeerOptions = {}): Promise<PeerTable> {
  const { ops = 10_000_000, samples = 7, onSample } = options;
  for (const [name, value] of Object.entries({ ops, samples })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name}: ${value} is not a positive whole number`);
  }
  const c = compileC();
  const contenders = [
    walkContender('as-walk', 'AssemblyScript', assemblyWalk(), ops),
    lanesContender(ops * 4),
    walkContender('typed', 'JS typed arrays', typedWalk(), ops),
    walkContender('objects', 'JS objects', objectWalk(), ops),
    fastCheckContender('array', 'fast-check array', ops / 10),
    fastCheckContender('commands', 'fast-check commands', ops / 100),
  ];
  const notes: string[] = [];
  if ('unavailable' in c) notes.push(c.unavailable);
  else contenders.unshift(cContender(c, ops));
  const results = await measureRounds(contenders, samples, onSample);
  const reference = results[0]!;
  const rows = results.map((result) => toRow(result, reference)).sort((a, b) => b.mops.median - a.mops.median);
  const host = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.versions.node}`;
  return { reference: reference.id, samples, host, rows, notes };
}

function toRow({ id, label, opsPerSample, mops }: ContenderResult, reference: ContenderResult): PeerRow {
  const ratio = spread(mops.map((value, round) => value / reference.mops[round]!));
  return { id, label, opsPerSample, mops: spread(mops), ratio };
}

/** The table as text, with the notes below. */
export function formatPeers(table: PeerTable): string {
  const reference = table.rows.find(({ id }) => id === table.reference)!;
  const header = ['small handler', 'M ops/s', 'min-max', `vs ${reference.label}`, 'min-max'];
  const range = ({ min, max }: Spread) => `${threeDigits(min)}-${threeDigits(max)}`;
  const rows = table.rows.map(({ label, mops, ratio }) => [
    label,
    threeDigits(mops.median),
    range(mops),
    threeDigits(ratio.median),
    range(ratio),
  ]);
  const host = `medians of ${table.samples} interleaved rounds, one thread; ${table.host}`;
  return [alignColumns([header, ...rows]), host, ...table.notes].join('\n');
}

function cContender(c: CWalk, ops: number): Contender {
  return {
    id: 'c',
    label: `C (${c.how})`,
    warm() {},
    async sample() {
      const { seconds } = await c.run(2 * BATCH, ops, DEFAULT_SEED);
      return { ops, seconds };
    },
  };
}

function walkContender(id: string, label: string, walk: Walk, ops: number): Contender {
  let checksum = 0;
  walk.reset(DEFAULT_SEED);
  return {
    id,
    label,
    warm() {
      for (let i = 0; i < WARM_CALLS; i++) checksum = walk.run(WARM_STEPS, checksum);
    },
    sample() {
      for (let left = ops; left > 0; left -= BATCH) checksum = walk.run(Math.min(left, BATCH), checksum);
      return { ops };
    },
  };
}

function lanesContender(ops: number): Contender {
  const machines = lanes();
  const steps = Math.ceil(ops / LANES);
  return {
    id: 'as-lanes',
    label: 'AssemblyScript, 16 SIMD lanes',
    warm() {
      for (let i = 0; i < WARM_CALLS; i++) machines.run(WARM_STEPS);
    },
    sample() {
      for (let left = steps; left > 0; left -= BATCH) machines.run(Math.min(left, BATCH));
      return { ops: steps * LANES };
    },
  };
}

function fastCheckContender(style: FastCheckStyle, label: string, ops: number): Contender {
  const runs = Math.ceil(ops / PROGRAM_LENGTH);
  const run = (count: number) => ({ ops: runFastCheck(style, { runs: count, length: PROGRAM_LENGTH, seed: 1 }) });
  return {
    id: `fast-check-${style}`,
    label,
    warm() {
      run(Math.min(runs, WARM_CALLS));
    },
    sample: () => run(runs),
  };
}
