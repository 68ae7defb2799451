// A trap tells only byte offsets into the module; the source map that asc writes turns them into lines.
import { existsSync, readFileSync } from 'node:fs';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { WASM_URL } from './load.js';

/** A WebAssembly trap: a fault of breakcow itself, never of the kernel on trial. */
export class EngineTrap extends Error {
  override readonly name = 'EngineTrap';
  /** AssemblyScript `file:line` of each frame, innermost first; byte offsets where the map is missing. */
  readonly frames: readonly string[];

  constructor(cause: Error) {
    const frames = trapFrames(cause.stack ?? '');
    super(`trap in the engine: ${cause.message}${frames.length > 0 ? ` at ${frames[0]}` : ''}`, { cause });
    this.frames = frames;
  }
}

let map: TraceMap | null | undefined;

function sourceMap(): TraceMap | null {
  if (map === undefined) {
    const url = new URL(`${WASM_URL.href}.map`);
    map = existsSync(url) ? new TraceMap(readFileSync(url, 'utf8')) : null;
  }
  return map;
}

/** The WebAssembly frames of a stack as `file:line`. */
export function trapFrames(stack: string): string[] {
  return [...stack.matchAll(/wasm-function\[\d+\]:0x([0-9a-f]+)/g)].map(([frame, offset]) => {
    const lines = sourceMap();
    // One "line" holds the whole module, and the column is the byte offset.
    const found = lines ? originalPositionFor(lines, { line: 1, column: Number.parseInt(offset!, 16) }) : undefined;
    return found?.source ? `${found.source}:${found.line}` : frame;
  });
}

/** Runs `call`; a trap comes out as EngineTrap. */
export function trapped<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) throw new EngineTrap(error);
    throw error;
  }
}
