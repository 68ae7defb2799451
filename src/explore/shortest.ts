// From the broken paths of a search to findings: one for each invariant and cause, each provably shortest.
import type { Engine } from '../engine/engine.js';
import { canonical } from '../engine/optable.js';
import { decodeOp } from '../engine/opword.js';
import type { KernelSpec } from '../engine/types.js';
import { type Diagnosis, diagnose } from '../findings/finding.js';
import { isSameCause } from '../findings/same-cause.js';
import { breaks } from '../findings/trial.js';
import { programId } from '../text/id.js';
import { printProgram } from '../text/print.js';
import type { BrokenPath } from './types.js';

/** No shorter program of the searched scope breaks this promise. */
export interface ShortestFinding {
  /** Of the program on its kernel. */
  readonly id: string;
  readonly slug: string;
  readonly invariant: number;
  readonly program: string;
  /** Operations. */
  readonly length: number;
  /** Steps of the search: two operations at once are one. */
  readonly steps: number;
  readonly diagnosis: Diagnosis;
}

/** Paths of one invariant that are looked at: those of its level may have different causes. */
const MAX_PATHS = 64;

/** What may be said of a program of so many steps that a search found. */
export function shortestLabel(steps: number): string {
  return `shortest (exhaustive to length ${steps})`;
}

function invariantsOf(mask: number): number[] {
  return Array.from({ length: 32 }, (_, id) => id).filter((id) => breaks(mask, id));
}

/**
 * Findings in the order of their length, one per invariant and cause. Throws Error for a path that does not break its
 * promise when it is run: then search and engine disagree.
 */
export function shortestFindings(engine: Engine, spec: KernelSpec, paths: readonly BrokenPath[]): ShortestFinding[] {
  const found = new Map<number, Diagnosis[]>();
  const looked = new Map<number, number>();
  for (const { program, mask } of paths) {
    for (const invariant of invariantsOf(mask)) {
      const known = found.get(invariant) ?? [];
      const tries = looked.get(invariant) ?? 0;
      // A longer path adds nothing to what its own level had.
      if (tries === MAX_PATHS || (known[0] && stepsOf(program) > stepsOf(known[0].words))) continue;
      looked.set(invariant, tries + 1);
      const words = canonical(engine.catalogue.ops, program);
      const diagnosis = diagnose(engine, spec, words, invariant);
      if (!diagnosis)
        throw new Error(`a path of the search breaks nothing: ${printProgram(words, engine.catalogue.ops)}`);
      if (known.some((one) => isSameCause(engine, one, diagnosis))) continue;
      found.set(invariant, [...known, diagnosis]);
    }
  }
  return [...found.entries()]
    .flatMap(([invariant, diagnoses]) => diagnoses.map((diagnosis) => toFinding(engine, invariant, diagnosis)))
    .toSorted((a, b) => a.steps - b.steps || a.invariant - b.invariant);
}

function stepsOf(words: Uint32Array): number {
  return words.filter((word) => !decodeOp(word).pair).length;
}

function toFinding({ catalogue }: Engine, invariant: number, diagnosis: Diagnosis): ShortestFinding {
  const { words, spec } = diagnosis;
  return {
    id: programId(words, spec, catalogue.ops),
    slug: catalogue.invariant(invariant).slug,
    invariant,
    program: printProgram(words, catalogue.ops),
    length: words.length,
    steps: stepsOf(words),
    diagnosis,
  };
}
