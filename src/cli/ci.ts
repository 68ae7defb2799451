// What a run leaves to the CI system that it runs in: a JUnit file, annotations, the summary of the step.
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import { annotation, type StepSummary, stepSummary } from '../report/annotations.js';
import { type JunitRun, junitXml } from '../report/junit.js';
import { complain, print } from './output.js';

export interface CiOptions {
  readonly junit?: string;
  readonly annotations?: 'github' | 'none';
  readonly json?: boolean;
}

/** Adds --junit and --annotations. */
export function withCi(command: Command): Command {
  return command
    .option('--junit <file>', 'write JUnit XML there: a test case for each promise')
    .addOption(
      new Option(
        '--annotations <kind>',
        'an annotation for each finding; github: also the summary of the step (default: github where GITHUB_ACTIONS=true)',
      ).choices(['github', 'none']),
    );
}

/** A hopeless --junit fails before the work, and no file of an earlier run survives this one. Throws UsageError. */
export function prepareCi({ junit }: CiOptions): void {
  if (junit === undefined) return;
  try {
    mkdirSync(dirname(junit), { recursive: true });
    rmSync(junit, { force: true });
  } catch (error) {
    throw new UsageError(`cannot write ${junit}: ${error instanceof Error ? error.message : error}`);
  }
}

/** What a run says of itself. */
export interface CiReport {
  readonly run: JunitRun;
  /** In a title and a few sentences. */
  readonly headline: Pick<StepSummary, 'title' | 'lines'>;
}

/** Tells the CI system, if there is one. With --json the annotations go to stderr, where they are read as well. */
export function tellCi({ junit, annotations, json }: CiOptions, make: () => CiReport): void {
  const github = annotations === undefined ? process.env.GITHUB_ACTIONS === 'true' : annotations === 'github';
  const summary = annotations === 'none' ? '' : (process.env.GITHUB_STEP_SUMMARY ?? '');
  if (junit === undefined && !github && summary === '') return;
  const { run, headline } = make();
  if (junit !== undefined) writeFileSync(junit, junitXml(run));
  if (github) for (const notice of run.fresh) (json ? complain : print)(annotation(notice));
  if (summary === '') return;
  try {
    appendFileSync(summary, `\n${stepSummary({ ...headline, fresh: run.fresh, known: run.known })}\n`);
  } catch (error) {
    complain(`breakcow: no summary of the step: ${error instanceof Error ? error.message : error}`);
  }
}
