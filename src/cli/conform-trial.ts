// One model against one kernel: what breakcow conform was asked to do with the two.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kindOf, unseen } from '../conform/compare.js';
import { Expresser } from '../conform/express.js';
import { type HuntResult, hunt, type Tally } from '../conform/hunt.js';
import { matchKernel, modelSpec } from '../conform/match.js';
import { ModelBackend } from '../conform/model.js';
import type { PageLayout } from '../conform/observed.js';
import { OpenTable } from '../conform/open.js';
import type { ObserveLevel } from '../conform/protocol.js';
import { type SideBySide, sideBySide } from '../conform/report.js';
import { type Differing, differenceProgram } from '../conform/reproducer-claim.js';
import type { Target } from '../conform/target.js';
import type { Engine } from '../engine/engine.js';
import { UsageError } from '../errors.js';
import { wrap } from '../report/layout.js';
import { programId } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { flipTable, flipText, record, selftestColumns, selftestText } from './conform-tables.js';
import { bold, complain, counted, EXIT, green, print, printJson, red, short } from './output.js';
import { statusLine } from './progress.js';

export interface ConformOptions {
  readonly kernel: string;
  readonly model?: string;
  readonly layout: PageLayout | 'both';
  readonly programs?: number;
  readonly time?: number;
  readonly ops: number;
  readonly seed: bigint;
  readonly program?: string;
  readonly keepGoing?: boolean;
  readonly selftests?: boolean;
  readonly flips?: boolean;
  readonly record?: string | true;
  readonly out?: string;
  readonly open?: boolean;
  readonly observe: ObserveLevel;
  readonly json?: boolean;
}

/** Unless a number or a time is asked for. */
export const DEFAULT_PROGRAMS = 2000;
/** Of the programs asked for, so many run on huge pages, which take much longer. */
const PMD_SHARE = 4;
const LINE_EVERY_MS = 5000;
const NOISE_SHOWN = 5;

/** One model against one kernel. */
export class Trial {
  readonly #engine: Engine;
  readonly #target: Target;
  readonly #options: ConformOptions;
  readonly #model: ModelBackend;
  readonly #open: OpenTable;
  readonly #note: string | undefined;

  constructor(engine: Engine, target: Target, options: ConformOptions) {
    this.#engine = engine;
    this.#target = target;
    this.#options = options;
    const { release } = target.backend;
    const match =
      options.model === undefined
        ? matchKernel(release.replace(/^model /, ''), engine.catalogue)
        : { kernel: options.model };
    this.#note = match.note;
    this.#model = new ModelBackend(modelSpec(match.kernel, engine.catalogue, target.machine), engine);
    this.#open = new OpenTable(match.kernel);
  }

  #layouts(): PageLayout[] {
    const { layout } = this.#options;
    return layout === 'both' ? ['pte', 'pmd'] : [layout];
  }

  #names(): [model: string, kernel: string] {
    return [this.#model.release, this.#target.backend.release];
  }

  #sides(sides: Omit<SideBySide, 'names' | 'target'>): string {
    const { model } = this.#options;
    const target = `${this.#target.name}${model === undefined ? '' : ` --model ${model}`}`;
    return sideBySide({ ...sides, names: this.#names(), target }, this.#engine.catalogue.ops);
  }

  /** Side by side as text, and what the kernel did as a C program that checks it, where user space can. */
  #keep(differing: Differing & Omit<SideBySide, 'names' | 'target'>): void {
    const { out } = this.#options;
    if (out === undefined) return;
    const { release } = this.#target.backend;
    const { ops } = this.#engine.catalogue;
    const path = join(out, programId(differing.words, this.#model.spec, ops));
    const checked = differenceProgram(differing, release, ops);
    mkdirSync(out, { recursive: true });
    const note = 'none' in checked ? `no C program: ${checked.none}` : `checked by ${path}.c`;
    writeFileSync(`${path}.txt`, `${this.#sides(differing)}\n${note}\n`);
    if ('source' in checked) writeFileSync(`${path}.c`, checked.source);
    if (!this.#options.json) print(`kept: ${path}.txt; ${note}`);
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
      const comparison = this.#open.comparison(ops, layout);
      const difference = comparison.first(words, model!, kernel!);
      differs ||= difference !== undefined;
      const sides = { words, layout, model: model!, kernel: kernel!, difference };
      if (this.#options.json) {
        printJson({ layout, program: printProgram(words, ops), agree: !difference, difference, model, kernel });
        continue;
      }
      if (words.join() !== asked.join()) print(`As this kernel can do it, ${layout} layout:`);
      print(this.#sides(sides));
      print(difference ? red('They differ.') : green('They agree.'));
      if (difference) this.#keep({ ...sides, difference });
    }
    if (!this.#options.json) for (const line of this.#met()) print(line);
    if (differs) process.exitCode = EXIT.BROKEN;
  }

  async selftests(): Promise<void> {
    const columns = await selftestColumns(this.#engine, this.#target);
    if (this.#options.json) printJson(columns);
    else print(selftestText(columns));
  }

  async flips(): Promise<void> {
    const { seed, ops, programs = DEFAULT_PROGRAMS, json } = this.#options;
    const { spec } = this.#model;
    const table = await flipTable(this.#engine, spec, this.#target, { seed, ops, programs }, statusLine);
    statusLine('');
    if (json) printJson(table);
    else print(flipText(spec, this.#target, table));
  }

  async record(directory: string): Promise<void> {
    print(`written: ${await record(this.#engine, this.#model.spec, this.#target, directory)}`);
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
              this.#keep(finding);
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
    for (const line of backend.missing) lines.push(...wrap(line, 'missing: ', '  '));
    const hidden = unseen(backend.can);
    if (hidden.length > 0) lines.push(...wrap(hidden.join('; '), 'not compared: ', '  '));
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

  /** The rows of the table of open observations that applied. */
  #met(): string[] {
    return this.#open
      .counts()
      .filter(({ count }) => count > 0)
      .map(({ id, count }) => `open observation ${id}: met ${counted(count, 'time')} (breakcow conform --open)`);
  }

  #verdict(results: readonly HuntResult[]): string[] {
    const found = results.flatMap((result) => result.found);
    const lines = this.#met();
    for (const { kind, count, layout } of found.toSorted((a, b) => b.count - a.count))
      lines.push(`  ${String(count).padStart(6)}  ${layout}  ${kind}`);
    for (const { words, difference } of results.flatMap(({ noises }) => noises).slice(0, NOISE_SHOWN))
      lines.push(`did not come again: ${kindOf(difference)}: ${printProgram(words, this.#engine.catalogue.ops)}`);
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
    const done = `${Math.floor(100 * fraction)} %, ${short(programs)} programs, ${short(ops / seconds)} ops/s`;
    const text = `${layout}: ${done}, ${kindsText(findings)} of difference, ${noise} noise${left}`;
    if (process.stderr.isTTY) {
      statusLine(text);
    } else if (performance.now() - last >= LINE_EVERY_MS) {
      last = performance.now();
      complain(text);
    }
  };
}
