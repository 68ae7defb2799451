// The violation record: what broke first. Filled by the judges, read by fuzz/ and by TypeScript.
//
// VIOLATION + 0: u32 mask of invariants (bit = id), + 4: u32 count (at most 8), then records of 8 bytes:
// invariant, mm (0xff none), page (0xff none), handle (0xff none), expected version, version got, op index, detail.
import { VIOLATION } from '../mm/layout';

export const NONE: u32 = 0xff;
const MAX: u32 = 8;
let currentOp: u32 = 0;

export function clearViolations(): void {
  store<u64>(VIOLATION, 0);
}
/** Index of the op that violations found from now on belong to. */
// @ts-ignore: decorator
@inline export function setViolationOp(index: u32): void {
  currentOp = index;
}
// @ts-ignore: decorator
@inline export function violated(): bool {
  return load<u32>(VIOLATION) != 0;
}
/** detail: free for the judge, its meaning stands at the call (shown as a number by --json). */
export function violate(invariant: u32, mm: u32, page: u32, handle: u32, expected: u32, got: u32, detail: u32): void {
  store<u32>(VIOLATION, load<u32>(VIOLATION) | (1 << invariant));
  const n = load<u32>(VIOLATION, 4);
  if (n >= MAX) return;
  const at = VIOLATION + 8 + ((n as usize) << 3);
  store<u8>(at, invariant);
  store<u8>(at, mm, 1);
  store<u8>(at, page, 2);
  store<u8>(at, handle, 3);
  store<u8>(at, expected, 4);
  store<u8>(at, got, 5);
  store<u8>(at, currentOp, 6);
  store<u8>(at, detail, 7);
  store<u32>(VIOLATION, n + 1, 4);
}
