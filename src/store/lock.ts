// One writer for a campaign: a lock that ends with its process, however that ends.
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { UsageError } from '../errors.js';
import { Db } from './database.js';

export class Lock {
  readonly #path: string;
  readonly #db: Db;

  /** Throws UsageError if another process has it. */
  constructor(store: string) {
    this.#path = `${store}.lock`;
    this.#db = new Db(this.#path);
    try {
      // An open transaction of SQLite is a lock that the system itself takes back from the dead. Readers that look
      // whether somebody has it hold it for a moment.
      this.#db.exec('PRAGMA busy_timeout = 500; BEGIN EXCLUSIVE');
    } catch (error) {
      this.#db.close();
      if (!isBusy(error)) throw error;
      throw new UsageError(`${store} is in use${this.#holder()}: a campaign has one driver`);
    }
    writeFileSync(`${this.#path}.pid`, String(process.pid));
    this.#touch();
  }

  /** Its time says when the campaign was driven last. */
  #touch(): void {
    const now = new Date();
    // People remove the directory below a driver.
    if (existsSync(this.#path)) utimesSync(this.#path, now, now);
  }

  #holder(): string {
    try {
      return ` by process ${Number(readFileSync(`${this.#path}.pid`, 'utf8'))}`;
    } catch {
      return '';
    }
  }

  release(): void {
    rmSync(`${this.#path}.pid`, { force: true });
    this.#touch();
    this.#db.close();
    // The lock file stays: whoever waits for it would hold a deleted one.
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}

/** Does a driver run this campaign now? */
export function isDriven(store: string): boolean {
  const path = `${store}.lock`;
  if (!existsSync(path)) return false;
  const db = new Db(path);
  try {
    db.get('SELECT count(*) FROM sqlite_master');
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    db.close();
  }
}
