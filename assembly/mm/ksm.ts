// Kernel samepage merging (mm/ksm.c). ksmd is a pass on request. The stable tree is the pages that have PG_KSM: it holds no
// reference to them. Reclaim leaves them alone here (the kernel swaps them, and copies what comes back to several places).
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried } from '../kernel/tables';
import { at } from '../kernel/trace';
import { split_huge_page } from './huge_memory';
import { NR_MMS, NR_PAGES } from './layout';
import { handle_mm_fault } from './memory';
import { vma_modify } from './mmap';
import {
  ClearPageAnonExclusive, compound_head, get_page, is_special_pfn, NO_PAGE, page_add_rmap, page_count, page_flags, page_mapcount,
  page_maybe_dma_pinned, page_remove_rmap, page_swap, page_version, PageAnonExclusive, PageCompound, PageKsm, PG_ANON, PG_KSM,
  put_page, set_page_dirty, set_page_flags,
} from './page';
import {
  pfn_bits, pmd_at, pmd_trans_huge, pte_at, pte_dirty, pte_mkclean, pte_pfn, pte_present, pte_uffd_wp, pte_write,
  pte_wrprotect, set_pte_at, _PAGE_TABLE,
} from './pgtable';
import { free_swap_cache } from './swapfile';
import { flush_tlb_page } from './tlb';
import { anon_vma, mm_alive, pages_with, vm_flags, VM_DAX, VM_MERGEABLE, VM_PAGE_PROT, VM_UFFD_WP } from './vma';
import { FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, VM_FAULT_OOM } from './vmf';

/** The anonymous page that mm maps at `page`, accessible or not; NO_PAGE. */
function mapped_anon(mm: u32, page: u32): u32 {
  const upper = pmd_at(mm, page >> 2);
  const huge = pmd_trans_huge(upper);
  const e = huge ? upper : upper == _PAGE_TABLE ? pte_at(mm, page) : 0;
  if (!pte_present(e)) return NO_PAGE;
  const f = huge ? pte_pfn(e) + (page & 3) : pte_pfn(e);
  return is_special_pfn(f) || !(page_flags(f) & PG_ANON) ? NO_PAGE : f;
}

// ---- merging

/** Read-only and clean, if nobody but page tables and swap cache can change the page. */
function write_protect_page(mm: u32, page: u32, f: u32): bool {
  const e = pte_at(mm, page);
  const exclusive = knob(K.REUSE_EXCLUSIVE) && PageAnonExclusive(f);
  if (!pte_write(e) && !pte_dirty(e) && !exclusive && !knob(K.KSM_ALWAYS_CHECKS_REFS)) return true;
  flush_tlb_page(mm, page);
  const known = page_mapcount(f) + ((page_swap(f) != 0) as u32);
  if (!knob(K.MUTANT_KSM_IGNORES_REFS) && (page_count(f) != known || (exclusive && page_maybe_dma_pinned(f)))) {
    at(P.KSM_HELD);
    return false;
  }
  if (exclusive) ClearPageAnonExclusive(f);
  if (pte_dirty(e)) set_page_dirty(f);
  set_pte_at(mm, page, pte_wrprotect(pte_mkclean(e)));
  return true;
}
/** The mapping of `f` becomes one of `kpage`, built from the VMA's protection alone. */
function replace_page(mm: u32, page: u32, f: u32, kpage: u32): void {
  at(P.KSM_REPLACE);
  const e = pte_at(mm, page);
  get_page(kpage);
  page_add_rmap(kpage, mm);
  flush_tlb_page(mm, page);
  set_pte_at(mm, page, VM_PAGE_PROT | pfn_bits(kpage) | carried(C.KSM, e));
  page_remove_rmap(f, mm);
  free_swap_cache(f);
  put_page(f);
}
/** Merges what mm maps at `page` into `kpage`; NO_PAGE: it becomes a KSM page itself. */
function try_to_merge_one_page(mm: u32, page: u32, f: u32, kpage: u32): bool {
  if (PageCompound(f) && !split_huge_page(compound_head(f), false)) return false;
  if (mapped_anon(mm, page) != f || !write_protect_page(mm, page, f)) return false;
  if (kpage != NO_PAGE) replace_page(mm, page, f, kpage);
  else {
    at(P.KSM_STABLE);
    set_page_flags(f, page_flags(f) | PG_KSM);
    set_page_dirty(f);
  }
  return true;
}

// @ts-ignore: decorator
@inline function mergeable(mm: u32, page: u32): bool {
  return mm_alive(mm) && (vm_flags(mm, page) & VM_MERGEABLE) != 0 && anon_vma(mm, page) != 0;
}
/** stable_tree_search: a KSM page of these contents, by where it is mapped (so that frame numbers decide nothing). */
function stable_tree_search(version: u32): u32 {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const f = mapped_anon(mm, page);
      if (f != NO_PAGE && PageKsm(f) && page_version(f) == version) return f;
    }
  }
  return NO_PAGE;
}
/** unstable_tree_search: a place before this one in the pass that has another page of the same contents; NO_PAGE. */
function unstable_tree_search(mm: u32, page: u32, f: u32): u32 {
  for (let before: u32 = 0; before < (mm << 3) + page; before++) {
    if (!mergeable(before >> 3, before & 7)) continue;
    const g = mapped_anon(before >> 3, before & 7);
    if (g != NO_PAGE && !PageKsm(g) && page_version(g) == page_version(f)) return g == f ? NO_PAGE : before;
  }
  return NO_PAGE;
}
function cmp_and_merge_page(mm: u32, page: u32): void {
  const f = mapped_anon(mm, page);
  if (f == NO_PAGE || PageKsm(f)) return;
  const kpage = stable_tree_search(page_version(f));
  if (kpage != NO_PAGE) {
    try_to_merge_one_page(mm, page, f, kpage);
    return;
  }
  const other = unstable_tree_search(mm, page, f);
  if (other == NO_PAGE || !try_to_merge_one_page(mm, page, f, NO_PAGE)) return;
  const g = mapped_anon(other >> 3, other & 7);
  if (g == NO_PAGE || !try_to_merge_one_page(other >> 3, other & 7, g, f)) break_ksm(mm, page);
}
/** ksmd, until it has been everywhere. Zeroes are contents like any other (use_zero_pages is off). */
export function ksm_do_scan(): void {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) if (mergeable(mm, page)) cmp_and_merge_page(mm, page);
  }
}

// ---- and undoing it

/** Until v5.8 a KSM page that only this mapping is left of leaves the stable tree. */
export function reuse_ksm_page(f: u32): bool {
  if (page_swap(f) || page_count(f) != 1) return false;
  at(P.REUSE_KSM_PAGE);
  set_page_flags(f, page_flags(f) & ~PG_KSM);
  return true;
}

/** A copy takes the KSM page's place by a fault. False = out of memory. */
function break_ksm(mm: u32, page: u32): bool {
  for (let turn = 0; turn < 4; turn++) {
    const f = mapped_anon(mm, page);
    if (f == NO_PAGE || !PageKsm(f)) return true;
    at(P.BREAK_KSM);
    const unshare = knob(K.KSM_BREAKS_BY_UNSHARE);
    // A write fault that may not wait for a uffd ends in SIGBUS, which nobody looks at: the page stays merged.
    if (!unshare && vm_flags(mm, page) & VM_UFFD_WP && pte_uffd_wp(pte_at(mm, page))) return true;
    if (handle_mm_fault(mm, page, unshare ? FAULT_FLAG_UNSHARE : FAULT_FLAG_WRITE) & VM_FAULT_OOM) return false;
  }
  return true;
}
/** MADV_MERGEABLE and MADV_UNMERGEABLE. False = out of memory midway. */
export function ksm_madvise(mm: u32, mask: u32, merge: bool): bool {
  if (merge) {
    vma_modify(mm, pages_with(mm, mask, 0, VM_DAX), VM_MERGEABLE, 0);
    return true;
  }
  const merged = pages_with(mm, mask, VM_MERGEABLE, 0);
  for (let rest = merged; rest != 0; rest &= rest - 1) if (!break_ksm(mm, ctz(rest))) return false;
  vma_modify(mm, merged, 0, VM_MERGEABLE);
  return true;
}
