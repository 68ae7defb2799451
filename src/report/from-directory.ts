// The story of a campaign from the directory that keeps its findings: they are run again, so what is told holds for this version.
import type { Engine } from '../engine/engine.js';
import type { KernelSpec } from '../engine/types.js';
import { diagnose } from '../findings/finding.js';
import type { StoredFinding } from '../findings/store.js';
import { breaks, Trial } from '../findings/trial.js';
import { printSpec } from '../text/id.js';
import { counted } from '../text/numbers.js';
import { printProgram } from '../text/print.js';
import { diagnosisJson, specJson } from './json.js';
import type { CampaignRecord } from './record.js';
import { type CampaignStory, type Discovery, type FindingSummary, summarize } from './story.js';

/** A finding of the directory. */
export interface Kept {
  readonly words: Uint32Array;
  /** To be shown on; a person may have chosen another than it was found on. */
  readonly spec: KernelSpec;
  readonly stored: StoredFinding;
}

export interface Directory {
  readonly findings: readonly Kept[];
  readonly record?: CampaignRecord;
  /** Why there is no record. */
  readonly missing?: string;
}

export function storyOf(engine: Engine, { findings, record, missing }: Directory): CampaignStory {
  const seconds = new Map(record?.found.map((found) => [found.id, found.seconds]));
  const told: FindingSummary[] = [];
  const kept: string[] = [];
  for (const finding of findings) {
    const summary = summaryOf(engine, finding, seconds.get(finding.stored.id));
    if (summary) told.push(summary);
    else kept.push(finding.stored.id);
  }
  const found = [...new Set(findings.map(({ spec }) => printSpec(spec)))].sort();
  const kernels = record ? record.kernels.map(printSpec) : found;
  const others = record ? told.filter(({ id }) => !seconds.has(id)).length : 0;
  const elsewhere = findings.some(({ spec, stored }) => printSpec(spec) !== printSpec(stored));
  const notes = [
    ...(missing === undefined ? [] : [missing]),
    ...(elsewhere ? [`The findings are shown on ${found.join(', ')}, not where they were found.`] : []),
    ...(kept.length > 0 ? [`Left out, as it breaks no promise there: ${kept.join(', ')}.`] : []),
    ...(others > 0
      ? [
          `${counted(others, 'finding')} here came with another campaign: figures and charts tell of the last one alone.`,
        ]
      : []),
  ];
  return {
    title: `${counted(told.length, 'finding')} on ${kernels.join(', ') || 'no kernel'}`,
    kernels,
    catalogue: engine.catalogue.kernels.map(({ name }) => name),
    ...(record && course(record)),
    samples: record?.samples ?? [],
    findings: told.sort((a, b) => order(a) - order(b) || (a.id < b.id ? -1 : 1)),
    notes,
  };
}

function course({ started, ended, asked, workers, totals, outcome }: CampaignRecord) {
  return {
    started,
    ...(ended !== undefined && { ended }),
    asked,
    workers,
    totals,
    ...(outcome && { outcome }),
  };
}

/** In the order in which they were met. */
function order({ firstAt }: FindingSummary): number {
  return firstAt?.programs ?? Number.MAX_SAFE_INTEGER;
}

/** Undefined if the program breaks nothing on that kernel. */
function summaryOf(engine: Engine, { words, spec, stored }: Kept, seconds?: number): FindingSummary | undefined {
  const { catalogue } = engine;
  const meant = catalogue.invariants.find(({ slug }) => slug === slugOf(stored));
  const mask = new Trial(engine, catalogue.vector(spec)).mask(words);
  const diagnosis = diagnose(engine, spec, words, meant && breaks(mask, meant.id) ? meant.id : undefined);
  if (!diagnosis) return undefined;
  const explained = {
    id: stored.id,
    ...specJson(spec),
    minimized: printProgram(words, catalogue.ops),
    length: words.length,
    ...diagnosisJson(engine, diagnosis),
  };
  const { statement } = catalogue.invariant(diagnosis.violation.invariant);
  return summarize(explained, statement, discoveryOf(stored, seconds));
}

function slugOf(stored: StoredFinding): unknown {
  return 'slug' in stored ? stored.slug : undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** What the file says of its discovery; anything that is no such thing is left out. */
function discoveryOf(stored: StoredFinding, seconds: number | undefined): Discovery {
  const { firstAt, shortest } = stored as { firstAt?: { programs?: unknown }; shortest?: Record<string, unknown> };
  const programs = firstAt?.programs;
  const { exhaustiveTo, proven } = shortest ?? {};
  return {
    ...(isCount(programs) && { firstAt: { programs, ...(seconds !== undefined && { seconds }) } }),
    ...(isCount(exhaustiveTo) && typeof proven === 'boolean' && { shortest: { exhaustiveTo, proven } }),
  };
}
