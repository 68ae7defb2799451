// All programs of a small scope, the shortest first, on one thread: those that break one promise are given length by length.
import { breaks } from '../findings/trial.js';
import type { EngineSubject } from './engine-subject.js';
import { batches, type Edges, Numbering } from './graph.js';

/** Steps of a scope: single operations, then concurrent pairs, two words each. */
export interface Steps {
  readonly alphabet: Uint32Array;
  readonly pairs: Uint32Array;
}

/** All programs of one length in operations are tried. */
export interface Length {
  readonly operations: number;
  /** Those that break the promise with their last step; nothing is searched past a broken promise. */
  readonly broken: readonly Uint32Array[];
  /** Visited so far. */
  readonly states: number;
}

/** Packed entries of paths of `steps` steps. */
interface Chunk {
  readonly steps: number;
  readonly entries: Uint8Array;
  /** Fingerprints, two words each, of entries that are entered when they are due: a pair is two operations long. */
  readonly prints?: readonly number[];
}

function pushTo<T>(map: Map<number, T[]>, key: number, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** Op words of a path of step numbers, little-endian u16, and one step more. */
function programOf({ alphabet, pairs }: Steps, path: Uint8Array, last: number): Uint32Array {
  const view = new DataView(path.buffer, path.byteOffset, path.byteLength);
  const steps = [...Array.from({ length: path.length / 2 }, (_, i) => view.getUint16(2 * i, true)), last];
  return Uint32Array.from(
    steps.flatMap((step) => {
      if (step < alphabet.length) return [alphabet[step]!];
      const at = 2 * (step - alphabet.length);
      return [pairs[at]!, pairs[at + 1]!];
    }),
  );
}

class ByLength {
  readonly #subject: EngineSubject;
  readonly #twin: EngineSubject | undefined;
  readonly #steps: Steps;
  readonly #invariant: number;
  readonly #seen = new Numbering();
  readonly #due = new Map<number, Chunk[]>();
  readonly #broken = new Map<number, Uint32Array[]>();
  transitions = 0;

  constructor(subject: EngineSubject, twin: EngineSubject | undefined, steps: Steps, invariant: number) {
    this.#subject = subject;
    this.#twin = twin;
    this.#steps = steps;
    this.#invariant = invariant;
    const [low, high] = new Uint32Array(subject.rootFingerprints().buffer);
    this.#seen.number(low!, high!, true);
    pushTo(this.#due, 0, { steps: 0, entries: subject.roots().slice() });
  }

  get states(): number {
    return this.#seen.count;
  }

  /** Nothing of this length or longer is left. */
  get ended(): boolean {
    return this.#due.size === 0;
  }

  /** Expands the states that take `operations`; false if that takes more transitions than `most` in all. */
  expand(operations: number, most: number): boolean {
    const chunks = this.#due.get(operations) ?? [];
    this.#due.delete(operations);
    // Where a pair leads, single operations may have led meanwhile.
    const fresh = chunks.map((chunk) => this.#stillFresh(chunk));
    for (const { steps, entries } of fresh) {
      for (const [batch, count] of batches([entries], this.#subject.entrySize(steps), this.#subject.batch)) {
        const edges = this.#subject.edges(batch, count, steps);
        this.transitions += edges.count;
        if (this.transitions > most) return false;
        this.#follow(edges, batch, steps, operations);
      }
    }
    return true;
  }

  takeBroken(operations: number): readonly Uint32Array[] {
    const broken = this.#broken.get(operations) ?? [];
    this.#broken.delete(operations);
    return broken;
  }

  #follow(edges: Edges, batch: Uint8Array, steps: number, operations: number): void {
    const size = this.#subject.entrySize(steps);
    const singles = new Uint8Array(edges.count);
    const pairs = new Uint8Array(edges.count);
    const prints: number[] = [];
    for (let i = 0; i < edges.count; i++) {
      const origin = edges.origins[i]!;
      const step = origin & 0xffff;
      const pair = step >= this.#steps.alphabet.length;
      const at = (origin >>> 16) * size;
      const path = batch.subarray(at, at + 2 * steps);
      if (edges.broken[i]) {
        if (!breaks(edges.targets[2 * i]!, this.#invariant)) continue;
        pushTo(this.#broken, operations + (pair ? 2 : 1), programOf(this.#steps, path, step));
        continue;
      }
      const [low, high] = this.#print(edges.targets[2 * i]!, edges.targets[2 * i + 1]!, path, step);
      if (pair) {
        if (this.#seen.number(low, high, false) >= 0) continue;
        pairs[i] = 1;
        prints.push(low, high);
      } else {
        const known = this.#seen.count;
        if (this.#seen.number(low, high, true) === known) singles[i] = 1;
      }
    }
    const next = this.#subject.collect(singles);
    if (next.length > 0) pushTo(this.#due, operations + 1, { steps: steps + 1, entries: next.slice() });
    if (prints.length === 0) return;
    const later = this.#subject.collect(pairs).slice();
    pushTo(this.#due, operations + 2, { steps: steps + 1, entries: later, prints });
  }

  /** Of the states on both kernels, as one fingerprint. */
  #print(low: number, high: number, path: Uint8Array, step: number): [low: number, high: number] {
    if (!this.#twin) return [low, high];
    const whole = Uint8Array.of(...path, step & 0xff, step >>> 8);
    const other = this.#twin.locate(whole);
    const mixed = ((other ^ (other >> 29n)) * 0xbf58476d1ce4e5b9n) & 0xffff_ffff_ffff_ffffn;
    const [otherLow, otherHigh] = [Number(mixed & 0xffff_ffffn), Number(mixed >> 32n)];
    return [(low ^ otherHigh) >>> 0, (Math.imul(high, 0x9e3779b1) ^ otherLow) >>> 0];
  }

  #stillFresh({ steps, entries, prints }: Chunk): Chunk {
    if (!prints) return { steps, entries };
    const size = this.#subject.entrySize(steps);
    const kept: Uint8Array[] = [];
    for (let i = 0; 2 * i < prints.length; i++) {
      const known = this.#seen.count;
      if (this.#seen.number(prints[2 * i]!, prints[2 * i + 1]!, true) === known)
        kept.push(entries.subarray(i * size, (i + 1) * size));
    }
    return { steps, entries: new Uint8Array(Buffer.concat(kept)) };
  }
}

/**
 * Gives the programs of each length, from 1 up, until there are no longer ones: of those that lead to one state, and on the kernel
 * of `twin` to one state as well, a single one. So whether a program breaks the promise there too is not lost. Ends early, after
 * the last whole length, where `transitions` are used up: then it returns false, otherwise true.
 */
export function* byLength(
  subject: EngineSubject,
  twin: EngineSubject | undefined,
  steps: Steps,
  invariant: number,
  transitions: number,
): Generator<Length, boolean> {
  const search = new ByLength(subject, twin, steps, invariant);
  for (let operations = 0; !search.ended; operations++) {
    if (!search.expand(operations, transitions)) return false;
    yield { operations: operations + 1, broken: search.takeBroken(operations + 1), states: search.states };
  }
  return true;
}
