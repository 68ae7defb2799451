// The exhaustive search: every state that a subject can reach, on any number of threads, with the same result on each.
import { UsageError } from '../errors.js';
import { searchBreadth } from './breadth.js';
import { Control } from './control.js';
import { searchDepth } from './depth.js';
import { OFFER_BYTES } from './dive.js';
import { makeVisited } from './table.js';
import { Threads } from './threads.js';
import type { ExploreOptions, ExploreResult } from './types.js';

/** For subjects of other modules than that of `spec.kind`, and to make rare things happen in tests. */
export interface ExploreHooks {
  /** Exports `makeSubject(spec, data)`. */
  readonly module?: string;
  readonly data?: unknown;
  /** Lines of 64 bytes that the visited set begins with. */
  readonly firstLines?: number;
}

const MOST_WORKERS = 256;
const MOST_TIMER_MS = 2 ** 31 - 1;
const SUBJECTS = new URL('./make.js', import.meta.url).href;

/**
 * Searches until no state is left or a bound is reached. Breadth-first, levels, states, transitions and the lengths of
 * violations are the same for any number of workers; with one worker so are the programs. A level that was begun and
 * not ended does not count, but what it found broken does: no shorter path breaks it.
 *
 * Throws UsageError for options that make no sense, SearchError if a thread failed (a trap in the subject): nothing is
 * proven then.
 */
export async function explore(options: ExploreOptions, hooks: ExploreHooks = {}): Promise<ExploreResult> {
  const { workers, memory, visited: kind } = options;
  if (!Number.isInteger(workers) || workers < 1 || workers > MOST_WORKERS)
    throw new UsageError(`${workers} workers: valid are 1 to ${MOST_WORKERS}`);
  const started = performance.now();
  const control = new Control();
  const visited = makeVisited(kind, workers, memory, control, hooks.firstLines);
  const setup = {
    module: hooks.module ?? SUBJECTS,
    spec: options.subject,
    data: hooks.data,
    visited,
    offer: new SharedArrayBuffer(OFFER_BYTES),
  };
  const threads = new Threads(workers, setup);
  const interrupt = () => control.stop('interrupted');
  options.signal?.addEventListener('abort', interrupt);
  if (options.signal?.aborted) interrupt();
  const { timeMs } = options;
  // A longer timer would go off at once.
  const timer =
    timeMs === undefined ? undefined : setTimeout(() => control.stop('time'), Math.min(timeMs, MOST_TIMER_MS));
  try {
    const [answer] = await threads.run([{ kind: 'roots' }]);
    const search = options.order === 'depth' ? searchDepth : searchBreadth;
    return await search(options, threads, control, answer!.roots, started);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', interrupt);
    await threads.destroy();
  }
}
