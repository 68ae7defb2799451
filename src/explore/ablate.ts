// What each knob of a kernel is needed for: dropped one at a time, and what is left of the kernel with all of them.
import { type KnobInfo, knobOn } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { breaks, Trial } from '../findings/trial.js';
import { type CheckResult, checkKernel, type SearchOptions } from './check.js';
import { DEFAULT_SCOPE, type Scope } from './scope.js';
import type { ShortestFinding } from './shortest.js';
import type { ExploreResult } from './types.js';

/** Where a knob is searched for. */
export interface Place {
  /** `huge pages` */
  readonly label: string;
  readonly scope: Scope;
  readonly depth?: number;
}

export interface AblationRow {
  readonly knob: KnobInfo;
  /** The kernel has it turned on (true), its base has not; or the reverse. */
  readonly on: boolean;
  readonly label: string;
  /** The kernel without it, searched for what the whole kernel keeps. */
  readonly check: CheckResult;
  /** A shortest program that breaks a promise without the knob, and not with it. */
  readonly finding?: ShortestFinding;
  /** Slugs of other promises that it breaks with the knob. */
  readonly instead: readonly string[];
  /** Level for level it had as many states as the whole kernel: nothing shows that the knob is used at all. */
  readonly unused: boolean;
}

/** The kernel with all its knobs in one place. */
export interface Whole {
  readonly label: string;
  readonly check: CheckResult;
}

export interface Ablation {
  readonly spec: KernelSpec;
  readonly base: string;
  readonly rows: readonly AblationRow[];
  readonly left: readonly Whole[];
}

export interface AblateOptions extends SearchOptions {
  /** In place of those that fit the knobs. */
  readonly scope?: Scope;
  readonly onStart?: (what: string) => void;
  readonly onRow?: (row: AblationRow) => void;
}

const GET: Scope = { ...DEFAULT_SCOPE, gup: ['R.GET'] };
const PINNED: Scope = { ...DEFAULT_SCOPE, gup: ['common'] };
const SMALL: Place = { label: 'small pages', scope: PINNED, depth: 13 };
const HUGE: Place = { label: 'huge pages', scope: { ...PINNED, pmds: 1 }, depth: 9 };
const FILE: Place = { label: 'file', scope: { ...GET, dax: true, swap: false } };
/** Where pins break a promise sooner they hide what reads do. */
const READS: readonly Place[] = [
  { label: 'reads', scope: GET },
  { label: 'reads, huge pages', scope: { ...GET, pmds: 1 }, depth: 8 },
];

/** The smallest place in which a knob can matter, by the level of page table that its name tells. */
export function placeOf({ name }: KnobInfo): Place {
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
  const given: Place | undefined = scope && { label: 'scope given', scope };
  const wanted = new Set(knobs.map((knob) => given ?? placeOf(knob)));
  const places = given ? [given] : [SMALL, HUGE, FILE].filter((place) => wanted.has(place));
  const whole = given ? places : [...places, ...READS];
  const ends = timeMs === undefined ? undefined : performance.now() + timeMs;
  let searches = knobs.length + whole.length;
  const searchAt = (at: KernelSpec, place: Place, until: number | undefined, against?: KernelSpec) => {
    const share = ends === undefined ? undefined : Math.max(1, (ends - performance.now()) / searches);
    searches--;
    const depth = search.depth ?? place.depth;
    const { until: _, ...rest } = search;
    const how = {
      ...rest,
      ...(depth !== undefined && { depth }),
      ...(share !== undefined && { timeMs: share }),
      ...(until !== undefined && { until }),
    };
    return checkKernel(engine, at, place.scope, how, against);
  };
  const left: Whole[] = [];
  for (const place of whole) {
    if (options.signal?.aborted) break;
    onStart?.(`${spec.kernel}, ${place.label}`);
    left.push({ label: place.label, check: await searchAt(spec, place, 0) });
  }
  const rows: AblationRow[] = [];
  for (const knob of knobs) {
    if (options.signal?.aborted) break;
    const on = knobOn(vector, knob.id);
    const place = given ?? placeOf(knob);
    onStart?.(`${on ? '-' : '+'}${knob.name}`);
    const check = await searchAt(dropped(spec, knob, on), place, undefined, spec);
    const [finding] = check.findings;
    const beside = left.find(({ label }) => label === place.label);
    const row = {
      knob,
      on,
      label: place.label,
      check,
      ...(finding && { finding }),
      instead: brokenBy(engine, spec, finding),
      unused: beside !== undefined && isSameGraph(check.result, beside.check.result),
    };
    rows.push(row);
    onRow?.(row);
  }
  return { spec, base, rows, left };
}

/** As many states in every level that both have. */
function isSameGraph(a: ExploreResult, b: ExploreResult): boolean {
  return a.levels.every((count, depth) => b.levels[depth] === undefined || b.levels[depth] === count);
}
