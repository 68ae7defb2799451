// One mutant on trial: programs known to reach far, programs drawn at random, all of a small scope, other kernels; and if
// no promise breaks, whether anything was different.
import { type KnobVector, withKnob } from '../engine/catalogue.js';
import { EngineTrap } from '../engine/trap.js';
import { slugsOf } from '../score/hunt.js';
import { printProgram } from '../text/print.js';
import { type Bench, CHECK_FUEL, type Specimen, shardsOf, trialPrograms } from './bench.js';
import { smallCheck } from './check.js';
import type { KernelAnswers, Mutant, Outcome, Verdict } from './types.js';

/** Programs after the first that broke something: which other promises break. */
const AFTERWARDS = 512;

interface First {
  readonly outcome: Outcome;
  readonly mask: number;
  readonly words: Uint32Array;
  readonly kernel?: string;
}

interface Difference {
  readonly words?: Uint32Array;
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
  #differs: Difference | undefined;

  constructor(bench: Bench, mutant: Mutant) {
    this.#bench = bench;
    this.#mutant = mutant;
    this.#specimen = bench.specimen(mutant.id);
  }

  /** Every stage until one of them breaks a promise. Throws EngineTrap. */
  run(): void {
    const { base, answers } = this.#bench.setup;
    // What would never decide otherwise comes out the same, whatever is run.
    if (this.#decides(answers.own)) {
      this.#written();
      this.#fuzz();
      if (!this.#first) this.#check();
    }
    let elsewhere: Difference | undefined;
    for (const [i, { name, knob }] of base.trials.entries()) {
      if (this.#first) return;
      const right = answers.trials[i]!;
      if (!this.#decides(right)) continue;
      const differs = this.#tried(right, name, withKnob(this.#mutant.vector, knob, true), trialPrograms(base, knob));
      elsewhere ??= differs;
    }
    // What differs on the base is no decision of another era.
    if (this.#first || this.#differs) return;
    if (this.#mutant.family !== 'handler') {
      this.#differs = elsewhere;
      return;
    }
    for (const [i, { name, vector }] of base.others.entries()) {
      const right = answers.elsewhere[i]!;
      if (this.#decides(right)) this.#elsewhere(right, name, vector);
      if (this.#first) return;
    }
    this.#differs ??= elsewhere;
  }

  #decides({ marks }: KernelAnswers): boolean {
    return this.#mutant.id === 0 || marks[this.#mutant.id] !== 0;
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
    const { base, answers } = this.#bench.setup;
    for (const [i, words] of base.programs.entries()) {
      const { mask, digest } = this.#specimen.run(this.#mutant.vector, words);
      if (mask !== 0) this.#broke({ outcome: 'fuzz', mask, words });
      else if (digest !== answers.own.ran[i]!.digest) this.#differs ??= { words };
    }
  }

  #fuzz(): void {
    const { base, answers } = this.#bench.setup;
    let done = 0;
    for (const [shard, size] of shardsOf(base.budget).entries()) {
      if (this.#first && done >= AFTERWARDS) return;
      const run = this.#specimen.shard(base, this.#mutant.vector, shard, size);
      let next = run.next();
      for (; !next.done; next = run.next()) {
        const { mask, words, programs } = next.value;
        if (!this.#first) this.#programs = done + programs;
        this.#broke({ outcome: 'fuzz', mask, words });
        if (done + programs >= AFTERWARDS) return;
      }
      if (!this.#first && next.value !== answers.shards[shard]) this.#differs ??= {};
      done += size;
    }
    if (!this.#first) this.#programs = done;
  }

  #check(): void {
    this.#specimen.fuel(CHECK_FUEL);
    const broken = smallCheck(this.#specimen.engine, this.#mutant.vector);
    if (broken) this.#broke({ outcome: 'check', ...broken });
  }

  /** The base on another machine, or with more judges: what it breaks there itself does not count. */
  #tried(
    right: KernelAnswers,
    kernel: string,
    vector: KnobVector,
    programs: readonly Uint32Array[],
  ): Difference | undefined {
    let differs: Difference | undefined;
    for (const [i, words] of programs.entries()) {
      const { mask, digest } = this.#specimen.run(vector, words);
      const broken = mask & ~right.ran[i]!.mask;
      if (broken !== 0) {
        this.#broke({ outcome: 'fuzz', mask: broken, words, kernel });
        return undefined;
      }
      if (digest !== right.ran[i]!.digest) differs ??= { words, kernel };
    }
    return differs;
  }

  /** On a kernel that may break promises itself: a program that breaks one only with the mutant, or else that differs. */
  #elsewhere(right: KernelAnswers, kernel: string, vector: KnobVector): void {
    const specimen = this.#bench.specimen(this.#mutant.id);
    for (const [i, words] of this.#bench.setup.base.programs.entries()) {
      const { mask, digest } = specimen.run(vector, words);
      const { ran } = right;
      if (mask !== 0 && ran[i]!.mask === 0) {
        this.#broke({ outcome: 'fuzz', mask, words, kernel });
        return;
      }
      if (digest !== ran[i]!.digest) this.#differs ??= { words, kernel };
    }
    if (!this.#differs && specimen.digest(vector) !== right.digest) this.#differs = { kernel };
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
