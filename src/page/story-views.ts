// What the overview draws, worked out from the story: curves, groups and tables.
import type { CampaignStory, FindingSummary, Sample } from '../report/story.js';

/** Rates are taken over at least so much of the time, or they tell the noise of the threads. */
const WINDOW_SHARE = 1 / 60;
const WINDOW_SECONDS = 1;
/** Of a short campaign. */
const MOST_OF_IT = 1 / 5;

/** Work per second up to each sample; null where too little time has passed. */
export function rates(samples: readonly Sample[], of: (sample: Sample) => number): (number | null)[] {
  const span = samples.at(-1)?.seconds ?? 0;
  const window = Math.max(span * WINDOW_SHARE, Math.min(WINDOW_SECONDS, span * MOST_OF_IT));
  let back = 0;
  return samples.map((sample, i) => {
    while (back + 1 < i && sample.seconds - samples[back + 1]!.seconds >= window) back++;
    const from = samples[back]!;
    const seconds = sample.seconds - from.seconds;
    return seconds > 0 && seconds >= window ? Math.max(0, of(sample) - of(from)) / seconds : null;
  });
}

/** About `rows` samples, evenly spread over them, the first and the last included. */
export function spread<T>(items: readonly T[], rows: number): T[] {
  if (items.length <= rows) return [...items];
  return Array.from({ length: rows }, (_, i) => items[Math.round((i * (items.length - 1)) / (rows - 1))]!);
}

export interface Group<T> {
  readonly key: T;
  readonly findings: readonly FindingSummary[];
}

function groupBy<T>(findings: readonly FindingSummary[], keyOf: (finding: FindingSummary) => T): Group<T>[] {
  const groups = new Map<string, { key: T; findings: FindingSummary[] }>();
  for (const finding of findings) {
    const key = keyOf(finding);
    const name = JSON.stringify(key);
    const group = groups.get(name) ?? { key, findings: [] };
    group.findings.push(finding);
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** By the handler's decision that is to blame; decisions with most findings first. */
export function byCause(findings: readonly FindingSummary[]): Group<FindingSummary['cause']>[] {
  return groupBy(findings, ({ cause }) => cause).sort((a, b) => b.findings.length - a.findings.length);
}

export interface BrokenPromise {
  readonly slug: string;
  readonly invariant: string;
  readonly statement: string;
}

/** By broken promise; in the order of the corpus's numbers. */
export function byInvariant(findings: readonly FindingSummary[]): Group<BrokenPromise>[] {
  const number = ({ key }: Group<BrokenPromise>) => Number(key.invariant.slice(1));
  return groupBy(findings, ({ slug, invariant, statement }) => ({ slug, invariant, statement })).sort(
    (a, b) => number(a) - number(b),
  );
}

export type Fate = 'broken' | 'kept' | 'unknown';

export function fateOn({ verdicts }: FindingSummary, kernel: string): Fate {
  const slugs = Object.hasOwn(verdicts, kernel) ? verdicts[kernel] : undefined;
  if (!slugs) return 'unknown';
  return slugs.length > 0 ? 'broken' : 'kept';
}

export interface Matrix {
  readonly rows: readonly { readonly finding: FindingSummary; readonly fates: readonly Fate[] }[];
  /** Findings that break each kernel of the catalogue. */
  readonly totals: readonly number[];
}

/** Findings x kernels: what `first` breaks before the rest, and flaws that stayed longest first, so that a cure shows as a step. */
export function matrixOf({ findings, catalogue }: CampaignStory, first?: string): Matrix {
  const rows = findings.map((finding) => ({ finding, fates: catalogue.map((kernel) => fateOn(finding, kernel)) }));
  const broken = (fates: readonly Fate[]) => fates.filter((fate) => fate === 'broken').length;
  const there = ({ finding }: { finding: FindingSummary }) =>
    first !== undefined && fateOn(finding, first) === 'broken' ? 1 : 0;
  rows.sort((a, b) => there(b) - there(a) || broken(b.fates) - broken(a.fates));
  return {
    rows,
    totals: catalogue.map((_, i) => rows.filter(({ fates }) => fates[i] === 'broken').length),
  };
}

/** When the first, half and all of the findings were there: the samples that show it. */
export function milestones(samples: readonly Sample[]): { readonly half: Sample; readonly last: Sample } | undefined {
  const all = samples.at(-1)?.findings ?? 0;
  const half = samples.find(({ findings }) => findings >= all / 2);
  const last = samples.find(({ findings }) => findings >= all);
  return all > 0 && half && last ? { half, last } : undefined;
}
