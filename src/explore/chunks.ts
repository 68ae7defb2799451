// A frontier: its entries lie packed in chunks of shared memory, so that any thread expands what any other found.
import type { Control } from './control.js';

/** Plain data that crosses threads. */
export interface Chunk {
  readonly bytes: SharedArrayBuffer;
  /** Entries in it. */
  readonly count: number;
}

export const CHUNK_BYTES = 1 << 20;
const FIRST_CHUNK_BYTES = 1 << 14;

export function entriesIn(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.count, 0);
}

/** Packs entries of one size into chunks: used ones first, then new ones, as long as there is memory. */
export class ChunkWriter {
  readonly #size: number;
  readonly #control: Control;
  readonly #budget: number;
  readonly #free: SharedArrayBuffer[];
  readonly #full: Chunk[] = [];
  #chunk: Uint8Array<SharedArrayBuffer> | undefined;
  #used = 0;

  /**
   * `size`: bytes of an entry. `free`: chunks that may be overwritten. `budget`: bytes of the visited set and all
   * chunks.
   */
  constructor(size: number, control: Control, budget: number, free: readonly SharedArrayBuffer[]) {
    this.#size = size;
    this.#control = control;
    this.#budget = budget;
    this.#free = [...free];
  }

  /** Returns false if there is no memory left; a part may have been written. */
  write(entries: Uint8Array): boolean {
    let from = 0;
    while (from < entries.length) {
      let room = this.#chunk ? this.#chunk.length - this.#used : 0;
      if (room < this.#size) {
        if (!this.#next()) return false;
        room = this.#chunk!.length;
      }
      const length = Math.min(entries.length - from, room - (room % this.#size));
      this.#chunk!.set(
        from === 0 && length === entries.length ? entries : entries.subarray(from, from + length),
        this.#used,
      );
      this.#used += length;
      from += length;
    }
    return true;
  }

  /** What was written, and the chunks that were not needed. */
  end(): { chunks: Chunk[]; free: SharedArrayBuffer[] } {
    this.#close();
    return { chunks: this.#full, free: this.#free };
  }

  #close(): void {
    if (this.#chunk) this.#full.push({ bytes: this.#chunk.buffer, count: this.#used / this.#size });
    this.#chunk = undefined;
    this.#used = 0;
  }

  #next(): boolean {
    this.#close();
    const used = this.#free.pop();
    if (used && used.byteLength >= this.#size) {
      this.#chunk = new Uint8Array(used);
      return true;
    }
    const bytes = Math.max(this.#size, Math.min(CHUNK_BYTES, FIRST_CHUNK_BYTES * 2 ** this.#full.length));
    const control = this.#control;
    if (control.addLong('frontierBytes', bytes) + control.long('visitedBytes') > this.#budget) {
      control.addLong('frontierBytes', -bytes);
      control.stop('memory');
      return false;
    }
    this.#chunk = new Uint8Array(new SharedArrayBuffer(bytes));
    return true;
  }
}

/** Deals a level's entries out in batches, each to the thread that asks first. */
export class ChunkReader {
  readonly #chunks: readonly Chunk[];
  readonly #size: number;
  readonly #batch: number;
  readonly #control: Control;
  #chunk = 0;
  /** Number of the first batch of `#chunk`. */
  #first = 0;

  /** All threads are to have the same chunks and batch. `size`: bytes of an entry. */
  constructor(chunks: readonly Chunk[], size: number, batch: number, control: Control) {
    this.#chunks = chunks;
    this.#size = size;
    this.#batch = batch;
    this.#control = control;
  }

  /** The next batch of nobody else, or undefined at the end of the level. */
  next(): { entries: Uint8Array; count: number } | undefined {
    const number = this.#control.add('cursor', 1);
    for (;;) {
      const chunk = this.#chunks[this.#chunk];
      if (!chunk) return undefined;
      const batches = Math.ceil(chunk.count / this.#batch);
      if (number < this.#first + batches) {
        const from = (number - this.#first) * this.#batch;
        const count = Math.min(this.#batch, chunk.count - from);
        return { entries: new Uint8Array(chunk.bytes, from * this.#size, count * this.#size), count };
      }
      this.#first += batches;
      this.#chunk++;
    }
  }
}
