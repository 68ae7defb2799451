// Options that the searching commands share, and what the user sees and does while they run.
import { totalmem } from 'node:os';
import { type Command, Option } from 'commander';
import type { Catalogue } from '../engine/catalogue.js';
import { UsageError, unknownName } from '../errors.js';
import { parseScope, type Scope } from '../explore/scope.js';
import type { ExploreOptions, ExploreProgress, ExploreResult, Symmetry } from '../explore/types.js';
import { parseCount, parseDuration, parseWorkers } from './options.js';
import { short } from './output.js';
import { statusLine } from './progress.js';

export interface SearchFlags {
  readonly scope?: Scope;
  readonly depth?: number;
  readonly time?: number;
  readonly memory: number;
  readonly workers: number;
  readonly symmetry: Symmetry;
}

const SYMMETRIES: readonly Symmetry[] = ['none', 'frames', 'mms', 'full'];
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `512M`, `8G`, in bytes. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text);
  const bytes = match ? Math.floor(Number(match[1]) * UNITS[match[2]!]!) : 0;
  if (bytes < 2 ** 20 || !Number.isSafeInteger(bytes))
    throw new UsageError(`memory "${text}": expected a size of at least 1M, such as 512M or 8G`);
  return bytes;
}

/** 1.5e9 as `1.4 GiB`. */
export function sizeText(bytes: number): string {
  const [factor, unit] = bytes >= 2 ** 30 ? [2 ** 30, 'GiB'] : bytes >= 2 ** 20 ? [2 ** 20, 'MiB'] : [2 ** 10, 'KiB'];
  return `${(bytes / factor).toPrecision(3)} ${unit}`;
}

/** Half of the machine. */
const DEFAULT_MEMORY = Math.floor(totalmem() / 2);

/** Adds --scope, --depth, --time, --memory, --workers and --symmetry. `scopes`: the scope without --scope, for people. */
export function withSearch(command: Command, scopes: string): Command {
  return command
    .addOption(
      new Option('--scope <keys>', `what there is, KEY=VALUE,... (default: ${scopes})`).argParser((text: string) =>
        parseScope(text),
      ),
    )
    .addOption(new Option('--depth <n>', 'levels at most').argParser(parseCount('depth')))
    .addOption(new Option('--time <duration>', 'end with the last whole level by then').argParser(parseDuration))
    .addOption(
      new Option('--memory <size>', 'of all states together: 512M, 8G')
        .argParser(parseBytes)
        .default(DEFAULT_MEMORY, 'half of the machine'),
    )
    .addOption(new Option('--workers <n>', 'threads').argParser(parseWorkers).default(parseWorkers('auto'), 'auto'))
    .addOption(
      new Option('--symmetry <what>', 'what counts as one state; full: frames, processes and pages')
        .choices(SYMMETRIES)
        .default('full'),
    );
}

/** How to search, whatever is searched. */
export type Search = Omit<ExploreOptions, 'subject'>;

/** Bits that each state sets in bit-state mode. */
const HASHES = 3;

export interface Ending {
  readonly until: number | undefined;
  readonly signal: AbortSignal;
  /** Filter of 2^bits bits in place of a set. */
  readonly bits?: number | undefined;
}

export function searchOf({ workers, memory, depth, time }: SearchFlags, { until, signal, bits }: Ending): Search {
  return {
    workers,
    memory,
    ...(depth !== undefined && { depth }),
    ...(time !== undefined && { timeMs: time }),
    ...(until !== undefined && { until }),
    visited: bits === undefined ? { kind: 'exact' } : { kind: 'bits', log2: bits, hashes: HASHES },
    signal,
    onProgress: searchProgress(),
  };
}

/** Time, pace and memory of a search. */
export function paceText({ seconds, states, transitions, bytes }: ExploreResult): string {
  const pace = (count: number) => short(seconds > 0 ? count / seconds : 0);
  const memory = `${sizeText(bytes.visited)} of states seen, ${sizeText(bytes.frontier)} of frontier`;
  return `${seconds.toFixed(1)} s, ${pace(states)} states/s, ${pace(transitions)} transitions/s; ${memory}.`;
}

/** Mask of the invariants named, bit = id; `any` = undefined, as the driver has it. Throws UsageError. */
export function untilMask(text: string | undefined, { invariants }: Catalogue): number | undefined {
  if (text === undefined) return 0;
  if (text === 'any') return undefined;
  const slugs = invariants.map(({ slug }) => slug);
  return text.split(',').reduce((mask, name) => {
    const found = invariants.find(({ slug }) => slug === name);
    if (!found) throw unknownName('promise', name, ['any', ...slugs]);
    return mask | (1 << found.id);
  }, 0);
}

function durationText(ms: number): string {
  if (ms < 90_000) return `${Math.round(ms / 1000)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Where a search is, in one line. `lead` says which one, where there are several. */
export function searchProgress(lead = ''): (progress: ExploreProgress) => void {
  return ({ depth, frontier, expanded, states, statesPerSecond, bytes, levelEtaMs }) => {
    const eta = levelEtaMs === undefined ? '' : `, level ends in ${durationText(levelEtaMs)}`;
    const level = `depth ${depth}: ${short(expanded)} of ${short(frontier)} expanded`;
    statusLine(`${lead}${level}, ${short(states)} states, ${short(statesPerSecond)}/s, ${sizeText(bytes)}${eta}`);
  };
}

/** What a shell reports for Ctrl-C. */
const INTERRUPTED = 130;

/** The first signal ends the search, a second one the process. Returns what undoes it. */
export function onInterrupt(abort: AbortController): () => void {
  const end = () => {
    if (abort.signal.aborted) {
      statusLine('');
      process.exit(INTERRUPTED);
    }
    abort.abort();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return () => {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  };
}
