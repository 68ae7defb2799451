// campaign.json: what a directory of findings keeps of the campaign that filled it last.
import type { CanaryReport, Quarantined } from '../campaign/types.js';
import type { KernelSpec } from '../engine/types.js';
import { UsageError } from '../errors.js';
import { Series } from './series.js';
import type { Asked, Outcome, Sample, Totals } from './story.js';

export const RECORD = 'campaign.json';
const FORMAT = 1;

export interface CampaignRecord {
  readonly format: typeof FORMAT;
  /** On trial. */
  readonly kernels: readonly KernelSpec[];
  readonly asked: Asked;
  readonly workers: number;
  /** ISO times; no `ended`: it runs, or was killed. */
  readonly started: string;
  readonly ended?: string;
  readonly totals: Totals;
  readonly outcome?: Outcome;
  readonly samples: readonly Sample[];
  /** The findings in the directory that are this campaign's, and when it met them. */
  readonly found: readonly Found[];
}

export interface Found {
  readonly id: string;
  readonly seconds: number;
}

export function makeRecord(parts: Omit<CampaignRecord, 'format'>): CampaignRecord {
  return { format: FORMAT, ...parts };
}

/** A record from its JSON, which anybody may have written. Throws UsageError that says what is wrong with it. */
export function parseRecord(text: string): CampaignRecord {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const fields = new Fields(data, '');
  if (fields.number('format') !== FORMAT) throw new UsageError(`format: this version reads ${FORMAT} only`);
  const series = new Series();
  for (const sample of fields.list('samples', readSample)) series.add(sample);
  const ended = fields.optional('ended', (name) => fields.time(name));
  const outcome = fields.optional('outcome', (name) => readOutcome(fields.inner(name)));
  return makeRecord({
    kernels: fields.list('kernels', readKernel),
    asked: readAsked(fields.inner('asked')),
    workers: fields.number('workers'),
    started: fields.time('started'),
    ...(ended !== undefined && { ended }),
    totals: readTotals(fields.inner('totals')),
    ...(outcome && { outcome }),
    samples: series.samples,
    found: fields.list('found', (data, path) => {
      const found = new Fields(data, path);
      return { id: found.text('id'), seconds: found.number('seconds') };
    }),
  });
}

/** The fields of one object, each checked when it is asked for. */
class Fields {
  readonly #data: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(data: unknown, path: string) {
    if (typeof data !== 'object' || data === null || Array.isArray(data))
      throw new UsageError(`${path === '' ? 'the file' : path} is no object`);
    this.#data = data as Record<string, unknown>;
    this.#path = path;
  }

  number(name: string): number {
    const value = this.#data[name];
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    throw this.#wrong(name, 'a number of at least 0');
  }

  text(name: string): string {
    return readText(this.#data[name], this.#at(name));
  }

  flag(name: string): boolean {
    const value = this.#data[name];
    if (typeof value === 'boolean') return value;
    throw this.#wrong(name, 'true or false');
  }

  time(name: string): string {
    const value = this.text(name);
    if (!Number.isNaN(Date.parse(value))) return value;
    throw this.#wrong(name, 'a time');
  }

  inner(name: string): Fields {
    return new Fields(this.#data[name], this.#at(name));
  }

  list<T>(name: string, read: (item: unknown, path: string) => T): T[] {
    const value = this.#data[name];
    if (!Array.isArray(value)) throw this.#wrong(name, 'a list');
    return value.map((item, i) => read(item, `${this.#at(name)}[${i}]`));
  }

  optional<T>(name: string, read: (name: string) => T): T | undefined {
    return this.#data[name] === undefined ? undefined : read(name);
  }

  #at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  #wrong(name: string, expected: string): UsageError {
    const value = this.#data[name];
    return new UsageError(
      value === undefined ? `${this.#at(name)} is missing` : `${this.#at(name)}: expected ${expected}`,
    );
  }
}

function readText(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw new UsageError(value === undefined ? `${path} is missing` : `${path}: expected a text`);
}

function readKernel(data: unknown, path: string): KernelSpec {
  const fields = new Fields(data, path);
  return {
    kernel: fields.text('kernel'),
    with: fields.list('with', readText),
    without: fields.list('without', readText),
  };
}

function readAsked(fields: Fields): Asked {
  const strategy = fields.text('strategy');
  if (strategy !== 'guided' && strategy !== 'random') throw new UsageError('asked.strategy: expected guided or random');
  const programs = fields.optional('programs', (name) => fields.number(name));
  const timeMs = fields.optional('timeMs', (name) => fields.number(name));
  return {
    seed: fields.text('seed'),
    strategy,
    ...(programs !== undefined && { programs }),
    ...(timeMs !== undefined && { timeMs }),
    keepGoing: fields.flag('keepGoing'),
  };
}

function readWork(fields: Fields): Omit<Sample, 'findings'> {
  return {
    seconds: fields.number('seconds'),
    programs: fields.number('programs'),
    ops: fields.number('ops'),
    faults: fields.number('faults'),
    points: fields.number('points'),
    states: fields.number('states'),
  };
}

function readSample(data: unknown, path: string): Sample {
  const fields = new Fields(data, path);
  return { ...readWork(fields), findings: fields.number('findings') };
}

function readCanary(fields: Fields): CanaryReport {
  return { kernel: fields.text('kernel'), found: fields.flag('found'), programs: fields.number('programs') };
}

function readTotals(fields: Fields): Totals {
  return {
    ...readWork(fields),
    pointsTotal: fields.number('pointsTotal'),
    canary: readCanary(fields.inner('canary')),
  };
}

function readOutcome(fields: Fields): Outcome {
  return {
    digest: fields.text('digest'),
    valid: fields.flag('valid'),
    interrupted: fields.flag('interrupted'),
    quarantined: fields.list('quarantined', (data, path): Quarantined => {
      const shard = new Fields(data, path);
      return { shard: shard.number('shard'), message: shard.text('message') };
    }),
  };
}
