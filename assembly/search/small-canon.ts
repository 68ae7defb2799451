// Canonical forms of the small handler's states: the least of the renamings that a symmetry allows. Each form is one of the
// renamed states itself, so equal forms mean equal states up to renaming, and nothing else.
import { entry, frame, slot } from './small-state';

export const NONE: u32 = 0;
export const FRAMES: u32 = 1;
export const MMS: u32 = 2;
export const FULL: u32 = 3;

/** Frames renumbered in the order of first reference: entries 0-3, then the handles of mm 0 and mm 1. */
export function renumbered(s: u64): u64 {
  // Four bits for each old frame: its new number. The zero page stays what it is.
  let names: u32 = 0;
  let next: u32 = 1;
  let out: u64 = 0;
  for (let i: u32 = 0; i < 6; i++) {
    const e = i < 4 ? entry(s, i) : 0;
    const f = i < 4 ? frame(e) : slot(s, i - 4);
    const at = f << 2;
    if (f && !((names >> at) & 15)) names |= next++ << at;
    const name = <u64>((names >> at) & 15);
    if (i < 4) out |= (<u64>(e & 31) | (name << 5)) << (<u64>i << 3);
    else out |= name << <u64>(32 + 3 * (i - 4));
  }
  return out;
}

@inline
export function swapMms(s: u64): u64 {
  return ((s & 0xffff) << 16) | ((s >> 16) & 0xffff) | (((s >> 32) & 7) << 35) | (((s >> 35) & 7) << 32);
}

/** Of both mms at once: a fork copies page to page. */
@inline
export function swapPages(s: u64): u64 {
  return ((s & 0x00ff00ff) << 8) | ((s >> 8) & 0x00ff00ff) | (s & 0x3f00000000);
}

export function canonical(s: u64, symmetry: u32): u64 {
  if (symmetry == NONE) return s;
  let least = renumbered(s);
  if (symmetry == FRAMES) return least;
  least = min(least, renumbered(swapMms(s)));
  if (symmetry == MMS) return least;
  least = min(least, renumbered(swapPages(s)));
  return min(least, renumbered(swapPages(swapMms(s))));
}
