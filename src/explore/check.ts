// One kernel searched within one scope.
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { alphabet } from './alphabet.js';
import { explore } from './explore.js';
import type { Scope } from './scope.js';
import { type ShortestFinding, shortestFindings } from './shortest.js';
import type { ExploreOptions, ExploreResult, SubjectSpec, Symmetry } from './types.js';
import type { Bound } from './verdict.js';

/** How a search is run, whatever is searched. */
export type SearchOptions = Omit<ExploreOptions, 'subject'> & { readonly symmetry: Symmetry };

export interface CheckResult {
  readonly bound: Bound;
  readonly result: ExploreResult;
  /** Shortest first. */
  readonly findings: readonly ShortestFinding[];
}

export function engineSpec(engine: Engine, spec: KernelSpec, scope: Scope, symmetry: Symmetry): SubjectSpec {
  const { alphabet: words, pairs, pages, mms } = alphabet(engine.catalogue, scope);
  return { kind: 'engine', vector: engine.catalogue.vector(spec), alphabet: words, pairs, mms, pages, symmetry };
}

/**
 * Searches `spec` and explains what broke. Throws UsageError for unknown names; rejects as `explore` does. `search`
 * stands in for the driver in tests.
 */
export async function checkKernel(
  engine: Engine,
  spec: KernelSpec,
  scope: Scope,
  { symmetry, ...options }: SearchOptions,
  search: (options: ExploreOptions) => Promise<ExploreResult> = explore,
): Promise<CheckResult> {
  const subject = engineSpec(engine, spec, scope, symmetry);
  const result = await search({ ...options, subject });
  const operations = subject.kind === 'engine' ? subject.alphabet.length + subject.pairs.length / 2 : 0;
  return {
    bound: { spec, scope, operations, symmetry },
    result,
    findings: shortestFindings(engine, spec, result.violations),
  };
}
