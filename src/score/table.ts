// The score as a table of at most 110 columns; rows can be printed as they come.
import type { FuzzStrategy } from '../engine/fuzzer.js';
import type { ScoreResult, ScoreRow } from './index.js';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: boolean;
  readonly cell: (row: ScoreRow) => string;
}

const KERNEL_WIDTH = 47;

/** A kernel that is too long loses its knobs' names, not its own: `break-cow-v2 and 2 knobs`. */
function kernelCell({ kernel }: ScoreRow): string {
  if (kernel.length <= KERNEL_WIDTH) return kernel;
  const [name, ...knobs] = kernel.split(' ');
  return `${name} and ${knobs.length} knobs`;
}

const COLUMNS: readonly Column[] = [
  { title: 'entry', width: 6, cell: ({ id }) => id },
  { title: 'kernel', width: KERNEL_WIDTH, cell: kernelCell },
  { title: 'broken promise', width: 18, cell: ({ slug }) => slug },
  { title: 'found', width: 5, right: true, cell: ({ found, seeds }) => `${found}/${seeds}` },
  { title: 'faults', width: 7, right: true, cell: ({ faults }) => (faults === null ? '-' : String(faults)) },
  {
    title: 'ops',
    width: 5,
    right: true,
    cell: ({ minimized, corpusLength }) => `${minimized?.length ?? '-'}/${corpusLength}`,
  },
  { title: 'twin', width: 6, cell: ({ twin }) => (twin.alarms.length === 0 ? 'silent' : 'ALARM') },
];

function againstCell({ against }: ScoreRow): string {
  return against ? `${(against.faults / against.own).toFixed(against.faults / against.own < 10 ? 1 : 0)} x` : '';
}

function line(cell: (column: Column) => string, last = ''): string {
  const cells = COLUMNS.map((column) =>
    column.right ? cell(column).padStart(column.width) : cell(column).padEnd(column.width),
  );
  return [...cells, last.padStart(8)].join('  ').trimEnd();
}

/** `against`: the other strategy, whose faults stand in the last column as a multiple of the own ones. */
export function formatHeader(against?: FuzzStrategy): string {
  return line(({ title }) => title, against);
}

export function formatRow(row: ScoreRow): string {
  return line(({ cell }) => cell(row), againstCell(row));
}

/** What did not go well, each with its program, and the sum of it all. */
export function formatTail({ rows, factor, seconds }: ScoreResult): string {
  const complaints = rows.flatMap(({ id, found, seeds, fixedClean, minimized, twin }) => [
    ...(2 * found > seeds ? [] : [`${id}: found by ${found} of ${seeds} seeds`]),
    ...(fixedClean ? [] : [`${id}: the fix does not cure: ${minimized?.program}`]),
    ...twin.alarms.map(({ slugs, program }) => `${id}: the repaired kernel breaks ${slugs.join(', ')}: ${program}`),
  ]);
  const sum = (of: (row: ScoreRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const found = rows.filter(({ found, seeds }) => 2 * found > seeds).length;
  const alarms = sum(({ twin }) => twin.alarms.length);
  const other = rows[0]?.against?.strategy;
  return [
    ...complaints,
    ...(factor === undefined
      ? []
      : [`${other} needs ${factor.toFixed(2)} times the faults (geometric means, over seeds and then entries)`]),
    `found ${found} of ${rows.length}; ${alarms === 0 ? 'no' : alarms} false alarm${alarms === 1 ? '' : 's'} in ` +
      `${sum(({ twin }) => twin.programs)} programs (${sum(({ twin }) => twin.faults)} faults) on repaired; ` +
      `${seconds.toFixed(0)} s`,
  ].join('\n');
}

/** The whole table with what did not go well under it. */
export function formatScore(result: ScoreResult): string {
  return [formatHeader(result.rows[0]?.against?.strategy), ...result.rows.map(formatRow), '', formatTail(result)].join(
    '\n',
  );
}
