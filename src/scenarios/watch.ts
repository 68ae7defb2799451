// Watches programs run, op by op, and tells how far each scenario came: from what ops returned, what could be seen and how
// the state changed, never from the text of a program.
import type { Engine } from '../engine/engine.js';
import { decodeObservation, type Observation } from '../engine/observation.js';
import { choiceOf } from '../engine/optable.js';
import { decodeOp, pagesOf, RESULT } from '../engine/opword.js';
import { type World, WorldReader } from '../engine/world.js';
import { printProgram } from '../text/print.js';
import type { Bound, Op, Scenario, Step } from './types.js';

/** What a scenario has of one program: milestones, one after the other. */
export type Heights = readonly number[];

export interface Reached {
  readonly name: string;
  readonly doc: string;
  readonly milestones: readonly string[];
  /** Programs that reached its end. */
  readonly programs: number;
  /** Milestones of the program that came nearest, and the shortest such program; undefined if none took the first. */
  readonly nearest: { readonly reached: number; readonly program: string } | undefined;
}

/** Beginnings of one scenario in one program that are followed at once. */
const MOST_THREADS = 48;

interface Thread {
  readonly height: number;
  readonly bound: Bound;
}

/** One scenario along one program. */
class Follower {
  readonly #scenario: Scenario;
  #threads: Thread[] = [];
  height = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  take(step: Step): void {
    const { stages, undone } = this.#scenario;
    if (this.height === stages.length) return;
    const alive = this.#threads.filter(({ bound }) => !undone?.(step, bound));
    const all = new Map(alive.map((thread) => [JSON.stringify(thread), thread]));
    // One step may do several things; what it undoes, it may have led on from.
    const open: Thread[] = [{ height: 0, bound: {} }, ...this.#threads];
    for (let thread = open.pop(); thread; thread = open.pop()) {
      const { height, bound } = thread;
      for (const more of stages[height]!.when(step, bound)) {
        const next = { height: height + 1, bound: { ...bound, ...more } };
        this.height = Math.max(this.height, next.height);
        if (this.height === stages.length) return;
        const key = JSON.stringify(next);
        if (all.size >= MOST_THREADS || all.has(key)) continue;
        all.set(key, next);
        open.push(next);
      }
    }
    this.#threads = [...all.values()];
  }
}

export class Watcher {
  readonly #engine: Engine;
  readonly #scenarios: readonly Scenario[];
  readonly #reader: WorldReader;
  readonly #empty: World;
  readonly #programs: number[];
  readonly #nearest: { reached: number; words: Uint32Array }[] = [];

  constructor(engine: Engine, scenarios: readonly Scenario[]) {
    this.#engine = engine;
    this.#scenarios = scenarios;
    this.#reader = new WorldReader(engine.catalogue);
    this.#programs = scenarios.map(() => 0);
    engine.begin(Uint32Array.of(0));
    this.#empty = this.#reader.world(engine.snapshot());
  }

  /** Runs a program of the configured kernel to its end or its first violation. Throws UsageError for an invalid one. */
  watch(words: Uint32Array): Heights {
    const followers = this.#scenarios.map((scenario) => new Follower(scenario));
    const ends = followers.map(() => 0);
    for (const { step, end } of this.#steps(words)) {
      for (const [i, follower] of followers.entries()) {
        const before = follower.height;
        follower.take(step);
        if (follower.height > before) ends[i] = end;
      }
    }
    for (const [i, { height }] of followers.entries()) this.#note(i, height, words.subarray(0, ends[i]));
    return followers.map(({ height }) => height);
  }

  *#steps(words: Uint32Array): Generator<{ readonly step: Step; readonly end: number }> {
    const engine = this.#engine;
    engine.begin(words);
    let before = this.#empty;
    for (let i = 0; i < words.length && engine.brokenSoFar() === 0; ) {
      const changed = engine.counter('pte_changed');
      const used = engine.step(i, words.length);
      const after = this.#reader.world(engine.snapshot());
      const ops = Array.from(words.subarray(i, i + used), (word, j) => this.#op(word, engine.result(i + j)));
      const seen = [...engine.observations()].flatMap(observed);
      i += used;
      yield { step: { ops, seen, before, after, raced: engine.counter('pte_changed') > changed }, end: i };
      before = after;
    }
  }

  #op(word: number, result: number): Op {
    const { code, mm, page, y, flags } = decodeOp(word);
    const info = this.#engine.catalogue.ops[code]!;
    return {
      name: info.name,
      mm: info.takesMm ? mm : -1,
      pages: info.pages ? pagesOf(page) : [],
      other: info.takesY === 'mm' ? y : -1,
      handle: info.takesY === 'handle' ? y : -1,
      words: info.groups.flatMap((group) => choiceOf(group, flags) || []),
      ok: result === RESULT.OK,
    };
  }

  #note(scenario: number, height: number, words: Uint32Array): void {
    if (height === this.#scenarios[scenario]!.stages.length) this.#programs[scenario]!++;
    if (height === 0) return;
    const best = this.#nearest[scenario];
    if (best && (best.reached > height || (best.reached === height && best.words.length <= words.length))) return;
    this.#nearest[scenario] = { reached: height, words: words.slice() };
  }

  report(): Reached[] {
    const { ops } = this.#engine.catalogue;
    return this.#scenarios.map(({ name, doc, stages }, i) => {
      const best = this.#nearest[i];
      return {
        name,
        doc,
        milestones: stages.map(({ milestone }) => milestone),
        programs: this.#programs[i]!,
        nearest: best && { reached: best.reached, program: printProgram(best.words, ops) },
      };
    });
  }
}

/** Kinds that this program does not know of are nobody's milestone. */
function observed(record: number): Observation[] {
  try {
    return [decodeObservation(record)];
  } catch {
    return [];
  }
}
