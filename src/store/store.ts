// A campaign's file as its driver sees it: the journal, the findings, the log. Nobody else writes it.
import { randomBytes } from 'node:crypto';
import { ownKnowledge, shareKnowledge } from '../campaign/knowledge.js';
import type { LaneState } from '../campaign/lane.js';
import type { WorkerState } from '../campaign/runner.js';
import type { EpochState, Journal, Merged, Outcome, Planned, Resumed } from '../campaign/state.js';
import type { Progress, RawFinding } from '../campaign/types.js';
import { pack, unpack } from './codec.js';
import type { CampaignConfig, CampaignState } from './config.js';
import { type Db, openToWrite, StoreError } from './database.js';
import { Lock } from './lock.js';

/** Of a finding as it is collected; `known` is what the collector goes on from. */
export interface FindingRow {
  readonly lane: number;
  /** Order of discovery on its kernel. */
  readonly place: number;
  readonly id: string;
  readonly slug: string;
  readonly cause: string;
  readonly known: unknown;
  /** FindingJson. */
  readonly json: unknown;
  /** The report as text. */
  readonly report: string;
}

export type Compared = Pick<FindingRow, 'lane' | 'place' | 'known'>;

/** More samples than that, and every second one goes. */
const SAMPLES_MAX = 4000;
const EVENTS_MAX = 10_000;

const now = () => new Date().toISOString();

export class CampaignStore implements Journal {
  readonly path: string;
  readonly #lock: Lock;
  readonly #db: Db;

  /** Opens the file, or makes it. Throws UsageError if another driver has it, StoreError if it is no sound campaign. */
  constructor(path: string) {
    this.path = path;
    this.#lock = new Lock(path);
    try {
      this.#db = openToWrite(path);
    } catch (error) {
      this.#lock.release();
      throw error;
    }
  }

  close(): void {
    this.#db.close();
    this.#lock.release();
  }

  create(name: string, config: CampaignConfig, build: string): void {
    this.#db.transaction(() => {
      this.set('name', name);
      this.set('config', config);
      this.set('build', build);
      this.set('created', now());
      // Its name in a queue that other campaigns use as well.
      this.set('id', randomBytes(6).toString('hex'));
      this.set('state', 'ready');
    });
  }

  /** undefined: the campaign is not created yet. */
  meta<T>(key: string): T | undefined {
    const row = this.#db.get('SELECT value FROM meta WHERE key = ?', key);
    return row ? (JSON.parse(String(row.value)) as T) : undefined;
  }

  set(key: string, value: unknown): void {
    this.#db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, JSON.stringify(value));
  }

  setState(state: CampaignState, reason = ''): void {
    this.#db.transaction(() => {
      this.set('state', state);
      this.set('reason', reason);
      this.event('state', reason === '' ? state : `${state}: ${reason}`);
    });
  }

  event(kind: string, text: string): void {
    this.#db.run('INSERT INTO events (at, kind, text) VALUES (?, ?, ?)', now(), kind, text);
    this.#db.run('DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?', EVENTS_MAX);
  }

  arrived(shard: number, outcome: Outcome): void {
    this.#db.run('INSERT OR REPLACE INTO results VALUES (?, ?)', shard, pack(outcome));
  }

  found(ordinal: number, finding: RawFinding): void {
    this.#db.run('INSERT OR IGNORE INTO raw (ordinal, finding) VALUES (?, ?)', ordinal, pack(finding));
  }

  merged(state: EpochState, lane: { readonly index: number; readonly state: LaneState }, done: Merged): void {
    const { plan, work, news, planned } = done;
    this.#db.transaction(() => {
      this.#db.run('INSERT OR REPLACE INTO position VALUES (1, ?)', pack(state));
      this.#db.run('INSERT OR REPLACE INTO lanes VALUES (?, ?)', lane.index, pack(lane.state));
      this.#db.run(
        'INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        plan.epoch,
        plan.lane,
        plan.style.strategy,
        plan.style.focus,
        done.shards,
        work.programs,
        work.ops,
        work.faults,
        news,
        state.seconds,
      );
      this.#db.run('DELETE FROM plans WHERE epoch <= ?', plan.epoch);
      this.#db.run('DELETE FROM results WHERE shard < ?', state.shards);
      for (const epoch of planned) this.#plan(epoch);
    });
  }

  #plan({ plan, knowledge }: Planned): void {
    if (this.#db.get('SELECT 1 FROM plans WHERE epoch = ?', plan.epoch)) return;
    const blob = pack({ plan, knowledge: ownKnowledge(knowledge) });
    this.#db.run('INSERT INTO plans VALUES (?, ?)', plan.epoch, blob);
  }

  /** Where to go on. Throws StoreError if what is kept does not fit together. */
  resumed(lanes: number): Resumed {
    const row = this.#db.get('SELECT state FROM position');
    const state = row && unpack<EpochState>(row.state as Uint8Array);
    const kept = new Map<number, LaneState>();
    for (const { lane, state: blob } of this.#db.all('SELECT lane, state FROM lanes'))
      kept.set(Number(lane), unpack<LaneState>(blob as Uint8Array));
    const planned = this.#db.all('SELECT plan FROM plans ORDER BY epoch').map(({ plan }) => {
      const found = unpack<Planned>(plan as Uint8Array);
      return { ...found, knowledge: shareKnowledge(found.knowledge) };
    });
    if (state && planned.some(({ plan }, i) => plan.epoch !== state.epoch + 1 + i))
      throw new StoreError(`${this.path} is damaged: its epochs have a gap`);
    const arrived = new Map<number, Outcome>();
    for (const { shard, outcome } of this.#db.all('SELECT shard, outcome FROM results'))
      if (Number(shard) >= (state?.shards ?? 0)) arrived.set(Number(shard), unpack<Outcome>(outcome as Uint8Array));
    return {
      ...(state && { state }),
      lanes: Array.from({ length: lanes }, (_, lane) => kept.get(lane)),
      planned,
      arrived,
    };
  }

  /** Raw findings that nobody has minimized yet, in order, at most `limit`. */
  unsorted(limit: number): { readonly ordinal: number; readonly finding: RawFinding }[] {
    const rows = this.#db.all('SELECT ordinal, finding FROM raw WHERE done = 0 ORDER BY ordinal LIMIT ?', limit);
    return rows.map(({ ordinal, finding }) => ({
      ordinal: Number(ordinal),
      finding: unpack<RawFinding>(finding as Uint8Array),
    }));
  }

  /** Raw finding `ordinal` is sorted in: the findings that it made or changed, and others that it was compared with. */
  sorted(ordinal: number, rows: readonly FindingRow[], compared: readonly Compared[], seconds: number): void {
    this.#db.transaction(() => {
      for (const { lane, place, known } of compared)
        this.#db.run('UPDATE findings SET known = ? WHERE lane = ? AND place = ?', pack(known), lane, place);
      this.#db.run('UPDATE raw SET done = 1, finding = ? WHERE ordinal = ?', Buffer.alloc(0), ordinal);
      for (const row of rows) this.#keep(row, seconds);
    });
  }

  #keep({ lane, place, id, slug, cause, known, json, report }: FindingRow, seconds: number): void {
    this.#db.run(
      `INSERT INTO findings (lane, place, id, slug, cause, known, json, report, found, seconds)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (lane, place) DO UPDATE SET id = excluded.id, slug = excluded.slug, cause = excluded.cause,
         known = excluded.known, json = excluded.json, report = excluded.report, final = NULL, final_report = NULL`,
      lane,
      place,
      id,
      slug,
      cause,
      pack(known),
      JSON.stringify(json),
      report,
      now(),
      seconds,
    );
  }

  /** What the collector of a kernel goes on from, in order. */
  known<T>(lane: number): { readonly place: number; readonly known: T }[] {
    return this.#db
      .all('SELECT place, known FROM findings WHERE lane = ? ORDER BY place', lane)
      .map(({ place, known }) => ({ place: Number(place), known: unpack<T>(known as Uint8Array) }));
  }

  /** A finding by a shortest program; `json` undefined: it is the same as another one by now. */
  finish(lane: number, place: number, json: unknown, report: string): void {
    const text = json === undefined ? 'null' : JSON.stringify(json);
    this.#db.run(
      'UPDATE findings SET final = ?, final_report = ? WHERE lane = ? AND place = ?',
      text,
      report,
      lane,
      place,
    );
  }

  sample(progress: Progress, findings: number): void {
    const { seconds, programs, ops, faults, coverage } = progress;
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        seconds,
        now(),
        programs,
        ops,
        faults,
        coverage.points,
        coverage.states,
        findings,
        process.memoryUsage.rss(),
      );
      if (Number(this.#db.get('SELECT count(*) AS n FROM samples')?.n) <= SAMPLES_MAX) return;
      this.#db.exec(`DELETE FROM samples WHERE seconds IN
        (SELECT seconds FROM (SELECT seconds, row_number() OVER (ORDER BY seconds) AS n FROM samples) WHERE n % 2 = 0)`);
    });
  }

  workers(states: readonly WorkerState[]): void {
    this.#db.transaction(() => {
      this.#db.exec('DELETE FROM workers');
      for (const { name, threads, busy, jobs } of states)
        this.#db.run('INSERT OR REPLACE INTO workers VALUES (?, ?, ?, ?, ?)', name, threads, busy, jobs, now());
    });
  }

  verify(lane: number, place: number, verdict: string): void {
    this.#db.run('UPDATE findings SET verified = ? WHERE lane = ? AND place = ?', verdict, lane, place);
  }

  /** Forgets where to go on, but not what was found: the campaign begins anew, under this build. */
  restart(build: string): void {
    this.#db.transaction(() => {
      for (const table of ['position', 'lanes', 'plans', 'results', 'epochs', 'raw', 'samples'])
        this.#db.exec(`DELETE FROM ${table}`);
      this.set('build', build);
      this.set('state', 'ready');
    });
  }

  /** Frees what only going on needs. */
  prune(): void {
    this.#db.transaction(() => {
      for (const table of ['position', 'lanes', 'plans', 'results', 'raw', 'workers'])
        this.#db.exec(`DELETE FROM ${table}`);
      this.set('pruned', now());
    });
    this.#db.exec('VACUUM');
    this.#db.get('PRAGMA wal_checkpoint(TRUNCATE)');
  }
}
