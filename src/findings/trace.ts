// A run with everything recorded: worlds before and after each step, decisions, what could be seen.
import type { Engine } from '../engine/engine.js';
import { decodeObservation, type Observation } from '../engine/observation.js';
import type { TraceRecord } from '../engine/trace.js';
import type { Violation } from '../engine/types.js';
import { type World, WorldReader } from '../engine/world.js';
import type { Trial } from './trial.js';

export interface TracedStep {
  /** Index of its first op. */
  readonly first: number;
  /** 1, or 2 for a concurrent pair. */
  readonly count: number;
  /** Result codes of its ops. */
  readonly results: readonly number[];
  readonly observations: readonly Observation[];
  readonly trace: readonly TraceRecord[];
  readonly before: World;
  readonly after: World;
}

export interface TracedRun {
  /** Up to the first violation. */
  readonly steps: readonly TracedStep[];
  readonly mask: number;
  readonly violations: readonly Violation[];
  /** The steps themselves showed nothing; the final look at the world did. */
  readonly finalLook: boolean;
}

function step(engine: Engine, reader: WorldReader, words: Uint32Array, first: number, before: World): TracedStep {
  engine.setTracing(true);
  const count = engine.step(first, words.length);
  engine.setTracing(false);
  return {
    first,
    count,
    results: [...engine.results(words.length).subarray(first, first + count)],
    observations: [...engine.observations()].map(decodeObservation),
    trace: engine.trace(),
    before,
    after: reader.world(engine.snapshot()),
  };
}

/** Runs the program on the trial's kernel. Throws UsageError for an invalid program. */
export function traceRun(words: Uint32Array, { engine, vector }: Trial): TracedRun {
  const reader = new WorldReader(engine.catalogue);
  engine.configureVector(vector);
  engine.begin(words);
  const steps: TracedStep[] = [];
  let world = reader.world(engine.snapshot());
  for (let i = 0; i < words.length && engine.verdict().mask === 0; ) {
    const done = step(engine, reader, words, i, world);
    steps.push(done);
    world = done.after;
    i += done.count;
  }
  const { mask, violations } = engine.verdict();
  if (mask !== 0) return { steps, mask, violations, finalLook: false };
  const last = engine.finish(words.length);
  return { steps, ...last, finalLook: last.mask !== 0 };
}
