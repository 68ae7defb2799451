// The runner of many machines: jobs go to a queue of BullMQ, results come back through a list. Redis holds nothing that
// could not be made again: what it loses is added once more, and a result that comes twice counts once.
import { setTimeout as wait } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Runner, WorkerState } from '../campaign/runner.js';
import type { Job, Stopped, TaskResult } from '../campaign/task.js';
import type { Work } from '../engine/fuzzer.js';
import { UsageError } from '../errors.js';
import { Malformed, plain } from './check.js';
import { Connection, keepBeating } from './connection.js';
import { Crew } from './crew.js';
import { BUILD, CAMPAIGN_NAME, jobKey, PREFIX, queueName, resultsKey } from './keys.js';
import { Limits, MOST_BYTES } from './limits.js';
import { jobId, type Payload, payloadOf } from './payload.js';
import { type Answer, splitAnswer, unpackAnswer } from './result.js';
import { KnowledgeStore } from './store.js';

export interface QueueOptions {
  /** As `checkQueueUrl` returned it. */
  readonly url: URL;
  /** Letters, digits, - and _; the same after a restart. */
  readonly campaign: string;
  /** `buildHash()`. */
  readonly build: string;
  /** Jobs under way. */
  readonly limit: number;
  readonly onNotice?: (text: string) => void;
}

/** How often it is looked for results that no bell announced, and for jobs that Redis lost. */
const LOOK_MS = 200;
const SWEEP_MS = 1000;
/** Results, and jobs asked about, of one command. */
const TAKE = 64;
const EXISTS = 100;
const CLOSING_MS = 2000;
const KEEP_NOTHING = { removeOnComplete: true, removeOnFail: true } as const;

interface Waiting {
  readonly id: string;
  readonly job: Job;
  readonly payload: Payload;
  /** '' for a canary. */
  readonly knowledge: string;
  /** When it was added, by the clock of this process; undefined before. */
  since?: number;
  /** Sweeps in a row that did not find it. */
  missed: number;
  readonly resolve: (result: TaskResult) => void;
}

export class QueueRunner implements Runner {
  readonly #options: QueueOptions;
  readonly #limits = new Limits();
  readonly #connection: Connection;
  /** Hears the bell, and can do nothing else. */
  readonly #ear: Connection;
  readonly #store: KnowledgeStore;
  readonly #crew: Crew;
  readonly #queue: Promise<Queue>;
  readonly #timers: NodeJS.Timeout[];
  readonly #waiting = new Map<string, Waiting>();
  /** Came back before anybody asked: a driver that was here before us left them. */
  readonly #early = new Map<string, Buffer>();
  readonly #stopped = new Set<Job['kind']>();
  readonly #rooms: (() => void)[] = [];
  #adding: Waiting[] = [];
  #underway = 0;
  #looking: Promise<void> | undefined;
  #work: Work = { programs: 0, ops: 0, faults: 0 };
  #troubled = false;
  #closing = false;

  /** Throws UsageError for a name or a build that is none. Connects on its own; `room` tells if that is refused. */
  constructor(options: QueueOptions) {
    const { url, campaign, build, onNotice = () => {} } = options;
    if (!CAMPAIGN_NAME.test(campaign))
      throw new UsageError(`campaign "${plain(campaign)}": a name has letters, digits, - and _, at most 64`);
    if (!BUILD.test(build)) throw new UsageError(`build "${plain(build)}": expected 8 to 64 hex digits`);
    this.#options = options;
    this.#connection = new Connection(url, `breakcow-${campaign}`, { away: onNotice, back: onNotice });
    this.#ear = new Connection(url, `breakcow-${campaign}-ear`, { away() {}, back() {} });
    this.#store = new KnowledgeStore(this.#connection, campaign);
    this.#crew = new Crew(this.#connection, campaign, build, onNotice);
    this.#queue = this.#connection.ready.then(() => this.#open());
    this.#queue.catch(() => {});
    const ear = this.#ear.redis;
    ear.on('message', () => this.#look());
    ear.subscribe(resultsKey(campaign)).catch(() => {});
    let sweeping = false;
    const sweep = () => {
      if (sweeping || this.#waiting.size === 0) return;
      sweeping = true;
      this.#sweep()
        .catch(() => {})
        .finally(() => {
          sweeping = false;
        });
    };
    this.#timers = [
      setInterval(() => this.#waiting.size > 0 && this.#look(), LOOK_MS),
      setInterval(sweep, SWEEP_MS),
      keepBeating(() => this.#crew.look(this.#waiting.size > 0)),
    ];
  }

  async room(): Promise<void> {
    await this.#queue;
    while (this.#underway >= this.#options.limit && !this.#closing)
      await new Promise<void>((resolve) => this.#rooms.push(resolve));
  }

  async run(job: (attempt: number) => Job): Promise<TaskResult> {
    this.#underway++;
    try {
      const first = await this.#attempt(job(0), 0);
      return first.kind === 'trapped' ? await this.#attempt(job(1), 1) : first;
    } finally {
      this.#underway--;
      this.#rooms.shift()?.();
    }
  }

  /** Who runs such a job at the moment runs it to its end, for nothing: that takes less than to be told. */
  stop(kind: Job['kind']): void {
    this.#stopped.add(kind);
    const ended = [...this.#waiting.values()].filter(({ job }) => job.kind === kind);
    for (const waiting of ended) this.#settle(waiting, { kind: 'stopped' });
    this.#remove(ended.map(({ id }) => id)).catch(() => {});
  }

  work(): Work {
    return this.#work;
  }

  workers(): readonly WorkerState[] {
    return this.#crew.workers;
  }

  async destroy(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const left = [...this.#waiting.values()];
    for (const waiting of left) this.#settle(waiting, { kind: 'stopped' });
    const tidy = async () => {
      await this.#remove(left.map(({ id }) => id));
      await this.#store.clear();
      await this.#connection.redis.unlink(resultsKey(this.#options.campaign));
      await this.#crew.leave();
    };
    // What stays because Redis is away runs out there.
    await Promise.race([tidy().catch(() => {}), wait(CLOSING_MS, undefined, { ref: false })]);
    this.#closing = true;
    this.#connection.close();
    this.#ear.close();
    for (const go of this.#rooms.splice(0)) go();
  }

  async #open(): Promise<Queue> {
    const queue = new Queue(queueName(this.#options.build), {
      connection: this.#connection.redis,
      prefix: PREFIX,
      // Nobody reads the events of BullMQ.
      streams: { events: { maxLen: 100 } },
    });
    queue.on('error', () => {});
    await queue.waitUntilReady();
    // Results that an earlier driver of this campaign did not take any more.
    await this.#look();
    return queue;
  }

  async #attempt(job: Job, attempt: number): Promise<TaskResult> {
    const stopped: Stopped = { kind: 'stopped' };
    const { campaign } = this.#options;
    const knowledge = job.kind === 'shard' ? await this.#store.use(job.knowledge) : '';
    const queue = await this.#queue;
    if (this.#stopped.has(job.kind) || this.#closing) {
      this.#store.release(knowledge);
      return stopped;
    }
    const payload = payloadOf(campaign, job, knowledge);
    const id = jobId(payload, attempt);
    return await new Promise<TaskResult>((resolve) => {
      const waiting = { id, job, payload, knowledge, missed: 0, resolve };
      this.#waiting.set(id, waiting);
      const early = this.#early.get(id);
      this.#early.delete(id);
      if (early) this.#answered(waiting, early);
      else this.#add(queue, waiting);
    });
  }

  /** All jobs of one turn of the event loop in one go. */
  #add(queue: Queue, waiting: Waiting): void {
    this.#adding.push(waiting);
    if (this.#adding.length === 1) setImmediate(() => this.#addAll(queue));
  }

  #addAll(queue: Queue): void {
    const batch = this.#adding;
    this.#adding = [];
    this.#insist(async () => {
      for (const hash of new Set(batch.map(({ knowledge }) => knowledge))) await this.#store.stored(hash);
      const left = batch.filter(({ id }) => this.#waiting.has(id));
      // Adding what is there already changes nothing.
      await queue.addBulk(
        left.map(({ id, job, payload }) => ({ name: job.kind, data: payload, opts: { jobId: id, ...KEEP_NOTHING } })),
      );
      for (const waiting of left) waiting.since = performance.now();
    });
  }

  /** Again and again until it works: what it does is harmless when done twice. */
  async #insist(step: () => Promise<void>): Promise<void> {
    for (let pause = 100; !this.#closing; pause = Math.min(2 * pause, 2000)) {
      try {
        await step();
        this.#troubled = false;
        return;
      } catch (error) {
        if (!this.#troubled && !this.#closing) {
          const message = error instanceof Error ? error.message : String(error);
          this.#options.onNotice?.(`${this.#connection.place}: ${plain(message)}: trying again`);
        }
        this.#troubled = true;
        await wait(pause, undefined, { ref: false });
      }
    }
  }

  #look(): Promise<void> {
    this.#looking ??= this.#takeAll()
      .catch(() => {})
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #takeAll(): Promise<void> {
    for (;;) {
      const found = await this.#connection.take(this.#options.campaign, TAKE, MOST_BYTES);
      for (const bytes of found) this.#came(bytes);
      if (found.length < TAKE) return;
    }
  }

  #came(bytes: Buffer): void {
    let id: string;
    let packed: Buffer;
    try {
      ({ id, packed } = splitAnswer(bytes));
    } catch {
      // Whoever sent it, nobody waits for it.
      this.#crew.complain('a result without the id of a job');
      return;
    }
    const waiting = this.#waiting.get(id);
    if (waiting) this.#answered(waiting, packed);
    else if (id.startsWith(`${this.#options.campaign}.`)) {
      this.#early.set(id, packed);
      const [oldest] = this.#early.keys();
      if (this.#early.size > 2 * this.#options.limit + TAKE) this.#early.delete(oldest!);
    }
  }

  #answered(waiting: Waiting, packed: Buffer): void {
    let answer: Answer;
    try {
      answer = unpackAnswer(packed, waiting.job, this.#limits);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#crew.complain(`the result of ${waiting.id} is not valid: ${error.message}`);
      answer = { kind: 'trapped', message: `its result is not valid: ${error.message}` };
    }
    // Found missing by the next sweep, which adds it again.
    if (answer.kind === 'unknowing' || answer.kind === 'stopped') return;
    const { job } = waiting;
    if (answer.kind === 'shard' && job.kind === 'shard' && job.counted) {
      const { programs, ops, faults } = this.#work;
      const { work } = answer;
      this.#work = { programs: programs + work.programs, ops: ops + work.ops, faults: faults + work.faults };
    }
    this.#settle(waiting, answer);
  }

  #settle(waiting: Waiting, result: TaskResult): void {
    this.#waiting.delete(waiting.id);
    this.#store.release(waiting.knowledge);
    waiting.resolve(result);
  }

  /** Adds again what Redis lost: a job that is neither there nor has come back, twice in a row. */
  async #sweep(): Promise<void> {
    const queue = await this.#queue;
    await this.#store.refresh();
    const { redis } = this.#connection;
    const key = ({ id }: Waiting) => jobKey(this.#options.build, id);
    const old = performance.now() - SWEEP_MS;
    const asked = [...this.#waiting.values()].filter(({ since }) => since !== undefined && since < old);
    for (let first = 0; first < asked.length; first += EXISTS) {
      const some = asked.slice(first, first + EXISTS);
      const count = await redis.exists(...some.map(key));
      for (const waiting of some) {
        const there = count === some.length || (await redis.exists(key(waiting))) === 1;
        waiting.missed = there ? 0 : waiting.missed + 1;
      }
    }
    await this.#look();
    for (const waiting of asked) {
      if (waiting.missed < 2 || !this.#waiting.has(waiting.id)) continue;
      waiting.missed = 0;
      delete waiting.since;
      this.#add(queue, waiting);
    }
  }

  async #remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const queue = await this.#queue;
    await Promise.all(ids.map((id) => queue.remove(id)));
  }
}
