// A state of the small handler does not tell how it was reached. Broken promises are few and their depths small, so the way is
// searched for again, among states that differ by more than symmetry.
import type { SmallExports } from './small.js';

/** Symmetry 'full' of the module: frames, mms and pages. */
const FULL = 3;

interface Reached {
  /** With frames as the program leaves them. */
  readonly state: bigint;
  readonly program: readonly number[];
}

/** The shortest programs to states, and among those of one length the first in the order of ops. */
export class ShortestPrograms {
  readonly #wasm: Pick<SmallExports, 'apply' | 'broken' | 'canonical'>;
  readonly #ops: number;
  readonly #reached = new Map<bigint, Reached>([[0n, { state: 0n, program: [] }]]);
  #level: Reached[] = [{ state: 0n, program: [] }];

  /** @param ops number of ops */
  constructor(wasm: Pick<SmallExports, 'apply' | 'broken' | 'canonical'>, ops: number) {
    this.#wasm = wasm;
    this.#ops = ops;
  }

  /** The state that stands for all that equal this one up to symmetry. */
  classOf(state: bigint): bigint {
    return this.#wasm.canonical(state, FULL);
  }

  /** A program that ends with a step from a state of this class to one that breaks the promises of `mask`. */
  breaking(stateClass: bigint, mask: number): Uint32Array {
    const { state, program } = this.#reach(stateClass);
    for (let op = 0; op < this.#ops; op++) {
      if (this.#wasm.broken(this.#wasm.apply(state, op)) === mask) return Uint32Array.from([...program, op]);
    }
    throw new Error(`no op breaks ${mask} from ${stateClass.toString(16)}`);
  }

  #reach(stateClass: bigint): Reached {
    for (;;) {
      const reached = this.#reached.get(stateClass);
      if (reached) return reached;
      if (this.#level.length === 0) throw new Error(`${stateClass.toString(16)} cannot be reached`);
      this.#deepen();
    }
  }

  #deepen(): void {
    const next: Reached[] = [];
    for (const { state, program } of this.#level) {
      for (let op = 0; op < this.#ops; op++) {
        const after = this.#wasm.apply(state, op);
        const key = this.classOf(after);
        if (this.#reached.has(key) || this.#wasm.broken(after) !== 0) continue;
        const reached = { state: after, program: [...program, op] };
        this.#reached.set(key, reached);
        next.push(reached);
      }
    }
    this.#level = next;
  }
}
