// A program that differs, made as small as it can be and still differ in the same way.
import type { OpInfo } from '../engine/optable.js';
import { reductions, weight } from '../findings/reductions.js';

/** Which of the programs still differ in the same way. Many at once, as each takes a trip to the kernel. */
export type Test = (candidates: readonly Uint32Array[]) => Promise<readonly boolean[]>;

export interface ShrinkOptions {
  readonly ops: readonly OpInfo[];
  /** What the kernel can do of a program; the result is what is tested. */
  readonly express: (words: Uint32Array) => Uint32Array;
  readonly test: Test;
  /** Programs to run at most. */
  readonly budget: number;
}

/** Candidates on their way at once. */
const BATCH = 48;

/** The smallest program found; `words` itself must differ. */
export async function shrink(words: Uint32Array, options: ShrinkOptions): Promise<Uint32Array> {
  const search = new Search(words, options);
  for (let size = words.length >> 1; size > 0; size >>= 1) {
    while (await search.improve(chunksLeftOut(search.best, size))) if (search.best.length <= size) break;
  }
  while (await search.improve(reductions(options.ops, search.best)));
  return search.best;
}

/** The program without `size` ops in a row, later ones first: what comes after the difference goes at once. */
function* chunksLeftOut(words: Uint32Array, size: number): Generator<Uint32Array> {
  for (let to = words.length; to > 0; to -= size) {
    const from = Math.max(0, to - size);
    const rest = words.filter((_, i) => i < from || i >= to);
    if (rest.length > 0) yield rest;
  }
}

class Search {
  best: Uint32Array;
  readonly #options: ShrinkOptions;
  readonly #tried = new Set<string>();
  #budget: number;

  constructor(words: Uint32Array, options: ShrinkOptions) {
    this.best = words;
    this.#options = options;
    this.#budget = options.budget;
  }

  /** Takes the first of the candidates that is smaller and still differs. False: none is. */
  async improve(candidates: Iterable<Uint32Array>): Promise<boolean> {
    const { ops, express, test } = this.#options;
    const bound = weight(ops, this.best);
    let batch: Uint32Array[] = [];
    const run = async (): Promise<boolean> => {
      if (batch.length === 0) return false;
      this.#budget -= batch.length;
      const found = (await test(batch)).indexOf(true);
      if (found >= 0) this.best = batch[found]!;
      batch = [];
      return found >= 0;
    };
    for (const candidate of candidates) {
      if (this.#budget <= batch.length) break;
      const words = express(candidate);
      const key = words.join();
      if (words.length === 0 || this.#tried.has(key) || weight(ops, words) >= bound) continue;
      this.#tried.add(key);
      batch.push(words);
      if (batch.length === BATCH && (await run())) return true;
    }
    return run();
  }
}
