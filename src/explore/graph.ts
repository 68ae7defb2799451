// The graph of a scope that closes: every state, and every transition between them.
import { setImmediate } from 'node:timers/promises';

/** All transitions out of some entries. */
export interface Edges {
  readonly count: number;
  /** Two words each: the fingerprint of the next state, low half first; or the mask of the promises that broke, and 0. */
  readonly targets: Uint32Array;
  /** 1 = the transition broke a promise. */
  readonly broken: Uint8Array;
  /** Number of the entry << 16 | number of the step; ascending. */
  readonly origins: Uint32Array;
}

/** What a graph is made of; an `EngineSubject`, or a toy. */
export interface EdgeSource {
  /** Bytes of an entry of this depth. */
  entrySize(depth: number): number;
  /** The entry of depth 0. */
  roots(): Uint8Array;
  /** Its fingerprint. */
  rootFingerprints(): BigUint64Array;
  /** Entries that one call of `edges` takes at most. */
  readonly batch: number;
  edges(entries: Uint8Array, count: number, depth: number): Edges;
  /** Entries of depth + 1 of those transitions of the last call that are chosen, one byte each. */
  collect(chosen: Uint8Array): Uint8Array;
}

export interface GraphLimits {
  readonly states: number;
  readonly transitions: number;
}

/** What memory allows: 24 bytes a state, 4 a transition, and the frontier. */
export const MOST: GraphLimits = { states: 3_000_000, transitions: 120_000_000 };

/** In `targets`: the transition broke the promises of the low bits (bit = id). */
export const BROKEN = 0x8000_0000;

export interface Graph {
  /** State 0 is the root; numbers ascend with depth. */
  readonly states: number;
  readonly transitions: number;
  /** Transitions of state s to others are those from first[s] to first[s + 1]. */
  readonly first: Uint32Array;
  /** Number of a state, or BROKEN | mask; as many as there are steps that lead there. */
  readonly targets: Uint32Array;
  /** Transitions of each state to itself. */
  readonly loops: Uint32Array;
  /** Number of the state of this fingerprint. */
  stateOf(fingerprint: bigint): number | undefined;
}

/** Numbers of fingerprints, in the order of their first mention. */
export class Numbering {
  #slots = new Uint32Array(1 << 12);
  #prints = new Uint32Array(1 << 12);
  count = 0;

  /** The fingerprint's number; `count` before the call if it is new and `add`, -1 if it is new and not. */
  number(low: number, high: number, add: boolean): number {
    const mask = this.#slots.length - 1;
    let slot = high & mask;
    for (;;) {
      const found = this.#slots[slot]! - 1;
      if (found < 0) break;
      if (this.#prints[2 * found] === low && this.#prints[2 * found + 1] === high) return found;
      slot = (slot + 1) & mask;
    }
    if (!add) return -1;
    this.#prints = roomFor(this.#prints, 2 * this.count + 2);
    this.#prints[2 * this.count] = low;
    this.#prints[2 * this.count + 1] = high;
    this.#slots[slot] = ++this.count;
    if (2 * this.count > mask) this.#grow();
    return this.count - 1;
  }

  #grow(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let n = 0; n < this.count; n++) {
      let slot = this.#prints[2 * n + 1]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = n + 1;
    }
    this.#slots = slots;
  }
}

/** The array, or a larger copy that holds `needed` numbers. */
function roomFor(array: Uint32Array<ArrayBuffer>, needed: number): Uint32Array<ArrayBuffer> {
  if (needed <= array.length) return array;
  const larger = new Uint32Array(Math.max(needed, Math.ceil(1.5 * array.length)));
  larger.set(array);
  return larger;
}

/** Packed entries of one level, taken in batches. */
export function* batches(level: readonly Uint8Array[], size: number, most: number): Generator<[Uint8Array, number]> {
  for (const chunk of level) {
    for (let at = 0; at < chunk.length; at += size * most) {
      const entries = chunk.subarray(at, at + size * most);
      yield [entries, entries.length / size];
    }
  }
}

/** Milliseconds without a look at what else there is to do. */
const PATIENCE = 50;
let looked = 0;

/** Now and then lets a signal through; returns whether it came. */
export async function pause(signal: AbortSignal | undefined): Promise<boolean> {
  if (performance.now() - looked > PATIENCE) {
    await setImmediate();
    looked = performance.now();
  }
  return signal?.aborted === true;
}

const WORD = 0xffff_ffffn;

/**
 * The whole graph from the root; undefined if it is larger than `limits`, or interrupted. A state in which a promise
 * is broken is none of the graph: only the transition there is.
 */
export async function buildGraph(
  source: EdgeSource,
  limits: GraphLimits = MOST,
  signal?: AbortSignal,
): Promise<Graph | undefined> {
  const numbers = new Numbering();
  let first = new Uint32Array(1 << 12);
  let loops = new Uint32Array(1 << 12);
  let targets = new Uint32Array(1 << 16);
  let stored = 0;
  let states = 0;
  let transitions = 0;
  const [root] = source.rootFingerprints();
  numbers.number(Number(root! & WORD), Number(root! >> 32n), true);
  let level: Uint8Array[] = [source.roots().slice()];
  for (let depth = 0; level.length > 0; depth++) {
    const next: Uint8Array[] = [];
    for (const [entries, count] of batches(level, source.entrySize(depth), source.batch)) {
      if (await pause(signal)) return undefined;
      const edges = source.edges(entries, count, depth);
      if (transitions + edges.count > limits.transitions) return undefined;
      first = roomFor(first, states + count + 1);
      loops = roomFor(loops, states + count);
      targets = roomFor(targets, stored + edges.count);
      const chosen = new Uint8Array(edges.count);
      let entry = 0;
      for (let i = 0; i < edges.count; i++) {
        const from = edges.origins[i]! >>> 16;
        for (; entry <= from; entry++) first[states + entry] = stored;
        const [low, high] = [edges.targets[2 * i]!, edges.targets[2 * i + 1]!];
        const known = numbers.count;
        const to = edges.broken[i] ? (BROKEN | low) >>> 0 : numbers.number(low, high, true);
        if (to === known) chosen[i] = 1;
        if (to === states + from) loops[to]!++;
        else targets[stored++] = to;
      }
      for (; entry < count; entry++) first[states + entry] = stored;
      states += count;
      transitions += edges.count;
      if (numbers.count > limits.states) return undefined;
      const entriesThere = source.collect(chosen);
      if (entriesThere.length > 0) next.push(entriesThere.slice());
    }
    level = next;
  }
  first[states] = stored;
  return {
    states,
    transitions,
    first: first.subarray(0, states + 1),
    targets: targets.subarray(0, stored),
    loops: loops.subarray(0, states),
    stateOf: (print) => {
      const number = numbers.number(Number(print & WORD), Number(print >> 32n), false);
      return number < 0 ? undefined : number;
    },
  };
}
