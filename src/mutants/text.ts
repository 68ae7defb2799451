// Mutants and what became of them, in words and as data.
import { wrap } from '../report/layout.js';
import { counted, duration } from '../text/numbers.js';
import { staleReasons } from './reasons.js';
import type { MutantsResult } from './run.js';
import type { Counts, Row, Summary } from './summary.js';
import { BASE } from './table.js';
import type { Judged, Mutant } from './types.js';

const COLUMNS: readonly (readonly [title: string, cell: (counts: Counts) => string])[] = [
  ['mutants', ({ mutants }) => String(mutants)],
  ['fuzz', ({ fuzz }) => String(fuzz)],
  ['check', ({ check }) => String(check)],
  ['trap', ({ trap }) => String(trap)],
  ['differs', ({ differs }) => String(differs)],
  ['survive', ({ survives }) => String(survives)],
  ['reason', ({ explained }) => String(explained)],
  ['judged', ({ judged }) => percent(judged)],
  ['noticed', ({ noticed }) => percent(noticed)],
];

/** 99.96 % is not all: rounded down. */
function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

function row(name: string, width: number, cells: readonly string[]): string {
  return [name.padEnd(width), ...cells.map((cell, i) => cell.padStart(COLUMNS[i]?.[0].length ?? 8))].join('  ');
}

function table(files: readonly Row[], total: Counts): string[] {
  const width = Math.max(...[...files.map(({ name }) => name), 'in all'].map((name) => name.length));
  const cells = (counts: Counts) => COLUMNS.map(([, cell]) => cell(counts));
  return [
    row(
      '',
      width,
      COLUMNS.map(([title]) => title),
    ),
    ...files.map((file) => row(file.name, width, cells(file))),
    row('in all', width, cells(total)),
  ];
}

const EXPLANATION =
  'fuzz, check: a promise broke, in random programs or in one of all small ones. trap: the engine stopped. differs: no promise broke, but results or states are others than of the kernel as it is. judged: noticed by promises and traps, of all mutants but those that survive for a reason; noticed: with those that differ.';

export function mutantsText(result: MutantsResult, summary: Summary, budget: number): string {
  const { judged, interrupted, seconds, cpuSeconds, workers } = result;
  const { files, total, invariants, survivors } = summary;
  if (judged.length === 0) return 'Interrupted before the first mutant was done.';
  const open = survivors.filter(({ reason }) => !reason);
  const width = Math.max(...invariants.map(({ slug }) => slug.length));
  const never = invariants.filter(({ only }) => only === 0).map(({ slug }) => slug);
  return [
    ...table(files, total),
    '',
    ...wrap(EXPLANATION),
    '',
    `${'promise'.padEnd(width)}  first  all  only`,
    ...invariants
      .filter(({ all }) => all > 0)
      .map(({ slug, first, all, only }) =>
        [slug.padEnd(width), ...[first, all, only].map((n, i) => String(n).padStart([5, 3, 4][i]!))].join('  '),
      ),
    ...wrap(
      never.length === 0
        ? 'Each promise is the only one that some mutant breaks.'
        : `Never the only one broken: ${never.join(', ')}.`,
    ),
    ...reasonsText(survivors.filter(({ reason }) => reason)),
    ...(open.length === 0
      ? []
      : ['', `${counted(open.length, 'mutant')} survive${open.length === 1 ? 's' : ''} without a reason:`]),
    ...open.flatMap(({ mutant }) => wrap(describe(mutant), '  ', '      ')),
    '',
    ...wrap(
      `${counted(judged.length, 'mutant')} of ${BASE}, at most ${counted(budget, 'program')} each, in ${duration(seconds)} on ${counted(workers, 'thread')} (${duration(cpuSeconds)} of CPU time).`,
    ),
    ...staleText(result, survivors),
    ...(interrupted ? ['Interrupted: this is what was done by then.'] : []),
  ].join('\n');
}

/** Of a run of all mutants alone. */
function staleText({ interrupted, whole }: MutantsResult, survivors: readonly Judged[]): string[] {
  const stale = interrupted || !whole ? [] : staleReasons(survivors.map(({ mutant }) => mutant));
  if (stale.length === 0) return [];
  return ['', 'Reasons that no survivor needs any more:', ...stale.flatMap((name) => wrap(name, '  ', '      '))];
}

function reasonsText(explained: readonly Judged[]): string[] {
  const whys = [...new Set(explained.map(({ reason }) => reason!))];
  if (whys.length === 0) return [];
  const lines = whys.flatMap((reason) => [
    ...wrap(`${reason.kind}: ${reason.why}`, '  ', '  '),
    ...explained
      .filter((one) => one.reason === reason)
      .flatMap(({ mutant }) => wrap(describe(mutant), '      ', '          ')),
  ]);
  return ['', `${counted(explained.length, 'survivor')} for a reason:`, ...lines];
}

/** `memory.ts:171:19 do_wp_page: a != b -> a == b`, or the knob with what it says. */
export function describe({ name, place, knob, file }: Mutant): string {
  if (!place) return `${name}  ${knob!.doc}`;
  const { line, column, function: where, before, after } = place;
  return `${file.replace(/^.*\//, '')}:${line}:${column} ${where}: ${before} -> ${after}`;
}

/** One line each. */
export function listText(mutants: readonly Mutant[]): string {
  return [...mutants.map(describe), counted(mutants.length, 'mutant')].join('\n');
}

export function mutantData({ name, family, file, place, knob }: Mutant) {
  return { name, family, ...(place ?? { file }), ...(knob && { knob: knob.name, on: knob.on }) };
}

export function mutantsData({ judged, ...run }: MutantsResult, summary: Summary, budget: number) {
  const { files, total, invariants } = summary;
  return {
    base: BASE,
    budget,
    ...run,
    total,
    files,
    invariants,
    mutants: judged.map(({ mutant, ...verdict }) => ({ ...mutantData(mutant), ...verdict })),
  };
}
