// A campaign: shards of programs over threads, merged in their order, so that what it finds depends on seed and
// budget alone. Time only decides how many shards count.
import { loadEngine } from '../engine/engine.js';
import { NO_FOCUS } from '../engine/fuzzer.js';
import { Campaign } from './campaign.js';
import { Canaries, canariesFor } from './canary.js';
import { checkOptions, type Internals } from './options.js';
import { Pool } from './pool.js';
import type { CampaignOptions, FuzzResult } from './types.js';

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
export async function runCampaign(options: CampaignOptions, internals: Internals = {}): Promise<FuzzResult> {
  const seed = checkOptions(options);
  const { catalogue } = loadEngine();
  const { spec, strategy, programs, timeMs, workers, keepGoing, onRawFinding } = options;
  const canaries = new Canaries(catalogue, internals.canaries ?? canariesFor([spec]));
  catalogue.vector(spec);
  const runner = new Pool(workers, internals.hungMs);
  const setup = {
    kernels: [spec],
    arms: [{ lane: 0, style: { strategy, focus: NO_FOCUS } }],
    seed,
    keepGoing,
    ...(programs !== undefined && { programs }),
    ...(timeMs !== undefined && { timeMs }),
    ...(onRawFinding && { onRawFinding }),
  };
  const campaign = new Campaign(setup, { catalogue, canaries, runner, threads: workers }, internals);
  const progress = setInterval(() => options.onProgress(campaign.progress()), PROGRESS_MS);
  const interrupt = () => campaign.interrupt();
  options.signal.addEventListener('abort', interrupt);
  try {
    if (options.signal.aborted) interrupt();
    await campaign.run();
    return { ...campaign.result(), reached: campaign.reached() };
  } finally {
    clearInterval(progress);
    options.signal.removeEventListener('abort', interrupt);
    await runner.destroy();
  }
}
