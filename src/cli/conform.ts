// breakcow conform: the model and a real kernel do the same, or the difference is shown.

import { Command, Option } from 'commander';
import { OBSERVE_LEVELS } from '../conform/protocol.js';
import { GUEST_VERSIONS } from '../conform/qemu/versions.js';
import { checkTarget } from '../conform/target.js';
import { loadEngine } from '../engine/engine.js';
import { MAX_OPS } from '../engine/opword.js';
import { UsageError } from '../errors.js';
import { parseProgram } from '../text/parse.js';
import { parseSeed } from '../text/seed.js';
import { GOLDEN_DIRECTORY, openText } from './conform-tables.js';
import { type ConformOptions, DEFAULT_PROGRAMS, Trial } from './conform-trial.js';
import { parseCount, parseDuration, withJson } from './options.js';
import { print } from './output.js';
import { withTarget } from './with-target.js';

export function conformCommand(): Command {
  const command = new Command('conform')
    .summary('compare the model with a real kernel, op by op')
    .description(
      `Run the same programs on the model and on a real kernel and compare after every op all that can be seen: results, values, faults taken, events, sleepers, page tables, which pages are one and the same. A difference is run again, made small and shown side by side. The live kernel needs root for most of it; guests (qemu:${GUEST_VERSIONS.map(({ version }) => version).join(', ')}) need qemu-system-x86_64 and apt.`,
    )
    .addOption(new Option('-k, --kernel <target>', 'live, qemu:VERSION, or model:NAME').default('live'))
    .addOption(new Option('-m, --model <name>', 'model to compare (default: the one that matches the release)'))
    .addOption(
      new Option('--layout <layout>', 'pages of 4 KiB, or quarters of huge pages')
        .choices(['pte', 'pmd', 'both'])
        .default('both'),
    )
    .addOption(
      new Option(
        '--programs <n>',
        `programs (default: ${DEFAULT_PROGRAMS}; of both layouts, a quarter more on huge pages)`,
      ).argParser(parseCount('programs')),
    )
    .addOption(new Option('--time <duration>', 'budget in time instead').argParser(parseDuration))
    .addOption(new Option('--ops <n>', 'ops per program').argParser(parseOps).default(32))
    .addOption(new Option('--seed <n>', 'seed, 64 bits, or random').argParser(parseSeed).default(1n, '1'))
    .option('--program <text>', 'compare this one program')
    .option('--keep-going', 'spend the whole budget and show every kind of difference')
    .option('--selftests', "the kernel's own COW, GUP and uffd-wp cases, on the kernel and on the model of every era")
    .option('--flips', 'flip every knob of the model in turn: would the comparison notice?')
    .option('--record [directory]', `keep what the kernel does with a fixed set of programs (in ${GOLDEN_DIRECTORY})`)
    .option('--out <directory>', 'keep differences there: as text, and as a C program that checks what the kernel does')
    .option('--open', 'print the table of open observations')
    .addOption(
      new Option('--observe <level>', 'how much to look at; each level includes the ones before')
        .choices([...OBSERVE_LEVELS])
        .default('raw'),
    )
    .addHelpText(
      'after',
      `
Examples:
  breakcow conform                                    this very kernel
  breakcow conform --kernel qemu:6.1 --programs 2000  Debian's 6.1 in an emulator
  breakcow conform --program 'mmap A p0; write A p0; fork A->B; write A p0; read B p0'
  breakcow conform --kernel model:v6.1 --model v6.18 --keep-going   where two models part

Exit codes: 0 they agree, 1 they differ, 2 usage error, 3 something is missing here.`,
    );
  return withJson(command).action(conform);
}

function parseOps(text: string): number {
  const ops = parseCount('ops')(text);
  if (ops > MAX_OPS) throw new UsageError(`ops "${text}": a program has at most ${MAX_OPS}`);
  return ops;
}

async function conform(options: ConformOptions): Promise<void> {
  if (options.open) {
    print(openText());
    return;
  }
  checkTarget(options.kernel);
  const engine = loadEngine();
  if (options.model !== undefined) engine.catalogue.kernel(options.model);
  const words = options.program === undefined ? undefined : parseProgram(options.program, engine.catalogue.ops);
  await withTarget(options.kernel, options.observe, async (target) => {
    const trial = new Trial(engine, target, options);
    if (words) await trial.program(words);
    else if (options.selftests) await trial.selftests();
    else if (options.flips) await trial.flips();
    else if (options.record !== undefined)
      await trial.record(options.record === true ? GOLDEN_DIRECTORY : options.record);
    else await trial.hunt();
  });
}
