// A kept campaign as a story: for the page that watches it, and for the directory that it is exported to.
import { canariesFor } from '../campaign/canary.js';
import type { CanaryReport } from '../campaign/types.js';
import type { Catalogue } from '../engine/catalogue.js';
import { specJson } from '../report/json.js';
import { type CampaignRecord, makeRecord } from '../report/record.js';
import { Series } from '../report/series.js';
import {
  type CampaignStory,
  type FindingSummary,
  type Outcome,
  type Sample,
  type StoryHead,
  summarize,
  type Totals,
} from '../report/story.js';
import type { CampaignReader, LiveState, StoredFindingRow, Sample as StoredSample } from '../store/read.js';
import { printSpec } from '../text/id.js';

/** States that a run leaves when it ends by itself or is stopped. */
const ENDED: readonly LiveState[] = ['done', 'stopped', 'failed'];

const NOTHING: Omit<Sample, 'findings'> = { seconds: 0, programs: 0, ops: 0, faults: 0, points: 0, states: 0 };

function workOf({ seconds, programs, ops, faults, points, states }: Omit<Sample, 'findings'>) {
  return { seconds, programs, ops, faults, points, states };
}

export function sampleOf(sample: StoredSample): Sample {
  return { ...workOf(sample), findings: sample.findings };
}

/** What is kept of the course, thinned to what a chart can show. */
export function courseOf(reader: CampaignReader): readonly StoredSample[] {
  const series = new Series<StoredSample>();
  for (const sample of reader.samples()) series.add(sample);
  return series.samples;
}

function canaryOf(reader: CampaignReader, ended: boolean): CanaryReport {
  const { position, result } = reader;
  if (result && (ended || !position)) return result.canary;
  const kernel = canariesFor(reader.config.kernels)
    .map(({ spec }) => printSpec(spec))
    .join(', ');
  const { found = [], programs = 0 } = position?.canaries ?? {};
  return { kernel, found: found.length > 0 && found.every(Boolean), programs };
}

function standing(state: LiveState): string {
  const words: Record<LiveState, string> = {
    ready: 'Never begun.',
    running: 'It runs.',
    paused: 'It is paused.',
    interrupted: 'It was interrupted: nobody runs it, and nothing is lost but the batch that was in flight.',
    failed: 'It failed.',
    stopped: 'It was stopped.',
    done: 'It is done.',
  };
  return words[state];
}

/** What the story and the record have in common. */
function facts(catalogue: Catalogue, reader: CampaignReader, state: LiveState) {
  const { config, result } = reader;
  const over = ENDED.includes(state);
  const ended = over ? reader.events(1, 'state')[0]?.at : undefined;
  const guided = config.styles.some(({ strategy }) => strategy === 'guided');
  const threads = reader.workers().reduce((sum, worker) => sum + worker.threads, 0);
  const workers = threads === 0 ? result?.workers : threads;
  const totals: Totals = {
    ...workOf(reader.last() ?? NOTHING),
    pointsTotal: catalogue.points.length,
    canary: canaryOf(reader, over),
  };
  const outcome: Outcome | undefined =
    result && over && state !== 'failed'
      ? {
          digest: result.digest,
          valid: result.valid,
          interrupted: result.interrupted,
          quarantined: result.quarantined,
        }
      : undefined;
  return {
    started: reader.created,
    ...(ended !== undefined && { ended }),
    asked: {
      seed: config.seed,
      strategy: guided ? ('guided' as const) : ('random' as const),
      ...(config.programs !== undefined && { programs: config.programs }),
      ...(config.timeMs !== undefined && { timeMs: config.timeMs }),
      keepGoing: true,
    },
    ...(workers !== undefined && { workers }),
    totals,
    ...(outcome && { outcome }),
  };
}

/** `state` as the reader says it: asking is not free. */
export function headOf(catalogue: Catalogue, reader: CampaignReader, name: string, state: LiveState): StoryHead {
  const { config, pruned } = reader;
  const head = facts(catalogue, reader, state);
  return {
    title: name,
    kernels: config.kernels.map(printSpec),
    catalogue: catalogue.kernels.map((kernel) => kernel.name),
    ...head,
    ...(!head.outcome && { stands: standing(state) }),
    notes: pruned === undefined ? [] : ['It was pruned: its findings are kept, but nothing is left to go on from.'],
  };
}

export function findingSummary(catalogue: Catalogue, { json, seconds }: StoredFindingRow): FindingSummary {
  const invariant = catalogue.invariants.find(({ slug }) => slug === json.slug);
  const { firstAt, shortest } = json;
  return summarize(json, invariant?.statement ?? '', {
    firstAt: { programs: firstAt.programs, seconds },
    ...(shortest && { shortest }),
  });
}

export function storyOfCampaign(catalogue: Catalogue, reader: CampaignReader, name: string): CampaignStory {
  return {
    ...headOf(catalogue, reader, name, reader.state),
    samples: courseOf(reader).map(sampleOf),
    findings: reader
      .findings()
      .sort((a, b) => a.seconds - b.seconds)
      .map((finding) => findingSummary(catalogue, finding)),
  };
}

/** What a directory of its findings keeps of the campaign. */
export function recordOfCampaign(catalogue: Catalogue, reader: CampaignReader): CampaignRecord {
  const { workers = 0, ...rest } = facts(catalogue, reader, reader.state);
  return makeRecord({
    kernels: reader.config.kernels.map(specJson),
    ...rest,
    workers,
    samples: courseOf(reader).map(sampleOf),
    found: reader.findings().map(({ id, seconds }) => ({ id, seconds })),
  });
}
