// A finding: one cause, shown by one minimized program.
import type { Catalogue } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec, Violation } from '../engine/types.js';
import { programId } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { type Cause, findCause } from './cause.js';
import { type Cure, candidates, findCures, flipped } from './cures.js';
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

/** Single knobs whose flip keeps the invariant in a program as it was found: the marks of its cause. */
function singleCures(words: Uint32Array, trial: Trial, invariant: number): Trial[] {
  const { engine, vector } = trial;
  return candidates(engine.catalogue, vector)
    .map((flip) => new Trial(engine, flipped(vector, [flip])))
    .filter((cured) => !breaks(cured.mask(words), invariant));
}

/**
 * Minimizes without sliding into another flaw that breaks the same invariant: some knob that cures the found program
 * has to cure the small one too, if there is any.
 */
export function minimizeCause(words: Uint32Array, trial: Trial, invariant: number): Uint32Array {
  const quick = minimizeBreaking(words, trial, invariant);
  const marks = singleCures(words, trial, invariant);
  const cures = (cured: Trial, candidate: Uint32Array) => !breaks(cured.mask(candidate), invariant);
  const [mark] = marks;
  if (!mark || marks.some((cured) => cures(cured, quick))) return quick;
  return minimizeBreaking(words, trial, invariant, (candidate) => cures(mark, candidate));
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
