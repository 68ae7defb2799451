// The cause of a finding: what two counterexamples of the same flaw have in common.
import type { Catalogue } from '../engine/catalogue.js';
import type { TraceRecord } from '../engine/trace.js';
import type { Violation } from '../engine/types.js';
import { WorldReader } from '../engine/world.js';
import { type Cure, printFlips } from './cures.js';
import type { TracedRun } from './trace.js';

export interface Cause {
  /** For people and JSON; `isSameCause` decides whether two are one. */
  readonly key: string;
  /** Handler function that last wrote the offending leaf, or took the last decision where no leaf is to blame. */
  readonly function: string;
  /** Its decision. */
  readonly decision: string;
  /** Number of the step in which that happened, from 1. */
  readonly step: number;
  /** A leaf is to blame. */
  readonly leaf: boolean;
}

type LeafRecord = Extract<TraceRecord, { kind: 'leaf' }>;
type PointRecord = Extract<TraceRecord, { kind: 'point' }>;
type Place = Omit<Cause, 'key' | 'function' | 'decision'> & { readonly point: number };

const LEVELS = ['PTE', 'PMD', 'PUD'] as const;
/** Broken by an act, not by an entry. */
const NO_LEAF: readonly string[] = ['wp-event-on-read', 'no-progress', 'fast-only-refused'];

function isPoint(record: TraceRecord): record is PointRecord {
  return record.kind === 'point';
}

/** Does the leaf decide about this page of this mm? */
function covers({ level, mm, index }: LeafRecord, violation: Violation): boolean {
  if (mm !== violation.mm || violation.page === undefined) return false;
  return level === 0 ? index === violation.page : level === 2 || index === violation.page >> 2;
}

/** Does the leaf map this page frame? */
function maps(reader: WorldReader, { level, entry }: LeafRecord, frame: number): boolean {
  const leaf = reader.leaf(entry, LEVELS[level]!);
  if (leaf.kind !== 'present' || leaf.frame === undefined) return false;
  return level === 0 ? leaf.frame === frame : leaf.frame === (frame & ~3);
}

/** The decision that a leaf write at `at` followed from: the last one before it in its step, else the next one. */
function decisionAt(trace: readonly TraceRecord[], at: number): number | undefined {
  return (trace.slice(0, at).findLast(isPoint) ?? trace.slice(at).find(isPoint))?.point;
}

function lastLeaf(run: TracedRun, concerns: (record: LeafRecord) => boolean): Place | undefined {
  for (const { first, trace } of run.steps.toReversed()) {
    const at = trace.findLastIndex((record) => record.kind === 'leaf' && concerns(record));
    const point = at < 0 ? undefined : decisionAt(trace, at);
    if (point !== undefined) return { point, step: first + 1, leaf: true };
  }
  return undefined;
}

function lastDecision(run: TracedRun): Place | undefined {
  const step = run.steps.findLast(({ trace }) => trace.some(isPoint));
  const point = step?.trace.findLast(isPoint)?.point;
  return step && point !== undefined ? { point, step: step.first + 1, leaf: false } : undefined;
}

function place(catalogue: Catalogue, run: TracedRun, violation: Violation, slug: string): Place | undefined {
  if (NO_LEAF.includes(slug)) return lastDecision(run);
  const reader = new WorldReader(catalogue);
  const held = run.steps.at(-1)?.after.handles.find(({ handle }) => handle === violation.handle);
  // A leak came in by whoever else maps the held page; a pin came off where its owner's leaf moved away.
  const byFrame = slug === 'cow-leak' && held !== undefined;
  const found = lastLeaf(run, (record) => (byFrame ? maps(reader, record, held.frame) : covers(record, violation)));
  return found ?? lastDecision(run);
}

export function findCause(catalogue: Catalogue, run: TracedRun, violation: Violation, cures: readonly Cure[]): Cause {
  const { slug } = catalogue.invariant(violation.invariant);
  const found = place(catalogue, run, violation, slug);
  const point = catalogue.points.find(({ id }) => id === found?.point);
  const name = point?.function ?? 'none';
  const [best] = cures;
  return {
    key: `${slug}; ${name}; ${best ? printFlips(best.flips) : 'no cure'}`,
    function: name,
    decision: point?.decision ?? '',
    step: found?.step ?? run.steps.length,
    leaf: found?.leaf ?? false,
  };
}
