// The knowledge of the epochs under way, kept in Redis for as long as a job needs it.
import type { Knowledge } from '../engine/fuzzer.js';
import type { Connection } from './connection.js';
import { KEEP_MS, knowledgeKey } from './keys.js';
import { hashOf, packKnowledge } from './knowledge.js';

interface Kept {
  readonly hash: string;
  readonly packed: Buffer;
  /** Jobs under way that need it. */
  users: number;
  stored?: Promise<void>;
}

export class KnowledgeStore {
  readonly #connection: Connection;
  readonly #campaign: string;
  readonly #packed = new WeakMap<Knowledge, Promise<Kept>>();
  /** In Redis, oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor(connection: Connection, campaign: string) {
    this.#connection = connection;
    this.#campaign = campaign;
  }

  /** Its hash, for a job that is about to be added; `release` gives it back. */
  async use(knowledge: Knowledge): Promise<string> {
    let packing = this.#packed.get(knowledge);
    if (!packing) {
      packing = packKnowledge(knowledge).then((packed) => ({ hash: hashOf(packed), packed, users: 0 }));
      this.#packed.set(knowledge, packing);
    }
    let kept = await packing;
    // Two epochs may know the same.
    kept = this.#kept.get(kept.hash) ?? kept;
    this.#kept.set(kept.hash, kept);
    kept.users++;
    return kept.hash;
  }

  /** Is in Redis once this resolves. */
  async stored(hash: string): Promise<void> {
    const kept = this.#kept.get(hash);
    if (!kept) return;
    kept.stored ??= this.#write(kept).catch((error: unknown) => {
      delete kept.stored;
      throw error;
    });
    await kept.stored;
  }

  /** What nobody needs goes, but for the newest: the next job of its epoch may be on its way. */
  release(hash: string): void {
    const kept = this.#kept.get(hash);
    if (kept) kept.users--;
    const newest = [...this.#kept.keys()].at(-1);
    for (const { hash: old, users } of [...this.#kept.values()]) if (users === 0 && old !== newest) this.#drop(old);
  }

  /** Keeps what is needed from running out, and writes again what Redis lost. */
  async refresh(): Promise<void> {
    const { redis } = this.#connection;
    for (const kept of [...this.#kept.values()]) {
      if (!kept.stored) continue;
      const there = await redis.pexpire(this.#key(kept.hash), KEEP_MS);
      if (there === 0 && this.#kept.get(kept.hash) === kept) await this.#write(kept);
    }
  }

  async clear(): Promise<void> {
    const keys = [...this.#kept.keys()].map((hash) => this.#key(hash));
    this.#kept.clear();
    if (keys.length > 0) await this.#connection.redis.unlink(keys);
  }

  #drop(hash: string): void {
    this.#kept.delete(hash);
    // Runs out by itself otherwise.
    this.#connection.redis.unlink(this.#key(hash)).catch(() => {});
  }

  async #write({ hash, packed }: Kept): Promise<void> {
    await this.#connection.redis.set(this.#key(hash), packed, 'PX', KEEP_MS);
  }

  #key(hash: string): string {
    return knowledgeKey(this.#campaign, hash);
  }
}
