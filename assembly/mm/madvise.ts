// Taking mappings away: MADV_DONTNEED, munmap, exit (mm/memory.c zap paths) and reclaim (mm/vmscan.c, mm/rmap.c).
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried, cell, Column } from '../kernel/tables';
import { at } from '../kernel/trace';
import { split_huge_page, vma_adjust_trans_huge } from './huge_memory';
import { NR_MMS, NR_PMDS, NR_SLOTS } from './layout';
import {
  add_entire_mapcount, ClearPageAnonExclusive, compound_head, is_special_pfn, page_count, page_flags, page_mapcount,
  page_maybe_dma_pinned, page_remove_rmap, page_swap, PageAnonExclusive, PageCompound, PG_DIRTY, put_page,
  set_page_dirty, set_page_flags,
} from './page';
import {
  is_pte_marker, pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_dirty, pte_pfn, pte_present, pud_at, set_pmd_at,
  set_pte_at, set_pud_at, swp_entry, swp_offset, SWP_TYPE_SWAP, _PAGE_PSE, _PAGE_SOFT_DIRTY, _PAGE_SWP_EXCLUSIVE,
  _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import {
  add_to_swap_cache, delete_from_swap_cache, free_swap_and_cache, get_swap_slot, swap_duplicate, swap_writepage,
} from './swapfile';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import { change_vm_flags, mm_alive } from './vma';

function zap_pte(mm: u32, page: u32, e: u64): void {
  set_pte_at(mm, page, 0);
  if (!pte_present(e)) {
    at(P.ZAP_NONPRESENT);
    if (!is_pte_marker(e)) free_swap_and_cache(swp_offset(e));
    return;
  }
  if (!knob(K.MUTANT_ZAP_FORGETS_FLUSH)) flush_tlb_page(mm, page);
  const f = pte_pfn(e);
  if (is_special_pfn(f)) return;
  at(P.ZAP_PAGE);
  if (pte_dirty(e)) set_page_dirty(f);
  page_remove_rmap(f);
  put_page(f);
}
function zap_huge_pmd(mm: u32, pmd: u32, e: u64): void {
  at(P.ZAP_HUGE_PMD);
  set_pmd_at(mm, pmd, 0);
  flush_pmd_tlb_range(mm, pmd);
  const head = pte_pfn(e);
  if (is_special_pfn(head)) return;
  add_entire_mapcount(head, -1);
  put_page(head);
}

/** Drops the entries of `mask`; anonymous uffd-wp goes with them. */
export function zap_page_range(mm: u32, mask: u32): void {
  if (pud_at(mm) & _PAGE_PSE && mask == 0xff) {
    set_pud_at(mm, 0);
    flush_pmd_tlb_range(mm, 0);
    flush_pmd_tlb_range(mm, 1);
    return;
  }
  vma_adjust_trans_huge(mm, mask);
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    const part = (mask >> (pmd << 2)) & 0xf;
    const upper = pmd_at(mm, pmd);
    if (part == 0 || pmd_none(upper)) continue;
    if (pmd_trans_huge(upper)) {
      zap_huge_pmd(mm, pmd, upper);
      continue;
    }
    for (let rest = part; rest != 0; rest &= rest - 1) {
      const page = (pmd << 2) + ctz(rest);
      const e = pte_at(mm, page);
      if (e != 0) zap_pte(mm, page, e);
    }
  }
}

/** Unmaps: entries, VMAs, and page tables that cover no VMA any more. */
export function unmap_region(mm: u32, mask: u32): void {
  zap_page_range(mm, mask);
  change_vm_flags(mm, mask, 0, 0xffff);
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    if (((mask >> (pmd << 2)) & 0xf) == 0xf && pmd_at(mm, pmd) == _PAGE_TABLE) set_pmd_at(mm, pmd, 0);
  }
  if (mask == 0xff) set_pud_at(mm, 0);
}

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
  page_remove_rmap(f);
  put_page(f);
  return true;
}

/** Reclaims the page that mm maps at `page`, from every mm that maps it. Nothing happens if it cannot be reclaimed. */
export function pageout(mm: u32, page: u32): void {
  const upper = pmd_at(mm, page >> 2);
  if (pmd_none(upper)) return;
  const leaf = pmd_trans_huge(upper) ? upper : pte_at(mm, page);
  if (leaf == 0 || !pte_present(leaf) || is_special_pfn(pte_pfn(leaf))) return;
  const f = pmd_trans_huge(upper) ? pte_pfn(leaf) + (page & 3) : pte_pfn(leaf);
  if (knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(f)) {
    at(P.RECLAIM_PINNED);
    return;
  }
  if (PageCompound(f) && !split_huge_page(compound_head(f))) return;
  let slot = page_swap(f) - 1;
  const added = page_swap(f) == 0;
  if (added) {
    slot = get_swap_slot();
    if (slot == NR_SLOTS) return;
    add_to_swap_cache(f, slot);
    set_page_dirty(f);
  }
  at(P.ADD_TO_SWAP);
  for (let other: u32 = 0; other < NR_MMS; other++) {
    if (!mm_alive(other) || pmd_at(other, page >> 2) != _PAGE_TABLE) continue;
    const e = pte_at(other, page);
    if (pte_present(e) && pte_pfn(e) == f && !try_to_unmap_one(other, page, e, f, slot)) {
      if (added) delete_from_swap_cache(f);
      return;
    }
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
