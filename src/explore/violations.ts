// Which broken promises a search keeps: of each invariant those of the first level, and of those the smallest programs.
import type { BrokenPath } from './types.js';

/** Programs kept of one invariant. */
export const MOST_KEPT = 64;

export interface KeptViolation {
  /** Steps of the path. */
  readonly depth: number;
  readonly path: BrokenPath;
}

/** Fewest words first, then word by word. */
export function comparePrograms(a: Uint32Array, b: Uint32Array): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

function bits(mask: number): number[] {
  return Array.from({ length: 32 }, (_, i) => i).filter((i) => (mask >>> i) & 1);
}

export class Violations {
  /** By invariant. Sorted, but for those at the end that came after the last sort. */
  readonly #kept = new Map<number, KeptViolation[]>();
  readonly #firstDepthOnly: boolean;

  /** `firstDepthOnly`: a path is kept only where no shorter one broke the invariant; otherwise the shortest of all. */
  constructor(firstDepthOnly = true) {
    this.#firstDepthOnly = firstDepthOnly;
  }

  /** Bit = invariant that broke. */
  get mask(): number {
    let mask = 0;
    for (const invariant of this.#kept.keys()) mask |= 1 << invariant;
    return mask >>> 0;
  }

  /** The shortest path that broke one, in steps. */
  get shortest(): number | undefined {
    const depths = [...this.#kept.values()].flat().map(({ depth }) => depth);
    return depths.length === 0 ? undefined : Math.min(...depths);
  }

  add(depth: number, paths: readonly BrokenPath[]): void {
    for (const path of paths) for (const invariant of bits(path.mask)) this.#put(invariant, { depth, path });
  }

  merge(others: readonly KeptViolation[]): void {
    for (const { depth, path } of others) this.add(depth, [path]);
  }

  /** Each path once, by first invariant, depth and program. */
  list(): KeptViolation[] {
    for (const kept of this.#kept.values()) this.#trim(kept);
    const listed = [...this.#kept].sort(([a], [b]) => a - b).flatMap(([, kept]) => kept);
    return listed.filter((one, i) => listed.findIndex(({ path }) => path === one.path || same(path, one.path)) === i);
  }

  #put(invariant: number, one: KeptViolation): void {
    const kept = this.#kept.get(invariant);
    if (!kept) {
      this.#kept.set(invariant, [one]);
      return;
    }
    if (this.#firstDepthOnly && one.depth !== kept[0]!.depth) {
      if (one.depth < kept[0]!.depth) this.#kept.set(invariant, [one]);
      return;
    }
    kept.push(one);
    if (kept.length >= 4 * MOST_KEPT) this.#trim(kept);
  }

  #trim(kept: KeptViolation[]): void {
    kept.sort((a, b) => a.depth - b.depth || comparePrograms(a.path.program, b.path.program));
    let last = 0;
    for (const one of kept) {
      if (last > 0 && same(kept[last - 1]!.path, one.path)) continue;
      kept[last++] = one;
    }
    kept.length = Math.min(last, MOST_KEPT);
  }
}

function same(a: BrokenPath, b: BrokenPath): boolean {
  return a.mask === b.mask && comparePrograms(a.program, b.program) === 0;
}
