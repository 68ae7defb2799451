// Runs a campaign out of its store, and keeps it there: whoever is killed goes on from what is kept.

import { Campaign, type Setup } from '../campaign/campaign.js';
import { Canaries, canariesFor } from '../campaign/canary.js';
import type { Internals } from '../campaign/options.js';
import type { Runner } from '../campaign/runner.js';
import type { CampaignResult, Progress } from '../campaign/types.js';
import type { Engine } from '../engine/engine.js';
import { ShortestSearch } from '../explore/minimal.js';
import type { Finding } from '../findings/finding.js';
import { findingJson } from '../report/json.js';
import { reportText } from '../report/text.js';
import type { CampaignConfig } from '../store/config.js';
import type { CampaignStore } from '../store/store.js';
import { takeWish } from './control.js';
import { Sorter } from './sorter.js';

const CONTROL_MS = 500;
const SAMPLE_MS = 2000;

export interface DriverOptions {
  readonly store: CampaignStore;
  readonly config: CampaignConfig;
  readonly engine: Engine;
  readonly runner: Runner;
  readonly threads: number;
  /** Ends the run soon; what is merged is kept. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress, findings: number) => void;
  /** Something to tell: a finding, a shard left out, a pause. */
  readonly onNote?: (text: string) => void;
  readonly internals?: Internals;
}

export interface Driven {
  readonly result: CampaignResult;
  /** The budget is spent: nothing is left to resume. */
  readonly done: boolean;
  readonly findings: number;
}

/** Throws what ends a campaign: NotDeterministicError, ShardsFailError, StoreFullError. The store says so too, if it can. */
export async function drive(options: DriverOptions): Promise<Driven> {
  const { store } = options;
  store.setState('running');
  try {
    return await new Driver(options).run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    try {
      store.setState('failed', reason);
    } catch {
      // A full disk takes no last words either; the error itself goes on.
    }
    throw error;
  }
}

/** Time that is left of the budget, in ms; undefined without one. */
export function timeLeft({ timeMs }: CampaignConfig, spentSeconds: number): number | undefined {
  return timeMs === undefined ? undefined : Math.max(0, timeMs - 1000 * spentSeconds);
}

class Driver {
  readonly #options: DriverOptions;
  readonly #campaign: Campaign;
  readonly #sorter: Sorter;
  readonly #timeMs: number | undefined;
  #quarantined: number;

  constructor(options: DriverOptions) {
    const { store, config, engine, runner, threads, internals = {} } = options;
    const { catalogue } = engine;
    this.#options = options;
    const resumed = store.resumed(config.kernels.length);
    const { state } = resumed;
    this.#timeMs = timeLeft(config, state?.seconds ?? 0);
    const setup: Setup = {
      kernels: config.kernels,
      arms: config.styles.flatMap((style) => config.kernels.map((_, lane) => ({ lane, style }))),
      seed: BigInt(config.seed),
      epochShards: config.epochShards,
      keepGoing: true,
      ...(config.programs !== undefined && { programs: config.programs }),
      // A budget that is spent still merges what came back.
      ...(this.#timeMs !== undefined && { timeMs: Math.max(1, this.#timeMs) }),
    };
    const canaries = new Canaries(catalogue, internals.canaries ?? canariesFor(config.kernels), state?.canaries);
    const journal = {
      arrived: store.arrived.bind(store),
      merged: store.merged.bind(store),
      found: (...found: Parameters<CampaignStore['found']>) => {
        store.found(...found);
        queueMicrotask(() => this.#sort());
      },
    };
    const parts = { catalogue, canaries, runner, threads, journal, resumed };
    this.#campaign = new Campaign(setup, parts, internals);
    this.#quarantined = state?.quarantined.length ?? 0;
    this.#sorter = new Sorter(
      engine,
      store,
      config,
      () => this.#campaign.progress().seconds,
      (lane, finding) => this.#onNew(lane, finding),
    );
  }

  async run(): Promise<Driven> {
    const { store, signal, runner } = this.#options;
    const interrupt = () => this.#campaign.interrupt();
    const timers = [
      setInterval(() => this.#guarded(() => this.#look()), CONTROL_MS),
      setInterval(() => this.#guarded(() => this.#sample()), SAMPLE_MS),
    ];
    signal.addEventListener('abort', interrupt);
    try {
      if (signal.aborted) interrupt();
      await this.#campaign.run();
      this.#sample();
      await this.#sorter.sort();
    } finally {
      for (const timer of timers) clearInterval(timer);
      signal.removeEventListener('abort', interrupt);
      await runner.destroy();
    }
    const result = this.#campaign.result();
    const { raw, ...rest } = result;
    store.set('result', rest);
    this.#sample();
    if (!result.interrupted) await this.#shorten();
    store.setState(result.interrupted ? 'stopped' : 'done');
    return { result, done: !result.interrupted, findings: this.#sorter.count };
  }

  #sort(): void {
    this.#sorter.sort().catch((error: unknown) => this.#campaign.fail(error));
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#campaign.fail(error);
    }
  }

  #note(kind: string, text: string): void {
    this.#options.store.event(kind, text);
    this.#options.onNote?.(text);
  }

  #onNew(lane: number, { slug, minimized, id }: Finding): void {
    const kernel = this.#options.config.kernels[lane]!.kernel;
    this.#note('finding', `${slug} on ${kernel} (${id}): ${minimized}`);
  }

  /** Twice a second: wishes from outside, progress, shards that were left out. */
  #look(): void {
    const { store, onProgress } = this.#options;
    const wanted = takeWish(store.path);
    if (wanted === 'stop') this.#campaign.interrupt();
    else if (wanted && (wanted === 'pause') !== this.#campaign.paused) {
      this.#campaign.pause(wanted === 'pause');
      store.setState(wanted === 'pause' ? 'paused' : 'running');
      this.#note('control', wanted === 'pause' ? 'paused' : 'goes on');
    }
    const { quarantined } = this.#campaign.result();
    for (const { shard, message } of quarantined.slice(this.#quarantined))
      this.#note('quarantine', `shard ${shard} left out: ${message}`);
    this.#quarantined = quarantined.length;
    onProgress?.(this.#campaign.progress(), this.#sorter.count);
  }

  #sample(): void {
    const { store, runner } = this.#options;
    store.sample(this.#campaign.progress(), this.#sorter.count);
    store.workers(runner.workers());
  }

  /** Each finding by a shortest program where there is one; those that became one are told once. */
  async #shorten(): Promise<void> {
    const { engine, store, onNote, signal } = this.#options;
    const search = new ShortestSearch(engine);
    for (const [lane, findings] of this.#sorter.findings.entries()) {
      const seen = new Set<string>();
      if (findings.length > 0) onNote?.(`looking for shortest programs of ${findings.length} findings`);
      for (const [i, finding] of findings.entries()) {
        if (signal.aborted) return;
        const short = search.finding(finding);
        const json = seen.has(short.id) ? undefined : findingJson(engine, short);
        store.finish(lane, this.#sorter.place(lane, i), json, reportText(engine, short.diagnosis, short.shortest));
        seen.add(short.id);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}
