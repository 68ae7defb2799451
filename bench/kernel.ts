// The live kernel beside the model: raw fault rates of the one, checked faults of the other, in the same rounds.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
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
  /** Thousand a second: faults (or calls, programs, ops). */
  kps: Spread;
  /** Checked faults of the model in the time of one of these, in the same round; of the rows that are faults. */
  model?: Spread;
}

export interface KernelTable {
  /** uname -r. */
  kernel: string;
  samples: number;
  /** Checked faults of the model first. */
  rows: KernelRow[];
  /** What could not be measured here: one line each, with how to get it. */
  missing: string[];
}

const ROOT = new URL('../../', import.meta.url);
const SOURCE = fileURLToPath(new URL('bench/kernel/faults.c', ROOT));
const OUT_DIR = fileURLToPath(new URL('build/peers/', ROOT));
const FLAGS = ['-O2', '-std=c11', '-static', '-pthread'];
const MODEL_PROGRAMS = 20_000;

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
  const results = await measureRounds(contenders, samples, onSample);
  const checked = results[0]!.mops.map((mops) => mops * judged.faultsPerOp());
  table.rows = results.map(({ id, label, mops }, i): KernelRow => {
    const rate = i === 0 ? checked : mops;
    const comparable = i > 0 && PATHS.some((path) => path.id === id && path.fault);
    return {
      id,
      label: i === 0 ? 'breakcow: faults of the model, checked' : label,
      kps: spread(rate.map((value) => value * 1000)),
      ...(comparable && { model: spread(rate.map((value, round) => checked[round]! / value)) }),
    };
  });
  return table;
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
  const note = `medians of ${samples} interleaved rounds, one thread each; faults of the kernel are not checked, those of the model are`;
  return [alignColumns([header, ...lines]), note, ...missing.map((reason) => `not measured: ${reason}`)].join('\n');
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
