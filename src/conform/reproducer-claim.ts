// A difference between model and kernel as a claim: what the kernel did, stated so that a program can check it.
import type { OpInfo } from '../engine/optable.js';
import { RESULT } from '../engine/opword.js';
import type { Difference } from './compare.js';
import { entryOf, type Fact } from './facts.js';
import type { PageLayout, Run } from './observed.js';
import { differenceText } from './report.js';
import { Inexpressible, reproducer } from './reproducer.js';
import { cSources } from './reproducer-sources.js';

/** A program on which model and kernel differ, with what the kernel did. */
export interface Differing {
  readonly words: Uint32Array;
  readonly layout: PageLayout;
  readonly difference: Difference;
  readonly kernel: Run;
}

/** A C program that exits with 0 where a kernel does as `release` did, or why there is none. */
export function differenceProgram(
  { words, layout, difference, kernel }: Differing,
  release: string,
  ops: readonly OpInfo[],
): { source: string } | { none: string } {
  const facts = factsOf(difference, kernel);
  if (facts.length === 0) return { none: `user space cannot see ${difference.field}` };
  const about = [`What ${release} does, and the model does not:`, differenceText(difference)];
  try {
    return { source: reproducer({ words, layout, facts, about }, ops, cSources()) };
  } catch (error) {
    if (error instanceof Inexpressible) return { none: error.message };
    throw error;
  }
}

/** The facts that the kernel's run shows where it differs from the model; none for what user space cannot see. */
export function factsOf(difference: Difference, kernel: Run): Fact[] {
  const { op, field } = difference;
  const seen = kernel.ops[op];
  if (!seen) return [];
  const who = difference.sleeper ?? op;
  const outcome = seen.outcomes.find((one) => one.op === who);
  switch (field) {
    case 'result':
      return seen.result === RESULT.SLEEP ? [{ kind: 'sleeps', op }] : [{ kind: 'ends', op, result: seen.result }];
    case 'value':
      return outcome?.value === undefined ? [] : [{ kind: 'shows', op: who, value: outcome.value }];
    case 'faults':
      return outcome?.faults === undefined ? [] : [{ kind: 'faults', op: who, count: outcome.faults }];
    case 'events':
      return [{ kind: seen.events.some((event) => event.op === op) ? 'sleeps' : 'silent', op }];
    case 'woken':
    case 'asleep':
      return [
        ...seen.outcomes
          .filter((one) => one.op !== op)
          .map(({ op: sleeper }): Fact => ({ kind: 'wakes', op, sleeper })),
        ...seen.asleep.filter((one) => one !== op).map((sleeper): Fact => ({ kind: 'asleep', op, sleeper })),
      ];
  }
  return difference.mm === undefined || difference.page === undefined
    ? []
    : factsOfPage(field, op, difference.mm, difference.page, kernel);
}

function factsOfPage(field: Difference['field'], op: number, mm: number, page: number, kernel: Run): Fact[] {
  const cells = kernel.ops[op]!.cells;
  const cell = cells[mm]?.[page];
  if (!cell) return [];
  const at = { op, mm, page };
  switch (field) {
    case 'kind':
      return [{ kind: 'entry', ...at, is: entryOf(cell) }];
    case 'uffd-wp':
      return cell.uffdWp === undefined ? [] : [{ kind: 'bit', bit: 'uffd-wp', ...at, set: cell.uffdWp }];
    case 'soft-dirty':
      return cell.softDirty === undefined ? [] : [{ kind: 'bit', bit: 'soft-dirty', ...at, set: cell.softDirty }];
    case 'content':
      return cell.value === undefined ? [] : [{ kind: 'content', ...at, value: cell.value }];
    case 'moved': {
      const before = kernel.ops[op - 1]?.cells[mm]?.[page]?.frame;
      return before === undefined ? [] : [{ kind: 'moved', ...at, moved: before !== cell.frame }];
    }
    case 'frame': {
      if (cell.kind !== 'present' || cell.frame === undefined) return [];
      const others = cells.flatMap((row, otherMm) =>
        (row ?? []).flatMap((other, otherPage) =>
          other.kind === 'present' && !other.zero && (otherMm !== mm || otherPage !== page)
            ? [{ mm: otherMm, page: otherPage, same: other.frame === cell.frame }]
            : [],
        ),
      );
      return others
        .filter(({ same }, _, all) => same || all.every((one) => !one.same))
        .map(({ same, ...where }): Fact => ({ kind: 'shared', ...at, with: where, same }));
    }
  }
  return [];
}
