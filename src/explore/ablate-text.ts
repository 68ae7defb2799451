// An ablation as a table of 100 columns, and as data.
import type { Catalogue } from '../engine/catalogue.js';
import type { KernelSpec } from '../engine/types.js';
import { type Cure, printFlips } from '../findings/cures.js';
import { beside, fold, foldProgram, TABLE_COLUMNS } from '../report/columns.js';
import { printSpec } from '../text/id.js';
import type { Ablation, AblationRow } from './ablate.js';
import { commonBounds } from './bounds.js';
import type { CheckResult } from './check.js';
import { scopeWords } from './scope.js';
import { type ShortestFinding, shortestLabel } from './shortest.js';
import type { ExploreResult } from './types.js';
import { boundText, diameterOf, outcomeOf, plural } from './verdict.js';

const LEFT = 34;
const RIGHT = TABLE_COLUMNS - LEFT;

function rows(left: string, right: readonly string[]): string[] {
  return beside([fold(left, LEFT - 2), right], [LEFT, RIGHT]);
}

/** `-copy.keeps_uffd_wp`: how the kernel is asked for without it. */
export function droppedName({ knob, on }: AblationRow): string {
  return `${on ? '-' : '+'}${knob.name}`;
}

/** `not needed up to depth 9: the same 1,116,740 states as with it (huge pages)` */
function notNeeded({ check: { result }, label, unused }: AblationRow): string {
  const where = result.ended === 'closed' ? 'anywhere' : `up to depth ${diameterOf(result)}`;
  const size = unused ? `the same ${plural(result.states, 'state')} as with it` : plural(result.states, 'state');
  return `not needed ${where}: ${size} (${label})`;
}

export function ablateHeader(spec: KernelSpec, base: string): string {
  const what = `${printSpec(spec)} against ${base}: what breaks without one of its knobs, and not with all of them`;
  return [...fold(what, TABLE_COLUMNS), '', ...rows('without', ['shortest program that breaks a promise'])].join('\n');
}

export function ablateRow(row: AblationRow): string {
  const { finding, instead } = row;
  const besides = instead.length > 0 ? `; with it ${instead.join(', ')}` : '';
  const right = finding
    ? [`${finding.slug}, ${shortestLabel(finding.steps)}${besides}`, ...foldProgram(finding.program, RIGHT)]
    : fold(notNeeded(row), RIGHT);
  return rows(droppedName(row), right).join('\n');
}

/** The most surgical ones say enough in a table; --json has all. */
const CURES_SHOWN = 3;

function curesOf(cures: readonly Cure[]): string {
  const faithful = cures.filter((cure) => cure.faithful);
  const names = (of: readonly Cure[]) =>
    of
      .slice(0, CURES_SHOWN)
      .map(({ flips }) => printFlips(flips))
      .join(', or ');
  if (faithful.length > 0) return `cured by ${names(faithful)}`;
  if (cures.length === 0) return 'cured by no set of up to three knobs';
  return `silenced, by refusing an operation, by ${names(cures)}`;
}

/** What several scopes found, one program for each promise and best cure, shortest first. */
export function leftFindings({ left }: Ablation): ShortestFinding[] {
  const all = left.flatMap(({ check }) => check.findings).toSorted((a, b) => a.length - b.length);
  const flaw = ({ slug, diagnosis }: ShortestFinding) => {
    const [best] = diagnosis.cures;
    return `${slug} ${best ? printFlips(best.flips) : diagnosis.cause.function}`;
  };
  return all.filter((finding, i) => all.findIndex((one) => flaw(one) === flaw(finding)) === i);
}

/** `up to depth 9, 3,023,182 states`, `to the end, 57,793 states` */
function searchedText(result: ExploreResult): string {
  const where = result.ended === 'closed' ? 'to the end' : `up to depth ${diameterOf(result)}`;
  return `${where}, ${plural(result.states, 'state')}`;
}

export function ablateTail(catalogue: Catalogue, ablation: Ablation): string {
  const { left } = ablation;
  const findings = leftFindings(ablation);
  const lines = findings.flatMap(({ slug, length, program, diagnosis: { cures } }) =>
    rows(`${slug}, ${plural(length, 'operation')}`, [
      ...foldProgram(program, RIGHT),
      ...fold(curesOf(cures), RIGHT, '  '),
    ]),
  );
  const bounds = left.flatMap(({ label, check: { result, bound } }) => {
    const text = `searched ${searchedText(result)}: ${scopeWords(bound.scope)}`;
    return fold(`${label}: ${text}`, TABLE_COLUMNS, '  ');
  });
  const all = left.map(({ check }) => check);
  const head = findings.length === 0 ? ['with all of them: nothing broken'] : rows('with all of them', ['']);
  return ['', ...head, ...lines, '', ...bounds, ...commonBounds(catalogue, all)].join('\n');
}

function checkData(catalogue: Catalogue, { bound, result }: CheckResult) {
  const { violations, ...rest } = result;
  return {
    scope: bound.scope,
    bound: boundText(catalogue, bound),
    outcome: outcomeOf(result),
    ...rest,
    brokenPaths: violations.length,
  };
}

function findingData({ slug, length, steps, program, diagnosis: { cures } }: ShortestFinding) {
  return {
    slug,
    length,
    program,
    label: shortestLabel(steps),
    cures: cures.map(({ flips, faithful }) => ({ flips: printFlips(flips), faithful })),
  };
}

/** What --json prints. */
export function ablateData(catalogue: Catalogue, ablation: Ablation) {
  const { spec, base, rows: all, left } = ablation;
  return {
    ...spec,
    base,
    rows: all.map((row) => ({
      dropped: droppedName(row),
      source: row.knob.source,
      doc: row.knob.doc,
      needed: row.finding !== undefined,
      ...(row.finding && { finding: findingData(row.finding), instead: row.instead }),
      unused: row.unused,
      search: checkData(catalogue, row.check),
    })),
    left: leftFindings(ablation).map(findingData),
    searches: left.map(({ label, check }) => ({ label, ...checkData(catalogue, check) })),
  };
}
