// breakcow mutants: is every wrong decision of the model noticed, and by whom?
import { Command, Option } from 'commander';
import { loadEngine } from '../engine/engine.js';
import { chosenMutants, DEFAULT_BUDGET, mutantModule, runMutants } from '../mutants/run.js';
import { summarize } from '../mutants/summary.js';
import { listText, mutantData, mutantsData, mutantsText } from '../mutants/text.js';
import { parseCount, parseWorkers, withJson } from './options.js';
import { complain, EXIT, print, printJson } from './output.js';
import { statusLine } from './progress.js';
import { onInterrupt } from './search-options.js';

interface Options {
  readonly json?: boolean;
  readonly list?: boolean;
  readonly only?: readonly string[];
  readonly budget: number;
  readonly workers: number;
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...value.split(',').filter((name) => name !== '')];
}

export function mutantsCommand(): Command {
  const command = new Command('mutants')
    .summary('break every decision of the model in turn: who notices?')
    .description(
      'Mutate the repaired kernel: every comparison, test and condition of assembly/mm negated or dropped, every cell of the tables and every knob of the newest kernel flipped. Each mutant is fuzzed until a promise breaks, then searched in some small scopes, then tried with costs judged, in differential runs and on other machines, then compared with the kernel as it is, on all kernels. Needs a checkout: the module of all mutants is compiled from the sources and kept in build/. Ctrl-C ends it with what was judged so far.',
    )
    .option('--only <name>', 'handler, tables, knobs, or a file such as memory.ts; may be repeated', collect)
    .option('--list', 'print the mutants and run none')
    .addOption(
      new Option('--budget <programs>', 'programs fuzzed per mutant at most')
        .argParser(parseCount('budget'))
        .default(DEFAULT_BUDGET),
    )
    .addOption(new Option('--workers <n>', 'threads').argParser(parseWorkers).default(parseWorkers('auto'), 'auto'))
    .addHelpText(
      'after',
      `
Examples:
  breakcow mutants                               all of them: minutes
  breakcow mutants --only tables,knobs
  breakcow mutants --only memory.ts --budget 200k --json
  breakcow mutants --only swapfile.ts --list

Exit codes: 0 each survivor has a reason, 1 some have none, 2 usage error,
3 internal error.`,
    );
  return withJson(command).action(run);
}

const onBuild = () => complain('compiling the mutants, which takes half a minute ...');

async function run({ json, list, only = [], budget, workers }: Options): Promise<void> {
  const { table } = await mutantModule(onBuild);
  const mutants = chosenMutants(table, only);
  if (list) {
    if (json) printJson(mutants.map(mutantData));
    else print(listText(mutants));
    return;
  }
  const abort = new AbortController();
  const forget = onInterrupt(abort);
  try {
    const result = await runMutants({
      only,
      budget,
      workers,
      signal: abort.signal,
      onProgress: (done, all, survivors) => statusLine(`${done} of ${all} mutants, ${survivors} survive`),
    });
    statusLine('');
    const summary = summarize(result.judged, loadEngine().catalogue.invariants);
    if (json) printJson(mutantsData(result, summary, budget));
    else print(mutantsText(result, summary, budget));
    if (summary.survivors.some(({ reason }) => !reason)) process.exitCode = EXIT.BROKEN;
  } finally {
    statusLine('');
    forget();
  }
}
