// Branch coverage in words and as data.
import type { KernelSpec } from '../engine/types.js';
import { specJson } from '../report/json.js';
import { wrap } from '../report/layout.js';
import { type ScenarioReport, scenariosData, scenariosText } from '../scenarios/report.js';
import { printSpec } from '../text/id.js';
import { short } from '../text/numbers.js';
import type { CoverResult } from './run.js';
import { type CoverSummary, type FileShare, type Share, shortName } from './summary.js';

export interface Told {
  readonly spec: KernelSpec;
  readonly seed: bigint;
  readonly result: CoverResult;
  readonly summary: CoverSummary;
  readonly scenarios: ScenarioReport;
}

/** Rounded down: 100 % is all of them. */
export function percent({ taken, branches }: Share): string {
  return `${branches === 0 ? 100 : Math.floor((100 * taken) / branches)} %`;
}

function fileText({ name, functions, never, ...share }: FileShare): string[] {
  const told = functions
    .filter(({ taken, branches }) => taken < branches)
    .map((one) => `${one.name} ${one.taken}/${one.branches}`);
  const open = never.filter(({ knob }) => !knob);
  const kernels = never.length - open.length;
  return [
    '',
    `${name}  ${share.taken} of ${share.branches} branches, ${percent(share)}`,
    ...(told.length === 0 ? [] : wrap(told.join(', '), '  in part: ')),
    ...open.flatMap((branch) => wrap(branch.never, `  ${name.replace(/^.*\//, '')}:${branch.line} `, '      ')),
    ...(kernels === 0 ? [] : [`  and ${kernels} where a knob has one value on this kernel`]),
  ];
}

export function coverageText({ spec, seed, result, summary, scenarios }: Told): string {
  const { programs, ops, seconds } = result;
  return [
    ...wrap(
      `${printSpec(spec)}, seed ${seed}: ${summary.taken} of ${summary.branches} branches of assembly/mm (${percent(summary)}) in ${short(programs)} programs, ${short(ops)} operations, ${seconds.toFixed(1)} s.`,
    ),
    ...(result.interrupted ? ['Interrupted.'] : []),
    ...summary.files.flatMap(fileText),
    '',
    ...scenariosText(scenarios),
  ].join('\n');
}

export function coverageData({ spec, seed, result, summary, scenarios }: Told) {
  const { programs, ops, faults, seconds, interrupted, branches, taken } = result;
  return {
    ...specJson(spec),
    seed: seed.toString(),
    programs,
    ops,
    faults,
    seconds,
    interrupted,
    taken: summary.taken,
    total: summary.branches,
    files: summary.files.map(({ never, ...file }) => ({ ...file, never: never.map(({ id }) => id) })),
    scenarios: scenariosData(scenarios),
    branches: branches.map(({ file, ...branch }) => ({ file: shortName(file), ...branch, taken: taken[branch.id] })),
  };
}
