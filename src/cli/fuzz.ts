// breakcow fuzz: a campaign, and its findings as reports.

import { Command, Option } from 'commander';
import { runCampaign } from '../campaign/index.js';
import type { CampaignResult, RawFinding, Strategy } from '../campaign/types.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { ShortestSearch } from '../explore/minimal.js';
import { FindingCollector } from '../findings/collect.js';
import type { Finding } from '../findings/finding.js';
import { findOrigin, type Origin } from '../findings/lineage.js';
import { dropFinding, openStore, saveFinding } from '../findings/store.js';
import { findingJson, specJson } from '../report/json.js';
import { COLUMNS, wrap, wrapProgram } from '../report/layout.js';
import { shortestWords } from '../report/shortest.js';
import { reportText } from '../report/text.js';
import { printSpec } from '../text/id.js';
import { parseSeed } from '../text/seed.js';
import { fuzzOracle } from './fuzz-oracle.js';
import {
  type KernelOptions,
  kernelSpec,
  parseCount,
  parseDuration,
  parseWorkers,
  withJson,
  withKernel,
} from './options.js';
import { bold, counted, EXIT, green, print, printJson, red, short } from './output.js';
import { type ProgressView, progressView } from './progress.js';

interface Options extends KernelOptions {
  readonly seed: bigint;
  readonly programs?: number;
  readonly time?: number;
  readonly workers: number;
  readonly strategy: Strategy;
  readonly out?: string;
  readonly keepGoing?: boolean;
  readonly exitZero?: boolean;
  readonly json?: boolean;
  readonly oracle?: string;
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
    .option('--out <directory>', 'keep findings there, each as JSON and as text')
    .option('--keep-going', 'spend the whole budget')
    .option('--oracle <target>', 'fuzz a real kernel in place of a model: live, or qemu:5.10 (see "breakcow conform")')
    .option('--exit-zero', 'exit with 0 although a promise was broken: the finding was the point')
    .addHelpText(
      'after',
      `
Examples:
  breakcow fuzz                                     the seed mail's patch, 30 seconds
  breakcow fuzz --kernel v5.7 --keep-going --time 10s
  breakcow fuzz --kernel seed --without copy.keeps_uffd_wp --out findings
  breakcow fuzz --kernel repaired --time 8h --seed random --json > night.json
  breakcow fuzz --oracle live --time 10m            this very kernel; the reference memory judges what it shows

Exit codes: 0 nothing found, 1 a promise was broken, 2 usage error,
3 internal error (also: the canary was not found, so silence proves nothing).`,
    );
  return withJson(withKernel(command)).action(fuzz);
}

async function fuzz(options: Options): Promise<void> {
  if (options.oracle !== undefined) {
    if (options.with !== undefined || options.without !== undefined)
      throw new UsageError('a real kernel has no knobs: --oracle goes without --with and --without');
    await fuzzOracle({ ...options, oracle: options.oracle });
    return;
  }
  const engine = loadEngine();
  const spec = kernelSpec(options);
  engine.catalogue.vector(spec);
  if (options.out !== undefined) openStore(options.out);
  const view = progressView();
  const collector = new FindingCollector(engine, spec, options.seed.toString());
  const abort = new AbortController();
  const forget = onInterrupt(abort, collector, view);
  const timeMs = options.time ?? (options.programs === undefined ? DEFAULT_TIME_MS : undefined);
  try {
    const result = await runCampaign({
      spec,
      seed: options.seed,
      ...(options.programs !== undefined && { programs: options.programs }),
      ...(timeMs !== undefined && { timeMs }),
      workers: options.workers,
      strategy: options.strategy,
      keepGoing: options.keepGoing === true,
      signal: abort.signal,
      onProgress: (progress) => view.update(progress, collector.findings.length),
      onRawFinding: (raw) => takeIn(engine, collector, raw, options.out, view),
    });
    view.stop();
    const findings = shortened(engine, collector.findings, options.out);
    if (options.json) printJson(resultJson(engine, spec, options, result, findings));
    else print(resultText(engine, spec, options, result, findings));
    const code = exitCode(result, findings);
    process.exitCode = code === EXIT.BROKEN && options.exitZero ? EXIT.CLEAN : code;
  } finally {
    view.stop();
    forget();
  }
}

/** The first signal ends the campaign, a second one the process. */
function onInterrupt(abort: AbortController, collector: FindingCollector, view: ProgressView): () => void {
  const end = () => {
    if (!abort.signal.aborted) {
      abort.abort();
      return;
    }
    view.stop();
    process.exit(collector.findings.length > 0 ? EXIT.BROKEN : EXIT.CLEAN);
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

function exitCode({ valid, interrupted }: CampaignResult, findings: readonly Finding[]): number {
  if (findings.length > 0) return EXIT.BROKEN;
  return valid || interrupted ? EXIT.CLEAN : EXIT.INTERNAL;
}

function resultJson(
  engine: Engine,
  spec: KernelSpec,
  options: Options,
  result: CampaignResult,
  findings: readonly Finding[],
) {
  const { raw, ...rest } = result;
  return {
    ...specJson(spec),
    seed: options.seed.toString(),
    strategy: options.strategy,
    ...rest,
    rawFindings: raw.length,
    findings: findings.map((finding) => findingJson(engine, finding)),
  };
}

function resultText(
  engine: Engine,
  spec: KernelSpec,
  options: Options,
  result: CampaignResult,
  findings: readonly Finding[],
): string {
  const rule = '-'.repeat(COLUMNS);
  const own = findings.filter((finding) => !originOf(engine, finding).inherited);
  const inherited = findings.filter((finding) => !own.includes(finding));
  const reports = [...inherited, ...own].flatMap((finding) => [
    rule,
    reportText(engine, finding.diagnosis, finding.shortest),
    '',
  ]);
  return [...reports, rule, ...summary(engine, spec, options, result, { own, inherited })].join('\n');
}

function originOf(engine: Engine, { diagnosis: { spec, words, violation } }: Finding): Origin {
  return findOrigin(engine, spec, words, violation.invariant);
}

/** What a patch kernel breaks of its own, and what it has from the releases below it. */
interface Findings {
  readonly own: readonly Finding[];
  readonly inherited: readonly Finding[];
}

function summary(
  engine: Engine,
  spec: KernelSpec,
  options: Options,
  result: CampaignResult,
  { own, inherited }: Findings,
): string[] {
  const findings = [...inherited, ...own];
  const { programs, ops, faults, seconds, workers, coverage, canary, digest, quarantined } = result;
  const rate = seconds > 0 ? faults / seconds : 0;
  const done = `${short(programs)} programs, ${short(ops)} operations, ${short(faults)} faults`;
  const pace = `in ${seconds.toFixed(1)} s on ${counted(workers, 'thread')} (${short(rate)} faults/s)`;
  const seen = `${coverage.points} of ${coverage.pointsTotal} handler branches, ${short(coverage.states)} states`;
  const lines = [
    ...wrap(
      `${bold(printSpec(spec))}, seed ${options.seed}, ${options.strategy}: ${done} ${pace}; ${seen}; digest ${digest}.`,
    ),
  ];
  if (result.interrupted) lines.push('Interrupted.');
  for (const { shard, message } of quarantined) lines.push(...wrap(`Shard ${shard} left out: ${message}`));
  lines.push(...wrap(verdict(result, findings)));
  lines.push(
    ...wrap(
      canary.found
        ? `Canary (${canary.kernel}): found after ${counted(canary.programs, 'program')}.`
        : `Canary (${canary.kernel}): NOT found in ${counted(canary.programs, 'program')}.`,
    ),
  );
  if (inherited.length > 0) lines.push('', bold(`Inherited from the releases that ${printSpec(spec)} builds on:`));
  lines.push(...inherited.flatMap((finding) => overview(engine, finding)));
  if (inherited.length > 0 && own.length > 0) lines.push('', bold(`Of ${printSpec(spec)} itself:`));
  lines.push(...own.flatMap((finding) => overview(engine, finding)));
  if (findings.length > 0 && options.out !== undefined)
    lines.push('', `Kept in ${options.out}/: replay one with "breakcow replay ID".`);
  return lines;
}

function overview(engine: Engine, finding: Finding): string[] {
  const { id, slug, minimized, firstAt, diagnosis, shortest } = finding;
  const { kernel, refusedBy } = originOf(engine, finding);
  const length = counted(diagnosis.words.length, 'operation');
  const since =
    kernel === '' || kernel === diagnosis.spec.kernel
      ? ''
      : `, since ${kernel}${refusedBy === '' ? '' : ' or earlier'}`;
  const known = shortest ? shortestWords(shortest) : '';
  return [
    '',
    `${bold(id)}  ${slug}, ${length}${since}, after ${counted(firstAt.programs, 'program')}`,
    ...(known === '' ? [] : [`  ${known}`]),
    ...wrapProgram(minimized.split('; '), '  '),
  ];
}

function verdict({ valid, programs }: CampaignResult, findings: readonly Finding[]): string {
  if (findings.length > 0) return red(`${counted(findings.length, 'finding')}.`);
  if (!valid) return red('INVALID: the canary was not found, so it proves nothing that nothing was found.');
  return green(`Nothing found in ${short(programs)} programs.`);
}
