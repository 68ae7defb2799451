// The workers that a campaign has, and the campaign as its workers see it.
import type { WorkerState } from '../campaign/runner.js';
import { list, Malformed, record, text, whole } from './check.js';
import type { Connection } from './connection.js';
import { BUILD, CAMPAIGN_NAME } from './keys.js';

const WORKER_NAME = /^[\w.-]{1,128}:\d{1,10}$/;
const THREADS_MAX = 4096;
/** Worker processes that are listed. */
const CREW_MAX = 10_000;
/** So many looks without a worker are no coincidence. */
const PATIENCE = 3;
/** Bad results that are told one by one. */
const COMPLAINTS = 5;

export interface CrewMember extends WorkerState {
  readonly build: string;
}

/** Throws Malformed. */
function member(json: string): CrewMember {
  const info = record('worker', JSON.parse(json));
  const threads = whole('threads', info.threads, THREADS_MAX, 1);
  return {
    name: text('name', info.name, WORKER_NAME),
    build: text('build', info.build, BUILD),
    threads,
    busy: whole('busy', info.busy, threads),
    jobs: whole('jobs', info.jobs, Number.MAX_SAFE_INTEGER),
  };
}

/** What campaigns tell: their name and the build they need. Throws Malformed. */
export function needs(json: string): { readonly campaign: string; readonly build: string } {
  const info = record('campaign', JSON.parse(json));
  return { campaign: text('campaign', info.campaign, CAMPAIGN_NAME), build: text('build', info.build, BUILD) };
}

/** Those that can be read. */
export function readable<T>(infos: readonly string[], read: (json: string) => T): T[] {
  return list('infos', infos.slice(0, CREW_MAX), CREW_MAX).flatMap((json) => {
    try {
      return [read(String(json))];
    } catch (error) {
      if (error instanceof Malformed || error instanceof SyntaxError) return [];
      throw error;
    }
  });
}

export class Crew {
  readonly #connection: Connection;
  readonly #campaign: string;
  readonly #build: string;
  readonly #notice: (text: string) => void;
  #workers: readonly WorkerState[] = [];
  #lonely = 0;
  #complaints = 0;

  constructor(connection: Connection, campaign: string, build: string, notice: (text: string) => void) {
    this.#connection = connection;
    this.#campaign = campaign;
    this.#build = build;
    this.#notice = notice;
  }

  get workers(): readonly WorkerState[] {
    return this.#workers;
  }

  /** Tells that the campaign lives and looks who is there; `wanted`: jobs wait. */
  async look(wanted: boolean): Promise<void> {
    const infos = await this.#connection.beat('campaigns', this.#campaign, {
      campaign: this.#campaign,
      build: this.#build,
    });
    const all = readable(infos, member);
    const own = all.filter(({ build }) => build === this.#build);
    this.#workers = own.map(({ name, threads, busy, jobs }) => ({ name, threads, busy, jobs }));
    this.#lonely = own.length > 0 || !wanted ? 0 : this.#lonely + 1;
    if (this.#lonely !== PATIENCE) return;
    const others = all.length === 0 ? '' : `; ${all.length} with another, such as ${all[0]!.build}`;
    this.#notice(`no worker of this build (${this.#build}) at ${this.#connection.place}${others}: jobs wait`);
  }

  /** Somebody sends what no worker sends: told a few times. */
  complain(text: string): void {
    this.#complaints++;
    if (this.#complaints <= COMPLAINTS) this.#notice(text);
    if (this.#complaints === COMPLAINTS) this.#notice('further results that are not valid are not told');
  }

  async leave(): Promise<void> {
    await this.#connection.leave('campaigns', this.#campaign);
  }
}
