// The visited set in memory that all threads share: how it is made, and one thread's hand on it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../errors.js';
import { CHUNK_BYTES } from './chunks.js';
import { Control, Gate } from './control.js';
import type { ExploreOptions } from './types.js';

/** What assembly/search/visited.ts exports; addresses and counts are u32, which JavaScript sees as i32. */
interface VisitedExports {
  readonly SLICE: WebAssembly.Global;
  readonly AREAS: WebAssembly.Global;
  readonly AREA_SIZE: WebAssembly.Global;
  readonly SLACK: WebAssembly.Global;
  configure(area: number): void;
  setTable(at: number, lines: number): void;
  insert(n: number): number;
  missing(n: number): number;
  grow(before: number): number;
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
const PAGE = 65536;
/** One page less than WebAssembly has, so that no end of anything is 2^32. */
const MOST_PAGES = 65535;
const LINE = 64;
const LINE_SLOTS = 8;
const LOCKS_BYTES = 16384;

/** The table grows when it is fuller than this; where memory ends, it fills up to the second. */
const LOAD = 0.75;
const LAST_LOAD = 0.92;
/** A growth by less is not worth its time. */
const LEAST_GROWTH = 1.25;
const FIRST_LINES = 8192;
/** A table of fewer lines grows fourfold, so that a growth, which one thread does alone, costs little; a larger one doubles. */
const SMALL_LINES = 1 << 20;

export const LEAST_LOG2 = 16;
export const MOST_LOG2 = 34;

function loadVisited(): WebAssembly.Module {
  try {
    return new WebAssembly.Module(readFileSync(WASM_URL));
  } catch (cause) {
    throw new Error(`no WebAssembly module at ${fileURLToPath(WASM_URL)}: run npm run build`, { cause });
  }
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): VisitedExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as VisitedExports;
}

/** Lines of a table that ends with this page. */
function linesIn(pages: number, at: number, slack: number): number {
  return Math.floor((pages * PAGE - at) / LINE) - slack;
}

function limitOf(lines: number, load: number): number {
  return Math.floor(lines * LINE_SLOTS * load);
}

/**
 * An empty set for so many threads. `budget`: bytes for it and the frontier. `firstLines`: of 64 bytes, to begin with. Throws
 * UsageError for bounds that make no sense, or too little memory to begin with.
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
  const memory = new WebAssembly.Memory({ initial: pages, maximum, shared: true });
  const lines = linesIn(pages, at, slack);
  control.set('lines', lines);
  control.set('limit', limitOf(lines, LOAD));
  control.setLong('visitedBytes', pages * PAGE);
  return { module, memory, kind, at, budget, control: control.buffer };
}

/** One thread's hand on the set. Throws Error where fingerprints crowd so much that the table cannot hold them. */
export class Visited {
  readonly gate: Gate;
  readonly #control: Control;
  readonly #setup: VisitedSetup;
  readonly #wasm: VisitedExports;
  readonly #slack: number;
  readonly #slice: number;
  readonly #in: BigUint64Array;
  readonly #inWords: Uint32Array;
  readonly #out: Uint8Array;
  readonly #exact: boolean;
  #fresh: Uint8Array;
  #epoch = -1;

  /** `thread`: 0 .. threads - 1, each once. */
  constructor(setup: VisitedSetup, thread: number) {
    this.#setup = setup;
    this.#control = new Control(setup.control);
    this.gate = new Gate(this.#control, () => this.#rebuild());
    const wasm = instantiate(setup.module, setup.memory);
    this.#wasm = wasm;
    this.#slack = Number(wasm.SLACK.value);
    this.#slice = Number(wasm.SLICE.value);
    const area = Number(wasm.AREAS.value) + thread * Number(wasm.AREA_SIZE.value);
    if (area + Number(wasm.AREA_SIZE.value) > setup.at)
      throw new Error(`the visited set was not made for thread ${thread}`);
    wasm.configure(area);
    this.#exact = setup.kind.kind === 'exact';
    if (setup.kind.kind === 'bits') wasm.setFilter(setup.at, setup.kind.log2, setup.kind.hashes);
    const { buffer } = setup.memory;
    this.#in = new BigUint64Array(buffer, area, this.#slice);
    this.#inWords = new Uint32Array(buffer, area, 2 * this.#slice);
    this.#out = new Uint8Array(buffer, area + 8 * this.#slice, this.#slice);
    this.#fresh = new Uint8Array(this.#slice);
  }

  /**
   * Enters fingerprints, none of them 0. Returns one byte each, 1 = seen for the first time; valid until the next call. Returns
   * undefined if memory was used up on the way: the search was told to stop, and a part may have been entered.
   * The thread is to be inside the gate.
   */
  insert(prints: BigUint64Array): Uint8Array | undefined {
    const n = prints.length;
    if (n <= this.#slice) return this.#insertSlice(prints) ? this.#out : undefined;
    const fresh = this.#room(n);
    for (let first = 0; first < n; first += this.#slice) {
      const slice = prints.subarray(first, first + this.#slice);
      if (!this.#insertSlice(slice)) return undefined;
      fresh.set(this.#out.subarray(0, slice.length), first);
    }
    return fresh;
  }

  /** As `insert`, but enters nothing: 1 = not in the set. */
  missing(prints: BigUint64Array): Uint8Array {
    const n = prints.length;
    this.#refresh();
    const ask = this.#exact ? this.#wasm.missing : this.#wasm.missingBits;
    if (n <= this.#slice) {
      this.#in.set(prints);
      ask(n);
      return this.#out;
    }
    const absent = this.#room(n);
    for (let first = 0; first < n; first += this.#slice) {
      const slice = prints.subarray(first, first + this.#slice);
      this.#in.set(slice);
      ask(slice.length);
      absent.set(this.#out.subarray(0, slice.length), first);
    }
    return absent;
  }

  /** Enters one fingerprint, given as its low and high half. Returns 1 if it is new, 0 if not, -1 if memory is used up. */
  insertOne(low: number, high: number): number {
    if (!this.#reserve(1)) return -1;
    this.#inWords[0] = low;
    this.#inWords[1] = high;
    return this.#insertIn(1);
  }

  #insertSlice(prints: BigUint64Array): boolean {
    if (!this.#reserve(prints.length)) return false;
    this.#in.set(prints);
    this.#insertIn(prints.length);
    return true;
  }

  /** Enters what stands in the area, for which there is room; returns how many were new. */
  #insertIn(n: number): number {
    if (!this.#exact) return this.#wasm.insertBits(n);
    this.#refresh();
    const fresh = this.#wasm.insert(n);
    if (fresh < 0) throw new Error('the visited set is full at one place: the fingerprints are not well mixed');
    this.#control.add('count', fresh - n);
    return fresh;
  }

  #room(n: number): Uint8Array {
    if (this.#fresh.length < n) this.#fresh = new Uint8Array(n);
    return this.#fresh;
  }

  /** Makes sure that `n` more entries fit. False if they cannot. */
  #reserve(n: number): boolean {
    if (!this.#exact) return true;
    const control = this.#control;
    for (;;) {
      if (this.gate.shut) this.gate.wait();
      if (control.add('count', n) + n <= control.get('limit')) return true;
      control.add('count', -n);
      if (control.stopped === 'memory') return false;
      this.gate.wait();
    }
  }

  #refresh(): void {
    const epoch = this.#control.get('epoch');
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    if (this.#exact) this.#wasm.setTable(this.#setup.at, this.#control.get('lines'));
  }

  /** Makes the table larger, or at its last size fuller, or tells the search to stop. No other thread is at work. */
  #rebuild(): void {
    const { at, budget } = this.#setup;
    const control = this.#control;
    const before = control.get('lines');
    const last = limitOf(before, LAST_LOAD);
    // The frontier may need as much again.
    const left = Math.floor((budget - 2 * control.long('frontierBytes')) / PAGE);
    const most = linesIn(Math.min(MOST_PAGES, left), at, this.#slack);
    const lines = Math.min((before < SMALL_LINES ? 4 : 2) * before, most);
    if (lines < LEAST_GROWTH * before || !this.#grow(lines)) {
      // Nothing is lost by a full table but time.
      if (control.get('limit') < last) control.set('limit', last);
      else control.stop('memory');
      return;
    }
    this.#wasm.setTable(at, lines);
    if (this.#wasm.grow(before) !== 0)
      throw new Error('the visited set cannot grow: the fingerprints are not well mixed');
    control.set('lines', lines);
    control.set('limit', limitOf(lines, LOAD));
  }

  /** False if the machine does not give the memory. */
  #grow(lines: number): boolean {
    const { memory, at } = this.#setup;
    const pages = Math.ceil((at + (lines + this.#slack) * LINE) / PAGE);
    // The memory's own length may lag behind what another thread did.
    const more = pages - this.#control.long('visitedBytes') / PAGE;
    try {
      if (more > 0) {
        memory.grow(more);
        this.#control.setLong('visitedBytes', pages * PAGE);
      }
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}
