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
/**
 * detail: free for the judge, its meaning stands at the call (shown as a number by --json). What two judges see at
 * once is recorded once.
 */
export function violate(invariant: u32, mm: u32, page: u32, handle: u32, expected: u32, got: u32, detail: u32): void {
  store<u32>(VIOLATION, load<u32>(VIOLATION) | (1 << invariant));
  const where = (invariant & 0xff) | ((mm & 0xff) << 8) | ((page & 0xff) << 16) | ((handle & 0xff) << 24);
  const what = (expected & 0xff) | ((got & 0xff) << 8) | ((currentOp & 0xff) << 16) | ((detail & 0xff) << 24);
  const record = (where as u64) | ((what as u64) << 32);
  const n = load<u32>(VIOLATION, 4);
  const end = VIOLATION + 8 + ((n as usize) << 3);
  for (let at = VIOLATION + 8; at < end; at += 8) if (load<u64>(at) == record) return;
  if (n >= MAX) return;
  store<u64>(end, record);
  store<u32>(VIOLATION, n + 1, 4);
}
