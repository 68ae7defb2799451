// What is exported: a program on a kernel, with what it breaks there and the kernel that keeps its promises.

import type { KnobVector } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { flipped } from '../findings/cures.js';
import { type Diagnosis, diagnose } from '../findings/finding.js';
import { Trial } from '../findings/trial.js';

export interface Exported {
  readonly words: Uint32Array;
  readonly spec: KernelSpec;
  /** Undefined: the kernel keeps every promise. */
  readonly diagnosis: Diagnosis | undefined;
}

/** Throws UsageError for a bad kernel or program. */
export function exported(engine: Engine, spec: KernelSpec, words: Uint32Array): Exported {
  return { words, spec, diagnosis: diagnose(engine, spec, words) };
}

/** Kernels that might keep the promises of a program, the likeliest first. */
function* keepers(engine: Engine, { spec, diagnosis }: Exported): Generator<KnobVector> {
  const { catalogue } = engine;
  yield catalogue.vector({ kernel: 'repaired', with: [], without: [] });
  for (const { flips, faithful } of diagnosis?.cures ?? []) if (faithful) yield flipped(catalogue.vector(spec), flips);
  for (const { vector } of catalogue.kernels.toReversed()) yield vector;
}

/** A kernel of the catalogue, or a cured one, that keeps every promise of `words`; undefined if there is none. */
export function keeperOf(engine: Engine, program: Exported, words: Uint32Array): KnobVector | undefined {
  for (const vector of keepers(engine, program))
    if (new Trial(engine, vector).run(words).verdict.mask === 0) return vector;
  return undefined;
}
