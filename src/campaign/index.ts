// A campaign: shards of programs over threads, merged in their order, so that what it finds depends on seed and
// budget alone. Time only decides how many shards count.
import { loadEngine } from '../engine/engine.js';
import { Campaign } from './campaign.js';
import { CANARIES, Canaries } from './canary.js';
import { checkOptions, type Internals } from './options.js';
import { Pool } from './pool.js';
import type { CampaignOptions, CampaignResult } from './types.js';

export { NotDeterministicError } from './errors.js';
export type { Internals } from './options.js';
export type * from './types.js';

/** How often `onProgress` is called. */
const PROGRESS_MS = 200;

/**
 * Fuzzes a kernel until the budget is spent, `signal` fires or (without keepGoing) something is found.
 * Throws UsageError for options that make no sense, NotDeterministicError if two runs of a shard differ, and whatever
 * a callback throws.
 */
export async function runCampaign(options: CampaignOptions, internals: Internals = {}): Promise<CampaignResult> {
  const seed = checkOptions(options);
  const { catalogue } = loadEngine();
  const vector = catalogue.vector(options.spec);
  const canaries = new Canaries(catalogue, internals.canaries ?? CANARIES);
  const pool = new Pool(options.workers);
  const campaign = new Campaign(options, internals, { seed, vector, catalogue, canaries, pool });
  const progress = setInterval(() => options.onProgress(campaign.progress()), PROGRESS_MS);
  const interrupt = () => campaign.interrupt();
  options.signal.addEventListener('abort', interrupt);
  try {
    if (options.signal.aborted) interrupt();
    await campaign.run();
    return campaign.result();
  } finally {
    clearInterval(progress);
    options.signal.removeEventListener('abort', interrupt);
    await pool.destroy();
  }
}
