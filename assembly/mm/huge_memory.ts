// PMD (and DAX PUD) leaves: mm/huge_memory.c.
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried, cell, Column } from '../kernel/tables';
import { at } from '../kernel/trace';
import { HPAGE_PMD_NR, NR_MMS, NR_PAGES, NR_PMDS, PG_MAPCOUNT, PG_REFS } from './layout';
import { arch_mkdirty, wrprotect_last } from './migrate';
import { anon_vma_prepare } from './mmap';
import { numa_restore, pmd_modified } from './mprotect';
import {
  alloc_thp, ClearPageAnonExclusive, free_groups, HUGE_ZERO_PFN, is_special_pfn, NO_PAGE,
  folio_change, folio_test, page_add_rmap_pmd, page_count, page_flags, PageAnonExclusive, page_remove_rmap,
  page_split_rmap_pmd, page_version, PG_COMPOUND, PG_DIRTY, put_page, set_page_dirty, set_page_flags,
  SetPageAnonExclusive, total_mapcount, ZERO_PFN,
} from './page';
import {
  is_swap_pmd, migration_entry_pfn, pfn_bits, pmd_at, pmd_trans_huge, pte_dirty, pte_mkdirty, pte_mkold,
  pte_mkwrite, pte_mkyoung, pte_pfn, pte_at, pte_present, pte_uffd_wp, pte_write, pte_wrprotect, pud_at, set_pmd_at,
  set_pte_at, set_pud_at, SWP_MIG_DIRTY, SWP_MIG_YOUNG, swp_entry, swp_offset, swp_type, _PAGE_ACCESSED, _PAGE_DIRTY,
  _PAGE_PSE, _PAGE_SOFT_DIRTY, _PAGE_SPECIAL, _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import { page_map_swapcount, swp_bits_as_present } from './swapfile';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import { handle_userfault } from './userfaultfd';
import { one_vma, VM_PAGE_PROT, VM_UFFD_MISSING, VM_WRITE } from './vma';
import { FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, VM_FAULT_FALLBACK, VM_FAULT_WRITE } from './vmf';

/** transparent_hugepage/enabled is never, whatever a VMA asks for. */
let thp_never: bool = false;
export function set_thp_never(on: bool): void {
  thp_never = on;
}

export function do_huge_pmd_anonymous_page(mm: u32, pmd: u32, flags: u32, vma: u32): u32 {
  if (thp_never || !one_vma(mm, pmd)) return VM_FAULT_FALLBACK;
  anon_vma_prepare(mm, pmd << 2);
  const missing = (vma & VM_UFFD_MISSING) != 0 && !knob(K.MUTANT_MISSING_SKIPS_PMD);
  if (!(flags & FAULT_FLAG_WRITE)) {
    if (missing) return missing_pmd();
    at(P.HUGE_ZERO_PAGE);
    set_pmd_at(mm, pmd, VM_PAGE_PROT | _PAGE_PSE | pfn_bits(HUGE_ZERO_PFN));
    return 0;
  }
  // Asked once the huge page is there: without one it falls to the PTE level to ask.
  if (missing && free_groups() != 0) return missing_pmd();
  return map_anon_thp(mm, pmd, vma);
}
function missing_pmd(): u32 {
  at(P.HUGE_MISSING);
  return handle_userfault(VM_UFFD_MISSING);
}
function map_anon_thp(mm: u32, pmd: u32, vma: u32): u32 {
  const head = alloc_thp();
  if (head == NO_PAGE) {
    at(P.THP_FALLBACK);
    return VM_FAULT_FALLBACK;
  }
  at(P.HUGE_PMD_PAGE);
  let entry = pte_mkdirty(VM_PAGE_PROT | _PAGE_PSE | pfn_bits(head));
  if (vma & VM_WRITE) entry = pte_mkwrite(entry);
  page_add_rmap_pmd(head, mm);
  if (knob(K.REUSE_EXCLUSIVE)) SetPageAnonExclusive(head);
  set_pmd_at(mm, pmd, entry);
  return 0;
}

export function huge_pmd_set_accessed(mm: u32, pmd: u32, flags: u32, e: u64): void {
  const entry = flags & FAULT_FLAG_WRITE ? pte_mkdirty(pte_mkyoung(e)) : pte_mkyoung(e);
  if (entry != e) set_pmd_at(mm, pmd, entry);
  else flush_pmd_tlb_range(mm, pmd);
}

/** Write-protect fault on a PMD leaf: reuse it, or split and let the PTE level copy. */
export function do_huge_pmd_wp_page(mm: u32, page: u32, flags: u32, e: u64, vma: u32): u32 {
  const pmd = page >> 2;
  const head = pte_pfn(e);
  const unshare = (flags & FAULT_FLAG_UNSHARE) != 0;
  if (is_special_pfn(head)) {
    if (knob(K.HUGE_ZERO_WRITE_ALLOCATES) && flags & FAULT_FLAG_WRITE && !unshare) {
      const ret = map_anon_thp(mm, pmd, vma);
      flush_pmd_tlb_range(mm, pmd);
      if (!(ret & VM_FAULT_FALLBACK)) return VM_FAULT_WRITE;
    }
    at(P.HUGE_ZERO_SPLIT);
    __split_huge_pmd(mm, pmd);
    return VM_FAULT_FALLBACK;
  }
  if (huge_pmd_can_reuse(head)) {
    if (unshare) {
      at(P.PMD_UNSHARE_EXCLUSIVE);
      return 0;
    }
    at(P.PMD_REUSE);
    count(N.REUSES);
    let entry = pte_mkdirty(pte_mkyoung(e));
    if (vma & VM_WRITE) entry = pte_mkwrite(entry);
    if (knob(K.WP_PMD_REUSE_KEEPS_WP) && pte_uffd_wp(e)) {
      at(P.PMD_REUSE_KEEPS_WP);
      entry = pte_wrprotect(entry);
    }
    set_pmd_at(mm, pmd, entry);
    return VM_FAULT_WRITE;
  }
  at(P.PMD_WP_SPLIT);
  __split_huge_pmd(mm, pmd);
  return VM_FAULT_FALLBACK;
}
/** Ownership of a PMD-mapped THP: mapcount (to v5.17), references (v5.18), exclusive (v5.19). */
function huge_pmd_can_reuse(head: u32): bool {
  if (knob(K.REUSE_PMD_EXCLUSIVE)) {
    if (PageAnonExclusive(head)) return true;
    if (page_count(head) != 1) return false;
    SetPageAnonExclusive(head);
    return true;
  }
  if (knob(K.REUSE_PMD_PAGE_COUNT)) return page_count(head) == 1;
  return page_map_swapcount(head) == 1;
}

export function do_huge_pmd_numa_page(mm: u32, pmd: u32, e: u64, vma: u32): u32 {
  at(P.HUGE_NUMA_PAGE);
  set_pmd_at(mm, pmd, numa_restore(vma, pmd_modified(e)));
  return 0;
}

/** The PMD leaf becomes a table of four PTEs; the page stays compound. */
export function __split_huge_pmd(mm: u32, pmd: u32): void {
  split_huge_pmd_locked(mm, pmd, false);
}
/** A migration entry of a huge page becomes four of its small pages. */
function split_pmd_migration_entry(mm: u32, pmd: u32, e: u64): void {
  at(P.SPLIT_PMD_MIGRATION);
  const kept = carried(C.SPLIT, swp_bits_as_present(e));
  const bits = (kept & _PAGE_SOFT_DIRTY ? _PAGE_SWP_SOFT_DIRTY : 0) | (kept & _PAGE_UFFD_WP ? _PAGE_SWP_UFFD_WP : 0);
  set_pmd_at(mm, pmd, _PAGE_TABLE);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const one = swp_entry(swp_type(e), (migration_entry_pfn(e) + i) | (swp_offset(e) & (SWP_MIG_YOUNG | SWP_MIG_DIRTY)));
    set_pte_at(mm, (pmd << 2) + i, one | bits);
  }
}
/** `freeze`: on the way to a split of the page, where the PTEs are migration entries, which remember dirty by itself. */
function split_huge_pmd_locked(mm: u32, pmd: u32, freeze: bool): void {
  const e = pmd_at(mm, pmd);
  count(N.SPLITS);
  if (is_swap_pmd(e)) {
    split_pmd_migration_entry(mm, pmd, e);
    return;
  }
  const head = pte_pfn(e);
  set_pmd_at(mm, pmd, _PAGE_TABLE);
  flush_pmd_tlb_range(mm, pmd);
  if (is_special_pfn(head)) {
    at(P.SPLIT_HUGE_ZERO);
    const entry = VM_PAGE_PROT | _PAGE_SPECIAL | pfn_bits(ZERO_PFN) | carried(C.SPLIT_ZERO, e);
    for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) set_pte_at(mm, (pmd << 2) + i, entry);
    return;
  }
  at(P.SPLIT_HUGE_PMD);
  let bits = VM_PAGE_PROT | carried(C.SPLIT, e);
  if (pte_write(e)) bits = pte_mkwrite(bits);
  if (!(e & _PAGE_ACCESSED)) bits = pte_mkold(bits);
  const dirty = pte_dirty(e);
  if (dirty && freeze) bits |= _PAGE_DIRTY;
  else if (dirty && knob(K.SPLIT_CARRIES_DIRTY)) {
    bits = arch_mkdirty(knob(K.SPLIT_DIRTY_ONLY) ? bits | _PAGE_DIRTY : pte_mkdirty(bits));
    if (!pte_write(e)) bits = wrprotect_last(bits);
  }
  const exclusive = PageAnonExclusive(head) && knob(cell(C.SPLIT, Column.EXCLUSIVE));
  ClearPageAnonExclusive(head);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const f = head + i;
    if (dirty) set_page_dirty(f);
    if (exclusive) SetPageAnonExclusive(f);
    set_pte_at(mm, (pmd << 2) + i, bits | pfn_bits(f));
  }
  page_split_rmap_pmd(head, mm);
  store<u8>(PG_REFS + (head as usize), page_count(head) + HPAGE_PMD_NR - 1);
}

/** A huge PUD is dropped; its pages fault in again below. */
export function __split_huge_pud(mm: u32): void {
  at(P.SPLIT_HUGE_PUD);
  set_pud_at(mm, _PAGE_TABLE);
  flush_pmd_tlb_range(mm, 0);
  flush_pmd_tlb_range(mm, 1);
}

/** Splits what a change to the pages of `mask` would cut in two: a VMA boundary inside a huge leaf. */
export function vma_adjust_trans_huge(mm: u32, mask: u32): void {
  if (pud_at(mm) & _PAGE_PSE && mask != 0xff) __split_huge_pud(mm);
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    const part = (mask >> (pmd << 2)) & 0xf;
    const e = pmd_at(mm, pmd);
    if (part != 0 && part != 0xf && (pmd_trans_huge(e) || is_swap_pmd(e))) __split_huge_pmd(mm, pmd);
  }
}

/** Can the folio become four pages? Not if somebody but page tables refers to it. */
export function can_split_huge_page(head: u32): bool {
  if (page_count(head) == total_mapcount(head)) return true;
  at(P.SPLIT_PAGE_BUSY);
  return false;
}
/** The PTE of a page that left its folio: it was a migration entry in between, which remembers what the kernel lets it. */
function remove_migration_pte(e: u64): u64 {
  // What comes back writable is not asked for uffd-wp, which only a stray bit has beside it.
  const kept = pte_write(e) ? e & ~_PAGE_UFFD_WP : e;
  if (!knob(K.MIGRATION_KEEPS_DIRTY)) return pte_mkold(kept) & ~_PAGE_DIRTY;
  if (!pte_dirty(e)) return kept;
  const entry = arch_mkdirty(knob(K.MIGRATION_KEEPS_CLEAN) ? kept : pte_mkdirty(kept));
  return pte_write(e) ? entry : wrprotect_last(entry);
}
/** try_to_migrate: the folio is dirty if one of the entries that map it is. */
function folio_collect_dirty(head: u32): void {
  let dirty = folio_test(head, PG_DIRTY);
  for (let mm: u32 = 0; !dirty && mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      if (pmd_at(mm, page >> 2) != _PAGE_TABLE) continue;
      const e = pte_at(mm, page);
      if (pte_present(e) && pte_dirty(e) && (pte_pfn(e) & ~3) == head) dirty = true;
    }
  }
  if (dirty) folio_change(head, PG_DIRTY, 0);
}
/** remap_page of one page of the folio to where it is mapped. */
function remap_page(f: u32): void {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      if (pmd_at(mm, page >> 2) != _PAGE_TABLE) continue;
      const e = pte_at(mm, page);
      if (!pte_present(e) || pte_pfn(e) != f) continue;
      set_pte_at(mm, page, remove_migration_pte(e));
      flush_tlb_page(mm, page);
    }
  }
}
/** remap_page (v6.12): nobody can tell a page of zeroes from the shared zero page, which is cheaper. */
function try_to_map_unused_to_zeropage(f: u32): void {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      if (pmd_at(mm, page >> 2) != _PAGE_TABLE) continue;
      const e = pte_at(mm, page);
      if (!pte_present(e) || pte_pfn(e) != f) continue;
      at(P.SPLIT_TO_ZERO_PAGE);
      const kept = e & (_PAGE_UFFD_WP | _PAGE_SOFT_DIRTY);
      set_pte_at(mm, page, VM_PAGE_PROT | _PAGE_SPECIAL | pfn_bits(ZERO_PFN) | kept);
      flush_tlb_page(mm, page);
      page_remove_rmap(f, mm);
    }
  }
}
/**
 * The folio becomes four pages, mapped by PTEs. False, and no change, if that cannot be. `reclaim`: it is on its way
 * out as a whole, which needs no split in the kernel.
 */
export function split_huge_page(head: u32, reclaim: bool): bool {
  if (!can_split_huge_page(head)) return false;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
      const e = pmd_at(mm, pmd);
      if (!pmd_trans_huge(e) || pte_pfn(e) != head) continue;
      split_huge_pmd_locked(mm, pmd, !reclaim);
    }
  }
  at(P.SPLIT_PAGE);
  if (!reclaim) folio_collect_dirty(head);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const f = head + i;
    if (!reclaim && knob(K.SPLIT_MAPS_ZERO_PAGE) && page_version(f) == 0) try_to_map_unused_to_zeropage(f);
    if (!reclaim) remap_page(f);
    set_page_flags(f, page_flags(f) & ~PG_COMPOUND);
    // One reference of our own, so that a page nobody maps is freed by the put below.
    store<u8>(PG_REFS + (f as usize), (load<u8>(PG_MAPCOUNT + (f as usize)) as u32) + 1);
  }
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) put_page(head + i);
  return true;
}
