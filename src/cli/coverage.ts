// breakcow coverage: which branches of the model a campaign takes, and which it never does.
import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { coverageHtml } from '../coverage/html.js';
import { CoverEngine, coverModule } from '../coverage/module.js';
import { runCoverage } from '../coverage/run.js';
import { coverSummary } from '../coverage/summary.js';
import { coverageData, coverageText } from '../coverage/text.js';
import { watchPrograms } from '../scenarios/report.js';
import { parseSeed } from '../text/seed.js';
import { type KernelOptions, kernelSpec, parseCount, parseDuration, withJson, withKernel } from './options.js';
import { complain, print, printJson, short } from './output.js';
import { statusLine } from './progress.js';
import { onInterrupt } from './search-options.js';

interface Options extends KernelOptions {
  readonly json?: boolean;
  readonly seed: bigint;
  readonly programs?: number;
  readonly time?: number;
  readonly html?: string;
}

const DEFAULT_TIME_MS = 20_000;
const DEFAULT_KERNEL = 'repaired';

export function coverageCommand(): Command {
  const command = new Command('coverage')
    .summary('which branches of the model programs take')
    .description(
      'Fuzz a kernel on an engine that marks every branch of assembly/mm as it is taken (both sides of if, && and ||, and ?:, each case of a switch) and print what was reached by file, and what never was; then how far the programs kept for what they reached came in each scenario. Broken promises are passed over. Needs a checkout: that engine is compiled from the sources and kept in build/. Ctrl-C ends it with what was reached so far.',
    )
    .addOption(new Option('--seed <n>', 'seed, 64 bits, or random').argParser(parseSeed).default(1n, '1'))
    .addOption(new Option('--programs <n>', 'budget in programs, such as 500k').argParser(parseCount('programs')))
    .addOption(
      new Option('--time <duration>', 'budget in time: 30s, 10m (default: 20s without --programs)').argParser(
        parseDuration,
      ),
    )
    .option('--html <file>', 'write the sources with what was never taken marked')
    .addHelpText(
      'after',
      `
Examples:
  breakcow coverage                              the repaired kernel, 20 seconds
  breakcow coverage --kernel v5.7 --programs 500k --json
  breakcow coverage --time 2m --html coverage.html

Exit codes: 0 done, 2 usage error, 3 internal error.`,
    );
  return withJson(withKernel(command, DEFAULT_KERNEL)).action(run);
}

async function run({ json, seed, programs, time, html, ...kernel }: Options): Promise<void> {
  const spec = kernelSpec({ ...kernel, kernel: kernel.kernel ?? DEFAULT_KERNEL });
  const built = await coverModule(() => complain('compiling the engine that marks its branches ...'));
  const cover = new CoverEngine(built);
  cover.engine.catalogue.vector(spec);
  const timeMs = time ?? (programs === undefined ? DEFAULT_TIME_MS : undefined);
  const abort = new AbortController();
  const forget = onInterrupt(abort);
  try {
    const result = await runCoverage(cover, {
      spec,
      seed,
      ...(programs !== undefined && { programs }),
      ...(timeMs !== undefined && { timeMs }),
      signal: abort.signal,
      onProgress: (work, taken) =>
        statusLine(`${short(work.programs)} programs, ${taken} of ${cover.branches.length} branches`),
    });
    statusLine('');
    const { engine } = cover;
    const scenarios = watchPrograms(engine, engine.catalogue.vector(spec), result.corpus);
    const told = { spec, seed, result, summary: coverSummary(result), scenarios };
    if (html !== undefined) writeFileSync(html, coverageHtml(told));
    if (json) printJson(coverageData(told));
    else print(coverageText(told));
  } finally {
    statusLine('');
    forget();
  }
}
