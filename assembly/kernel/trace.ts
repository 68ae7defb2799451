// What happened, for people: off in campaigns (one predictable branch), on when a counterexample is explained.
// Coverage of handler points is always on: one byte store with an immediate address.
import { COVERAGE, TRACE, TRACE_MAX } from '../mm/layout';

export let tracing: bool = false;
let count: u32 = 0;

/** Starts (true) or stops recording; starting empties the trace. */
export function setTracing(on: bool): void {
  tracing = on;
  if (on) count = 0;
}
/** Stops recording for a while; returns whether it was on, for resume_tracing. */
export function suspend_tracing(): bool {
  const was = tracing;
  tracing = false;
  return was;
}
export function resume_tracing(was: bool): void {
  tracing = was;
}
export function traceCount(): u32 {
  return count;
}

// One record is 16 bytes: u8 kind (0 point, 1 leaf set, 2 op, 3 section), u8 a, u8 b, u8 c, u32 id, u64 value.
function push(kind: u32, a: u32, b: u32, c: u32, id: u32, value: u64): void {
  if (count >= TRACE_MAX / 2) return;
  const at = TRACE + ((count as usize) << 4);
  store<u32>(at, kind | (a << 8) | (b << 16) | (c << 24));
  store<u32>(at, id, 4);
  store<u64>(at, value, 8);
  count++;
}

/** A leaf was written: level 0 PTE, 1 PMD, 2 PUD. */
export function traceLeaf(level: u32, mm: u32, index: u32, entry: u64): void {
  push(1, level, mm, index, 0, entry);
}
function tracePoint(id: u32): void {
  push(0, 0, 0, 0, id, 0);
}

/** The handler passes decision `id` (kernel/points.ts). */
// @ts-ignore: decorator
@inline export function at(id: u32): void {
  store<u8>(COVERAGE + (id as usize), 1);
  if (tracing) tracePoint(id);
}

/** Program op `index` begins (a separator for readers of the trace). */
// @ts-ignore: decorator
@inline export function traceOp(index: u32): void {
  if (tracing) push(2, index, 0, 0, 0, 0);
}

/** Of a concurrent pair, op `which` (0 or 1) runs a section; `waited`: the other one was to, but waits for mmap_lock. */
// @ts-ignore: decorator
@inline export function traceSection(which: u32, waited: bool): void {
  if (tracing) push(3, which, waited ? 1 : 0, 0, 0, 0);
}
