// Exhaustive search: `check` on the small handler beside Spin and a search in C, all on one transition system.
import { availableParallelism, cpus } from 'node:os';
import { explore } from '../src/explore/explore.js';
import type { ExploreOptions, Symmetry } from '../src/explore/types.js';
import { findCSearch } from './peers/search.js';
import { findSpin, type SpinMode } from './peers/spin.js';
import { type Contender, measureRounds, type RoundReport, type Spread, spread } from './rounds.js';
import { alignColumns, threeDigits } from './table.js';

export interface SearchOptions {
  /** Rounds, default 3: one of all contenders takes some minutes, most of them Spin's. */
  samples?: number;
  onSample?: (sample: RoundReport) => void;
}

/** What a search has to tell once its graph is closed, or its time is over. */
export interface SearchCount {
  readonly states: number;
  readonly transitions: number;
  readonly bytes: number;
  readonly seconds: number;
}

export interface Searcher {
  readonly id: string;
  readonly label: string;
  search(): Promise<SearchCount>;
}

export interface SearchRow {
  id: string;
  label: string;
  states: number;
  /** Thousand states a second. */
  kstates: Spread;
  /** Million transitions a second. */
  mtransitions: Spread;
  bytesPerState: number;
  /** To the end of the search. */
  seconds: Spread;
  /** Seconds of the reference to the seconds of this, in the same round. */
  ratio: Spread;
}

export interface SearchTable {
  title: string;
  /** The row that has ratio 1; '' where the rows are of different graphs. */
  reference: string;
  samples: number;
  host: string;
  rows: SearchRow[];
  notes: string[];
}

/** Of a search by `check`; small models need far less. */
const MEMORY = 4e9;
const SMALL: readonly { symmetry: Symmetry; lanes: boolean; label: string }[] = [
  { symmetry: 'none', lanes: true, label: 'breakcow' },
  { symmetry: 'none', lanes: false, label: 'breakcow, one state at a time' },
  { symmetry: 'frames', lanes: true, label: 'breakcow, symmetry of frames' },
  { symmetry: 'mms', lanes: true, label: 'breakcow, symmetry of frames and mms' },
  { symmetry: 'full', lanes: true, label: 'breakcow, symmetry of frames, mms and pages' },
];
const SPIN: readonly { mode: SpinMode; label: string }[] = [
  { mode: 'depth', label: 'Spin' },
  { mode: 'breadth', label: 'Spin, breadth-first' },
  { mode: 'bits', label: 'Spin, bit-state (2^32 bits, 3 each)' },
];

/** All tables, in this order: the small handler beside other checkers; then what knows no peer. */
export async function runSearches(options: SearchOptions = {}): Promise<SearchTable[]> {
  const { runEngineSearches } = await import('./explore-engine.js');
  return [await runSmallSearches(options), await runEngineSearches(options)];
}

/**
 * The small handler, by every checker that is here; what is missing is told in the notes. Throws RangeError for samples that are
 * no positive whole number, Error if checkers without symmetry disagree on the graph.
 */
export async function runSmallSearches(options: SearchOptions = {}): Promise<SearchTable> {
  const notes: string[] = [];
  const searchers: Searcher[] = [];
  const spin = await findSpin();
  if ('unavailable' in spin) notes.push(spin.unavailable);
  else {
    for (const { mode, label } of SPIN)
      searchers.push({ id: `spin-${mode}`, label, search: () => spin.verify({ mode }) });
    notes.push(`Spin: ${spin.how}; translation and compilation are not timed`);
  }
  const c = await findCSearch();
  if ('unavailable' in c) notes.push(c.unavailable);
  else {
    searchers.push({ id: 'c', label: 'C, breadth-first', search: () => c.run({}) });
    notes.push(`C: ${c.how}`);
  }
  searchers.push(...ours(Math.min(2, availableParallelism())));
  const table = await measureSearches('small handler, to the end', searchers, options);
  const lossless = table.rows.filter(({ id }) => /^(?:none|c$|spin-(?!bits))/.test(id));
  if (new Set(lossless.map(({ states }) => states)).size > 1)
    throw new Error(`the checkers disagree: ${lossless.map(({ id, states }) => `${id} ${states}`).join(', ')}`);
  return { ...table, notes };
}

/** By `check`, without symmetry also on so many threads. */
function ours(threads: number): Searcher[] {
  const small = (symmetry: Symmetry, lanes: boolean) => ({ kind: 'small', symmetry, mutants: 0, lanes }) as const;
  const rows = SMALL.map(({ symmetry, lanes, label }): Searcher => {
    const subject = small(symmetry, lanes);
    return { id: `${symmetry}${lanes ? '' : '-plain'}`, label, search: () => checked({ subject, workers: 1 }) };
  });
  const subject = small('none', true);
  if (threads > 1) {
    const label = `breakcow, ${threads} threads`;
    rows.splice(1, 0, { id: `none-${threads}`, label, search: () => checked({ subject, workers: threads }) });
  }
  const visited = { kind: 'bits', log2: 32, hashes: 3 } as const;
  const label = 'breakcow, bit-state (2^32 bits, 3 each)';
  return [...rows, { id: 'bits', label, search: () => checked({ subject, workers: 1, visited }) }];
}

/** One search by `check`, to its end or to the bounds of the options; by default every fingerprint is kept. */
export async function checked(
  options: Pick<ExploreOptions, 'subject' | 'workers'> & Partial<Pick<ExploreOptions, 'depth' | 'visited'>>,
): Promise<SearchCount> {
  const { states, transitions, bytes, seconds } = await explore({
    memory: MEMORY,
    visited: { kind: 'exact' },
    until: 0,
    ...options,
  });
  return { states, transitions, seconds, bytes: bytes.visited + bytes.frontier };
}

/** Searches in interleaved rounds; the first one is the reference. Throws what a search throws. */
export async function measureSearches(
  title: string,
  searchers: readonly Searcher[],
  { samples = 3, onSample }: SearchOptions = {},
): Promise<SearchTable> {
  if (!Number.isSafeInteger(samples) || samples < 1)
    throw new RangeError(`samples: ${samples} is not a positive whole number`);
  const counts = searchers.map((): SearchCount[] => []);
  const contenders = searchers.map(
    ({ id, label, search }, i): Contender => ({
      id,
      label,
      // Each search starts threads or a program of its own: nothing stays warm.
      warm() {},
      async sample() {
        const count = await search();
        counts[i]!.push(count);
        return { ops: count.states, seconds: count.seconds };
      },
    }),
  );
  await measureRounds(contenders, samples, onSample);
  const reference = counts[0]!;
  const rows = searchers.map(({ id, label }, i): SearchRow => {
    const rounds = counts[i]!;
    const { states, bytes } = rounds.at(-1)!;
    return {
      id,
      label,
      states,
      kstates: spread(rounds.map(({ states, seconds }) => states / seconds / 1e3)),
      mtransitions: spread(rounds.map(({ transitions, seconds }) => transitions / seconds / 1e6)),
      bytesPerState: bytes / states,
      seconds: spread(rounds.map(({ seconds }) => seconds)),
      ratio: spread(rounds.map(({ seconds }, round) => reference[round]!.seconds / seconds)),
    };
  });
  const host = `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Node ${process.versions.node}`;
  return { title, reference: searchers[0]!.id, samples, host, rows, notes: [] };
}

export function formatSearches(tables: readonly SearchTable[]): string {
  return tables.map(formatSearch).join('\n\n');
}

function formatSearch({ title, reference, samples, host, rows, notes }: SearchTable): string {
  const than = rows.find(({ id }) => id === reference)?.label;
  const header = [
    title,
    'states',
    'k states/s',
    'M trans/s',
    'bytes/state',
    'seconds',
    'min-max',
    ...(than === undefined ? [] : [`vs ${than}`, 'min-max']),
  ];
  const range = ({ min, max }: Spread) => `${threeDigits(min)}-${threeDigits(max)}`;
  const lines = rows.map(({ label, states, kstates, mtransitions, bytesPerState, seconds, ratio }) => [
    label,
    states.toLocaleString('en-US'),
    threeDigits(kstates.median),
    threeDigits(mtransitions.median),
    threeDigits(bytesPerState),
    threeDigits(seconds.median),
    range(seconds),
    ...(than === undefined ? [] : [threeDigits(ratio.median), range(ratio)]),
  ]);
  return [
    alignColumns([header, ...lines]),
    `medians of ${samples} interleaved rounds, one thread unless told, starting of threads included; ${host}`,
    ...notes,
  ].join('\n');
}
