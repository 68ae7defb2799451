// breakcow conform: the model and a real kernel do the same, or the difference is shown.
import { Command, Option } from 'commander';
import { MissingError } from '../conform/build.js';
import { Comparison, kindOf, unseen } from '../conform/compare.js';
import { ExecutorError } from '../conform/executor.js';
import { Expresser } from '../conform/express.js';
import { type ConformFinding, type HuntResult, hunt, type Tally } from '../conform/hunt.js';
import { matchKernel, modelSpec } from '../conform/match.js';
import { ModelBackend } from '../conform/model.js';
import type { PageLayout } from '../conform/observed.js';
import { OpenTable } from '../conform/open.js';
import { OBSERVE_LEVELS, type ObserveLevel } from '../conform/protocol.js';
import { GuestError } from '../conform/qemu/tools.js';
import { sideBySide, WIDTH } from '../conform/report.js';
import { checkTarget, openTarget, type Target } from '../conform/target.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import { MAX_OPS } from '../engine/opword.js';
import { UsageError } from '../errors.js';
import { parseProgram } from '../text/parse.js';
import { printProgram } from '../text/print.js';
import { openText } from './conform-tables.js';
import { parseCount, parseDuration, parseSeed, withJson } from './options.js';
import { bold, complain, counted, EXIT, green, print, printJson, red, short } from './output.js';
import { statusLine } from './progress.js';

interface Options {
  readonly kernel: string;
  readonly model?: string;
  readonly layout: PageLayout | 'both';
  readonly programs?: number;
  readonly time?: number;
  readonly ops: number;
  readonly seed: bigint;
  readonly program?: string;
  readonly keepGoing?: boolean;
  readonly open?: boolean;
  readonly observe: ObserveLevel;
  readonly json?: boolean;
}

const DEFAULT_PROGRAMS = 2000;
/** Of the programs asked for, so many run on huge pages, which take much longer. */
const PMD_SHARE = 4;
const LINE_EVERY_MS = 5000;

export function conformCommand(): Command {
  const command = new Command('conform')
    .summary('compare the model with a real kernel, op by op')
    .description(
      'Run the same programs on the model and on a real kernel and compare after every op all that can be seen: results, values, faults taken, events, sleepers, page tables, which pages are one and the same. A difference is run again, made small and shown side by side. The live kernel needs root for most of it; guests (qemu:5.10, 6.1, 6.12, 7.2) need qemu-system-x86_64 and apt.',
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

async function conform(options: Options): Promise<void> {
  if (options.open) {
    print(openText());
    return;
  }
  checkTarget(options.kernel);
  const engine = loadEngine();
  if (options.model !== undefined) engine.catalogue.kernel(options.model);
  const words = options.program === undefined ? undefined : parseProgram(options.program, engine.catalogue.ops);
  let target: Target;
  try {
    target = await openTarget(options.kernel, options.observe, statusLine);
    statusLine('');
  } catch (error) {
    statusLine('');
    giveUp(error);
    return;
  }
  try {
    const trial = new Trial(engine, target, options);
    if (words) await trial.program(words);
    else await trial.hunt();
  } catch (error) {
    giveUp(error);
  } finally {
    await target.backend.close();
  }
}

/** What the machine lacks is told in one line; anything else is thrown on. */
function giveUp(error: unknown): void {
  const missing = error instanceof MissingError || error instanceof GuestError || error instanceof ExecutorError;
  if (!missing) throw error;
  complain(`breakcow: ${error.message}`);
  process.exitCode = EXIT.INTERNAL;
}

/** One model against one kernel. */
class Trial {
  readonly #engine: Engine;
  readonly #target: Target;
  readonly #options: Options;
  readonly #model: ModelBackend;
  readonly #open: OpenTable;
  readonly #note: string | undefined;

  constructor(engine: Engine, target: Target, options: Options) {
    this.#engine = engine;
    this.#target = target;
    this.#options = options;
    const { release } = target.backend;
    const match =
      options.model === undefined
        ? matchKernel(release.replace(/^model /, ''), engine.catalogue)
        : { kernel: options.model };
    this.#note = match.note;
    this.#model = new ModelBackend(modelSpec(match.kernel, engine.catalogue), engine);
    this.#open = new OpenTable(match.kernel);
  }

  #layouts(): PageLayout[] {
    const { layout } = this.#options;
    return layout === 'both' ? ['pte', 'pmd'] : [layout];
  }

  #names(): [model: string, kernel: string] {
    return [this.#model.release, this.#target.backend.release];
  }

  #sides(finding: ConformFinding): string {
    return sideBySide({ ...finding, names: this.#names(), target: this.#target.name }, this.#engine.catalogue.ops);
  }

  async program(asked: Uint32Array): Promise<void> {
    const { ops } = this.#engine.catalogue;
    let differs = false;
    for (const layout of this.#layouts()) {
      this.#engine.configure(this.#model.spec);
      const words = new Expresser(this.#engine, this.#target.backend.can, layout).program(asked);
      if (words.length === 0) throw new UsageError('no op of this program can be done on this kernel');
      const [kernel] = await this.#target.backend.run([words], layout);
      const [model] = this.#model.runSync([words]);
      const comparison = new Comparison(ops, layout, (difference, place) => this.#open.rule(difference, place));
      const difference = comparison.first(words, model!, kernel!);
      differs ||= difference !== undefined;
      const sides = { words, layout, model: model!, kernel: kernel!, difference };
      if (this.#options.json) {
        printJson({ layout, program: printProgram(words, ops), agree: !difference, difference, model, kernel });
        continue;
      }
      if (words.join() !== asked.join()) print(`As this kernel can do it, ${layout} layout:`);
      print(sideBySide({ ...sides, names: this.#names(), target: this.#target.name }, ops));
      print(difference ? red('They differ.') : green('They agree.'));
    }
    if (differs) process.exitCode = EXIT.BROKEN;
  }

  async hunt(): Promise<void> {
    const { programs, time, seed, ops, keepGoing, json } = this.#options;
    if (!json) for (const line of this.#header()) print(line);
    const abort = new AbortController();
    const forget = onInterrupt(abort);
    const layouts = this.#layouts();
    const results: HuntResult[] = [];
    try {
      for (const layout of layouts) {
        const share = layout === 'pmd' && layouts.length > 1 ? PMD_SHARE : 1;
        const wanted = programs ?? (time === undefined ? DEFAULT_PROGRAMS : Number.MAX_SAFE_INTEGER);
        const view = progressLines();
        results.push(
          await hunt({
            engine: this.#engine,
            model: this.#model,
            kernel: this.#target.backend,
            open: this.#open,
            layout,
            seed,
            ops,
            programs: Math.ceil(wanted / share),
            timeMs: time === undefined ? Number.POSITIVE_INFINITY : time / layouts.length,
            keepGoing: keepGoing === true,
            signal: abort.signal,
            onProgress: view,
            onFinding: (finding) => {
              statusLine('');
              if (!json) print(`\n${red(`Difference: ${finding.kind}`)}\n${this.#sides(finding)}\n`);
            },
          }),
        );
        statusLine('');
        if (!json) print(this.#summary(results.at(-1)!));
        if (abort.signal.aborted || (results.at(-1)!.found.length > 0 && !keepGoing)) break;
      }
    } finally {
      statusLine('');
      forget();
    }
    const found = results.flatMap((result) => result.found);
    if (json) printJson(this.#json(results));
    else for (const line of this.#verdict(results)) print(line);
    if (found.length > 0) process.exitCode = EXIT.BROKEN;
  }

  #header(): string[] {
    const { backend, describe } = this.#target;
    const lines = [`${bold(this.#model.release)} against ${bold(backend.release)} (${describe})`];
    if (this.#note !== undefined) lines.push(this.#note);
    for (const line of backend.missing) lines.push(`missing: ${line}`);
    const hidden = unseen(backend.can);
    if (hidden.length > 0) lines.push(`not compared: ${hidden.join('; ')}`);
    return lines;
  }

  #summary({ layout, programs, ops, cells, seconds, found, noises, interrupted }: HuntResult): string {
    const size = layout === 'pte' ? '4 KiB pages' : 'huge pages';
    const rate = `${short(programs / seconds)} programs/s, ${short(ops / seconds)} ops/s`;
    const done = `${counted(programs, 'program')}, ${counted(ops, 'op')}, ${short(cells)} changed entries`;
    const kinds = found.length === 0 ? 'no difference' : `${kindsText(found.length)} of difference`;
    const noise = noises.length === 0 ? '' : `, ${noises.length} that did not come again`;
    return `${size}: ${done} in ${seconds.toFixed(1)} s (${rate}): ${kinds}${noise}${interrupted ? '; interrupted' : ''}`;
  }

  #verdict(results: readonly HuntResult[]): string[] {
    const found = results.flatMap((result) => result.found);
    const lines = this.#open
      .counts()
      .filter(({ count }) => count > 0)
      .map(({ id, count }) => `open observation ${id}: met ${counted(count, 'time')} (breakcow conform --open)`);
    for (const { kind, count, layout } of found.toSorted((a, b) => b.count - a.count).slice(0, WIDTH))
      lines.push(`  ${String(count).padStart(6)}  ${layout}  ${kind}`);
    lines.push(found.length > 0 ? red(`${kindsText(found.length)} of difference.`) : green('They agree.'));
    return lines;
  }

  #json(results: readonly HuntResult[]) {
    const { ops } = this.#engine.catalogue;
    return {
      model: this.#model.release,
      kernel: this.#target.backend.release,
      describe: this.#target.describe,
      missing: this.#target.backend.missing,
      seed: this.#options.seed.toString(),
      open: this.#open.counts(),
      layouts: results.map(({ found, noises, ...tally }) => ({
        ...tally,
        findings: found.map((finding) => ({
          kind: finding.kind,
          count: finding.count,
          index: finding.index,
          program: printProgram(finding.words, ops),
          found: printProgram(finding.found, ops),
          difference: finding.difference,
          model: finding.model,
          kernel: finding.kernel,
        })),
        noises: noises.map(({ words, difference }) => ({
          program: printProgram(words, ops),
          kind: kindOf(difference),
          difference,
        })),
      })),
    };
  }
}

function kindsText(count: number): string {
  return counted(count, 'kind');
}

/** The first signal ends the comparison after the batch, a second one the process. */
function onInterrupt(abort: AbortController): () => void {
  const end = () => {
    if (abort.signal.aborted) process.exit(EXIT.INTERNAL);
    abort.abort();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return () => {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  };
}

/** A line that is replaced on a terminal, one now and then elsewhere. */
function progressLines(): (tally: Tally) => void {
  let last = performance.now();
  return ({ layout, programs, ops, seconds, fraction, findings, noise }) => {
    const left = fraction > 0 && fraction < 1 ? `, ${((seconds * (1 - fraction)) / fraction).toFixed(0)} s left` : '';
    const text = `${layout}: ${Math.floor(100 * fraction)} %, ${short(programs)} programs, ${short(ops / seconds)} ops/s, ${kindsText(findings)} of difference, ${noise} noise${left}`;
    if (process.stderr.isTTY) {
      statusLine(text);
    } else if (performance.now() - last >= LINE_EVERY_MS) {
      last = performance.now();
      complain(text);
    }
  };
}
