// The small handler of the benches (2 mms x 2 pages, 38 bits of state) as a subject of the search: small enough for other
// checkers to close it, so that all can be held against each other.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ShortestPrograms } from './small-programs.js';
import type { BrokenPath, Subject, SubjectCounters, SubjectSpec, Symmetry } from './types.js';

const WASM_URL = new URL('../../../build/small.wasm', import.meta.url);

export interface SmallMutant {
  readonly name: string;
  readonly doc: string;
}

/** Deviations from the right handler: one decision each, bit = index. Some break a promise, at different depths. */
export const SMALL_MUTANTS: readonly SmallMutant[] = [
  { name: 'fork-keeps-write', doc: "fork leaves the parent's entries writable" },
  { name: 'fork-keeps-uffd', doc: 'the child inherits uffd-wp' },
  { name: 'fork-shares-pinned', doc: 'fork shares pinned pages instead of copying them' },
  { name: 'fork-copy-keeps-uffd', doc: "fork's early copy is uffd-wp like its original, and writable" },
  { name: 'copy-drops-uffd', doc: 'a copy is not uffd-wp, though not writable either' },
  { name: 'copy-keeps-write', doc: 'a copy is writable even under uffd-wp' },
  { name: 'reuse-ignores-maps', doc: 'a page is reused though others map it' },
  { name: 'reuse-ignores-pins', doc: 'a page is reused though it is pinned' },
  { name: 'reuse-takes-zero', doc: 'the zero page is reused' },
  { name: 'reuse-counts-pin-as-map', doc: 'a page is reused if it is mapped once more than pinned' },
  { name: 'write-ignores-uffd', doc: 'a write fault does not stop at uffd-wp' },
  { name: 'uffd-keeps-write', doc: 'write-protecting sets uffd-wp and leaves the entry writable' },
  { name: 'unwp-restores-write', doc: 'un-write-protecting makes a page writable if its mm holds a pin' },
];

/** What no state may be, bit = index of `BrokenPath.mask`. */
export const SMALL_PROMISES: readonly string[] = [
  'writable entries are not uffd-wp',
  'the zero page is not writable',
  'a writable page is mapped once',
];

/** Op numbers of a program are indices into this list. */
export const SMALL_OPS: readonly string[] = [
  ...['A p0', 'A p1', 'B p0', 'B p1'].flatMap((page) =>
    ['read', 'write', 'gup', 'uffd-wp', 'zap'].map((op) => `${op} ${page}`),
  ),
  'fork A->B',
  'fork B->A',
];

const SYMMETRIES: readonly Symmetry[] = ['none', 'frames', 'mms', 'full'];

/** What assembly/search/small.ts exports: states and fingerprints are u64. */
export interface SmallExports {
  readonly memory: WebAssembly.Memory;
  readonly BATCH: WebAssembly.Global;
  readonly CANDIDATES: WebAssembly.Global;
  readonly ENTRIES: WebAssembly.Global;
  readonly FRESH: WebAssembly.Global;
  readonly BROKEN: WebAssembly.Global;
  configure(symmetry: number, mutants: number): void;
  expandPlain(count: number): number;
  expandLanes(count: number): number;
  sendDuplicates(): void;
  collect(count: number): number;
  brokenSteps(): number;
  apply(state: bigint, op: number): bigint;
  broken(state: bigint): number;
  canonical(state: bigint, symmetry: number): bigint;
  renumbered(state: bigint): bigint;
  swapMms(state: bigint): bigint;
  swapPages(state: bigint): bigint;
  fingerprint(state: bigint): bigint;
  stateOf(fingerprint: bigint): bigint;
}

/** A new instance with memory of its own. Throws Error if the module was not built. */
export function loadSmall(symmetry: Symmetry, mutants: number): SmallExports {
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = readFileSync(WASM_URL);
  } catch (cause) {
    throw new Error(`no WebAssembly module at ${fileURLToPath(WASM_URL)}: run npm run build`, { cause });
  }
  const exports = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as SmallExports;
  exports.configure(SYMMETRIES.indexOf(symmetry), mutants);
  return exports;
}

export type SmallSpec = Extract<SubjectSpec, { kind: 'small' }>;

/** Bytes of a state, in the frontier as in the visited set. */
const STATE_BYTES = 8;
/** Fewer states leave most lanes empty. */
const LEAST_FOR_LANES = 4;
const OPS = SMALL_OPS.length;

/** States go through the search as they are, and as fingerprints by a mapping that can be undone: nothing is ever lost. */
export class SmallSubject implements Subject {
  readonly batch: number;
  readonly maxCandidates: number;
  readonly #wasm: SmallExports;
  readonly #lanes: boolean;
  readonly #programs: ShortestPrograms;
  readonly #memory: ArrayBuffer;
  readonly #at: { entries: number; candidates: number; fresh: number; broken: number };
  #sent = 0;
  #transitions = 0;
  #candidates = 0;
  /** Steps that broke a promise, of the depth at which each mask came first; each once up to symmetry. */
  #broken = new Map<bigint, { state: bigint; mask: number }>();
  readonly #firstDepth = new Map<number, number>();

  constructor(spec: SmallSpec) {
    const wasm = loadSmall(spec.symmetry, spec.mutants);
    this.#wasm = wasm;
    this.#lanes = spec.lanes;
    this.#programs = new ShortestPrograms(wasm, OPS);
    this.#memory = wasm.memory.buffer;
    this.#at = {
      entries: Number(wasm.ENTRIES.value),
      candidates: Number(wasm.CANDIDATES.value),
      fresh: Number(wasm.FRESH.value),
      broken: Number(wasm.BROKEN.value),
    };
    this.batch = Number(wasm.BATCH.value);
    this.maxCandidates = this.batch * OPS;
  }

  entrySize(): number {
    return STATE_BYTES;
  }

  /** The empty world; no step back to it is ever a candidate. */
  roots(): Uint8Array {
    return new Uint8Array(STATE_BYTES);
  }

  expand(entries: Uint8Array, count: number, depth: number): BigUint64Array {
    if (count > this.batch) throw new RangeError(`${count} states, more than ${this.batch}`);
    new Uint8Array(this.#memory, this.#at.entries).set(entries.subarray(0, count * STATE_BYTES));
    const { expandLanes, expandPlain } = this.#wasm;
    this.#sent = this.#lanes && count >= LEAST_FOR_LANES ? expandLanes(count) : expandPlain(count);
    this.#transitions += count * OPS;
    this.#candidates += this.#sent;
    const broken = this.#wasm.brokenSteps();
    if (broken > 0) this.#note(new BigUint64Array(this.#memory, this.#at.broken, broken), depth);
    return new BigUint64Array(this.#memory, this.#at.candidates, this.#sent);
  }

  collect(fresh: Uint8Array): Uint8Array {
    new Uint8Array(this.#memory, this.#at.fresh).set(fresh.subarray(0, this.#sent));
    const kept = this.#wasm.collect(this.#sent);
    return new Uint8Array(this.#memory, this.#at.candidates, kept * STATE_BYTES);
  }

  oneByOne(): void {
    this.#wasm.sendDuplicates();
  }

  /** The small handler never runs out of frames. */
  counters(): SubjectCounters {
    return { transitions: this.#transitions, candidates: this.#candidates, exhausted: 0 };
  }

  /**
   * One of the shortest programs for each step that broke a promise; it leads to that step up to symmetry. Steps that are equal
   * up to symmetry give one program, so the result is the same for any number of threads and with any symmetry.
   */
  takeViolations(): BrokenPath[] {
    const steps = [...this.#broken.values()];
    this.#broken = new Map();
    return steps.map(({ state, mask }) => ({ program: this.#programs.breaking(state, mask), mask }));
  }

  #note(steps: BigUint64Array, depth: number): void {
    for (const step of steps) {
      const mask = Number(step >> 48n);
      const first = this.#firstDepth.get(mask) ?? depth;
      if (depth > first) continue;
      this.#firstDepth.set(mask, depth);
      const state = this.#programs.classOf(step & 0x3fffffffffn);
      this.#broken.set(state | (BigInt(mask) << 48n), { state, mask });
    }
  }
}

export function makeSmall(spec: SmallSpec): SmallSubject {
  return new SmallSubject(spec);
}
