// Depth-first: each thread on a stack of its own, all with one visited set.
import type { Chunk } from './chunks.js';
import type { Control } from './control.js';
import { omission } from './omission.js';
import { tellProgress } from './progress.js';
import type { DiveTask } from './task.js';
import type { Threads } from './threads.js';
import type { Ended, ExploreOptions, ExploreResult } from './types.js';
import { Violations } from './violations.js';

const ALL = 0xffffffff;

export async function searchDepth(
  options: ExploreOptions,
  threads: Threads,
  control: Control,
  roots: Chunk,
  started: number,
): Promise<ExploreResult> {
  const { workers, depth = Number.POSITIVE_INFINITY, until = ALL } = options;
  const standing = { depth: 0, frontier: 0, states: roots.count, transitions: 0, since: started };
  const stopProgress = tellProgress(options.onProgress, control, standing, started);
  try {
    const results = await threads.run(
      Array.from({ length: workers }, (_, i): DiveTask => {
        return { kind: 'dive', roots: i === 0 ? roots : undefined, threads: workers, depth, until };
      }),
    );
    const sum = (of: (result: (typeof results)[number]) => number) => results.reduce((all, one) => all + of(one), 0);
    const violations = new Violations(false);
    for (const result of results) violations.merge(result.violations);
    const ended: Ended = control.stopped ?? (results.some(({ cut }) => cut) ? 'depth' : 'closed');
    const states = sum((result) => result.states);
    return {
      ended,
      levels: [],
      states,
      transitions: sum((result) => result.transitions),
      depth: 0,
      violations: violations.list().map(({ path }) => path),
      exhausted: sum((result) => result.exhausted),
      bytes: { visited: control.long('visitedBytes'), frontier: control.long('frontierBytes') },
      omission: omission(options.visited, states),
      seconds: (performance.now() - started) / 1000,
      deepest: Math.max(...results.map((result) => result.deepest)),
    };
  } finally {
    stopProgress();
  }
}
