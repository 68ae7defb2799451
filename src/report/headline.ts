// A campaign in a few sentences: what was tried, what was found, and whether that counts.

import type { Origin } from '../findings/lineage.js';
import { counted, duration, short } from '../text/numbers.js';
import type { CampaignStory } from './story.js';

export interface Headline {
  readonly tried: string;
  readonly found: string;
  /** Whether silence would prove anything. */
  readonly trust: string;
  /** `bad`: the campaign proves nothing where it found nothing. */
  readonly standing: 'good' | 'open' | 'bad';
}

const UNKNOWN_END = 'Not ended when this was told: it still ran, or was killed.';

function times({ started, asked, workers, totals }: CampaignStory): string {
  if (!started || !totals) return '';
  const how = asked ? ` (${asked.strategy}, seed ${asked.seed})` : '';
  const threads = workers ? ` on ${counted(workers, 'thread')}` : '';
  return ` in ${duration(totals.seconds)}${threads}${how}`;
}

function triedText(story: CampaignStory): string {
  const kernels = story.kernels.join(', ');
  const { totals } = story;
  if (!totals) return `How long ${kernels || 'it'} was searched is not known.`;
  const { programs, ops, faults } = totals;
  const work = `${counted(programs, 'program')} of ${short(ops)} operations and ${short(faults)} page faults`;
  return `Tried: ${work} on ${kernels}${times(story)}.`;
}

function foundText({ findings, kernels, totals }: CampaignStory): string {
  if (findings.length === 0) return totals ? 'Found: no program that breaks a promise.' : 'No finding is kept here.';
  const slugs = new Set(findings.map(({ slug }) => slug)).size;
  const what = `${counted(slugs, 'promise')} broken in ${counted(findings.length, 'way')}`;
  const inherited = findings.filter(({ origin }) => origin.inherited).length;
  if (inherited === 0) return `Found: ${what}.`;
  const own = findings.length - inherited;
  const whose = kernels.length === 1 ? `${kernels[0]} itself` : 'the kernels themselves';
  return `Found: ${what}: ${inherited} inherited from the releases below, ${own} of ${whose}.`;
}

function trustText({ totals, outcome, stands }: CampaignStory): Pick<Headline, 'trust' | 'standing'> {
  if (!totals) return { trust: '', standing: 'open' };
  const { kernel, found, programs } = totals.canary;
  const tries = counted(programs, 'program');
  const canary = `the canary (${kernel}, known to be broken) was ${found ? `found after ${tries}` : `not found in ${tries}`}`;
  const ends = [
    outcome?.interrupted ? ' Interrupted before its budget was spent.' : '',
    outcome && outcome.quarantined.length > 0 ? ` ${counted(outcome.quarantined.length, 'shard')} left out.` : '',
  ].join('');
  if (!outcome) return { trust: `${stands ?? UNKNOWN_END} So far ${canary}.`, standing: 'open' };
  if (!outcome.valid) return { trust: `Not valid: ${canary}, so silence proves nothing.${ends}`, standing: 'bad' };
  return { trust: `Valid: ${canary}.${ends}`, standing: outcome.quarantined.length > 0 ? 'open' : 'good' };
}

export function headline(story: CampaignStory): Headline {
  return { tried: triedText(story), found: foundText(story), ...trustText(story) };
}

/** Where a finding came in, in a word or two: `new in seed`, `since v5.7 or earlier`. */
export function originShort({ kernel, refusedBy, keptBy }: Origin, here: string): string {
  if (kernel === '') return 'by the chosen knobs';
  if (kernel === here && keptBy !== '') return `new in ${kernel}`;
  return `since ${kernel}${keptBy === '' || refusedBy !== '' ? ' or earlier' : ''}`;
}
