// breakcow replay, breakcow minimize: one program on one kernel.
import { Command } from 'commander';
import { askedJudges, inDifferential, withCosts } from '../engine/differential.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { ShortestSearch } from '../explore/minimal.js';
import { explain } from '../findings/explain.js';
import { type Diagnosis, diagnose, type Shortest } from '../findings/finding.js';
import { minimizeBreaking } from '../findings/minimize.js';
import { traceRun } from '../findings/trace.js';
import { Trial } from '../findings/trial.js';
import { diagnosisJson, specJson } from '../report/json.js';
import { wrap } from '../report/layout.js';
import { reportText, stepsText } from '../report/text.js';
import { printSpec, programId } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { type KernelOptions, kernelSpec, withDifferential, withJson, withKernel, withWarnings } from './options.js';
import { EXIT, green, print, printJson } from './output.js';
import { FINDINGS, readProgram } from './program.js';

interface Options extends KernelOptions {
  readonly json?: boolean;
  readonly dir: string;
  readonly differential?: string;
  readonly warnings?: boolean;
}

function programCommand(name: string): Command {
  const command = new Command(name).argument(
    '<program>',
    'program text, file, "-" for standard input, or id of a finding',
  );
  return withJson(withWarnings(withDifferential(withKernel(command)))).option(
    '--dir <directory>',
    'where findings are looked up by id',
    FINDINGS,
  );
}

/** The program, and the kernel: the one asked for, else the one it was found on. */
function source(engine: Engine, text: string, options: Options): { words: Uint32Array; spec: KernelSpec } {
  const { words, spec } = readProgram(text, options.dir, engine.catalogue);
  const asked = inDifferential(kernelSpec(options, spec), options.differential, engine.catalogue);
  const chosen = options.warnings ? withCosts(asked) : asked;
  engine.catalogue.vector(chosen);
  return { words, spec: chosen };
}

function programJson(engine: Engine, words: Uint32Array, spec: KernelSpec) {
  const { ops } = engine.catalogue;
  return {
    ...specJson(spec),
    id: programId(words, spec, ops),
    program: printProgram(words, ops),
    length: words.length,
  };
}

function printKept(engine: Engine, words: Uint32Array, spec: KernelSpec, json: boolean): void {
  const { catalogue } = engine;
  const run = traceRun(words, new Trial(engine, catalogue.vector(spec)));
  if (json) {
    printJson({ ...programJson(engine, words, spec), broken: false, steps: explain(run, words, catalogue) });
    return;
  }
  const kept = wrap(`Every promise is kept on ${printSpec(spec)}.`);
  print([...stepsText(run, words, catalogue), '', green(kept.join('\n'))].join('\n'));
}

/** `from`: the program that was shrunk; `shortest`: what is known of shorter ones. */
interface Minimized {
  readonly from?: string;
  readonly shortest?: Shortest;
}

function printBroken(engine: Engine, diagnosis: Diagnosis, json: boolean, more: Minimized = {}): void {
  const { words, spec } = diagnosis;
  if (json)
    printJson({ ...programJson(engine, words, spec), broken: true, ...more, ...diagnosisJson(engine, diagnosis) });
  else print(reportText(engine, diagnosis, more.shortest));
  const cost = engine.catalogue.invariant(diagnosis.violation.invariant).judge === 'warning';
  process.exitCode = cost ? EXIT.CLEAN : EXIT.BROKEN;
}

export function replayCommand(): Command {
  return programCommand('replay')
    .summary('run one program and explain every step')
    .description(
      'Run a program on a kernel, explain every step in kernel terms and, if a promise is broken, what cures it. Exits with 1 if a promise is broken, with 0 if all are kept.',
    )
    .addHelpText(
      'after',
      `
Examples:
  breakcow replay --kernel v5.7 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET;
    munmap B p0; write A p0; hread h'
  breakcow replay program.txt --kernel seed --without copy.keeps_uffd_wp
  breakcow replay findings/3k5v9t2w8m.json --kernel repaired --json`,
    )
    .action((text: string, options: Options) => {
      const engine = loadEngine();
      const { words, spec } = source(engine, text, options);
      const diagnosis = diagnose(engine, spec, words);
      if (diagnosis) printBroken(engine, diagnosis, options.json === true);
      else printKept(engine, words, spec, options.json === true);
    });
}

export function minimizeCommand(): Command {
  return programCommand('minimize')
    .summary('shrink a program that breaks a promise')
    .description(
      'Shrink a program until no operation can go and no argument can be made smaller while it still breaks the same promise, then try every shorter program of the same operations, processes, pages and handles: one that breaks the promise by the same cause takes its place. Exits with 1 if it breaks one, with 0 if there is nothing to shrink.',
    )
    .addHelpText(
      'after',
      `
Examples:
  breakcow minimize --kernel v5.8 'mmap A p0..p7; write A p3; uffd_reg A p0..p7 WP;
    wp A p0..p7; read A p3; gup A p3 R GET'
  breakcow minimize long.txt --kernel v6.18 --json`,
    )
    .action((text: string, options: Options) => {
      const engine = loadEngine();
      const { words, spec } = source(engine, text, options);
      const trial = new Trial(engine, engine.catalogue.vector(spec));
      const [first] = trial.run(words).verdict.violations;
      if (!first) {
        printKept(engine, words, spec, options.json === true);
        return;
      }
      const small = diagnose(engine, spec, minimizeBreaking(words, trial, first.invariant), first.invariant);
      if (!small) throw new Error('the minimized program breaks nothing');
      const from = printProgram(words, engine.catalogue.ops);
      if (askedJudges(spec) !== undefined) {
        printBroken(engine, small, options.json === true, { from });
        return;
      }
      const { diagnosis, shortest } = new ShortestSearch(engine).of(small);
      printBroken(engine, diagnosis, options.json === true, { from, shortest });
    });
}
