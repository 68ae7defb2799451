// The handler trace of a step as a tree: function, its decisions, the entries that they wrote.
import type { Catalogue } from '../engine/catalogue.js';
import { MM_NAMES } from '../engine/opword.js';
import type { TraceRecord } from '../engine/trace.js';
import { leafText, WorldReader } from '../engine/world.js';
import { splitSections } from '../findings/sections.js';

const LEVELS = ['PTE', 'PMD', 'PUD'] as const;

export interface Decided {
  readonly text: string;
  /** How often in a row. */
  times: number;
  /** `A p0: P W D A, page 3`. */
  readonly writes: string[];
}

export interface Call {
  readonly function: string;
  readonly decisions: Decided[];
  /** Which op of a concurrent pair runs it. */
  readonly op?: 1 | 2;
}

/** What one op of a pair does until it drops a lock, or ends. */
export interface SectionCalls {
  readonly op: 1 | 2;
  /** It was the other one's turn, which waits for mmap_lock. */
  readonly waited: boolean;
  readonly calls: readonly Call[];
}

function writeText(reader: WorldReader, record: Extract<TraceRecord, { kind: 'leaf' }>): string {
  const level = LEVELS[record.level]!;
  const leaf = reader.leaf(record.entry, level);
  const first = record.level === 1 ? record.index * 4 : record.index;
  const pages = record.level === 0 ? `p${first}` : record.level === 1 ? `p${first}..p${first + 3}` : 'p0..p7';
  const frame = leaf.frame === undefined ? '' : `, page ${leaf.frame}`;
  return `${level} of ${MM_NAMES[record.mm]} ${pages} becomes ${leafText(leaf)}${frame}`;
}

/** Decisions of one function in a row are one call. */
function callsIn(trace: readonly TraceRecord[], catalogue: Catalogue, op?: 1 | 2): Call[] {
  const reader = new WorldReader(catalogue);
  const calls: Call[] = [];
  const call = (name: string): Call => ({ function: name, decisions: [], ...(op && { op }) });
  let early: string[] = [];
  for (const record of trace) {
    if (record.kind === 'leaf') {
      const last = calls.at(-1)?.decisions.at(-1);
      (last?.writes ?? early).push(writeText(reader, record));
      continue;
    }
    const point = record.kind === 'point' ? catalogue.points.find(({ id }) => id === record.point) : undefined;
    if (!point) continue;
    if (calls.at(-1)?.function !== point.function) calls.push(call(point.function));
    const { decisions } = calls.at(-1)!;
    const last = decisions.at(-1);
    if (last?.text === point.decision && last.writes.length === 0) last.times++;
    else decisions.push({ text: point.decision, times: 1, writes: early });
    early = [];
  }
  if (early.length > 0) calls.push({ ...call(''), decisions: [{ text: '', times: 1, writes: early }] });
  return calls;
}

/** Sections of a pair in the order in which they ran; none for a single op. */
export function sectionCalls(trace: readonly TraceRecord[], catalogue: Catalogue): SectionCalls[] {
  return splitSections(trace).map(({ op, waited, records }) => ({
    op,
    waited,
    calls: callsIn(records, catalogue, op),
  }));
}

/** What a step does, of a pair section after section. */
export function callsOf(trace: readonly TraceRecord[], catalogue: Catalogue): Call[] {
  const sections = sectionCalls(trace, catalogue);
  return sections.length > 0 ? sections.flatMap(({ calls }) => calls) : callsIn(trace, catalogue);
}

/** One key per decision with what it wrote, in order. */
function keys(calls: readonly Call[]): string[] {
  return calls.flatMap((call) =>
    call.decisions.map(({ text, times, writes }) => [call.op, call.function, text, times, ...writes].join('\n')),
  );
}

/** Index (over all calls) of the first decision in which two traces differ; undefined if they are equal. */
export function partingDecision(a: readonly Call[], b: readonly Call[]): number | undefined {
  const [left, right] = [keys(a), keys(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) if (left[i] !== right[i]) return i;
  return undefined;
}
