// breakcow fuzz --oracle: a real kernel is fuzzed, and the reference memory judges what it shows.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { factText } from '../conform/facts.js';
import { matchKernel, modelSpec } from '../conform/match.js';
import { ModelBackend } from '../conform/model.js';
import type { PageLayout } from '../conform/observed.js';
import { judgeKernel, type OracleResult, type OracleTally } from '../conform/oracle.js';
import type { OracleFinding } from '../conform/oracle-finding.js';
import { findingProgram, findingText } from '../conform/oracle-report.js';
import { checkTarget, type Target } from '../conform/target.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { complain, counted, EXIT, green, print, printJson, red, short } from './output.js';
import { statusLine } from './progress.js';
import { withTarget } from './with-target.js';

export interface OracleCommand {
  /** live, qemu:VERSION or model:NAME. */
  readonly oracle: string;
  /** Model that guides; default: that of the kernel's release. */
  readonly kernel?: string;
  readonly seed: bigint;
  readonly programs?: number;
  readonly time?: number;
  readonly out?: string;
  readonly keepGoing?: boolean;
  readonly exitZero?: boolean;
  readonly json?: boolean;
}

const DEFAULT_TIME_MS = 30_000;
const FOREVER_MS = 2 ** 31 - 1;
const OPS = 32;
/** A kernel that is known to be broken, judged in the same way: silence counts only if this is found. */
const CANARY = 'v5.12';
const CANARY_PROGRAMS = 4000;
const LINE_EVERY_MS = 5000;

/** A finding with the file of its C program, or why there is none. */
interface Kept {
  readonly finding: OracleFinding;
  readonly reproducer: string;
}

export async function fuzzOracle(options: OracleCommand): Promise<void> {
  checkTarget(options.oracle);
  const engine = loadEngine();
  if (options.kernel !== undefined) engine.catalogue.kernel(options.kernel);
  await withTarget(options.oracle, 'contents', (target) => new OracleRun(engine, target, options).run());
}

class OracleRun {
  readonly #engine: Engine;
  readonly #target: Target;
  readonly #options: OracleCommand;
  readonly #guide: KernelSpec;
  readonly #note: string | undefined;
  readonly #kept: Kept[] = [];
  #folder: string | undefined;
  #said = 0;

  constructor(engine: Engine, target: Target, options: OracleCommand) {
    this.#engine = engine;
    this.#target = target;
    this.#options = options;
    const release = target.backend.release.replace(/^model /, '');
    const match = options.kernel === undefined ? matchKernel(release, engine.catalogue) : { kernel: options.kernel };
    this.#note = match.note;
    this.#guide = modelSpec(match.kernel, engine.catalogue);
  }

  async run(): Promise<void> {
    const { json, keepGoing, exitZero } = this.#options;
    if (!json) for (const line of this.#header()) print(line);
    const abort = new AbortController();
    const end = () => (abort.signal.aborted ? process.exit(EXIT.BROKEN) : abort.abort());
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
    try {
      const canary = await this.#canary(abort.signal);
      const result = await judgeKernel({
        ...this.#common(abort.signal),
        kernel: this.#target.backend,
        programs: this.#options.programs ?? Number.POSITIVE_INFINITY,
        timeMs: this.#options.time ?? (this.#options.programs === undefined ? DEFAULT_TIME_MS : FOREVER_MS),
        keepGoing: keepGoing === true,
        onProgress: (tally) => this.#progress(tally),
        onFinding: (found) => this.#keep(found),
      });
      statusLine('');
      if (json) printJson(this.#json(result, canary));
      else for (const line of this.#summary(result, canary)) print(line);
      const broken = result.found.length > 0;
      if (broken && !exitZero) process.exitCode = EXIT.BROKEN;
      if (!broken && !canary && !result.interrupted) process.exitCode = EXIT.INTERNAL;
    } finally {
      statusLine('');
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
    }
  }

  #common(signal: AbortSignal) {
    const thp = this.#target.backend.can.has('THP');
    const layouts: readonly PageLayout[] = thp ? ['pte', 'pmd'] : ['pte'];
    return { engine: this.#engine, guide: this.#guide, layouts, seed: this.#options.seed, ops: OPS, signal };
  }

  #header(): string[] {
    const { backend, describe } = this.#target;
    const lines = [
      `${backend.release} (${describe}) on trial; ${this.#guide.kernel} guides, the reference memory judges.`,
    ];
    if (this.#note !== undefined) lines.push(this.#note);
    return [...lines, ...backend.missing.map((line) => `  missing: ${line}`)];
  }

  async #canary(signal: AbortSignal): Promise<boolean> {
    const guide = modelSpec(CANARY, this.#engine.catalogue);
    const { found } = await judgeKernel({
      ...this.#common(signal),
      guide,
      kernel: new ModelBackend(guide),
      programs: CANARY_PROGRAMS,
      timeMs: FOREVER_MS,
      keepGoing: false,
    });
    return found.length > 0;
  }

  #progress({ programs, ops, seconds, findings }: OracleTally): void {
    const text = `${short(programs)} programs, ${short(ops / seconds)} ops/s, ${counted(findings, 'finding')}`;
    statusLine(text);
    const now = performance.now();
    if (process.stderr.isTTY || now - this.#said < LINE_EVERY_MS) return;
    this.#said = now;
    complain(`${Math.round(seconds)} s: ${text}`);
  }

  /** Saved at once: what was found survives whatever happens next. */
  #keep(finding: OracleFinding): void {
    const { ops } = this.#engine.catalogue;
    const { release } = this.#target.backend;
    const statement = this.#statement(finding.slug);
    this.#folder ??= this.#open();
    const path = join(this.#folder, finding.id);
    const program = findingProgram(finding, statement, release, ops);
    if ('source' in program) writeFileSync(`${path}.c`, program.source);
    const reproducer = 'source' in program ? `${path}.c` : `none: ${program.none}`;
    const text = findingText(finding, statement, release, ops);
    writeFileSync(`${path}.txt`, `${text}\nReproducer: ${reproducer}\n`);
    this.#kept.push({ finding, reproducer });
    if (this.#options.json) return;
    statusLine('');
    print(`\n${text}\nReproducer: ${reproducer}`);
  }

  #open(): string {
    const { out } = this.#options;
    try {
      if (out === undefined) return mkdtempSync(join(tmpdir(), 'breakcow-'));
      mkdirSync(out, { recursive: true });
      return out;
    } catch (error) {
      throw new UsageError(`cannot create ${out}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #statement(slug: string): string {
    return this.#engine.catalogue.invariants.find((invariant) => invariant.slug === slug)!.statement;
  }

  #summary(
    { programs, ops, seconds, failed, noise, trouble, found, interrupted }: OracleResult,
    canary: boolean,
  ): string[] {
    const rate = `${short(programs / seconds)} programs/s, ${short(ops / seconds)} ops/s`;
    const lines = [
      '',
      `${short(programs)} programs, ${short(ops)} ops in ${seconds.toFixed(1)} s (${rate}); ${counted(failed, 'program')} broke a promise.`,
    ];
    if (interrupted) lines.push('Interrupted.');
    if (noise > 0) lines.push(`${counted(noise, 'program')} did so once and not again: noise.`);
    if (trouble > 0) lines.push(`${counted(trouble, 'program')} could not be run to the end.`);
    if (found.length > 0) lines.push(red(`${counted(found.length, 'finding')}.`));
    else if (!canary && !interrupted) lines.push(red('INVALID: the canary was not found, so silence proves nothing.'));
    else lines.push(green(`Every promise kept in ${short(programs)} programs.`));
    lines.push(`Canary (model ${CANARY}): ${canary ? 'found' : 'NOT found'}.`);
    return lines;
  }

  #json(result: OracleResult, canary: boolean) {
    const { found: _, ...tally } = result;
    const { release, missing } = this.#target.backend;
    return {
      kernel: release,
      guide: this.#guide.kernel,
      seed: this.#options.seed.toString(),
      missing,
      canary,
      ...tally,
      findings: this.#kept.map(({ finding: { id, slug, layout, program, firstAt, facts }, reproducer }) => ({
        id,
        slug,
        layout,
        program,
        firstAt,
        owed: facts.map(factText),
        reproducer,
      })),
    };
  }
}
