// breakcow bench: the engine, the small handler in every language, the running kernel, exhaustive search, the queue.
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Command, Option } from 'commander';
import { formatEngine, runEngine } from '../../bench/engine.js';
import { formatSearches, runSearches } from '../../bench/explore.js';
import { formatKernel, runKernel } from '../../bench/kernel.js';
import { formatPeers, runPeers } from '../../bench/peers.js';
import type { RoundReport } from '../../bench/rounds.js';
import { UsageError } from '../errors.js';
import { parseCount, withJson } from './options.js';
import { print, printJson } from './output.js';
import { statusLine } from './progress.js';

const SECTIONS = ['peers', 'engine', 'kernel', 'search', 'queue'] as const;
type Section = (typeof SECTIONS)[number];

interface Options {
  readonly json?: boolean;
  readonly ops?: number;
  readonly samples?: number;
  readonly only?: Section;
  readonly against?: string;
}

function onSample({ id, round, rounds, mops }: RoundReport): void {
  statusLine(`round ${round}/${rounds}: ${id} ${mops.toFixed(1)} M/s`);
}

/** A section: its table as data and as text. */
async function measure<T>(run: () => Promise<T>, format: (table: T) => string, json: boolean): Promise<T> {
  const table = await run();
  statusLine('');
  if (!json) print(`${format(table)}\n`);
  return table;
}

/** Loaded by whoever measures it: a client of Redis takes a while to load. */
async function measureQueue(rounds: { samples?: number; onSample: typeof onSample }, json: boolean): Promise<unknown> {
  const { runQueue } = await import('../../bench/queue.js');
  const { formatQueue } = await import('../../bench/queue-text.js');
  return await measure(() => runQueue(rounds), formatQueue, json);
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .summary('measure the engine, its peers, the running kernel, the search and the queue')
    .description(
      'Measure the peers on the small handler (C, AssemblyScript, SIMD lanes, JavaScript, fast-check), the engine (judges, guidance, threads), the running kernel, exhaustive search beside Spin and C, and shards over a queue (with a redis-server of its own).',
    )
    .addOption(new Option('--ops <n>', 'operations per sample of a peer').argParser(parseCount('ops')))
    .addOption(new Option('--samples <n>', 'rounds').argParser(parseCount('samples')))
    .addOption(new Option('--only <section>', 'one of the tables').choices(SECTIONS))
    .addOption(
      new Option('--against <module>', 'another build/breakcow.wasm, measured beside this one in the engine table'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  breakcow bench\n  breakcow bench --ops 1M --samples 3 --json\n  breakcow bench --only search --samples 1\n  breakcow bench --only engine --against ../older/build/breakcow.wasm',
    );
  return withJson(command).action(async ({ json = false, ops, samples, only, against }: Options) => {
    if (against !== undefined && !existsSync(against)) throw new UsageError(`against: no file ${against}`);
    const other = against === undefined ? {} : { against: pathToFileURL(against) };
    const rounds = { ...(samples !== undefined && { samples }), onSample };
    const sections = {
      peers: () => measure(() => runPeers({ ...rounds, ...(ops !== undefined && { ops }) }), formatPeers, json),
      engine: () => measure(() => runEngine({ ...rounds, ...other }), formatEngine, json),
      kernel: () => measure(() => runKernel(rounds), formatKernel, json),
      search: () => measure(() => runSearches(rounds), formatSearches, json),
      queue: () => measureQueue(rounds, json),
    };
    const tables: Partial<Record<Section, unknown>> = {};
    for (const section of only ? [only] : SECTIONS) tables[section] = await sections[section]();
    if (json) printJson(tables);
  });
}
