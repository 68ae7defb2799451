// What a thread of a search is told to do, and what it answers: plain data that crosses threads.
import type { Chunk } from './chunks.js';
import type { VisitedSetup } from './table.js';
import type { Subject, SubjectCounters, SubjectSpec } from './types.js';
import type { KeptViolation } from './violations.js';

/** Told to each thread once, when it starts. */
export interface Setup {
  /** URL of a module that exports `makeSubject`. */
  readonly module: string;
  readonly spec: SubjectSpec;
  /** For the module, besides the spec. */
  readonly data: unknown;
  readonly visited: VisitedSetup;
  /** Depth-first: where threads hand work over. */
  readonly offer: SharedArrayBuffer;
}

export interface SubjectModule {
  makeSubject(spec: SubjectSpec, data?: unknown): Subject | Promise<Subject>;
}

/** Makes the roots and enters them. */
export interface RootsTask {
  readonly kind: 'roots';
}
/** Expands entries of this depth until there are no more. */
export interface LevelTask {
  readonly kind: 'level';
  readonly depth: number;
  readonly chunks: readonly Chunk[];
  /** States of the level. */
  readonly count: number;
  /** Threads that share it. */
  readonly threads: number;
  /** Chunks that may be overwritten. */
  readonly free: readonly SharedArrayBuffer[];
  /** Invariants that broke on shorter paths, bit = id: nobody asks for those again. */
  readonly known: number;
}
/** Searches depth-first from the roots, or from what others hand over. */
export interface DiveTask {
  readonly kind: 'dive';
  /** For one thread only. */
  readonly roots: Chunk | undefined;
  readonly threads: number;
  /** Steps at most. */
  readonly depth: number;
  /** Stops at the first path that breaks one of these invariants; bit = id, all = any. */
  readonly until: number;
}

export type Task = RootsTask | LevelTask | DiveTask;

export interface RootsResult {
  readonly kind: 'roots';
  readonly roots: Chunk;
}
/** Only what this task did. */
export interface LevelResult extends Omit<SubjectCounters, 'candidates'> {
  readonly kind: 'level';
  readonly expanded: number;
  readonly chunks: readonly Chunk[];
  readonly free: readonly SharedArrayBuffer[];
  readonly violations: readonly KeptViolation[];
}
export interface DiveResult extends Omit<SubjectCounters, 'candidates'> {
  readonly kind: 'dive';
  readonly states: number;
  readonly deepest: number;
  /** Whether a path was cut off at the most steps. */
  readonly cut: boolean;
  readonly violations: readonly KeptViolation[];
}

export type TaskResult = RootsResult | LevelResult | DiveResult;
