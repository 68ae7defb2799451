// A campaign that somebody watches: what changed in its file since a listener looked last.
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Catalogue } from '../engine/catalogue.js';
import { buildHash } from '../engine/load.js';
import { NewsDesk } from '../night/news.js';
import { CampaignReader, type LiveState } from '../store/read.js';
import { printSpec } from '../text/id.js';
import type { Source, Told } from './channel.js';
import { courseOf, findingSummary, headOf } from './story.js';
import type { Action, Status, Update, WatchedFinding, WatchedKernel, WatchedWorker } from './wire.js';

const LOG_LINES = 200;
/** A driver writes its workers down every two seconds. */
const STALE_MS = 15_000;
/** A file that nobody writes is looked at all the same: workers fall silent. */
const CALM_MS = 5000;
const DAY_MS = 24 * 3_600_000;

/** Where a listener is. */
interface Mark {
  /** Another one whenever all that was told is void. */
  readonly run: string;
  readonly revision: number;
  /** Last sample and last line of the log. */
  readonly row: number;
  readonly event: number;
}

interface Kept {
  /** When it was new or changed. */
  revision: number;
  readonly version: string;
  /** undefined: dropped. */
  readonly told: WatchedFinding | undefined;
}

function parseMark(text: string): Mark | undefined {
  const [, run, revision, row, event] = /^([0-9a-f]{8})-(\d{1,15})-(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (run === undefined) return undefined;
  return { run, revision: Number(revision), row: Number(row), event: Number(event) };
}

function printMark({ run, revision, row, event }: Mark): string {
  return `${run}-${revision}-${row}-${event}`;
}

function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

export class Watched implements Source {
  readonly #catalogue: Catalogue;
  readonly #name: string;
  readonly #path: string;
  readonly #news: NewsDesk;
  #reader: CampaignReader | undefined;
  #inode = 0;
  #run = '';
  #revision = 0;
  #version = -1;
  #row = 0;
  #event = 0;
  #status = '';
  #statusAt = 0;
  #state: LiveState | undefined;
  #lookedAt = 0;
  #unreadable = '';
  readonly #findings = new Map<string, Kept>();

  constructor(catalogue: Catalogue, directory: string, name: string, path: string) {
    this.#catalogue = catalogue;
    this.#name = name;
    this.#path = path;
    this.#news = new NewsDesk(directory);
  }

  /** Looks into the file. */
  poll(): void {
    const run = this.#run;
    const before = this.#unreadable;
    try {
      this.#open();
      this.#look(this.#reader!);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.close();
      this.#forget();
      this.#unreadable = why;
      if (why === before) this.#run = run;
    }
  }

  since(mark: string | undefined): Told | undefined {
    const known = mark === undefined ? undefined : parseMark(mark);
    const here = { run: this.#run, revision: this.#revision, row: this.#row, event: this.#event };
    const isBehind = (at: Mark) =>
      at.run === here.run && at.revision <= here.revision && at.row <= here.row && at.event <= here.event;
    const from = known && isBehind(known) ? known : undefined;
    const next = printMark(here);
    if (from && next === printMark(from)) return undefined;
    try {
      return { mark: next, data: this.#unreadable === '' ? this.#update(from) : this.#void(from) };
    } catch {
      // The file broke since it was looked into: the next look tells why.
      return undefined;
    }
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #void(from: Mark | undefined): Update {
    return { ...(!from && { reset: true }), unreadable: this.#unreadable };
  }

  #update(from: Mark | undefined): Update {
    const reader = this.#reader!;
    const after = from?.revision ?? -1;
    const changed = [...this.#findings].filter(([, { revision }]) => revision > after);
    const findings = changed.flatMap(([, { told }]) => (told ? [told] : []));
    const dropped = changed.flatMap(([key, { told }]) => (told ? [] : [key]));
    const samples = from ? reader.samples(from.row + 1) : courseOf(reader);
    const log = reader.eventsAfter(from?.event ?? 0, LOG_LINES);
    return {
      ...(!from && { reset: true }),
      ...(this.#statusAt > after && { status: JSON.parse(this.#status) as Status }),
      ...(samples.length > 0 && { samples: samples.map(({ at, ...rest }) => rest) }),
      ...(log.length > 0 && { log }),
      ...(findings.length > 0 && { findings }),
      ...(from && dropped.length > 0 && { dropped }),
    };
  }

  /** Opens the file, and opens it again where another one has taken its place. */
  #open(): void {
    const inode = inodeOf(this.#path);
    if (this.#reader && inode === this.#inode) return;
    this.close();
    this.#reader = new CampaignReader(this.#path);
    this.#inode = inode;
    this.#forget();
  }

  /** All that was told is void. */
  #forget(): void {
    this.#run = randomBytes(4).toString('hex');
    this.#revision = 0;
    this.#version = -1;
    this.#row = 0;
    this.#event = 0;
    this.#status = '';
    this.#statusAt = 0;
    this.#lookedAt = 0;
    this.#unreadable = '';
    this.#findings.clear();
  }

  #look(reader: CampaignReader): void {
    const { state, version } = reader;
    const written = version !== this.#version;
    if (written) this.#rows(reader);
    const revision = this.#revision + 1;
    let changed = (written || this.#news.due) && this.#compare(reader, revision);
    if (written || state !== this.#state || Date.now() > this.#lookedAt + CALM_MS) {
      this.#state = state;
      this.#lookedAt = Date.now();
      const status = JSON.stringify(this.#statusOf(reader, state));
      if (status !== this.#status) {
        this.#status = status;
        this.#statusAt = revision;
        changed = true;
      }
    }
    if (changed) this.#revision = revision;
    this.#version = version;
  }

  #rows(reader: CampaignReader): void {
    const row = reader.last()?.row ?? 0;
    // It was begun anew.
    if (row < this.#row) this.#forget();
    this.#row = row;
    this.#event = reader.events(1)[0]?.id ?? 0;
  }

  /** Takes up findings that are new or changed; were there any? */
  #compare(reader: CampaignReader, revision: number): boolean {
    const keys = reader.findingKeys();
    const isFresh = this.#news.judge(reader, Date.now() - DAY_MS);
    const there = new Set<string>();
    let changed = false;
    const keep = (key: string, version: string, told: WatchedFinding | undefined) => {
      this.#findings.set(key, { revision, version, told });
      changed = true;
    };
    for (const finding of keys) {
      const key = `${finding.lane}.${finding.place}`;
      const fresh = isFresh(finding);
      const version = `${fresh} ${finding.version}`;
      there.add(key);
      if (this.#findings.get(key)?.version === version) continue;
      const row = reader.finding(finding.lane, finding.place);
      if (!row) continue;
      const summary = findingSummary(this.#catalogue, row);
      keep(key, version, { key, fresh, found: row.found, verified: row.verified, summary });
    }
    for (const [key, { told }] of this.#findings) if (told && !there.has(key)) keep(key, '', undefined);
    return changed;
  }

  #statusOf(reader: CampaignReader, state: LiveState): Status {
    const last = reader.last();
    return {
      story: headOf(this.#catalogue, reader, this.#name, state),
      state,
      reason: reader.reason,
      build: reader.build,
      ...possible(reader, state),
      kernels: kernelsOf(reader),
      workers: workersOf(reader, state),
      quarantined: reader.position?.quarantined ?? reader.result?.quarantined ?? [],
      rss: last?.rss ?? 0,
      mostRss: reader.mostRss(),
      at: last?.at ?? '',
      earlier: this.#news.earlier,
    };
  }
}

/** What a person can do with it now. */
function possible(reader: CampaignReader, state: LiveState): { can: Action[]; cannot: string } {
  if (state === 'running') return { can: ['pause', 'stop'], cannot: '' };
  if (state === 'paused') return { can: ['continue', 'stop'], cannot: '' };
  const { pruned, build, config } = reader;
  if (pruned !== undefined) return { can: [], cannot: 'it was pruned, and nothing is left to go on from' };
  if (build !== buildHash())
    return { can: [], cannot: 'it is of another engine build: "breakcow campaign resume --replay" begins it anew' };
  if (state === 'done' && config.timeMs === undefined)
    return { can: [], cannot: 'its programs are all run: a budget in programs cannot grow' };
  return { can: ['resume'], cannot: '' };
}

function kernelsOf(reader: CampaignReader): WatchedKernel[] {
  const arms = reader.arms();
  const news = new Map(reader.lastNews().map(({ lane, seconds }) => [lane, seconds]));
  return reader.config.kernels.map((spec, index) => {
    const lastNews = news.get(index);
    return {
      kernel: printSpec(spec),
      arms: arms.filter(({ lane }) => lane === index).map(({ lane, ...arm }) => arm),
      ...(lastNews !== undefined && { lastNews }),
    };
  });
}

/** Only who should be there can be missing. */
function workersOf(reader: CampaignReader, state: LiveState): WatchedWorker[] {
  const there = state === 'running' || state === 'paused' || state === 'interrupted';
  const before = Date.now() - STALE_MS;
  return reader.workers().map((worker) => ({ ...worker, stale: there && Date.parse(worker.seen) < before }));
}
