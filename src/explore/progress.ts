// How far a search is, told a few times a second.
import type { Control } from './control.js';
import type { ExploreOptions } from './types.js';

const EVERY_MS = 250;

/** What is known between two levels. */
export interface Standing {
  depth: number;
  /** States of the level that is expanded now. */
  frontier: number;
  /** States and transitions before that level was begun. */
  states: number;
  transitions: number;
  /** When it was begun. */
  since: number;
}

/** Calls `onProgress` until the returned function is called. */
export function tellProgress(
  onProgress: ExploreOptions['onProgress'],
  control: Control,
  standing: Standing,
  started: number,
): () => void {
  if (!onProgress) return () => {};
  const tell = () => {
    const now = performance.now();
    const expanded = control.long('expanded');
    const states = standing.states + control.long('found');
    const levelMs = now - standing.since;
    onProgress({
      depth: standing.depth,
      frontier: standing.frontier,
      expanded,
      states,
      transitions: standing.transitions + control.long('transitions'),
      statesPerSecond: states / ((now - started) / 1000),
      bytes: control.long('visitedBytes') + control.long('frontierBytes'),
      levelEtaMs: expanded === 0 ? undefined : Math.max(0, (levelMs * (standing.frontier - expanded)) / expanded),
    });
  };
  const timer = setInterval(tell, EVERY_MS);
  return () => clearInterval(timer);
}
