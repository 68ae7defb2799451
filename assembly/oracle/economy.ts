// I18, a cost and never a failure: a store or a GUP copied a page that nobody else used. What each page was used by is noted
// after every op, for the next one.
import {
  HANDLE_SIZE, HANDLES, NR_FRAMES, NR_HANDLES, NR_MMS, NR_PAGES, NR_SLOTS, OBS_COUNT, SWAP_CACHE, SWAP_COUNT,
} from '../mm/layout';
import { Obs, obs_at, obs_kind, obs_mm, obs_page } from '../mm/observe';
import { compound_head, page_flags, page_mapcount, page_swap, PG_ANON } from '../mm/page';
import { is_swap_pte, pte_present, swp_offset } from '../mm/pgtable';
import { mm_alive } from '../mm/vma';
import { I } from './invariants';
import { NONE, violate } from './report';
import { frame_of, leaf_of } from './structure';

/** By mm and page, as noted: a frame, IN_SWAP, or SHARED = somebody else may use it, or there is no page. */
const SOLE: usize = memory.data(24);
const IN_SWAP: u32 = 0xfe;
const SHARED: u32 = 0xff;

// @ts-ignore: decorator
@inline function sole(mm: u32, page: u32): usize {
  return SOLE + ((mm << 3) as usize) + (page as usize);
}
/** Does a handle hold the folio of this frame? */
function is_held(f: u32): bool {
  for (let h: u32 = 0; h < NR_HANDLES; h++) {
    const handle = HANDLES + (h as usize) * HANDLE_SIZE;
    const held: u32 = load<u8>(handle, 3);
    if (load<u8>(handle) != 0 && held < NR_FRAMES && compound_head(held) == compound_head(f)) return true;
  }
  return false;
}
function swap_users(slot1: u32): u32 {
  return slot1 != 0 ? load<u8>(SWAP_COUNT + ((slot1 - 1) as usize)) : 0;
}
/** The frame of the page that leaf `e` alone uses, IN_SWAP, or SHARED. A huge leaf is split before it is copied. */
function only_user(e: u64, page: u32): u32 {
  if (e == 0) return SHARED;
  if (pte_present(e)) {
    const f = frame_of(e, page);
    if (f >= NR_FRAMES || (page_flags(f) & PG_ANON) == 0) return SHARED;
    return page_mapcount(f) == 1 && swap_users(page_swap(f)) == 0 && !is_held(f) ? f : SHARED;
  }
  if (!is_swap_pte(e)) return SHARED;
  const slot = swp_offset(e) & (NR_SLOTS - 1);
  const cached: u32 = load<u8>(SWAP_CACHE + (slot as usize));
  const alone = load<u8>(SWAP_COUNT + (slot as usize)) == 1;
  return alone && (cached == 0 || (page_mapcount(cached - 1) == 0 && !is_held(cached - 1))) ? IN_SWAP : SHARED;
}

/** A new program: nothing is mapped. */
export function economy_reset(): void {
  memory.fill(SOLE, SHARED as u8, 24);
}
/** Judges what the last op, which ran alone, did to pages that were noted. `copied`: it copied some page. */
export function check_economy(copied: bool): void {
  const n = copied ? load<u32>(OBS_COUNT) : 0;
  let accesses = 0;
  for (let i: u32 = 0; i < n; i++) accesses += obs_kind(obs_at(i)) == Obs.STORE || obs_kind(obs_at(i)) == Obs.GUP ? 1 : 0;
  for (let i: u32 = 0; i < n; i++) {
    const o = obs_at(i);
    if (obs_kind(o) != Obs.STORE && obs_kind(o) != Obs.GUP) continue;
    const was: u32 = load<u8>(sole(obs_mm(o), obs_page(o)));
    // What came from swap is another page anyway; of several accesses it is not known whose the copy was.
    if (was == SHARED || (was == IN_SWAP && accesses > 1)) continue;
    const e = leaf_of(obs_mm(o), obs_page(o));
    if (!pte_present(e)) continue;
    const now = frame_of(e, obs_page(o));
    // detail 1: it came from swap, and was copied on top.
    if (now != was) violate(I.NEEDLESS_COPY, obs_mm(o), obs_page(o), NONE, 0, 0, was == IN_SWAP ? 1 : 0);
  }
}
/** Notes who uses what, for the next op. */
export function note_users(): void {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    const alive = mm_alive(mm);
    for (let page: u32 = 0; page < NR_PAGES; page++) store<u8>(sole(mm, page), alive ? only_user(leaf_of(mm, page), page) : SHARED);
  }
}
