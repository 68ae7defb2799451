// The comparison at work: batches of programs on both sides, differences confirmed, made small and put together.
import { setImmediate } from 'node:timers/promises';
import type { Engine } from '../engine/engine.js';
import { type Comparison, type Difference, kindOf } from './compare.js';
import { Expresser } from './express.js';
import { ProgramGenerator } from './generate.js';
import type { ModelBackend } from './model.js';
import type { Backend, PageLayout, Run } from './observed.js';
import type { OpenTable } from './open.js';
import { shrink } from './shrink.js';

export interface HuntOptions {
  readonly engine: Engine;
  readonly model: ModelBackend;
  readonly kernel: Backend;
  readonly open: OpenTable;
  readonly layout: PageLayout;
  readonly seed: bigint;
  /** Ops per program. */
  readonly ops: number;
  /** Whichever comes first. */
  readonly programs: number;
  readonly timeMs: number;
  /** Go on after a difference; those of one kind count as one. */
  readonly keepGoing: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (tally: Tally) => void;
  readonly onFinding?: (finding: ConformFinding) => void;
}

/** What was compared so far. */
export interface Tally {
  readonly layout: PageLayout;
  readonly programs: number;
  readonly ops: number;
  /** Pairs of page table entries that changed and were compared. */
  readonly cells: number;
  readonly seconds: number;
  /** 0 .. 1, of the budget. */
  readonly fraction: number;
  readonly findings: number;
  readonly noise: number;
}

/** A difference that came again each time, with the smallest program that shows it. */
export interface ConformFinding {
  readonly layout: PageLayout;
  readonly kind: string;
  readonly difference: Difference;
  readonly words: Uint32Array;
  readonly found: Uint32Array;
  /** Index of the program that showed it first. */
  readonly index: number;
  readonly model: Run;
  readonly kernel: Run;
  /** Programs that showed a difference of this kind. */
  count: number;
}

/** A difference that did not come again: the kernel's own luck, not a difference in its rules. */
export interface Noise {
  readonly words: Uint32Array;
  readonly difference: Difference;
}

export interface HuntResult extends Tally {
  readonly found: readonly ConformFinding[];
  readonly noises: readonly Noise[];
  readonly interrupted: boolean;
}

const BATCH = 64;
/** Batches on their way while one is compared. */
const DEPTH = 3;
/** A difference counts if it comes again so many times. */
const CONFIRM = 2;
const SHRINK_BUDGET = 6000;
/** Other kinds than the known ones are as likely consequences of these. */
const MAX_KINDS = 64;

interface Batch {
  readonly first: number;
  readonly programs: readonly Uint32Array[];
  readonly runs: Promise<readonly Run[]>;
}

/** Compares until the budget is spent, the signal comes, or the first difference. */
export async function hunt(options: HuntOptions): Promise<HuntResult> {
  return new Hunt(options).run();
}

class Hunt {
  readonly #options: HuntOptions;
  readonly #generator: ProgramGenerator;
  readonly #comparison: Comparison;
  /** For programs that are run again: they do not count. */
  readonly #retrial: Comparison;
  readonly #expresser: Expresser;
  readonly #findings = new Map<string, ConformFinding>();
  readonly #noises: Noise[] = [];
  readonly #start = performance.now();
  #programs = 0;

  constructor(options: HuntOptions) {
    this.#options = options;
    const { engine, model, kernel, layout, seed, ops, open } = options;
    this.#generator = new ProgramGenerator(engine, { spec: model.spec, seed, layout, can: kernel.can, ops });
    const { ops: table } = engine.catalogue;
    this.#comparison = open.comparison(table, layout);
    this.#retrial = open.comparison(table, layout, false);
    this.#expresser = new Expresser(engine, kernel.can, layout);
  }

  async run(): Promise<HuntResult> {
    const { programs, timeMs, signal, keepGoing, onProgress } = this.#options;
    const ahead: Batch[] = [];
    let next = 0;
    let stopped = false;
    while (true) {
      const late = performance.now() - this.#start >= timeMs;
      while (!stopped && !late && !signal?.aborted && next < programs && ahead.length < DEPTH) {
        const count = Math.min(BATCH, programs - next);
        ahead.push(this.#launch(next, count));
        next += count;
      }
      const batch = ahead.shift();
      if (!batch) break;
      const runs = await batch.runs;
      if (stopped) continue;
      await this.#compare(batch, runs);
      stopped = this.#findings.size > 0 && !keepGoing;
      onProgress?.(this.#tally());
      // A model answers at once: without this, nobody else has a turn, and Ctrl-C is not heard.
      await setImmediate();
    }
    return {
      ...this.#tally(),
      found: [...this.#findings.values()],
      noises: this.#noises,
      interrupted: signal?.aborted === true,
    };
  }

  #launch(first: number, count: number): Batch {
    const programs = this.#generator.programs(first, count);
    const runs = this.#options.kernel.run(programs, this.#options.layout);
    // Awaited in its turn; until then a failure is nobody's.
    runs.catch(() => {});
    return { first, programs, runs };
  }

  async #compare({ first, programs }: Batch, runs: readonly Run[]): Promise<void> {
    const models = this.#options.model.runSync(programs);
    for (const [i, words] of programs.entries()) {
      this.#programs++;
      const difference = this.#comparison.first(words, models[i]!, runs[i]!);
      if (!difference) continue;
      await this.#takeIn(words, first + i, difference);
      if (this.#findings.size > 0 && !this.#options.keepGoing) return;
    }
  }

  async #takeIn(words: Uint32Array, index: number, difference: Difference): Promise<void> {
    const kind = kindOf(difference);
    const known = this.#findings.get(kind);
    if (known) {
      known.count++;
      return;
    }
    if (!(await this.#again(words, kind))) {
      this.#noises.push({ words, difference });
      return;
    }
    if (this.#findings.size >= MAX_KINDS) return;
    const { engine, layout, model, kernel, onFinding } = this.#options;
    const shrunk = await shrink(words, {
      ops: engine.catalogue.ops,
      express: (candidate) => this.express(candidate),
      test: async (candidates) => (await this.#kinds(candidates)).map((other) => other === kind),
      budget: SHRINK_BUDGET,
    });
    // Where luck is in it, one of thousands of candidates had it; the program as it was found has it each time.
    const smallest = (await this.#again(shrunk, kind)) ? shrunk : words;
    const [mine] = model.runSync([smallest]);
    const [theirs] = await kernel.run([smallest], layout);
    const shown = this.#retrial.first(smallest, mine!, theirs!) ?? difference;
    const finding: ConformFinding = {
      layout,
      kind,
      difference: shown,
      words: smallest,
      found: words,
      index,
      model: mine!,
      kernel: theirs!,
      count: 1,
    };
    this.#findings.set(kind, finding);
    onFinding?.(finding);
  }

  /** Does the program differ in that way each time it is run again? */
  async #again(words: Uint32Array, kind: string): Promise<boolean> {
    const kinds = await this.#kinds(Array.from({ length: CONFIRM }, () => words));
    return kinds.every((other) => other === kind);
  }

  express(words: Uint32Array): Uint32Array {
    const { engine, model } = this.#options;
    engine.configure(model.spec);
    return this.#expresser.program(words);
  }

  /** Kind of the first difference of each program, run anew on both sides. */
  async #kinds(programs: readonly Uint32Array[]): Promise<(string | undefined)[]> {
    const { model, kernel, layout } = this.#options;
    const runs = await kernel.run(programs, layout);
    const models = model.runSync(programs);
    return programs.map((words, i) => {
      const difference = this.#retrial.first(words, models[i]!, runs[i]!);
      return difference && kindOf(difference);
    });
  }

  #tally(): Tally {
    const seconds = (performance.now() - this.#start) / 1000;
    const { programs, timeMs, layout } = this.#options;
    return {
      layout,
      programs: this.#programs,
      ops: this.#comparison.ops,
      cells: this.#comparison.cells,
      seconds,
      fraction: Math.min(1, Math.max(this.#programs / programs, (1000 * seconds) / timeMs)),
      findings: this.#findings.size,
      noise: this.#noises.length,
    };
  }
}
