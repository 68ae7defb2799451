// A campaign as CI systems are told of it.
import { onlyJudged } from '../engine/differential.js';
import type { Finding } from '../findings/finding.js';
import { noticeOf } from '../report/notice.js';
import { printSpec } from '../text/id.js';
import type { CiReport } from './ci.js';
import { canaryText, type Outcome, quarantineText, unseenLines, verdictText, workText } from './fuzz-text.js';

/** Why silence about a promise is no proof; '' if it is as good as it gets. */
function untested({ result, findings, keepGoing }: Outcome): string {
  if (result.interrupted) return 'interrupted';
  if (!result.valid) return 'the canary was not found, so silence proves nothing';
  if (findings.length > 0 && !keepGoing) return 'the search ended with the first finding: --keep-going goes on';
  return '';
}

export function fuzzReport(outcome: Outcome): CiReport {
  const { engine, spec, seed, strategy, result, fresh, known, unseen } = outcome;
  const { programs, ops, faults, seconds, workers, digest, interrupted, valid } = result;
  const notice = (finding: Finding) => noticeOf(engine, finding);
  const kernel = printSpec(spec);
  const work = workText(outcome, kernel);
  const gone = unseenLines(unseen).map((line) => `Not seen any more: ${line}`);
  const run = {
    command: 'fuzz',
    kernel,
    ended: new Date(),
    seconds,
    invariants: engine.catalogue.invariants,
    fresh: fresh.map(notice),
    known: known.map(({ finding }) => notice(finding)),
    only: onlyJudged(spec),
    untested: untested(outcome),
    canary: { error: valid || interrupted ? '' : canaryText(result) },
    properties: { seed: seed.toString(), strategy, programs, ops, faults, workers, digest, interrupted },
    out: [work, verdictText(outcome), canaryText(result), ...gone],
    err: quarantineText(result),
  };
  const title = `breakcow fuzz on ${kernel}: ${verdictText(outcome)}`;
  return { run, headline: { title, lines: [work, canaryText(result), ...run.err, ...gone] } };
}
