// Raw findings of a campaign -> findings: minimized, one per cause.
import type { RawFinding } from '../campaign/types.js';
import type { Engine } from '../engine/engine.js';
import { canonical } from '../engine/optable.js';
import type { KernelSpec } from '../engine/types.js';
import { type Diagnosis, diagnose, type Finding, makeFinding, minimizeCauses } from './finding.js';
import { weight } from './reductions.js';
import { cures, isSameCause } from './same-cause.js';
import { breaks, Trial } from './trial.js';

/** One flaw has many shapes; after that many tries no shorter one is expected. */
const TRIES_PER_CAUSE = 6;

/** A finding of a cause not seen before, or a shorter one that takes the place of another. */
export interface News {
  readonly finding: Finding;
  readonly replaces?: Finding;
}

interface Known {
  finding: Finding;
  /** Raw findings minimized for this cause. */
  tries: number;
  /** As the fuzzer ran it. */
  words: Uint32Array;
}

/** A finding to go on from: plain data. */
export interface KnownState {
  readonly minimized: Uint32Array;
  readonly invariant: number;
  readonly words: Uint32Array;
  readonly firstAt: Finding['firstAt'];
  readonly tries: number;
}

/** Collects the findings of one campaign. Feed raw findings in their order: the outcome depends on it, on nothing else. */
export class FindingCollector {
  readonly #engine: Engine;
  readonly #spec: KernelSpec;
  readonly #seed: string;
  readonly #trial: Trial;
  readonly #known: Known[] = [];

  /** `known`: what another collector of the same kernel knew. Those that break nothing any more are left out. */
  constructor(engine: Engine, spec: KernelSpec, seed: string, known: readonly KnownState[] = []) {
    this.#engine = engine;
    this.#spec = spec;
    this.#seed = seed;
    this.#trial = new Trial(engine, engine.catalogue.vector(spec));
    for (const { minimized, invariant, words, firstAt, tries } of known) {
      const diagnosis = diagnose(engine, spec, minimized, invariant);
      if (!diagnosis) continue;
      this.#known.push({ finding: makeFinding(engine.catalogue, diagnosis, { words, seed, firstAt }), tries, words });
    }
  }

  /** Of each finding, in the order of `findings`. */
  get state(): readonly KnownState[] {
    return this.#known.map(({ finding, tries, words }) => ({
      minimized: finding.diagnosis.words,
      invariant: finding.diagnosis.violation.invariant,
      words,
      firstAt: finding.firstAt,
      tries,
    }));
  }

  /** In the order of their discovery. */
  get findings(): readonly Finding[] {
    return this.#known.map(({ finding }) => finding);
  }

  /** Takes in a raw finding. Returns what is new, or shorter than before. */
  add(raw: Omit<RawFinding, 'lane'>): News[] {
    const { ops } = this.#engine.catalogue;
    const words = canonical(ops, raw.words);
    const { invariant } = raw.violation;
    if (!breaks(this.#trial.mask(words), invariant)) throw new Error('a raw finding does not fail again');
    const reduced = raw.reduced ? canonical(ops, raw.reduced) : words;
    const start = breaks(this.#trial.mask(reduced), invariant) ? reduced : words;
    const obvious = this.#known.find((known) => this.#curedLike(known, start, invariant));
    if (obvious && obvious.tries >= TRIES_PER_CAUSE) return [];
    return minimizeCauses(start, this.#trial, invariant).flatMap((minimized) => {
      const diagnosis = diagnose(this.#engine, this.#spec, minimized, invariant);
      if (!diagnosis) throw new Error('a minimized program does not fail any more');
      return this.#enter(diagnosis, words, raw.firstAt);
    });
  }

  #enter(diagnosis: Diagnosis, words: Uint32Array, firstAt: Finding['firstAt']): News[] {
    const { catalogue } = this.#engine;
    const known = this.#known.find(({ finding }) => isSameCause(this.#engine, finding.diagnosis, diagnosis));
    const finding = makeFinding(catalogue, diagnosis, {
      words,
      seed: this.#seed,
      firstAt: known?.finding.firstAt ?? firstAt,
    });
    if (!known) {
      this.#known.push({ finding, tries: 1, words });
      return [{ finding }];
    }
    known.tries++;
    const replaces = known.finding;
    if (weight(catalogue.ops, diagnosis.words) >= weight(catalogue.ops, replaces.diagnosis.words)) return [];
    // "The same cause" is not transitive: in the place of one finding it must not become the twin of another.
    const same = (other: Known) => isSameCause(this.#engine, other.finding.diagnosis, diagnosis);
    if (this.#known.some((other) => other !== known && same(other))) return [];
    known.finding = finding;
    known.words = words;
    return [{ finding, replaces }];
  }

  /** Does the best cure of a known finding keep the invariant here too? */
  #curedLike({ finding }: Known, words: Uint32Array, invariant: number): boolean {
    if (finding.diagnosis.violation.invariant !== invariant) return false;
    return cures(this.#engine, finding.diagnosis, words);
  }
}
