// A worker process: BullMQ hands it jobs, a Pool runs them in threads, so that whatever they do, the event loop that
// renews their locks stays free.
import { availableParallelism, hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { type Job as QueueJob, UnrecoverableError, Worker } from 'bullmq';
import { Pool } from '../campaign/pool.js';
import type { Job } from '../campaign/task.js';
import type { Knowledge } from '../engine/fuzzer.js';
import { buildHash } from '../engine/load.js';
import { Malformed, plain } from './check.js';
import { Connection, keepBeating } from './connection.js';
import { needs, readable } from './crew.js';
import { knowledgeKey, PREFIX, queueName } from './keys.js';
import { unpackKnowledge } from './knowledge.js';
import { Limits, MOST_BYTES } from './limits.js';
import { type ParsedJob, parsePayload } from './payload.js';
import { type Answer, packAnswer } from './result.js';

/** A killed worker's jobs are retaken once their locks have run out and the next check has seen it: 8 to 14 s. */
const LOCK_MS = 8000;
const CHECK_MS = 3000;
/** A job that so many workers died of is given up. */
const MOST_STALLS = 5;
/** Epochs whose knowledge is at hand: three of each campaign run at once. */
const KNOWN = 12;
const FAILED_KEPT = 100;
/** The same trouble is told again after so long. */
const QUIET_MS = 10_000;

export type WorkerEvent = 'start' | 'away' | 'back' | 'refused' | 'foreign' | 'gave-up' | 'trouble' | 'closing' | 'end';

export interface WorkerSettings {
  /** As `checkQueueUrl` returned it. */
  readonly url: URL;
  readonly threads: number;
  readonly log: (event: WorkerEvent, text: string) => void;
  /** For tests: another build, faults that jobs ask for, how long a job may give no sign of life. */
  readonly build?: string;
  readonly faults?: boolean;
  readonly hungMs?: number;
}

/** Data that is no JSON becomes null, which is refused; BullMQ by itself would take the job again for ever. */
class CarefulWorker extends Worker {
  protected override createJob(data: Parameters<Worker['createJob']>[0], jobId: string) {
    try {
      JSON.parse(data.data);
    } catch {
      return super.createJob({ ...data, data: 'null' }, jobId);
    }
    return super.createJob(data, jobId);
  }
}

export class QueueWorker {
  readonly name = `${hostname().replace(/[^\w.-]/g, '-')}:${process.pid}`;
  readonly build: string;
  readonly #settings: WorkerSettings;
  readonly #limits = new Limits();
  readonly #connection: Connection;
  readonly #known = new Map<string, Promise<Knowledge | undefined>>();
  readonly #told = new Map<string, number>();
  readonly #foreign = new Set<string>();
  #pool: Pool | undefined;
  #worker: Worker | undefined;
  #beats: NodeJS.Timeout | undefined;
  #refused = 0;

  constructor(settings: WorkerSettings) {
    const { url, log } = settings;
    this.#settings = settings;
    this.build = settings.build ?? buildHash();
    this.#connection = new Connection(url, `breakcow-worker-${this.name}`, {
      away: (text) => log('away', text),
      back: (text) => log('back', text),
    });
  }

  get jobs(): number {
    return this.#pool?.workers()[0]?.jobs ?? 0;
  }
  get busy(): number {
    return this.#pool?.workers()[0]?.busy ?? 0;
  }
  get refused(): number {
    return this.#refused;
  }

  /** Takes jobs from now on. Throws UsageError if the server refuses us; waits while it is away. */
  async start(): Promise<void> {
    await this.#connection.ready;
    const { threads, log, hungMs } = this.#settings;
    this.#pool = new Pool(threads, hungMs);
    const worker = new CarefulWorker(queueName(this.build), (job) => this.#process(job), {
      connection: this.#connection.redis,
      prefix: PREFIX,
      name: this.name,
      // One in hand while the last one is handed in.
      concurrency: threads + 1,
      lockDuration: LOCK_MS,
      stalledInterval: CHECK_MS,
      maxStalledCount: MOST_STALLS,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: FAILED_KEPT },
    });
    worker.on('error', (error) => this.#trouble(error));
    worker.on('failed', (job, error) => void this.#failed(job, error));
    this.#worker = worker;
    await worker.waitUntilReady();
    const cores = availableParallelism();
    log('start', `${this.name}: ${threads} of ${cores} threads, build ${this.build}, ${this.#connection.place}`);
    this.#beats = keepBeating(() => this.#beat());
  }

  /** Takes no more jobs, ends those in hand, and leaves; after `ms` also without them. Says whether they were ended. */
  async close(ms: number): Promise<boolean> {
    clearInterval(this.#beats);
    this.#settings.log('closing', `${this.busy} jobs in hand`);
    const tidy = async () => {
      if (!this.#worker) return true;
      await this.#worker.close();
      await this.#connection.leave('workers', this.name);
      return true;
    };
    const ended = await Promise.race([tidy(), wait(ms, false, { ref: false })]);
    const left = ended ? '' : '; what was in hand is taken over by others';
    this.#settings.log('end', `${this.jobs} jobs done, ${this.#refused} refused${left}`);
    this.#connection.close();
    await this.#pool?.destroy();
    return ended;
  }

  async #process(queued: QueueJob): Promise<null> {
    const { id, name, data } = queued;
    const parsed = this.#parse(id, name, data);
    const { campaign, knowledge: hash, job } = parsed;
    let answer: Answer;
    let known: Knowledge | undefined;
    if (job.kind === 'shard') known = await this.#knowledge(parsed);
    const whole: Job | undefined = job.kind === 'canary' ? job : known && { ...job, knowledge: known };
    if (whole) answer = await this.#pool!.attempt(whole);
    else {
      answer = { kind: 'unknowing' };
      this.#known.delete(hash);
    }
    const packed = await packAnswer(id!, answer, whole?.kind === 'shard' ? whole : undefined);
    await this.#hand(campaign, packed);
    return null;
  }

  #parse(id: unknown, name: unknown, data: unknown): ParsedJob {
    try {
      return parsePayload(id, name, data, this.#limits, this.#settings.faults === true);
    } catch (error) {
      throw this.#refuse(error);
    }
  }

  #refuse(error: unknown): unknown {
    return error instanceof Malformed ? new UnrecoverableError(`refused: ${error.message}`) : error;
  }

  /** undefined: Redis does not have it. */
  async #knowledge({ campaign, knowledge: hash }: ParsedJob): Promise<Knowledge | undefined> {
    let known = this.#known.get(hash);
    if (!known) {
      known = this.#fetch(campaign, hash);
      this.#known.set(hash, known);
      const [oldest] = this.#known.keys();
      if (this.#known.size > KNOWN) this.#known.delete(oldest!);
      known.catch(() => this.#known.delete(hash));
    }
    try {
      return await known;
    } catch (error) {
      if (error instanceof Malformed) throw this.#refuse(error);
      this.#trouble(error);
      return undefined;
    }
  }

  async #fetch(campaign: string, hash: string): Promise<Knowledge | undefined> {
    // Never more than is allowed, whatever lies there.
    const packed = await this.#connection.redis.getrangeBuffer(knowledgeKey(campaign, hash), 0, MOST_BYTES);
    return packed.length === 0 ? undefined : unpackKnowledge(packed, hash, this.#limits);
  }

  /** Until it works: a full or an absent server takes it later. */
  async #hand(campaign: string, packed: Buffer): Promise<void> {
    for (let pause = 100; ; pause = Math.min(2 * pause, 2000)) {
      try {
        await this.#connection.push(campaign, packed);
        return;
      } catch (error) {
        this.#trouble(error);
        await wait(pause);
      }
    }
  }

  async #failed(queued: QueueJob | undefined, error: Error): Promise<void> {
    if (!queued) return;
    const { id, name, data } = queued;
    const refused = error.message.startsWith('refused: ');
    const what = `${plain(String(id)).slice(0, 120)}: ${plain(error.message)}`;
    if (refused) this.#refused++;
    this.#settings.log(refused ? 'refused' : 'gave-up', what);
    try {
      // Whoever waits for it shall not wait for ever.
      const { campaign } = parsePayload(id, name, data, this.#limits, true);
      await this.#hand(campaign, await packAnswer(id!, { kind: 'trapped', message: plain(error.message) }));
    } catch (cause) {
      if (!(cause instanceof Malformed)) this.#trouble(cause);
    }
  }

  /** One line for each kind of trouble now and then; an absent server is told by the connection. */
  #trouble(error: unknown): void {
    const message = plain(error instanceof Error ? error.message : String(error));
    if (/ECONN|EPIPE|Connection is closed|Socket timeout/i.test(message)) return;
    const sort = message.slice(0, 24);
    const now = performance.now();
    if (now - (this.#told.get(sort) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    this.#told.set(sort, now);
    this.#settings.log('trouble', message);
  }

  async #beat(): Promise<void> {
    const { name, build, busy, jobs } = this;
    const { threads, log } = this.#settings;
    const infos = await this.#connection.beat('workers', name, { name, build, threads, busy, jobs });
    for (const other of readable(infos, needs)) {
      const text = `campaign ${other.campaign} needs build ${other.build}, this worker has ${build}: left to others`;
      if (other.build === build || this.#foreign.has(text)) continue;
      if (this.#foreign.size < FAILED_KEPT) this.#foreign.add(text);
      log('foreign', text);
    }
  }
}
