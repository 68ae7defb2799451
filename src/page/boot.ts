// What the file that holds the page gives it to begin with.
import type { KernelSpec } from '../engine/types.js';
import type { Outlook } from '../explore/own-prospects.js';
import type { CampaignStory } from '../report/story.js';

/** A program to choose from. */
export interface Choice {
  readonly name: string;
  readonly program: string;
  readonly spec: KernelSpec;
  readonly note: string;
  /** How near each step came to the broken promise; absent: nobody looked. */
  readonly outlook?: Outlook;
}

export interface Boot {
  readonly title: string;
  /** Findings of a report, the first one shown first; a playground has none. */
  readonly findings: readonly Choice[];
  /** The corpus's classics. */
  readonly gallery: readonly Choice[];
  /** The overview that the page opens with. */
  readonly story?: CampaignStory;
}
