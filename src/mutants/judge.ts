// One mutant on trial: programs known to reach far, programs drawn at random, all of a small scope, other kernels; and if
// no promise breaks, whether anything was different.
import type { KnobVector } from '../engine/catalogue.js';
import { EngineTrap } from '../engine/trap.js';
import { slugsOf } from '../score/hunt.js';
import { printProgram } from '../text/print.js';
import { type Bench, SHARD, type Specimen } from './bench.js';
import { smallCheck } from './check.js';
import type { Mutant, Outcome, Verdict } from './types.js';

/** Programs after the first that broke something: which other promises break. */
const AFTERWARDS = 1024;
const CHECK_FUEL = 2_000_000_000;

interface First {
  readonly outcome: Outcome;
  readonly mask: number;
  readonly words: Uint32Array;
  readonly kernel?: string;
}

/** What was noticed so far. */
class Trial {
  readonly #bench: Bench;
  readonly #mutant: Mutant;
  readonly #specimen: Specimen;
  #first: First | undefined;
  #all = 0;
  #programs = 0;
  #differs: { readonly words?: Uint32Array; readonly kernel?: string } | undefined;

  constructor(bench: Bench, mutant: Mutant) {
    this.#bench = bench;
    this.#mutant = mutant;
    this.#specimen = bench.specimen(mutant.id);
  }

  /** Every stage until one of them breaks a promise. Throws EngineTrap. */
  run(): void {
    this.#written();
    this.#fuzz();
    if (!this.#first) this.#check();
    if (this.#first || this.#mutant.family !== 'handler') return;
    for (const { name, vector } of this.#bench.setup.others) {
      this.#elsewhere(name, vector);
      if (this.#first) return;
    }
  }

  verdict(trap?: EngineTrap): Verdict {
    const { engine } = this.#specimen;
    const text = (words: Uint32Array) => printProgram(words, engine.catalogue.ops);
    const programs = this.#programs;
    if (this.#first) {
      const { outcome, mask, words, kernel } = this.#first;
      const invariants = slugsOf(engine, this.#all);
      const invariant = slugsOf(engine, mask)[0]!;
      return { outcome, invariant, invariants, program: text(words), programs, ...(kernel && { kernel }) };
    }
    if (trap) return { outcome: 'trap', invariants: [], programs, trap: trap.message };
    if (!this.#differs) return { outcome: 'survives', invariants: [], programs };
    const { words, kernel } = this.#differs;
    const where = { ...(words && { program: text(words) }), ...(kernel && { kernel }) };
    return { outcome: 'differs', invariants: [], programs, ...where };
  }

  #broke(first: First): void {
    this.#all |= first.mask;
    this.#first ??= first;
  }

  #written(): void {
    const { vector } = this.#mutant;
    const { programs, base } = this.#bench.setup;
    const right = this.#bench.ran(base);
    for (const [i, words] of programs.entries()) {
      const { mask, digest } = this.#specimen.run(vector, words);
      if (mask !== 0) this.#broke({ outcome: 'fuzz', mask, words });
      else if (digest !== right[i]!.digest) this.#differs ??= { words };
    }
  }

  #fuzz(): void {
    const { setup } = this.#bench;
    let done = 0;
    for (let shard = 0; done < (this.#first ? AFTERWARDS : setup.budget); shard++) {
      const size = Math.min(SHARD, setup.budget - done);
      const run = this.#specimen.shard(setup, this.#mutant.vector, shard, size);
      let next = run.next();
      for (; !next.done; next = run.next()) {
        const { mask, words, programs } = next.value;
        if (!this.#first) this.#programs = done + programs;
        this.#broke({ outcome: 'fuzz', mask, words });
        if (done + programs > AFTERWARDS) return;
      }
      if (!this.#first && next.value !== this.#bench.shardDigest(shard, size)) this.#differs ??= {};
      done += size;
    }
    if (!this.#first) this.#programs = done;
  }

  #check(): void {
    this.#specimen.fuel(CHECK_FUEL);
    const broken = smallCheck(this.#specimen.engine, this.#mutant.vector);
    if (broken) this.#broke({ outcome: 'check', ...broken });
  }

  /** On a kernel that may break promises itself: a program that breaks one only with the mutant, or else that differs. */
  #elsewhere(kernel: string, vector: KnobVector): void {
    const specimen = this.#bench.specimen(this.#mutant.id);
    const right = this.#bench.ran(vector);
    for (const [i, words] of this.#bench.setup.programs.entries()) {
      const { mask, digest } = specimen.run(vector, words);
      if (mask !== 0 && right[i]!.mask === 0) {
        this.#broke({ outcome: 'fuzz', mask, words, kernel });
        return;
      }
      if (digest !== right[i]!.digest) this.#differs ??= { words, kernel };
    }
    if (!this.#differs && specimen.digest(vector) !== this.#bench.digest(vector)) this.#differs = { kernel };
  }
}

export function judge(bench: Bench, mutant: Mutant): Verdict {
  const trial = new Trial(bench, mutant);
  try {
    trial.run();
  } catch (error) {
    if (error instanceof EngineTrap) return trial.verdict(error);
    throw error;
  }
  return trial.verdict();
}
