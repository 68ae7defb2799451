// The kernel's own COW, GUP and uffd-wp selftests as programs: run anywhere, told as a table `case x kernel`.
import type { OpInfo } from '../engine/optable.js';
import { judge, parseTrial, type Trial } from './facts.js';
import type { Backend } from './observed.js';
import type { SelftestCase } from './selftests-case.js';
import { COW_CASES } from './selftests-cow.js';
import { whyNot } from './selftests-needs.js';
import { UFFD_CASES } from './selftests-uffd.js';

export const SELFTESTS: readonly SelftestCase[] = [...COW_CASES, ...UFFD_CASES];

export interface CaseResult {
  readonly selftest: SelftestCase;
  readonly verdict: 'pass' | 'fail' | 'n.a.';
  /** Why not 'pass'. */
  readonly reason?: string;
}

/** What runSelftests says of one kernel. */
export interface Column {
  readonly release: string;
  readonly results: readonly CaseResult[];
}

const VERDICTS = { holds: 'pass', broken: 'fail', unknown: 'n.a.' } as const;

/** The program and facts of a case. */
export function trialOf(selftest: SelftestCase, ops: readonly OpInfo[]): Trial {
  return parseTrial(selftest.text, ops);
}

/** Runs the cases (default all) on `backend`; results in their order. Rejects as the backend does. */
export async function runSelftests(
  backend: Backend,
  ops: readonly OpInfo[],
  cases: readonly SelftestCase[] = SELFTESTS,
): Promise<CaseResult[]> {
  const results = new Map<SelftestCase, CaseResult>();
  for (const layout of ['pte', 'pmd'] as const) {
    const due: { selftest: SelftestCase; trial: Trial }[] = [];
    for (const selftest of cases.filter((one) => one.layout === layout)) {
      const trial = trialOf(selftest, ops);
      const reason = whyNot(backend, trial.words, layout, ops);
      if (reason === undefined) due.push({ selftest, trial });
      else results.set(selftest, { selftest, verdict: 'n.a.', reason });
    }
    const runs = await backend.run(
      due.map(({ trial }) => trial.words),
      layout,
    );
    for (const [i, { selftest, trial }] of due.entries()) {
      const { verdict, reason } = judge(trial, runs[i] ?? { ops: [], trouble: 'it was not run' });
      results.set(selftest, { selftest, verdict: VERDICTS[verdict], ...(reason !== undefined && { reason }) });
    }
  }
  return cases.map((selftest) => results.get(selftest)!);
}

/**
 * `case x kernel` as text, one row for all kinds of memory of a case: 6/9 = it passes on 6 of 9 kinds that apply. Then
 * what failed, and why cases do not apply. All columns have the same cases.
 */
export function formatSelftests(columns: readonly Column[]): string {
  const rows = new Map<string, number[]>();
  for (const [i, { selftest }] of (columns[0]?.results ?? []).entries()) {
    const key = `${selftest.group}\t${selftest.name}`;
    rows.set(key, [...(rows.get(key) ?? []), i]);
  }
  const names = [...rows.keys()].map((key) => key.split('\t')[1]!);
  const width = Math.max(...names.map((name) => name.length)) + 4;
  const cells = (values: readonly string[]) =>
    values.map((value, i) => value.padStart(Math.max(columns[i]!.release.length, 4))).join('  ');
  const lines = [`${''.padEnd(width)}${cells(columns.map(({ release }) => release))}`];
  let before = '';
  for (const [key, indices] of rows) {
    const [group, name] = key.split('\t') as [string, string];
    if (group !== before) lines.push(group);
    before = group;
    const marks = columns.map(({ results }) => mark(indices.map((i) => results[i]!.verdict)));
    lines.push(`  ${name.padEnd(width - 2)}${cells(marks)}`);
  }
  const legend = '4/9 = passes on 4 of the 9 kinds of memory that the case applies to: base, swapped, THP, ...';
  return [...lines, '', legend, ...columns.flatMap(details)].join('\n');
}

/** Of `all` kinds: named, or those that are not among them. */
function kindsText(kinds: readonly string[], all: readonly string[]): string {
  const others = all.filter((kind) => !kinds.includes(kind));
  if (others.length === 0 && all.length > 2) return `all ${all.length} kinds of memory`;
  return others.length > 0 && others.length <= 2 && kinds.length > 3
    ? `all but ${others.join(', ')}`
    : kinds.join(', ');
}

function mark(verdicts: readonly CaseResult['verdict'][]): string {
  const applicable = verdicts.filter((verdict) => verdict !== 'n.a.');
  const passed = applicable.filter((verdict) => verdict === 'pass').length;
  if (applicable.length === 0) return 'n.a.';
  if (passed === applicable.length) return 'pass';
  return passed === 0 ? 'fail' : `${passed}/${applicable.length}`;
}

function details({ release, results }: Column): string[] {
  const count = (verdict: CaseResult['verdict']) => results.filter((result) => result.verdict === verdict).length;
  const lines = [`${release}: ${count('pass')} pass, ${count('fail')} fail, ${count('n.a.')} not applicable`];
  const failed = new Map<string, { kinds: string[]; reason: string }>();
  const idle = new Map<string, number>();
  for (const { selftest, verdict, reason = '' } of results) {
    if (verdict === 'n.a.') idle.set(reason, (idle.get(reason) ?? 0) + 1);
    if (verdict !== 'fail') continue;
    const entry = failed.get(selftest.name) ?? { kinds: [], reason };
    entry.kinds.push(selftest.kind);
    failed.set(selftest.name, entry);
  }
  for (const [name, { kinds, reason }] of failed) {
    const all = results.filter(({ selftest, verdict }) => selftest.name === name && verdict !== 'n.a.');
    const where = kindsText(
      kinds,
      all.map(({ selftest }) => selftest.kind),
    );
    lines.push(`  ${name}: fails on ${where} (${reason})`);
  }
  for (const [reason, cases] of idle) lines.push(`  not applicable (${cases}): ${reason}`);
  return lines;
}
