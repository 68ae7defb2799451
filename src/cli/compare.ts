// breakcow compare: kernels side by side.

import { Command, Option } from 'commander';
import { refuseOtherJudges } from '../engine/differential.js';
import { loadEngine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { compareKernels, parseKernel } from '../explore/compare.js';
import { compareData, compareText } from '../explore/compare-text.js';
import { parseSeed } from '../text/seed.js';
import { parseCount, withJson } from './options.js';
import { print, printJson } from './output.js';
import { statusLine } from './progress.js';
import { onInterrupt, type SearchFlags, searchOf, searchProgress, withSearch } from './search-options.js';

interface Options extends SearchFlags {
  readonly seed: bigint;
  readonly programs: number;
  readonly json?: boolean;
}

/** All searches together. */
const DEFAULT_TIME_MS = 240_000;
const DEFAULT_PROGRAMS = 5000;

export function compareCommand(): Command {
  const command = new Command('compare')
    .argument('<kernels...>', 'two or more: see "breakcow kernels"; seed+wp_reuse.keeps_wp turns a knob on, - off')
    .summary('kernels side by side: promises and costs')
    .description(
      'Search several kernels in the same scopes, tell which promises each breaks and by how short a program, and what each costs on the same random programs: pages copied (needlessly: nobody else has used the page, so reuse would have kept every promise), uffd-wp events, TLB flushes, faults, GUP retries. --time is for all searches together (4 minutes unless --depth is given).',
    );
  return withJson(withSearch(command, 'reads and pins, small pages and huge ones 8 levels deep'))
    .addOption(
      new Option('--seed <n>', 'of the programs that costs are measured on').argParser(parseSeed).default(1n, '1'),
    )
    .addOption(
      new Option('--programs <n>', 'programs that costs are measured on')
        .argParser(parseCount('programs'))
        .default(DEFAULT_PROGRAMS, '5000'),
    )
    .addHelpText(
      'after',
      `
Examples:
  breakcow compare v5.7 v5.8 seed dont-cow v5.9 v5.19
  breakcow compare seed seed+follow_pte.checks_bc --scope pmds=1 --depth 7
  breakcow compare v6.12 v6.18 --scope uffd=all,gup=all --time 2m --json

Exit codes: 0 done, 2 usage error, 3 internal error.`,
    )
    .action(compare);
}

async function compare(names: string[], options: Options): Promise<void> {
  if (names.length < 2) throw new UsageError('a comparison needs two kernels or more');
  const specs = names.map(parseKernel);
  for (const spec of specs) refuseOtherJudges(spec, 'compare');
  const engine = loadEngine();
  const { json = false, symmetry, scope, depth, seed, programs } = options;
  const time = options.time ?? (depth === undefined ? DEFAULT_TIME_MS : undefined);
  const abort = new AbortController();
  const forget = onInterrupt(abort);
  let what = '';
  try {
    const comparison = await compareKernels(engine, specs, {
      ...searchOf({ ...options, ...(time !== undefined && { time }) }, { until: 0, signal: abort.signal }),
      symmetry,
      seed,
      programs,
      ...(scope && { scope }),
      onProgress: (progress) => searchProgress(`${what}: `)(progress),
      onStart: (name) => {
        what = name;
        statusLine(name);
      },
    });
    statusLine('');
    if (json) printJson(compareData(engine.catalogue, comparison));
    else print(compareText(engine.catalogue, comparison));
  } finally {
    statusLine('');
    forget();
  }
}
