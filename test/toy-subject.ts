// A transition system for the tests of the search: a random graph whose edges are a pure function of the node. Entries
// tell the way from the root, so they grow with depth.
import type { BrokenPath, Subject, SubjectSpec } from '../src/explore/types.js';

export interface Toy {
  readonly nodes: number;
  readonly degree: number;
  readonly seed: number;
  /** Nodes n > 0 with n % bad === 0 break invariant 1, with n % (bad + 1) === 0 invariant 2. */
  readonly bad?: number;
  /** Broken promises are found by `collect` only. */
  readonly late?: boolean;
  /** Expanding this node traps. */
  readonly trapAt?: number;
  /** Expanding this node ends the thread. */
  readonly exitAt?: number;
  /** Milliseconds that a batch takes. */
  readonly slow?: number;
  /** Low bits of the node's number that choose the fingerprint's place; the others do not. */
  readonly placeBits?: number;
  /** A node's number and the next ones are its successors, instead of random ones. */
  readonly chain?: boolean;
  /** Entries do not tell the way, so programs are no more than their last op. */
  readonly flat?: boolean;
  readonly batch?: number;
}

const NODE_BYTES = 4;

function mix(x: number): number {
  let z = (x + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

export function successor(toy: Toy, node: number, op: number): number {
  if (toy.chain) return Math.min(node + op + 1, toy.nodes - 1);
  return mix(mix(node ^ toy.seed) + op) % toy.nodes;
}

export function brokenMask(toy: Toy, node: number): number {
  if (toy.bad === undefined || node === 0) return 0;
  return (node % toy.bad === 0 ? 2 : 0) | (node % (toy.bad + 1) === 0 ? 4 : 0);
}

export function fingerprint(toy: Toy, node: number): bigint {
  const place = mix(toy.placeBits === undefined ? node : node & ((1 << toy.placeBits) - 1));
  return (BigInt(place) << 32n) | BigInt(node + 1);
}

/** Traps as a module would. */
function trap(): never {
  const unreachable = Uint8Array.of(
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    1,
    4,
    1,
    96,
    0,
    0,
    3,
    2,
    1,
    0,
    8,
    1,
    0,
    10,
    5,
    1,
    3,
    0,
    0,
    11,
  );
  new WebAssembly.Instance(new WebAssembly.Module(unreachable));
  throw new Error('the module did not trap');
}

class ToySubject implements Subject {
  readonly batch: number;
  readonly maxCandidates: number;
  readonly #toy: Toy;
  #entries: Uint8Array = new Uint8Array(0);
  /** Parent's index and op of each candidate. */
  #from: [number, number][] = [];
  #depth = 0;
  #transitions = 0;
  #candidates = 0;
  #broken: BrokenPath[] = [];

  constructor(toy: Toy) {
    this.#toy = toy;
    this.batch = toy.batch ?? 64;
    this.maxCandidates = this.batch * toy.degree;
  }

  entrySize(depth: number): number {
    return NODE_BYTES + (this.#toy.flat ? 0 : depth);
  }

  roots(): Uint8Array {
    return new Uint8Array(NODE_BYTES);
  }

  rootFingerprints(): BigUint64Array {
    return BigUint64Array.of(fingerprint(this.#toy, 0));
  }

  expand(entries: Uint8Array, count: number, depth: number): BigUint64Array {
    const toy = this.#toy;
    const prints: bigint[] = [];
    this.#entries = entries.slice();
    this.#from = [];
    this.#depth = depth;
    if (toy.slow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, toy.slow);
    for (let i = 0; i < count; i++) {
      const node = this.#node(i);
      if (node === toy.trapAt) trap();
      if (node === toy.exitAt) process.exit(3);
      for (let op = 0; op < toy.degree; op++) {
        const next = successor(toy, node, op);
        this.#transitions++;
        if (next === node) continue;
        const mask = brokenMask(toy, next);
        if (mask !== 0 && !toy.late) {
          this.#broken.push({ program: this.#program(i, op), mask });
          continue;
        }
        prints.push(fingerprint(toy, next));
        this.#from.push([i, op]);
      }
    }
    this.#candidates += prints.length;
    return BigUint64Array.from(prints);
  }

  collect(fresh: Uint8Array): Uint8Array {
    const size = this.entrySize(this.#depth + 1);
    const packed = new Uint8Array(size * this.#from.length);
    let end = 0;
    for (const [k, [i, op]] of this.#from.entries()) {
      if (!fresh[k]) continue;
      const next = successor(this.#toy, this.#node(i), op);
      const mask = brokenMask(this.#toy, next);
      const program = this.#program(i, op);
      if (mask !== 0) {
        this.#broken.push({ program, mask });
        continue;
      }
      new DataView(packed.buffer).setUint32(end, next, true);
      if (!this.#toy.flat) packed.set(program, end + NODE_BYTES);
      end += size;
    }
    return packed.subarray(0, end);
  }

  counters() {
    return { transitions: this.#transitions, candidates: this.#candidates, exhausted: 0 };
  }

  takeViolations(): BrokenPath[] {
    const broken = this.#broken;
    this.#broken = [];
    return broken;
  }

  #node(i: number): number {
    return new DataView(this.#entries.buffer).getUint32(i * this.entrySize(this.#depth), true);
  }

  #program(i: number, op: number): Uint32Array {
    const size = this.entrySize(this.#depth);
    return Uint32Array.from([...this.#entries.subarray(i * size + NODE_BYTES, (i + 1) * size), op]);
  }
}

export function makeSubject(_spec: SubjectSpec, data: unknown): Subject {
  return new ToySubject(data as Toy);
}
