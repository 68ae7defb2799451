// Who runs the jobs of a campaign: threads of this process, or workers on a queue.
import type { Work } from '../engine/fuzzer.js';
import type { Job, TaskResult } from './task.js';

export interface Runner {
  /** Resolves when there is room for another job. Rejects once jobs cannot be run any more. */
  room(): Promise<void>;
  /**
   * Runs a job, a second time if the engine traps or whoever ran it hung or died; 'trapped' if that fails as well.
   * `job` is called once per attempt (0, 1).
   */
  run(job: (attempt: number) => Job): Promise<TaskResult>;
  /** Whatever runs, or waits, comes back as 'stopped' soon. */
  stop(kind: Job['kind']): void;
  /** What counted shards have done since the runner began, those under way included where that is known. */
  work(): Work;
  /** Who runs jobs at the moment. */
  workers(): readonly WorkerState[];
  /** Ends all of it; what runs is lost. */
  destroy(): Promise<void>;
}

/** A process that runs jobs. */
export interface WorkerState {
  readonly name: string;
  readonly threads: number;
  /** Of them. */
  readonly busy: number;
  /** Jobs done. */
  readonly jobs: number;
}
