// A finding in the pieces that CI systems show.
import type { Engine } from '../engine/engine.js';
import type { Diagnosis, Shortest } from '../findings/finding.js';
import { printSpec } from '../text/id.js';
import { printProgram } from '../text/print.js';
import { brokenPromise } from './promise.js';
import { replayCommand, reportText } from './text.js';

export interface Notice {
  readonly id: string;
  readonly slug: string;
  readonly kernel: string;
  /** What is broken, in one sentence. */
  readonly sentence: string;
  readonly program: string;
  /** A shell command in one line. */
  readonly replay: string;
  /** Everything, in 78 columns. */
  readonly report: string;
}

interface Explained {
  readonly id: string;
  readonly diagnosis: Diagnosis;
  readonly shortest?: Shortest;
}

export function noticeOf(engine: Engine, { id, diagnosis, shortest }: Explained): Notice {
  const { catalogue } = engine;
  const { spec, words, violation } = diagnosis;
  const program = printProgram(words, catalogue.ops);
  return {
    id,
    slug: catalogue.invariant(violation.invariant).slug,
    kernel: printSpec(spec),
    sentence: brokenPromise(violation, words, catalogue),
    program,
    replay: replayCommand(spec, program),
    report: reportText(engine, diagnosis, shortest),
  };
}
