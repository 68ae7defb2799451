// What a campaign was asked for, checked; and what only tests may ask.
import { UsageError } from '../errors.js';
import type { CanarySpec } from './canary.js';
import type { CampaignOptions } from './types.js';

/** For tests: other canaries, and faults of the machine. */
export interface Internals {
  readonly canaries?: readonly CanarySpec[];
  /** The second run of this shard gives another digest. */
  readonly wrongDigest?: number;
  /** What befalls this shard so many times. */
  readonly fault?: { readonly shard: number; readonly times: number; readonly kind: 'trap' | 'hang' | 'die' };
  /** After so many ms without a beat a thread counts as hung. */
  readonly hungMs?: number;
}

/** The seed of 64 bits. Throws UsageError where an option makes no sense. */
export function checkOptions({ seed, programs, timeMs, workers }: CampaignOptions): bigint {
  if (programs === undefined && timeMs === undefined)
    throw new UsageError('a campaign needs a budget: programs or time');
  const whole = (name: string, value: number | undefined) => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new UsageError(`${name}: ${value} is not a whole number of at least 1`);
  };
  whole('programs', programs);
  whole('workers', workers);
  if (timeMs !== undefined && !(timeMs > 0)) throw new UsageError(`time: ${timeMs} ms is not a duration`);
  if (typeof seed === 'number' && !Number.isSafeInteger(seed))
    throw new UsageError(`seed: ${seed} is not a whole number`);
  const wide = BigInt(seed);
  if (wide < 0n || wide >= 1n << 64n) throw new UsageError(`seed: ${seed} is not a number of 64 bits`);
  return wide;
}
