// breakcow export: a counterexample as a C test, which it also runs, as a syzkaller program, as a mail.
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Command } from 'commander';
import { cSources } from '../conform/reproducer-sources.js';
import { refuseOtherJudges } from '../engine/differential.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { cTest } from '../export/c.js';
import { type Exported, exported } from '../export/exported.js';
import { mail } from '../export/mail.js';
import { checkPlace } from '../export/run.js';
import { syzText } from '../export/syz.js';
import { specJson } from '../report/json.js';
import { wrap } from '../report/layout.js';
import { printSpec, programId } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { type RunData, runExported, tellRun } from './export-run.js';
import { type KernelOptions, kernelSpec, withJson, withKernel } from './options.js';
import { complain, print, printJson } from './output.js';
import { FINDINGS, readProgram } from './program.js';

interface Options extends KernelOptions {
  readonly c?: string;
  readonly syz?: string;
  readonly mail?: string;
  readonly run?: string | true;
  readonly json?: boolean;
  readonly dir: string;
}

export function exportCommand(): Command {
  const command = new Command('export')
    .argument('<program>', 'program text, file, "-" for standard input, or id of a finding')
    .summary('a counterexample as a C test, a syzkaller program or a mail')
    .description(
      'Write a program as a standalone C test for a running kernel (KTAP; exit code 0 promises kept, 1 one broken, 4 skipped), as a syzkaller program text, or as a mail of 75 columns. "-" as FILE is standard output. --run compiles the C test and runs it. Without any of them: what is possible.',
    )
    .option('--c <file>', 'C test: one file, libc and kernel headers only')
    .option('--syz <file>', 'syzkaller program, as far as its calls express the operations')
    .option(
      '--mail <file>',
      'plain text for linux-mm; the kernel must break a promise; with --run it tells what came of it',
    )
    .option('--run [where]', 'compile the C test and run it: live (the default), or qemu:VERSION, such as qemu:5.10');
  return withJson(withKernel(command))
    .option('--dir <directory>', 'where findings are looked up by id', FINDINGS)
    .addHelpText(
      'after',
      `
Examples:
  breakcow export findings/3k5v9t2w8m.json --c test.c
  breakcow export --kernel v5.8 --mail - 'mmap A p0; write A p0; uffd_reg A p0 WP;
    wp A p0; gup A p0 R GET'
  breakcow export --kernel v6.18 --c unregister.c 'mmap A p0; write A p0;
    uffd_reg A p0 WP; wp A p0; write A p0; uffd_unreg A p0'
  cc -std=gnu11 -O2 -Wall -o unregister unregister.c -pthread && ./unregister
  breakcow export --kernel v5.14 --run qemu:5.10 'mmap A thp; write A p0; fork A->B;
    h=gup B p0 R GET; munmap B p0..p3; write A p0; hread h'

--run wants a C compiler; live also root, if the program needs it, and qemu:VERSION
qemu-system-x86_64 and apt. The test's KTAP is passed on. On the live kernel, where the
program swaps and root runs it, it gets a swap device in memory for that time.
Exit codes with --run: 0 promises kept, 1 one is broken, 2 usage error, 3 no
compiler, no emulator or an internal error, 4 skipped (the KTAP says why).`,
    )
    .action(async (text: string, options: Options) => {
      const engine = loadEngine();
      const { words, spec } = readProgram(text, options.dir, engine.catalogue);
      const chosen = kernelSpec(options, spec);
      refuseOtherJudges(chosen, 'export');
      engine.catalogue.vector(chosen);
      const place = options.run === true ? 'live' : options.run;
      if (place !== undefined) checkPlace(place);
      const program = exported(engine, chosen, words);
      check(engine, program, options);
      const result = place === undefined ? undefined : await runExported(engine, program, place);
      write(engine, program, options, result);
      if (result && !options.json) {
        process.stdout.write(result.ktap);
        tellRun(result);
      }
      const texts = [options.c, options.syz, options.mail].some((file) => file !== undefined);
      if (options.json || (!texts && place === undefined)) tell(engine, program, options.json === true, result);
    });
}

/** Refuses what cannot be, before anything is written or run. */
function check(engine: Engine, program: Exported, options: Options): void {
  const files = [options.c, options.syz, options.mail].filter((file) => file !== undefined);
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('only one of the texts can go to "-"');
  const named = files.filter((file) => file !== '-');
  if (new Set(named).size < named.length) throw new UsageError('two texts cannot go to one file');
  if (options.json && files.includes('-')) throw new UsageError('--json and a text cannot both go to standard output');
  if (options.run && files.includes('-')) throw new UsageError('--run and a text cannot both go to standard output');
  if (options.mail !== undefined) mail(engine, program, cSources());
}

function write(engine: Engine, program: Exported, options: Options, run: RunData | undefined): void {
  if (options.mail !== undefined) {
    const tried = run?.release === undefined ? undefined : { ...run, release: run.release };
    save(options.mail, mail(engine, program, cSources(), tried));
  }
  if (options.c !== undefined) {
    const { source, skips, blind } = cTest(
      engine,
      program,
      cSources(),
      options.c === '-' ? 'test.c' : basename(options.c),
    );
    save(options.c, source);
    if (skips !== undefined) complain(`breakcow: the C test can only say that it is skipped: ${skips}`);
    if (blind !== undefined) complain(`breakcow: the C test does not show the flaw: ${blind}`);
  }
  if (options.syz !== undefined) {
    const { text, expressed, total } = syzText(engine, program);
    save(options.syz, text);
    if (expressed < total)
      complain(`breakcow: ${total - expressed} of ${total} operations are left out of the syzkaller program`);
  }
}

function save(file: string, text: string): void {
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

function tell(engine: Engine, program: Exported, json: boolean, run: RunData | undefined): void {
  const { ops } = engine.catalogue;
  const { words, spec, diagnosis } = program;
  const { skips, blind } = cTest(engine, program, cSources());
  const { expressed, total } = syzText(engine, program);
  const broken = diagnosis && engine.catalogue.invariant(diagnosis.violation.invariant).slug;
  if (json) {
    printJson({
      ...specJson(spec),
      id: programId(words, spec, ops),
      program: printProgram(words, ops),
      broken: broken ?? null,
      c: {
        possible: skips === undefined,
        ...(skips !== undefined && { reason: skips }),
        ...(blind !== undefined && { blind }),
      },
      syz: { expressed, total },
      mail: { possible: broken !== undefined },
      ...(run && { run }),
    });
    return;
  }
  const c = blind === undefined ? 'possible' : `possible, but it does not show the flaw: ${blind}`;
  const lines = [
    ...wrap(skips === undefined ? c : `it can only be skipped: ${skips}`, '  --c FILE     ', ' '.repeat(15)),
    ...wrap(`${expressed} of ${total} operations`, '  --syz FILE   '),
    ...wrap(
      broken === undefined
        ? `nothing to report: ${printSpec(spec)} keeps every promise`
        : `possible: ${broken} on ${printSpec(spec)}`,
      '  --mail FILE  ',
      ' '.repeat(15),
    ),
  ];
  print(lines.join('\n'));
}
