// The small handler's state in 38 bits: four entries of a byte each (mm 0 pages 0 and 1, mm 1 pages 0 and 1; flags in bits
// 0-4, frame in bits 5-7, frame 0 = zero page, or nothing where P is clear), then the frame that each mm's handle pins, three
// bits each. Maps and pins follow from it, so nothing is counted. Six frames can be in use; a fault takes a seventh.

export const P: u32 = 1;
export const W: u32 = 2;
export const D: u32 = 4;
export const A: u32 = 8;
export const U: u32 = 16;
export const FRESH: u32 = P | W | D | A;

/** read, write, gup, uffd, zap on each of the four entries; then fork of mm 0 and of mm 1. */
export const OPS: u32 = 22;
export const FORK: u32 = 20;

/** What a state must not be, bit = number in SMALL_PROMISES of src/explore/small.ts. */
export const WP_WRITABLE: u32 = 1;
export const ZERO_WRITABLE: u32 = 2;
export const SHARED_WRITABLE: u32 = 4;

/** Deviations, bit = number in SMALL_MUTANTS of src/explore/small.ts, where each is told in words. */
export const FORK_KEEPS_WRITE: u32 = 1 << 0;
export const FORK_KEEPS_UFFD: u32 = 1 << 1;
export const FORK_SHARES_PINNED: u32 = 1 << 2;
export const FORK_COPY_KEEPS_UFFD: u32 = 1 << 3;
export const COPY_DROPS_UFFD: u32 = 1 << 4;
export const COPY_KEEPS_WRITE: u32 = 1 << 5;
export const REUSE_IGNORES_MAPS: u32 = 1 << 6;
export const REUSE_IGNORES_PINS: u32 = 1 << 7;
export const REUSE_TAKES_ZERO: u32 = 1 << 8;
export const REUSE_COUNTS_PIN_AS_MAP: u32 = 1 << 9;
export const WRITE_IGNORES_UFFD: u32 = 1 << 10;
export const UFFD_KEEPS_WRITE: u32 = 1 << 11;
export const UNWP_RESTORES_WRITE: u32 = 1 << 12;

@inline
export function entry(s: u64, i: u32): u32 {
  return (<u32>(s >> (i << 3))) & 255;
}

@inline
export function withEntry(s: u64, i: u32, e: u32): u64 {
  const shift = <u64>(i << 3);
  return (s & ~((<u64>255) << shift)) | ((<u64>e) << shift);
}

@inline
export function frame(e: u32): u32 {
  return e >> 5;
}

@inline
export function slot(s: u64, mm: u32): u32 {
  return (<u32>(s >> (32 + 3 * mm))) & 7;
}

@inline
export function withSlot(s: u64, mm: u32, f: u32): u64 {
  const shift = <u64>(32 + 3 * mm);
  return (s & ~((<u64>7) << shift)) | ((<u64>f) << shift);
}

/** Entries that map the frame. */
@inline
export function maps(s: u64, f: u32): u32 {
  return (
    <u32>(frame(entry(s, 0)) == f) + <u32>(frame(entry(s, 1)) == f) + <u32>(frame(entry(s, 2)) == f) + <u32>(frame(entry(s, 3)) == f)
  );
}

/** Handles that pin the frame; none pins frame 0. */
@inline
export function pins(s: u64, f: u32): u32 {
  return f ? <u32>(slot(s, 0) == f) + <u32>(slot(s, 1) == f) : 0;
}

@inline
export function lowestFree(s: u64): u32 {
  const used: u32 =
    1 |
    (1 << frame(entry(s, 0))) |
    (1 << frame(entry(s, 1))) |
    (1 << frame(entry(s, 2))) |
    (1 << frame(entry(s, 3))) |
    (1 << slot(s, 0)) |
    (1 << slot(s, 1));
  return ctz<u32>(~used);
}

/** Promises that the state breaks; 0 for a sound one. */
export function broken(s: u64): u32 {
  let mask: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const e = entry(s, i);
    if (!(e & W)) continue;
    if (e & U) mask |= WP_WRITABLE;
    if (!frame(e)) mask |= ZERO_WRITABLE;
    else if (maps(s, frame(e)) != 1) mask |= SHARED_WRITABLE;
  }
  return mask;
}

/**
 * 64 bits that differ for different states: each step can be undone. Never 0, as no state is ~0. The high half, which picks the
 * slot of the visited set, depends on all bits of the state.
 */
@inline
export function fingerprint(s: u64): u64 {
  let x = (s + 1) * 0x9e3779b97f4a7c15;
  x ^= x >> 32;
  return x * 0xd6e8feb86659fd93;
}

/** The state of a fingerprint. */
@inline
export function stateOf(print: u64): u64 {
  let x = print * 0xcfee444d8b59a89b;
  x ^= x >> 32;
  return x * 0xf1de83e19937733d - 1;
}
