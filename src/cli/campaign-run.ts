// breakcow campaign start and resume.
import { Command, Option } from 'commander';
import { EPOCH_SHARDS } from '../campaign/plan.js';
import { Pool } from '../campaign/pool.js';
import type { Runner } from '../campaign/runner.js';
import type { Engine } from '../engine/engine.js';
import { loadEngine } from '../engine/engine.js';
import { buildHash } from '../engine/load.js';
import { UsageError } from '../errors.js';
import { createCampaign, makeConfig, reopenCampaign, requireBudget, requireBuild } from '../night/begin.js';
import { takeWish } from '../night/control.js';
import { drive } from '../night/driver.js';
import { CAMPAIGNS, findCampaign, freeName, openDirectory, pathFor } from '../night/places.js';
import { verifyFindings } from '../night/verify.js';
import { checkQueueUrl } from '../queue/url.js';
import type { CampaignConfig } from '../store/config.js';
import { StoreFullError } from '../store/database.js';
import { CampaignReader } from '../store/read.js';
import type { CampaignStore } from '../store/store.js';
import { parseSpec } from '../text/id.js';
import { parseSeed } from '../text/seed.js';
import { campaignJson } from './campaign-data.js';
import { statusText } from './campaign-text.js';
import { parseCount, parseDuration, parseWorkers, withJson } from './options.js';
import { complain, counted, EXIT, print, printJson } from './output.js';
import { type ProgressView, progressView } from './progress.js';

interface RunOptions {
  readonly dir: string;
  readonly time?: number;
  readonly workers: number;
  readonly queue?: string;
  readonly insecure?: boolean;
  readonly exitZero?: boolean;
  readonly json?: boolean;
}

interface StartOptions extends RunOptions {
  readonly programs?: number;
  readonly name?: string;
  readonly kernel?: readonly string[];
  readonly seed: bigint;
  readonly focus?: readonly string[];
  readonly random: boolean;
  readonly epochShards?: number;
}

interface ResumeOptions extends RunOptions {
  readonly replay?: boolean;
}

const DEFAULT_KERNELS = ['v6.18', 'repaired', 'seed'];
/** Enough for a few dozen cores. */
const QUEUE_EPOCH_SHARDS = 64;
const DEFAULT_TIME_MS = 8 * 3_600_000;

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
const names = (value: string): readonly string[] => value.split(',').filter((name) => name !== '');

function withRunning(command: Command): Command {
  const running = command
    .addOption(new Option('--workers <n>', 'threads').argParser(parseWorkers).default(parseWorkers('auto'), 'auto'))
    .addOption(
      new Option(
        '--queue <url>',
        'run the shards on "breakcow worker" processes: redis://:PASSWORD@HOST:6379, or rediss:// for TLS',
      ).env('BREAKCOW_QUEUE'),
    )
    .option('--insecure', 'take a queue on another machine that has no password')
    .option('--dir <directory>', 'where campaigns lie', CAMPAIGNS)
    .option('--exit-zero', 'exit with 0 although a promise was broken');
  return withJson(running);
}

export function startCommand(): Command {
  const command = new Command('start')
    .summary('begin a campaign')
    .description(
      'Begin a campaign and run it until its budget is spent. Kernels and styles (what the op mixes dwell on) take turns; those that bring something new get more of them. Ctrl-C stops it with everything kept; "resume" goes on to the same results as if nothing had happened.',
    )
    .option('--name <name>', 'of the campaign (default: the date)')
    .addOption(
      new Option(
        '-k, --kernel <spec>',
        `kernel on trial, such as v6.18 or "seed -copy.keeps_uffd_wp"; may be repeated (default: ${DEFAULT_KERNELS.join(', ')})`,
      ).argParser(collect),
    )
    .addOption(
      new Option('--time <duration>', 'active time: 30m, 8h (default: 8h without --programs)').argParser(parseDuration),
    )
    .addOption(new Option('--programs <n>', 'budget in programs, such as 5G').argParser(parseCount('programs')))
    .addOption(
      new Option('--seed <n>', 'seed of the campaign, 64 bits, or random').argParser(parseSeed).default(1n, '1'),
    )
    .addOption(
      new Option(
        '--focus <names>',
        'only these, by commas: all, small, huge, pins, uffd, swap, threads, wide',
      ).argParser(names),
    )
    .option('--no-random', 'no uniformly random programs in between')
    .addOption(
      new Option(
        '--epoch-shards <n>',
        'shards that learn together; at most three times as many run at once (default: 16, with --queue 64)',
      ).argParser(parseCount('epoch shards')),
    )
    .addHelpText(
      'after',
      `
Examples:
  breakcow campaign start                                   three kernels, eight hours
  breakcow campaign start --kernel v7.2 --time 30m --name quick
  breakcow campaign start --kernel repaired --seed random --epoch-shards 64 --workers 32
  breakcow campaign start --queue redis://localhost --time 8h        and on every machine: breakcow worker --queue ...`,
    );
  return withRunning(command).action(start);
}

export function resumeCommand(): Command {
  const command = new Command('resume')
    .summary('go on with a campaign')
    .description(
      'Go on where a campaign was stopped, killed, or ran out of disk: with the same results as if it had never stopped. A campaign of another engine build is refused, or with --replay its findings are verified under this one and it begins anew.',
    )
    .argument('[name]', 'campaign (default: the one written last)')
    .addOption(new Option('--time <duration>', 'more active time').argParser(parseDuration))
    .option('--replay', 'of another engine build: verify its findings, then begin anew with the same options')
    .addHelpText(
      'after',
      `
Examples:
  breakcow campaign resume
  breakcow campaign resume 2026-11-28 --time 8h             eight hours more`,
    );
  return withRunning(command).action(resume);
}

async function start(options: StartOptions): Promise<void> {
  const engine = loadEngine();
  if (options.queue !== undefined) checkQueueUrl(options.queue, options.insecure === true);
  openDirectory(options.dir);
  const name = options.name ?? freeName(options.dir, new Date());
  const path = pathFor(options.dir, name);
  const timeMs = options.time ?? (options.programs === undefined ? DEFAULT_TIME_MS : undefined);
  const config = makeConfig(engine, {
    kernels: (options.kernel ?? DEFAULT_KERNELS).map(parseSpec),
    seed: options.seed,
    random: options.random,
    ...(timeMs !== undefined && { timeMs }),
    ...(options.programs !== undefined && { programs: options.programs }),
    ...(options.focus && { focus: options.focus }),
    epochShards: options.epochShards ?? (options.queue === undefined ? EPOCH_SHARDS : QUEUE_EPOCH_SHARDS),
  });
  await run(engine, createCampaign(path, name, config), config, options);
}

async function resume(name: string | undefined, options: ResumeOptions): Promise<void> {
  const engine = loadEngine();
  const { store, config } = reopenCampaign(findCampaign(options.dir, name));
  let wanted: CampaignConfig;
  try {
    if (options.replay) replay(engine, store, config);
    else requireBuild(store);
    wanted = extended(store, config, options);
  } catch (error) {
    store.close();
    throw error;
  }
  await run(engine, store, wanted, options);
}

/** With more time, if that is asked for. Throws UsageError if nothing is left of the budget. */
function extended(store: CampaignStore, config: CampaignConfig, { time }: ResumeOptions): CampaignConfig {
  if (time === undefined) {
    requireBudget(store);
    return config;
  }
  if (config.programs !== undefined)
    throw new UsageError('a budget in programs is planned ahead and cannot grow: start another campaign');
  const { state } = store.resumed(config.kernels.length);
  const more = { ...config, timeMs: Math.ceil(1000 * (state?.seconds ?? 0)) + time };
  store.set('config', more);
  return more;
}

function replay(engine: Engine, store: CampaignStore, config: CampaignConfig): void {
  const build = buildHash();
  if (store.meta('build') === build) throw new UsageError(`${store.path} is of this build: nothing to replay`);
  const verified = verifyFindings(engine, store, config);
  store.restart(build);
  const failing = verified.filter(({ verdict }) => verdict === 'still fails').length;
  complain(`${counted(verified.length, 'finding')} verified: ${failing} still fail; begins anew under engine ${build}`);
}

/** The first signal ends the campaign with everything kept, a second one the process: the batch in flight is lost. */
function onInterrupt(abort: AbortController, view: ProgressView): () => void {
  const end = () => {
    if (abort.signal.aborted) {
      view.stop();
      process.exit(EXIT.INTERNAL);
    }
    abort.abort();
    view.note('stopping; once more to stop at once (nothing is lost but the batch in flight)');
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return () => {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  };
}

/** The threads of this process, or whoever works at the queue. */
async function runnerFor(
  store: CampaignStore,
  { epochShards }: CampaignConfig,
  { queue, insecure = false, workers }: RunOptions,
  onNotice: (text: string) => void,
): Promise<Runner> {
  if (queue === undefined) return new Pool(workers);
  // Slow to load, and few need it.
  const { QueueRunner } = await import('../queue/runner.js');
  const url = checkQueueUrl(queue, insecure);
  const campaign = store.meta<string>('id')!;
  // As many as the epochs under way can have, and their second runs.
  return new QueueRunner({ url, campaign, build: buildHash(), limit: 4 * epochShards, onNotice });
}

async function run(engine: Engine, store: CampaignStore, config: CampaignConfig, options: RunOptions): Promise<void> {
  const view = progressView();
  const abort = new AbortController();
  const forget = onInterrupt(abort, view);
  const runner = await runnerFor(store, config, options, (text) => {
    store.event('queue', text);
    view.note(text);
  });
  takeWish(store.path);
  let valid: boolean;
  try {
    const driven = await drive({
      store,
      config,
      engine,
      runner,
      threads: options.queue === undefined ? options.workers : 0,
      signal: abort.signal,
      onProgress: (progress, findings) => view.update(progress, findings),
      onNote: (text) => view.note(text),
    });
    valid = driven.result.valid || driven.result.interrupted;
  } catch (error) {
    if (!(error instanceof StoreFullError)) throw error;
    view.stop();
    complain(`breakcow: ${error.message}\nEverything up to then is kept: make room, then "breakcow campaign resume".`);
    process.exitCode = EXIT.INTERNAL;
    return;
  } finally {
    view.stop();
    forget();
    store.close();
  }
  const reader = new CampaignReader(store.path);
  try {
    if (options.json) printJson(campaignJson(reader));
    else print(statusText(engine, reader, options.dir));
    const found = reader.findingCount() > 0 && !options.exitZero;
    process.exitCode = found ? EXIT.BROKEN : valid ? EXIT.CLEAN : EXIT.INTERNAL;
  } finally {
    reader.close();
  }
}
