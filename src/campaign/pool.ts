// The runner of this process: Piscina with the worker of this folder. A thread that hangs or dies is replaced.
import type { Work } from '../engine/fuzzer.js';
import { type Piscina, startThreads } from '../threads.js';
import type { Runner, WorkerState } from './runner.js';
import { type Job, Pulse, Shared, type Task, type TaskResult } from './task.js';

/** How often pulses are felt. */
const TICK_MS = 250;
/** A batch takes 25 ms. A task whose pulse stands still for so long is taken for hung. */
const HUNG_MS = 30_000;

interface Running {
  readonly job: Job;
  readonly pulse: Pulse;
  readonly abort: AbortController;
  beats: number;
  /** Ticks without a beat. Ticks, not time: a suspended machine has none, whatever its clock says. */
  still: number;
}

export class Pool implements Runner {
  readonly #piscina: Piscina<Task, TaskResult>;
  /** Enough that no thread waits for the next task, few enough to end soon. */
  readonly #limit: number;
  readonly #hungTicks: number;
  readonly #shared = { shard: new Shared(), canary: new Shared() };
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Running>();
  readonly #watchdog: NodeJS.Timeout;
  #done = 0;

  constructor(workers: number, hungMs: number = HUNG_MS) {
    this.#limit = 2 * workers;
    this.#hungTicks = Math.ceil(hungMs / TICK_MS);
    this.#piscina = startThreads(new URL('./worker.js', import.meta.url), workers);
    // A thread that dies between two tasks is replaced by Piscina: nothing was lost.
    this.#piscina.on('error', () => {});
    this.#watchdog = setInterval(() => this.#feel(), TICK_MS);
  }

  async room(): Promise<void> {
    while (this.#running.size >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async run(job: (attempt: number) => Job): Promise<TaskResult> {
    const first = await this.attempt(job(0));
    return first.kind === 'trapped' ? await this.attempt(job(1)) : first;
  }

  stop(kind: Job['kind']): void {
    this.#shared[kind].stop();
  }

  work(): Work {
    return this.#shared.shard.work();
  }

  workers(): WorkerState[] {
    const threads = this.#piscina.threads.length;
    const begun = [...this.#running].filter(({ pulse }) => pulse.beats > 0).length;
    return [{ name: 'this process', threads, busy: Math.min(threads, begun), jobs: this.#done }];
  }

  async destroy(): Promise<void> {
    clearInterval(this.#watchdog);
    await this.#piscina.destroy();
  }

  /** As `run`, but once. */
  async attempt(job: Job): Promise<TaskResult> {
    const running = { job, pulse: new Pulse(), abort: new AbortController(), beats: 0, still: 0 };
    this.#running.add(running);
    const { buffer: shared } = this.#shared[job.kind];
    try {
      return await this.#piscina.run({ job, shared, pulse: running.pulse.buffer }, { signal: running.abort.signal });
    } catch (error) {
      if (running.abort.signal.aborted) return { kind: 'trapped', message: 'hung: its thread did not come back' };
      const message = error instanceof Error ? error.message : String(error);
      return { kind: 'trapped', message: `its thread failed: ${message}` };
    } finally {
      this.#done++;
      this.#running.delete(running);
      this.#waiting.shift()?.();
    }
  }

  #feel(): void {
    for (const running of this.#running) {
      const { beats } = running.pulse;
      running.still = beats === 0 || beats !== running.beats ? 0 : running.still + 1;
      running.beats = beats;
      if (running.still >= this.#hungTicks) running.abort.abort();
    }
  }
}
