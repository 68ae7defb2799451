// Programs tried on kernels: the questions that minimizing and curing ask, each answered once.
import type { KnobVector } from '../engine/catalogue.js';
import type { Engine, Verdict } from '../engine/engine.js';
import { wordError } from '../engine/optable.js';
import { MAX_OPS } from '../engine/opword.js';

/** A verdict and what the program's ops returned. */
export interface Outcome {
  readonly verdict: Verdict;
  /** Result codes; 0xff = the run ended before the op. */
  readonly results: Uint8Array;
}

const SKIP = 2;
const REFUSED = 5;
const NOT_RUN = 0xff;
const MOST_KNOWN = 50_000;

/** Does the kernel of `outcome` refuse or skip an operation that `other` carries out? */
export function refuses(outcome: Outcome, other: Outcome): boolean {
  const no = (result: number | undefined) => result === SKIP || result === REFUSED;
  const ran = (result: number | undefined) => result !== undefined && result !== NOT_RUN;
  return outcome.results.some((result, i) => no(result) && ran(other.results[i]) && !no(other.results[i]));
}

/** Remembers answers of one kernel. The engine may be shared: every question configures it. */
export class Trial {
  readonly engine: Engine;
  readonly vector: KnobVector;
  readonly #masks = new Map<string, number>();

  constructor(engine: Engine, vector: KnobVector) {
    this.engine = engine;
    this.vector = vector;
  }

  /** The program runs to its first violation, or to its end and the final look at the whole world. */
  run(words: Uint32Array): Outcome {
    this.engine.configureVector(this.vector);
    const verdict = this.engine.run(words);
    return { verdict, results: this.engine.results(words.length) };
  }

  /** Mask of invariants that the program breaks; 0 also for what is no program. */
  mask(words: Uint32Array): number {
    return this.#ask(`run ${words.join()}`, words, () => this.engine.mask(words));
  }

  /** As `mask`, but only what an op of the program itself shows, not the final look. */
  shownMask(words: Uint32Array): number {
    return this.#ask(`steps ${words.join()}`, words, () => {
      this.engine.begin(words);
      for (let i = 0; i < words.length; ) {
        i += this.engine.step(i, words.length);
        const mask = this.engine.brokenSoFar();
        if (mask !== 0) return mask;
      }
      return 0;
    });
  }

  #ask(key: string, words: Uint32Array, answer: () => number): number {
    const known = this.#masks.get(key);
    if (known !== undefined) return known;
    const { ops } = this.engine.catalogue;
    const valid =
      words.length > 0 && words.length <= MAX_OPS && words.every((word) => wordError(ops, word) === undefined);
    if (valid) this.engine.configureVector(this.vector);
    const mask = valid ? answer() : 0;
    // A long campaign asks on and on; what is asked again is asked soon.
    if (this.#masks.size >= MOST_KNOWN) this.#masks.clear();
    this.#masks.set(key, mask);
    return mask;
  }
}

export function breaks(mask: number, invariant: number): boolean {
  return ((mask >>> invariant) & 1) !== 0;
}
