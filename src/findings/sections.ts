// What a handler decided in one step, in order; of two operations at once also which of them was running.
import type { Catalogue } from '../engine/catalogue.js';
import type { TraceRecord } from '../engine/trace.js';

export interface Decision {
  readonly function: string;
  readonly decision: string;
}

/** What one op of a concurrent pair does until it drops a lock, or ends. */
export interface Section {
  /** 1 = the first op of the pair, 2 = the second, as in its schedule. */
  readonly op: 1 | 2;
  /** That op as text. */
  readonly text: string;
  /** It was the other one's turn, which waits for mmap_lock. */
  readonly waited: boolean;
  readonly decisions: readonly Decision[];
}

/** The records of each section of a pair in turn; none for a single op. */
export function splitSections(
  trace: readonly TraceRecord[],
): { readonly op: 1 | 2; readonly waited: boolean; readonly records: TraceRecord[] }[] {
  const sections: ReturnType<typeof splitSections> = [];
  for (const record of trace) {
    if (record.kind === 'section') {
      sections.push({ op: record.which === 0 ? 1 : 2, waited: record.waited, records: [] });
    } else sections.at(-1)?.records.push(record);
  }
  return sections;
}

/** The same decision twice in a row is told once. */
export function decisionsOf(trace: readonly TraceRecord[], { points }: Catalogue): Decision[] {
  const decisions: Decision[] = [];
  for (const record of trace) {
    const point = record.kind === 'point' ? points.find(({ id }) => id === record.point) : undefined;
    if (!point) continue;
    const last = decisions.at(-1);
    if (last?.function === point.function && last.decision === point.decision) continue;
    decisions.push({ function: point.function, decision: point.decision });
  }
  return decisions;
}

/** Sections of a pair in the order in which they ran; none for a single op. `texts`: its two ops. */
export function sectionsOf(trace: readonly TraceRecord[], catalogue: Catalogue, texts: readonly string[]): Section[] {
  return splitSections(trace).map(({ op, waited, records }) => ({
    op,
    text: texts[op - 1] ?? '',
    waited,
    decisions: decisionsOf(records, catalogue),
  }));
}
