// Findings and runs as data: what --json prints and the findings directory keeps.
import type { Catalogue } from '../engine/catalogue.js';
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import type { Cure } from '../findings/cures.js';
import { explain, type Step } from '../findings/explain.js';
import type { Diagnosis, Finding, Shortest } from '../findings/finding.js';
import { findOrigin, type Origin } from '../findings/lineage.js';
import { brokenPromise } from './promise.js';
import { kernelVerdicts } from './text.js';

export interface CureJson {
  readonly with: readonly string[];
  readonly without: readonly string[];
  /** Commits or mails of the knobs. */
  readonly sources: readonly string[];
  /** false: it silences the program by refusing one of its operations. */
  readonly faithful: boolean;
}

/** A broken promise explained. */
export interface DiagnosisJson {
  /** Id in the notation of the bug corpus: I1..I19. */
  readonly invariant: string;
  readonly slug: string;
  /** The promise broken, in one sentence. */
  readonly promise: string;
  readonly violation: Diagnosis['violation'];
  readonly cause: Diagnosis['cause'];
  readonly cures: readonly CureJson[];
  /** Where the flaw came in. */
  readonly origin: Origin;
  readonly steps: readonly Step[];
  /** Slugs of what the program breaks on each kernel of the catalogue; empty = keeps its promises; absent = refuses an op. */
  readonly kernels: Readonly<Record<string, readonly string[]>>;
}

export interface FindingJson extends DiagnosisJson {
  readonly id: string;
  readonly kernel: string;
  readonly with: readonly string[];
  readonly without: readonly string[];
  readonly seed: string;
  readonly program: string;
  readonly minimized: string;
  /** Operations of the minimized program. */
  readonly length: number;
  readonly firstAt: Finding['firstAt'];
  /** What is known of shorter programs; absent while nobody looked. */
  readonly shortest?: Shortest;
}

function cureJson({ flips, faithful }: Cure): CureJson {
  return {
    with: flips.filter(({ on }) => on).map(({ knob }) => knob.name),
    without: flips.filter(({ on }) => !on).map(({ knob }) => knob.name),
    sources: flips.map(({ knob }) => knob.source),
    faithful,
  };
}

/** A kernel as three fields, knobs in order. */
export function specJson({ kernel, with: plus, without: minus }: KernelSpec): KernelSpec {
  return { kernel, with: [...plus].sort(), without: [...minus].sort() };
}

export function diagnosisJson(engine: Engine, { spec, words, run, violation, cause, cures }: Diagnosis): DiagnosisJson {
  const catalogue: Catalogue = engine.catalogue;
  return {
    invariant: `I${violation.invariant}`,
    slug: catalogue.invariant(violation.invariant).slug,
    promise: brokenPromise(violation, words, catalogue),
    violation,
    cause,
    cures: cures.map(cureJson),
    origin: findOrigin(engine, spec, words, violation.invariant),
    steps: explain(run, words, catalogue, true),
    kernels: Object.fromEntries(
      kernelVerdicts(engine, spec, words)
        .filter(({ refused }) => !refused)
        .map(({ kernel, slugs }) => [kernel, slugs]),
    ),
  };
}

export function findingJson(engine: Engine, finding: Finding): FindingJson {
  const { id, diagnosis, seed, program, minimized, firstAt, shortest } = finding;
  const { invariant, slug, ...rest } = diagnosisJson(engine, diagnosis);
  return {
    id,
    invariant,
    slug,
    ...specJson(diagnosis.spec),
    seed,
    program,
    minimized,
    length: diagnosis.words.length,
    firstAt,
    ...(shortest && { shortest }),
    ...rest,
  };
}
