// One program on one kernel, run and explained: what every view of the page is made from.
import type { Engine } from '../engine/engine.js';
import { decodeOp, MM_NAMES } from '../engine/opword.js';
import type { KernelSpec, Violation } from '../engine/types.js';
import type { World } from '../engine/world.js';
import { type Flip, flipped } from '../findings/cures.js';
import { explain, type Step } from '../findings/explain.js';
import { type Diagnosis, diagnose } from '../findings/finding.js';
import { findOrigin, originText } from '../findings/lineage.js';
import { type TracedRun, traceRun } from '../findings/trace.js';
import { Trial } from '../findings/trial.js';
import { diagnosisJson, specJson } from '../report/json.js';
import { brokenPromise } from '../report/promise.js';
import { type KernelVerdict, kernelVerdicts, reportText, stepsText } from '../report/text.js';
import { printSpec } from '../text/id.js';
import { parseProgram } from '../text/parse.js';
import { type HandleName, handleNames, printItems, printOp, printProgram } from '../text/print.js';
import { type SectionCalls, sectionCalls } from './calls.js';

/** An operation of the program, or two at once, and the processes it belongs to. */
export interface Item {
  readonly text: string;
  /** Its operations one by one. */
  readonly ops: readonly string[];
  readonly first: number;
  /** Index of the process; undefined = of no process alone. */
  readonly lane?: number;
  /** Process that a fork makes. */
  readonly child?: number;
  readonly doc: string;
}

export interface Broken {
  readonly violation: Violation;
  readonly slug: string;
  readonly statement: string;
  readonly sentence: string;
}

export interface Session {
  readonly words: Uint32Array;
  readonly spec: KernelSpec;
  /** Canonical text. */
  readonly program: string;
  readonly items: readonly Item[];
  /** Processes that the program names. */
  readonly lanes: readonly number[];
  readonly run: TracedRun;
  /** One per step run; items beyond them are not reached. */
  readonly steps: readonly Step[];
  /** Of each step run that is a concurrent pair. */
  readonly sections: readonly (readonly SectionCalls[])[];
  /** Before the first step, and after each. */
  readonly worlds: readonly World[];
  readonly handle: HandleName;
  readonly broken?: Broken;
}

/** Runs the program. Throws UsageError for a program, kernel or knob that does not exist. */
export function startSession(engine: Engine, text: string, spec: KernelSpec): Session {
  const { catalogue } = engine;
  const vector = catalogue.vector(spec);
  const words = parseProgram(text, catalogue.ops);
  const run = traceRun(words, new Trial(engine, vector));
  const handle = handleNames(words, catalogue.ops);
  const items = printItems(words, catalogue.ops).map(({ text: op, first, count }): Item => {
    const fields = decodeOp(words[first]!);
    const info = catalogue.ops[fields.code]!;
    const forks = info.takesY === 'mm';
    return {
      text: op,
      ops: [...words.subarray(first, first + count)].map((word) => printOp(word, catalogue.ops, handle)),
      first,
      doc: info.doc,
      ...(info.takesMm && { lane: fields.mm }),
      ...(forks && { child: fields.y }),
    };
  });
  const named = new Set(items.flatMap(({ lane, child }) => [lane, child]));
  const violation = run.violations[0];
  return {
    words,
    spec,
    program: printProgram(words, catalogue.ops),
    items,
    lanes: MM_NAMES.map((_, mm) => mm).filter((mm) => named.has(mm)),
    run,
    steps: explain(run, words, catalogue, true),
    sections: run.steps.map(({ trace }) => sectionCalls(trace, catalogue)),
    worlds: [run.steps[0]!.before, ...run.steps.map(({ after }) => after)],
    handle,
    ...(violation && {
      broken: {
        violation,
        slug: catalogue.invariant(violation.invariant).slug,
        statement: catalogue.invariant(violation.invariant).statement,
        sentence: brokenPromise(violation, words, catalogue),
      },
    }),
  };
}

/** The same program with its best cure. */
export interface CuredRun {
  readonly flips: readonly Flip[];
  readonly run: TracedRun;
}

/** What takes many runs, and so comes after the first picture. */
export interface Analysis {
  readonly verdicts: readonly KernelVerdict[];
  readonly diagnosis?: Diagnosis;
  readonly origin?: string;
  readonly cured?: CuredRun;
}

export function analyse(engine: Engine, { words, spec, broken }: Session): Analysis {
  const verdicts = kernelVerdicts(engine, spec, words);
  const diagnosis = broken && diagnose(engine, spec, words, broken.violation.invariant);
  if (!diagnosis) return { verdicts };
  const [best] = diagnosis.cures;
  const vector = engine.catalogue.vector(spec);
  return {
    verdicts,
    diagnosis,
    origin: originText(findOrigin(engine, spec, words, diagnosis.violation.invariant)),
    ...(best && {
      cured: { flips: best.flips, run: traceRun(words, new Trial(engine, flipped(vector, best.flips))) },
    }),
  };
}

/** What `breakcow replay` prints. */
export function mailText(engine: Engine, session: Session): string {
  const { words, spec, run, broken } = session;
  const diagnosis = broken && diagnose(engine, spec, words, broken.violation.invariant);
  if (diagnosis) return reportText(engine, diagnosis);
  return [...stepsText(run, words, engine.catalogue), '', `Every promise is kept on ${printSpec(spec)}.`].join('\n');
}

/** As `breakcow replay --json`, without the id. */
export function jsonText(engine: Engine, session: Session): string {
  const { words, spec, program, steps, broken } = session;
  const diagnosis = broken && diagnose(engine, spec, words, broken.violation.invariant);
  const told = diagnosis ? diagnosisJson(engine, diagnosis) : { steps };
  return JSON.stringify(
    { ...specJson(spec), program, length: words.length, broken: diagnosis !== undefined, ...told },
    null,
    2,
  );
}

/** A kernel with a cure applied, as a person would write it. */
export function withFlips({ kernel, with: plus, without: minus }: KernelSpec, flips: readonly Flip[]): KernelSpec {
  const names = (on: boolean) => flips.filter((flip) => flip.on === on).map(({ knob }) => knob.name);
  const [on, off] = [names(true), names(false)];
  return {
    kernel,
    with: [...plus.filter((name) => !off.includes(name)), ...on.filter((name) => !minus.includes(name))],
    without: [...minus.filter((name) => !on.includes(name)), ...off.filter((name) => !plus.includes(name))],
  };
}
