// The whole engine: generation, execution, judgement. What the judges and the guidance cost, and what threads gain.
import { availableParallelism, cpus } from 'node:os';
import { Learned } from '../src/campaign/knowledge.js';
import { Pool } from '../src/campaign/pool.js';
import { type JudgeMode, loadEngine } from '../src/engine/engine.js';
import { Fuzzer, type FuzzStrategy, type Knowledge, NO_FOCUS } from '../src/engine/fuzzer.js';
import { type Contender, measureRounds, type RoundReport, type Spread, spread } from './rounds.js';
import { alignColumns, threeDigits } from './table.js';

export interface EngineOptions {
  /** Programs per sample and thread, default 20,000 (about 600,000 ops). */
  programs?: number;
  /** Rounds, default 7. */
  samples?: number;
  /** Threads of the last row, default all cores but at most 2. */
  threads?: number;
  /** Another build of the engine, measured beside this one on the mixes that both have. */
  against?: URL;
  onSample?: (sample: RoundReport) => void;
}

export interface EngineRow {
  id: string;
  label: string;
  /** Million operations a second. */
  mops: Spread;
  /** Million calls of handle_mm_fault a second. */
  mfaults: Spread;
  /** Operations a second, to the reference in the same round. */
  ratio: Spread;
}

export interface EngineTable {
  /** The row that has ratio 1. */
  reference: string;
  kernel: string;
  samples: number;
  host: string;
  rows: EngineRow[];
}

const KERNEL = { kernel: 'repaired', with: [], without: [] };
const SEED = 1n;
const WARM_CALLS = 300;
const WARM_PROGRAMS = 100;
const BATCH = 2000;

/** A contender that also knows how many faults its ops cause. */
export interface Measured extends Contender {
  faultsPerOp(): number;
}

/**
 * Measures the engine on the repaired kernel, where no program ends early. Throws RangeError for options that are not
 * positive whole numbers.
 */
export async function runEngine(options: EngineOptions = {}): Promise<EngineTable> {
  const { programs = 20_000, samples = 7, threads = Math.min(2, availableParallelism()), against, onSample } = options;
  for (const [name, value] of Object.entries({ programs, samples, threads })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name}: ${value} is not a positive whole number`);
  }
  const knowledge = learn();
  const pools = [...new Set([1, threads])].map((workers) => ({ workers, pool: new Pool(workers) }));
  try {
    const contenders = [
      judgedContender(programs, knowledge),
      inThisThread('unguided', 'without guidance', { strategy: 'fresh', judges: 'touched' }, programs),
      inThisThread('unjudged', 'without judges', { strategy: 'guided', judges: 'off', knowledge }, programs),
      inThisThread('world', 'world judged after each op', { strategy: 'guided', judges: 'world', knowledge }, programs),
      inThisThread('random', 'uniform random, judged', { strategy: 'random', judges: 'touched' }, programs),
      ...pools.map(({ workers, pool }) => inThreads(workers, pool, programs, knowledge)),
      ...(against ? coreMixes(against, programs) : []),
    ];
    const results = await measureRounds(contenders, samples, onSample);
    const reference = results[0]!.mops;
    const rows = results.map(({ id, label, mops }, i): EngineRow => {
      const faultsPerOp = contenders[i]!.faultsPerOp();
      return {
        id,
        label,
        mops: spread(mops),
        mfaults: spread(mops.map((value) => value * faultsPerOp)),
        ratio: spread(mops.map((value, round) => value / reference[round]!)),
      };
    });
    const host = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.versions.node}`;
    return { reference: results[0]!.id, kernel: KERNEL.kernel, samples, host, rows };
  } finally {
    await Promise.all(pools.map(({ pool }) => pool.destroy()));
  }
}

/** The table as text. */
export function formatEngine(table: EngineTable): string {
  const range = ({ min, max }: Spread) => `${threeDigits(min)}-${threeDigits(max)}`;
  const header = [`engine, ${table.kernel}`, 'M ops/s', 'min-max', 'M faults/s', 'min-max', 'ratio', 'min-max'];
  const rows = table.rows.map(({ label, mops, mfaults, ratio }) => [
    label,
    threeDigits(mops.median),
    range(mops),
    threeDigits(mfaults.median),
    range(mfaults),
    threeDigits(ratio.median),
    range(ratio),
  ]);
  const host = `medians of ${table.samples} interleaved rounds; ratio of ops/s to the first row; ${table.host}`;
  return [alignColumns([header, ...rows]), host].join('\n');
}

/** The first row of the table by itself, for others to stand beside: programs per sample. */
export function judgedContender(programs: number, knowledge: Knowledge = learn()): Measured {
  return inThisThread('judged', 'guided, judged', { strategy: 'guided', judges: 'touched', knowledge }, programs);
}

/** This build and another one on the core's operations alone, each with a corpus of its own. */
function coreMixes(other: URL, programs: number): Measured[] {
  const way = (build: Build): Way => ({
    strategy: 'guided',
    judges: 'touched',
    knowledge: learn(build),
    build,
  });
  return [
    inThisThread('core', 'guided, judged, core mixes', way({ focus: 'core' }), programs),
    inThisThread('other', 'the same, the other build', way({ module: other, focus: 'core' }), programs),
  ];
}

/** A build older than the focus on the core has no other mixes. */
function repairedFuzzer({ module, focus }: Build = {}): Fuzzer {
  const engine = loadEngine(module);
  engine.configure(KERNEL);
  const fuzzer = new Fuzzer(engine);
  if (focus !== undefined && fuzzer.focuses.some(({ name }) => name === focus)) fuzzer.setFocus(focus);
  return fuzzer;
}

/** A corpus, as an epoch has it after the first one. */
function learn(build?: Build): Knowledge {
  const fuzzer = repairedFuzzer(build);
  const { catalogue } = fuzzer.engine;
  fuzzer.begin(SEED, 0, 'guided', true);
  for (let first = 0; first < 8000; first += WARM_PROGRAMS) fuzzer.run(first, WARM_PROGRAMS);
  const learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'));
  learned.merge({ ...fuzzer.coverage(), novel: fuzzer.novel(), keys: fuzzer.keys() });
  return learned.snapshot();
}

interface Build {
  readonly module?: URL;
  readonly focus?: string;
}

interface Way {
  strategy: FuzzStrategy;
  judges: JudgeMode;
  knowledge?: Knowledge;
  build?: Build;
}

/** An engine of its own each, so that V8 compiles every way by itself. */
function inThisThread(id: string, label: string, way: Way, programs: number): Measured {
  const { strategy, judges, knowledge } = way;
  const fuzzer = repairedFuzzer(way.build);
  let next = 0;
  const run = (count: number, batch: number) => {
    for (let left = count; left > 0; left -= batch) {
      fuzzer.run(next, Math.min(left, batch));
      next += Math.min(left, batch);
    }
  };
  return {
    id,
    label,
    warm() {
      fuzzer.engine.setJudges(judges);
      fuzzer.begin(SEED, 1, strategy, true, knowledge);
      run(WARM_CALLS * WARM_PROGRAMS, WARM_PROGRAMS);
    },
    sample() {
      const before = fuzzer.work().ops;
      run(programs, BATCH);
      return { ops: fuzzer.work().ops - before };
    },
    faultsPerOp() {
      const { ops, faults } = fuzzer.work();
      return faults / ops;
    },
  };
}

/** Campaign shards on `workers` threads of a Piscina, as campaigns run them. */
function inThreads(workers: number, pool: Pool, programs: number, knowledge: Knowledge): Measured {
  const { vector } = repairedFuzzer().engine.catalogue.kernel(KERNEL.kernel);
  let shard = 0;
  const total = { ops: 0, faults: 0 };
  const run = async (count: number) => {
    const results = await Promise.all(
      Array.from({ length: workers }, () => {
        const index = shard++;
        return pool.run(() => ({
          kind: 'shard',
          vector,
          seed: SEED,
          shard: index,
          programs: count,
          strategy: 'guided',
          focus: NO_FOCUS,
          epoch: 0,
          knowledge,
          counted: true,
        }));
      }),
    );
    let ops = 0;
    for (const result of results) {
      if (result.kind !== 'shard') throw new Error(`a shard came back as ${result.kind}`);
      ops += result.work.ops;
      total.faults += result.work.faults;
    }
    total.ops += ops;
    return ops;
  };
  return {
    id: `threads-${workers}`,
    label: `guided, judged, ${workers} Piscina ${workers === 1 ? 'thread' : 'threads'}`,
    async warm() {
      for (let i = 0; i < 3; i++) await run(WARM_CALLS * WARM_PROGRAMS);
    },
    sample: async () => ({ ops: await run(programs) }),
    faultsPerOp: () => total.faults / total.ops,
  };
}
