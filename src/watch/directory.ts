// The campaigns of a directory, each looked at again only when its file has changed.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { UsageError } from '../errors.js';
import { listCampaigns, pathFor } from '../night/places.js';
import { isDriven } from '../store/lock.js';
import { CampaignReader, type LiveState } from '../store/read.js';
import { printSpec } from '../text/id.js';
import type { Source, Told } from './channel.js';
import type { ListedCampaign, Listing } from './wire.js';

/** What is told of a campaign beyond its line. */
export interface Figures {
  readonly ops: number;
  readonly points: number;
  readonly states: number;
  readonly rss: number;
  readonly build: string;
  readonly workers: ReturnType<CampaignReader['workers']>;
  /** Findings by kernel and broken promise. */
  readonly findings: readonly { readonly kernel: string; readonly slug: string; readonly count: number }[];
}

export interface Known {
  readonly line: ListedCampaign;
  /** Absent: it cannot be read. */
  readonly figures?: Figures;
}

interface Cached extends Known {
  readonly stamp: string;
}

export interface Place {
  readonly directory: string;
  /** The only campaign to be shown. */
  readonly only?: string;
}

export class Campaigns {
  readonly place: Place;
  readonly #cache = new Map<string, Cached>();

  constructor(place: Place) {
    this.place = place;
  }

  /** The one written last first. */
  names(): string[] {
    const { directory, only } = this.place;
    return listCampaigns(directory).filter((name) => only === undefined || name === only);
  }

  /** Throws UsageError for a name that is not here: no other file is ever opened. */
  pathOf(name: string): string {
    if (!this.names().includes(name)) throw new UsageError(`no campaign "${name}" here`);
    return pathFor(this.place.directory, name);
  }

  all(): Known[] {
    const names = this.names();
    for (const name of this.#cache.keys()) if (!names.includes(name)) this.#cache.delete(name);
    return names.map((name) => this.#know(name));
  }

  #know(name: string): Known {
    let path: string;
    try {
      path = pathFor(this.place.directory, name);
    } catch (error) {
      return unreadable(name, error);
    }
    const stamp = stampOf(path);
    const cached = this.#cache.get(name);
    const { state } = cached?.line ?? {};
    // Whoever runs it may die without a word.
    const lives = state === 'running' || state === 'paused' || state === 'interrupted';
    if (cached && cached.stamp === stamp && (!lives || isDriven(path) === (state !== 'interrupted'))) return cached;
    const known = { ...read(name, path), stamp };
    this.#cache.set(name, known);
    return known;
  }
}

function stampOf(path: string): string {
  return [path, `${path}-wal`]
    .map((file) => statSync(file, { throwIfNoEntry: false }))
    .map((found) => (found ? `${found.ino} ${found.size} ${found.mtimeMs}` : ''))
    .join(' ');
}

function unreadable(name: string, error: unknown): Known {
  return {
    line: {
      name,
      state: 'unreadable',
      reason: error instanceof Error ? error.message : String(error),
      kernels: [],
      created: '',
      seconds: 0,
      programs: 0,
      faults: 0,
      findings: 0,
      quarantined: 0,
      at: '',
    },
  };
}

function read(name: string, path: string): Known {
  let reader: CampaignReader | undefined;
  try {
    reader = new CampaignReader(path);
    return knownOf(name, reader, reader.state);
  } catch (error) {
    return unreadable(name, error);
  } finally {
    reader?.close();
  }
}

function knownOf(name: string, reader: CampaignReader, state: LiveState): Known {
  const { config, created, reason, build, position, result } = reader;
  const last = reader.last();
  const keys = reader.findingKeys();
  return {
    line: {
      name,
      state,
      reason,
      kernels: config.kernels.map(printSpec),
      created,
      seconds: last?.seconds ?? 0,
      ...(config.timeMs !== undefined && { timeMs: config.timeMs }),
      programs: last?.programs ?? 0,
      faults: last?.faults ?? 0,
      findings: keys.length,
      quarantined: (position ?? result)?.quarantined.length ?? 0,
      at: last?.at ?? '',
    },
    figures: {
      ops: last?.ops ?? 0,
      points: last?.points ?? 0,
      states: last?.states ?? 0,
      rss: last?.rss ?? 0,
      build,
      workers: reader.workers(),
      findings: config.kernels.flatMap((spec, index) => {
        const slugs = keys.filter(({ lane }) => lane === index).map(({ slug }) => slug);
        return [...new Set(slugs)].map((slug) => ({
          kernel: printSpec(spec),
          slug,
          count: slugs.filter((other) => other === slug).length,
        }));
      }),
    },
  };
}

/** The list as somebody watches it. */
export class WatchedDirectory implements Source {
  readonly #campaigns: Campaigns;
  #listing: Listing;
  #mark = '';

  constructor(campaigns: Campaigns) {
    this.#campaigns = campaigns;
    this.#listing = { directory: campaigns.place.directory, campaigns: [] };
  }

  poll(): void {
    const { directory } = this.#campaigns.place;
    this.#listing = { directory, campaigns: this.#campaigns.all().map(({ line }) => line) };
    this.#mark = createHash('sha256').update(JSON.stringify(this.#listing)).digest('hex').slice(0, 16);
  }

  since(mark: string | undefined): Told | undefined {
    return mark === this.#mark ? undefined : { mark: this.#mark, data: this.#listing };
  }

  close(): void {}
}
