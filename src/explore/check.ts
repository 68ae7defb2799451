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
  /** What was searched. */
  readonly subject: EngineSpec;
  readonly bound: Bound;
  readonly result: ExploreResult;
  /** Shortest first. */
  readonly findings: readonly ShortestFinding[];
}

/**
 * Searches `spec` and explains what broke; with `against`, only what the same program does not break there. Throws UsageError
 * for unknown names; rejects as `explore` does.
 */
export async function checkKernel(
  engine: Engine,
  spec: KernelSpec,
  scope: Scope,
  { symmetry, ...options }: SearchOptions,
  against?: KernelSpec,
): Promise<CheckResult> {
  const { catalogue } = engine;
  const { alphabet: words, pairs, schedulesSpared: spared, pages, mms } = alphabet(catalogue, scope);
  const other = against && { against: catalogue.vector(against) };
  const vector = catalogue.vector(spec);
  const { asleep } = scope;
  const subject: EngineSpec = {
    kind: 'engine',
    vector,
    ...other,
    alphabet: words,
    pairs,
    mms,
    pages,
    asleep,
    symmetry,
  };
  const result = await explore({ ...options, subject });
  return {
    subject,
    bound: { spec, scope, operations: words.length, concurrent: pairs.length / 2, spared, symmetry },
    result,
    findings: shortestFindings(engine, spec, result.violations),
  };
}
