// Runs in a Piscina thread: one engine a thread, one hunt at a time.
import { type Engine, loadEngine } from '../engine/engine.js';
import { CORPUS } from './corpus.js';
import { type HuntResult, huntEntry, SHARDS_PER_HUNT } from './hunt.js';

/** One entry with one seed; plain data, for the way to the thread. */
export interface HuntTask {
  readonly id: string;
  readonly seed: number;
  readonly budgetFaults: number;
}

let engine: Engine | undefined;

/** Each entry has shards of its own, so that its twin is fuzzed with programs that no other entry's twin has seen. */
export default function runTask({ id, seed, budgetFaults }: HuntTask): HuntResult {
  const at = CORPUS.findIndex((entry) => entry.id === id);
  engine ??= loadEngine();
  return huntEntry(engine, { entry: CORPUS[at]!, seed, firstShard: at * SHARDS_PER_HUNT, budgetFaults });
}
