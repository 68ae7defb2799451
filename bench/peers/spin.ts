import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MODEL = fileURLToPath(new URL('../../../bench/peers/promela/fault.pml', import.meta.url));
/** Without partial-order reduction (one process has none) and without what only liveness needs. */
const FLAGS = ['-O2', '-w', '-DSAFETY', '-DNOFAIR', '-DNOREDUCE'];

/** Depth-first, breadth-first, or depth-first over a bit table in which states may be missed. */
export type SpinMode = 'depth' | 'breadth' | 'bits';

const MODE_FLAGS: Record<SpinMode, readonly string[]> = { depth: [], breadth: ['-DBFS'], bits: ['-DBITSTATE'] };

/** What Spin says of a whole search, or of one that ended at the first broken promise. */
export interface SpinResult {
  readonly states: number;
  readonly transitions: number;
  /** Depth reached, in steps from the initial state: of the search stack, or of the last level. */
  readonly depth: number;
  /** Steps of the path that broke a promise, or undefined; breadth-first it is a shortest one. */
  readonly broken: number | undefined;
  readonly bytes: number;
  /** By the verifier's own clock, to a hundredth. */
  readonly seconds: number;
}

export interface SpinOptions {
  readonly mode: SpinMode;
  /** Deviations as in SMALL_MUTANTS, bit = index. */
  readonly mutants?: number;
  /** 2^log2 slots of the hash table, or bits of the bit table. Default 24, of bits 32. */
  readonly log2?: number;
  /** Most steps of the stack, default 10,000,000: the right handler's goes to 5.7 million. */
  readonly maxDepth?: number;
}

export interface Spin {
  /** Versions and flags, for the report. */
  readonly how: string;
  /**
   * Translates and compiles the model, then searches. Throws Error if that fails, or if the search was cut short: by default
   * Spin stops at depth 10,000 and calls the rest unreached.
   */
  verify(options: SpinOptions): Promise<SpinResult>;
}

/** Returns the reason in one line, and how to mend it, where Spin or a C compiler is missing. */
export async function findSpin(): Promise<Spin | { unavailable: string }> {
  const compiler = process.env.CC || 'cc';
  let version = '';
  try {
    version = (await promisify(execFile)('spin', ['-V'])).stdout.trim();
  } catch {
    return { unavailable: 'no Spin: the program spin does not run here (Debian: apt-get install spin)' };
  }
  try {
    await promisify(execFile)(compiler, ['--version']);
  } catch {
    return {
      unavailable: `no Spin: ${compiler} does not run here, and its verifier is C (Debian: apt-get install gcc)`,
    };
  }
  return {
    how: `${version}; ${[compiler, ...FLAGS].join(' ')}`,
    async verify(options) {
      const folder = await mkdtemp(join(tmpdir(), 'breakcow-spin-'));
      try {
        return await verify(compiler, folder, options);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function verify(compiler: string, folder: string, options: SpinOptions): Promise<SpinResult> {
  const { mode, mutants = 0, log2 = mode === 'bits' ? 32 : 24, maxDepth = 10_000_000 } = options;
  const run = promisify(execFile);
  const where = { cwd: folder, maxBuffer: 1 << 24 };
  await run('spin', [`-DMUTANTS=${mutants}`, '-a', MODEL], where);
  // The verifier rounds its counts to eight digits, and there are more.
  const verifier = join(folder, 'pan.c');
  await writeFile(verifier, (await readFile(verifier, 'utf8')).replaceAll('%9.8g', '%.17g'));
  await run(compiler, [...FLAGS, ...MODE_FLAGS[mode], '-o', 'pan', 'pan.c'], where);
  const hashes = mode === 'bits' ? ['-k3'] : [];
  const { stdout, stderr } = await run(join(folder, 'pan'), ['-n', `-m${maxDepth}`, `-w${log2}`, ...hashes], where);
  return parse(`${stdout}\n${stderr}`);
}

/** Of the verifier's report. Throws Error if it was cut short, or tells no numbers. */
export function parse(report: string): SpinResult {
  const number = (pattern: RegExp): number => {
    const found = pattern.exec(report)?.[1];
    if (found === undefined) throw new Error(`Spin does not tell ${pattern.source}:\n${report}`);
    return Number(found);
  };
  if (/max search depth too small/.test(report)) throw new Error('Spin was cut short: maxDepth is too small');
  const errors = number(/errors: (\d+)/);
  if (errors === 0 && /Search not completed|out of memory|resource/i.test(report))
    throw new Error(`Spin was cut short:\n${report}`);
  return {
    states: number(/^\s*([\d.e+]+) states, stored/m),
    // Told is stored + matched, and the initial state is stored without a transition to it.
    transitions: number(/^\s*([\d.e+]+) transitions/m) - 1,
    depth: number(/depth reached (\d+)/),
    // Told is the depth of the state before the step that broke it.
    broken: errors === 0 ? undefined : number(/\(at depth (\d+)\)/) + 1,
    bytes: number(/^\s*([\d.]+)\s+total actual memory usage/m) * 2 ** 20,
    seconds: number(/elapsed time ([\d.e+]+) seconds/),
  };
}
