// How a bug comes about: after each step of a counterexample, how far the violation is, and how likely a random program is to
// run into it.
import type { Catalogue } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import { printItems } from '../text/print.js';
import type { CheckResult } from './check.js';
import { type EngineSpec, EngineSubject } from './engine-subject.js';
import { BROKEN, buildGraph, type Graph, type GraphLimits, MOST, pause } from './graph.js';

/** Operations that a random program may still have. */
export const HORIZON = 32;

/** Before the first step (number 0), or after one. */
export interface Prospect {
  /** 0 = the start, 1 = after the first step. A concurrent pair is one step. */
  readonly step: number;
  /** The step as program text; '' for the start. */
  readonly text: string;
  /** Steps to the nearest violation of the promise; undefined: more than HORIZON. */
  readonly distance: number | undefined;
  /**
   * That a random program breaks the promise within HORIZON steps from here, each step drawn evenly among those of the scope that
   * apply; a program ends where it breaks another promise.
   */
  readonly probability: number;
}

export interface Prospects {
  readonly horizon: number;
  readonly steps: readonly Prospect[];
  /** The step, before the last one, by which the probability rose most; undefined for a path of one step. */
  readonly decisive: number | undefined;
}

/** Its last step breaks the promise. */
export interface BreakingProgram {
  readonly words: Uint32Array;
  readonly invariant: number;
}

/** For all states of a graph. */
export interface Odds {
  /** Steps to the nearest violation; 0 = more than there were sweeps. */
  readonly distance: Uint8Array;
  readonly probability: Float64Array;
}

/**
 * Distance and probability by value iteration backwards from the violations of each of `invariants`: after k sweeps a state's value
 * is the probability that k random steps meet one, so that it turns positive with the k that is the state's distance. Undefined if
 * interrupted.
 */
export async function oddsOf(
  graph: Graph,
  invariants: readonly number[],
  horizon = HORIZON,
  signal?: AbortSignal,
): Promise<ReadonlyMap<number, Odds> | undefined> {
  const { states } = graph;
  const n = invariants.length;
  const distance = new Uint8Array(n * states);
  let [now, before] = [new Float64Array(n * states), new Float64Array(n * states)];
  for (let k = 1; k <= horizon; k++) {
    if (await pause(signal)) return undefined;
    [now, before] = [before, now];
    sweep(graph, invariants, before, now);
    for (let i = 0; i < now.length; i++) if (now[i]! > 0 && distance[i] === 0) distance[i] = k;
  }
  const each = <T>(of: (place: number) => T) => Array.from({ length: states }, (_, s) => of(s));
  return new Map(
    invariants.map((invariant, j) => [
      invariant,
      {
        distance: Uint8Array.from(each((s) => distance[n * s + j]!)),
        probability: Float64Array.from(each((s) => now[n * s + j]!)),
      },
    ]),
  );
}

/** One step more: values of all invariants side by side, state by state. */
function sweep(
  { states, first, targets, loops }: Graph,
  invariants: readonly number[],
  before: Float64Array,
  now: Float64Array,
): void {
  const n = invariants.length;
  const sums = new Float64Array(n);
  for (let s = 0; s < states; s++) {
    const [from, to, own] = [first[s]!, first[s + 1]!, loops[s]!];
    for (let j = 0; j < n; j++) sums[j] = own * before[n * s + j]!;
    for (let i = from; i < to; i++) {
      const target = targets[i]!;
      if (target < BROKEN) for (let j = 0, at = n * target; j < n; j++) sums[j]! += before[at + j]!;
      else for (let j = 0; j < n; j++) sums[j]! += (target >>> invariants[j]!) & 1;
    }
    const all = to - from + own;
    for (let j = 0; j < n; j++) now[n * s + j] = all > 0 ? sums[j]! / all : 0;
  }
}

/** The step by which the probability rose most, the violation itself aside. */
export function decisiveStep(probabilities: readonly number[]): number | undefined {
  const rises = probabilities.slice(1, -1).map((value, i) => value - probabilities[i]!);
  return rises.length === 0 ? undefined : rises.indexOf(Math.max(...rises)) + 1;
}

/** Step numbers of a program in the alphabet; throws Error if one of them is not in it. */
function pathOf({ alphabet, pairs }: EngineSpec, words: Uint32Array, catalogue: Catalogue): Uint16Array {
  const steps: number[] = [];
  for (const { first, count } of printItems(words, catalogue.ops)) {
    const [one, two] = [words[first]!, words[first + 1]];
    let at = alphabet.indexOf(one);
    if (count === 2) {
      at = -1;
      for (let i = 0; i < pairs.length && at < 0; i += 2)
        if (pairs[i] === one && pairs[i + 1] === two) at = alphabet.length + i / 2;
    }
    if (at < 0) throw new Error('a step of the program is not in the scope');
    steps.push(at);
  }
  return Uint16Array.from(steps);
}

/** The graph of a scope that closed, and what it says of counterexamples. */
export class Inevitability {
  readonly #spec: EngineSpec;
  readonly #subject: EngineSubject;
  readonly #graph: Graph;
  readonly #signal: AbortSignal | undefined;

  private constructor(spec: EngineSpec, subject: EngineSubject, graph: Graph, signal: AbortSignal | undefined) {
    this.#spec = spec;
    this.#subject = subject;
    this.#graph = graph;
    this.#signal = signal;
  }

  /** Searches the scope once more, on this thread, on `engine` or an instance of its own; undefined: beyond `limits`, or interrupted. */
  static async of(
    spec: EngineSpec,
    limits: GraphLimits = MOST,
    signal?: AbortSignal,
    engine?: Engine,
  ): Promise<Inevitability | undefined> {
    const subject = new EngineSubject(spec, engine);
    const graph = await buildGraph(subject, limits, signal);
    return graph && new Inevitability(spec, subject, graph, signal);
  }

  get graph(): Graph {
    return this.#graph;
  }

  /**
   * The prospects of programs of the scope that break their promise with their last step; undefined if interrupted. Throws Error
   * for any other program.
   */
  async of({ catalogue }: Engine, programs: readonly BreakingProgram[]): Promise<readonly Prospects[] | undefined> {
    const invariants = [...new Set(programs.map(({ invariant }) => invariant))];
    const odds = await oddsOf(this.#graph, invariants, HORIZON, this.#signal);
    return odds && programs.map(({ words, invariant }) => this.#along(catalogue, words, odds.get(invariant)!));
  }

  #along(catalogue: Catalogue, words: Uint32Array, odds: Odds): Prospects {
    const path = pathOf(this.#spec, words, catalogue);
    const texts = printItems(words, catalogue.ops).map(({ text }) => text);
    const steps = [...path, 0].map((_, step): Prospect => {
      const text = step === 0 ? '' : texts[step - 1]!;
      if (step === path.length) return { step, text, distance: 0, probability: 1 };
      const state = this.#graph.stateOf(this.#subject.inspect(path.subarray(0, step)).fingerprint);
      if (state === undefined) throw new Error(`the graph has no state after step ${step}`);
      return { step, text, distance: odds.distance[state] || undefined, probability: odds.probability[state]! };
    });
    return { horizon: HORIZON, steps, decisive: decisiveStep(steps.map(({ probability }) => probability)) };
  }
}

/** What takes some ten seconds. */
export const QUICK: GraphLimits = { states: MOST.states, transitions: 20_000_000 };

/** The prospects of each finding, where the search closed within `limits`; undefined if it did not, or was interrupted. */
export async function prospectsOf(
  engine: Engine,
  { subject, result, findings }: CheckResult,
  limits: GraphLimits,
  signal?: AbortSignal,
): Promise<readonly Prospects[] | undefined> {
  const fits = result.states <= limits.states && result.transitions <= limits.transitions;
  if (result.ended !== 'closed' || !fits || findings.length === 0) return undefined;
  const inevitability = await Inevitability.of(subject, limits, signal);
  return inevitability?.of(
    engine,
    findings.map(({ invariant, diagnosis }) => ({ words: diagnosis.words, invariant })),
  );
}
