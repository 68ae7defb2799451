// breakcow export --run: the C test on a kernel; its KTAP is passed on, and its exit code is ours.
import { MissingError } from '../conform/build.js';
import { matchKernel, modelSpec } from '../conform/match.js';
import { ModelBackend } from '../conform/model.js';
import type { Ended } from '../conform/qemu/programs.js';
import { GuestError } from '../conform/qemu/tools.js';
import { cSources } from '../conform/reproducer-sources.js';
import type { Engine } from '../engine/engine.js';
import { type CTest, cTest, plan } from '../export/c.js';
import type { Exported } from '../export/exported.js';
import { predict, visible } from '../export/predict.js';
import { runTests, TEST_EXIT } from '../export/run.js';
import { complain, EXIT } from './output.js';
import { statusLine } from './progress.js';

/** What came of it, as data. */
export interface RunData {
  readonly on: string;
  /** uname -r; undefined where no kernel could run it. */
  readonly release?: string;
  readonly verdict: 'kept' | 'broken' | 'skipped';
  readonly reason?: string;
  /** What the model of that release expects. */
  readonly model?: { readonly kernel: string; readonly verdict: string };
  readonly ktap: string;
}

const VERDICTS = new Map<number, RunData['verdict']>([
  [TEST_EXIT.KEPT, 'kept'],
  [TEST_EXIT.BROKEN, 'broken'],
  [TEST_EXIT.SKIPPED, 'skipped'],
]);
const CODES = { kept: EXIT.CLEAN, broken: EXIT.BROKEN, skipped: EXIT.SKIPPED } as const;
const SAID = { kept: 'keeps every promise', broken: 'breaks a promise', skipped: 'cannot try it' } as const;

/** Runs it and sets the exit code. Undefined if the machine lacks something, which is told. */
export async function runExported(engine: Engine, program: Exported, place: string): Promise<RunData | undefined> {
  const test = cTest(engine, program, cSources());
  if (test.skips !== undefined) {
    process.exitCode = EXIT.SKIPPED;
    const ktap = `KTAP version 1\n1..0 # SKIP ${test.skips}\n`;
    return { on: place, verdict: 'skipped', reason: test.skips, ktap };
  }
  const run = await attempt(test, place);
  if (run === undefined) {
    process.exitCode = EXIT.INTERNAL;
    return undefined;
  }
  const { release, status, stdout } = run;
  const verdict = VERDICTS.get(status);
  if (verdict === undefined) throw new Error(`the test ended with exit code ${status} on ${release}:\n${stdout}`);
  process.exitCode = CODES[verdict];
  const reason = verdict === 'skipped' ? / # SKIP (.*)$/m.exec(stdout)?.[1] : undefined;
  const model = expectation(engine, program, release);
  return {
    on: place,
    release,
    verdict,
    ...(reason !== undefined && { reason }),
    ...(model && { model }),
    ktap: stdout,
  };
}

/** Tells what came of it; the KTAP is already out. */
export function tellRun({ on, release, verdict, reason, model }: RunData): void {
  const where = release === undefined ? 'no kernel' : `${release} (${on})`;
  const what = release === undefined ? 'can try it' : SAID[verdict];
  const why = reason === undefined ? '' : `: ${reason}`;
  const agrees = model?.verdict === verdict;
  const says =
    model &&
    (agrees ? `its model, ${model.kernel}, says the same` : `its model, ${model.kernel}, says ${model.verdict}`);
  complain(`breakcow: ${where} ${what}${why}${model ? `; ${says}` : ''}`);
}

async function attempt(test: CTest, place: string): Promise<(Ended & { readonly release: string }) | undefined> {
  try {
    const { release, ended } = await runTests([test], place, statusLine);
    return { release, ...ended[0]! };
  } catch (error) {
    if (!(error instanceof MissingError || error instanceof GuestError)) throw error;
    statusLine('');
    complain(`breakcow: ${error.message}`);
    return undefined;
  } finally {
    statusLine('');
  }
}

function expectation(engine: Engine, program: Exported, release: string): RunData['model'] {
  const { kernel } = matchKernel(release, engine.catalogue);
  const model = new ModelBackend(modelSpec(kernel, engine.catalogue));
  const { verdict } = predict(plan(engine, program), model, visible(engine.catalogue, kernel));
  return { kernel, verdict };
}
