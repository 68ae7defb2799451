// Plain data as a blob: structured clone, deflated.
import { deserialize, serialize } from 'node:v8';
import { deflateSync, inflateSync } from 'node:zlib';

/** Typed arrays, maps, sets and bigints are kept; functions and shared memory are not possible. */
export function pack(data: unknown): Buffer {
  return deflateSync(serialize(data), { level: 1 });
}

/** Throws Error for anything but what `pack` made. */
export function unpack<T>(blob: Uint8Array): T {
  return deserialize(inflateSync(blob)) as T;
}
