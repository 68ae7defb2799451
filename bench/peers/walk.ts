/** Four words of xoshiro128** state: the random stream that every walk shares. */
export type Seed = readonly [number, number, number, number];

export const DEFAULT_SEED: Seed = [1, 2, 3, 4];

/** What a walk saw: write faults that became userfaultfd events, and broken invariants. */
export interface WalkStats {
  events: number;
  violations: number;
}

/**
 * A random walk over the small handler: 2 mms x 2 pages, sixteen op codes.
 * Walks of the same seed give the same checksum, whatever they are written in.
 */
export interface Walk {
  /** Back to the empty world, with the random stream at `seed`. */
  reset(seed: Seed): void;
  /** Runs `steps` operations on from where the walk stands; takes and returns the unsigned 32-bit checksum. */
  run(steps: number, checksum: number): number;
  stats(): WalkStats;
}
