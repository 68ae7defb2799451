// Reclaim (mm/vmscan.c, mm/rmap.c): pages become swap entries. The device is instant, so a page leaves at once.
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried, cell, Column } from '../kernel/tables';
import { at } from '../kernel/trace';
import { __split_huge_pmd, can_split_huge_page, split_huge_page } from './huge_memory';
import { HPAGE_PMD_NR, NR_MMS, NR_PAGES, NR_SLOTS } from './layout';
import {
  ClearPageAnonExclusive, compound_head, folio_change, folio_test, is_special_pfn, page_count, page_flags, page_mapcount,
  page_maybe_dma_pinned, page_remove_rmap, page_remove_rmap_pmd, page_swap, PageAnonExclusive, PageCompound, PG_DIRTY,
  PG_LAZYFREE, put_page, set_page_dirty, set_page_flags, total_mapcount, PageKsm,
} from './page';
import {
  pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_dirty, pte_pfn, pte_present, set_pmd_at, set_pte_at, swp_entry, SWP_TYPE_SWAP,
  _PAGE_SOFT_DIRTY, _PAGE_SWP_EXCLUSIVE, _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import { add_to_swap_cache, delete_from_swap_cache, get_swap_slot, swap_duplicate, swap_writepage } from './swapfile';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import { mm_alive } from './vma';

/** Leaf -> swap entry in one mm. False: the page is exclusive and may be pinned, so it must stay (v5.19+). */
function try_to_unmap_one(mm: u32, page: u32, e: u64, f: u32, slot: u32): bool {
  let entry = swp_entry(SWP_TYPE_SWAP, slot);
  flush_tlb_page(mm, page);
  if (knob(K.REUSE_SWAPIN_EXCLUSIVE) && PageAnonExclusive(f)) {
    if (page_maybe_dma_pinned(f)) {
      at(P.UNMAP_PINNED);
      return false;
    }
    ClearPageAnonExclusive(f);
    if (knob(cell(C.SWAPOUT, Column.EXCLUSIVE))) entry |= _PAGE_SWP_EXCLUSIVE;
  }
  const kept = carried(C.SWAPOUT, e);
  if (kept & _PAGE_UFFD_WP) entry |= _PAGE_SWP_UFFD_WP;
  if (kept & _PAGE_SOFT_DIRTY) entry |= _PAGE_SWP_SOFT_DIRTY;
  if (pte_dirty(e)) set_page_dirty(f);
  at(P.TRY_TO_UNMAP_ONE);
  set_pte_at(mm, page, entry);
  swap_duplicate(slot);
  page_remove_rmap(f, mm);
  put_page(f);
  return true;
}

/** May the mapping of a page that MADV_FREE left to reclaim go for good? Not if somebody wrote to it, or holds it. */
function may_discard(f: u32, dirty: bool): bool {
  if (dirty) set_page_dirty(f);
  if (folio_test(f, PG_DIRTY)) {
    at(P.LAZYFREE_REDIRTIED);
    folio_change(f, 0, PG_LAZYFREE);
    return false;
  }
  if (knob(K.LAZYFREE_CHECK_REFS) && page_count(f) != total_mapcount(f)) {
    at(P.LAZYFREE_HELD);
    if (!knob(K.LAZYFREE_HELD_STAYS)) folio_change(f, 0, PG_LAZYFREE);
    return false;
  }
  at(P.LAZYFREE_DISCARD);
  return true;
}
function discard_pte(mm: u32, page: u32, e: u64, f: u32): bool {
  flush_tlb_page(mm, page);
  if (!may_discard(f, pte_dirty(e))) return false;
  set_pte_at(mm, page, 0);
  page_remove_rmap(f, mm);
  put_page(f);
  return true;
}
function discard_pmd(mm: u32, pmd: u32, e: u64, head: u32): bool {
  flush_pmd_tlb_range(mm, pmd);
  if (!may_discard(head, pte_dirty(e))) return false;
  set_pmd_at(mm, pmd, 0);
  page_remove_rmap_pmd(head, mm);
  put_page(head);
  return true;
}
/** Drops a clean page, or THP, wherever it is mapped: until the first mapping that says no. */
function discard_folio(f: u32): void {
  const head = compound_head(f);
  const nr: u32 = PageCompound(f) ? HPAGE_PMD_NR : 1;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const upper = pmd_at(mm, page >> 2);
      if (pmd_trans_huge(upper)) {
        if (pte_pfn(upper) != head) continue;
        if (knob(K.LAZYFREE_DISCARDS_PMD)) {
          if (discard_pmd(mm, page >> 2, upper, head)) continue;
          if (knob(K.LAZYFREE_HELD_STAYS)) return;
        }
        __split_huge_pmd(mm, page >> 2);
      }
      const e = pte_at(mm, page);
      if (upper == 0 || !pte_present(e) || pte_pfn(e) - head >= nr) continue;
      if (!(page_flags(head) & PG_LAZYFREE) || !discard_pte(mm, page, e, pte_pfn(e))) return;
    }
  }
}

// @ts-ignore: decorator
@inline function unmap_at(mm: u32, page: u32, f: u32, slot: u32): bool {
  if (!mm_alive(mm) || pmd_at(mm, page >> 2) != _PAGE_TABLE) return true;
  const e = pte_at(mm, page);
  return !pte_present(e) || pte_pfn(e) != f || try_to_unmap_one(mm, page, e, f, slot);
}
/** All that maps `f` becomes swap entries: at `page`, as a rule. False: it must stay. */
function try_to_unmap(f: u32, page: u32, slot: u32): bool {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) if (!unmap_at(mm, page, f, slot)) return false;
  // A process that moved it has it elsewhere.
  for (let mm: u32 = 0; mm < NR_MMS && page_mapcount(f) != 0; mm++) {
    for (let other: u32 = 0; other < NR_PAGES; other++) if (other != page && !unmap_at(mm, other, f, slot)) return false;
  }
  return true;
}
/** Swaps out the small page `f`, mapped at `page`. It stays where it cannot be reclaimed. */
function shrink_page(f: u32, page: u32): void {
  // Not modelled: see ksm.ts.
  if (PageKsm(f)) return;
  if (page_flags(f) & PG_LAZYFREE) {
    discard_folio(f);
    return;
  }
  if (knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(f)) {
    at(P.RECLAIM_PINNED);
    return;
  }
  let slot = page_swap(f) - 1;
  const added = page_swap(f) == 0;
  if (added) {
    slot = get_swap_slot();
    if (slot == NR_SLOTS) return;
    add_to_swap_cache(f, slot);
    set_page_dirty(f);
  }
  at(P.ADD_TO_SWAP);
  if (!try_to_unmap(f, page, slot)) {
    if (added) delete_from_swap_cache(f);
    return;
  }
  if (page_mapcount(f) != 0) return;
  if (page_flags(f) & PG_DIRTY && !knob(K.MUTANT_PAGEOUT_DROPS_DIRTY)) {
    swap_writepage(slot, f);
    set_page_flags(f, page_flags(f) & ~PG_DIRTY);
  }
  if (page_count(f) == 1) {
    at(P.RECLAIM_FREES);
    delete_from_swap_cache(f);
  } else {
    // Somebody holds the page (GUP): it stays in the swap cache.
    at(P.RECLAIM_HELD);
  }
}

/** Swaps out a page that is mapped at `page`, or the whole huge page that is mapped around it. */
export function shrink_folio(f: u32, page: u32): void {
  if (!PageCompound(f)) {
    shrink_page(f, page);
    return;
  }
  const head = compound_head(f);
  if (page_flags(f) & PG_LAZYFREE) {
    if (!knob(K.LAZYFREE_SPLITS_THP)) {
      discard_folio(f);
      return;
    }
    if (!split_huge_page(head, false)) return;
    for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) if (page_mapcount(head + i)) discard_folio(head + i);
    return;
  }
  if (knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(head)) {
    at(P.RECLAIM_PINNED);
    return;
  }
  if (!can_split_huge_page(head)) return;
  // It goes to the device in one piece, which leaves the same entries as going in four.
  at(P.RECLAIM_THP);
  split_huge_page(head, true);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) if (page_mapcount(head + i)) shrink_page(head + i, (page & ~3) + i);
}

/** Reclaims the page that mm maps at `page` (a page of a THP alone), from every mm that maps it, if it can be. */
export function pageout(mm: u32, page: u32): void {
  const upper = pmd_at(mm, page >> 2);
  if (pmd_none(upper)) return;
  const huge = pmd_trans_huge(upper);
  const leaf = huge ? upper : pte_at(mm, page);
  if (leaf == 0 || !pte_present(leaf) || is_special_pfn(pte_pfn(leaf))) return;
  const f = huge ? pte_pfn(leaf) + (page & 3) : pte_pfn(leaf);
  if (PageCompound(f)) {
    if (knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(f)) {
      at(P.RECLAIM_PINNED);
      return;
    }
    if (!split_huge_page(compound_head(f), true)) return;
  }
  shrink_page(f, page);
}
