// One entry, one seed: the fuzzer on the kernel that has the flaw, and the same random streams on its repaired twin.

import { Learned } from '../campaign/knowledge.js';
import type { Engine } from '../engine/engine.js';
import { Fuzzer, type FuzzStrategy } from '../engine/fuzzer.js';
import type { KernelSpec } from '../engine/types.js';
import { minimizeBreaking } from '../findings/minimize.js';
import { Trial } from '../findings/trial.js';
import { printProgram } from '../text/print.js';
import { type CorpusEntry, fixedSpec, nearlyFixedSpec } from './corpus.js';

export interface HuntOptions {
  readonly entry: CorpusEntry;
  /** The random streams: a seed, and which of its shards come first. */
  readonly seed: number;
  readonly firstShard: number;
  /** Calls of handle_mm_fault on each of the two kernels. */
  readonly budgetFaults: number;
  /** How programs are made; guided if absent. */
  readonly strategy?: FuzzStrategy;
}

/** Work until a program failed, other findings on that kernel included. */
interface Work {
  readonly programs: number;
  readonly faults: number;
}

/** A program that shows the flaw of the entry. */
export interface Found extends Work {
  readonly slug: string;
  /** As the fuzzer ran it. */
  readonly program: string;
  readonly minimized: string;
  /** Ops of the minimized program. */
  readonly length: number;
  /** The entry's own fixed kernel keeps every promise in the minimized program (but those the entry says it breaks). */
  readonly fixedClean: boolean;
}

/** A promise broken on the repaired kernel: a false alarm, or news. */
export interface Alarm {
  readonly slugs: readonly string[];
  readonly program: string;
}

export interface Twin extends Work {
  readonly alarm?: Alarm;
}

export interface HuntResult {
  readonly found?: Found;
  readonly twin: Twin;
}

export const TWIN: KernelSpec = { kernel: 'repaired', with: [], without: [] };

/**
 * Programs of one shard: its mixes are drawn once, so many short shards try more of them. A guided shard knows what those
 * before it have learned, so that the first ones are shorter still.
 */
const SHARD_PROGRAMS = 4096;
const GUIDED_PROGRAMS = [512, 512, 1024, 2048];
/** Programs run at a time: the grain of the budget. */
const CHUNK = 512;
/** Shards that one hunt may use. */
export const SHARDS_PER_HUNT = 1 << 16;
/** set_judges: touched entries and the world at the end; the same, and warnings. */
const JUDGES = 1;
const JUDGES_AND_WARNINGS = 5;

/** Bits of the promises called `slugs`. */
export function maskOf(engine: Engine, slugs: readonly string[]): number {
  return engine.catalogue.invariants.reduce(
    (mask, { id, slug }) => (slugs.includes(slug) ? mask | (1 << id) : mask),
    0,
  );
}

export function slugsOf(engine: Engine, mask: number): string[] {
  return engine.catalogue.invariants.filter(({ id }) => (mask >>> id) & 1).map(({ slug }) => slug);
}

/** Warnings are judged for an entry that is about one only. */
export function judgeFor(engine: Engine, entry: CorpusEntry): void {
  engine.module.set_judges(entry.warning ? JUDGES_AND_WARNINGS : JUDGES);
}

/** Is a program of this entry cured by the entry's fix, and by nothing less? */
export function cureTest(engine: Engine, entry: CorpusEntry): (words: Uint32Array) => boolean {
  const { catalogue } = engine;
  const left = maskOf(engine, entry.leaves ?? []);
  const fixed = new Trial(engine, catalogue.vector(fixedSpec(entry)));
  const nearly = nearlyFixedSpec(entry);
  const nearlyFixed = nearly && new Trial(engine, catalogue.vector(nearly));
  return (words) => (fixed.mask(words) & ~left) === 0 && (nearlyFixed?.mask(words) !== 0 || nearlyFixed === undefined);
}

interface Failing extends Work {
  readonly words: Uint32Array;
  readonly mask: number;
}

/** The programs of a stream that break a promise on a kernel; returns the work done when the budget is spent. */
function* failing(engine: Engine, spec: KernelSpec, options: HuntOptions): Generator<Failing, Work> {
  const vector = engine.catalogue.vector(spec);
  const fuzzer = new Fuzzer(engine);
  const { catalogue } = engine;
  const { strategy = 'guided' } = options;
  const guided = strategy === 'guided';
  const learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'));
  const work = { programs: 0, faults: 0 };
  for (let shard = 0; shard < SHARDS_PER_HUNT; shard++) {
    const programs = (guided ? GUIDED_PROGRAMS[shard] : undefined) ?? SHARD_PROGRAMS;
    engine.configureVector(vector);
    const knowledge = guided ? learned.snapshot() : undefined;
    fuzzer.begin(BigInt(options.seed), options.firstShard + shard, strategy, false, knowledge);
    for (let index = 0; index < programs; ) {
      if (work.faults >= options.budgetFaults) return work;
      engine.configureVector(vector);
      const before = fuzzer.work().faults;
      const ran = fuzzer.run(index, Math.min(CHUNK, programs - index));
      index += ran;
      work.programs += ran;
      work.faults += fuzzer.work().faults - before;
      const stopped = fuzzer.stopped();
      if (stopped) yield { ...work, words: stopped.words, mask: stopped.mask };
    }
    if (guided) learned.merge({ ...fuzzer.coverage(), novel: fuzzer.novel(), keys: fuzzer.keys() });
  }
  return work;
}

/** The first program that shows the entry's flaw: it breaks a promise of the entry, and the entry's fix cures it. */
function hunt(engine: Engine, options: HuntOptions): Found | undefined {
  const { entry } = options;
  const { catalogue } = engine;
  const wanted = maskOf(engine, entry.slugs);
  const isCured = cureTest(engine, entry);
  for (const { words, mask, programs, faults } of failing(engine, entry.spec, options)) {
    if ((mask & wanted) === 0 || !isCured(words)) continue;
    const invariant = 31 - Math.clz32(mask & wanted);
    const trial = new Trial(engine, catalogue.vector(entry.spec));
    const smallest = minimizeBreaking(words, trial, invariant, isCured);
    return {
      slug: catalogue.invariant(invariant).slug,
      programs,
      faults,
      program: printProgram(words, catalogue.ops),
      minimized: printProgram(smallest, catalogue.ops),
      length: smallest.length,
      fixedClean: isCured(smallest),
    };
  }
  return undefined;
}

/**
 * The same streams on `kernel`, which should keep every promise: the first that it breaks, if any. Warnings are not
 * asked for: every release has such costs, some by decision (a PMD split marks its PTEs soft-dirty, for one).
 */
export function runTwin(engine: Engine, options: HuntOptions, kernel: KernelSpec = TWIN): Twin {
  engine.module.set_judges(JUDGES);
  const { done, value } = failing(engine, kernel, options).next();
  if (done) return value;
  const { words, mask, programs, faults } = value;
  return {
    programs,
    faults,
    alarm: { slugs: slugsOf(engine, mask), program: printProgram(words, engine.catalogue.ops) },
  };
}

/** Fuzzes the entry's kernel alone. */
export function huntAlone(engine: Engine, options: HuntOptions): HuntResult {
  judgeFor(engine, options.entry);
  const found = hunt(engine, options);
  return { ...(found && { found }), twin: { programs: 0, faults: 0 } };
}

/** Fuzzes the entry's kernel, then the repaired one with the same budget and the same random streams. */
export function huntEntry(engine: Engine, options: HuntOptions): HuntResult {
  judgeFor(engine, options.entry);
  const found = hunt(engine, options);
  return { ...(found && { found }), twin: runTwin(engine, options) };
}
