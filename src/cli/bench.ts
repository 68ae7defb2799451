// breakcow bench: the engine, the small handler in every language, and the running kernel.
import { Command, Option } from 'commander';
import { formatEngine, runEngine } from '../../bench/engine.js';
import { formatKernel, runKernel } from '../../bench/kernel.js';
import { formatPeers, runPeers } from '../../bench/peers.js';
import type { RoundReport } from '../../bench/rounds.js';
import { parseCount, withJson } from './options.js';
import { print, printJson } from './output.js';
import { statusLine } from './progress.js';

interface Options {
  readonly json?: boolean;
  readonly ops?: number;
  readonly samples?: number;
}

function onSample({ id, round, rounds, mops }: RoundReport): void {
  statusLine(`round ${round}/${rounds}: ${id} ${mops.toFixed(1)} M/s`);
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .summary('measure the engine, its peers and the running kernel')
    .description(
      'Measure the peers on the small handler (C, AssemblyScript, SIMD lanes, JavaScript, fast-check), then the engine (judges, guidance, threads), then the running kernel.',
    )
    .addOption(new Option('--ops <n>', 'operations per sample of a peer').argParser(parseCount('ops')))
    .addOption(new Option('--samples <n>', 'rounds').argParser(parseCount('samples')))
    .addHelpText('after', '\nExamples:\n  breakcow bench\n  breakcow bench --ops 1M --samples 3 --json');
  return withJson(command).action(async ({ json, ops, samples }: Options) => {
    const rounds = { ...(samples !== undefined && { samples }), onSample };
    const peers = await runPeers({ ...rounds, ...(ops !== undefined && { ops }) });
    statusLine('');
    if (!json) print(`${formatPeers(peers)}\n`);
    const engine = await runEngine(rounds);
    statusLine('');
    if (!json) print(`${formatEngine(engine)}\n`);
    const kernel = await runKernel(rounds);
    statusLine('');
    if (json) printJson({ peers, engine, kernel });
    else print(formatKernel(kernel));
  });
}
