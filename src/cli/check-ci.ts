// A search as CI systems are told of it.
import type { Engine } from '../engine/engine.js';
import type { CheckResult } from '../explore/check.js';
import { boundText, verdictText } from '../explore/verdict.js';
import { noticeOf } from '../report/notice.js';
import { printSpec } from '../text/id.js';
import type { CiReport } from './ci.js';

/** Why silence about a promise is no proof, not even within the bound; '' if it is one. */
const UNTESTED: Readonly<Partial<Record<CheckResult['result']['ended'], string>>> = {
  interrupted: 'interrupted',
  violated: 'the search ended when what --until looks for was found',
};

export function checkReport(engine: Engine, { bound, result, findings }: CheckResult): CiReport {
  const { catalogue } = engine;
  const { ended, seconds, states, transitions } = result;
  const kernel = printSpec(bound.spec);
  const verdict = `${verdictText(result, new Set(findings.map(({ invariant }) => invariant)).size)}.`;
  const within = `Bound: ${boundText(catalogue, bound)}.`;
  const run = {
    command: 'check',
    kernel,
    ended: new Date(),
    seconds,
    invariants: catalogue.invariants,
    fresh: findings.map((finding) => noticeOf(engine, finding)),
    known: [],
    untested: UNTESTED[ended] ?? '',
    properties: { ended, states, transitions },
    out: [verdict, within],
    err: [],
  };
  return { run, headline: { title: `breakcow check of ${kernel}: ${verdict}`, lines: [within] } };
}
