// What a campaign has learned: merged shard by shard in their order, handed to later shards as a snapshot.
import { type Knowledge, NEWS_POINT, type NovelProgram } from '../engine/fuzzer.js';

const CORPUS_MAX = 512;

/** Handler points, 1 byte each, and abstract states, 1 bit each. */
export type Reached = Pick<Knowledge, 'coverage' | 'states'>;

interface Kept {
  readonly words: Uint32Array;
  /** Reached a handler point first: kept for good. */
  readonly keeper: boolean;
}

export class Learned {
  readonly #coverage: Uint8Array;
  readonly #states: Uint8Array;
  readonly #credited = new Set<number>();
  readonly #keys = new Set<number>();
  #corpus: Kept[] = [];

  /** Sizes in bytes, as the module has them. */
  constructor(coverageSize: number, statesSize: number) {
    this.#coverage = new Uint8Array(coverageSize);
    this.#states = new Uint8Array(statesSize);
  }

  merge(shard: {
    readonly coverage: Uint8Array;
    readonly states: Uint8Array;
    readonly novel: readonly NovelProgram[];
    readonly keys: Uint32Array;
  }): void {
    for (const [i, byte] of shard.coverage.entries()) this.#coverage[i]! |= byte;
    for (const [i, byte] of shard.states.entries()) this.#states[i]! |= byte;
    for (const key of shard.keys) this.#keys.add(key);
    for (const { words, news } of shard.novel) {
      // Another shard of the epoch may have been first.
      const fresh = [...news].filter((what) => !this.#credited.has(what));
      if (fresh.length === 0) continue;
      for (const what of fresh) this.#credited.add(what);
      this.#keep({ words, keeper: fresh.some((what) => what >= NEWS_POINT) });
    }
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

  states(open?: Reached): number {
    let count = 0;
    for (const [i, byte] of this.#states.entries())
      for (let bits = byte | (open?.states[i] ?? 0); bits !== 0; bits &= bits - 1) count++;
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

/** A page opened from disk has no memory that threads share, and no thread that it would share it with. */
const Room = typeof SharedArrayBuffer === 'undefined' ? ArrayBuffer : SharedArrayBuffer;

function sharedBytes(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new Room(bytes.length));
  copy.set(bytes);
  return copy;
}
function sharedWords(words: readonly number[]): Uint32Array {
  const copy = new Uint32Array(new Room(4 * words.length));
  copy.set(words);
  return copy;
}
