// The threads: Piscina with the worker of this folder, a bound on what is under way, and one retry after a trap.
import { type Piscina, startThreads } from '../threads.js';
import type { Task, TaskResult } from './task.js';

export class Pool {
  readonly #piscina: Piscina<Task, TaskResult>;
  /** Enough that no thread waits for the next task, few enough to end soon. */
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(workers: number) {
    this.#limit = 2 * workers;
    this.#piscina = startThreads(new URL('./worker.js', import.meta.url), workers);
  }

  /** Resolves when there is room for another task. */
  async room(): Promise<void> {
    while (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Runs a task, a second time if the engine traps. `task` is called once per attempt (0, 1). */
  async run(task: (attempt: number) => Task): Promise<TaskResult> {
    this.#running++;
    try {
      const result = await this.#piscina.run(task(0));
      return result.kind === 'trapped' ? await this.#piscina.run(task(1)) : result;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Ends the threads; what runs is lost. */
  async destroy(): Promise<void> {
    await this.#piscina.destroy();
  }
}
