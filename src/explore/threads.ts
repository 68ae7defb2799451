// The threads of one search: Piscina with the worker of this folder. They end with the search, for each holds its own
// subject.
import { type Piscina, startThreads } from '../threads.js';
import type { DiveResult, LevelResult, RootsResult, Setup, Task, TaskResult } from './task.js';

type ResultOf<T extends Task> = T['kind'] extends 'roots'
  ? RootsResult
  : T['kind'] extends 'level'
    ? LevelResult
    : DiveResult;

export class Threads {
  readonly #piscina: Piscina<Task, TaskResult>;
  readonly #failed: Promise<never>;

  constructor(count: number, setup: Setup) {
    this.#piscina = startThreads(new URL('./worker.js', import.meta.url), count, setup);
    // A thread that dies between two tasks is told here, and nowhere else.
    this.#failed = new Promise((_, reject) => this.#piscina.on('error', reject));
    this.#failed.catch(() => {});
  }

  /** Runs one task a thread. Throws SearchError as soon as one of them fails; the others are not waited for. */
  async run<T extends Task>(tasks: readonly T[]): Promise<ResultOf<T>[]> {
    try {
      const all = Promise.all(tasks.map((task) => this.#piscina.run(task)));
      return (await Promise.race([all, this.#failed])) as ResultOf<T>[];
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new SearchError(`a thread of the search failed: ${message}`, { cause });
    }
  }

  /** Ends the threads, whatever they do. */
  async destroy(): Promise<void> {
    await this.#piscina.destroy();
  }
}

/** A fault of the search itself or of its subject's module: nothing is proven. */
export class SearchError extends Error {
  override readonly name = 'SearchError';
}
