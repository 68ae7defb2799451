// What each call promises once it has taken effect.
import {
  ABSENT, add, ARMED, begin_life, changed, CHANGED, copy_contents, DAX, DIRTY, disarm, drop, end_life, filled, FREED, GUARDED,
  has, held, life, MAPPED, mask, MISSING, move_contents, move_page, populate, promise_zeroes, REGISTERED, release, SCATTERED, set_mask,
  set_uffd, SHARED, THP, TRACKING, uffd, UFFD_ASYNC, UFFD_FORKS, UFFD_REMAPS, UFFD_UNPOPULATED, UNPROTECTED, WP_MAYBE,
  WP_YES, WRITABLE, WRITE_SEEN,
} from './promises';
import { detach, follow, held_pages, owner_forks, pinned } from './handles';
import { I } from './invariants';
import { NONE, violate } from './report';
import {
  arg_first, arg_mask, F_MMAP_DAX, F_MMAP_THP, F_MPROTECT_RW, F_POPULATE_WRITE, F_SCAN_WP, F_UFFD_BOTH, F_UFFD_MISSING, Op,
  op_code, op_flags, op_mm, op_page, op_target, op_y,
} from '../ops/table';

/** Flags of the uffd_reg record: features of the uffd, as UFFDIO_API told the program when it was created. */
const GRANTED_UNPOPULATED: u32 = 1;
const GRANTED_EVENT_FORK: u32 = 2;
const GRANTED_EVENT_REMAP: u32 = 4;
const GRANTED_ASYNC: u32 = 8;

/** A call took effect; `flags` are those of its record. */
export function syscall(word: u32, flags: u32): void {
  const mm = op_mm(word);
  const range = arg_mask(op_page(word));
  const pages = range & mask(mm, MAPPED);
  switch (op_code(word)) {
    case Op.MMAP:
      map(mm, (op_flags(word) & F_MMAP_DAX) != 0 ? 0xff : range, op_flags(word));
      return;
    case Op.MUNMAP:
      unmap(mm, pages);
      return;
    case Op.FORK:
      fork(mm, op_y(word));
      return;
    case Op.EXIT:
      if (held() != 0) detach(mm, 0xff);
      end_life(mm);
      return;
    case Op.MPROTECT:
      if ((op_flags(word) & F_MPROTECT_RW) != 0) add(mm, WRITABLE, pages);
      else drop(mm, WRITABLE, pages);
      return;
    case Op.DONTNEED:
      zap(mm, pages);
      return;
    case Op.CLEAR_REFS:
      // Pinned memory stays outside soft-dirty, by decision of 9348b73c2e1b: it may change behind the entry's back.
      set_mask(mm, TRACKING, mask(mm, MAPPED) & ~(held() != 0 ? pinned(mm) : 0));
      set_mask(mm, DIRTY, 0);
      set_mask(mm, WRITE_SEEN, 0);
      return;
    case Op.UFFD_REG:
      register(mm, pages, op_flags(word), flags);
      return;
    case Op.UFFD_UNREG:
      unprotect(mm, pages);
      disarm(mm, pages);
      drop(mm, REGISTERED, pages);
      no_longer_missing(mm, pages);
      return;
    case Op.UFFD_CLOSE:
      unprotect(mm, 0xff);
      disarm(mm, 0xff);
      set_mask(mm, REGISTERED, 0);
      no_longer_missing(mm, 0xff);
      set_uffd(mm, 0);
      return;
    case Op.WP:
      protect(mm, pages & mask(mm, REGISTERED) & ~mask(mm, GUARDED));
      return;
    case Op.UNWP:
      unprotect(mm, pages);
      disarm(mm, pages);
      return;
    case Op.PUT:
      release(op_y(word));
      return;
    case Op.POPULATE:
      populated(mm, op_page(word), (op_flags(word) & F_POPULATE_WRITE) != 0);
      return;
    case Op.COLLAPSE:
      // Holes are filled, dirty is set throughout; what it may have left out is no worse off.
      populate(mm, pages);
      add(mm, WRITE_SEEN, pages);
      return;
    case Op.GUARD_INSTALL:
      zap(mm, pages);
      add(mm, GUARDED, pages);
      return;
    case Op.GUARD_REMOVE:
      drop(mm, GUARDED, pages);
      return;
    case Op.MADV_FREE:
      give_up(mm, pages);
      return;
    case Op.MREMAP: {
      const moved = pages >> arg_first(op_page(word));
      move(word, moved, moved);
      return;
    }
    case Op.UFFD_MOVE:
      uffd_move(word, range >> arg_first(op_page(word)));
      return;
  }
}

function unmap(mm: u32, pages: u32): void {
  zap(mm, pages);
  disarm(mm, pages);
  drop(mm, MAPPED, pages);
  drop(mm, WRITABLE, pages);
  drop(mm, REGISTERED, pages);
  drop(mm, MISSING, pages);
  drop(mm, TRACKING, pages);
  drop(mm, GUARDED, pages);
  drop(mm, DAX, pages);
  drop(mm, THP, pages);
  drop(mm, ABSENT, pages);
}

/**
 * mremap moved the pages of `moved` to what was unmapped of its target, `zapped` (bits from the first page of either).
 * Protection, tracking and handles go along; the registration, and uffd-wp with it, only if the uffd hears of it.
 */
export function move(word: u32, moved: u32, zapped: u32): void {
  const mm = op_mm(word);
  const from = arg_first(op_page(word));
  const to = arg_first(op_target(word));
  unmap(mm, (zapped << to) & mask(mm, MAPPED));
  set_mask(mm, SCATTERED, 0xff);
  disarm(mm, (moved << from) | (moved << to));
  for (let rest = moved; rest != 0; rest &= rest - 1) {
    const page = from + ctz(rest);
    const there = to + ctz(rest);
    move_page(mm, page, there);
    if (held() != 0) follow(mm, page, there);
    // What is at an address now was elsewhere before: for who tracks changes that is one.
    if (has(mm, TRACKING, there)) add(mm, DIRTY, (1 << there) & filled(mm));
    add(mm, WRITE_SEEN, there < 4 ? 0x0f : 0xf0);
    if ((uffd(mm) & UFFD_REMAPS) != 0) continue;
    unprotect(mm, 1 << there);
    drop(mm, REGISTERED, 1 << there);
    drop(mm, MISSING, 1 << there);
  }
}

/**
 * UFFDIO_MOVE moved the pages of `moved` (bits from the first page). The mappings stay where they are: contents and handles
 * go, and what they leave reads as zero. Whether uffd-wp goes along is nowhere said; outside the registration it cannot.
 */
export function uffd_move(word: u32, moved: u32): void {
  const mm = op_mm(word);
  set_mask(mm, SCATTERED, 0xff);
  for (let rest = moved; rest != 0; rest &= rest - 1) {
    const page = arg_first(op_page(word)) + ctz(rest);
    const there = arg_first(op_target(word)) + ctz(rest);
    const protectedThere = has(mm, WP_YES, page) || has(mm, WP_MAYBE, page);
    unprotect(mm, 1 << there);
    if (protectedThere && has(mm, REGISTERED, there)) add(mm, WP_MAYBE, 1 << there);
    move_contents(mm, page, there);
    if (held() != 0) follow(mm, page, there);
    if (has(mm, TRACKING, there)) add(mm, DIRTY, (1 << there) & filled(mm));
    add(mm, WRITE_SEEN, there < 4 ? 0x0f : 0xf0);
    unprotect(mm, 1 << page);
    drop(mm, DIRTY, 1 << page);
    drop(mm, ABSENT, 1 << there);
    add(mm, ABSENT, 1 << page);
    disarm(mm, (1 << page) | (1 << there));
  }
}

function map(mm: u32, range: u32, how: u32): void {
  if (life(mm) == 0) begin_life(mm, 0);
  const fresh = range & ~mask(mm, MAPPED);
  add(mm, MAPPED, fresh);
  add(mm, WRITABLE, fresh);
  add(mm, ABSENT, fresh);
  if ((how & F_MMAP_DAX) != 0) add(mm, DAX, fresh);
  if ((how & F_MMAP_THP) != 0) add(mm, THP, fresh);
}

/** Private pages dropped: zeroes again, protection and dirtiness gone with the entry, held pages no longer this one. */
function zap(mm: u32, pages: u32): void {
  changed(mm, pages & filled(mm));
  promise_zeroes(mm, pages);
  unprotect(mm, pages);
  add(mm, ABSENT, pages);
  drop(mm, DIRTY, pages);
  drop(mm, SHARED, pages);
  drop(mm, FREED, pages);
  if (held() != 0) detach(mm, pages);
}
/** MADV_POPULATE brought the page: an access as far as events and guards go, and no more. */
function populated(mm: u32, page: u32, write: bool): void {
  if (has(mm, GUARDED, page)) guard_lost(mm, page);
  // detail 0: an access that should have been an event.
  if (has(mm, MISSING, page) && has(mm, ABSENT, page)) violate(I.MISSING_EVENTS, mm, page, NONE, 0, 0, 0);
  populate(mm, 1 << page);
  // What is soft-dirty by a write that was only prepared for may be a whole PMD, and an asynchronous protection gone.
  if (!write) return;
  add(mm, WRITE_SEEN, page < 4 ? 0x0f : 0xf0);
  if ((uffd(mm) & UFFD_ASYNC) != 0 && has(mm, WP_YES, page)) unsure(mm, 1 << page);
}
/** An access to a guard region went ahead. detail 3: as told by the access itself, not by its entry. */
export function guard_lost(mm: u32, page: u32): void {
  violate(I.GUARD_LOST, mm, page, NONE, 1, 0, 3);
}
/** The pages may go, entries and all, until somebody stores to them. Some may be gone already: those that were in swap. */
function give_up(mm: u32, pages: u32): void {
  disarm(mm, pages);
  add(mm, FREED, pages);
  drop(mm, DIRTY, pages);
  add(mm, WP_MAYBE, pages & mask(mm, WP_YES));
  drop(mm, WP_YES, pages);
  if (held() != 0) owner_forks(mm, pages);
}

/** A thread that waits there may go on at any time, and leave something behind without getting anywhere. */
function no_longer_missing(mm: u32, pages: u32): void {
  populate(mm, pages & mask(mm, MISSING));
  drop(mm, MISSING, pages);
}

/** What has the mode already keeps another one that it has, too; elsewhere the new mode takes the old one's place. */
function register(mm: u32, pages: u32, how: u32, flags: u32): void {
  const forks = (flags & GRANTED_EVENT_FORK) != 0 ? UFFD_FORKS : 0;
  const unpopulated = (flags & GRANTED_UNPOPULATED) != 0 ? UFFD_UNPOPULATED : 0;
  const remaps = (flags & GRANTED_EVENT_REMAP) != 0 ? UFFD_REMAPS : 0;
  set_uffd(mm, forks | unpopulated | remaps | ((flags & GRANTED_ASYNC) != 0 ? UFFD_ASYNC : 0));
  const missing = (how & (F_UFFD_MISSING | F_UFFD_BOTH)) != 0;
  const wp = (how & F_UFFD_MISSING) == 0;
  let other = pages;
  if (missing && wp) other &= ~(mask(mm, MISSING) & mask(mm, REGISTERED));
  else other &= ~mask(mm, missing ? MISSING : REGISTERED);
  if (missing) add(mm, MISSING, other);
  else no_longer_missing(mm, other);
  if (wp) add(mm, REGISTERED, other);
  else {
    unprotect(mm, other);
    disarm(mm, other);
    drop(mm, REGISTERED, other);
  }
}

/**
 * Data must be somewhere, so its entry exists and has to carry the protection. Zeroes may have no entry at all: only
 * WP_UNPOPULATED promises anything for them, and only for anonymous memory; else they are MAYBE (the zero page, a page
 * of a THP nobody wrote to, or nothing).
 */
function protect(mm: u32, pages: u32): void {
  const zeroesToo = (uffd(mm) & UFFD_UNPOPULATED) != 0 ? ~mask(mm, DAX) : 0;
  const sure = pages & (filled(mm) | zeroesToo) & ~mask(mm, FREED);
  add(mm, WP_YES, sure);
  add(mm, WP_MAYBE, pages & ~mask(mm, WP_YES));
  drop(mm, WP_MAYBE, sure);
  drop(mm, UNPROTECTED, pages);
  disarm(mm, pages);
  if ((uffd(mm) & UFFD_ASYNC) != 0) add(mm, ARMED, sure & ~(held() != 0 ? held_pages(mm) : 0));
}
function unprotect(mm: u32, pages: u32): void {
  drop(mm, WP_YES, pages);
  drop(mm, WP_MAYBE, pages);
  drop(mm, UNPROTECTED, pages);
}

/** Protecting or un-protecting these pages failed somewhere on the way. */
export function unsure(mm: u32, pages: u32): void {
  drop(mm, WP_YES, pages);
  add(mm, WP_MAYBE, pages);
  drop(mm, UNPROTECTED, pages);
  disarm(mm, pages);
}

function fork(parent: u32, child: u32): void {
  if (held() != 0) owner_forks(parent, 0xff);
  end_life(child);
  begin_life(child, life(parent));
  copy_contents(parent, child);
  const mapped = mask(parent, MAPPED);
  set_mask(parent, SHARED, mapped);
  set_mask(child, SHARED, mapped);
  set_mask(child, MAPPED, mapped);
  set_mask(child, WRITABLE, mask(parent, WRITABLE));
  set_mask(child, DAX, mask(parent, DAX));
  set_mask(child, FREED, mask(parent, FREED));
  set_mask(child, SCATTERED, mask(parent, SCATTERED));
  set_mask(child, THP, mask(parent, THP));
  set_mask(child, ABSENT, mask(parent, ABSENT));
  set_mask(child, GUARDED, mask(parent, GUARDED));
  // The child's entries and VMAs are copies, soft-dirty included.
  set_mask(child, TRACKING, mask(parent, TRACKING));
  set_mask(child, DIRTY, mask(parent, DIRTY));
  // fork may copy a page for the child at once, which is a write of the kernel's.
  set_mask(child, WRITE_SEEN, 0xff);
  if ((uffd(parent) & UFFD_FORKS) == 0) return;
  set_uffd(child, uffd(parent));
  set_mask(child, REGISTERED, mask(parent, REGISTERED));
  set_mask(child, MISSING, mask(parent, MISSING));
  set_mask(child, UNPROTECTED, mask(parent, UNPROTECTED));
  // Zero-page entries, markers and whole page tables of memory never written need not be copied: faults rebuild
  // them, unprotected. So the child is sure of protected data only.
  const wp = mask(parent, WP_YES) | mask(parent, WP_MAYBE);
  const sure = mask(parent, WP_YES) & filled(parent);
  set_mask(child, WP_YES, sure);
  set_mask(child, WP_MAYBE, wp & ~sure);
}

/** An access got nowhere, but may have brought something, or taken an asynchronous protection away. */
export function gave_up(word: u32): void {
  const mm = op_mm(word);
  const bit: u32 = 1 << op_page(word);
  populate(mm, bit);
  if ((uffd(mm) & UFFD_ASYNC) == 0 || !has(mm, WP_YES, op_page(word))) return;
  drop(mm, WP_YES, bit);
  add(mm, WP_MAYBE, bit);
}

/** A fork that ran out of memory midway: no child, but it had begun to share the parent's pages. */
export function fork_failed(parent: u32): void {
  if (held() != 0) owner_forks(parent, 0xff);
}

/** PAGEMAP_SCAN reported these pages of its range as written. */
export function scanned(word: u32, reported: u32): void {
  const mm = op_mm(word);
  if ((uffd(mm) & UFFD_ASYNC) == 0) return;
  const range = arg_mask(op_page(word)) & mask(mm, REGISTERED);
  for (let m = mask(mm, ARMED) & mask(mm, CHANGED) & range & ~reported; m != 0; m &= m - 1) {
    violate(I.TRACKING_GAP, mm, ctz(m), NONE, 1, 0, 0);
  }
  if ((op_flags(word) & F_SCAN_WP) == 0) return;
  protect(mm, reported & range & ~mask(mm, GUARDED));
  drop(mm, CHANGED, reported & range);
}
