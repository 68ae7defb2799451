// clear_refs: soft-dirty starts over; PAGEMAP_SCAN: which pages were written, by uffd-wp (fs/proc/task_mmu.c).
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { __split_huge_pmd } from './huge_memory';
import { MM_HAS_PINNED, NR_PAGES, NR_PMDS } from './layout';
import { migration_entry_wrprotect } from './migrate';
import { change_protection, CP_UFFD_WP } from './mprotect';
import { is_special_pfn, page_maybe_dma_pinned } from './page';
import {
  is_migration_entry, is_pte_marker, is_swap_pmd, make_pte_marker, mm_at, pmd_at, pmd_none, pmd_trans_huge, pte_at,
  pte_marker_uffd_wp, PTE_MARKER_UFFD_WP, pte_pfn, pte_present, pte_swp_uffd_wp, pte_uffd_wp, pte_write, pte_wrprotect, set_pmd_at,
  set_pte_at, _PAGE_SOFT_DIRTY, _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import { flush_pmd_tlb_range, flush_tlb_mm, flush_tlb_page } from './tlb';
import { change_vm_flags, mm_uffd, UFFD_WP_ASYNC, VM_DAX, vm_flags, VM_READ, VM_SOFTDIRTY, VM_UFFD_WP, vma_end } from './vma';

/** A page that may be pinned must keep its write bit, or the next store would copy it away from the pin. */
function pte_is_pinned(mm: u32, e: u64): bool {
  if (!pte_write(e) || load<u8>(mm_at(mm), MM_HAS_PINNED) == 0) return false;
  const f = pte_pfn(e);
  return !is_special_pfn(f) && page_maybe_dma_pinned(f);
}

function clear_soft_dirty(mm: u32, page: u32, e: u64): void {
  if (pte_present(e)) {
    if (knob(K.CLEAR_REFS_SKIPS_PINNED) && pte_is_pinned(mm, e)) {
      at(P.CLEAR_REFS_PINNED);
      return;
    }
    at(P.CLEAR_SOFT_DIRTY);
    set_pte_at(mm, page, pte_wrprotect(e) & ~_PAGE_SOFT_DIRTY);
  } else if (!is_pte_marker(e) || e & _PAGE_SWP_SOFT_DIRTY) set_pte_at(mm, page, clear_swap_soft_dirty(e));
}
/** A writable migration entry stays so: what comes of it is clean and writable, and the next store is not noticed. */
function clear_swap_soft_dirty(e: u64): u64 {
  const downgrade = knob(K.CLEAR_REFS_DOWNGRADES_MIGRATION) && is_migration_entry(e);
  return (downgrade ? migration_entry_wrprotect(e) : e) & ~_PAGE_SWP_SOFT_DIRTY;
}

export function clear_refs_write(mm: u32): void {
  change_vm_flags(mm, 0xff, 0, VM_SOFTDIRTY);
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    const upper = pmd_at(mm, pmd);
    if (pmd_none(upper)) continue;
    if (is_swap_pmd(upper)) {
      set_pmd_at(mm, pmd, clear_swap_soft_dirty(upper));
      continue;
    }
    if (pmd_trans_huge(upper)) {
      at(P.CLEAR_SOFT_DIRTY_PMD);
      set_pmd_at(mm, pmd, pte_wrprotect(upper) & ~_PAGE_SOFT_DIRTY);
      continue;
    }
    for (let page = pmd << 2; page < (pmd << 2) + 4; page++) {
      const e = pte_at(mm, page);
      if (e != 0) clear_soft_dirty(mm, page, e);
    }
  }
  if (knob(K.CLEAR_REFS_FLUSHES)) flush_tlb_mm(mm);
}

// ---- PAGEMAP_SCAN for PAGE_IS_WRITTEN

/** With PM_SCAN_WP_MATCHING: what is reported is write-protected again. */
export const PM_SCAN_WP: u32 = 1;
/** All categories are asked for, which takes the general path. */
export const PM_SCAN_FULL: u32 = 2;

/** Written: not marked as uffd-wp. `e` is not none. */
function is_written(e: u64): bool {
  if (pte_present(e)) return !pte_uffd_wp(e);
  if (knob(K.MUTANT_SCAN_SKIPS_SWAP) && !is_pte_marker(e)) return false;
  return !pte_marker_uffd_wp(e) && !pte_swp_uffd_wp(e);
}
function make_uffd_wp_pte(mm: u32, page: u32, e: u64): void {
  at(P.SCAN_PROTECTS);
  if (pte_present(e)) {
    set_pte_at(mm, page, pte_wrprotect(e | _PAGE_UFFD_WP));
    if (!knob(K.MUTANT_SCAN_FORGETS_FLUSH)) flush_tlb_page(mm, page);
  } else set_pte_at(mm, page, e == 0 ? make_pte_marker(PTE_MARKER_UFFD_WP) : e | _PAGE_SWP_UFFD_WP);
}
function make_uffd_wp_pmd(mm: u32, pmd: u32, e: u64): void {
  at(P.SCAN_PROTECTS_PMD);
  set_pmd_at(mm, pmd, pte_present(e) ? pte_wrprotect(e | _PAGE_UFFD_WP) : e | _PAGE_SWP_UFFD_WP);
  if (!knob(K.MUTANT_SCAN_FORGETS_FLUSH)) flush_pmd_tlb_range(mm, pmd);
}
/** Nothing mapped, and no page table. */
function pagemap_scan_pte_hole(mm: u32, pages: u32, vma: u32, flags: u32): u32 {
  if (!knob(K.SCAN_HOLE_IS_WRITTEN) || !(vma & VM_UFFD_WP)) return 0;
  at(P.SCAN_HOLE);
  if (flags & PM_SCAN_WP) change_protection(mm, pages, CP_UFFD_WP);
  return pages;
}
/** The pages of `part` (four bits) of a PMD, all in one VMA. Returns those reported, as bits of mm's pages. */
function pagemap_scan_pmd_entry(mm: u32, pmd: u32, part: u32, vma: u32, flags: u32): u32 {
  const upper = pmd_at(mm, pmd);
  const pages = part << (pmd << 2);
  if (pmd_none(upper)) return pagemap_scan_pte_hole(mm, pages, vma, flags);
  if (upper != _PAGE_TABLE) {
    if (!is_written(upper)) return 0;
    if (!(flags & PM_SCAN_WP)) return pages;
    if (part == 0xf) {
      make_uffd_wp_pmd(mm, pmd, upper);
      return pages;
    }
    __split_huge_pmd(mm, pmd);
  }
  let reported: u32 = 0;
  for (let rest = pages; rest != 0; rest &= rest - 1) {
    const page = ctz(rest);
    const e = pte_at(mm, page);
    // The short path for this very question never looks whether something is there.
    const written = e != 0 ? is_written(e) : !(flags & PM_SCAN_FULL) || knob(K.SCAN_NONE_IS_WRITTEN);
    if (!written) continue;
    reported |= 1 << page;
    // A guard takes the bit as any swap entry does; nothing but unmapping or moving takes it off again.
    if (flags & PM_SCAN_WP) make_uffd_wp_pte(mm, page, e);
  }
  return reported;
}
/** The pages of `mask` that were written, VMA by VMA. */
export function pagemap_scan(mm: u32, mask: u32, flags: u32): u32 {
  let reported: u32 = 0;
  for (let page: u32 = 0; page < NR_PAGES; ) {
    const vma = vm_flags(mm, page);
    if (!((mask >> page) & 1) || !(vma & VM_READ)) {
      page++;
      continue;
    }
    const end = min<u32>(vma_end(mm, page), (page | 3) + 1);
    const pages = mask & ((1 << end) - 1) & ~((1 << page) - 1);
    const allowed = (vma & VM_UFFD_WP) != 0 && (mm_uffd(mm) & UFFD_WP_ASYNC) != 0;
    // A VMA that cannot be protected is passed over, if protecting is asked for.
    const skipped = flags & PM_SCAN_WP && !allowed && knob(K.SCAN_REQUIRES_ASYNC_VMA);
    if (!skipped && !(vma & VM_DAX)) {
      reported |= pagemap_scan_pmd_entry(mm, page >> 2, (pages >> (page & ~3)) & 0xf, vma, flags);
    }
    page = end;
  }
  at(P.PAGEMAP_SCAN);
  return reported;
}
