// How likely it is that a search left a state out, because it took it for another one.
import type { ExploreOptions } from './types.js';

const STEPS = 4096;

/**
 * Probability that two of `states` share a 64-bit fingerprint, or for a filter of bits the expected share of states
 * that were omitted for finding all their bits set. What only an omitted state leads to is not in that share: it is an
 * estimate from below.
 */
export function omission(kind: ExploreOptions['visited'], states: number): number {
  if (states < 2) return 0;
  if (kind.kind === 'exact') return -Math.expm1(-((states * (states - 1)) / 2) / 2 ** 64);
  const { log2, hashes } = kind;
  // While the n-th state comes in, a bit is set with probability 1 - e^(-hashes * n / bits).
  let omitted = 0;
  for (let i = 0; i < STEPS; i++) {
    const n = ((i + 0.5) / STEPS) * states;
    const all = (-Math.expm1((-hashes * n) / 2 ** log2)) ** hashes;
    omitted += (all / (1 - all)) * (states / STEPS);
  }
  return omitted / (states + omitted);
}
