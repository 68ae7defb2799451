// A finding: one cause, shown by one minimized program.
import type { Catalogue } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec, Violation } from '../engine/types.js';
import { programId } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { type Cause, findCause } from './cause.js';
import { type Cure, findCures, flipped } from './cures.js';
import { minimizeBreaking } from './minimize.js';
import { type TracedRun, traceRun } from './trace.js';
import { breaks, Trial } from './trial.js';

/** What a minimized program is known to do. */
export interface Diagnosis {
  readonly spec: KernelSpec;
  readonly words: Uint32Array;
  readonly run: TracedRun;
  /** The first record of the invariant on trial. */
  readonly violation: Violation;
  readonly cures: readonly Cure[];
  readonly cause: Cause;
}

/** What is known of shorter programs. */
export interface Shortest {
  /** Of what they are made, in words. */
  readonly scope: string;
  /**
   * Every program of it of at most so many operations was tried, or one that leads to the same states, on the kernel and with the
   * finding's best cure: none shorter than the finding breaks the promise by its cause.
   */
  readonly exhaustiveTo: number;
  /** Visited. */
  readonly states: number;
  /** Nothing shorter is left to try: the program is a shortest one. */
  readonly proven: boolean;
}

export interface Finding {
  /** Of the minimized program on its kernel. */
  readonly id: string;
  readonly diagnosis: Diagnosis;
  readonly slug: string;
  /** As the fuzzer ran it, canonical. */
  readonly program: string;
  readonly minimized: string;
  readonly seed: string;
  readonly firstAt: { readonly programs: number; readonly faults: number };
  /** Absent: nobody looked. */
  readonly shortest?: Shortest;
}

/** Runs a program that breaks a promise and finds out why. `invariant`: the one to look at, default the first broken. */
export function diagnose(
  engine: Engine,
  spec: KernelSpec,
  words: Uint32Array,
  invariant?: number,
): Diagnosis | undefined {
  const trial = new Trial(engine, engine.catalogue.vector(spec));
  const run = traceRun(words, trial);
  const violation = run.violations.find((record) => invariant === undefined || record.invariant === invariant);
  if (!violation) return undefined;
  const cures = findCures(words, trial);
  return { spec, words, run, violation, cures, cause: findCause(engine.catalogue, run, violation, cures) };
}

/** Flaws of one program that are told apart. */
const MAX_FLAWS = 3;

/**
 * Minimizes a program for each flaw that it meets on the trial's kernel: the first result is the smallest program that
 * breaks the invariant at all; where its best cure leaves the found program broken, the next one is the smallest that
 * breaks it with that cure in place too, and so on. So neither does a rare flaw slide into a common one, nor does it
 * hide behind it (a PMD is split, and the PTEs have the flaw as well).
 */
export function minimizeCauses(words: Uint32Array, trial: Trial, invariant: number): Uint32Array[] {
  const fails = (kernel: Trial, candidate: Uint32Array) => breaks(kernel.mask(candidate), invariant);
  const found: Uint32Array[] = [];
  let kernel = trial;
  while (found.length < MAX_FLAWS && fails(kernel, words)) {
    const cured = kernel;
    const small = minimizeBreaking(words, trial, invariant, (candidate) => fails(cured, candidate));
    found.push(small);
    const [best] = findCures(small, kernel);
    if (!best) break;
    kernel = new Trial(trial.engine, flipped(kernel.vector, best.flips));
  }
  return found;
}

export function makeFinding(
  catalogue: Catalogue,
  diagnosis: Diagnosis,
  found: { readonly words: Uint32Array; readonly seed: string; readonly firstAt: Finding['firstAt'] },
): Finding {
  const { ops } = catalogue;
  return {
    id: programId(diagnosis.words, diagnosis.spec, ops),
    diagnosis,
    slug: catalogue.invariant(diagnosis.violation.invariant).slug,
    program: printProgram(found.words, ops),
    minimized: printProgram(diagnosis.words, ops),
    seed: found.seed,
    firstAt: found.firstAt,
  };
}

/** The finding with another program of the same cause, or the same one, and what is known of shorter ones. */
export function renewFinding({ ops }: Catalogue, finding: Finding, diagnosis: Diagnosis, shortest: Shortest): Finding {
  return {
    ...finding,
    id: programId(diagnosis.words, diagnosis.spec, ops),
    diagnosis,
    minimized: printProgram(diagnosis.words, ops),
    shortest,
  };
}
