// The live kernel beside the model: raw fault rates of the one, checked faults of the other, in the same rounds.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ProgramGenerator } from '../src/conform/generate.js';
import { openLive } from '../src/conform/live.js';
import { matchKernel, modelSpec } from '../src/conform/match.js';
import type { ObserveLevel } from '../src/conform/protocol.js';
import { loadEngine } from '../src/engine/engine.js';
import { judgedContender } from './engine.js';
import { type Contender, measureRounds, type RoundReport, type Spread, spread } from './rounds.js';
import { alignColumns, threeDigits } from './table.js';

export interface KernelOptions {
  /** Rounds, default 7. */
  samples?: number;
  onSample?: (sample: RoundReport) => void;
}

export interface KernelRow {
  id: string;
  label: string;
  /** Thousand a second: faults, calls or ops (32 to a program). */
  kps: Spread;
  /** Checked faults, or ops, of the model in the time of one of these, in the same round. */
  model?: Spread;
}

export interface KernelTable {
  /** uname -r. */
  kernel: string;
  samples: number;
  /** Faults, those of the model first; then ops, likewise. */
  rows: KernelRow[];
  /** What could not be measured here: one line each, with how to get it. */
  missing: string[];
}

const ROOT = new URL('../../', import.meta.url);
const SOURCE = fileURLToPath(new URL('bench/kernel/faults.c', ROOT));
const OUT_DIR = fileURLToPath(new URL('build/peers/', ROOT));
const FLAGS = ['-O2', '-std=c11', '-static', '-pthread'];
const MODEL_PROGRAMS = 20_000;

/** Programs of a sample of the executor. */
const EXECUTED = 600;
const OPS = 32;
const LEVELS: readonly { level: ObserveLevel; label: string }[] = [
  { level: 'results', label: 'results only' },
  { level: 'contents', label: 'page tables and contents after each op' },
  { level: 'pages', label: 'struct pages too' },
];

/** Paths of faults.c; `fault` = comparable with a fault of the model. */
const PATHS: readonly { id: string; label: string; pages: number; fault: boolean }[] = [
  { id: 'anon-write', label: 'anonymous write fault', pages: 16_384, fault: true },
  { id: 'cow', label: 'COW fault after fork', pages: 8192, fault: true },
  { id: 'uffd-wp', label: 'uffd-wp fault, monitor on the same CPU', pages: 8192, fault: true },
  { id: 'uffd-wp-other-cpu', label: 'uffd-wp fault, monitor on another CPU', pages: 2048, fault: true },
  { id: 'uffd-wp-async', label: 'uffd-wp write, async', pages: 16_384, fault: true },
  { id: 'syscall', label: 'empty system call', pages: 1_000_000, fault: false },
];

/**
 * Measures the running kernel. What this machine lacks is told in `missing`, never thrown. Throws RangeError for
 * samples that are no positive whole number.
 */
export async function runKernel({ samples = 7, onSample }: KernelOptions = {}): Promise<KernelTable> {
  if (!Number.isSafeInteger(samples) || samples < 1)
    throw new RangeError(`samples: ${samples} is not a positive whole number`);
  const table: KernelTable = { kernel: release(), samples, rows: [], missing: [] };
  const faults = compileFaults();
  const contenders: Contender[] = [];
  const judged = judgedContender(MODEL_PROGRAMS);
  contenders.push(judged);
  if ('unavailable' in faults) table.missing.push(faults.unavailable);
  else {
    for (const path of PATHS) {
      const reason = await faults.refusal(path.id);
      if (reason === undefined) contenders.push(rawPath(faults.program, path));
      else table.missing.push(`${path.label}: ${reason}`);
    }
  }
  const programs = await executable();
  if (typeof programs === 'string') table.missing.push(`executor: ${programs}`);
  else for (const { level, label } of LEVELS) contenders.push(executed(programs, level, label));
  const [model, ...others] = await measureRounds(contenders, samples, onSample);
  const ops = model!.mops;
  const checked = ops.map((mops) => mops * judged.faultsPerOp());
  table.rows.push(row('model-faults', 'breakcow: faults of the model, checked', checked));
  for (const { id, label, mops } of others.filter(({ id }) => !id.startsWith('executor'))) {
    const comparable = PATHS.some((path) => path.id === id && path.fault);
    table.rows.push(row(id, label, mops, comparable ? checked : undefined));
  }
  table.rows.push(row('model-ops', 'breakcow: ops of the model, checked', ops));
  for (const { id, label, mops } of others.filter(({ id }) => id.startsWith('executor')))
    table.rows.push(row(id, label, mops, ops));
  return table;
}

/** Rates in millions a second, by round; `model`: those of the model that they are compared with. */
function row(id: string, label: string, mops: readonly number[], model?: readonly number[]): KernelRow {
  return {
    id,
    label,
    kps: spread(mops.map((value) => value * 1000)),
    ...(model && { model: spread(mops.map((value, round) => model[round]! / value)) }),
  };
}

/** The table as text. */
export function formatKernel({ kernel, samples, rows, missing }: KernelTable): string {
  const range = ({ min, max }: Spread) => `${threeDigits(min)}-${threeDigits(max)}`;
  const header = [`real kernel, ${kernel}`, 'k/s', 'min-max', 'model : kernel', 'min-max'];
  const lines = rows.map(({ label, kps, model }) => [
    label,
    threeDigits(kps.median),
    range(kps),
    model ? `${threeDigits(model.median)} : 1` : '',
    model ? range(model) : '',
  ]);
  const note = `medians of ${samples} interleaved rounds, one thread each; nothing is checked of the kernel, everything of the model`;
  const programs = rows.filter(({ id }) => id.startsWith('executor')).map(({ kps }) => (kps.median * 1000) / OPS);
  const rates = programs.map((rate) => Math.round(rate)).join(', ');
  const executed = programs.length === 0 ? [] : [`the executor runs ${rates} programs of ${OPS} ops a second`];
  return [
    alignColumns([header, ...lines]),
    note,
    ...executed,
    ...missing.map((reason) => `not measured: ${reason}`),
  ].join('\n');
}

interface Faults {
  readonly program: string;
  /** Why the path cannot run here, or undefined. */
  refusal(path: string): Promise<string | undefined>;
}

function compileFaults(): Faults | { unavailable: string } {
  const compiler = process.env.CC || 'cc';
  const program = `${OUT_DIR}faults`;
  const fresh = `${program}.${process.pid}`;
  try {
    mkdirSync(OUT_DIR, { recursive: true });
    execFileSync(compiler, [...FLAGS, '-o', fresh, SOURCE], { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
    renameSync(fresh, program);
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { unavailable: `raw fault rates: ${compiler} does not work here (${reason}); install a C compiler` };
  }
  return {
    program,
    async refusal(path) {
      try {
        await promisify(execFile)(program, [path, '1']);
        return undefined;
      } catch (error) {
        const { stderr = '', message } = error as Error & { stderr?: string };
        return (stderr.trim() || message).split('\n')[0]!;
      }
    },
  };
}

function rawPath(program: string, { id, label, pages }: (typeof PATHS)[number]): Contender {
  const sample = async () => {
    const { stdout } = await promisify(execFile)(program, [id, String(pages)]);
    const [ops, nanoseconds] = stdout.trim().split(' ').map(Number);
    return { ops: ops!, seconds: nanoseconds! / 1e9 };
  };
  return { id, label, sample, warm: async () => void (await sample()) };
}

/** Programs that the executor can run here, or why there is no executor. */
async function executable(): Promise<Uint32Array[] | string> {
  try {
    const kernel = await openLive({ observe: 'results' });
    try {
      const engine = loadEngine();
      const spec = modelSpec(matchKernel(kernel.release, engine.catalogue).kernel, engine.catalogue);
      const options = { spec, seed: 1n, layout: 'pte', can: kernel.can, ops: OPS } as const;
      return new ProgramGenerator(engine, options).programs(0, EXECUTED);
    } finally {
      await kernel.close();
    }
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
  }
}

/** One executor at a time: each sets the machine up for itself. Starting it is not timed. */
function executed(programs: readonly Uint32Array[], level: ObserveLevel, label: string): Contender {
  const sample = async () => {
    const kernel = await openLive({ observe: level });
    try {
      await kernel.run(programs.slice(0, EXECUTED / 10), 'pte');
      const start = performance.now();
      const runs = await kernel.run(programs, 'pte');
      const seconds = (performance.now() - start) / 1000;
      return { ops: runs.reduce((sum, { ops }) => sum + ops.length, 0), seconds };
    } finally {
      await kernel.close();
    }
  };
  return { id: `executor-${level}`, label: `executor: ops, ${label}`, sample, warm: async () => void (await sample()) };
}
