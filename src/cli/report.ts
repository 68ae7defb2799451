// breakcow report: a counterexample as a page to step through.
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type Engine, loadEngine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { listFindings } from '../findings/store.js';
import { Trial } from '../findings/trial.js';
import type { Choice } from '../page/boot.js';
import { gallery, pageHtml } from '../page-build/html.js';
import { printSpec } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { type KernelOptions, kernelSpec, withJson, withKernel } from './options.js';
import { complain, counted, print, printJson } from './output.js';
import { FINDINGS, readProgram } from './program.js';

interface Options extends KernelOptions {
  readonly html: string;
  readonly dir: string;
  readonly json?: boolean;
}

function choice(engine: Engine, words: Uint32Array, spec: KernelSpec, id = ''): Choice {
  const { catalogue } = engine;
  const [first] = new Trial(engine, catalogue.vector(spec)).run(words).verdict.violations;
  const what = first ? catalogue.invariant(first.invariant).slug : 'kept';
  return {
    name: `${what} on ${printSpec(spec)}${id === '' ? '' : ` (${id})`}`,
    program: printProgram(words, catalogue.ops),
    spec,
    note: '',
  };
}

/** All findings of a directory, kernel by kernel; one that this version cannot read is told and left out. */
function findingsOf(engine: Engine, directory: string, options: Options): Choice[] {
  const found: Choice[] = [];
  for (const id of listFindings(directory)) {
    try {
      const { words, spec } = readProgram(join(directory, `${id}.json`), directory, engine.catalogue);
      found.push(choice(engine, words, kernelSpec(options, spec), id));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      complain(`breakcow: left out: ${error.message}`);
    }
  }
  if (found.length === 0) throw new UsageError(`no finding in ${directory}`);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function report(text: string, options: Options): void {
  const engine = loadEngine();
  engine.catalogue.vector(kernelSpec(options));
  const isDirectory = existsSync(text) && statSync(text).isDirectory();
  let findings: Choice[];
  if (isDirectory) findings = findingsOf(engine, text, options);
  else {
    const { words, spec } = readProgram(text, options.dir, engine.catalogue);
    findings = [choice(engine, words, kernelSpec(options, spec))];
  }
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
