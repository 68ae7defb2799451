// breakcow check: every program of a scope, shortest first.
import { Command, Option } from 'commander';
import { refuseOtherJudges } from '../engine/differential.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { type CheckResult, checkKernel } from '../explore/check.js';
import { MOST } from '../explore/graph.js';
import { type Prospects, prospectsOf, QUICK } from '../explore/inevitable.js';
import { DEFAULT_SCOPE, printScope, scopeHelp } from '../explore/scope.js';
import { shortestLabel } from '../explore/shortest.js';
import type { ExploreResult } from '../explore/types.js';
import { boundText, diameterOf, exhaustedText, omissionText, outcomeOf, verdictText } from '../explore/verdict.js';
import { diagnosisJson, specJson } from '../report/json.js';
import { COLUMNS, wrap, wrapProgram } from '../report/layout.js';
import { prospectsText } from '../report/prospects.js';
import { reportText } from '../report/text.js';
import { checkReport } from './check-ci.js';
import { checkSmall, mutantsHelp } from './check-small.js';
import { type CiOptions, prepareCi, tellCi, withCi } from './ci.js';
import { type KernelOptions, kernelSpec, parseCount, withJson, withKernel } from './options.js';
import { bold, EXIT, green, print, printJson, red } from './output.js';
import { statusLine } from './progress.js';
import { onInterrupt, paceText, type SearchFlags, searchOf, untilMask, withSearch } from './search-options.js';

interface Options extends KernelOptions, SearchFlags, CiOptions {
  readonly bits?: number;
  readonly until?: string;
  readonly inevitable?: boolean;
  readonly subject: 'engine' | 'small';
  readonly mutant?: readonly string[];
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function checkCommand(): Command {
  const command = new Command('check')
    .summary('try every program of a scope, shortest first')
    .description(
      'Visit every state that a kernel can reach within a scope, breadth first: a promise that breaks is shown by a shortest program, and silence is a proof within the stated bound. A state in which a promise is broken is not searched further. Where the graph closes and is small (or with --inevitable), each step of a counterexample is followed by how near it came. The search goes on until every state is visited; --until, --depth, --time and --memory end it with a whole level. Ctrl-C prints what is proven so far.',
    );
  return withJson(withCi(withSearch(withKernel(command), 'see below')))
    .addOption(
      new Option(
        '--bits <log2>',
        'bit-state mode: a filter of 2^LOG2 bits instead of a set, for scopes that exceed memory; states may be left out',
      ).argParser(parseCount('bits')),
    )
    .option('--until <slugs>', 'end with the level in which one of these promises breaks: any, cow-leak, ...')
    .option(
      '--inevitable',
      'how near each step of a counterexample comes, where the graph takes longer too (up to 3 M states)',
    )
    .option('--no-inevitable', 'nothing of that, so that the answer comes sooner')
    .addOption(
      new Option('--subject <name>', 'what is searched: a kernel of the engine, or the small handler of the benches')
        .choices(['engine', 'small'])
        .default('engine'),
    )
    .option('--mutant <name>', 'a deviation of the small handler; may be repeated', collect)
    .addHelpText(
      'after',
      `
Keys of --scope with their defaults:
${scopeHelp()}

Examples:
  breakcow check --kernel repaired
  breakcow check --kernel v5.7 --until cow-leak
  breakcow check --kernel v5.12 --scope gup=common,uffd=none
  breakcow check --kernel seed --scope pmds=1,swap=0 --depth 8
  breakcow check --kernel v6.18 --scope pages=2,uffd=all --time 10m --json
  breakcow check --kernel repaired --scope pairs=1,swap=0,uffd=none
  breakcow check --kernel seed --time 10m --junit check.xml
  breakcow check --subject small --mutant reuse-ignores-maps

Mutants of the small handler:
${mutantsHelp()}

Exit codes: 0 no promise broken, 1 a promise was broken, 2 usage error,
3 internal error.`,
    )
    .action(check);
}

/** What is of one subject alone. Throws UsageError. */
function refuseMixture(options: Options): void {
  const { subject, mutant = [], until, kernel, with: plus, without, scope, junit, annotations } = options;
  if (subject === 'engine') {
    if (mutant.length > 0) throw new UsageError('--mutant is one of the small handler: --subject small');
    return;
  }
  if ([kernel, plus, without, scope].some((option) => option !== undefined))
    throw new UsageError('the small handler has neither kernels nor a scope: --mutant is what changes it');
  if (junit !== undefined || annotations !== undefined)
    throw new UsageError('the small handler goes without --junit and --annotations');
  if (until !== undefined && until !== 'any') throw new UsageError('--until: the small handler knows "any" alone');
}

async function check(options: Options): Promise<void> {
  const { subject, mutant = [], symmetry, json = false, bits } = options;
  refuseMixture(options);
  const engine = loadEngine();
  const abort = new AbortController();
  const forget = onInterrupt(abort);
  const search = searchOf(options, { until: untilMask(options.until, engine.catalogue), signal: abort.signal, bits });
  try {
    if (subject === 'small') {
      await checkSmall({ mutants: mutant, symmetry, json }, search);
      return;
    }
    const spec = kernelSpec(options);
    refuseOtherJudges(spec, 'check');
    prepareCi(options);
    const result = await checkKernel(engine, spec, options.scope ?? DEFAULT_SCOPE, { ...search, symmetry });
    const prospects = await foresee(engine, result, options.inevitable, abort.signal);
    statusLine('');
    if (json) printJson(checkJson(engine, result, prospects, bits));
    else print(checkText(engine, result, prospects, bits));
    tellCi(options, () => checkReport(engine, result));
    if (result.findings.length > 0) process.exitCode = EXIT.BROKEN;
  } finally {
    statusLine('');
    forget();
  }
}

/** One for each finding, or none at all: for one reason or another the graph is not known. */
async function foresee(
  engine: Engine,
  result: CheckResult,
  wanted: boolean | undefined,
  signal: AbortSignal,
): Promise<readonly Prospects[]> {
  if (wanted === false || result.findings.length === 0) return [];
  statusLine('once more, for how near each step comes ...');
  return (await prospectsOf(engine, result, wanted ? MOST : QUICK, signal)) ?? [];
}

/** `prospects`: one for each finding, or none at all. */
function checkText(
  engine: Engine,
  { bound, result, findings }: CheckResult,
  prospects: readonly Prospects[],
  bits: number | undefined,
): string {
  const { catalogue } = engine;
  const rule = '-'.repeat(COLUMNS);
  const reports = findings.flatMap(({ steps, diagnosis }, i) => [
    rule,
    `${bold(shortestLabel(steps))}:`,
    reportText(engine, diagnosis),
    '',
    ...(prospects[i] ? [...prospectsText(prospects[i]), ''] : []),
  ]);
  const promises = new Set(findings.map(({ invariant }) => invariant)).size;
  const paint = outcomeOf(result) === 'broken' ? red : green;
  const notes = [
    omissionText(result, bits === undefined ? 'exact' : 'bits'),
    exhaustedText(catalogue, result),
    paceText(result),
    unforeseen(result, findings.length, prospects.length),
  ].filter((text) => text !== '');
  return [
    ...reports,
    ...(reports.length > 0 ? [rule] : []),
    ...wrap(`Bound: ${boundText(catalogue, bound)}.`),
    ...notes.flatMap((text) => wrap(text)),
    '',
    paint(wrap(`${verdictText(result, promises)}.`).join('\n')),
    ...findings.flatMap(({ slug, steps, program }) => [
      '',
      `${bold(slug)}, ${shortestLabel(steps)}`,
      ...wrapProgram(program.split('; '), '  '),
    ]),
  ].join('\n');
}

/** Why nothing is said of how near the steps came; '' if it is said, or the graph is not known. */
function unforeseen({ ended, states, transitions }: ExploreResult, findings: number, prospects: number): string {
  if (ended !== 'closed' || findings === 0 || prospects > 0) return '';
  if (states > MOST.states || transitions > MOST.transitions)
    return 'The graph is too large to tell how near each step of a counterexample came.';
  return 'With --inevitable: how near each step of a counterexample came, from one more search of the scope.';
}

function checkJson(
  engine: Engine,
  { bound, result, findings }: CheckResult,
  prospects: readonly Prospects[],
  bits: number | undefined,
) {
  const { violations, ...rest } = result;
  const promises = new Set(findings.map(({ invariant }) => invariant)).size;
  return {
    ...specJson(bound.spec),
    scope: bound.scope,
    scopeText: printScope(bound.scope),
    operations: bound.operations,
    concurrent: bound.concurrent,
    schedulesSpared: bound.spared,
    symmetry: bound.symmetry,
    visited: bits === undefined ? 'exact' : 'bits',
    bound: boundText(engine.catalogue, bound),
    outcome: outcomeOf(result),
    verdict: verdictText(result, promises),
    ...rest,
    diameter: result.ended === 'closed' ? diameterOf(result) : null,
    brokenPaths: violations.length,
    findings: findings.map(({ id, program, length, steps, diagnosis }, i) => ({
      id,
      program,
      length,
      label: shortestLabel(steps),
      ...(prospects[i] && { inevitability: prospects[i] }),
      ...diagnosisJson(engine, diagnosis),
    })),
  };
}
