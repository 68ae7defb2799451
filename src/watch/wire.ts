// What the server tells a page that watches: plain data, sent as it changes.
import type { Quarantined } from '../campaign/types.js';
import type { FindingSummary, StoryHead } from '../report/story.js';
import type { ArmRow, EventRow, LiveState, Sample, WorkerRow } from '../store/read.js';

export const ACTIONS = ['pause', 'continue', 'stop', 'resume'] as const;
export type Action = (typeof ACTIONS)[number];

export interface WatchedWorker extends WorkerRow {
  /** It should have been seen since. */
  readonly stale: boolean;
}

/** One kernel of the campaign. */
export interface WatchedKernel {
  readonly kernel: string;
  /** Styles on it. */
  readonly arms: readonly Omit<ArmRow, 'lane'>[];
  /** Active seconds at its last epoch that brought anything. */
  readonly lastNews?: number;
}

/** All that is small. */
export interface Status {
  readonly story: StoryHead;
  readonly state: LiveState;
  readonly reason: string;
  /** Engine that runs the campaign. */
  readonly build: string;
  /** What makes sense now. */
  readonly can: readonly Action[];
  /** Why it cannot be resumed, where one might think so; '' otherwise. */
  readonly cannot: string;
  readonly kernels: readonly WatchedKernel[];
  readonly workers: readonly WatchedWorker[];
  readonly quarantined: readonly Quarantined[];
  /** Bytes of the driver's process at the last sample, and at most. */
  readonly rss: number;
  readonly mostRss: number;
  /** Of the last sample; ISO; '' before the first. */
  readonly at: string;
  /** Campaigns that began earlier: what they have found is no news. */
  readonly earlier: readonly string[];
}

export interface WatchedFinding {
  /** Stays while the finding is replaced by a shorter one. */
  readonly key: string;
  /** Found in the last day, and by no campaign that began earlier. */
  readonly fresh: boolean;
  /** ISO. */
  readonly found: string;
  readonly verified: string;
  readonly summary: FindingSummary;
}

export type WatchedSample = Omit<Sample, 'at'>;

/** What changed since the update before. */
export interface Update {
  /** Forget all updates before. */
  readonly reset?: true;
  readonly status?: Status;
  /** Later than those before; one that is no later in active time replaces those. */
  readonly samples?: readonly WatchedSample[];
  readonly log?: readonly EventRow[];
  /** New or changed. */
  readonly findings?: readonly WatchedFinding[];
  /** Keys of findings that are the same as another one by now. */
  readonly dropped?: readonly string[];
  /** The campaign cannot be read: why. */
  readonly unreadable?: string;
}

/** A campaign in a list. */
export interface ListedCampaign {
  readonly name: string;
  readonly state: LiveState | 'unreadable';
  /** Why it failed, or cannot be read. */
  readonly reason: string;
  readonly kernels: readonly string[];
  readonly created: string;
  readonly seconds: number;
  /** Of the budget. */
  readonly timeMs?: number;
  readonly programs: number;
  readonly faults: number;
  readonly findings: number;
  readonly quarantined: number;
  /** Of the last sample; ISO; '' before the first. */
  readonly at: string;
}

/** What a directory's stream tells, whole each time. */
export interface Listing {
  readonly directory: string;
  readonly campaigns: readonly ListedCampaign[];
}

/** First message of every stream. */
export interface Hello {
  /** The page's code: a page of other code loads itself again. */
  readonly page: string;
  /** The server's clock; ISO. */
  readonly now: string;
}
