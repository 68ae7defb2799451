// breakcow fuzz: a campaign, and its findings as reports.
import { setImmediate } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { runCampaign } from '../campaign/index.js';
import type { RawFinding, Strategy } from '../campaign/types.js';
import { inDifferential, withCosts } from '../engine/differential.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { ShortestSearch } from '../explore/minimal.js';
import { FindingCollector } from '../findings/collect.js';
import type { Finding } from '../findings/finding.js';
import { dropFinding, openStore, saveFinding } from '../findings/store.js';
import { findingJson } from '../report/json.js';
import { reportText } from '../report/text.js';
import { parseSeed } from '../text/seed.js';
import { type CiOptions, prepareCi, tellCi, withCi } from './ci.js';
import { type BaselineOptions, openBaseline } from './fuzz-baseline.js';
import { fuzzReport } from './fuzz-ci.js';
import { fuzzOracle } from './fuzz-oracle.js';
import { exitCode, type Outcome, resultJson, resultText } from './fuzz-text.js';
import {
  type KernelOptions,
  kernelSpec,
  parseCount,
  parseDuration,
  parseWorkers,
  withDifferential,
  withJson,
  withKernel,
  withWarnings,
} from './options.js';
import { counted, EXIT, print, printJson } from './output.js';
import { type ProgressView, progressView } from './progress.js';
import { type Recorded, Recorder } from './recorder.js';

interface Options extends KernelOptions, CiOptions, BaselineOptions {
  readonly seed: bigint;
  readonly programs?: number;
  readonly time?: number;
  readonly workers: number;
  readonly strategy: Strategy;
  readonly out?: string;
  readonly keepGoing?: boolean;
  readonly exitZero?: boolean;
  readonly oracle?: string;
  readonly differential?: string;
  readonly warnings?: boolean;
}

const DEFAULT_TIME_MS = 30_000;

export function fuzzCommand(): Command {
  const command = new Command('fuzz')
    .summary('search for a program that breaks a promise')
    .description(
      'Fuzz a kernel on all cores. Without --keep-going the search ends with the batch of programs in which the first promise breaks; with it the whole budget is spent and every cause reported. What is found depends on the seed, not on the number of workers. Ctrl-C ends it with what was found so far.',
    )
    .addOption(
      new Option('--seed <n>', 'seed of the campaign, 64 bits, or random').argParser(parseSeed).default(1n, '1'),
    )
    .addOption(new Option('--programs <n>', 'budget in programs, such as 5M').argParser(parseCount('programs')))
    .addOption(
      new Option('--time <duration>', 'budget in time: 30s, 10m, 8h (default: 30s without --programs)').argParser(
        parseDuration,
      ),
    )
    .addOption(new Option('--workers <n>', 'threads').argParser(parseWorkers).default(parseWorkers('auto'), 'auto'))
    .addOption(
      new Option('--strategy <name>', 'how programs are made; random is the baseline, often too blind for the canary')
        .choices(['guided', 'random'])
        .default('guided'),
    )
    .option('--out <directory>', 'keep findings there, each as JSON and as text, and the campaign in campaign.json')
    .option('--keep-going', 'spend the whole budget')
    .option('--oracle <target>', 'fuzz a real kernel in place of a model: live, or qemu:5.10 (see "breakcow conform")')
    .option('--exit-zero', 'exit with 0 although a promise was broken: the finding was the point')
    .option('--baseline <file>', 'findings that are known: only other causes fail; the whole budget is spent')
    .option('--update-baseline', 'add what is new to the file of --baseline, or write it')
    .addHelpText(
      'after',
      `
Examples:
  breakcow fuzz                                     the seed mail's patch, 30 seconds
  breakcow fuzz --kernel v5.7 --keep-going --time 10s
  breakcow fuzz --kernel seed --without copy.keeps_uffd_wp --out findings
  breakcow fuzz --kernel repaired --time 8h --seed random --json > night.json
  breakcow fuzz --kernel v5.14 --differential pmd   huge pages against small ones, in place of the other judges
  breakcow fuzz --oracle live --time 10m            this very kernel; the reference memory judges what it shows
  breakcow fuzz --kernel seed --programs 200k --baseline known.json --update-baseline
  breakcow fuzz --kernel seed --programs 200k --baseline known.json --junit fuzz.xml    as CI runs it

--differential judges nothing but what differs between two runs of a program:
  pmd         with huge pages, and where they are never given
  residency   with what a call is about to touch paged out first, and resident
  batch       calls over ranges, and the same page by page
  permission  a leaf that became writable without a store, and a fresh write fault there
What two runs may differ in: "breakcow invariants --latitude". Programs run on one
thread each; findings are replayed and minimized by their id or with the same
option, but not exported, and no search looks for shorter ones.

Exit codes: 0 nothing found (with --baseline: nothing new), 1 a promise was
broken, 2 usage error, 3 internal error (also: the canary was not found, so
silence proves nothing).`,
    );
  return withJson(withCi(withWarnings(withDifferential(withKernel(command))))).action(fuzz);
}

/** Its findings have no cause that knobs could tell, and its canary is another. Throws UsageError. */
function refuseWithOracle({ baseline, updateBaseline, junit, annotations }: Options): void {
  if ([baseline, updateBaseline, junit, annotations].some((option) => option !== undefined))
    throw new UsageError('--oracle goes without --baseline, --update-baseline, --junit and --annotations');
}

async function fuzz(options: Options): Promise<void> {
  if (options.oracle !== undefined) {
    if (options.with !== undefined || options.without !== undefined)
      throw new UsageError('a real kernel has no knobs: --oracle goes without --with and --without');
    if (options.differential !== undefined || options.warnings)
      throw new UsageError(
        'a real kernel shows no second world and no costs: --oracle goes without --differential and --warnings',
      );
    refuseWithOracle(options);
    await fuzzOracle({ ...options, oracle: options.oracle });
    return;
  }
  const engine = loadEngine();
  const asked = inDifferential(kernelSpec(options), options.differential, engine.catalogue);
  const spec = options.warnings ? withCosts(asked) : asked;
  engine.catalogue.vector(spec);
  const baseline = openBaseline(engine, options);
  prepareCi(options);
  if (options.out !== undefined) openStore(options.out);
  const view = progressView();
  const collector = new FindingCollector(engine, spec, options.seed.toString());
  const abort = new AbortController();
  // The first finding is mostly a known one, or a cost.
  const keepGoing = options.keepGoing === true || baseline !== undefined || options.warnings === true;
  const timeMs = options.time ?? (options.programs === undefined ? DEFAULT_TIME_MS : undefined);
  const recorder = options.out === undefined ? undefined : new Recorder(options.out, recorded(spec, options, timeMs));
  const forget = onInterrupt(abort, () => {
    view.stop();
    recorder?.flush(collector.findings);
    return collector.findings.length > 0 ? EXIT.BROKEN : EXIT.CLEAN;
  });
  try {
    const result = await runCampaign({
      spec,
      seed: options.seed,
      ...(options.programs !== undefined && { programs: options.programs }),
      ...(timeMs !== undefined && { timeMs }),
      workers: options.workers,
      strategy: options.strategy,
      keepGoing,
      signal: abort.signal,
      onProgress: (progress) => {
        view.update(progress, collector.findings.length);
        recorder?.update(progress, collector.findings);
      },
      onRawFinding: async (raw) => {
        recorder?.met(raw.firstAt.programs);
        takeIn(engine, collector, raw, options.out, view);
        // Many in a row would starve the progress and Ctrl-C.
        await setImmediate();
      },
    });
    view.stop();
    recorder?.end(result, collector.findings);
    const findings = shortened(engine, collector.findings, options.out);
    recorder?.end(result, findings);
    const compared = baseline?.compare(spec, findings) ?? { fresh: findings, known: [], unseen: [] };
    const outcome: Outcome = { ...chosen(options), ...compared, engine, spec, keepGoing, result, findings };
    if (options.json) printJson(resultJson(outcome));
    else print(resultText(outcome));
    tellCi(options, () => fuzzReport(outcome));
    const code = exitCode(outcome);
    process.exitCode = code === EXIT.BROKEN && options.exitZero ? EXIT.CLEAN : code;
  } finally {
    view.stop();
    forget();
  }
}

function chosen({ seed, strategy, out }: Options): Pick<Outcome, 'seed' | 'strategy' | 'out'> {
  return { seed, strategy, ...(out !== undefined && { out }) };
}

function recorded(spec: KernelSpec, options: Options, timeMs: number | undefined): Recorded {
  const { seed, strategy, programs, workers, keepGoing } = options;
  const budget = { ...(programs !== undefined && { programs }), ...(timeMs !== undefined && { timeMs }) };
  return { spec, asked: { seed: seed.toString(), strategy, ...budget, keepGoing: keepGoing === true }, workers };
}

/** The first signal ends the campaign, a second one the process; `last` is what is done before and gives the exit code. */
function onInterrupt(abort: AbortController, last: () => number): () => void {
  const end = () => {
    if (abort.signal.aborted) process.exit(last());
    abort.abort();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return () => {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  };
}

/** Saved at once: what was found survives whatever happens next. */
function takeIn(
  engine: Engine,
  collector: FindingCollector,
  raw: RawFinding,
  out: string | undefined,
  view: ProgressView,
): void {
  for (const { finding, replaces } of collector.add(raw)) {
    const after = counted(finding.firstAt.programs, 'program');
    if (!replaces) view.note(`${finding.slug} after ${after}: ${finding.minimized}`);
    if (out === undefined) continue;
    save(engine, out, finding);
    if (replaces && replaces.id !== finding.id) dropFinding(out, replaces.id);
  }
}

function save(engine: Engine, out: string, finding: Finding): void {
  saveFinding(out, findingJson(engine, finding), reportText(engine, finding.diagnosis, finding.shortest));
}

/** Each finding by a shortest program where there is one, and each program once; the findings kept in `out` follow. */
function shortened(engine: Engine, findings: readonly Finding[], out: string | undefined): Finding[] {
  const search = new ShortestSearch(engine);
  const all = findings.map((finding) => search.finding(finding));
  const kept = all.filter(({ id }, i) => all.findIndex((other) => other.id === id) === i);
  if (out === undefined) return kept;
  for (const { id } of findings) if (!kept.some((other) => other.id === id)) dropFinding(out, id);
  for (const finding of kept) save(engine, out, finding);
  return kept;
}
