// The state of a running campaign: hands out shards in order, merges their results in the same order.
import { createHash } from 'node:crypto';
import type { Catalogue } from '../engine/catalogue.js';
import type { Knowledge, Work } from '../engine/fuzzer.js';
import type { KernelSpec } from '../engine/types.js';
import type { Canaries } from './canary.js';
import { ShardsFailError } from './errors.js';
import { type Back, Jobs } from './jobs.js';
import { Lane } from './lane.js';
import type { Internals } from './options.js';
import { type Shard, shardsOf } from './plan.js';
import { Planner } from './planner.js';
import type { Arm } from './rotation.js';
import type { Runner } from './runner.js';
import type { Journal, Outcome, Planned, Resumed } from './state.js';
import type { CampaignResult, CoverageReport, Progress, Quarantined, RawFinding, ReachedReport } from './types.js';

/** After the deadline, shards that have begun may end within so many ms. */
const GRACE_MS = 400;
/** If so many shards in a row cannot be run, none can. */
const MOST_LOST_IN_A_ROW = 4;

export interface Setup {
  readonly kernels: readonly KernelSpec[];
  readonly arms: readonly Arm[];
  readonly seed: bigint;
  /** Budgets, of which at least one ends the campaign; time is active time of this run. */
  readonly programs?: number;
  readonly timeMs?: number;
  readonly keepGoing: boolean;
  /** Shards of an epoch: what is learned in one is used two later, so at most three of them run at once. */
  readonly epochShards?: number;
  readonly onRawFinding?: (finding: RawFinding) => void | Promise<void>;
}

export interface Parts {
  readonly catalogue: Catalogue;
  readonly canaries: Canaries;
  readonly runner: Runner;
  readonly threads: number;
  readonly journal?: Journal;
  readonly resumed?: Resumed;
}

export class Campaign {
  readonly #setup: Setup;
  readonly #parts: Parts;
  readonly #lanes: readonly Lane[];
  readonly #planner: Planner;
  readonly #jobs: Jobs;
  readonly #start = performance.now();
  readonly #before: { readonly seconds: number; readonly work: Work };
  readonly #quarantined: Quarantined[];
  readonly #raw: RawFinding[] = [];
  /** Results that wait for their turn, by shard. */
  readonly #arrived = new Map<number, Back>();
  /** Of the epoch being merged. */
  #shards: readonly Shard[] = [];
  #news = 0;
  #ran = 0;
  #workBefore: Work;
  #merged = 0;
  #epoch: number;
  #digest: string;
  #rawBefore: number;
  #lostInARow = 0;
  #reported: Promise<void> = Promise.resolve();
  #wake: (() => void)[] = [];
  #paused = false;
  /** No new shard starts. */
  #ending = false;
  /** Nothing is merged any more. */
  #closed = false;
  #interrupted = false;
  /** When nothing ran any more. */
  #ended: number | undefined;
  #error: unknown;

  constructor(setup: Setup, parts: Parts, internals: Internals = {}) {
    const { catalogue, resumed } = parts;
    const state = resumed?.state;
    this.#setup = setup;
    this.#parts = parts;
    this.#lanes = setup.kernels.map((spec, i) => new Lane(catalogue, i, spec, resumed?.lanes[i]));
    this.#planner = new Planner(this.#lanes, setup.arms, setup, resumed);
    this.#jobs = new Jobs(parts.runner, setup.seed, parts.canaries, internals);
    this.#before = { seconds: state?.seconds ?? 0, work: state?.work ?? { programs: 0, ops: 0, faults: 0 } };
    this.#quarantined = [...(state?.quarantined ?? [])];
    this.#digest = state?.digest ?? '';
    this.#merged = state?.shards ?? 0;
    this.#rawBefore = state?.raw ?? 0;
    this.#epoch = (state?.epoch ?? -1) + 1;
    this.#workBefore = this.#work();
    for (const [shard, outcome] of resumed?.arrived ?? []) this.#arrived.set(shard, outcome);
  }

  async run(): Promise<void> {
    const { timeMs } = this.#setup;
    const timers = timeMs === undefined ? [] : this.#deadline(timeMs);
    const underway = new Set<Promise<void>>();
    try {
      this.#mergeArrived();
      for (let epoch = this.#epoch; ; epoch++) {
        const planned = await this.#awaitPlan(epoch);
        if (!planned) break;
        for (const shard of shardsOf(planned.plan)) {
          if (shard.index < this.#merged || this.#arrived.has(shard.index)) continue;
          if (!(await this.#clear())) break;
          const done = this.#dispatch(shard, planned.knowledge)
            .catch((error: unknown) => this.#fail(error))
            .finally(() => underway.delete(done));
          underway.add(done);
        }
      }
      await Promise.all(underway);
      await this.#reported;
    } catch (error) {
      this.#fail(error);
    } finally {
      for (const timer of timers) clearTimeout(timer);
      this.#ended = performance.now();
    }
    if (this.#error !== undefined) throw this.#error;
  }

  /** Ends soon, with what is merged by now. */
  interrupt(): void {
    this.#interrupted = true;
    this.#parts.runner.stop('canary');
    this.#end(true);
  }

  /** Ends soon, and `run` throws `error`. */
  fail(error: unknown): void {
    this.#fail(error);
  }

  /** Nothing new starts until it goes on. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#awake();
  }

  get paused(): boolean {
    return this.#paused;
  }

  progress(): Progress {
    const { programs, timeMs } = this.#setup;
    const { work: before } = this.#before;
    const here = this.#parts.runner.work();
    const work = {
      programs: before.programs + here.programs,
      ops: before.ops + here.ops,
      faults: before.faults + here.faults,
    };
    const spent = [programs ? work.programs / programs : 0, timeMs ? (performance.now() - this.#start) / timeMs : 0];
    return {
      ...work,
      seconds: this.#seconds(),
      epoch: this.#epoch,
      coverage: this.#coverage(),
      raw: this.#rawBefore + this.#raw.length,
      canary: this.#parts.canaries.report,
      fraction: Math.min(1, Math.max(...spent)),
    };
  }

  /** Coverage and work of each kernel, in the order of the options. */
  lanes(): readonly { readonly work: Work; readonly coverage: CoverageReport }[] {
    return this.#lanes.map((lane) => ({ work: lane.work, coverage: lane.coverage() }));
  }

  /** `raw`: of this run alone. */
  result(): CampaignResult {
    const canary = this.#parts.canaries.report;
    return {
      ...this.#work(),
      seconds: this.#seconds(),
      workers: this.#parts.threads,
      coverage: this.#coverage(),
      raw: this.#raw,
      canary,
      digest: this.#digest.slice(0, 16),
      valid: canary.found,
      interrupted: this.#interrupted,
      quarantined: this.#quarantined,
    };
  }

  /** Of all its kernels. */
  reached(): ReachedReport {
    const corpus = this.#lanes.flatMap(({ learned }) => learned.state.corpus.map(({ words }) => words));
    return { points: this.#points(), corpus };
  }

  #deadline(timeMs: number): NodeJS.Timeout[] {
    const stop = () => {
      this.#parts.runner.stop('canary');
      this.#end(true);
    };
    return [setTimeout(() => this.#end(false), timeMs), setTimeout(stop, timeMs + GRACE_MS)];
  }

  #end(abandon: boolean): void {
    this.#ending = true;
    if (abandon) this.#parts.runner.stop('shard');
    this.#awake();
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    this.#parts.runner.stop('canary');
    this.#end(true);
  }

  #awake(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  /** Is there room for a shard? false: nothing shall start any more. */
  async #clear(): Promise<boolean> {
    await this.#parts.runner.room();
    while (this.#paused && !this.#ending) await this.#sleep();
    return !this.#ending;
  }

  /** The plan of an epoch, as soon as what it depends on is merged; undefined if nothing shall start any more. */
  async #awaitPlan(epoch: number): Promise<Planned | undefined> {
    while (!this.#ending) {
      const planned = this.#planner.epoch(epoch);
      if (planned || this.#planner.spent) return planned;
      await this.#sleep();
    }
    return undefined;
  }

  async #dispatch(shard: Shard, knowledge: Knowledge): Promise<void> {
    const merged = this.#jobs.shard(shard, this.#lanes[shard.lane]!, knowledge).then((outcome) => {
      if (outcome.kind !== 'stopped') this.#parts.journal?.arrived(shard.index, outcome);
      this.#arrived.set(shard.index, outcome);
      this.#mergeArrived();
    });
    await Promise.all([merged, ...(shard.canary ? this.#jobs.canaries(shard) : [])]);
  }

  #mergeArrived(): void {
    while (!this.#closed && this.#error === undefined) {
      const planned = this.#planner.epoch(this.#epoch);
      if (!planned) return;
      if (this.#shards.length === 0) this.#shards = shardsOf(planned.plan);
      const shard = this.#shards[this.#merged - planned.plan.first]!;
      const outcome = this.#arrived.get(shard.index);
      // Whoever was stopped leaves a gap that ends the campaign: only an unbroken row of shards counts.
      if (!outcome || outcome.kind === 'stopped') return;
      this.#arrived.delete(shard.index);
      this.#merge(shard, outcome);
      this.#merged++;
      if (this.#merged === planned.plan.first + this.#shards.length) this.#mergeEpoch(planned, shard.closesEpoch);
    }
  }

  /** `whole`: no shard is missing at its end. */
  #mergeEpoch(planned: Planned, whole: boolean): void {
    const { plan } = planned;
    this.#epoch++;
    this.#planner.merged(planned, this.#news);
    const lane = this.#lanes[plan.lane]!;
    const total = this.#work();
    const before = this.#workBefore;
    const work = {
      programs: total.programs - before.programs,
      ops: total.ops - before.ops,
      faults: total.faults - before.faults,
    };
    const state = {
      epoch: plan.epoch,
      shards: this.#merged,
      digest: this.#digest,
      work: total,
      raw: this.#rawBefore + this.#raw.length,
      ...this.#planner.state,
      canaries: this.#parts.canaries.state,
      quarantined: [...this.#quarantined],
      seconds: this.#seconds(),
    };
    const merged = { plan, shards: this.#ran, work, news: this.#news, planned: this.#planner.ahead };
    this.#parts.journal?.merged(state, { index: lane.index, state: lane.state }, merged);
    this.#shards = [];
    this.#news = 0;
    this.#ran = 0;
    this.#workBefore = total;
    if (whole && this.#raw.length > 0 && !this.#setup.keepGoing) {
      this.#closed = true;
      this.#end(true);
    }
    this.#awake();
  }

  #merge(shard: Shard, outcome: Outcome): void {
    if (outcome.kind === 'trapped') {
      this.#quarantined.push({ shard: shard.index, message: outcome.message });
      if (++this.#lostInARow === MOST_LOST_IN_A_ROW) throw new ShardsFailError(MOST_LOST_IN_A_ROW, outcome.message);
      return;
    }
    this.#lostInARow = 0;
    this.#ran++;
    const line = `${this.#digest} ${shard.index} ${outcome.digest} ${outcome.work.programs}\n`;
    this.#digest = createHash('sha256').update(line).digest('hex');
    const { raw, news } = this.#lanes[shard.lane]!.merge(shard.index, outcome);
    this.#news += news;
    for (const finding of raw) this.#report(finding);
  }

  #report(finding: RawFinding): void {
    this.#parts.journal?.found(this.#rawBefore + this.#raw.length, finding);
    this.#raw.push(finding);
    const { onRawFinding } = this.#setup;
    if (!onRawFinding) return;
    this.#reported = this.#reported
      .then(async () => {
        if (this.#error === undefined) await onRawFinding(finding);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #work(): Work {
    const sum = { programs: 0, ops: 0, faults: 0 };
    for (const { work } of this.#lanes) {
      sum.programs += work.programs;
      sum.ops += work.ops;
      sum.faults += work.faults;
    }
    return sum;
  }

  /** Handler points that any kernel reached; states of the kernel that has most. */
  #coverage(): CoverageReport {
    const { points } = this.#parts.catalogue;
    return {
      points: this.#points().length,
      pointsTotal: points.length,
      states: Math.max(...this.#lanes.map(({ learned }) => learned.states())),
    };
  }

  #points(): number[] {
    const ids = this.#parts.catalogue.points.map(({ id }) => id);
    return ids.filter((id) => this.#lanes.some(({ learned }) => learned.reached(id)));
  }

  #seconds(): number {
    return this.#before.seconds + ((this.#ended ?? performance.now()) - this.#start) / 1000;
  }
}
