// breakcow worker: runs the shards of campaigns that lie in a queue.
import { Command, Option } from 'commander';
import { checkQueueUrl, queuePlace } from '../queue/url.js';
import type { QueueWorker, WorkerEvent } from '../queue/worker.js';
import { parseDuration, parseWorkers } from './options.js';
import { complain, counted, EXIT, print } from './output.js';
import { statusLine } from './progress.js';

interface Options {
  readonly queue: string;
  readonly workers: number;
  readonly insecure?: boolean;
  readonly grace: number;
  readonly json?: boolean;
}

const STATUS_MS = 1000;

export function workerCommand(): Command {
  return new Command('worker')
    .summary('run shards of campaigns from a queue, on as many machines as you have')
    .description(
      'Run the shards of campaigns that were started with --queue, until told to leave. Start one on each machine, with the same version of breakcow as the campaign: a campaign of another build is left to others. A worker may be killed at any moment; its jobs are taken over within some 15 seconds. The queue lives in Redis 6.2 or later, or Valkey.',
    )
    .addOption(
      new Option('--queue <url>', 'redis://:PASSWORD@HOST:6379, or rediss:// for TLS')
        .env('BREAKCOW_QUEUE')
        .makeOptionMandatory(),
    )
    .addOption(new Option('--workers <n>', 'threads').argParser(parseWorkers).default(parseWorkers('auto'), 'auto'))
    .addOption(
      new Option('--grace <duration>', 'how long jobs in hand may take once it is told to leave')
        .argParser(parseDuration)
        .default(20_000, '20s'),
    )
    .option('--insecure', 'take a queue on another machine that has no password')
    .option('--json', 'log one JSON object a line to stdout')
    .addHelpText(
      'after',
      `
Examples:
  breakcow worker --queue redis://localhost
  BREAKCOW_QUEUE='rediss://:secret@queue.lab:6379' breakcow worker --workers 16 --json
  NODE_EXTRA_CA_CERTS=lab.pem breakcow worker --queue rediss://fuzz:secret@queue.lab

BREAKCOW_QUEUE in place of --queue keeps the password out of the list of processes. SIGTERM or Ctrl-C: ends the jobs in
hand and leaves; a second one: leaves at once.

Exit codes: 0 left as told, 2 usage error (also: wrong password, certificate not trusted), 3 internal error.`,
    )
    .action(work);
}

async function work({ queue, workers, insecure = false, grace, json = false }: Options): Promise<void> {
  const url = checkQueueUrl(queue, insecure);
  const log = (event: WorkerEvent, text: string) => {
    if (json) print(JSON.stringify({ time: new Date().toISOString(), event, text }));
    else {
      statusLine('');
      complain(`${new Date().toISOString()} ${event}: ${text}`);
    }
  };
  // What makes it slow to load is loaded by those who need it.
  const { QueueWorker } = await import('../queue/worker.js');
  if (!json) statusLine(`waiting for ${queuePlace(url)}`);
  const worker = new QueueWorker({ url, threads: workers, log });
  const told = untilTold();
  await Promise.race([worker.start(), told]);
  const status = setInterval(() => !json && statusLine(statusOf(worker, workers)), STATUS_MS);
  await told;
  clearInterval(status);
  await worker.close(grace);
  // Connections that still try to reach an absent server would keep the process alive.
  process.exit(EXIT.CLEAN);
}

/** Resolves at the first signal; the second one ends the process. */
function untilTold(): Promise<void> {
  let told = false;
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        if (told) process.exit(EXIT.CLEAN);
        told = true;
        resolve();
      });
  });
}

function statusOf({ busy, jobs, refused }: QueueWorker, threads: number): string {
  const bad = refused === 0 ? '' : `, ${refused} refused`;
  return `${busy} of ${threads} threads busy, ${counted(jobs, 'job')} done${bad}`;
}
