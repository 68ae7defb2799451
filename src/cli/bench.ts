// breakcow bench: the engine, and the small handler in every language.
import { Command, Option } from 'commander';
import { formatPeers, runPeers } from '../../bench/peers.js';
import type { RoundReport } from '../../bench/rounds.js';
import { parseCount, withJson } from './options.js';
import { print, printJson } from './output.js';

interface Options {
  readonly json?: boolean;
  readonly ops?: number;
  readonly samples?: number;
}

/** What bench/engine.ts exports. */
interface EngineBench<Table = unknown> {
  runEngine(options: { onSample?: (sample: RoundReport) => void }): Promise<Table>;
  formatEngine(table: Table): string;
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function onSample({ id, round, rounds, mops }: RoundReport): void {
  progress(`round ${round}/${rounds}: ${id} ${mops.toFixed(1)} M/s`);
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .summary('measure the engine and its peers')
    .description(
      'Measure the peers on the small handler (C, AssemblyScript, SIMD lanes, JavaScript, fast-check), then the engine.',
    )
    .addOption(new Option('--ops <n>', 'operations per sample of a peer').argParser(parseCount('ops')))
    .addOption(new Option('--samples <n>', 'rounds of the peers').argParser(parseCount('samples')))
    .addHelpText('after', '\nExamples:\n  breakcow bench\n  breakcow bench --ops 1M --samples 3 --json');
  return withJson(command).action(async ({ json, ops, samples }: Options) => {
    const limits = { ...(ops !== undefined && { ops }), ...(samples !== undefined && { samples }) };
    const peers = await runPeers({ ...limits, onSample });
    progress('');
    if (!json) print(`${formatPeers(peers)}\n`);
    const engine: EngineBench = await import(new URL('../../bench/engine.js', import.meta.url).href);
    const table = await engine.runEngine({ onSample });
    progress('');
    if (json) printJson({ peers, engine: table });
    else print(engine.formatEngine(table));
  });
}
