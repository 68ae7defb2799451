// The fields of an op word; the bits stand in assembly/ops/table.ts.

export const MM_NAMES: readonly string[] = ['A', 'B', 'C'];
export const PAGE_COUNT = 8;
/** Page arguments in the order of their codes. */
export const PAGE_NAMES: readonly string[] = [
  'p0',
  'p1',
  'p2',
  'p3',
  'p4',
  'p5',
  'p6',
  'p7',
  'p0..p3',
  'p4..p7',
  'p0..p7',
];
export const HANDLE_COUNT = 4;
export const SCHEDULE_BITS = 6;
/** Bits of the flags that are the target of a move, an index into PAGE_NAMES. */
export const TARGET_MASK = 15;
export const MAX_OPS = 64;

export interface OpFields {
  readonly code: number;
  /** Process X. */
  readonly mm: number;
  /** Index into PAGE_NAMES. */
  readonly page: number;
  /** Process Y, or the handle. */
  readonly y: number;
  /** 0 = X.1, 1 = X.2. */
  readonly cpu: number;
  readonly flags: number;
  /** Runs concurrently with the next op. */
  readonly pair: boolean;
  /** Bit k: which of the two steps at the k-th choice. */
  readonly schedule: number;
}

export const NO_FIELDS: Omit<OpFields, 'code'> = { mm: 0, page: 0, y: 0, cpu: 0, flags: 0, pair: false, schedule: 0 };

export function encodeOp(op: OpFields): number {
  const low = op.code | (op.mm << 6) | (op.page << 8) | (op.y << 12) | (op.cpu << 14) | (op.flags << 16);
  return (low | (op.pair ? 1 << 25 : 0) | (op.schedule << 26)) >>> 0;
}

export function decodeOp(word: number): OpFields {
  return {
    code: word & 63,
    mm: (word >>> 6) & 3,
    page: (word >>> 8) & 15,
    y: (word >>> 12) & 3,
    cpu: (word >>> 14) & 1,
    flags: (word >>> 16) & 0x1ff,
    pair: ((word >>> 25) & 1) !== 0,
    schedule: word >>> 26,
  };
}

/** Results of an op, index = code (R of assembly/ops/table.ts). */
export const RESULT_NAMES: readonly string[] = [
  'ok',
  'sleeps',
  'not applicable',
  'fault',
  'no memory',
  'refused',
  'yields',
  'livelock',
];
export const RESULT = { OK: 0, SLEEP: 1, SKIP: 2, FAULT: 3, NOMEM: 4, REFUSED: 5, LIVELOCK: 7 } as const;

/** Pages of a page argument, ascending. */
export function pagesOf(page: number): readonly number[] {
  if (page < PAGE_COUNT) return [page];
  const [first, count] = page === 8 ? [0, 4] : page === 9 ? [4, 4] : [0, 8];
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Content that every `write ... same` stores (COMMON_VERSION of assembly/mm/observe.ts); others are op index + 1. */
export const COMMON_VERSION = 0x7f;
