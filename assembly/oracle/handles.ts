// What a GUP handle is promised. One table for all kernels; a kernel that gives less breaks a promise:
//
//   PIN (W, or R of data, or R LONGTERM)   strict: shows what its owner sees there, and the owner sees what it writes,
//                                          until the owner zaps the page or exits. Nobody else ever sees its writes.
//   PIN R, short-term, of zeroes           weak: the page may be the shared zero page, which a later store replaces.
//   GET, reads                             weak: the owner's data of the grant or later, never another process's.
//   GET W, writes                          strict until the owner forks: a write GUP made the page the owner's alone.
//   GET W, writes after the owner forked   unprotected: fork shares a page that is only GET, so either side may keep
//                                          it; the contents become WILD on every side that may still map it.
//   GET W, writes after MADV_FREE          the same, until the owner stores: its entry may be in swap, and go from there.
//   R with DONT_COW                        reads are not judged: the caller accepted the wrong side of a COW.
//   anything after the owner's zap         weak.
import {
  changed, DAX, descends, drop, foreign, FREED, H, handle_life, handle_mm, handle_page, handle_state, handle_time, handle_version,
  has, held, hold, life, mask, MAPPED, owner_wrote, promise, promised, SCATTERED, set_handle_page, set_handle_state, SHARED, sign, uffd,
  UFFD_ASYNC, unprotected, WILD, WP_MAYBE, WP_YES, WRITABLE,
} from './promises';
import { I } from './invariants';
import { violate } from './report';
import { F_GUP_DONT_COW, F_GUP_FORCE, F_GUP_LONGTERM, F_GUP_PIN, F_GUP_WRITE } from '../ops/table';

/** A GUP of (mm, page) was granted as handle `h`; `version` is what it shows, `flags` are F_GUP_*. */
export function granted(h: u32, mm: u32, page: u32, version: u32, flags: u32): void {
  const write = (flags & F_GUP_WRITE) != 0;
  let state = H.ATTACHED;
  if (write) {
    if ((uffd(mm) & UFFD_ASYNC) != 0) unprotected(mm, 1 << page);
    // detail 1: by GUP.
    if (has(mm, WP_YES, page)) violate(I.WP_SILENT_WRITE, mm, page, h, promised(mm, page), version, 1);
    if (!has(mm, WRITABLE, page) && (flags & F_GUP_FORCE) == 0) {
      violate(I.PERMISSION_GAINED, mm, page, h, promised(mm, page), version, 1);
    }
    drop(mm, WP_MAYBE, 1 << page);
    drop(mm, SHARED, 1 << page);
    state |= H.STRICT;
  } else if ((flags & F_GUP_DONT_COW) != 0) {
    state |= H.UNJUDGED;
  }
  if ((flags & F_GUP_PIN) != 0) {
    state |= H.PIN;
    // A DAX page is the file's; a pin of it stays with the file whatever the owner stores.
    const own = version != 0 || ((flags & F_GUP_LONGTERM) != 0 && !has(mm, DAX, page));
    if (own) state |= H.STRICT;
  }
  if (has(mm, SCATTERED, page)) state |= H.MOVED;
  hold(h, state, mm, page, version);
}

/** A read through the handle (or a look at its page) gives `version`. */
export function hread(h: u32, version: u32): void {
  const state = handle_state(h);
  if ((state & H.UNJUDGED) != 0) return;
  const mm = handle_mm(h);
  const page = handle_page(h);
  let expected = handle_version(h);
  if ((state & (H.PIN | H.STRICT)) == (H.PIN | H.STRICT)) {
    expected = promised(mm, page);
    if (version == expected || expected == WILD) return;
  } else {
    if (version == expected || owner_wrote(h, version)) return;
  }
  const leak = foreign(version, handle_life(h));
  violate(leak ? I.COW_LEAK : I.PIN_DETACHED, mm, page, h, expected, version, 0);
}

/** A write through the handle stored `version`. */
export function hwrite(h: u32, version: u32): void {
  const state = handle_state(h);
  const page = handle_page(h);
  sign(version, handle_life(h), page, true);
  if ((state & H.STRICT) != 0) {
    promise(handle_mm(h), page, version);
    changed(handle_mm(h), 1 << page);
    drop(handle_mm(h), FREED, 1 << page);
    return;
  }
  // The page of a pin, and that of a GET whose owner never forked before zapping it, was the owner's alone: nobody
  // maps it now, and whoever sees this write has got somebody else's page (T1-12: the child reads the device's data).
  if ((state & H.FORKED) != 0) spread(h, state);
}

/** A write to a page that fork may have shared: forget what its possible users were promised. */
function spread(h: u32, state: u32): void {
  const owner = handle_life(h);
  const since = handle_time(h);
  // Who moved pages may have this one anywhere.
  const scattered = (state & H.MOVED) != 0 || (mask(0, SCATTERED) | mask(1, SCATTERED) | mask(2, SCATTERED)) != 0;
  const pages: u32 = scattered ? 0xff : 1 << handle_page(h);
  for (let mm: u32 = 0; mm < 3; mm++) {
    const who = life(mm);
    if (who == 0) continue;
    // The owner may hold on to the page even after a store (reuse); a child's store always left it.
    let sees = mask(mm, MAPPED);
    if (who == owner) sees &= (state & H.ATTACHED) != 0 ? 1 << handle_page(h) : 0;
    else sees &= descends(who, owner, since) ? pages & mask(mm, SHARED) : 0;
    for (; sees != 0; sees &= sees - 1) promise(mm, ctz(sees), WILD);
  }
  for (let m = held(); m != 0; m &= m - 1) {
    const other = ctz(m);
    const s = handle_state(other);
    if (((pages >> handle_page(other)) & 1) == 0 && (s & H.MOVED) == 0) continue;
    const who = handle_life(other);
    if (who != owner && !descends(who, owner, since)) continue;
    // A strict pin is compared with its owner's page, which is WILD now if it can be concerned.
    if ((s & (H.PIN | H.STRICT)) != (H.PIN | H.STRICT)) set_handle_state(other, s | H.UNJUDGED);
  }
}

/** The owner zapped these pages (or exits): its handles keep their page, but it is no longer the one the owner sees. */
export function detach(mm: u32, pages: u32): void {
  for (let m = held(); m != 0; m &= m - 1) {
    const h = ctz(m);
    if (handle_mm(h) != mm || handle_life(h) != life(mm) || ((pages >> handle_page(h)) & 1) == 0) continue;
    let state = handle_state(h);
    // What a strict pin shows was compared with its owner's page: if that was open, so is what the pin shows from now on.
    const strict = (state & (H.PIN | H.STRICT)) == (H.PIN | H.STRICT);
    if (strict && promised(mm, handle_page(h)) == WILD) state |= H.UNJUDGED;
    set_handle_state(h, state & ~(H.ATTACHED | H.STRICT));
  }
}

/** The owner moved page `from` to `to`: its handles that still hold what it sees there go along. */
export function follow(mm: u32, from: u32, to: u32): void {
  for (let m = held(); m != 0; m &= m - 1) {
    const h = ctz(m);
    const state = handle_state(h);
    if (handle_mm(h) != mm || handle_life(h) != life(mm) || handle_page(h) != from || (state & H.ATTACHED) == 0) continue;
    set_handle_page(h, to);
    set_handle_state(h, state | H.MOVED);
  }
}
/** The owner forks, or gives these pages up: what it holds there by GET may be shared, or not its own page, from now on. */
export function owner_forks(mm: u32, pages: u32): void {
  for (let m = held(); m != 0; m &= m - 1) {
    const h = ctz(m);
    const state = handle_state(h);
    if (handle_mm(h) != mm || handle_life(h) != life(mm) || (state & H.PIN) != 0 || (state & H.ATTACHED) == 0) continue;
    if (((pages >> handle_page(h)) & 1) == 0) continue;
    set_handle_state(h, (state & ~H.STRICT) | H.FORKED);
  }
}

/**
 * Pages this process has pinned itself, with the rest of their PMD: a pin counts for the whole THP, also if the page
 * that was pinned is zapped here by now.
 */
export function pinned(mm: u32): u32 {
  let pages: u32 = 0;
  for (let m = held(); m != 0; m &= m - 1) {
    const h = ctz(m);
    const state = handle_state(h);
    if (handle_mm(h) != mm || handle_life(h) != life(mm) || (state & H.PIN) == 0) continue;
    pages |= mask(mm, SCATTERED) | (handle_page(h) < 4 ? 0x0f : 0xf0);
  }
  return pages;
}

/** Pages that this process holds by GUP: what is written through a handle goes past any protection. */
export function held_pages(mm: u32): u32 {
  let pages: u32 = 0;
  for (let m = held(); m != 0; m &= m - 1) {
    const h = ctz(m);
    if (handle_mm(h) == mm && handle_life(h) == life(mm)) pages |= 1 << handle_page(h);
  }
  return pages;
}
