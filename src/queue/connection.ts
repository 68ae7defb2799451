// A connection to Redis that comes back by itself, and tells in words when it is away.
import { Redis } from 'ioredis';
import { UsageError } from '../errors.js';
import { plain } from './check.js';
import { BEAT_MS, GONE_MS, KEEP_MS, type Registry, registryKeys, resultsKey, SCRIPTS } from './keys.js';
import { queueAddress, queuePlace } from './url.js';

/** A server that owes an answer for so long is taken for gone. Longer than BullMQ waits for a job. */
const SILENT_MS = 15_000;
const LONGEST_WAIT_MS = 2000;
/** Neither time nor patience cures these. */
const REFUSED = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR Client sent AUTH)/;
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS|ERR_SSL/;

/** The scripts of `SCRIPTS` as ioredis offers them. */
type Scripted = Redis & {
  breakcowPush(key: string, result: Buffer, keepMs: number): Promise<number>;
  breakcowTakeBuffer(key: string, count: number, bytes: number): Promise<Buffer[]>;
  breakcowBeat(...keysNameInfoAndMs: readonly (string | number)[]): Promise<string[]>;
};

export interface Notices {
  away(text: string): void;
  back(text: string): void;
}

export class Connection {
  readonly redis: Scripted;
  readonly place: string;
  /** Rejects with UsageError if the server refuses us, or is not the one it should be; waits while it is away. */
  readonly ready: Promise<void>;
  #away: number | undefined;
  #reason = '';
  #wasReady = false;
  #closing = false;

  /** `url`: as `checkQueueUrl` returned it. */
  constructor(url: URL, name: string, notices: Notices) {
    this.place = queuePlace(url);
    this.redis = new Redis({
      ...queueAddress(url),
      connectionName: name,
      // What BullMQ asks for: a command waits until the server is back.
      maxRetriesPerRequest: null,
      socketTimeout: SILENT_MS,
      scripts: SCRIPTS,
      // Not all at once: thousands of workers lose their server in the same moment.
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), LONGEST_WAIT_MS) * (0.5 + Math.random() / 2),
    }) as Scripted;
    this.ready = new Promise((resolve, reject) => {
      this.redis.on('error', (error: NodeJS.ErrnoException) => {
        this.#reason = plain(error.code ?? error.message);
        // ioredis hears one error of a socket. A refused TLS handshake may have a second, which nobody shall die of.
        this.redis.stream?.on('error', () => {});
        const fatal = this.#wasReady ? undefined : fatalError(this.place, error);
        if (!fatal) return;
        this.close();
        reject(fatal);
      });
      this.redis.on('ready', () => {
        this.#wasReady = true;
        if (this.#away !== undefined)
          notices.back(`${this.place} is back after ${Math.round((performance.now() - this.#away) / 1000)} s`);
        this.#away = undefined;
        this.#reason = '';
        resolve();
      });
    });
    // Whoever waits for it hears of it.
    this.ready.catch(() => {});
    this.redis.on('close', () => {
      if (this.#away !== undefined || this.#closing) return;
      this.#away = performance.now();
      notices.away(`${this.place} is away (${this.#reason || 'closed the connection'}): trying again`);
    });
  }

  close(): void {
    this.#closing = true;
    this.redis.disconnect();
  }

  async push(campaign: string, result: Buffer): Promise<void> {
    await this.redis.breakcowPush(resultsKey(campaign), result, KEEP_MS);
  }

  /** Removes what came back and returns it; what has more than `bytes` as an empty buffer. */
  take(campaign: string, count: number, bytes: number): Promise<Buffer[]> {
    return this.redis.breakcowTakeBuffer(resultsKey(campaign), count, bytes);
  }

  /** Tells that one lives, and returns what the others told. */
  beat(registry: Registry, name: string, info: object): Promise<string[]> {
    const keys = [...registryKeys(registry), ...registryKeys(registry === 'workers' ? 'campaigns' : 'workers')];
    return this.redis.breakcowBeat(...keys, name, JSON.stringify(info), GONE_MS);
  }

  async leave(registry: Registry, name: string): Promise<void> {
    const [times, infos] = registryKeys(registry);
    await this.redis.multi().zrem(times, name).hdel(infos, name).exec();
  }
}

function fatalError(place: string, { code = '', message }: NodeJS.ErrnoException): UsageError | undefined {
  if (REFUSED.test(message)) return new UsageError(`queue: ${place} refuses us: ${plain(message)}`);
  if (!UNTRUSTED.test(code)) return undefined;
  return new UsageError(
    `queue: ${place}: ${plain(message)} (${code}); NODE_EXTRA_CA_CERTS=FILE names a certificate to trust`,
  );
}

/** Calls `beat` now and then until the timer is cleared. What it throws is left to the next time. */
export function keepBeating(beat: () => Promise<void>): NodeJS.Timeout {
  let busy = false;
  const once = () => {
    if (busy) return;
    busy = true;
    beat()
      .catch(() => {})
      .finally(() => {
        busy = false;
      });
  };
  once();
  return setInterval(once, BEAT_MS);
}
