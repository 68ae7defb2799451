// Swap slots and the swap cache (mm/swapfile.c, mm/swap_state.c). The device is instant: writing copies the version.
import {
  NR_MMS, NR_PAGES, NR_SLOTS, PG_ENTIRE, PG_MAPCOUNT, PG_SLOT, SWAP_CACHE, SWAP_COUNT, SWAP_VERSION, HPAGE_PMD_NR,
} from './layout';
import {
  alloc_page, compound_head, get_page, NO_PAGE, PageCompound, page_add_rmap, page_count, page_flags, page_mapcount,
  page_swap, page_version, PageKsm, PG_MIGRATING, put_page, SetPageAnonExclusive, set_page_dirty, set_page_version, total_mapcount,
} from './page';
import {
  is_swap_pte, pfn_bits, pmd_at, pmd_trans_huge, pte_at, pte_mkold, pte_swp_exclusive, pte_swp_soft_dirty,
  pte_swp_uffd_wp, set_pte_at, swp_offset, _PAGE_SOFT_DIRTY, _PAGE_UFFD_WP,
} from './pgtable';
import { migration_wait_on } from './migrate';
import { mm_alive, VM_PAGE_PROT } from './vma';
import { knob, K } from '../kernel/knobs';
import { C, carried, cell, Column } from '../kernel/tables';
import { at } from '../kernel/trace';
import { P } from '../kernel/points';

// @ts-ignore: decorator
@inline export function swap_count(slot: u32): u32 {
  return load<u8>(SWAP_COUNT + (slot as usize));
}
// @ts-ignore: decorator
@inline export function swap_duplicate(slot: u32): void {
  store<u8>(SWAP_COUNT + (slot as usize), swap_count(slot) + 1);
}
/** Drops one entry's reference to the slot; the swap cache may keep the slot in use. */
// @ts-ignore: decorator
@inline export function swap_free(slot: u32): void {
  store<u8>(SWAP_COUNT + (slot as usize), swap_count(slot) - 1);
}
// @ts-ignore: decorator
@inline export function swap_version(slot: u32): u32 {
  return load<u8>(SWAP_VERSION + (slot as usize));
}
// @ts-ignore: decorator
@inline export function swap_writepage(slot: u32, f: u32): void {
  store<u8>(SWAP_VERSION + (slot as usize), page_version(f));
}
/** Page of the slot in the swap cache, or NO_PAGE. */
// @ts-ignore: decorator
@inline export function lookup_swap_cache(slot: u32): u32 {
  const cached: u32 = load<u8>(SWAP_CACHE + (slot as usize));
  return cached ? cached - 1 : NO_PAGE;
}
/** A slot that neither an entry nor the swap cache uses, or NR_SLOTS. */
export function get_swap_slot(): u32 {
  for (let slot: u32 = 0; slot < NR_SLOTS; slot++) {
    if (swap_count(slot) == 0 && load<u8>(SWAP_CACHE + (slot as usize)) == 0) return slot;
  }
  return NR_SLOTS;
}
export function add_to_swap_cache(f: u32, slot: u32): void {
  get_page(f);
  store<u8>(SWAP_CACHE + (slot as usize), f + 1);
  store<u8>(PG_SLOT + (f as usize), slot + 1);
}
export function delete_from_swap_cache(f: u32): void {
  const slot = page_swap(f) - 1;
  store<u8>(SWAP_CACHE + (slot as usize), 0);
  store<u8>(PG_SLOT + (f as usize), 0);
  set_page_dirty(f);
  put_page(f);
}
/** Drops the page from the swap cache if no entry needs its slot any more. */
export function try_to_free_swap(f: u32): bool {
  const slot1 = page_swap(f);
  if (slot1 == 0 || swap_count(slot1 - 1) != 0) return false;
  delete_from_swap_cache(f);
  return true;
}
/** A swap entry goes away with its mapping (zap). */
export function free_swap_and_cache(slot: u32): void {
  swap_free(slot);
  const cached = lookup_swap_cache(slot);
  if (cached != NO_PAGE) free_swap_cache(cached);
}
/** Brings the slot's page into the swap cache; the caller gets a reference. NO_PAGE = out of memory. */
export function swapin(slot: u32): u32 {
  let f = lookup_swap_cache(slot);
  if (f != NO_PAGE && page_flags(f) & PG_MIGRATING) {
    // Its lock is held; afterwards the slot may have another page, or none.
    migration_wait_on(f);
    f = lookup_swap_cache(slot);
  }
  if (f != NO_PAGE) {
    get_page(f);
    return f;
  }
  f = alloc_page();
  if (f == NO_PAGE) return NO_PAGE;
  set_page_version(f, swap_version(slot));
  add_to_swap_cache(f, slot);
  return f;
}
/** The slot's page read into a page of its own that the swap cache does not know. NO_PAGE = out of memory. */
export function swapin_bypass(slot: u32): u32 {
  const f = alloc_page();
  if (f != NO_PAGE) set_page_version(f, swap_version(slot));
  return f;
}
/** May do_swap_page leave the swap cache out? Only for a synchronous device and the last entry of a slot. */
export function may_bypass_swap_cache(slot: u32): bool {
  return knob(K.SWAP_SYNCHRONOUS) && !knob(K.SWAPIN_NEVER_BYPASSES) && swap_count(slot) == 1 &&
    lookup_swap_cache(slot) == NO_PAGE;
}
/** v5.18: is the page to leave the swap cache once its entry is mapped? The fault has a reference of its own. */
export function should_try_to_free_swap(f: u32, write: bool): bool {
  if (knob(K.SWAPIN_NEVER_BYPASSES) && knob(K.SWAP_SYNCHRONOUS)) return true;
  return write && page_count(f) == 2;
}
/** Nobody maps the page any more: if no entry needs it either, it leaves the swap cache. */
// @ts-ignore: decorator
@inline export function free_swap_cache(f: u32): void {
  if (page_swap(f) && page_mapcount(f) == 0) try_to_free_swap(f);
}
/** page_mapcount + swap references, the ownership test until v5.8; for a THP the largest of its pages counts. */
export function page_map_swapcount(f: u32): u32 {
  const head = compound_head(f);
  if (PageCompound(f)) {
    if (knob(K.REUSE_TOTAL_MAPCOUNT)) return total_mapcount(f);
    let most: u32 = 0;
    for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
      const n: u32 = load<u8>(PG_MAPCOUNT + ((head + i) as usize));
      if (n > most) most = n;
    }
    return most + (load<u8>(PG_ENTIRE + (head as usize)) as u32);
  }
  const slot1 = page_swap(f);
  return (load<u8>(PG_MAPCOUNT + (f as usize)) as u32) + (slot1 ? swap_count(slot1 - 1) : 0);
}
/** reuse_swap_page(): one mapping or swap entry in all; takes the page out of the swap cache then. */
export function reuse_swap_page(f: u32): bool {
  if (PageKsm(f)) return false;
  if (page_map_swapcount(f) > 1) return false;
  if (page_swap(f)) delete_from_swap_cache(f);
  return true;
}

/** The bits of a swap entry at the positions of a present leaf. */
// @ts-ignore: decorator
@inline export function swp_bits_as_present(e: u64): u64 {
  return (pte_swp_uffd_wp(e) ? _PAGE_UFFD_WP : 0) | (pte_swp_soft_dirty(e) ? _PAGE_SOFT_DIRTY : 0);
}

function unuse_pte(mm: u32, page: u32, e: u64): bool {
  const slot = swp_offset(e);
  const f = swapin(slot);
  if (f == NO_PAGE) return false;
  at(P.UNUSE_PTE);
  page_add_rmap(f, mm);
  if (knob(K.REUSE_SWAPIN_EXCLUSIVE) && knob(cell(C.UNUSE, Column.EXCLUSIVE)) && pte_swp_exclusive(e)) SetPageAnonExclusive(f);
  set_pte_at(mm, page, pte_mkold(VM_PAGE_PROT) | pfn_bits(f) | carried(C.UNUSE, swp_bits_as_present(e)));
  swap_free(slot);
  return true;
}

/** swapoff and swapon again: every entry becomes present, the swap cache empties. False = out of memory midway. */
export function swapoff(): bool {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    if (!mm_alive(mm)) continue;
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const pmd = pmd_at(mm, page >> 2);
      if (pmd == 0 || pmd_trans_huge(pmd)) continue;
      const e = pte_at(mm, page);
      if (e != 0 && is_swap_pte(e) && !unuse_pte(mm, page, e)) return false;
    }
  }
  for (let slot: u32 = 0; slot < NR_SLOTS; slot++) {
    const f = lookup_swap_cache(slot);
    if (f != NO_PAGE) try_to_free_swap(f);
  }
  return true;
}
