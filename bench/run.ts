import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatSearches, runSearches } from './explore.js';
import { formatPeers, runPeers } from './peers.js';
import type { RoundReport } from './rounds.js';

// `npm run bench [-- --ops N --samples N]`: the peers on the small handler, then the engine where it is built, and the
// running kernel beside it; then exhaustive search. `--search`: that alone.
// Tables on stdout, progress on stderr.

/** What bench/engine.ts exports. */
interface EngineBench<Table> {
  runEngine(options: { onSample?: (sample: RoundReport) => void }): Promise<Table>;
  formatEngine(table: Table): string;
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function onSample({ id, round, rounds, mops }: RoundReport): void {
  progress(`round ${round}/${rounds}: ${id} ${mops.toFixed(1)} M/s`);
}

async function engineTable<Table>(module: URL): Promise<string> {
  const engine: EngineBench<Table> = await import(module.href);
  return engine.formatEngine(await engine.runEngine({ onSample }));
}

const { values } = parseArgs({
  options: { ops: { type: 'string' }, samples: { type: 'string' }, search: { type: 'boolean' } },
});
const rounds = { ...(values.samples !== undefined && { samples: Number(values.samples) }), onSample };
if (!values.search) {
  const peers = await runPeers({ ...rounds, ...(values.ops !== undefined && { ops: Number(values.ops) }) });
  progress('');
  console.log(formatPeers(peers));

  const engine = new URL('./engine.js', import.meta.url);
  if (existsSync(engine)) {
    const table = await engineTable(engine);
    progress('');
    console.log(`\n${table}`);
    const { formatKernel, runKernel } = await import('./kernel.js');
    const kernel = await runKernel(rounds);
    progress('');
    console.log(`\n${formatKernel(kernel)}\n`);
  }
}
const searches = await runSearches(rounds);
progress('');
console.log(formatSearches(searches));
