// The memory of the visited set, which all threads share: what the module over it exports, its layout, and how it is
// made.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../errors.js';
import { CHUNK_BYTES } from './chunks.js';
import type { Control } from './control.js';
import type { ExploreOptions } from './types.js';

/** What assembly/search/visited.ts exports; addresses and counts are u32, which JavaScript sees as i32. */
export interface VisitedExports {
  readonly SLICE: WebAssembly.Global;
  readonly AREAS: WebAssembly.Global;
  readonly AREA_SIZE: WebAssembly.Global;
  readonly SLACK: WebAssembly.Global;
  configure(area: number): void;
  setTable(at: number, lines: number): void;
  insert(n: number): number;
  missing(n: number): number;
  touch(from: number, to: number): void;
  edge(line: number, last: number): number;
  grow(from: number, to: number): number;
  setFilter(at: number, log: number, hashes: number): void;
  insertBits(n: number): number;
  missingBits(n: number): number;
}

/** Plain data that crosses threads. */
export interface VisitedSetup {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly kind: ExploreOptions['visited'];
  /** First byte of the table or filter. */
  readonly at: number;
  /** Bytes for the set and the frontier together. */
  readonly budget: number;
  readonly control: SharedArrayBuffer;
}

const WASM_URL = new URL('../../../build/visited.wasm', import.meta.url);
export const PAGE = 65536;
/** One page less than WebAssembly has, so that no end of anything is 2^32. */
export const MOST_PAGES = 65535;
export const LINE = 64;
const LINE_SLOTS = 8;
const LOCKS_BYTES = 16384;

/** The table grows when it is fuller than this; where memory ends, it fills up to the second. */
export const LOAD = 0.75;
export const LAST_LOAD = 0.92;
const FIRST_LINES = 8192;

export const LEAST_LOG2 = 16;
export const MOST_LOG2 = 34;

function loadVisited(): WebAssembly.Module {
  try {
    return new WebAssembly.Module(readFileSync(WASM_URL));
  } catch (cause) {
    throw new Error(`no WebAssembly module at ${fileURLToPath(WASM_URL)}: run npm run build`, { cause });
  }
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): VisitedExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as VisitedExports;
}

/** Lines of a table that ends with this page. */
export function linesIn(pages: number, at: number, slack: number): number {
  return Math.floor((pages * PAGE - at) / LINE) - slack;
}

export function limitOf(lines: number, load: number): number {
  return Math.floor(lines * LINE_SLOTS * load);
}

/**
 * Memory that may grow where it is, so its whole range of addresses is taken now; none of it is used before it is
 * written.
 */
function reserve(pages: number, maximum: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum, shared: true });
  } catch (cause) {
    throw new Error(`the machine does not give ${maximum * PAGE} bytes of address space to the visited set`, { cause });
  }
}

/**
 * An empty set for so many threads. `budget`: bytes for it and the frontier. `firstLines`: of 64 bytes, to begin with.
 * Throws UsageError for bounds that make no sense, or too little memory to begin with.
 */
export function makeVisited(
  kind: ExploreOptions['visited'],
  threads: number,
  budget: number,
  control: Control,
  firstLines: number = FIRST_LINES,
): VisitedSetup {
  const module = loadVisited();
  // The layout stands in the module; it is asked with a memory that is thrown away.
  const asked = instantiate(module, new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
  const slack = Number(asked.SLACK.value);
  const end = Number(asked.AREAS.value) + threads * Number(asked.AREA_SIZE.value);
  const at = Math.ceil(end / PAGE) * PAGE + (kind.kind === 'bits' ? LOCKS_BYTES : 0);
  if (kind.kind === 'bits') {
    if (!Number.isInteger(kind.log2) || kind.log2 < LEAST_LOG2 || kind.log2 > MOST_LOG2)
      throw new UsageError(`2^${kind.log2} bits: valid are 2^${LEAST_LOG2} to 2^${MOST_LOG2}`);
    if (!Number.isInteger(kind.hashes) || kind.hashes < 1 || kind.hashes > 16)
      throw new UsageError(`${kind.hashes} bits per state: valid are 1 to 16`);
  }
  const size = kind.kind === 'bits' ? 2 ** (kind.log2 - 3) : (firstLines + slack) * LINE;
  const pages = Math.ceil((at + size) / PAGE);
  const least = pages * PAGE + threads * CHUNK_BYTES;
  if (least > budget) throw new UsageError(`${budget} bytes of memory: this search begins with ${least}`);
  const maximum = Math.max(pages, Math.min(MOST_PAGES, Math.floor(budget / PAGE)));
  const memory = reserve(pages, maximum);
  const lines = linesIn(pages, at, slack);
  control.set('lines', lines);
  control.set('limit', limitOf(lines, LOAD));
  control.setLong('visitedBytes', pages * PAGE);
  return { module, memory, kind, at, budget, control: control.buffer };
}
