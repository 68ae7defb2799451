// What each knob of a kernel is needed for: dropped one at a time, and what is left of the kernel with all of them.
import { type KnobInfo, knobOn } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { breaks, Trial } from '../findings/trial.js';
import { type CheckResult, checkKernel, type SearchOptions } from './check.js';
import { DEFAULT_SCOPE, type Scope } from './scope.js';
import type { ShortestFinding } from './shortest.js';

export interface AblationRow {
  readonly knob: KnobInfo;
  /** The kernel has it turned on (true), its base has not; or the reverse. */
  readonly on: boolean;
  /** The kernel without it, searched for what the whole kernel keeps. */
  readonly check: CheckResult;
  /** A shortest program that breaks a promise without the knob, and not with it. */
  readonly finding?: ShortestFinding;
  /** Slugs of other promises that it breaks with the knob. */
  readonly instead: readonly string[];
}

export interface Ablation {
  readonly spec: KernelSpec;
  readonly base: string;
  readonly rows: readonly AblationRow[];
  /** The kernel with all its knobs, one search per scope. */
  readonly left: readonly CheckResult[];
}

export interface AblateOptions extends SearchOptions {
  /** In place of those that fit the knobs. */
  readonly scope?: Scope;
  readonly onStart?: (what: string) => void;
  readonly onRow?: (row: AblationRow) => void;
}

const SMALL: Scope = { ...DEFAULT_SCOPE, gup: ['common'] };
const HUGE: Scope = { ...SMALL, pmds: 1 };
const FILE: Scope = { ...DEFAULT_SCOPE, dax: true, swap: false };

/** The smallest scope in which a knob can matter, by the level of page table that its name tells. */
export function scopeOf({ name }: KnobInfo): Scope {
  if (/pud/.test(name)) return FILE;
  return /pmd|huge|split|thp|large|folio/.test(name) ? HUGE : SMALL;
}

/** The same kernel with one knob as its base has it. */
export function dropped(spec: KernelSpec, { name }: KnobInfo, on: boolean): KernelSpec {
  return {
    kernel: spec.kernel,
    with: [...spec.with.filter((other) => other !== name), ...(on ? [] : [name])],
    without: [...spec.without.filter((other) => other !== name), ...(on ? [name] : [])],
  };
}

/** Knobs in which `spec` differs from the base of its kernel. Throws UsageError if there are none. */
export function ownKnobs({ catalogue }: Engine, spec: KernelSpec): { base: string; knobs: KnobInfo[] } {
  const { base } = catalogue.kernel(spec.kernel);
  if (base === '') throw new UsageError(`${spec.kernel} is the first of the catalogue: it differs from nothing`);
  const mine = catalogue.vector(spec);
  const theirs = catalogue.kernel(base).vector;
  const knobs = catalogue.knobs.filter(({ id }) => knobOn(mine, id) !== knobOn(theirs, id));
  if (knobs.length === 0) throw new UsageError(`${spec.kernel} makes the same decisions as ${base}: nothing to drop`);
  return { base, knobs };
}

function brokenBy(engine: Engine, spec: KernelSpec, finding: ShortestFinding | undefined): string[] {
  if (!finding) return [];
  const { catalogue } = engine;
  const mask = new Trial(engine, catalogue.vector(spec)).mask(finding.diagnosis.words);
  return catalogue.invariants.filter(({ id }) => breaks(mask, id)).map(({ slug }) => slug);
}

/**
 * Drops every knob of `spec` in turn. `timeMs` is for all searches together: what one leaves over the next ones have.
 * Throws UsageError for a kernel without knobs of its own; rejects as `explore` does.
 */
export async function ablate(engine: Engine, spec: KernelSpec, options: AblateOptions): Promise<Ablation> {
  const { scope, timeMs, onStart, onRow, ...search } = options;
  const { base, knobs } = ownKnobs(engine, spec);
  const vector = engine.catalogue.vector(spec);
  const wanted = new Set(knobs.map((knob) => scope ?? scopeOf(knob)));
  const scopes = scope ? [scope] : [SMALL, HUGE, FILE].filter((one) => wanted.has(one));
  const ends = timeMs === undefined ? undefined : performance.now() + timeMs;
  let searches = knobs.length + scopes.length;
  const share = () => {
    const each = ends === undefined ? undefined : Math.max(1, (ends - performance.now()) / searches);
    searches--;
    return each === undefined ? {} : { timeMs: each };
  };
  const rows: AblationRow[] = [];
  for (const knob of knobs) {
    if (options.signal?.aborted) break;
    const on = knobOn(vector, knob.id);
    onStart?.(`${on ? '-' : '+'}${knob.name}`);
    const { until: _, ...rest } = search;
    const check = await checkKernel(
      engine,
      dropped(spec, knob, on),
      scope ?? scopeOf(knob),
      { ...rest, ...share() },
      spec,
    );
    const [finding] = check.findings;
    const row = { knob, on, check, ...(finding && { finding }), instead: brokenBy(engine, spec, finding) };
    rows.push(row);
    onRow?.(row);
  }
  const left: CheckResult[] = [];
  for (const one of scopes) {
    if (options.signal?.aborted) break;
    onStart?.('the whole kernel');
    left.push(await checkKernel(engine, spec, one, { ...search, until: 0, ...share() }));
  }
  return { spec, base, rows, left };
}
