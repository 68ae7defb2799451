// One kernel searched within one scope.
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { alphabet } from './alphabet.js';
import type { EngineSpec } from './engine-subject.js';
import { explore } from './explore.js';
import type { Scope } from './scope.js';
import { type ShortestFinding, shortestFindings } from './shortest.js';
import type { ExploreOptions, ExploreResult, Symmetry } from './types.js';
import type { Bound } from './verdict.js';

/** How a search is run, whatever is searched. */
export type SearchOptions = Omit<ExploreOptions, 'subject'> & { readonly symmetry: Symmetry };

export interface CheckResult {
  readonly bound: Bound;
  readonly result: ExploreResult;
  /** Shortest first. */
  readonly findings: readonly ShortestFinding[];
}

/** The subject of `spec`. `against`: only what breaks no promise there is looked for. */
export function engineSpec(
  { catalogue }: Engine,
  spec: KernelSpec,
  scope: Scope,
  symmetry: Symmetry,
  against?: KernelSpec,
): EngineSpec {
  const { alphabet: words, pairs, pages, mms } = alphabet(catalogue, scope);
  return {
    kind: 'engine',
    vector: catalogue.vector(spec),
    ...(against && { against: catalogue.vector(against) }),
    alphabet: words,
    pairs,
    mms,
    pages,
    asleep: scope.asleep,
    symmetry,
  };
}

/** Searches `spec` and explains what broke. Throws UsageError for unknown names; rejects as `explore` does. */
export async function checkKernel(
  engine: Engine,
  spec: KernelSpec,
  scope: Scope,
  { symmetry, ...options }: SearchOptions,
  against?: KernelSpec,
): Promise<CheckResult> {
  const subject = engineSpec(engine, spec, scope, symmetry, against);
  const result = await explore({ ...options, subject });
  return {
    bound: { spec, scope, operations: subject.alphabet.length + subject.pairs.length / 2, symmetry },
    result,
    findings: shortestFindings(engine, spec, result.violations),
  };
}
