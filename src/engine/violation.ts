import type { Violation } from './types.js';

const NONE = 0xff;

/** Bytes of one record. */
export const VIOLATION_SIZE = 8;

/** A record of assembly/oracle/report.ts at offset `at` of `view`. */
export function decodeViolation(view: DataView, at: number): Violation {
  const byte = (offset: number) => view.getUint8(at + offset);
  const some = (offset: number) => (byte(offset) === NONE ? undefined : byte(offset));
  const [mm, page, handle] = [some(1), some(2), some(3)];
  return {
    invariant: byte(0),
    ...(mm !== undefined && { mm }),
    ...(page !== undefined && { page }),
    ...(handle !== undefined && { handle }),
    expected: byte(4),
    got: byte(5),
    op: byte(6),
    detail: byte(7),
  };
}
