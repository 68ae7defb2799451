// What a campaign hands to whoever keeps it, and goes on from: plain data.

import type { Knowledge, Work } from '../engine/fuzzer.js';
import type { CanaryState } from './canary.js';
import type { LaneState } from './lane.js';
import type { EpochPlan } from './plan.js';
import type { RotationState } from './rotation.js';
import type { ShardResult, Trapped } from './task.js';
import type { Quarantined, RawFinding } from './types.js';

/** An epoch about to be run, with what its shards know. */
export interface Planned {
  readonly plan: EpochPlan;
  readonly knowledge: Knowledge;
}

/** All that is known when an epoch is merged, but for the lanes, which are handed over one by one. */
export interface EpochState {
  /** The epoch merged. */
  readonly epoch: number;
  /** Shards merged. */
  readonly shards: number;
  /** Over all of them; hex. */
  readonly digest: string;
  readonly work: Work;
  /** Raw findings so far. */
  readonly raw: number;
  readonly rotation: RotationState;
  /** Epochs planned by now for each kernel. */
  readonly ages: readonly number[];
  readonly canaries: CanaryState;
  readonly quarantined: readonly Quarantined[];
  /** Programs of the budget that are not planned yet; undefined without such a budget. */
  readonly left: number | undefined;
  /** Epoch and first shard after those planned. */
  readonly nextEpoch: number;
  readonly nextShard: number;
  /** Active seconds so far. */
  readonly seconds: number;
}

export type Outcome = ShardResult | Trapped;

/** An epoch that was just merged. */
export interface Merged {
  readonly plan: EpochPlan;
  /** Shards and work of it, without those that could not be run. */
  readonly shards: number;
  readonly work: Work;
  /** What it brought (see `Rotation.brought`). */
  readonly news: number;
  /** Epochs planned by now and not merged. */
  readonly planned: readonly Planned[];
}

/** Where a campaign is kept. What a method throws ends the campaign. */
export interface Journal {
  /** A shard came back: in any order, each at least once. */
  arrived(shard: number, outcome: Outcome): void;
  /** In order; after a restart again from the last epoch that was merged, with the same ordinals. */
  found(ordinal: number, finding: RawFinding): void;
  /** All or nothing of it is kept: that, the state of the epoch's kernel, and where to go on. */
  merged(state: EpochState, lane: { readonly index: number; readonly state: LaneState }, done: Merged): void;
}

/** Where to go on. */
export interface Resumed {
  /** undefined: no epoch is merged. */
  readonly state?: EpochState;
  /** undefined: nothing is known of that kernel yet. */
  readonly lanes: readonly (LaneState | undefined)[];
  /** Planned and not merged, in order. */
  readonly planned: readonly Planned[];
  /** Shards that came back and were not merged. */
  readonly arrived: ReadonlyMap<number, Outcome>;
}
