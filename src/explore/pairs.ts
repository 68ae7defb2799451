// Concurrent steps of a search: which two operations, by which schedules.
import type { OpInfo } from '../engine/optable.js';
import { decodeOp, encodeOp, SCHEDULE_BITS } from '../engine/opword.js';

/**
 * Sections that an access runs through, interfered with or not: a store copies once more if the entry changed under it;
 * a GUP turn is a fault, a copy and a lookup. Everything else is one section.
 */
const SECTIONS: Readonly<Record<string, number>> = { write: 3, gup: 4 };

/** These wait for mmap_lock until the access of the same process is over: no schedule makes them overlap. */
const WAITS = ['mmap', 'munmap', 'fork', 'exit', 'mprotect', 'clear_refs', 'uffd_reg', 'uffd_unreg', 'uffd_close'];

/** The ways to merge `n` steps of the first op with `m` of the second, 0 = first; one op after the other is none. */
function merges(n: number, m: number): number[][] {
  const all = (a: number, b: number): number[][] => {
    if (a === 0 && b === 0) return [[]];
    return [
      ...(a > 0 ? all(a - 1, b).map((rest) => [0, ...rest]) : []),
      ...(b > 0 ? all(a, b - 1).map((rest) => [1, ...rest]) : []),
    ];
  };
  const isSequence = (steps: readonly number[]) => steps.filter((step, i) => i > 0 && step !== steps[i - 1]).length < 2;
  return all(n, m).filter((steps) => !isSequence(steps));
}

/** Schedule fields of the merges, each once: the last steps are forced, and six choices are all that a word holds. */
function schedules(n: number, m: number): number[] {
  const fields = merges(n, m).map((steps) =>
    steps.slice(0, SCHEDULE_BITS).reduce((field, step, i) => field | (step << i), 0),
  );
  return [...new Set(fields)];
}

/**
 * Two words per concurrent step. One op is an access of some process, the other one an op of the same process that may
 * run meanwhile: an access by its second thread, or a call that does not wait for mmap_lock. Schedules that run one op
 * after the other are two single steps, and are left out; so is an access of one section as the first of a pair.
 * `spared` counts the schedules of 6 bits that this leaves out of all pairs.
 */
export function concurrentPairs(ops: readonly OpInfo[], words: readonly number[]): { pairs: number[]; spared: number } {
  const pairs: number[] = [];
  let spared = 0;
  const sections = (word: number) => SECTIONS[ops[word & 63]!.name] ?? 1;
  for (const first of words) {
    const a = decodeOp(first);
    const op = ops[a.code]!;
    if (!op.takesThread || a.cpu === 1) continue;
    for (const second of words) {
      const b = decodeOp(second);
      const other = ops[b.code]!;
      if (other.takesMm && b.mm !== a.mm) continue;
      if (other.takesThread ? other.name !== 'gup' && b.cpu === 0 : WAITS.includes(other.name)) continue;
      // Both calls would want the one handle.
      if (op.name === 'gup' && other.name === 'gup' && a.y === b.y) continue;
      const chosen = schedules(sections(first), sections(second));
      for (const schedule of chosen) pairs.push(encodeOp({ ...a, pair: true, schedule }), second);
      spared += (1 << SCHEDULE_BITS) - chosen.length;
    }
  }
  return { pairs, spared };
}
