// What the program and the outside world could see happen, in order: the only thing the reference memory learns of mm/.
//
// Record (u32): bits 0..3 kind, 4..5 mm, 6..9 page, 10..11 handle, 12..19 version, 20..25 op index, 26..31 flags.
import { OBS, OBS_COUNT, OBS_MAX } from './layout';

/** The version that every `write ... same` stores: nobody's in particular. */
export const COMMON_VERSION: u32 = 0x7f;

export namespace Obs {
  /** A load finished: mm, page, version read. */
  export const LOAD: u32 = 1;
  /** A store finished: mm, page, version written. */
  export const STORE: u32 = 2;
  /** A uffd event was queued and the thread sleeps: mm, page; flag 1 = the access is a write, 2 = nothing was there. */
  export const EVENT: u32 = 3;
  /** A GUP handle was granted: mm, page, handle, version visible through it; flags of the call are in the op's word. */
  export const GUP: u32 = 4;
  /** A read through a handle: handle, version. */
  export const HREAD: u32 = 5;
  /** A write through a handle: handle, version. */
  export const HWRITE: u32 = 6;
  /** The op of this index (not an access) took effect; pagemap_scan: version = the pages it reports. */
  export const SYSCALL: u32 = 7;
  /** A fault or GUP loop came back to the same state: mm, page. */
  export const NO_PROGRESS: u32 = 8;
  /** Fast-only read GUP found nothing: mm, page. */
  export const FAST_REFUSED: u32 = 9;
  /** UFFDIO_WRITEPROTECT failed after it had changed part of its range: mm; the op's word has the rest. */
  export const WP_PARTIAL: u32 = 10;
  /** A uffd ioctl put something where nothing was: mm, page, version; flag 1 = write-protected, 2 = the zero page. */
  export const FILLED: u32 = 11;
  /** An access faulted, but ended without getting anywhere: mm, page. The entry may have changed. */
  export const GAVE_UP: u32 = 12;
  /** mremap failed midway: mm; version bits 0..3 = pages moved, from the first of the op's, 4..7 = target pages unmapped. */
  export const MOVED_PARTLY: u32 = 14;
}

// @ts-ignore: decorator
@inline export function observe(kind: u32, mm: u32, page: u32, handle: u32, version: u32, index: u32, flags: u32): void {
  const n = load<u32>(OBS_COUNT);
  if (n < OBS_MAX) {
    const where = (mm << 4) | (page << 6) | (handle << 10);
    store<u32>(OBS + ((n as usize) << 2), kind | where | (version << 12) | (index << 20) | (flags << 26));
    store<u32>(OBS_COUNT, n + 1);
  }
}
// @ts-ignore: decorator
@inline export function obs_at(i: u32): u32 {
  return load<u32>(OBS + ((i as usize) << 2));
}
// @ts-ignore: decorator
@inline export function obs_kind(o: u32): u32 {
  return o & 15;
}
// @ts-ignore: decorator
@inline export function obs_mm(o: u32): u32 {
  return (o >> 4) & 3;
}
// @ts-ignore: decorator
@inline export function obs_page(o: u32): u32 {
  return (o >> 6) & 15;
}
// @ts-ignore: decorator
@inline export function obs_handle(o: u32): u32 {
  return (o >> 10) & 3;
}
// @ts-ignore: decorator
@inline export function obs_version(o: u32): u32 {
  return (o >> 12) & 0xff;
}
// @ts-ignore: decorator
@inline export function obs_index(o: u32): u32 {
  return (o >> 20) & 63;
}
// @ts-ignore: decorator
@inline export function obs_flags(o: u32): u32 {
  return o >> 26;
}
