// How larger things lie in Redis: a header in JSON and arrays of bytes, deflated together.
import { promisify } from 'node:util';
import { deflateRaw, inflateRawSync } from 'node:zlib';
import { list, Malformed, record, whole } from './check.js';
import { MOST_BYTES } from './limits.js';

const deflate = promisify(deflateRaw);

/** Off the main thread. */
export async function packFrame(header: object, parts: readonly Uint8Array[]): Promise<Buffer> {
  const head = Buffer.from(JSON.stringify({ header, sizes: parts.map(({ length }) => length) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return await deflate(Buffer.concat([length, head, ...parts]), { level: 1 });
}

export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly parts: readonly Buffer[];
}

/** Throws Malformed for anything but a frame with so many parts and at most MOST_BYTES. */
export function unpackFrame(packed: Buffer, count: number): Frame {
  let bytes: Buffer;
  let head: Readonly<Record<string, unknown>>;
  try {
    bytes = inflateRawSync(packed, { maxOutputLength: MOST_BYTES });
    const end = 4 + bytes.readUInt32LE();
    head = record('frame', JSON.parse(bytes.toString('utf8', 4, end)));
    bytes = bytes.subarray(end);
  } catch (error) {
    throw error instanceof Malformed ? error : new Malformed('frame: not readable');
  }
  const sizes = list('sizes', head.sizes, count, count).map((size) => whole('size', size, MOST_BYTES));
  if (sizes.reduce((sum, size) => sum + size, 0) !== bytes.length) throw new Malformed('frame: cut off');
  let at = 0;
  const parts = sizes.map((size) => {
    at += size;
    return bytes.subarray(at - size, at);
  });
  return { header: record('header', head.header), parts };
}

export function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

export function joinWords(programs: readonly Uint32Array[]): Uint32Array {
  const joined = new Uint32Array(programs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const words of programs) {
    joined.set(words, at);
    at += words.length;
  }
  return joined;
}

/** A copy of its own; threads share it if `shared`. Throws Malformed if half a word is left. */
export function wordsOf(what: string, bytes: Buffer, shared = false): Uint32Array {
  if (bytes.length % 4 !== 0) throw new Malformed(`${what} of ${bytes.length} bytes`);
  const copy = new Uint32Array(shared ? new SharedArrayBuffer(bytes.length) : new ArrayBuffer(bytes.length));
  new Uint8Array(copy.buffer).set(bytes);
  return copy;
}

/** Cuts words into programs, one call after the other. */
export class Cutter {
  readonly #words: Uint32Array;
  #at = 0;

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  cut(length: number): Uint32Array {
    if (this.#at + length > this.#words.length) throw new Malformed('words: too few');
    this.#at += length;
    return this.#words.slice(this.#at - length, this.#at);
  }

  end(): void {
    if (this.#at !== this.#words.length) throw new Malformed('words: too many');
  }
}
