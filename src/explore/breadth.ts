// Breadth-first, level by level: all threads expand a level, then all go on to the next.
import { type Chunk, entriesIn } from './chunks.js';
import type { Control } from './control.js';
import { omission } from './omission.js';
import { type Standing, tellProgress } from './progress.js';
import type { LevelTask } from './task.js';
import type { Threads } from './threads.js';
import type { Ended, ExploreOptions, ExploreResult } from './types.js';
import { Violations } from './violations.js';

/** A level is shared among threads from this many states on: below, waking them costs more than it saves. */
const LEAST_SHARED = 256;

const ALL = 0xffffffff;

export async function searchBreadth(
  options: ExploreOptions,
  threads: Threads,
  control: Control,
  roots: Chunk,
  started: number,
): Promise<ExploreResult> {
  const { depth: most = Number.POSITIVE_INFINITY, until = ALL } = options;
  const violations = new Violations();
  const levels = [roots.count];
  let free: SharedArrayBuffer[] = [];
  let chunks: readonly Chunk[] = [roots];
  let transitions = 0;
  let exhausted = 0;
  let frontier = 0;
  const standing: Standing = { depth: 0, frontier: roots.count, states: roots.count, transitions: 0, since: started };
  const stopProgress = tellProgress(options.onProgress, control, standing, started);

  /** Expands the last level and enters the next; says why the search is over, if it is. */
  async function level(): Promise<Ended | undefined> {
    const depth = levels.length - 1;
    const count = levels[depth]!;
    if (depth >= most) return 'depth';
    if (control.stopped !== undefined) return control.stopped;
    for (const word of ['expanded', 'found', 'transitions'] as const) control.setLong(word, 0);
    control.set('cursor', 0);
    Object.assign(standing, { depth, frontier: count, since: performance.now() });
    const workers = count < LEAST_SHARED ? 1 : options.workers;
    const known = violations.mask;
    const results = await threads.run(
      Array.from({ length: workers }, (_, i): LevelTask => {
        const share = free.filter((_, j) => j % workers === i);
        return { kind: 'level', depth, chunks, count, threads: workers, free: share, known };
      }),
    );
    for (const result of results) violations.merge(result.violations);
    frontier = Math.max(frontier, control.long('frontierBytes'));
    const expanded = results.reduce((sum, result) => sum + result.expanded, 0);
    if (expanded < count) return control.stopped ?? 'interrupted';
    // From here on the level counts.
    const used = depth === 0 ? [] : chunks.map((chunk) => chunk.bytes);
    free = [...results.flatMap((result) => result.free), ...used];
    chunks = results.flatMap((result) => result.chunks);
    for (const result of results) {
      transitions += result.transitions;
      exhausted += result.exhausted;
    }
    const found = entriesIn(chunks);
    if (found > 0) levels.push(found);
    standing.states += found;
    standing.transitions = transitions;
    for (const word of ['expanded', 'found', 'transitions'] as const) control.setLong(word, 0);
    if ((violations.mask & until) !== 0) return 'violated';
    return found === 0 ? 'closed' : undefined;
  }

  try {
    let ended: Ended | undefined;
    while (ended === undefined) ended = await level();
    const states = levels.reduce((sum, count) => sum + count, 0);
    const listed = violations.list();
    return {
      ended,
      levels,
      states,
      transitions,
      depth: Math.min(levels.length - 1, (violations.shortest ?? Number.POSITIVE_INFINITY) - 1),
      violations: listed.map(({ path }) => path),
      exhausted,
      bytes: { visited: control.long('visitedBytes'), frontier },
      omission: omission(options.visited, states),
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    stopProgress();
  }
}
