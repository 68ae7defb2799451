// The reference memory's own state: what programs have been promised. It knows versions, lives and protection, and
// nothing of page tables, references or knobs.
//
// Layout inside REFERENCE (bytes):
//   0     3 mms x 32: u64 promised versions (one byte per page), then one-byte masks (bit = page), see MM_* below
//   96    4 handles x 8: state, mm, page, life of the owner, version at the grant, -, u16 time of the grant
//   128   u16 clock (one tick per observation), u8 lives so far, u8 handles in use (mask)
//   144   versions 0..64, u32 each: life of the author | page << 8 | VIA_HANDLE | time written << 16
//   408   lives 0..65, u32 each: parent life | time of the fork << 16
//   768   scratch of the recount (structure.ts)
import { REFERENCE } from '../mm/layout';
import { COMMON_VERSION } from '../mm/observe';

const MM_BYTES: usize = 32;
const HANDLES_AT: usize = REFERENCE + 96;
const CLOCK: usize = REFERENCE + 128;
const LIVES: usize = REFERENCE + 130;
const HELD: usize = REFERENCE + 131;
const AUTHORS: usize = REFERENCE + 144;
const PARENTS: usize = REFERENCE + 408;
/** Work area of the recount in structure.ts: 256 bytes, no state between calls. */
export const RECOUNT: usize = REFERENCE + 768;

/** Masks of an mm: offsets of bytes, bit = page. */
export const MAPPED: usize = 8;
export const WRITABLE: usize = 9;
/** Write-protected for certain: a store must raise an event, the entry must carry uffd-wp. */
export const WP_YES: usize = 10;
/** May be write-protected: a correct kernel has latitude, nothing is judged. */
export const WP_MAYBE: usize = 11;
/** Registered for write-protection. */
export const REGISTERED: usize = 12;
/** Stored to since clear_refs, while tracking. */
export const DIRTY: usize = 13;
/** Soft-dirty tracking is on: mapped at the last clear_refs. */
export const TRACKING: usize = 14;
/** Neither stored to nor write-gupped by this mm since the last fork it took part in. */
export const SHARED: usize = 15;
export const DAX: usize = 18;
/** Written, or asked to be written, since clear_refs: soft-dirty there needs no other reason (for warnings only). */
export const WRITE_SEEN: usize = 19;
/** Registered for missing pages. */
export const MISSING: usize = 20;
/** Surely nothing there: not touched since it was mapped or zapped. */
export const ABSENT: usize = 21;
/** A touch may bring the whole huge page. */
export const THP: usize = 22;
/** Stored to since it was protected, in asynchronous mode: the entry must not carry uffd-wp. */
export const UNPROTECTED: usize = 23;
/** Protected asynchronously, and nobody holds the page: what changes its contents must be reported by the next scan. */
export const ARMED: usize = 27;
/** Has changed since, and no scan has started over. */
export const CHANGED: usize = 28;

/**
 * Given up by MADV_FREE and not stored to since: what is promised, or zeroes, which then stay. Its entry may go at any
 * time, with what it carries.
 */
export const FREED: usize = 24;

/** A guard region: nothing can be accessed there. */
export const GUARDED: usize = 25;

/** Number of this life of the mm id; 0 = no such process. */
const LIFE: usize = 16;
/** 0xff once this process, or one that it came from, moved pages: a huge page's parts may lie anywhere. */
export const SCATTERED: usize = 31;
/** Features of the uffd: UFFD_* of this file. */
const UFFD: usize = 17;
export const UFFD_FORKS: u32 = 1;
export const UFFD_UNPOPULATED: u32 = 2;
export const UFFD_REMAPS: u32 = 4;
export const UFFD_ASYNC: u32 = 8;

/** A promised version that is not judged until the next store or zap. */
export const WILD: u32 = 0xff;
const LAST_VERSION: u32 = 64;
const VIA_HANDLE: u32 = 0x8000;

/** Forgets everything; process A lives, with nothing mapped. */
export function promises_reset(): void {
  memory.fill(REFERENCE, 0, 768);
  begin_life(0, 0);
}

// @ts-ignore: decorator
@inline function at(mm: u32): usize {
  return REFERENCE + (mm as usize) * MM_BYTES;
}
// @ts-ignore: decorator
@inline export function mask(mm: u32, which: usize): u32 {
  return load<u8>(at(mm) + which);
}
// @ts-ignore: decorator
@inline export function set_mask(mm: u32, which: usize, pages: u32): void {
  store<u8>(at(mm) + which, pages);
}
// @ts-ignore: decorator
@inline export function add(mm: u32, which: usize, pages: u32): void {
  set_mask(mm, which, mask(mm, which) | pages);
}
// @ts-ignore: decorator
@inline export function drop(mm: u32, which: usize, pages: u32): void {
  set_mask(mm, which, mask(mm, which) & ~pages);
}
// @ts-ignore: decorator
@inline export function has(mm: u32, which: usize, page: u32): bool {
  return ((mask(mm, which) >> page) & 1) != 0;
}

// ---- contents

/** The version a load must return now, or WILD. */
// @ts-ignore: decorator
@inline export function promised(mm: u32, page: u32): u32 {
  return load<u8>(at(mm) + (page as usize));
}
// @ts-ignore: decorator
@inline export function promise(mm: u32, page: u32, version: u32): void {
  store<u8>(at(mm) + (page as usize), version);
}
/** Pages that surely hold something else than zeroes (WILD and freed ones may hold nothing). */
export function filled(mm: u32): u32 {
  const versions = i64x2.splat(load<u64>(at(mm)));
  // As signed bytes: versions are 1..64, WILD is -1.
  return i8x16.bitmask(i8x16.gt_s(versions, i64x2.splat(0))) & 0xff & ~mask(mm, FREED);
}
/** What is promised of page `from`, mask by mask, is from now on promised of page `to`, and nothing of `from`. */
export function move_page(mm: u32, from: u32, to: u32): void {
  for (let which = MAPPED; which < SCATTERED; which++) {
    if (which == LIFE || which == UFFD) continue;
    const pages = mask(mm, which);
    set_mask(mm, which, (pages & ~((1 << from) | (1 << to))) | (((pages >> from) & 1) << to));
  }
  promise(mm, to, promised(mm, from));
  promise(mm, from, 0);
}
/** What page `from` holds is at `to` from now on, and zeroes are where it was. */
export function move_contents(mm: u32, from: u32, to: u32): void {
  promise(mm, to, promised(mm, from));
  promise(mm, from, 0);
  for (let which: usize = 0; which < 2; which++) {
    const at = which ? FREED : SHARED;
    set_mask(mm, at, (mask(mm, at) & ~((1 << from) | (1 << to))) | (has(mm, at, from) ? 1 << to : 0));
  }
}
/** The pages of the mask read as zeroes from now on. */
export function promise_zeroes(mm: u32, pages: u32): void {
  for (let m = pages; m != 0; m &= m - 1) promise(mm, ctz(m), 0);
}
export function copy_contents(from: u32, to: u32): void {
  store<u64>(at(to), load<u64>(at(from)));
}

/** Something is there now, in the whole of a huge page if it can be one. */
export function populate(mm: u32, pages: u32): void {
  let all = pages;
  const huge = pages & mask(mm, THP);
  if ((huge & 0x0f) != 0) all |= 0x0f;
  if ((huge & 0xf0) != 0) all |= 0xf0;
  drop(mm, ABSENT, all);
}

// ---- time and lives

// @ts-ignore: decorator
@inline export function tick(): void {
  store<u16>(CLOCK, load<u16>(CLOCK) + 1);
}
// @ts-ignore: decorator
@inline function now(): u32 {
  return load<u16>(CLOCK);
}
// @ts-ignore: decorator
@inline export function life(mm: u32): u32 {
  return load<u8>(at(mm), LIFE);
}
export function end_life(mm: u32): void {
  memory.fill(at(mm), 0, MM_BYTES);
}
/** A new process under this id; parent life 0 = none. */
export function begin_life(mm: u32, parent: u32): void {
  const n: u32 = load<u8>(LIVES) + 1;
  store<u8>(LIVES, n);
  store<u32>(PARENTS + ((n as usize) << 2), parent | (now() << 16));
  store<u8>(at(mm), n, LIFE);
}
/** Did `who` (a life) come from `ancestor` by a chain of forks whose first one was later than `since`? */
export function descends(who: u32, ancestor: u32, since: u32): bool {
  let l = who;
  while (l != 0) {
    const fork = load<u32>(PARENTS + ((l as usize) << 2));
    if ((fork & 0xff) == ancestor) return fork >> 16 > since;
    l = fork & 0xff;
  }
  return false;
}

// @ts-ignore: decorator
@inline function author(version: u32): u32 {
  return version <= LAST_VERSION ? load<u32>(AUTHORS + ((version as usize) << 2)) : 0;
}
/** Version written now by this life at this page. */
// @ts-ignore: decorator
@inline export function sign(version: u32, who: u32, page: u32, handle: bool): void {
  if (version <= LAST_VERSION) {
    store<u32>(AUTHORS + ((version as usize) << 2), who | (page << 8) | (handle ? VIA_HANDLE : 0) | (now() << 16));
  }
}
export function via_handle(version: u32): bool {
  return (author(version) & VIA_HANDLE) != 0;
}
/**
 * Is the version another process's data for this life? Data that the life or its ancestors had before the forks that
 * lead to it may be stale, but it is no leak.
 */
export function foreign(version: u32, who: u32): bool {
  const a = author(version);
  if (version == 0 || a == 0) return false;
  let l = who;
  while (l != 0) {
    if ((a & 0xff) == l) return false;
    const fork = load<u32>(PARENTS + ((l as usize) << 2));
    if (a >> 16 > fork >> 16) return true;
    l = fork & 0xff;
  }
  return true;
}

// ---- the uffd of an mm

// @ts-ignore: decorator
@inline export function uffd(mm: u32): u32 {
  return load<u8>(at(mm), UFFD);
}
export function set_uffd(mm: u32, features: u32): void {
  store<u8>(at(mm), features, UFFD);
}

/** Asynchronous mode: instead of an event, a write takes the protection away. */
export function unprotected(mm: u32, pages: u32): void {
  drop(mm, WP_YES, pages);
  drop(mm, WP_MAYBE, pages);
  add(mm, UNPROTECTED, pages & mask(mm, REGISTERED));
}
/** Contents that a scan has to report have changed. */
// @ts-ignore: decorator
@inline export function changed(mm: u32, pages: u32): void {
  add(mm, CHANGED, pages & mask(mm, ARMED));
}
export function disarm(mm: u32, pages: u32): void {
  drop(mm, ARMED, pages);
  drop(mm, CHANGED, pages);
}

// ---- handles

/** State bits of a handle. */
export namespace H {
  export const PIN: u32 = 1;
  /** The page held is the page its owner sees: writes through it must appear there (for a pin, reads too). */
  export const STRICT: u32 = 2;
  /** The owner has not zapped the page since the grant. */
  export const ATTACHED: u32 = 4;
  /** The owner forked since the grant, or gave the page up by MADV_FREE. */
  export const FORKED: u32 = 8;
  /** Reads are not judged. */
  export const UNJUDGED: u32 = 16;
  /** The owner moved pages, this one or others: what it wrote there, and who shares it, may have another address. */
  export const MOVED: u32 = 32;
}

// @ts-ignore: decorator
@inline function handle_at(h: u32): usize {
  return HANDLES_AT + ((h as usize) << 3);
}
/** Handles in use, bit = handle. */
// @ts-ignore: decorator
@inline export function held(): u32 {
  return load<u8>(HELD);
}
export function hold(h: u32, state: u32, mm: u32, page: u32, version: u32): void {
  const p = handle_at(h);
  store<u8>(p, state);
  store<u8>(p, mm, 1);
  store<u8>(p, page, 2);
  store<u8>(p, life(mm), 3);
  store<u8>(p, version, 4);
  store<u16>(p, now(), 6);
  store<u8>(HELD, held() | (1 << h));
}
export function release(h: u32): void {
  store<u8>(HELD, held() & ~(1 << h));
}
// @ts-ignore: decorator
@inline export function handle_state(h: u32): u32 {
  return load<u8>(handle_at(h));
}
export function set_handle_state(h: u32, state: u32): void {
  store<u8>(handle_at(h), state);
}
// @ts-ignore: decorator
@inline export function handle_mm(h: u32): u32 {
  return load<u8>(handle_at(h), 1);
}
// @ts-ignore: decorator
@inline export function handle_page(h: u32): u32 {
  return load<u8>(handle_at(h), 2);
}
/** Life of the owner at the grant; its mm id may serve another process by now. */
// @ts-ignore: decorator
@inline export function handle_life(h: u32): u32 {
  return load<u8>(handle_at(h), 3);
}
export function set_handle_page(h: u32, page: u32): void {
  store<u8>(handle_at(h), page, 2);
}
/** Did the handle's owner write this version at the handle's page, after the grant? */
export function owner_wrote(h: u32, version: u32): bool {
  // Nobody can tell who wrote it, and when.
  if (version == COMMON_VERSION) return true;
  const a = author(version);
  const there = (handle_state(h) & H.MOVED) != 0 ? a & 0xff : a & 0x7fff;
  const wanted = (handle_state(h) & H.MOVED) != 0 ? handle_life(h) : handle_life(h) | (handle_page(h) << 8);
  return there == wanted && a >> 16 > handle_time(h);
}
/** Version seen through the handle when it was granted. */
// @ts-ignore: decorator
@inline export function handle_version(h: u32): u32 {
  return load<u8>(handle_at(h), 4);
}
// @ts-ignore: decorator
@inline export function handle_time(h: u32): u32 {
  return load<u16>(handle_at(h), 6);
}
