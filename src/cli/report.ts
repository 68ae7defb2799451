// breakcow report: a counterexample as a page to step through.
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type Engine, loadEngine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { LATE, OWN_LIMITS, ownProspects } from '../explore/own-prospects.js';
import { listFindings } from '../findings/store.js';
import { Trial } from '../findings/trial.js';
import type { Choice } from '../page/boot.js';
import { gallery, pageHtml } from '../page-build/html.js';
import { printSpec } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { type KernelOptions, kernelSpec, withJson, withKernel } from './options.js';
import { complain, counted, print, printJson } from './output.js';
import { FINDINGS, readProgram } from './program.js';
import { statusLine } from './progress.js';

interface Options extends KernelOptions {
  readonly html: string;
  readonly dir: string;
  readonly prospects: boolean;
  readonly json?: boolean;
}

/** For all findings of a report together. */
const PROSPECTS_MS = 20_000;

/** A program to show, and the promise that it breaks. */
interface Shown {
  readonly choice: Choice;
  readonly words: Uint32Array;
  readonly broken?: number;
}

function shown(engine: Engine, words: Uint32Array, spec: KernelSpec, id = ''): Shown {
  const { catalogue } = engine;
  const [first] = new Trial(engine, catalogue.vector(spec)).run(words).verdict.violations;
  const what = first ? catalogue.invariant(first.invariant).slug : 'kept';
  const choice = {
    name: `${what} on ${printSpec(spec)}${id === '' ? '' : ` (${id})`}`,
    program: printProgram(words, catalogue.ops),
    spec,
    note: '',
  };
  return { choice, words, ...(first && { broken: first.invariant }) };
}

/** All findings of a directory, kernel by kernel; one that this version cannot read is told and left out. */
function findingsOf(engine: Engine, directory: string, options: Options): Shown[] {
  const found: Shown[] = [];
  for (const id of listFindings(directory)) {
    try {
      const { words, spec } = readProgram(join(directory, `${id}.json`), directory, engine.catalogue);
      found.push(shown(engine, words, kernelSpec(options, spec), id));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      complain(`breakcow: left out: ${error.message}`);
    }
  }
  if (found.length === 0) throw new UsageError(`no finding in ${directory}`);
  return found.sort((a, b) => (a.choice.name < b.choice.name ? -1 : 1));
}

/** The programs with how near each step came, as far as the time goes. */
async function withProspects(engine: Engine, programs: readonly Shown[]): Promise<Choice[]> {
  const search = loadEngine();
  const signal = AbortSignal.timeout(PROSPECTS_MS);
  const choices: Choice[] = [];
  let late = 0;
  for (const [i, { choice, words, broken: invariant }] of programs.entries()) {
    statusLine(`how near each step came: ${i + 1} of ${programs.length} ...`);
    if (invariant === undefined) {
      choices.push(choice);
      continue;
    }
    const program = { words, spec: choice.spec, invariant };
    const outlook = signal.aborted ? { why: LATE } : await ownProspects(engine, search, program, OWN_LIMITS, signal);
    if ('why' in outlook && outlook.why === LATE) late++;
    choices.push({ ...choice, outlook });
  }
  statusLine('');
  if (late > 0)
    complain(
      `breakcow: after ${PROSPECTS_MS / 1000} s, ${counted(late, 'finding')} left without how near each step came`,
    );
  return choices;
}

async function report(text: string, options: Options): Promise<void> {
  const engine = loadEngine();
  engine.catalogue.vector(kernelSpec(options));
  const isDirectory = existsSync(text) && statSync(text).isDirectory();
  let programs: Shown[];
  if (isDirectory) programs = findingsOf(engine, text, options);
  else {
    const { words, spec } = readProgram(text, options.dir, engine.catalogue);
    programs = [shown(engine, words, kernelSpec(options, spec))];
  }
  const findings = options.prospects ? await withProspects(engine, programs) : programs.map(({ choice }) => choice);
  const title = isDirectory ? `breakcow: ${counted(findings.length, 'finding')}` : `breakcow: ${findings[0]!.name}`;
  const html = pageHtml({ title, findings, gallery: gallery() });
  try {
    writeFileSync(options.html, html);
  } catch (error) {
    throw new UsageError(`cannot write ${options.html}: ${error instanceof Error ? error.message : error}`);
  }
  const bytes = Buffer.byteLength(html);
  const told = counted(findings.length, isDirectory ? 'finding' : 'program');
  if (options.json) printJson({ html: options.html, bytes, programs: findings });
  else print(`${options.html}: ${told}, ${Math.ceil(bytes / 1024)} KiB`);
}

export function reportCommand(): Command {
  const command = new Command('report')
    .summary('write a page to step through a counterexample')
    .description(
      'Write one HTML file that shows a program, a finding or all findings of a directory step by step, with the engine inside: it opens from disk, needs no network, and runs whatever is changed in it at once.',
    )
    .argument('<program>', 'program text, file, "-" for standard input, id of a finding, or a directory of findings')
    .requiredOption('--html <file>', 'file to write')
    .option('--dir <directory>', 'where findings are looked up by id', FINDINGS)
    .option(
      '--no-prospects',
      'without how near each step came to the violation, for which the scope of each finding is searched',
    )
    .addHelpText(
      'after',
      `
Examples:
  breakcow report --kernel v5.7 --html leak.html 'mmap A p0; write A p0; fork A->B;
    h=gup B p0 R GET; munmap B p0; write A p0; hread h'
  breakcow report 3k5v9t2w8m --html finding.html
  breakcow report findings --html findings.html`,
    );
  return withJson(withKernel(command)).action(report);
}
