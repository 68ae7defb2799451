// Kernels side by side: which promises each keeps, and what each costs on the same programs.
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { printSpec } from '../text/id.js';
import { type CheckResult, checkKernel, type SearchOptions } from './check.js';
import { type Costs, drawPrograms, measureCosts } from './costs.js';
import { DEFAULT_SCOPE, type Scope } from './scope.js';
import type { ShortestFinding } from './shortest.js';

/** Programs that are judged together: one block of the table. */
export interface Search {
  readonly block: string;
  readonly check: CheckResult;
}

export interface Compared {
  readonly spec: KernelSpec;
  readonly searches: readonly Search[];
  /** Blocks in which a search was interrupted, or never begun: what they do not show broken may be. */
  readonly unsearched: readonly string[];
  readonly costs: Costs;
}

export interface Comparison {
  readonly kernels: readonly Compared[];
  /** Of the programs that the costs are of. */
  readonly seed: bigint;
  readonly programs: number;
}

export interface CompareOptions extends Omit<SearchOptions, 'depth'> {
  /** In place of reads and pins on small and huge pages. */
  readonly scope?: Scope;
  /** Levels of every search, in place of those of each scope. */
  readonly depth?: number;
  readonly seed: bigint;
  /** Programs that the costs are measured on. */
  readonly programs: number;
  readonly onStart?: (what: string) => void;
}

interface Planned {
  readonly block: string;
  readonly scope: Scope;
  readonly depth?: number;
}

const READS = 'GUP reads (GET)';
const PINS = 'with pins as well';
const GET: Scope = { ...DEFAULT_SCOPE, gup: ['R.GET'] };
const PINNED: Scope = { ...DEFAULT_SCOPE, gup: ['common'] };

/**
 * Reads alone, and pins too: where pins break a promise sooner they would hide what reads do. Small pages and huge ones, each as
 * deep as six kernels have time for.
 */
const PLAN: readonly Planned[] = [
  { block: READS, scope: GET },
  { block: READS, scope: { ...GET, pmds: 1 }, depth: 8 },
  { block: PINS, scope: PINNED, depth: 12 },
  { block: PINS, scope: { ...PINNED, pmds: 1 }, depth: 8 },
];

/** `seed`, `seed+wp_reuse.keeps_wp`, `v5.9-fork.early_copy_pinned`. Knobs are known by the dot in their name. */
export function parseKernel(text: string): KernelSpec {
  const [kernel, ...rest] = text.split(/([+-])(?=[a-z_]+\.)/);
  const knobs = (sign: string) => rest.filter((_, i) => i % 2 === 1 && rest[i - 1] === sign);
  return { kernel: kernel!, with: knobs('+'), without: knobs('-') };
}

/**
 * Searches every kernel in the same scopes and runs the same programs on each. `timeMs` is for all searches together: what one
 * leaves over the next ones have. Throws UsageError for unknown names and for a kernel given twice; rejects as `explore` does.
 */
export async function compareKernels(
  engine: Engine,
  specs: readonly KernelSpec[],
  options: CompareOptions,
): Promise<Comparison> {
  const { scope, depth, timeMs, seed, programs: count, onStart, ...search } = options;
  const names = specs.map(printSpec);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`${twice} is given twice`);
  const vectors = specs.map((spec) => engine.catalogue.vector(spec));
  const plan: Planned[] = scope ? [{ block: 'promise broken, by', scope }] : [...PLAN];
  const ends = timeMs === undefined ? undefined : performance.now() + timeMs;
  let left = specs.length * plan.length;
  const found: Search[][] = [];
  for (const [i, spec] of specs.entries()) {
    const searches: Search[] = [];
    for (const planned of plan) {
      if (options.signal?.aborted) break;
      onStart?.(names[i]!);
      const share = ends === undefined ? undefined : Math.max(1, (ends - performance.now()) / left);
      const levels = depth ?? planned.depth;
      left--;
      const check = await checkKernel(engine, spec, planned.scope, {
        ...search,
        until: 0,
        ...(levels !== undefined && { depth: levels }),
        ...(share !== undefined && { timeMs: share }),
      });
      searches.push({ block: planned.block, check });
    }
    found.push(searches);
  }
  onStart?.('costs');
  const programs = drawPrograms(engine, seed, count);
  const kernels = specs.map((spec, i) => ({
    spec,
    searches: found[i]!,
    unsearched: plan.map(({ block }) => block).filter((_, k) => !isWhole(found[i]![k])),
    costs: measureCosts(engine, vectors[i]!, programs),
  }));
  return { kernels, seed, programs: count };
}

function isWhole(search: Search | undefined): boolean {
  return search !== undefined && search.check.result.ended !== 'interrupted';
}

/** Names of the blocks, in order. */
export function blocksOf(kernels: readonly Compared[]): string[] {
  return [
    ...new Set(kernels.flatMap(({ searches, unsearched }) => [...searches.map(({ block }) => block), ...unsearched])),
  ];
}

/** The shortest program of a block that breaks a promise on a kernel; undefined = kept. */
export function shortestOf({ searches }: Compared, block: string, invariant: number): ShortestFinding | undefined {
  return searches
    .filter((search) => search.block === block)
    .flatMap(({ check }) => check.findings)
    .filter((finding) => finding.invariant === invariant)
    .reduce<ShortestFinding | undefined>((best, one) => (best && best.length <= one.length ? best : one), undefined);
}
