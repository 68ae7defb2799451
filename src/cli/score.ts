// breakcow score: the bug corpus as a benchmark of the fuzzer.
import { Command, Option } from 'commander';
import { type FuzzStrategy, STRATEGIES } from '../engine/fuzzer.js';
import { chooseEntries, formatHeader, formatRow, formatTail, runScore } from '../score/index.js';
import { parseCount, parseWorkers, withJson } from './options.js';
import { EXIT, print, printJson } from './output.js';
import { statusLine } from './progress.js';

interface Options {
  readonly json?: boolean;
  readonly seeds?: number;
  readonly budget?: number;
  readonly workers: number;
  readonly strategy: FuzzStrategy;
  readonly against?: FuzzStrategy;
  readonly entry?: readonly string[];
}

/** Rows are printed as they come: the whole corpus takes a while. */
async function score({ json, entry, ...rest }: Options): Promise<void> {
  // A wrong entry is told before the table begins.
  chooseEntries(entry);
  if (!json) print(formatHeader(rest.against));
  const result = await runScore({
    ...rest,
    ...(entry && { entries: entry }),
    onProgress: statusLine,
    onEntry: (row) => {
      statusLine('');
      if (!json) print(formatRow(row));
    },
  });
  statusLine('');
  if (json) printJson(result);
  else print(`\n${formatTail(result)}`);
  if (!result.complete) process.exitCode = EXIT.BROKEN;
}

export function scoreCommand(): Command {
  const command = new Command('score')
    .summary('find the known bugs again')
    .description(
      'Fuzz every bug of the corpus that the model can express with a fixed budget, and its repaired twin: found or not, faults until found, length against the corpus, and silence of the twin. Exits with 1 if an entry is missed or a twin is not silent.',
    )
    .addOption(new Option('--seeds <n>', 'seeds per entry; the median counts').argParser(parseCount('seeds')))
    .addOption(
      new Option('--budget <faults>', 'calls of handle_mm_fault per entry and seed').argParser(parseCount('budget')),
    )
    .addOption(new Option('--strategy <how>', 'how programs are made').choices(STRATEGIES).default('guided'))
    .addOption(new Option('--against <how>', 'a second strategy on the same seeds, to be compared').choices(STRATEGIES))
    .addOption(new Option('--workers <n>', 'threads').argParser(parseWorkers).default(parseWorkers('auto'), 'auto'))
    .option('--entry <id>', 'only this entry; may be repeated', (id: string, before: readonly string[] = []) => [
      ...before,
      id,
    ])
    .addHelpText(
      'after',
      '\nExamples:\n  breakcow score\n  breakcow score --entry T1-01 --seeds 5 --json\n  breakcow score --seeds 10 --against random',
    );
  return withJson(command).action(score);
}
