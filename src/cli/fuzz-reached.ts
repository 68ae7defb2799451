// Where a campaign came: handler points by function, and scenarios.
import type { FuzzResult } from '../campaign/types.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { scenariosData, watchPrograms } from '../scenarios/report.js';

/** Watching a program costs a thousand times what running it does. */
const MOST_WATCHED = 128;

export interface FunctionPoints {
  readonly function: string;
  readonly reached: number;
  readonly points: number;
  /** Decisions never taken. */
  readonly never: readonly string[];
}

function byFunction(engine: Engine, { reached }: FuzzResult): FunctionPoints[] {
  const { points } = engine.catalogue;
  const ids = new Set(reached.points);
  return [...new Set(points.map((point) => point.function))].map((name) => {
    const own = points.filter((point) => point.function === name);
    const never = own.filter(({ id }) => !ids.has(id)).map(({ decision }) => decision);
    return { function: name, reached: own.length - never.length, points: own.length, never };
  });
}

/** One sentence: the functions with points that no program reached. The engine that marks all branches needs a checkout. */
export function reachedText(engine: Engine, result: FuzzResult): string {
  const missing = byFunction(engine, result).filter(({ never }) => never.length > 0);
  if (missing.length === 0) return 'Every handler point was reached.';
  const told = missing.map(({ function: name, reached, points }) => `${name} ${reached}/${points}`);
  return `Handler points never reached: ${told.join(', ')} (see --json, or "breakcow coverage").`;
}

export function reachedJson(engine: Engine, spec: KernelSpec, result: FuzzResult) {
  const watched = watchPrograms(engine, engine.catalogue.vector(spec), result.reached.corpus, MOST_WATCHED);
  return { functions: byFunction(engine, result), scenarios: scenariosData(watched) };
}
