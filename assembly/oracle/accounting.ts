// I7: every count recomputed from scratch. References of a folio = its mappings (a PTE 1, a PMD 1) + GUP handles
// + the swap cache + a migration under way; pins = FOLL_PIN handles; a frame is free exactly if nothing of it is set.
//
// 32 frames are two vectors, so the usual answer "all equal" takes a dozen instructions.
import {
  FREE_MASK, HANDLE_SIZE, HANDLES, NR_FRAMES, NR_HANDLES, NR_SLOTS, PAGE_BUGS, PG_ENTIRE, PG_FLAGS, PG_MAPCOUNT,
  PG_PINS, PG_REFS, PG_SLOT, PG_VERSION, SWAP_CACHE, SWAP_COUNT,
} from '../mm/layout';
import { is_swap_pte, pte_pfn, pte_present, swp_offset } from '../mm/pgtable';
import { compound_head, PG_COMPOUND, PG_MIGRATING } from '../mm/page';
import { F_GUP_PIN } from '../ops/table';
import { RECOUNT } from './promises';
import { I } from './invariants';
import { NONE, violate } from './report';

/** Which count is wrong. The detail of an I7 violation is count << 5 | frame (or swap slot). */
export namespace Count {
  export const MAPCOUNT: u32 = 0;
  /** Entire mapcount, on the head of a THP. */
  export const ENTIRE: u32 = 1;
  export const REFS: u32 = 2;
  export const PINS: u32 = 3;
  /** Free list: in use but free, or free but not clean; a TLB entry of a free frame. */
  export const FREE: u32 = 4;
  export const SWAP_COUNT: u32 = 5;
  /** Swap cache: page and slot do not point at each other. */
  export const SWAP_CACHE: u32 = 6;
  /** Noticed by the page code itself (frame 31), or an entry outside any VMA (frame 0). */
  export const LEFTOVER: u32 = 7;
}
export function miscount(which: u32, frame: u32, mm: u32, page: u32, expected: u32, got: u32): void {
  violate(I.PAGE_ACCOUNTING, mm, page, NONE, expected, got, (which << 5) | frame);
}

const MAPS: usize = RECOUNT;
const ENTIRE: usize = RECOUNT + 32;
const REFS: usize = RECOUNT + 64;
const PINS: usize = RECOUNT + 96;
const SWAPS: usize = RECOUNT + 128;

// @ts-ignore: decorator
@inline function bump(counts: usize, i: u32): void {
  store<u8>(counts + (i as usize), load<u8>(counts + (i as usize)) + 1);
}

/** Starts a recount: then every entry of every mm is counted, then the counts are compared. */
export function recount_begin(): void {
  memory.fill(RECOUNT, 0, 144);
}
// @ts-ignore: decorator
@inline export function recount_pte(e: u64): void {
  if (pte_present(e)) {
    const f = pte_pfn(e);
    if (f < NR_FRAMES) {
      bump(MAPS, f);
      bump(REFS, compound_head(f));
    }
  } else if (is_swap_pte(e)) bump(SWAPS, swp_offset(e) & (NR_SLOTS - 1));
}
export function recount_huge_pmd(e: u64): void {
  const f = pte_pfn(e);
  if (f >= NR_FRAMES) return;
  bump(ENTIRE, f);
  bump(REFS, f);
}
function recount_handles(): void {
  for (let h: u32 = 0; h < NR_HANDLES; h++) {
    const handle = HANDLES + (h as usize) * HANDLE_SIZE;
    if (load<u8>(handle) == 0) continue;
    const f: u32 = load<u8>(handle, 3);
    if (f >= NR_FRAMES) continue;
    bump(REFS, compound_head(f));
    if ((load<u16>(handle, 4) & F_GUP_PIN) != 0) bump(PINS, compound_head(f));
  }
}

/** Compares two arrays of 32 bytes; reports each frame that differs. */
// @ts-ignore: decorator
@inline function compare(which: u32, expected: usize, got: usize): void {
  const low = v128.xor(v128.load(expected), v128.load(got));
  const high = v128.xor(v128.load(expected, 16), v128.load(got, 16));
  if (v128.any_true(v128.or(low, high))) differ(which, expected, got, 32);
}
function differ(which: u32, expected: usize, got: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const a: u32 = load<u8>(expected + (i as usize));
    const b: u32 = load<u8>(got + (i as usize));
    if (a != b) miscount(which, i, NONE, NONE, a, b);
  }
}

/** Bit per frame of one half (16 frames): all its bytes are zero. */
// @ts-ignore: decorator
@inline function clean_frames(half: usize): u32 {
  let any = v128.or(v128.load(PG_REFS + half), v128.load(PG_MAPCOUNT + half));
  any = v128.or(any, v128.or(v128.load(PG_ENTIRE + half), v128.load(PG_PINS + half)));
  any = v128.or(any, v128.or(v128.load(PG_FLAGS + half), v128.load(PG_VERSION + half)));
  any = v128.or(any, v128.load(PG_SLOT + half));
  return i8x16.bitmask(i8x16.eq(any, i64x2.splat(0))) & 0xffff;
}
/** Bit per frame of one half: it has no reference, nor a head that has them. */
// @ts-ignore: decorator
@inline function unreferenced_frames(half: usize): u32 {
  const zero = i64x2.splat(0);
  const compound = i8x16.ne(v128.and(v128.load(PG_FLAGS + half), i8x16.splat(PG_COMPOUND as i8)), zero);
  const tails = i8x16.bitmask(compound) & 0xeeee;
  return i8x16.bitmask(i8x16.eq(v128.load(PG_REFS + half), zero)) & ~tails & 0xffff;
}
function check_free(): void {
  const clean = (clean_frames(0) | (clean_frames(16) << 16)) & ((1 << NR_FRAMES) - 1);
  const free = load<u32>(FREE_MASK);
  for (let m = clean ^ free; m != 0; m &= m - 1) {
    const f = ctz(m);
    miscount(Count.FREE, f, NONE, NONE, (clean >> f) & 1, (free >> f) & 1);
  }
  const unreferenced = (unreferenced_frames(0) | (unreferenced_frames(16) << 16)) & ((1 << NR_FRAMES) - 1);
  for (let m = unreferenced & ~free & ~clean; m != 0; m &= m - 1) miscount(Count.FREE, ctz(m), NONE, NONE, 1, 0);
}

/** The swap cache's reference is the page's own; page and slot name each other. */
/** The reference by which a migration holds its folio. */
// @ts-ignore: decorator
@inline function add_migrations(at: usize): void {
  const bit = i8x16.splat(PG_MIGRATING as i8);
  const migrating = i8x16.eq(v128.and(v128.load(PG_FLAGS + at), bit), bit);
  v128.store(REFS + at, i8x16.sub(v128.load(REFS + at), migrating));
}
function check_swap_cache(): void {
  const zero = i64x2.splat(0);
  const low = i8x16.ne(v128.load(PG_SLOT), zero);
  const high = i8x16.ne(v128.load(PG_SLOT, 16), zero);
  v128.store(REFS, i8x16.sub(v128.load(REFS), low));
  v128.store(REFS, i8x16.sub(v128.load(REFS, 16), high), 16);
  let cached: u32 = i8x16.bitmask(low) | (i8x16.bitmask(high) << 16);
  let slots: u32 = i8x16.bitmask(i8x16.ne(v128.load(SWAP_CACHE), zero));
  for (; cached != 0; cached &= cached - 1) {
    const f = ctz(cached);
    const slot = (load<u8>(PG_SLOT + (f as usize)) as u32) - 1;
    const back: u32 = slot < NR_SLOTS ? load<u8>(SWAP_CACHE + (slot as usize)) : 0;
    if (back != f + 1) miscount(Count.SWAP_CACHE, f, NONE, NONE, f + 1, back);
    slots &= ~(1 << slot);
  }
  if (slots != 0) miscount(Count.SWAP_CACHE, ctz(slots), NONE, NONE, 0, 1);
}

/** Errors the page code noticed itself (reference underflow, double free). */
// @ts-ignore: decorator
@inline export function check_page_bugs(): void {
  if (load<u32>(PAGE_BUGS) != 0) miscount(Count.LEFTOVER, 31, NONE, NONE, 0, load<u32>(PAGE_BUGS));
}

/** Ends a recount: the whole of I7. */
export function check_counts(): void {
  recount_handles();
  check_swap_cache();
  add_migrations(0);
  add_migrations(16);
  compare(Count.MAPCOUNT, MAPS, PG_MAPCOUNT);
  compare(Count.ENTIRE, ENTIRE, PG_ENTIRE);
  compare(Count.REFS, REFS, PG_REFS);
  compare(Count.PINS, PINS, PG_PINS);
  if (v128.any_true(v128.xor(v128.load(SWAPS), v128.load(SWAP_COUNT)))) differ(Count.SWAP_COUNT, SWAPS, SWAP_COUNT, NR_SLOTS);
  check_free();
}
