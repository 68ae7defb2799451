// Worker processes and campaigns over a queue, for tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Campaign, type Setup } from '../src/campaign/campaign.js';
import { CANARIES, Canaries } from '../src/campaign/canary.js';
import type { Internals } from '../src/campaign/options.js';
import { Pool } from '../src/campaign/pool.js';
import type { Runner } from '../src/campaign/runner.js';
import type { CampaignResult } from '../src/campaign/types.js';
import { loadEngine } from '../src/engine/engine.js';
import { NO_FOCUS } from '../src/engine/fuzzer.js';
import { buildHash } from '../src/engine/load.js';
import { QueueRunner } from '../src/queue/runner.js';

const CLI = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const OTHER = fileURLToPath(new URL('./queue-worker.js', import.meta.url));

export interface Logged {
  readonly event: string;
  readonly text: string;
}

/** `breakcow worker`, and what it logs. */
export class WorkerProcess {
  readonly child: ChildProcess;
  readonly logged: Logged[] = [];
  stderr = '';
  readonly #exit: Promise<unknown>;

  /** `settings`: by way of test/queue-worker.ts, which takes what no user can ask for. */
  constructor(url: URL, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, settings?: object) {
    const command = settings ? [OTHER, JSON.stringify(settings)] : [CLI, 'worker', '--workers', '1', '--json', ...args];
    this.child = spawn(process.execPath, command, {
      env: { ...process.env, ...env, BREAKCOW_QUEUE: url.href },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exit = once(this.child, 'exit');
    this.child.stderr!.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    createInterface(this.child.stdout!).on('line', (line) => this.logged.push(JSON.parse(line)));
  }

  /** The first event of the kind. */
  async event(kind: string, ms = 20_000): Promise<Logged> {
    const end = performance.now() + ms;
    for (;;) {
      const found = this.logged.find(({ event }) => event === kind);
      if (found) return found;
      if (performance.now() > end || this.child.exitCode !== null)
        throw new Error(`no ${kind} event: ${JSON.stringify(this.logged)} ${this.stderr}`);
      await wait(20);
    }
  }

  /** Exit code, or the signal that ended it. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
      await this.#exit;
    }
    return this.child.exitCode ?? this.child.signalCode!;
  }

  async exited(): Promise<number | string> {
    await this.#exit;
    return this.child.exitCode ?? this.child.signalCode!;
  }
}

export async function startWorkers(url: URL, count: number): Promise<WorkerProcess[]> {
  const workers = Array.from({ length: count }, () => new WorkerProcess(url));
  await Promise.all(workers.map((worker) => worker.event('start')));
  return workers;
}

export function setupOf(programs: number, changes: Partial<Setup> = {}): Setup {
  return {
    kernels: [{ kernel: 'seed', with: [], without: [] }],
    arms: [
      { lane: 0, style: { strategy: 'guided', focus: NO_FOCUS } },
      { lane: 0, style: { strategy: 'guided', focus: 'uffd' } },
    ],
    seed: 7n,
    programs,
    keepGoing: true,
    ...changes,
  };
}

export function campaignOn(runner: Runner, setup: Setup, internals: Internals = {}): Campaign {
  const { catalogue } = loadEngine();
  const canaries = new Canaries(catalogue, CANARIES);
  return new Campaign(setup, { catalogue, canaries, runner, threads: 1 }, internals);
}

/** All of a result that must not depend on who ran it. */
export function lasting({ programs, ops, faults, coverage, raw, canary, digest, valid, quarantined }: CampaignResult) {
  return { programs, ops, faults, coverage, raw, canary, digest, valid, quarantined };
}

export async function runOn(runner: Runner, setup: Setup, internals?: Internals): Promise<ReturnType<typeof lasting>> {
  const campaign = campaignOn(runner, setup, internals);
  try {
    await campaign.run();
    return lasting(campaign.result());
  } finally {
    await runner.destroy();
  }
}

export function runInPool(setup: Setup): Promise<ReturnType<typeof lasting>> {
  return runOn(new Pool(2), setup);
}

let campaigns = 0;

/** A runner with a campaign of its own. */
export function queueRunner(
  url: URL,
  notices: string[] = [],
  campaign = `t${process.pid}-${campaigns++}`,
): QueueRunner {
  return new QueueRunner({
    url,
    campaign,
    build: buildHash(),
    limit: 8,
    onNotice: (text) => notices.push(text),
  });
}
