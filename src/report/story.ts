// A campaign as a story to be told: what was tried, what came of it, and how that went over time. It says nothing of where it
// is kept, and a campaign that still runs is told by the same type.
import type { CanaryReport, Quarantined, Strategy } from '../campaign/types.js';
import type { Shortest } from '../findings/finding.js';
import type { Origin } from '../findings/lineage.js';
import type { FindingJson } from './json.js';

/** A campaign at a moment. */
export interface Sample {
  /** Since its start. */
  readonly seconds: number;
  readonly programs: number;
  readonly ops: number;
  readonly faults: number;
  /** Handler branches reached. */
  readonly points: number;
  /** Abstract states reached. */
  readonly states: number;
  readonly findings: number;
}

/** What all kernels of a campaign add up to, so far. */
export interface Totals {
  readonly programs: number;
  readonly ops: number;
  readonly faults: number;
  readonly seconds: number;
  readonly points: number;
  /** Handler branches that the module has. */
  readonly pointsTotal: number;
  readonly states: number;
  readonly canary: CanaryReport;
}

/** What is known only when a campaign has ended. */
export interface Outcome {
  readonly digest: string;
  /** false: the canary was not found, so silence proves nothing. */
  readonly valid: boolean;
  readonly interrupted: boolean;
  readonly quarantined: readonly Quarantined[];
}

/** What a campaign was asked for. */
export interface Asked {
  readonly seed: string;
  readonly strategy: Strategy;
  /** Budget; at least one of the two. */
  readonly programs?: number;
  readonly timeMs?: number;
  /** false: it was to end with the first finding. */
  readonly keepGoing: boolean;
}

export interface FindingSummary {
  readonly id: string;
  readonly slug: string;
  /** Id in the notation of the bug corpus: I1..I19. */
  readonly invariant: string;
  /** The invariant in one sentence. */
  readonly statement: string;
  /** What of it this program breaks, in one sentence. */
  readonly promise: string;
  /** Kernel on trial: its name and knobs. */
  readonly kernel: string;
  readonly with: readonly string[];
  readonly without: readonly string[];
  readonly minimized: string;
  readonly length: number;
  /** Handler function and decision to blame. */
  readonly cause: { readonly function: string; readonly decision: string };
  /** Work of the campaign before it; absent where nobody kept that. */
  readonly firstAt?: { readonly programs: number; readonly seconds?: number };
  readonly origin: Origin;
  /** Sets of knobs, each as `+on -off`. */
  readonly cures: readonly string[];
  /** Absent: nobody looked for shorter programs. */
  readonly shortest?: Pick<Shortest, 'exhaustiveTo' | 'proven'>;
  /** Slugs that the program breaks on each kernel; empty = keeps its promises; absent = it refuses an operation. */
  readonly verdicts: Readonly<Record<string, readonly string[]>>;
}

export interface CampaignStory {
  readonly title: string;
  /** Kernels on trial, as `name +knob -knob`. */
  readonly kernels: readonly string[];
  /** All kernels that the findings were tried on, in order. */
  readonly catalogue: readonly string[];
  /** ISO times. Without `started` nothing is known of the campaign but its findings, without `ended` it may still run. */
  readonly started?: string;
  readonly ended?: string;
  readonly asked?: Asked;
  readonly workers?: number;
  readonly totals?: Totals;
  readonly outcome?: Outcome;
  /** How it stands, in a sentence, where it has no outcome yet. */
  readonly stands?: string;
  /** In the order of time; empty = none were kept. */
  readonly samples: readonly Sample[];
  readonly findings: readonly FindingSummary[];
  /** What is missing or odd here, a sentence each. */
  readonly notes: readonly string[];
}

/** All of it but what grows. */
export type StoryHead = Omit<CampaignStory, 'samples' | 'findings'>;

/** What of a finding only its campaign knows. */
export interface Discovery {
  readonly firstAt?: FindingSummary['firstAt'];
  readonly shortest?: FindingSummary['shortest'];
}

type Explained = Omit<FindingJson, 'seed' | 'program' | 'firstAt' | 'shortest'>;

/** The summary of an explained finding. */
export function summarize(finding: Explained, statement: string, { firstAt, shortest }: Discovery): FindingSummary {
  const { id, slug, invariant, promise, kernel, minimized, length, cause, origin, cures, kernels } = finding;
  return {
    id,
    slug,
    invariant,
    statement,
    promise,
    kernel,
    with: finding.with,
    without: finding.without,
    minimized,
    length,
    cause: { function: cause.function, decision: cause.decision },
    ...(firstAt && { firstAt }),
    origin,
    cures: cures.map((cure) => [...cure.with.map((on) => `+${on}`), ...cure.without.map((off) => `-${off}`)].join(' ')),
    ...(shortest && { shortest: { exhaustiveTo: shortest.exhaustiveTo, proven: shortest.proven } }),
    verdicts: kernels,
  };
}
