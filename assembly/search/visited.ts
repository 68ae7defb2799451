// The visited set of an exhaustive search: one table of 64-bit fingerprints in memory that all threads share, or a
// filter of bits. Each thread has its own instance over the same memory, with an area of its own for what goes in and
// comes out.
//
// The table is open addressing by lines of 64 bytes = 8 fingerprints, 0 = empty. A fingerprint's home line is the high
// half of (its high 32 bits x number of lines), so a table has any number of lines, and a larger table keeps their
// order. A line is filled from its first slot, then the next line; nothing is ever removed. So a line that is not full
// ends every probe that passes it.

/** Fingerprints that one call takes at most: their lines are to stay in the cache from the first look to the second. */
export const SLICE: u32 = 2048;
/** Fingerprints of neighbouring full lines at most, see `grow`. */
const CLUSTER: usize = 65536;
/**
 * Areas of threads, one after the other: fingerprints in, one byte each out, the numbers of those that need a closer
 * look, and room for a cluster.
 */
export const AREAS: u32 = 65536;
const OUT: usize = <usize>SLICE * 8;
const PENDING: usize = OUT + <usize>SLICE;
const MOVING: usize = PENDING + <usize>SLICE * 4 + 4096;
export const AREA_SIZE: u32 = <u32>(MOVING + CLUSTER * 8);
/** Lines behind the last home line: what probes overflow into. */
export const SLACK: u32 = 1024;

/** `grow` met a larger cluster. */
const CROWDED: i32 = -1;
/** A probe ran over the end of the table. */
const FULL: i32 = -1;

let input: usize = 0;
let output: usize = 0;
let pending: usize = 0;
let moving: usize = 0;
let table: usize = 0;
let lines: u64 = 0;
let end: usize = 0;

/** The area of this thread, by its address. */
export function configure(area: u32): void {
  input = <usize>area;
  output = <usize>area + OUT;
  pending = <usize>area + PENDING;
  moving = <usize>area + MOVING;
}

/**
 * The table: address, a multiple of 64, and lines without the slack. Every thread is told after it was made and after
 * it grew.
 */
export function setTable(at: u32, count: u32): void {
  table = <usize>at;
  lines = <u64>count;
  end = table + ((<usize>count + <usize>SLACK) << 6);
}

// @ts-ignore: decorator
@inline
function home(print: u64): usize {
  return table + (<usize>(((print >> 32) * lines) >> 32) << 6);
}

// @ts-ignore: decorator
@inline
function inLine(line: usize, print: u64): bool {
  const key = i64x2.splat(<i64>print);
  const low = v128.or(i64x2.eq(v128.load(line), key), i64x2.eq(v128.load(line, 16), key));
  const high = v128.or(i64x2.eq(v128.load(line, 32), key), i64x2.eq(v128.load(line, 48), key));
  return v128.any_true(v128.or(low, high));
}

/**
 * Looks at the home line of each of `n` fingerprints and lists in `pending` the numbers of those that are not there;
 * returns the list's end. No branch depends on what is found, so the cache misses of many lines overlap.
 */
// @ts-ignore: decorator
@inline
function sift(n: u32): usize {
  let last = pending;
  for (let i: u32 = 0; i < n; i++) {
    const print = load<u64>(input + (<usize>i << 3));
    store<u32>(last, i);
    last += inLine(home(print), print) ? 0 : 4;
  }
  memory.fill(output, 0, n);
  return last;
}

/**
 * Enters `n` fingerprints. Out: 1 for each that is new, 0 for one that was there or came earlier in this call. Returns
 * how many are new, or FULL. Of threads that enter the same one at the same time, one is told that it is new.
 */
export function insert(n: u32): i32 {
  const last = sift(n);
  let fresh = 0;
  for (let p = pending; p < last; p += 4) {
    const i = load<u32>(p);
    const print = load<u64>(input + (<usize>i << 3));
    let slot = home(print);
    while (true) {
      let there = atomic.load<u64>(slot);
      if (there == 0) {
        there = atomic.cmpxchg<u64>(slot, 0, print);
        if (there == 0) {
          store<u8>(output + <usize>i, 1);
          fresh++;
          break;
        }
      }
      if (there == print) break;
      slot += 8;
      if (slot >= end) return FULL;
    }
  }
  return fresh;
}

/** As `insert`, but enters nothing: out is 1 for each that is not in the table. */
export function missing(n: u32): i32 {
  const last = sift(n);
  let absent = 0;
  for (let p = pending; p < last; p += 4) {
    const i = load<u32>(p);
    const print = load<u64>(input + (<usize>i << 3));
    let slot = home(print);
    while (slot < end) {
      const there = atomic.load<u64>(slot);
      if (there == print) break;
      if (there == 0) {
        store<u8>(output + <usize>i, 1);
        absent++;
        break;
      }
      slot += 8;
    }
  }
  return absent;
}

// @ts-ignore: decorator
@inline
function full(line: usize): bool {
  return load<u64>(line, 56) != 0;
}

/**
 * Writes to each page of lines `from` to `to`, which were never used. Were they read first, the system would show one
 * page of zeroes and take it away at the first write: twice the faults, and each halts the other threads.
 */
export function touch(from: u32, to: u32): void {
  const stop = table + (<usize>to << 6);
  for (let page = table + (<usize>from << 6); page < stop; page += 4096) store<u64>(page, 0);
}

/** The first line from `line` to `last` where a cluster begins, see `grow`; `last` if there is none before. */
export function edge(line: u32, last: u32): u32 {
  while (line < last && line > 0 && full(table + (<usize>(line - 1) << 6))) line++;
  return line;
}

/**
 * Moves what lines `from` to `to` of a smaller table hold to where it belongs in the larger one that `setTable` named,
 * in place: from the end to the start by clusters, a cluster being some full lines and the one that ends them. Homes of
 * a cluster's fingerprints lie within it, and no home moves down, so what has been moved is never met again. Both lines
 * are to be edges. Threads may move different parts at the same time if the larger table's homes of all of them lie
 * behind all of them. Returns 0, or CROWDED with the table spoilt.
 */
export function grow(from: u32, to: u32): i32 {
  const first = table + (<usize>from << 6);
  let stop = table + (<usize>to << 6);
  while (stop > first) {
    let start = stop - 64;
    while (start > first && full(start - 64)) start -= 64;
    if (stop - start > CLUSTER * 8) return CROWDED;
    let last = moving;
    for (let slot = start; slot < stop; slot += 8) {
      const print = load<u64>(slot);
      store<u64>(last, print);
      last += print != 0 ? 8 : 0;
    }
    if (last > moving) memory.fill(start, 0, stop - start);
    for (let p = moving; p < last; p += 8) {
      const print = load<u64>(p);
      let slot = home(print);
      while (atomic.load<u64>(slot) != 0 || atomic.cmpxchg<u64>(slot, 0, print) != 0) slot += 8;
    }
    stop = start;
  }
  return 0;
}

let shift: u64 = 0;
let hashes: u32 = 1;

/** A filter of 2^log bits at `at`, `k` of them per fingerprint. Its locks stand before it, see `insertBits`. */
export function setFilter(at: u32, log: u32, k: u32): void {
  table = <usize>at;
  shift = <u64>(64 - log);
  hashes = k;
}

/** Locks of `insertBits`: one i32 each, in the 16 KiB before the filter. */
const LOCKS: u64 = 4096;

/** What the numbers of a fingerprint's bits go up by: odd, and none of the fingerprint's own bits shows through. */
// @ts-ignore: decorator
@inline
function step(print: u64): u64 {
  const x = (print ^ (print >> 29)) * 0xbf58476d1ce4e5b9;
  return (x ^ (x >> 32)) | 1;
}

/** Numbers of the fingerprints of which a bit is missing go to `pending`; see `sift`. */
// @ts-ignore: decorator
@inline
function siftBits(n: u32): usize {
  let last = pending;
  for (let i: u32 = 0; i < n; i++) {
    let x = load<u64>(input + (<usize>i << 3));
    const up = step(x);
    let all: u64 = 1;
    for (let k: u32 = 0; k < hashes; k++) {
      const bit = x >> shift;
      all &= load<u64>(table + (<usize>(bit >> 6) << 3)) >> (bit & 63);
      x += up;
    }
    store<u32>(last, i);
    last += <usize>(1 - all) << 2;
  }
  memory.fill(output, 0, n);
  return last;
}

// @ts-ignore: decorator
@inline
function lockOf(print: u64): usize {
  return table - (<usize>LOCKS << 2) + (<usize>((print >> 7) & (LOCKS - 1)) << 2);
}

/**
 * Sets the bits of `n` fingerprints; out is 1 for each that set one. A lock makes sure that of two threads with the
 * same fingerprint one is told that it is new: each alone could set a part of its bits.
 */
export function insertBits(n: u32): i32 {
  const last = siftBits(n);
  let fresh = 0;
  for (let p = pending; p < last; p += 4) {
    const i = load<u32>(p);
    let x = load<u64>(input + (<usize>i << 3));
    const up = step(x);
    const lock = lockOf(x);
    while (atomic.cmpxchg<i32>(lock, 0, 1) != 0) {}
    let set: u64 = 0;
    for (let k: u32 = 0; k < hashes; k++) {
      const bit = x >> shift;
      const mask = <u64>1 << (bit & 63);
      const word = table + (<usize>(bit >> 6) << 3);
      if ((atomic.load<u64>(word) & mask) == 0) set |= ~atomic.or<u64>(word, mask) & mask;
      x += up;
    }
    atomic.store<i32>(lock, 0);
    const isNew = <u32>(set != 0);
    store<u8>(output + <usize>i, isNew);
    fresh += isNew;
  }
  return fresh;
}

/** As `insertBits`, but sets nothing: out is 1 for each of which a bit is missing. */
export function missingBits(n: u32): i32 {
  const last = siftBits(n);
  for (let p = pending; p < last; p += 4) store<u8>(output + <usize>load<u32>(p), 1);
  return <i32>((last - pending) >> 2);
}
