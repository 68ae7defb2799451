// Runs in a Piscina thread: one engine a thread, one hunt at a time.
import { type Engine, loadEngine } from '../engine/engine.js';
import type { FuzzStrategy } from '../engine/fuzzer.js';
import { CORPUS } from './corpus.js';
import { type HuntResult, huntAlone, huntEntry, SHARDS_PER_HUNT } from './hunt.js';

/** One entry with one seed; plain data, for the way to the thread. */
export interface HuntTask {
  readonly id: string;
  readonly seed: number;
  readonly budgetFaults: number;
  readonly strategy: FuzzStrategy;
  /** Without the repaired twin. */
  readonly alone?: boolean;
}

let engine: Engine | undefined;

/** Each entry has shards of its own, so that its twin is fuzzed with programs that no other entry's twin has seen. */
export default function runTask({ id, seed, budgetFaults, strategy, alone }: HuntTask): HuntResult {
  const at = CORPUS.findIndex((entry) => entry.id === id);
  engine ??= loadEngine();
  const options = { entry: CORPUS[at]!, seed, firstShard: at * SHARDS_PER_HUNT, budgetFaults, strategy };
  return alone ? huntAlone(engine, options) : huntEntry(engine, options);
}
