// The state of a running campaign: hands out shards in order, merges their results in the same order.
import { createHash } from 'node:crypto';
import type { Catalogue, KnobVector } from '../engine/catalogue.js';
import type { Knowledge } from '../engine/fuzzer.js';
import { CANARY_PROGRAMS, type Canaries } from './canary.js';
import { NotDeterministicError } from './errors.js';
import { Merged } from './merged.js';
import type { Internals } from './options.js';
import { planShards, type Shard } from './plan.js';
import type { Pool } from './pool.js';
import { type ShardResult, Shared, type Stopped, type Trapped } from './task.js';
import type { CampaignOptions, CampaignResult, Progress, Quarantined, RawFinding } from './types.js';

/** After the deadline, shards that have begun may end within so many ms. */
const GRACE_MS = 400;

interface Parts {
  readonly seed: bigint;
  readonly vector: KnobVector;
  readonly catalogue: Catalogue;
  readonly canaries: Canaries;
  readonly pool: Pool;
}

type Outcome = ShardResult | Stopped | Trapped;

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #internals: Internals;
  readonly #parts: Parts;
  readonly #shards = new Shared();
  readonly #canaries = new Shared();
  readonly #merged: Merged;
  readonly #start = performance.now();
  readonly #hash = createHash('sha256');
  readonly #quarantined: Quarantined[] = [];
  /** Results that wait for their turn, by shard. */
  readonly #arrived = new Map<number, { readonly shard: Shard; readonly outcome: Outcome }>();
  #next = 0;
  #reported: Promise<void> = Promise.resolve();
  #closed: (() => void) | undefined;
  /** No new shard starts. */
  #ending = false;
  #interrupted = false;
  #error: unknown;

  constructor(options: CampaignOptions, internals: Internals, parts: Parts) {
    this.#options = options;
    this.#internals = internals;
    this.#parts = parts;
    this.#merged = new Merged(parts.catalogue);
  }

  async run(): Promise<void> {
    const { programs, timeMs } = this.#options;
    const timers = timeMs === undefined ? [] : this.#deadline(timeMs);
    const underway = new Set<Promise<void>>();
    try {
      for (const shard of planShards(programs)) {
        await this.#parts.pool.room();
        const knowledge = await this.#knowledge(shard.epoch);
        if (!knowledge) break;
        const done = this.#dispatch(shard, knowledge)
          .catch((error: unknown) => this.#fail(error))
          .finally(() => underway.delete(done));
        underway.add(done);
      }
      await Promise.all(underway);
      await this.#reported;
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
    if (this.#error !== undefined) throw this.#error;
  }

  /** Ends soon, with what is merged by now. */
  interrupt(): void {
    this.#interrupted = true;
    this.#canaries.stop();
    this.#end(true);
  }

  progress(): Progress {
    const { programs, timeMs } = this.#options;
    const seconds = this.#seconds();
    const work = this.#shards.work();
    const spent = [programs ? work.programs / programs : 0, timeMs ? (1000 * seconds) / timeMs : 0];
    return {
      ...work,
      seconds,
      epoch: this.#merged.epoch,
      coverage: this.#merged.coverage(),
      raw: this.#merged.raw.length,
      fraction: Math.min(1, Math.max(...spent)),
    };
  }

  result(): CampaignResult {
    const canary = this.#parts.canaries.report;
    return {
      ...this.#merged.work,
      seconds: this.#seconds(),
      workers: this.#options.workers,
      coverage: this.#merged.coverage(),
      raw: this.#merged.raw,
      canary,
      digest: this.#hash.copy().digest('hex').slice(0, 16),
      valid: canary.found,
      interrupted: this.#interrupted,
      quarantined: this.#quarantined,
    };
  }

  #deadline(timeMs: number): NodeJS.Timeout[] {
    const stop = () => {
      this.#canaries.stop();
      this.#end(true);
    };
    return [setTimeout(() => this.#end(false), timeMs), setTimeout(stop, timeMs + GRACE_MS)];
  }

  #end(abandon: boolean): void {
    this.#ending = true;
    if (abandon) this.#shards.stop();
    this.#closed?.();
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    this.#canaries.stop();
    this.#end(true);
  }

  /** What a shard of `epoch` starts from, as soon as it is merged; undefined if nothing shall start any more. */
  async #knowledge(epoch: number): Promise<Knowledge | undefined> {
    while (!this.#ending) {
      const found = this.#merged.knowledge(epoch);
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
    }
    return undefined;
  }

  async #dispatch(shard: Shard, knowledge: Knowledge): Promise<void> {
    const runs = [this.#shard(shard, knowledge, false)];
    if (shard.twin) runs.push(this.#shard(shard, knowledge, true));
    const merged = Promise.all(runs).then(([outcome, twin]) => {
      if (outcome!.kind === 'shard' && twin) this.#compare(shard, outcome!, twin);
      this.#arrived.set(shard.index, { shard, outcome: outcome! });
      this.#mergeArrived();
    });
    await Promise.all([merged, ...(shard.canary ? this.#canary(shard) : [])]);
  }

  async #shard({ index, programs }: Shard, knowledge: Knowledge, again: boolean): Promise<Outcome> {
    const { seed, vector, pool } = this.#parts;
    const { trap, wrongDigest } = this.#internals;
    const result = await pool.run((attempt) => ({
      kind: 'shard',
      vector,
      seed,
      shard: index,
      programs,
      strategy: this.#options.strategy,
      shared: this.#shards.buffer,
      knowledge,
      counted: !again,
      ...(again && wrongDigest === index && { fault: 'digest' }),
      ...(trap?.shard === index && attempt < trap.times && { fault: 'trap' }),
    }));
    if (result.kind === 'canary') throw new Error(`shard ${index} came back as a canary`);
    return result;
  }

  #canary({ index }: Shard): Promise<void>[] {
    const { seed, canaries, pool } = this.#parts;
    return canaries.due().map(async ({ canary, report }) => {
      const { vector, invariant } = canary;
      const { strategy } = this.#options;
      const shared = this.#canaries.buffer;
      const programs = CANARY_PROGRAMS;
      const result = await pool.run(() => ({
        kind: 'canary',
        vector,
        seed,
        shard: index,
        programs,
        strategy,
        shared,
        invariant,
      }));
      if (result.kind === 'canary') report(result);
    });
  }

  #compare({ index }: Shard, first: ShardResult, second: Outcome): void {
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
    for (;;) {
      const arrived = this.#arrived.get(this.#next);
      // Whoever was stopped leaves a gap that ends the campaign: only an unbroken row of shards counts.
      if (!arrived || arrived.outcome.kind === 'stopped' || this.#error !== undefined) return;
      this.#arrived.delete(this.#next++);
      this.#merge(arrived.shard, arrived.outcome);
      if (!arrived.shard.closesEpoch) continue;
      if (this.#merged.raw.length > 0 && !this.#options.keepGoing) {
        this.#end(true);
        this.#next = Number.POSITIVE_INFINITY;
      }
      this.#closed?.();
    }
  }

  #merge(shard: Shard, outcome: ShardResult | Trapped): void {
    if (outcome.kind === 'trapped') {
      this.#quarantined.push({ shard: shard.index, message: outcome.message });
      this.#merged.merge(shard, undefined);
      return;
    }
    this.#hash.update(`${shard.index} ${outcome.digest} ${outcome.work.programs}\n`);
    for (const failure of outcome.failures) {
      const finding = this.#merged.find(shard, failure);
      if (finding) this.#tell(finding);
    }
    this.#merged.merge(shard, outcome);
  }

  #tell(finding: RawFinding): void {
    const { onRawFinding } = this.#options;
    if (!onRawFinding) return;
    this.#reported = this.#reported
      .then(async () => {
        if (this.#error === undefined) await onRawFinding(finding);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }
}
