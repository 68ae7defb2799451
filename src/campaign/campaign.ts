// The state of a running campaign: hands out shards in order, merges their results in the same order.
import { createHash } from 'node:crypto';
import type { Catalogue } from '../engine/catalogue.js';
import { type Knowledge, NO_FOCUS, type Work } from '../engine/fuzzer.js';
import type { KernelSpec } from '../engine/types.js';
import { CANARY_PROGRAMS, type Canaries } from './canary.js';
import { NotDeterministicError, ShardsFailError } from './errors.js';
import { Lane } from './lane.js';
import type { Internals } from './options.js';
import { EPOCH_SHARDS, LAG, type Shard, shardPrograms, shardsOf } from './plan.js';
import { type Arm, Rotation } from './rotation.js';
import type { Runner } from './runner.js';
import type { Journal, Outcome, Planned, Resumed } from './state.js';
import type { Job, ShardResult, Stopped } from './task.js';
import type { CampaignResult, CoverageReport, Progress, Quarantined, RawFinding } from './types.js';

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

type Back = Outcome | Stopped;

export class Campaign {
  readonly #setup: Setup;
  readonly #internals: Internals;
  readonly #parts: Parts;
  readonly #lanes: readonly Lane[];
  readonly #rotation: Rotation;
  readonly #start = performance.now();
  readonly #before: { readonly seconds: number; readonly work: Work };
  readonly #quarantined: Quarantined[];
  readonly #raw: RawFinding[] = [];
  /** Results that wait for their turn, by shard. */
  readonly #arrived = new Map<number, Back>();
  /** Planned and not merged, by epoch. */
  readonly #planned = new Map<number, Planned>();
  /** Of the epoch being merged. */
  #shards: readonly Shard[] = [];
  #news = 0;
  #ran = 0;
  #workBefore: Work;
  #merged = 0;
  #epoch: number;
  #nextEpoch: number;
  #nextShard: number;
  #left: number | undefined;
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
  #error: unknown;

  constructor(setup: Setup, parts: Parts, internals: Internals = {}) {
    const { catalogue, resumed } = parts;
    const state = resumed?.state;
    this.#setup = setup;
    this.#internals = internals;
    this.#parts = parts;
    this.#lanes = setup.kernels.map((spec, i) => new Lane(catalogue, i, spec, resumed?.lanes[i]));
    this.#rotation = new Rotation(setup.arms, state?.rotation);
    this.#before = { seconds: state?.seconds ?? 0, work: state?.work ?? { programs: 0, ops: 0, faults: 0 } };
    this.#quarantined = [...(state?.quarantined ?? [])];
    this.#digest = state?.digest ?? '';
    this.#merged = state?.shards ?? 0;
    this.#rawBefore = state?.raw ?? 0;
    this.#left = state ? state.left : setup.programs;
    this.#epoch = (state?.epoch ?? -1) + 1;
    this.#nextEpoch = state?.nextEpoch ?? 0;
    this.#nextShard = state?.nextShard ?? 0;
    this.#workBefore = this.#work();
    for (const planned of resumed?.planned ?? []) this.#planned.set(planned.plan.epoch, planned);
    for (const [shard, outcome] of resumed?.arrived ?? []) this.#arrived.set(shard, outcome);
    if (!state) for (let i = 0; i < LAG; i++) this.#plan();
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
      const planned = this.#planned.get(epoch);
      if (planned || this.#spent()) return planned;
      await this.#sleep();
    }
    return undefined;
  }

  #spent(): boolean {
    return this.#left !== undefined && this.#left <= 0;
  }

  /** Plans the next epoch with what is known now. */
  #plan(): void {
    if (this.#spent()) return;
    const arm = this.#rotation.next();
    const { lane: index, style } = this.#rotation.arms[arm]!;
    const lane = this.#lanes[index]!;
    const size = shardPrograms(lane.age++);
    const shards = this.#setup.epochShards ?? EPOCH_SHARDS;
    const programs = Math.min(shards * size, this.#left ?? Number.POSITIVE_INFINITY);
    const plan = { epoch: this.#nextEpoch++, arm, lane: index, style, first: this.#nextShard, shards, programs, size };
    this.#nextShard += Math.ceil(programs / size);
    if (this.#left !== undefined) this.#left -= programs;
    this.#planned.set(plan.epoch, { plan, knowledge: lane.learned.snapshot() });
  }

  async #dispatch(shard: Shard, knowledge: Knowledge): Promise<void> {
    const runs = [this.#shard(shard, knowledge, false)];
    if (shard.twin) runs.push(this.#shard(shard, knowledge, true));
    const merged = Promise.all(runs).then(([outcome, twin]) => {
      if (outcome!.kind === 'shard' && twin) this.#compare(shard, outcome!, twin);
      if (outcome!.kind !== 'stopped') this.#parts.journal?.arrived(shard.index, outcome!);
      this.#arrived.set(shard.index, outcome!);
      this.#mergeArrived();
    });
    await Promise.all([merged, ...(shard.canary ? this.#canary(shard) : [])]);
  }

  async #shard({ index, epoch, lane, style, programs }: Shard, knowledge: Knowledge, again: boolean): Promise<Back> {
    const { fault, wrongDigest } = this.#internals;
    const { vector } = this.#lanes[lane]!;
    const { seed } = this.#setup;
    const result = await this.#parts.runner.run((attempt): Job => {
      return {
        kind: 'shard',
        vector,
        seed,
        shard: index,
        epoch,
        programs,
        strategy: style.strategy,
        focus: style.focus,
        knowledge,
        counted: !again,
        ...(again && wrongDigest === index && { fault: 'digest' }),
        ...(fault?.shard === index && attempt < fault.times && { fault: fault.kind }),
      };
    });
    if (result.kind === 'canary') throw new Error(`shard ${index} came back as a canary`);
    return result;
  }

  #canary({ index, style: { strategy } }: Shard): Promise<void>[] {
    const { canaries, runner } = this.#parts;
    const { seed } = this.#setup;
    return canaries.due().map(async ({ canary, report }) => {
      const { vector, invariant } = canary;
      const job = { kind: 'canary', vector, seed, shard: index, strategy, invariant } as const;
      const result = await runner.run(() => ({ ...job, programs: CANARY_PROGRAMS, focus: NO_FOCUS }));
      if (result.kind === 'canary') report(result);
    });
  }

  #compare({ index }: Shard, first: ShardResult, second: Back): void {
    if (second.kind === 'stopped') return;
    const told = ({ digest, work, keys }: ShardResult) =>
      [
        digest.toString(16),
        work.programs,
        work.ops,
        work.faults,
        createHash('sha256').update(keys).digest('hex').slice(0, 8),
      ].join('/');
    const again = second.kind === 'trapped' ? second.message : told(second);
    if (told(first) !== again) throw new NotDeterministicError(index, told(first), again);
  }

  #mergeArrived(): void {
    while (!this.#closed && this.#error === undefined) {
      const planned = this.#planned.get(this.#epoch);
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
  #mergeEpoch({ plan }: Planned, whole: boolean): void {
    this.#rotation.brought(plan.arm, this.#news);
    this.#planned.delete(this.#epoch);
    this.#epoch++;
    this.#plan();
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
      rotation: this.#rotation.state,
      canaries: this.#parts.canaries.state,
      quarantined: [...this.#quarantined],
      left: this.#left,
      nextEpoch: this.#nextEpoch,
      nextShard: this.#nextShard,
      seconds: this.#seconds(),
    };
    const merged = { plan, shards: this.#ran, work, news: this.#news, planned: [...this.#planned.values()] };
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
      points: points.filter(({ id }) => this.#lanes.some(({ learned }) => learned.reached(id))).length,
      pointsTotal: points.length,
      states: Math.max(...this.#lanes.map(({ learned }) => learned.states())),
    };
  }

  #seconds(): number {
    return this.#before.seconds + (performance.now() - this.#start) / 1000;
  }
}
