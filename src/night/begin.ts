// Making a campaign, and taking one up again.
import { EPOCH_SHARDS } from '../campaign/plan.js';
import type { Style } from '../campaign/rotation.js';
import type { Engine } from '../engine/engine.js';
import { Fuzzer } from '../engine/fuzzer.js';
import { buildHash } from '../engine/load.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import type { CampaignConfig, CampaignState } from '../store/config.js';
import { StoreError } from '../store/database.js';
import { CampaignStore } from '../store/store.js';

export interface Wanted {
  readonly kernels: readonly KernelSpec[];
  readonly seed: bigint;
  readonly timeMs?: number;
  readonly programs?: number;
  /** Names of focuses, or undefined for all of them. */
  readonly focus?: readonly string[];
  /** Uniform random programs in a share of the epochs. */
  readonly random: boolean;
  readonly epochShards?: number;
}

/** Throws UsageError for what does not exist or makes no sense. */
export function makeConfig(engine: Engine, wanted: Wanted): CampaignConfig {
  const { kernels, seed, timeMs, programs, focus, random, epochShards = EPOCH_SHARDS } = wanted;
  for (const spec of kernels) engine.catalogue.vector(spec);
  const fuzzer = new Fuzzer(engine);
  const names = focus ?? fuzzer.focuses.map(({ name }) => name);
  for (const name of names) fuzzer.setFocus(name);
  if (!Number.isSafeInteger(epochShards) || epochShards < 1 || epochShards > 65_536)
    throw new UsageError(`epoch shards: ${epochShards} is not a whole number from 1 to 65536`);
  const styles: Style[] = names.map((name) => ({ strategy: 'guided', focus: name }));
  if (random) styles.push({ strategy: 'random', focus: names[0]! });
  return {
    kernels,
    styles,
    seed: seed.toString(),
    ...(timeMs !== undefined && { timeMs }),
    ...(programs !== undefined && { programs }),
    epochShards,
  };
}

/** Makes the file and says what the campaign is. Throws UsageError if there is one already. */
export function createCampaign(path: string, name: string, config: CampaignConfig): CampaignStore {
  const store = new CampaignStore(path);
  if (store.meta('config') !== undefined) {
    store.close();
    throw new UsageError(`${path} is a campaign already: resume it, or choose another --name`);
  }
  store.create(name, config, buildHash());
  return store;
}

/** Opens a campaign to go on with it. Throws UsageError where that is not possible, and says what is. */
export function reopenCampaign(path: string): { readonly store: CampaignStore; readonly config: CampaignConfig } {
  const store = new CampaignStore(path);
  try {
    const config = store.meta<CampaignConfig>('config');
    if (!config) throw new StoreError(`${path} was never begun: remove it`);
    if (store.meta('pruned') !== undefined)
      throw new UsageError(`${path} was pruned: its findings are kept, but nothing is left to go on from`);
    return { store, config };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Throws UsageError if another build began the campaign: results of two builds are never mixed. */
export function requireBuild(store: CampaignStore): void {
  const build = store.meta<string>('build');
  const mine = buildHash();
  if (build !== mine)
    throw new UsageError(
      `${store.path} was run by engine ${build}, this is ${mine}: "breakcow campaign resume --replay" verifies its findings and begins it anew`,
    );
}

/** Throws UsageError if nothing is left of the budget. */
export function requireBudget(store: CampaignStore): void {
  if (store.meta<CampaignState>('state') === 'done')
    throw new UsageError(`${store.path} is done: give it more with --time, or start another`);
}
