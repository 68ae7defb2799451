// What differs between two runs of a program (assembly/fuzz/differential.ts), in one sentence.
import type { Violation } from '../engine/types.js';

/** Of the mode in bits 4..7 of the detail: how the first run was made, and how its twin. */
const RUNS: readonly (readonly [string, string])[] = [
  ['in one run', 'in the other'],
  ['with huge pages', 'without'],
  ['if paged out before each call', 'if it stays resident'],
  ['as one call', 'page by page'],
];
const RESULTS = [
  'goes through',
  'raises a uffd-wp event and sleeps',
  'is skipped',
  'fails with -EFAULT or SIGSEGV',
  'runs out of memory',
  'is refused',
  'does not end',
  'never ends',
];
const RESULT = 0;
const SEEN = 1;
const CONTENT = 2;
const HANDLE = 3;
const UFFD_WP = 4;
const SOFT_DIRTY = 5;
const EVENT = 7;

/** The names that a sentence needs. */
export interface Names {
  /** `A's p0`. */
  readonly whose: string;
  readonly h: string;
  readonly step: string;
  readonly data: (version: number) => string;
}

export function difference({ detail, page, expected, got }: Violation, { whose, h, step, data }: Names): string {
  const [first, twin] = RUNS[detail >> 4] ?? RUNS[0]!;
  const two = (how: (value: number) => string) => `${how(got)} ${first}, and ${how(expected)} ${twin}`;
  switch (detail & 15) {
    case RESULT: {
      const what = page === undefined ? step : `in ${step} the access to ${whose}`;
      return `${what} ${two((result) => RESULTS[result] ?? `has result ${result}`)}.`.replace(/^i/, 'I');
    }
    case SEEN:
      return `In ${step} ${whose} shows ${two(data)}.`;
    case CONTENT:
      return `After ${step} ${whose} holds ${two(data)}.`;
    case HANDLE:
      return `After ${step} ${h} shows ${two(data)}.`;
    case UFFD_WP:
      return `After ${step} ${whose} ${two((on) => (on ? 'is write-protected by uffd-wp' : 'is not write-protected by uffd-wp'))}.`;
    case SOFT_DIRTY:
      return `After ${step} ${whose} ${two((on) => (on ? 'is reported soft-dirty' : 'is not reported soft-dirty'))}.`;
    case EVENT:
      return `In ${step} the access to ${whose} waits for another event ${first} than ${twin}.`;
    default:
      return `After ${step} the mapping of ${whose} is another one ${first} than ${twin}.`;
  }
}
