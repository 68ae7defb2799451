// A campaign's file as readers see it: status, page, metrics, export. It may be written meanwhile.
import { existsSync } from 'node:fs';
import type { EpochState } from '../campaign/state.js';
import type { CampaignResult, Quarantined } from '../campaign/types.js';
import { UsageError } from '../errors.js';
import type { FindingJson } from '../report/json.js';
import { unpack } from './codec.js';
import type { CampaignConfig, CampaignState } from './config.js';
import { type Db, openToRead, type Row } from './database.js';
import { isDriven } from './lock.js';

export interface Sample {
  /** Rises with each sample that is taken. */
  readonly row: number;
  /** Active time. It steps back where a campaign that was killed is taken up again. */
  readonly seconds: number;
  /** ISO. */
  readonly at: string;
  readonly programs: number;
  readonly ops: number;
  readonly faults: number;
  readonly points: number;
  readonly states: number;
  readonly findings: number;
  /** Bytes of the driver's process. */
  readonly rss: number;
}

/** One kernel in one style, over all its epochs. */
export interface ArmRow {
  readonly lane: number;
  readonly strategy: string;
  readonly focus: string;
  readonly epochs: number;
  readonly shards: number;
  readonly programs: number;
  readonly faults: number;
  readonly news: number;
}

export interface StoredFindingRow {
  readonly lane: number;
  readonly place: number;
  readonly id: string;
  readonly slug: string;
  readonly cause: string;
  /** ISO. */
  readonly found: string;
  readonly seconds: number;
  readonly json: FindingJson;
  readonly report: string;
  /** What a newer build says of it: "still fails", "fixed", "fails differently: ..."; '' = not asked. */
  readonly verified: string;
}

export interface EventRow {
  /** Rises with each. */
  readonly id: number;
  readonly at: string;
  readonly kind: string;
  readonly text: string;
}

export interface WorkerRow {
  readonly name: string;
  readonly threads: number;
  readonly busy: number;
  readonly jobs: number;
  readonly seen: string;
}

/** A finding without what it is made of. */
export interface FindingKey {
  readonly lane: number;
  readonly place: number;
  readonly cause: string;
  readonly slug: string;
  /** ISO. */
  readonly found: string;
  /** Another one whenever anything of the finding changes. */
  readonly version: string;
}

/** What the last merged epoch says of the whole campaign. */
export type Position = Pick<EpochState, 'canaries' | 'digest'> & { readonly quarantined: readonly Quarantined[] };

/** What the state is called if a driver has the campaign, and if none has. */
export type LiveState = CampaignState | 'interrupted';

/** A finding whose shortest program is another one's is that one. */
const IS_ONE = `(final IS NULL OR final <> 'null')`;

export class CampaignReader {
  readonly path: string;
  readonly #db: Db;

  /** Throws UsageError if there is no such file, StoreError if it is no sound campaign. */
  constructor(path: string) {
    if (!existsSync(path)) throw new UsageError(`no campaign ${path}`);
    this.path = path;
    this.#db = openToRead(path);
  }

  close(): void {
    this.#db.close();
  }

  get name(): string {
    return this.#meta<string>('name') ?? this.path;
  }

  get config(): CampaignConfig {
    const config = this.#meta<CampaignConfig>('config');
    if (!config) throw new UsageError(`${this.path}: the campaign was never begun`);
    return config;
  }

  get build(): string {
    return this.#meta<string>('build') ?? '';
  }

  /** ISO. */
  get created(): string {
    return this.#meta<string>('created') ?? '';
  }

  get pruned(): string | undefined {
    return this.#meta<string>('pruned');
  }

  get reason(): string {
    return this.#meta<string>('reason') ?? '';
  }

  /** 'interrupted': it says it runs, and nobody runs it. */
  get state(): LiveState {
    const state = this.#meta<CampaignState>('state') ?? 'ready';
    return (state === 'running' || state === 'paused') && !isDriven(this.path) ? 'interrupted' : state;
  }

  /** Of the last run that ended by itself or was stopped. */
  get result(): Omit<CampaignResult, 'raw'> | undefined {
    return this.#meta('result');
  }

  /** A number that changes whenever anybody writes the file. */
  get version(): number {
    return Number(this.#db.get('PRAGMA data_version')?.data_version);
  }

  /** undefined: no epoch is merged, or the campaign was pruned. */
  get position(): Position | undefined {
    const row = this.#db.get('SELECT state FROM position');
    return row && unpack<EpochState>(row.state as Uint8Array);
  }

  /** In the order in which they were taken, from this row on. */
  samples(from = 0): Sample[] {
    return this.#db.all('SELECT rowid, * FROM samples WHERE rowid >= ? ORDER BY rowid', from).map(sampleOf);
  }

  last(): Sample | undefined {
    const row = this.#db.get('SELECT rowid, * FROM samples ORDER BY rowid DESC LIMIT 1');
    return row && sampleOf(row);
  }

  /** The most memory that a driver took, in bytes. */
  mostRss(): number {
    return Number(this.#db.get('SELECT max(rss) AS most FROM samples')?.most ?? 0);
  }

  arms(): ArmRow[] {
    const rows = this.#db.all(
      `SELECT lane, strategy, focus, count(*) AS epochs, sum(shards) AS shards, sum(programs) AS programs,
         sum(faults) AS faults, sum(news) AS news FROM epochs GROUP BY lane, strategy, focus ORDER BY lane, min(epoch)`,
    );
    return rows.map((row) => ({
      lane: Number(row.lane),
      strategy: String(row.strategy),
      focus: String(row.focus),
      epochs: Number(row.epochs),
      shards: Number(row.shards),
      programs: Number(row.programs),
      faults: Number(row.faults),
      news: Number(row.news),
    }));
  }

  /** Active seconds, and total, after the last epoch that brought anything on each kernel. */
  lastNews(): { readonly lane: number; readonly seconds: number }[] {
    const rows = this.#db.all('SELECT lane, max(seconds) AS seconds FROM epochs WHERE news > 0 GROUP BY lane');
    return rows.map(({ lane, seconds }) => ({ lane: Number(lane), seconds: Number(seconds) }));
  }

  /** In the order of discovery on each kernel; by their shortest programs where those were looked for. */
  findings(): StoredFindingRow[] {
    return this.#db.all(`SELECT * FROM findings WHERE ${IS_ONE} ORDER BY lane, place`).map(findingOf);
  }

  finding(lane: number, place: number): StoredFindingRow | undefined {
    const row = this.#db.get(`SELECT * FROM findings WHERE ${IS_ONE} AND lane = ? AND place = ?`, lane, place);
    return row && findingOf(row);
  }

  /** Quick, however long the findings are. */
  findingKeys(): FindingKey[] {
    const rows = this.#db.all(
      `SELECT lane, place, id, slug, found, final IS NULL AS raw, verified,
         json_extract(coalesce(final, json), '$.cause.key') AS cause
       FROM findings WHERE ${IS_ONE} ORDER BY lane, place`,
    );
    return rows.map(({ lane, place, id, slug, found, raw, verified, cause }) => ({
      lane: Number(lane),
      place: Number(place),
      cause: String(cause),
      slug: String(slug),
      found: String(found),
      version: JSON.stringify([id, raw, verified]),
    }));
  }

  findingCount(): number {
    return Number(this.#db.get(`SELECT count(*) AS n FROM findings WHERE ${IS_ONE}`)?.n ?? 0);
  }

  workers(): WorkerRow[] {
    return this.#db.all('SELECT * FROM workers ORDER BY name').map((row) => ({
      name: String(row.name),
      threads: Number(row.threads),
      busy: Number(row.busy),
      jobs: Number(row.jobs),
      seen: String(row.seen),
    }));
  }

  /** The newest first. */
  events(limit: number, kind?: string): EventRow[] {
    const rows =
      kind === undefined
        ? this.#db.all('SELECT * FROM events ORDER BY id DESC LIMIT ?', limit)
        : this.#db.all('SELECT * FROM events WHERE kind = ? ORDER BY id DESC LIMIT ?', kind, limit);
    return rows.map(eventOf);
  }

  /** The last of those after this one, the oldest first. */
  eventsAfter(id: number, limit: number): EventRow[] {
    const rows = this.#db.all('SELECT * FROM events WHERE id > ? ORDER BY id DESC LIMIT ?', id, limit);
    return rows.map(eventOf).reverse();
  }

  #meta<T>(key: string): T | undefined {
    const row = this.#db.get('SELECT value FROM meta WHERE key = ?', key);
    return row ? (JSON.parse(String(row.value)) as T) : undefined;
  }
}

function eventOf({ id, at, kind, text }: Row): EventRow {
  return { id: Number(id), at: String(at), kind: String(kind), text: String(text) };
}

function findingOf(row: Row): StoredFindingRow {
  const json = JSON.parse(String(row.final ?? row.json)) as FindingJson;
  return {
    lane: Number(row.lane),
    place: Number(row.place),
    id: json.id,
    slug: json.slug,
    cause: json.cause.key,
    found: String(row.found),
    seconds: Number(row.seconds),
    json,
    report: String(row.final_report ?? row.report),
    verified: row.verified === null ? '' : String(row.verified),
  };
}

function sampleOf(row: Row): Sample {
  const number = (name: string) => Number(row[name]);
  return {
    row: number('rowid'),
    seconds: number('seconds'),
    at: String(row.at),
    programs: number('programs'),
    ops: number('ops'),
    faults: number('faults'),
    points: number('points'),
    states: number('states'),
    findings: number('findings'),
    rss: number('rss'),
  };
}
