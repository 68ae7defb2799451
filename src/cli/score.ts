// breakcow score: the bug corpus as a benchmark of the fuzzer.
import { Command, Option } from 'commander';
import { parseCount, withJson } from './options.js';
import { EXIT, print, printJson } from './output.js';

interface Options {
  readonly json?: boolean;
  readonly seeds?: number;
  readonly budget?: number;
  readonly entry: string[];
}

/** What src/score/index.ts exports. */
interface ScoreModule<Score extends { readonly complete: boolean }> {
  runScore(options: {
    readonly seeds?: number;
    readonly budget?: number;
    readonly entries?: readonly string[];
    readonly onProgress?: (line: string) => void;
  }): Promise<Score>;
  formatScore(score: Score): string;
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

async function score<Score extends { readonly complete: boolean }>({
  json,
  seeds,
  budget,
  entry,
}: Options): Promise<void> {
  const module: ScoreModule<Score> = await import(new URL('../score/index.js', import.meta.url).href);
  const result = await module.runScore({
    ...(seeds !== undefined && { seeds }),
    ...(budget !== undefined && { budget }),
    ...(entry.length > 0 && { entries: entry }),
    onProgress: progress,
  });
  progress('');
  if (json) printJson(result);
  else print(module.formatScore(result));
  if (!result.complete) process.exitCode = EXIT.BROKEN;
}

export function scoreCommand(): Command {
  const command = new Command('score')
    .summary('find the known bugs again')
    .description(
      'Fuzz every bug of the corpus that the model can express with a fixed budget, and its repaired twin: found or not, faults until found, length against the corpus, and silence of the twin. Exits with 1 if an entry is missed or a twin is not silent.',
    )
    .addOption(new Option('--seeds <n>', 'seeds per entry; the median counts').argParser(parseCount('seeds')))
    .addOption(new Option('--budget <faults>', 'faults per seed').argParser(parseCount('budget')))
    .option('--entry <id>', 'only this entry; may be repeated', (id: string, before: string[]) => [...before, id], [])
    .addHelpText('after', '\nExamples:\n  breakcow score\n  breakcow score --entry T1-01 --seeds 5 --json');
  return withJson(command).action((options: Options) => score(options));
}
