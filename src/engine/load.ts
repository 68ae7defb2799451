// Where the module lies on disk, and the source map beside it.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { type EngineModule, engineModule } from './module.js';
import { locateWith } from './trap.js';

export type { EngineModule } from './module.js';

/** dist/src/engine/ to the root of the package. */
const BUILD = new URL('../../../build/', import.meta.url);
export const WASM_URL = new URL('breakcow.wasm', BUILD);

let map: TraceMap | null | undefined;

/** The line of AssemblyScript that byte `offset` of the module comes from; undefined where the map is missing. */
function lineOf(offset: number): string | undefined {
  if (map === undefined) {
    const url = new URL(`${WASM_URL.href}.map`);
    map = existsSync(url) ? new TraceMap(readFileSync(url, 'utf8')) : null;
  }
  // One "line" holds the whole module, and the column is the byte offset.
  const found = map ? originalPositionFor(map, { line: 1, column: offset }) : undefined;
  return found?.source ? `${found.source}:${found.line}` : undefined;
}

function moduleBytes(url: URL): Buffer {
  try {
    return readFileSync(url);
  } catch (cause) {
    throw new Error(`no WebAssembly module at ${fileURLToPath(url)}: run npm run build`, { cause });
  }
}

/** 64 bits of the module's hash, hex: two builds with one hash do the same. */
export function buildHash(url: URL = WASM_URL): string {
  return createHash('sha256').update(moduleBytes(url)).digest('hex').slice(0, 16);
}

/** A module that is to be instantiated often, without a source map. */
export function compiledModule(url: URL): WebAssembly.Module {
  return new WebAssembly.Module(new Uint8Array(moduleBytes(url)));
}

/** A new instance with memory of its own. Throws Error if the module was not built. */
export function loadModule(url: URL = WASM_URL): EngineModule {
  locateWith(lineOf);
  return engineModule(moduleBytes(url));
}
