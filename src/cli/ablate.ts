// breakcow ablate: what each knob of a kernel is needed for.
import { Command } from 'commander';
import { refuseOtherJudges } from '../engine/differential.js';
import { loadEngine } from '../engine/engine.js';
import { ablate, ownKnobs } from '../explore/ablate.js';
import { ablateData, ablateHeader, ablateRow, ablateTail } from '../explore/ablate-text.js';
import { type KernelOptions, kernelSpec, withJson } from './options.js';
import { print, printJson } from './output.js';
import { statusLine } from './progress.js';
import { onInterrupt, type SearchFlags, searchOf, searchProgress, withSearch } from './search-options.js';

interface Options extends Omit<KernelOptions, 'kernel'>, SearchFlags {
  readonly json?: boolean;
}

/** All searches together. */
const DEFAULT_TIME_MS = 240_000;

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...value.split(',').filter((name) => name !== '')];
}

export function ablateCommand(): Command {
  const command = new Command('ablate')
    .argument('<kernel>', 'kernel on trial: see "breakcow kernels"')
    .summary('what each knob (each hunk) of a kernel is needed for')
    .description(
      'Drop every knob in which a kernel differs from its base, one at a time, and search for a shortest program that breaks a promise without the knob, and not with it. The whole kernel is searched as well; the table tells what breaks with all knobs, and which ones of the catalogue cure that. --time is for all searches together (4 minutes unless --depth is given).',
    )
    .option('--with <knob>', 'turn a knob on; may be repeated', collect)
    .option('--without <knob>', 'turn a knob off; may be repeated', collect);
  return withJson(withSearch(command, 'small pages 13 levels deep, huge ones 9 or a file, as the knob needs'))
    .addHelpText(
      'after',
      `
Examples:
  breakcow ablate seed
  breakcow ablate seed --with follow_pte.checks_bc,follow_pmd.checks_bc
  breakcow ablate v5.19 --scope gup=common,pmds=1 --depth 8 --json

Exit codes: 0 done, 2 usage error, 3 internal error.`,
    )
    .action(run);
}

async function run(kernel: string, options: Options): Promise<void> {
  const engine = loadEngine();
  const { catalogue } = engine;
  const spec = kernelSpec({ ...options, kernel });
  refuseOtherJudges(spec, 'ablate');
  const { base } = ownKnobs(engine, spec);
  const { json = false, symmetry, scope, depth } = options;
  const time = options.time ?? (depth === undefined ? DEFAULT_TIME_MS : undefined);
  const abort = new AbortController();
  const forget = onInterrupt(abort);
  let what = '';
  if (!json) print(ablateHeader(spec, base));
  try {
    const ablation = await ablate(engine, spec, {
      ...searchOf({ ...options, ...(time !== undefined && { time }) }, { until: undefined, signal: abort.signal }),
      symmetry,
      ...(scope && { scope }),
      onProgress: (progress) => searchProgress(`${what}: `)(progress),
      onStart: (name) => {
        what = name;
      },
      onRow: (row) => {
        statusLine('');
        if (!json) print(ablateRow(row));
      },
    });
    statusLine('');
    if (json) printJson(ablateData(catalogue, ablation));
    else print(ablateTail(catalogue, ablation));
  } finally {
    statusLine('');
    forget();
  }
}
