// breakcow report: a counterexample as a page to step through.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { askedJudges } from '../engine/differential.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { LATE, OWN_LIMITS, ownProspects } from '../explore/own-prospects.js';
import { listFindings } from '../findings/store.js';
import { Trial } from '../findings/trial.js';
import type { Choice } from '../page/boot.js';
import { gallery, pageHtml } from '../page-build/html.js';
import { type Directory, type Kept, storyOf } from '../report/from-directory.js';
import { parseRecord, RECORD } from '../report/record.js';
import type { CampaignStory } from '../report/story.js';
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

/** What the page is asked to show. */
interface Asked {
  readonly title: string;
  readonly programs: readonly Shown[];
  readonly story?: CampaignStory;
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

/** All findings of a directory; one that this version cannot read is told and left out. */
function findingsOf(engine: Engine, directory: string, options: Options): Kept[] {
  const found: Kept[] = [];
  for (const id of listFindings(directory)) {
    const path = join(directory, `${id}.json`);
    try {
      const { words, spec, stored } = readProgram(path, directory, engine.catalogue);
      if (!stored) continue;
      const wanted = kernelSpec(options, spec);
      engine.catalogue.vector(wanted);
      found.push({ words, spec: wanted, stored: { ...stored, id } });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const { message } = error;
      complain(`breakcow: left out: ${message.includes(path) ? message : `${path}: ${message}`}`);
    }
  }
  return found;
}

/** What is kept of the campaign itself, or why nothing is. */
function recordOf(directory: string): Pick<Directory, 'record' | 'missing'> {
  const path = join(directory, RECORD);
  if (!existsSync(path))
    return { missing: `No charts: there is no ${RECORD} here, as "breakcow fuzz --out" keeps it.` };
  try {
    return { record: parseRecord(readFileSync(path, 'utf8')) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    complain(`breakcow: left out: ${path}: ${why}`);
    return { missing: `No charts: ${RECORD} cannot be read: ${why}` };
  }
}

/** A directory of findings, with the story of the campaign that filled it. */
function ofDirectory(engine: Engine, directory: string, options: Options): Asked {
  const findings = findingsOf(engine, directory, options);
  const told = { findings, ...recordOf(directory) };
  if (findings.length === 0 && !told.record) throw new UsageError(`no finding in ${directory}`);
  const programs = findings.map(({ words, spec, stored }) => shown(engine, words, spec, stored.id));
  return {
    title: `breakcow: ${counted(findings.length, 'finding')}`,
    programs: programs.sort((a, b) => (a.choice.name < b.choice.name ? -1 : 1)),
    story: storyOf(engine, told),
  };
}

function ofProgram(engine: Engine, text: string, options: Options): Asked {
  const { words, spec } = readProgram(text, options.dir, engine.catalogue);
  const program = shown(engine, words, kernelSpec(options, spec));
  return { title: `breakcow: ${program.choice.name}`, programs: [program] };
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
    if (askedJudges(choice.spec) !== undefined) {
      choices.push({
        ...choice,
        outlook: { why: 'a search has the plain judges only' },
      });
      continue;
    }
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
  const { title, programs, story } = isDirectory
    ? ofDirectory(engine, text, options)
    : ofProgram(engine, text, options);
  const findings = options.prospects ? await withProspects(engine, programs) : programs.map(({ choice }) => choice);
  const html = pageHtml({ title, findings, gallery: gallery(), ...(story && { story }) });
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
      'Write one HTML file that shows a program, a finding or all findings of a directory step by step, with the engine inside: it opens from disk, needs no network, and runs whatever is changed in it at once. A directory opens with an overview of the campaign that filled it.',
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
