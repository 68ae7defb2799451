// What a campaign has learned: merged shard by shard in their order, handed to later shards as a snapshot.
import { type Knowledge, NEWS_POINT, type NovelProgram } from '../engine/fuzzer.js';

const CORPUS_MAX = 512;
/** As many as the module's table takes: later failures are still told apart by `Kinds`. */
const KEYS_MAX = 8192;

/** Handler points, 1 byte each, and abstract states, 1 bit each. */
export type Reached = Pick<Knowledge, 'coverage' | 'states'>;

interface Kept {
  readonly words: Uint32Array;
  /** Reached a handler point first: kept for good. */
  readonly keeper: boolean;
}

/** All of it, to go on from: plain data. */
export interface LearnedState {
  readonly coverage: Uint8Array;
  readonly states: Uint8Array;
  /** One bit each. */
  readonly credited: Uint8Array;
  readonly keys: Uint32Array;
  readonly corpus: readonly Kept[];
}

export class Learned {
  readonly #coverage: Uint8Array;
  readonly #states: Uint8Array;
  /** News that a program of the corpus was kept for, one bit each. */
  readonly #credited: Uint8Array;
  readonly #keys: Set<number>;
  readonly #corpus: Kept[];

  /** Sizes in bytes, as the module has them. */
  constructor(coverageSize: number, statesSize: number, from?: LearnedState) {
    this.#coverage = from?.coverage.slice() ?? new Uint8Array(coverageSize);
    this.#states = from?.states.slice() ?? new Uint8Array(statesSize);
    this.#credited = from?.credited.slice() ?? new Uint8Array((NEWS_POINT + 8 * coverageSize) / 8);
    this.#keys = new Set(from?.keys);
    this.#corpus = [...(from?.corpus ?? [])];
  }

  get state(): LearnedState {
    const [coverage, states, credited] = [this.#coverage, this.#states, this.#credited].map((bytes) => bytes.slice());
    return {
      coverage: coverage!,
      states: states!,
      credited: credited!,
      keys: Uint32Array.from(this.#keys),
      corpus: [...this.#corpus],
    };
  }

  /** Returns how much of it was new: states and handler points that nobody had reached before. */
  merge(shard: {
    readonly coverage: Uint8Array;
    readonly states: Uint8Array;
    readonly novel: readonly NovelProgram[];
    readonly keys: Uint32Array;
  }): number {
    const points = addBits(this.#coverage, shard.coverage, (_, before) => (before === 0 ? 1 : 0));
    const news = points + addBits(this.#states, shard.states, bits);
    for (const key of shard.keys) if (this.#keys.size < KEYS_MAX) this.#keys.add(key);
    for (const { words, news } of shard.novel) {
      // Another shard of the epoch may have been first.
      const fresh = [...news].filter((what) => !this.#isCredited(what));
      if (fresh.length === 0) continue;
      for (const what of fresh) this.#credited[what >> 3]! |= 1 << (what & 7);
      this.#keep({ words, keeper: fresh.some((what) => what >= NEWS_POINT) });
    }
    return news;
  }

  #isCredited(what: number): boolean {
    return (this.#credited[what >> 3]! & (1 << (what & 7))) !== 0;
  }

  /** The newest push out the oldest that are not kept for good. */
  #keep(program: Kept): void {
    if (this.#corpus.length >= CORPUS_MAX) {
      const oldest = this.#corpus.findIndex(({ keeper }) => !keeper);
      if (oldest < 0) return;
      this.#corpus.splice(oldest, 1);
    }
    this.#corpus.push(program);
  }

  /** Handler points reached, by id; `open`: by a shard not merged yet. */
  reached(point: number, open?: Reached): boolean {
    return ((this.#coverage[point] ?? 0) | (open?.coverage[point] ?? 0)) !== 0;
  }

  points(): number {
    return this.#coverage.reduce((count, byte) => count + (byte === 0 ? 0 : 1), 0);
  }

  states(open?: Reached): number {
    let count = 0;
    for (const [i, byte] of this.#states.entries()) count += bits(byte | (open?.states[i] ?? 0));
    return count;
  }

  /** A copy that threads share. */
  snapshot(): Knowledge {
    const words = this.#corpus.flatMap((program) => [...program.words]);
    return {
      coverage: sharedBytes(this.#coverage),
      states: sharedBytes(this.#states),
      lengths: sharedBytes(Uint8Array.from(this.#corpus, (program) => program.words.length)),
      words: sharedWords(words),
      keys: sharedWords([...this.#keys]),
    };
  }
}

function bits(byte: number): number {
  let count = 0;
  for (let left = byte; left !== 0; left &= left - 1) count++;
  return count;
}

/** Adds bits to `all` and returns how much that `counts`. The driver does this for every shard: no iterators. */
function addBits(all: Uint8Array, more: Uint8Array, counts: (fresh: number, before: number) => number): number {
  let news = 0;
  for (let i = 0; i < all.length; i++) {
    const fresh = more[i]! & ~all[i]!;
    if (fresh === 0) continue;
    news += counts(fresh, all[i]!);
    all[i]! |= fresh;
  }
  return news;
}

/** The same on memory that threads share. */
export function shareKnowledge({ coverage, states, lengths, words, keys }: Knowledge): Knowledge {
  return {
    coverage: sharedBytes(coverage),
    states: sharedBytes(states),
    lengths: sharedBytes(lengths),
    words: sharedWords(words),
    keys: sharedWords(keys),
  };
}

/** A copy on memory of its own, which can be written down. */
export function ownKnowledge({ coverage, states, lengths, words, keys }: Knowledge): Knowledge {
  const bytes = (from: Uint8Array) => Uint8Array.from(from);
  const wide = (from: Uint32Array) => Uint32Array.from(from);
  return {
    coverage: bytes(coverage),
    states: bytes(states),
    lengths: bytes(lengths),
    words: wide(words),
    keys: wide(keys),
  };
}

/** A page opened from disk has no memory that threads share, and no thread that it would share it with. */
const Room = typeof SharedArrayBuffer === 'undefined' ? ArrayBuffer : SharedArrayBuffer;

function sharedBytes(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new Room(bytes.length));
  copy.set(bytes);
  return copy;
}
function sharedWords(words: ArrayLike<number>): Uint32Array {
  const copy = new Uint32Array(new Room(4 * words.length));
  copy.set(words);
  return copy;
}
