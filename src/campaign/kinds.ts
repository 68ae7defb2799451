// Crude deduplication of failures: the same promise broken by the same set of ops is mostly the same cause.

import type { Failure } from '../engine/fuzzer.js';
import { decodeOp } from '../engine/opword.js';

/** Failures of one kind that are kept; beyond, only those shorter than all before. */
const PER_KIND = 2;
/** Failures of one invariant that are kept: a frequent one shall not crowd out the others. */
const PER_INVARIANT = 96;

interface Kind {
  count: number;
  shortest: number;
}

/** Shapes that are remembered: beyond, a shape may count a second time. */
const SHAPES_MAX = 65_536;

/** All of it, to go on from: plain data. */
export interface KindsState {
  readonly shapes: Uint32Array;
  readonly kinds: readonly (readonly [name: string, kind: Readonly<Kind>])[];
  readonly invariants: readonly (readonly [invariant: number, kept: number])[];
}

export class Kinds {
  readonly #shapes: Set<number>;
  readonly #kinds: Map<string, Kind>;
  readonly #invariants: Map<number, number>;

  constructor(from?: KindsState) {
    this.#shapes = new Set(from?.shapes);
    this.#kinds = new Map(from?.kinds.map(([name, kind]) => [name, { ...kind }]));
    this.#invariants = new Map(from?.invariants);
  }

  get state(): KindsState {
    return {
      shapes: Uint32Array.from(this.#shapes),
      kinds: [...this.#kinds].map(([name, kind]) => [name, { ...kind }]),
      invariants: [...this.#invariants],
    };
  }

  /** Is the failure worth keeping after those asked about before? */
  adds(failure: Failure): boolean {
    if (this.#shapes.has(failure.key)) return false;
    if (this.#shapes.size < SHAPES_MAX) this.#shapes.add(failure.key);
    const { length } = failure.reduced;
    const kind = this.#kind(failure);
    const { invariant } = failure.violation;
    const kept = this.#invariants.get(invariant) ?? 0;
    const keep = kept < PER_INVARIANT && (kind.count < PER_KIND || length < kind.shortest);
    if (keep) {
      kind.count++;
      this.#invariants.set(invariant, kept + 1);
    }
    kind.shortest = Math.min(kind.shortest, length);
    return keep;
  }

  #kind({ reduced, violation }: Failure): Kind {
    const ops = new Set(
      Array.from(reduced, (word) => {
        const { code, flags } = decodeOp(word);
        return `${code}.${flags}`;
      }),
    );
    const name = [violation.invariant, ...[...ops].sort()].join(' ');
    const kind = this.#kinds.get(name) ?? { count: 0, shortest: Number.POSITIVE_INFINITY };
    this.#kinds.set(name, kind);
    return kind;
  }
}
