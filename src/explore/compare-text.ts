// A comparison as a table that fits a slide, and as data.
import type { Catalogue } from '../engine/catalogue.js';
import { beside, fold, foldProgram, TABLE_COLUMNS } from '../report/columns.js';
import { printSpec } from '../text/id.js';
import { commonBounds } from './bounds.js';
import type { CheckResult } from './check.js';
import { blocksOf, type Compared, type Comparison, shortestOf } from './compare.js';
import type { Costs } from './costs.js';
import { scopeWords } from './scope.js';
import { type ShortestFinding, shortestLabel } from './shortest.js';
import { boundText, diameterOf, grouped, outcomeOf } from './verdict.js';

const LABELS = 24;

/** Rows of the costs, in the order of the issue that asked for them: what it is, and its value. */
const COSTS: readonly (readonly [label: string, value: (costs: Costs) => string])[] = [
  ['pages copied', ({ copies }) => grouped(copies)],
  ['  needlessly', ({ needless }) => grouped(needless)],
  ['uffd-wp events', ({ events }) => grouped(events)],
  ['  on reads', ({ readEvents }) => grouped(readEvents)],
  ['TLB flushes', ({ flushes }) => grouped(flushes)],
  ['faults per operation', ({ faults, ops }) => (ops === 0 ? '-' : (faults / ops).toFixed(3))],
  ['GUP retries', ({ gupRetries }) => grouped(gupRetries)],
];

/** Promises that some kernel breaks in a block, in the order of the catalogue. */
function brokenPromises({ invariants }: Catalogue, kernels: readonly Compared[], block: string) {
  return invariants.filter(({ id }) => kernels.some((kernel) => shortestOf(kernel, block, id) !== undefined));
}

/** Programs below the table: each promise and program once, with the kernels that it is the shortest on. */
interface Shown {
  readonly finding: ShortestFinding;
  readonly kernels: readonly string[];
}

function shownPrograms(catalogue: Catalogue, kernels: readonly Compared[]): Shown[] {
  const all = catalogue.invariants.flatMap(({ id }) =>
    blocksOf(kernels).flatMap((block) =>
      kernels.flatMap((kernel) => {
        const finding = shortestOf(kernel, block, id);
        return finding ? [{ finding, name: printSpec(kernel.spec) }] : [];
      }),
    ),
  );
  const isSame = (a: ShortestFinding, b: ShortestFinding) => a.slug === b.slug && a.program === b.program;
  return all
    .filter(({ finding }, i) => all.findIndex((other) => isSame(other.finding, finding)) === i)
    .map(({ finding }) => ({
      finding,
      kernels: [...new Set(all.filter((other) => isSame(other.finding, finding)).map(({ name }) => name))],
    }));
}

/** `up to depth 10, 1,234,567 states`, `to the end, 57,793 states`; the least of all kernels. */
function searchedText(checks: readonly CheckResult[]): string {
  const closed = checks.every(({ result }) => result.ended === 'closed');
  const depths = checks.map(({ result }) => diameterOf(result));
  const states = checks.map(({ result }) => result.states);
  const few = grouped(Math.min(...states));
  const many = grouped(Math.max(...states));
  const size = few === many ? `${few} states` : `${few} to ${many} states`;
  return `${closed ? 'to the end' : `up to depth ${Math.min(...depths)}`}, ${size}`;
}

/** Searches of the kernels, scope by scope. */
function byScope(kernels: readonly Compared[]): CheckResult[][] {
  const scopes = Math.min(...kernels.map(({ searches }) => searches.length));
  return Array.from({ length: scopes }, (_, i) => kernels.map(({ searches }) => searches[i]!.check));
}

/** Lines of one block; in a later one what the first has as well is left out. */
function blockRows(
  catalogue: Catalogue,
  kernels: readonly Compared[],
  row: (label: string, cells: readonly (readonly string[])[]) => string[],
): string[] {
  const blocks = blocksOf(kernels);
  const length = (kernel: Compared, block: string, id: number) =>
    String(shortestOf(kernel, block, id)?.length ?? (kernel.unsearched.includes(block) ? '?' : 'kept'));
  return blocks.flatMap((block, i) => {
    const promises = brokenPromises(catalogue, kernels, block).filter(
      ({ id }) => i === 0 || kernels.some((kernel) => length(kernel, block, id) !== length(kernel, blocks[0]!, id)),
    );
    const names = kernels.map(({ spec }) => foldName(printSpec(spec)));
    return [
      ...(i === 0 ? row(block, names) : ['', block]),
      ...promises.flatMap(({ id, slug }) =>
        row(
          `  ${slug}`,
          kernels.map((kernel) => [length(kernel, block, id)]),
        ),
      ),
    ];
  });
}

export function compareText(catalogue: Catalogue, comparison: Comparison): string {
  const { kernels, seed, programs } = comparison;
  const width = Math.max(8, Math.min(13, Math.floor((TABLE_COLUMNS - LABELS) / kernels.length)));
  const row = (label: string, cells: readonly (readonly string[])[]) =>
    beside(
      [[label], ...cells.map((lines) => lines.map((line) => line.padStart(width)))],
      [LABELS, ...kernels.map(() => width)],
    );
  const broken = blocksOf(kernels).flatMap((block) => brokenPromises(catalogue, kernels, block));
  const judged = catalogue.invariants.filter(({ judge }) => judge === 'structure' || judge === 'reference');
  const kept = judged.filter((promise) => !broken.includes(promise)).map(({ slug }) => slug);
  const whole = kernels.every(({ unsearched }) => unsearched.length === 0);
  const searched = byScope(kernels).flatMap((checks) =>
    fold(`searched ${searchedText(checks)}: ${scopeWords(checks[0]!.bound.scope)}`, TABLE_COLUMNS, '  '),
  );
  return [
    ...blockRows(catalogue, kernels, row),
    '',
    ...fold(`${whole ? 'kept by all' : 'not broken so far'}: ${kept.join(', ')}`, TABLE_COLUMNS, '  '),
    '',
    `cost of ${grouped(programs)} programs`,
    ...COSTS.flatMap(([label, value]) =>
      row(
        `  ${label}`,
        kernels.map(({ costs }) => [value(costs)]),
      ),
    ),
    '',
    ...fold(
      `A number is the length of a shortest program that breaks the promise. ${costNote(kernels, seed)}`,
      TABLE_COLUMNS,
    ),
    ...searched,
    ...commonBounds(
      catalogue,
      kernels.flatMap(({ searches }) => searches.map(({ check }) => check)),
    ),
    ...shownPrograms(catalogue, kernels).flatMap(({ finding, kernels: names }) => [
      '',
      ...fold(`${finding.slug}, ${finding.length}: ${names.join(', ')}`, TABLE_COLUMNS, '  '),
      ...foldProgram(finding.program, TABLE_COLUMNS - 2).map((line) => `  ${line}`),
    ]),
  ].join('\n');
}

/** A long name goes on below, knob by knob. */
function foldName(name: string): string[] {
  return name.split(' ');
}

function costNote(kernels: readonly Compared[], seed: bigint): string {
  const ops = kernels[0]?.costs.ops ?? 0;
  return `Costs are of the same ${grouped(ops)} operations on every kernel, seed ${seed}.`;
}

/** What --json prints. */
export function compareData(catalogue: Catalogue, { kernels, seed, programs }: Comparison) {
  return {
    seed: seed.toString(),
    programs,
    kernels: kernels.map((kernel) => ({
      ...kernel.spec,
      broken: blocksOf(kernels).flatMap((block) =>
        catalogue.invariants.flatMap(({ id, slug }) => {
          const finding = shortestOf(kernel, block, id);
          if (!finding) return [];
          const { length, steps, program } = finding;
          return [{ block, slug, length, program, label: shortestLabel(steps) }];
        }),
      ),
      unsearched: kernel.unsearched,
      costs: kernel.costs,
      searches: kernel.searches.map(
        ({
          block,
          check: {
            bound,
            result: { violations, ...result },
          },
        }) => ({
          block,
          bound: boundText(catalogue, bound),
          scope: bound.scope,
          outcome: outcomeOf({ violations, ...result }),
          ...result,
        }),
      ),
    })),
  };
}
