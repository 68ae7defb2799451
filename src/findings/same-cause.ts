// When two counterexamples show one flaw.
import type { Engine } from '../engine/engine.js';
import { flipped } from './cures.js';
import type { Diagnosis } from './finding.js';
import { breaks, Trial } from './trial.js';

/** Does the best cure of `diagnosis` keep its promise in another program of the same kernel too? */
export function cures(engine: Engine, { spec, cures: [best], violation }: Diagnosis, words: Uint32Array): boolean {
  if (!best) return false;
  const cured = new Trial(engine, flipped(engine.catalogue.vector(spec), best.flips));
  return !breaks(cured.mask(words), violation.invariant);
}

/** One kernel and invariant, and the best cure of each cures the other; where nothing cures, one function to blame. */
export function isSameCause(engine: Engine, a: Diagnosis, b: Diagnosis): boolean {
  if (a.violation.invariant !== b.violation.invariant) return false;
  if (a.cures.length === 0 && b.cures.length === 0) return a.cause.function === b.cause.function;
  return cures(engine, a, b.words) && cures(engine, b, a.words);
}
