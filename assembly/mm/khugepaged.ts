// Small pages become a huge one (mm/khugepaged.c), as MADV_COLLAPSE asks for it: everything is copied.
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { HPAGE_PMD_NR } from './layout';
import { handle_mm_fault } from './memory';
import {
  alloc_thp, is_special_pfn, NO_PAGE, page_add_rmap_pmd, page_count, page_remove_rmap, page_swap, page_version, put_page,
  SetPageAnonExclusive, set_page_version, total_mapcount,
} from './page';
import {
  pfn_bits, pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_marker_uffd_wp, pte_mkdirty, pte_mkwrite, pte_pfn, pte_present,
  pte_swp_uffd_wp, pte_uffd_wp, pte_write, set_pmd_at, set_pte_at, _PAGE_PSE, _PAGE_TABLE,
} from './pgtable';
import { free_swap_cache } from './swapfile';
import { flush_pmd_tlb_range } from './tlb';
import { anon_vma, vm_flags, VM_PAGE_PROT, VM_UFFD_MISSING, VM_UFFD_WP, VM_WRITE, vma_end, vma_start } from './vma';
import { VM_FAULT_OOM, VM_FAULT_SIGSEGV } from './vmf';

/** How it ended: refused with the rest of the range still to be tried, refused for good, or without memory. */
export const SCAN_SUCCEED: u32 = 0;
export const SCAN_NEXT: u32 = 1;
export const SCAN_STOP: u32 = 2;
export const SCAN_NOMEM: u32 = 3;

/** Does nobody but page tables and the swap cache refer to the folio? */
function is_refcount_suitable(f: u32): bool {
  return page_count(f) == total_mapcount(f) + ((page_swap(f) != 0) as u32);
}
/** The four entries before anything is done, `again`: with all locks, where all of them must be present. */
function scan(mm: u32, pmd: u32, again: bool): u32 {
  const vma = vm_flags(mm, pmd << 2);
  const checks_wp = knob(again ? K.COLLAPSE_CHECKS_WP_AGAIN : K.COLLAPSE_CHECKS_WP);
  let writable = knob(K.COLLAPSE_READ_ONLY);
  for (let page = pmd << 2; page < (pmd << 2) + HPAGE_PMD_NR; page++) {
    const e = pte_at(mm, page);
    if (e != 0 && !pte_present(e)) {
      if (again || (checks_wp && (pte_marker_uffd_wp(e) || pte_swp_uffd_wp(e)))) return SCAN_NEXT;
      continue;
    }
    if (e == 0 || is_special_pfn(pte_pfn(e))) {
      // A hole is filled with zeroes, of which a uffd that waits for holes would never hear.
      if (vma & (VM_UFFD_WP | VM_UFFD_MISSING)) return SCAN_STOP;
      continue;
    }
    if (checks_wp && pte_uffd_wp(e)) {
      at(P.COLLAPSE_WP);
      return SCAN_NEXT;
    }
    if (pte_write(e)) writable = true;
    if (!is_refcount_suitable(pte_pfn(e))) {
      at(P.COLLAPSE_HELD);
      return SCAN_NEXT;
    }
  }
  return writable ? SCAN_SUCCEED : SCAN_NEXT;
}
/** Swaps in what is in swap. False: it cannot be. */
function __collapse_huge_page_swapin(mm: u32, pmd: u32): bool {
  for (let page = pmd << 2; page < (pmd << 2) + HPAGE_PMD_NR; page++) {
    const e = pte_at(mm, page);
    if (e == 0 || pte_present(e)) continue;
    at(P.COLLAPSE_SWAPIN);
    if (handle_mm_fault(mm, page, 0) & (VM_FAULT_OOM | VM_FAULT_SIGSEGV)) return false;
  }
  return true;
}
function __collapse_huge_page_copy(mm: u32, pmd: u32, head: u32): void {
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const page = (pmd << 2) + i;
    const e = pte_at(mm, page);
    set_pte_at(mm, page, 0);
    if (e == 0 || is_special_pfn(pte_pfn(e))) continue;
    const f = pte_pfn(e);
    set_page_version(head + i, page_version(f));
    page_remove_rmap(f, mm);
    free_swap_cache(f);
    put_page(f);
  }
}
function collapse_huge_page(mm: u32, pmd: u32): u32 {
  const head = alloc_thp();
  if (head == NO_PAGE) return SCAN_NOMEM;
  let result = SCAN_STOP;
  if (__collapse_huge_page_swapin(mm, pmd)) {
    flush_pmd_tlb_range(mm, pmd);
    result = scan(mm, pmd, true);
  }
  if (result != SCAN_SUCCEED) {
    put_page(head);
    return result;
  }
  at(P.COLLAPSE);
  __collapse_huge_page_copy(mm, pmd, head);
  const entry = pte_mkdirty(VM_PAGE_PROT | _PAGE_PSE | pfn_bits(head));
  page_add_rmap_pmd(head, mm);
  if (knob(K.REUSE_EXCLUSIVE)) SetPageAnonExclusive(head);
  set_pmd_at(mm, pmd, vm_flags(mm, pmd << 2) & VM_WRITE ? pte_mkwrite(entry) : entry);
  return SCAN_SUCCEED;
}
function hpage_collapse_scan_pmd(mm: u32, pmd: u32): u32 {
  const upper = pmd_at(mm, pmd);
  if (pmd_none(upper)) return knob(K.COLLAPSE_PASSES_HOLES) ? SCAN_NEXT : SCAN_STOP;
  if (pmd_trans_huge(upper)) return SCAN_SUCCEED;
  if (upper != _PAGE_TABLE) return SCAN_NEXT;
  const result = scan(mm, pmd, false);
  return result == SCAN_SUCCEED ? collapse_huge_page(mm, pmd) : result;
}

/** MADV_COLLAPSE of pages [first, end) of one VMA: SCAN_SUCCEED only if every huge page in it is one now. */
export function madvise_collapse(mm: u32, first: u32, end: u32): u32 {
  const last = vma_end(mm, first);
  if (anon_vma(mm, first) == 0 || last < HPAGE_PMD_NR || ((last - HPAGE_PMD_NR) & ~3) < vma_start(mm, first)) return SCAN_STOP;
  const from = (first + 3) >> 2;
  const to = end >> 2;
  if (to < from) return SCAN_STOP;
  let worst = SCAN_SUCCEED;
  for (let pmd = from; pmd < to; pmd++) {
    const result = hpage_collapse_scan_pmd(mm, pmd);
    if (result > SCAN_NEXT) return result;
    if (result != SCAN_SUCCEED) worst = SCAN_NEXT;
  }
  return worst;
}
