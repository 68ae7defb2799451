// Is a counterexample the shortest of its kind? All shorter programs of its own scope are tried; what is found takes its place.
import { askedJudges } from '../engine/differential.js';
import { type Engine, loadEngine } from '../engine/engine.js';
import { flipped } from '../findings/cures.js';
import { type Diagnosis, diagnose, type Finding, renewFinding, type Shortest } from '../findings/finding.js';
import { showing } from '../findings/minimize.js';
import { weight } from '../findings/reductions.js';
import { cures, isSameCause } from '../findings/same-cause.js';
import { Trial } from '../findings/trial.js';
import { byLength } from './by-length.js';
import { EngineSubject } from './engine-subject.js';
import { MOST_WORDS, type OwnScope, ownScope } from './own-scope.js';

/** What a search may cost: counts, so that the same finding has the same answer on every machine. */
export interface Budget {
  readonly transitions: number;
  /** Programs that break the promise and are run to see whether it is the same flaw. */
  readonly candidates: number;
  /** Of those, the ones whose own cures are looked for. */
  readonly diagnoses: number;
}

/** A second or two. */
export const BUDGET: Budget = { transitions: 600_000, candidates: 4_000, diagnoses: 12 };

export interface Minimal {
  /** That asked for, or of a shorter program of the same cause. */
  readonly diagnosis: Diagnosis;
  readonly shortest: Shortest;
}

interface Spent {
  candidates: number;
  diagnoses: number;
}

/** Searches on instances of its own, made when they are needed: the trials of findings run on another. */
export class ShortestSearch {
  readonly #engine: Engine;
  readonly #budget: Budget;
  readonly #instances: Engine[] = [];

  constructor(engine: Engine, budget: Budget = BUDGET) {
    this.#engine = engine;
    this.#budget = budget;
  }

  /** The shortest program of the finding's own scope that breaks its promise by the same cause, as far as the budget goes. */
  of(diagnosis: Diagnosis): Minimal {
    const scope = ownScope(this.#engine.catalogue.ops, diagnosis.words);
    const none = { scope: scope.text, exhaustiveTo: 0, states: 0, proven: false };
    if (scope.alphabet.length + scope.pairs.length > MOST_WORDS) return { diagnosis, shortest: none };
    return diagnosis.words.length === 1
      ? { diagnosis, shortest: { ...none, proven: true } }
      : this.#search(diagnosis, scope);
  }

  /** The same for a finding: its id and text follow the program. What other judges found stays: a search has the plain ones. */
  finding(finding: Finding): Finding {
    if (askedJudges(finding.diagnosis.spec) !== undefined) return finding;
    const { diagnosis, shortest } = this.of(finding.diagnosis);
    return renewFinding(this.#engine.catalogue, finding, diagnosis, shortest);
  }

  #instance(number: number): Engine {
    const engine = this.#instances[number] ?? loadEngine();
    this.#instances[number] = engine;
    return engine;
  }

  #search(diagnosis: Diagnosis, scope: OwnScope): Minimal {
    const { catalogue } = this.#engine;
    const { invariant } = diagnosis.violation;
    const { alphabet, pairs, mms, pages } = scope;
    const vector = catalogue.vector(diagnosis.spec);
    const spec = { kind: 'engine', alphabet, pairs, mms, pages, symmetry: 'full' } as const;
    const [cure] = diagnosis.cures;
    const subject = new EngineSubject({ ...spec, vector }, this.#instance(0));
    // One flaw or another may lead to the same state; which one it was, the cured kernel remembers.
    const twin = cure && new EngineSubject({ ...spec, vector: flipped(vector, cure.flips) }, this.#instance(1));
    const spent: Spent = { candidates: 0, diagnoses: 0 };
    const tried = { scope: scope.text, exhaustiveTo: 0, states: 1 };
    const lengths = byLength(subject, twin, scope, invariant, this.#budget.transitions);
    for (;;) {
      const next = lengths.next();
      if (next.done) {
        // Where the scope has no more states, longer programs only repeat shorter ones.
        if (next.value) tried.exhaustiveTo = diagnosis.words.length - 1;
        return { diagnosis, shortest: { ...tried, proven: next.value } };
      }
      const { operations, broken, states } = next.value;
      tried.states = states;
      const better = this.#better(diagnosis, broken, spent);
      if (better === undefined) return { diagnosis, shortest: { ...tried, proven: false } };
      tried.exhaustiveTo = operations;
      if (better) return { diagnosis: better, shortest: { ...tried, proven: true } };
      if (operations === diagnosis.words.length - 1) return { diagnosis, shortest: { ...tried, proven: true } };
    }
  }

  /** The best of these programs if it shows the same flaw in fewer operations, null if none does, undefined: too many. */
  #better(diagnosis: Diagnosis, programs: readonly Uint32Array[], spent: Spent): Diagnosis | null | undefined {
    const engine = this.#engine;
    const { ops } = engine.catalogue;
    const { invariant } = diagnosis.violation;
    spent.candidates += programs.length;
    if (spent.candidates > this.#budget.candidates) return undefined;
    const candidates = programs
      .filter((words) => diagnosis.cures.length === 0 || cures(engine, diagnosis, words))
      .map((words) => this.#visible(words, diagnosis))
      .filter(({ length }) => length < diagnosis.words.length)
      .map((words) => ({ words, weight: weight(ops, words) }))
      .sort((a, b) => a.weight - b.weight);
    for (const { words } of candidates) {
      if (++spent.diagnoses > this.#budget.diagnoses) return undefined;
      const other = diagnose(engine, diagnosis.spec, words, invariant);
      if (other && isSameCause(engine, diagnosis, other)) return other;
    }
    return null;
  }

  /** The program, with the op that makes it show the broken promise itself. */
  #visible(words: Uint32Array, { spec, violation }: Diagnosis): Uint32Array {
    const trial = new Trial(this.#engine, this.#engine.catalogue.vector(spec));
    return showing(words, trial, violation.invariant) ?? words;
  }
}
