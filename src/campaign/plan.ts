// Which shards a campaign has: a pure function of its budget, so that no result depends on threads or timing.

/** All shards of an epoch begin with the same knowledge. */
export const EPOCH_SHARDS = 16;
const FIRST_PROGRAMS = 500;
/** About a million ops: long enough to hide what a task costs. */
const MOST_PROGRAMS = 32_000;
/** Epochs double their shards' sizes up to the most: what the first programs show is used soon. */
export function shardPrograms(epoch: number): number {
  return Math.min(FIRST_PROGRAMS * 2 ** Math.min(epoch, 20), MOST_PROGRAMS);
}

/** One in so many shards is accompanied by a canary, one in so many runs twice. */
export const CANARY_SHARE = 16;
export const TWIN_SHARE = 16;

export interface Shard {
  readonly index: number;
  readonly epoch: number;
  readonly programs: number;
  /** Runs twice: the digests must agree. */
  readonly twin: boolean;
  readonly canary: boolean;
  /** The last of its epoch. */
  readonly closesEpoch: boolean;
}

/** The shards of a campaign of `programs` programs, in order; without end if there is no such budget. */
export function* planShards(programs: number = Number.POSITIVE_INFINITY): Generator<Shard, void, void> {
  let left = programs;
  for (let index = 0; left > 0; index++) {
    const epoch = Math.floor(index / EPOCH_SHARDS);
    const count = Math.min(shardPrograms(epoch), left);
    left -= count;
    yield {
      index,
      epoch,
      programs: count,
      twin: index % TWIN_SHARE === 0,
      canary: index % CANARY_SHARE === 0,
      closesEpoch: index % EPOCH_SHARDS === EPOCH_SHARDS - 1,
    };
  }
}

/** Shards of epoch e know what epochs up to this one learned: a step back, so that no thread waits for the last of an epoch. */
export function knownEpoch(epoch: number): number {
  return epoch - 2;
}
