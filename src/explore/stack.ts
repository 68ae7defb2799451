// The stack of a depth-first search: for each step of the path the successors that were not visited yet when their
// state was expanded, as fingerprints and entries, in flat arrays that grow.
export class Stack {
  low = 0;
  high = 0;
  /** Valid until the next `push`. */
  entry: Uint8Array = new Uint8Array(0);
  /** Low and high half of each fingerprint. */
  #prints = new Uint32Array(1 << 12);
  #entries = new Uint8Array(1 << 15);
  /** Per frame: first fingerprint, next one, first byte of the entries. */
  #frames = new Float64Array(3 << 10);
  #height = 0;
  #printsEnd = 0;
  #entriesEnd = 0;
  readonly #entrySize: (depth: number) => number;
  /** Steps to the successors of the lowest frame. */
  #base = 0;

  constructor(entrySize: (depth: number) => number) {
    this.#entrySize = entrySize;
  }

  get height(): number {
    return this.#height;
  }

  /** Steps to the successors of the frame on top. */
  get depth(): number {
    return this.#base + this.#height - 1;
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.#prints.byteLength + this.#entries.byteLength + this.#frames.byteLength;
  }

  /** Empties the stack; the next frame's successors are at this depth. */
  begin(depth: number): void {
    this.#height = 0;
    this.#printsEnd = 0;
    this.#entriesEnd = 0;
    this.#base = depth;
  }

  /**
   * A new frame: of `prints` (low and high half of each) those that are `chosen`. Their entries are to be pushed next.
   */
  push(prints: Uint32Array, chosen: Uint8Array): void {
    if (this.#printsEnd + prints.length > this.#prints.length) this.#prints = longer(this.#prints, prints.length);
    const frame = 3 * this.#height++;
    if (frame + 3 > this.#frames.length) this.#frames = longer(this.#frames, 3);
    const frames = this.#frames;
    let end = this.#printsEnd;
    frames[frame] = end;
    frames[frame + 1] = end;
    frames[frame + 2] = this.#entriesEnd;
    const to = this.#prints;
    for (let i = 0; 2 * i < prints.length; i++) {
      if (chosen[i] === 0) continue;
      to[end++] = prints[2 * i]!;
      to[end++] = prints[2 * i + 1]!;
    }
    this.#printsEnd = end;
  }

  /** The entries of the frame on top, packed. */
  pushEntries(entries: Uint8Array): void {
    const end = this.#entriesEnd + entries.length;
    if (end > this.#entries.length) this.#entries = longer(this.#entries, entries.length);
    this.#entries.set(entries, this.#entriesEnd);
    this.#entriesEnd = end;
  }

  /** Takes the frame on top away. */
  drop(): void {
    const frame = 3 * --this.#height;
    this.#printsEnd = this.#frames[frame]!;
    this.#entriesEnd = this.#frames[frame + 2]!;
  }

  /**
   * Goes to the next successor of the frame on top: `low`, `high` and `entry` tell it. False, and the frame is gone, if
   * none is left.
   */
  next(): boolean {
    const frame = 3 * (this.#height - 1);
    const at = this.#frames[frame + 1]!;
    if (at === this.#printsEnd) {
      this.drop();
      return false;
    }
    this.#frames[frame + 1] = at + 2;
    const size = this.#entrySize(this.depth);
    const from = this.#frames[frame + 2]! + ((at - this.#frames[frame]!) / 2) * size;
    this.low = this.#prints[at]!;
    this.high = this.#prints[at + 1]!;
    this.entry = this.#entries.subarray(from, from + size);
    return true;
  }

  /**
   * Takes what is left of the lowest frame that has something left, but the one on top; at most `bytes` of it.
   * Undefined if there is none.
   */
  takeOldest(bytes: number): { depth: number; prints: Uint32Array; entries: Uint8Array } | undefined {
    for (let height = 0; height < this.#height - 1; height++) {
      const frame = 3 * height;
      const first = this.#frames[frame]!;
      const next = this.#frames[frame + 1]!;
      const end = this.#frames[frame + 3]!;
      if (next === end) continue;
      const depth = this.#base + height;
      const size = this.#entrySize(depth);
      const count = Math.min((end - next) / 2, Math.floor(bytes / (8 + size)));
      if (count === 0) return undefined;
      const from = this.#frames[frame + 2]! + ((next - first) / 2) * size;
      this.#frames[frame + 1] = next + 2 * count;
      return {
        depth,
        prints: this.#prints.subarray(next, next + 2 * count),
        entries: this.#entries.subarray(from, from + count * size),
      };
    }
    return undefined;
  }
}

/** A copy with room for so many more, and as many again. */
function longer<T extends Uint8Array | Uint32Array | Float64Array>(array: T, more: number): T {
  const larger = new (array.constructor as new (length: number) => T)(2 * (array.length + more));
  larger.set(array);
  return larger;
}
