// `breakcow score`: is every flaw of the corpus found, how soon, how short, and is the repaired twin left in peace?
import { availableParallelism } from 'node:os';
import type { FuzzStrategy } from '../engine/fuzzer.js';
import { UsageError, unknownName } from '../errors.js';
import { printSpec } from '../text/id.js';
import { startThreads } from '../threads.js';
import { CORPUS, type CorpusEntry } from './corpus.js';
import type { Alarm, Found, HuntResult } from './hunt.js';
import type { HuntTask } from './worker.js';

export { formatHeader, formatRow, formatScore, formatTail } from './table.js';

export interface ScoreOptions {
  /** Seeds 1 .. seeds are tried for each entry. */
  readonly seeds?: number;
  /** Calls of handle_mm_fault for each entry and seed, on its kernel and once more on the repaired twin. */
  readonly budget?: number;
  /** Ids of entries, `T1-05` standing for T1-05a and T1-05b; all if absent. */
  readonly entries?: readonly string[];
  /** How programs are made; guided if absent. */
  readonly strategy?: FuzzStrategy;
  /** A second strategy, with the same seeds and budget, to hold the first one against. */
  readonly against?: FuzzStrategy;
  /** Threads; as many as the machine runs at once if absent. */
  readonly workers?: number;
  /** Called in the order of the corpus, as soon as an entry and those before it are done. */
  readonly onEntry?: (row: ScoreRow) => void;
  /** Called after each hunt with a line that tells how far it is. */
  readonly onProgress?: (line: string) => void;
}

const DEFAULT_SEEDS = 5;
const DEFAULT_BUDGET = 1_000_000;

export interface ScoreRow {
  readonly id: string;
  readonly name: string;
  /** The kernel that has the flaw, `kernel +knob -knob`. */
  readonly kernel: string;
  /** The promise that most findings broke first; the entry's own first one if nothing was found. */
  readonly slug: string;
  readonly seeds: number;
  /** Seeds that found the flaw within the budget. */
  readonly found: number;
  /** How soon the other strategy found it, if there is one. */
  readonly against?: Against;
  /** Medians over the seeds of the work until it was found; null if half of them or more did not find it. */
  readonly faults: number | null;
  readonly programs: number | null;
  /** The shortest of the minimized findings. */
  readonly minimized: { readonly program: string; readonly length: number } | null;
  /** Length of each seed's minimized finding; null = not found. */
  readonly lengths: readonly (number | null)[];
  /** Ops of the corpus's own program. */
  readonly corpusLength: number;
  /** Every minimized finding is cured by the entry's own fix. */
  readonly fixedClean: boolean;
  /** The repaired kernel under the same programs' random streams. */
  readonly twin: { readonly programs: number; readonly faults: number; readonly alarms: readonly Alarm[] };
  /** Found by more than half of the seeds, cured by its fix, no alarm. */
  readonly passed: boolean;
}

/** Another strategy on the same entry. */
export interface Against {
  readonly strategy: FuzzStrategy;
  readonly found: number;
  /** Geometric mean over the seeds of the faults until it was found, the budget standing for "not found". */
  readonly faults: number;
  /** The same mean of the row's own strategy. */
  readonly own: number;
}

export interface ScoreResult {
  readonly rows: readonly ScoreRow[];
  /** Every row passed. */
  readonly complete: boolean;
  /** Geometric mean over the entries of other strategy's faults / own faults. */
  readonly factor?: number;
  readonly seconds: number;
}

/** The entries called `ids`. Throws UsageError for an unknown one. */
export function chooseEntries(ids: readonly string[] | undefined): readonly CorpusEntry[] {
  if (ids === undefined || ids.length === 0) return CORPUS;
  const matches = (id: string, asked: string) => id === asked || id.replace(/[a-z]$/, '') === asked;
  for (const asked of ids) {
    const known = CORPUS.map(({ id }) => id);
    if (!known.some((id) => matches(id, asked))) throw unknownName('entry', asked, known);
  }
  return CORPUS.filter(({ id }) => ids.some((asked) => matches(id, asked)));
}

function geometric(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(Math.max(value, 1)), 0) / values.length);
}

/** The middle one (of two the larger); missing values count as larger than any. */
function median(values: readonly (number | undefined)[]): number | null {
  const sorted = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)]!;
  return Number.isFinite(middle) ? middle : null;
}

function mostFrequent(slugs: readonly string[]): string | undefined {
  const times = (slug: string) => slugs.filter((other) => other === slug).length;
  return [...slugs].sort((a, b) => times(b) - times(a))[0];
}

/** What the hunts for one entry, one per seed, come to. */
export function rowOf(entry: CorpusEntry, hunts: readonly HuntResult[]): ScoreRow {
  const found = hunts.map((hunt) => hunt.found).filter((one): one is Found => one !== undefined);
  const shortest = [...found].sort((a, b) => a.length - b.length)[0];
  const alarms = hunts.flatMap(({ twin }) => twin.alarm ?? []);
  const fixedClean = found.every((one) => one.fixedClean);
  return {
    id: entry.id,
    name: entry.name,
    kernel: printSpec(entry.spec),
    slug: mostFrequent(found.map(({ slug }) => slug)) ?? entry.slugs[0]!,
    seeds: hunts.length,
    found: found.length,
    faults: median(hunts.map((hunt) => hunt.found?.faults)),
    programs: median(hunts.map((hunt) => hunt.found?.programs)),
    minimized: shortest ? { program: shortest.minimized, length: shortest.length } : null,
    lengths: hunts.map((hunt) => hunt.found?.length ?? null),
    corpusLength: entry.triggerLength,
    fixedClean,
    twin: {
      programs: hunts.reduce((sum, { twin }) => sum + twin.programs, 0),
      faults: hunts.reduce((sum, { twin }) => sum + twin.faults, 0),
      alarms,
    },
    passed: 2 * found.length > hunts.length && fixedClean && alarms.length === 0,
  };
}

/** Fuzzes the entries and their twins. The rows depend on the options only, not on the threads. Throws UsageError. */
export async function runScore(options: ScoreOptions = {}): Promise<ScoreResult> {
  const { seeds = DEFAULT_SEEDS, budget = DEFAULT_BUDGET, workers = availableParallelism() } = options;
  const { strategy = 'guided', against } = options;
  const inAll = against ? 2 : 1;
  for (const [name, value] of Object.entries({ seeds, budget, workers })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new UsageError(`${name}: expected a positive whole number`);
  }
  const entries = chooseEntries(options.entries);
  const start = performance.now();
  const pool = startThreads<HuntTask, HuntResult>(new URL('./worker.js', import.meta.url), workers);
  let done = 0;
  const hunt = async (task: HuntTask): Promise<HuntResult> => {
    const result = await pool.run(task);
    options.onProgress?.(`${++done} of ${entries.length * seeds * inAll} hunts: ${task.id}`);
    return result;
  };
  const rows: ScoreRow[] = [];
  try {
    const hunts = entries.map((entry) => {
      const base = Array.from({ length: seeds }, (_, i) => ({ id: entry.id, seed: i + 1, budgetFaults: budget }));
      const all = Promise.all(base.map((task) => hunt({ ...task, strategy })));
      const others = against && Promise.all(base.map((task) => hunt({ ...task, strategy: against, alone: true })));
      // The first failure is thrown where it is waited for; those behind it need no second hearing.
      all.catch(() => undefined);
      others?.catch(() => undefined);
      return { entry, all, others };
    });
    for (const { entry, all, others } of hunts) {
      const own = await all;
      const mean = (hunts: readonly HuntResult[]) => geometric(hunts.map(({ found }) => found?.faults ?? budget));
      const row: ScoreRow = {
        ...rowOf(entry, own),
        ...(against && {
          against: {
            strategy: against,
            found: (await others!).filter(({ found }) => found).length,
            faults: mean(await others!),
            own: mean(own),
          },
        }),
      };
      rows.push(row);
      options.onEntry?.(row);
    }
  } finally {
    await pool.destroy();
  }
  const seconds = (performance.now() - start) / 1000;
  const factors = rows.flatMap((row) => (row.against ? [row.against.faults / row.against.own] : []));
  return {
    rows,
    complete: rows.every((row) => row.passed),
    ...(factors.length > 0 && { factor: geometric(factors.map((factor) => factor * 1e6)) / 1e6 }),
    seconds,
  };
}
