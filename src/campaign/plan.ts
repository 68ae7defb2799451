// Which shards an epoch has: a pure function of the campaign's options and of what earlier epochs found, so that no
// result depends on threads, machines or timing.
import type { Style } from './rotation.js';

/** All shards of an epoch fuzz one kernel in one style and begin with the same knowledge. */
export const EPOCH_SHARDS = 16;
const FIRST_PROGRAMS = 500;
/** About a million ops: long enough to hide what a task costs. */
const MOST_PROGRAMS = 32_000;
/** A kernel's epochs double their shards' sizes up to the most: what the first programs show is used soon. */
export function shardPrograms(age: number): number {
  return Math.min(FIRST_PROGRAMS * 2 ** Math.min(age, 20), MOST_PROGRAMS);
}

/** One in so many shards is accompanied by a canary, one in so many runs twice. */
export const CANARY_SHARE = 16;
export const TWIN_SHARE = 16;

/** Epochs from e on know what epochs up to e - 2 learned: a step back, so that no thread waits for the last of an epoch. */
export const LAG = 2;

export interface EpochPlan {
  readonly epoch: number;
  /** Index of the arm of the rotation, and what it is. */
  readonly arm: number;
  readonly lane: number;
  readonly style: Style;
  /** Index of its first shard; the seed of a shard's programs. */
  readonly first: number;
  readonly shards: number;
  /** Of all its shards together: the last ones are short, or missing, where a budget ends. */
  readonly programs: number;
  /** Programs of a whole shard. */
  readonly size: number;
}

export interface Shard {
  readonly index: number;
  readonly epoch: number;
  readonly lane: number;
  readonly style: Style;
  readonly programs: number;
  /** Runs twice: the digests must agree. */
  readonly twin: boolean;
  readonly canary: boolean;
  /** The last of its epoch. */
  readonly closesEpoch: boolean;
}

/** The shards of an epoch, in order. */
export function shardsOf(plan: EpochPlan): Shard[] {
  const { epoch, lane, style, first, size, shards } = plan;
  const made: Shard[] = [];
  for (let left = plan.programs; left > 0; left -= size) {
    const index = first + made.length;
    made.push({
      index,
      epoch,
      lane,
      style,
      programs: Math.min(size, left),
      twin: index % TWIN_SHARE === 0,
      canary: index % CANARY_SHARE === 0,
      closesEpoch: made.length === shards - 1,
    });
  }
  return made;
}
