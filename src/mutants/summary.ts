// What the verdicts on all mutants come to: by file, by promise, and who is left.
import type { InvariantInfo } from '../engine/catalogue.js';
import type { Judged, Outcome } from './types.js';

export type Counts = Readonly<Record<Outcome, number>> & {
  readonly mutants: number;
  /** Of the survivors: those with a reason. */
  readonly explained: number;
  /** Noticed by judges or traps, of all that anybody could notice; 1 if there are none. */
  readonly judged: number;
  /** The same with those that only the comparison notices. */
  readonly noticed: number;
};

export interface Row extends Counts {
  readonly name: string;
}

export interface InvariantRow {
  readonly slug: string;
  /** Mutants of which it broke first. */
  readonly first: number;
  /** Mutants that broke it at all. */
  readonly all: number;
  /** Mutants that broke nothing else. */
  readonly only: number;
}

export interface Summary {
  readonly files: readonly Row[];
  readonly total: Counts;
  /** Every promise of the module, kept or not. */
  readonly invariants: readonly InvariantRow[];
  /** Survivors, those without a reason first. */
  readonly survivors: readonly Judged[];
}

function countsOf(judged: readonly Judged[]): Counts {
  const count = (outcome: Outcome) => judged.filter((one) => one.outcome === outcome).length;
  const [fuzz, check, trap] = [count('fuzz'), count('check'), count('trap')];
  const [differs, survives] = [count('differs'), count('survives')];
  const explained = judged.filter(({ reason }) => reason !== undefined).length;
  const mutants = judged.length;
  const share = (n: number) => (mutants === explained ? 1 : n / (mutants - explained));
  const [found, noticed] = [fuzz + check + trap, fuzz + check + trap + differs];
  return { mutants, fuzz, check, trap, differs, survives, explained, judged: share(found), noticed: share(noticed) };
}

export function summarize(judged: readonly Judged[], invariants: readonly InvariantInfo[]): Summary {
  const files = [...new Set(judged.map(({ mutant }) => mutant.file))].sort();
  const survivors = judged.filter(({ outcome }) => outcome === 'survives');
  return {
    files: files.map((name) => ({ name, ...countsOf(judged.filter(({ mutant }) => mutant.file === name)) })),
    total: countsOf(judged),
    invariants: invariants.map(({ slug }) => ({
      slug,
      first: judged.filter(({ invariant }) => invariant === slug).length,
      all: judged.filter(({ invariants: broken }) => broken.includes(slug)).length,
      only: judged.filter(({ invariants: broken }) => broken.length === 1 && broken[0] === slug).length,
    })),
    survivors: [...survivors.filter(({ reason }) => !reason), ...survivors.filter(({ reason }) => reason)],
  };
}
