// Seeds as people type them.
import { UsageError } from '../errors.js';

const MAX_SEED = (1n << 64n) - 1n;

/** A 64-bit number, or `random`. Throws UsageError. */
export function parseSeed(text: string): bigint {
  if (text === 'random') return crypto.getRandomValues(new BigUint64Array(1))[0]!;
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text) || BigInt(text) > MAX_SEED)
    throw new UsageError(`seed "${text}": expected a whole number from 0 to ${MAX_SEED}, or random`);
  return BigInt(text);
}
