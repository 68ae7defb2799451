// The campaigns of a directory for Prometheus: text exposition format 0.0.4.
import type { Known } from './directory.js';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

const STATES = ['ready', 'running', 'paused', 'interrupted', 'stopped', 'failed', 'done'] as const;

function escapeLabel(text: string): string {
  const names: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
  return text.replace(/[\\"\n]/g, (char) => names[char]!);
}

function printSample(name: string, [labels, value]: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string {
  const lines = samples.map((sample) => printSample(name, sample));
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

function seconds(iso: string): number {
  return Date.parse(iso) / 1000;
}

type Read = Required<Known>;

/**
 * Counters never step back while the server runs, or a rate would jump: a campaign that was killed goes on from its last
 * merged epoch, with somewhat less than it had.
 */
export class HighWater {
  readonly #marks = new Map<string, { readonly kind: string; value: number }>();

  of({ line, figures }: Read, what: string, value: number): number {
    const key = `${what} ${line.name}`;
    // Another campaign under its name, or begun anew under another build, counts from zero.
    const kind = `${line.created} ${figures.build}`;
    const mark = this.#marks.get(key);
    const high = mark?.kind === kind ? Math.max(mark.value, value) : value;
    this.#marks.set(key, { kind, value: high });
    return high;
  }
}

/** `clients`: who listens to streams at the moment. */
export function metricsText(campaigns: readonly Known[], clients: number, water: HighWater): string {
  const read = campaigns.filter((known): known is Read => known.figures !== undefined);
  const each = (of: (one: Read) => number): Sample[] =>
    read.map((one) => [{ campaign: one.line.name }, of(one)] as const);
  const count = (what: string, of: (one: Read) => number) => each((one) => water.of(one, what, of(one)));
  const several = (of: (one: Read) => readonly Sample[]): Sample[] =>
    read.flatMap((one) => of(one).map(([labels, value]) => [{ campaign: one.line.name, ...labels }, value] as const));
  const workers = (of: (worker: Read['figures']['workers'][number]) => number) =>
    several(({ figures }) => figures.workers.map((worker) => [{ worker: worker.name }, of(worker)]));
  const sampled = read.filter(({ line }) => line.at !== '');
  return [
    family(
      'breakcow_campaign_info',
      'gauge',
      'Kernels on trial and the engine build.',
      several(({ line, figures }) => [[{ kernels: line.kernels.join(', '), build: figures.build }, 1]]),
    ),
    family(
      'breakcow_campaign_state',
      'gauge',
      '1 for the state that the campaign is in, 0 for the others.',
      several(({ line }) => STATES.map((state) => [{ state }, line.state === state ? 1 : 0])),
    ),
    family(
      'breakcow_campaign_programs_total',
      'counter',
      'Programs run.',
      count('programs', ({ line }) => line.programs),
    ),
    family(
      'breakcow_campaign_ops_total',
      'counter',
      'Operations run.',
      count('ops', ({ figures }) => figures.ops),
    ),
    family(
      'breakcow_campaign_faults_total',
      'counter',
      'Page faults handled.',
      count('faults', ({ line }) => line.faults),
    ),
    family(
      'breakcow_campaign_active_seconds_total',
      'counter',
      'Active time.',
      count('seconds', ({ line }) => line.seconds),
    ),
    family(
      'breakcow_campaign_findings',
      'gauge',
      'Findings, by kernel and broken promise.',
      several(({ figures }) => figures.findings.map(({ kernel, slug, count }) => [{ kernel, slug }, count])),
    ),
    family(
      'breakcow_campaign_handler_branches',
      'gauge',
      'Handler branches reached.',
      each(({ figures }) => figures.points),
    ),
    family(
      'breakcow_campaign_abstract_states',
      'gauge',
      'Abstract states reached.',
      each(({ figures }) => figures.states),
    ),
    family(
      'breakcow_campaign_quarantined_shards',
      'gauge',
      'Shards left out, as they could not be run.',
      each(({ line }) => line.quarantined),
    ),
    family(
      'breakcow_campaign_rss_bytes',
      'gauge',
      "Resident memory of the driver's process at the last sample.",
      each(({ figures }) => figures.rss),
    ),
    family(
      'breakcow_campaign_last_sample_timestamp_seconds',
      'gauge',
      'When the last sample was taken.',
      sampled.map(({ line }) => [{ campaign: line.name }, seconds(line.at)]),
    ),
    family(
      'breakcow_worker_threads',
      'gauge',
      'Threads of a worker.',
      workers(({ threads }) => threads),
    ),
    family(
      'breakcow_worker_busy_threads',
      'gauge',
      'Threads of a worker that run a job.',
      workers(({ busy }) => busy),
    ),
    family(
      'breakcow_worker_jobs_total',
      'counter',
      'Jobs done since the worker began.',
      workers(({ jobs }) => jobs),
    ),
    family(
      'breakcow_worker_last_seen_timestamp_seconds',
      'gauge',
      'When a worker was seen last.',
      workers(({ seen }) => seconds(seen)),
    ),
    family('breakcow_unreadable_campaigns', 'gauge', 'Files of the directory that are no sound campaign.', [
      [{}, campaigns.length - read.length],
    ]),
    family('breakcow_watch_clients', 'gauge', 'Pages that watch at the moment.', [[{}, clients]]),
  ].join('');
}
