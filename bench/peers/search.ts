import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('../../../bench/peers/c/search.c', import.meta.url));
const FLAGS = ['-O3', '-march=native'];

/** Of a breadth-first search; states that break a promise are neither counted nor expanded. */
export interface SearchResult {
  readonly states: number;
  readonly transitions: number;
  /** Steps to the last new state. */
  readonly depth: number;
  /** Steps to the first broken promise; undefined if none. */
  readonly broken: number | undefined;
  readonly bytes: number;
  readonly seconds: number;
}

export interface CSearch {
  /** Compiler and flags, for the report. */
  readonly how: string;
  /**
   * `mutants` as in SMALL_MUTANTS, bit = index; room for 2^`log2` states; `first`: ends at the first broken promise. Throws
   * Error if there are more states than room.
   */
  run(options: { mutants?: number; log2?: number; first?: boolean }): Promise<SearchResult>;
}

/** The search in C by `$CC` or `cc`, compiled anew for each run. Returns the reason, in one line, where there is no compiler. */
export async function findCSearch(): Promise<CSearch | { unavailable: string }> {
  const compiler = process.env.CC || 'cc';
  try {
    await promisify(execFile)(compiler, ['--version']);
  } catch {
    return { unavailable: `no C: ${compiler} does not run here (Debian: apt-get install gcc libc6-dev)` };
  }
  return {
    how: [compiler, ...FLAGS].join(' '),
    async run({ mutants = 0, log2 = 24, first = false }) {
      const folder = await mkdtemp(join(tmpdir(), 'breakcow-search-'));
      try {
        const program = join(folder, 'search');
        await promisify(execFile)(compiler, [...FLAGS, `-DMUTANTS=${mutants}`, '-o', program, SOURCE]);
        const { stdout } = await promisify(execFile)(program, [String(log2), ...(first ? ['first'] : [])]);
        const { broken, ...rest } = JSON.parse(stdout) as Omit<SearchResult, 'broken'> & { broken: number };
        return { ...rest, broken: broken < 0 ? undefined : broken };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
