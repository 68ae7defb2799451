// An SQLite file: one writer at a time, any number of readers, and errors in words.
import Database from 'libsql';
import { UsageError } from '../errors.js';
import { STEPS, VERSION } from './schema.js';

export type Row = Readonly<Record<string, unknown>>;

/** The file is none of ours, is damaged, or belongs to a newer breakcow: the message says which. */
export class StoreError extends UsageError {
  override readonly name = 'StoreError';
}

/** The file could not be written (a full disk): what was kept before is whole, what came after is not in it. */
export class StoreFullError extends Error {
  override readonly name = 'StoreFullError';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What SQLite complained about, for people. */
function translated(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code.startsWith('SQLITE_FULL') || code.startsWith('SQLITE_IOERR'))
    return new StoreFullError(`cannot write ${path}: ${textOf(error)}`, { cause: error });
  if (code.startsWith('SQLITE_CORRUPT')) return new StoreError(`${path} is damaged: ${textOf(error)}`);
  if (code.startsWith('SQLITE_NOTADB')) return new StoreError(`${path} is no campaign: ${textOf(error)}`);
  // The driver gives the failure to open a file no code.
  if (
    code.startsWith('SQLITE_READONLY') ||
    code.startsWith('SQLITE_CANTOPEN') ||
    /ConnectionFailed/.test(textOf(error))
  )
    return new StoreError(`cannot open ${path}: is the directory there, and may it be written?`);
  return error;
}

/**
 * Parameters always go as one array: a lone object would be taken for named ones. Transactions begin and end with
 * `exec`, whose errors keep their codes.
 */
export class Db {
  readonly path: string;
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(path: string) {
    this.path = path;
    this.#db = this.#guard(() => new Database(path));
  }

  /** For statements without parameters. */
  exec(sql: string): void {
    this.#guard(() => this.#db.exec(sql));
  }

  run(sql: string, ...values: readonly unknown[]): void {
    this.#guard(() => this.#statement(sql).run([...values]));
  }

  all(sql: string, ...values: readonly unknown[]): Row[] {
    return this.#guard(() => this.#statement(sql).all([...values]) as Row[]);
  }

  get(sql: string, ...values: readonly unknown[]): Row | undefined {
    return this.all(sql, ...values)[0];
  }

  /** All of it or nothing. */
  transaction(work: () => void): void {
    this.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.exec('COMMIT');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #statement(sql: string): Database.Statement {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translated(this.path, error);
    }
  }
}

/** Brings the tables to the version of `steps`. Throws StoreError for a file that is none of ours, damaged, or newer. */
export function migrate(db: Db, steps: readonly string[] = STEPS): void {
  const version = Number(db.get('PRAGMA user_version')?.user_version ?? 0);
  if (version > steps.length)
    throw new StoreError(
      `${db.path} was written by a newer breakcow (schema ${version}; this one knows ${steps.length})`,
    );
  const tables = Number(db.get('SELECT count(*) AS n FROM sqlite_master')?.n ?? 0);
  if (version === 0 && tables > 0) throw new StoreError(`${db.path} is an SQLite file, but no campaign`);
  if (version === steps.length) return;
  db.transaction(() => {
    for (const step of steps.slice(version)) db.exec(step);
    db.exec(`PRAGMA user_version = ${steps.length}`);
  });
}

function check(db: Db): void {
  const [first] = db.all('PRAGMA quick_check(1)');
  const text = String(first?.quick_check ?? '');
  if (text !== 'ok') throw new StoreError(`${db.path} is damaged: ${text.replace(/\s+/g, ' ')}`);
}

/** Opens, checks and migrates the file for the one who writes it. */
export function openToWrite(path: string): Db {
  const db = new Db(path);
  try {
    // kill -9 loses no transaction; a power failure may lose the last few, and damages nothing.
    db.get('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = NORMAL; PRAGMA cache_spill = OFF; PRAGMA busy_timeout = 5000');
    check(db);
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens the file for reading, while another process may write it. */
export function openToRead(path: string): Db {
  const db = new Db(path);
  try {
    db.exec('PRAGMA query_only = ON; PRAGMA busy_timeout = 5000');
    const version = Number(db.get('PRAGMA user_version')?.user_version ?? 0);
    if (version === 0) throw new StoreError(`${path} is no campaign`);
    if (version !== VERSION)
      throw new StoreError(
        `${path} has schema ${version}, this breakcow reads ${VERSION}: "breakcow campaign resume" converts it`,
      );
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
