// copy_page_range: page tables at fork (mm/memory.c, mm/huge_memory.c).
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried } from '../kernel/tables';
import { at } from '../kernel/trace';
import { __split_huge_pmd } from './huge_memory';
import { HPAGE_PMD_NR, MM_HAS_PINNED, MM_VMA, NR_PMDS } from './layout';
import { maybe_mkwrite } from './memory';
import { migration_entry_share } from './migrate';
import { dup_vmas } from './mmap';
import {
  alloc_page, ClearPageAnonExclusive, get_page, is_special_pfn, NO_PAGE, page_add_rmap, page_add_rmap_pmd,
  page_maybe_dma_pinned, page_version, PageAnonExclusive, set_page_version, SetPageAnonExclusive,
} from './page';
import {
  is_guard_pte_marker, is_migration_entry, is_pte_marker, is_swap_pmd, mm_at, pfn_bits, pmd_at, pmd_none, pmd_trans_huge, pte_at,
  pte_mkdirty, pte_mkold, pte_pfn,
  pte_present, pte_swp_exclusive, pte_write, pte_wrprotect, pud_at, set_pmd_at, set_pte_at, set_pud_at, swp_offset,
  _PAGE_SWP_EXCLUSIVE, _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import { swap_duplicate } from './swapfile';
import { flush_tlb_mm } from './tlb';
import { anon_vma, change_vm_flags, vm_flags, VM_DAX, VM_PAGE_PROT, VM_READ, VM_UFFD, VM_UFFD_WP } from './vma';

/** Does the child's copy of the entry keep uffd-wp? Until v5.13 the parent's VMA was asked. */
// @ts-ignore: decorator
@inline function child_keeps_wp(src: u32, dst: u32, page: u32): bool {
  return (vm_flags(knob(K.FORK_WP_BY_CHILD) ? dst : src, page) & VM_UFFD_WP) != 0;
}
/** The page may be pinned by this mm, so the child must not share it. */
function page_needs_cow_for_dma(src: u32, f: u32): bool {
  if (load<u8>(mm_at(src), MM_HAS_PINNED) == 0 || !page_maybe_dma_pinned(f)) return false;
  return !knob(K.REUSE_EXCLUSIVE) || PageAnonExclusive(f);
}

function copy_huge_pmd(dst: u32, src: u32, pmd: u32, e: u64): bool {
  const head = pte_pfn(e);
  const special = is_special_pfn(head);
  if (!special && knob(K.FORK_EARLY_COPY) && knob(K.FORK_SPLITS_PINNED_PMD) && page_needs_cow_for_dma(src, head)) {
    at(P.FORK_SPLITS_PINNED);
    __split_huge_pmd(src, pmd);
    return false;
  }
  at(P.COPY_HUGE_PMD);
  if (!special) {
    get_page(head);
    page_add_rmap_pmd(head, dst);
    if (!knob(K.MUTANT_FORK_KEEPS_EXCLUSIVE)) ClearPageAnonExclusive(head);
  }
  const shared = pte_wrprotect(e);
  if (shared != e && !knob(K.MUTANT_FORK_KEEPS_WRITE)) set_pmd_at(src, pmd, shared);
  const child = pte_mkold(shared);
  set_pmd_at(dst, pmd, child_keeps_wp(src, dst, pmd << 2) ? child : child & ~_PAGE_UFFD_WP);
  return true;
}

/** copy_huge_pmd of a migration entry: neither side may write afterwards. */
function copy_pmd_migration(dst: u32, src: u32, pmd: u32, e: u64): void {
  at(P.COPY_PMD_MIGRATION);
  let child = migration_entry_share(e);
  if (child != e && !knob(K.MIGRATE_PMD_CARRIES_WP)) child &= ~_PAGE_SWP_UFFD_WP;
  if (child != e) set_pmd_at(src, pmd, child);
  if (knob(K.FORK_WP_BY_CHILD) && !(vm_flags(dst, pmd << 2) & VM_UFFD_WP)) child &= ~_PAGE_SWP_UFFD_WP;
  set_pmd_at(dst, pmd, child);
}

/** copy_present_page: the child gets a copy at once. False = out of memory. */
function copy_present_page(dst: u32, page: u32, e: u64, f: u32): bool {
  const copy = alloc_page();
  if (copy == NO_PAGE) return false;
  at(P.FORK_EARLY_COPY);
  count(N.COPIES);
  set_page_version(copy, page_version(f));
  const vma = vm_flags(dst, page);
  let entry = maybe_mkwrite(pte_mkdirty(VM_PAGE_PROT | pfn_bits(copy)), vma);
  const kept: u64 = vma & VM_UFFD_WP ? carried(C.EARLY_COPY, e) : 0;
  if (kept) entry = pte_wrprotect(entry | kept);
  page_add_rmap(copy, dst);
  if (knob(K.REUSE_EXCLUSIVE)) SetPageAnonExclusive(copy);
  set_pte_at(dst, page, entry);
  return true;
}

function copy_present_pte(dst: u32, src: u32, page: u32, e: u64): bool {
  const f = pte_pfn(e);
  if (!is_special_pfn(f)) {
    if (knob(K.FORK_EARLY_COPY) && page_needs_cow_for_dma(src, f)) return copy_present_page(dst, page, e, f);
    get_page(f);
    page_add_rmap(f, dst);
    if (!knob(K.MUTANT_FORK_KEEPS_EXCLUSIVE)) ClearPageAnonExclusive(f);
  }
  at(P.COPY_PRESENT_PTE);
  const shared = pte_wrprotect(e);
  if (pte_write(e) && !knob(K.MUTANT_FORK_KEEPS_WRITE)) set_pte_at(src, page, shared);
  const child = pte_mkold(shared);
  set_pte_at(dst, page, child_keeps_wp(src, dst, page) ? child : child & ~_PAGE_UFFD_WP);
  return true;
}

function copy_nonpresent_pte(dst: u32, src: u32, page: u32, e: u64): void {
  if (is_pte_marker(e)) {
    if (is_guard_pte_marker(e) || !knob(K.FORK_MARKER_BY_CHILD) || vm_flags(dst, page) & VM_UFFD_WP) {
      at(P.COPY_MARKER);
      set_pte_at(dst, page, e & ~(_PAGE_SWP_SOFT_DIRTY | _PAGE_SWP_UFFD_WP));
    }
    return;
  }
  let child = e;
  if (is_migration_entry(e)) {
    at(P.COPY_MIGRATION_PTE);
    child = migration_entry_share(e);
    if (child != e && !knob(K.MUTANT_FORK_KEEPS_MIGRATION)) set_pte_at(src, page, child);
  } else {
    at(P.COPY_SWAP_PTE);
    swap_duplicate(swp_offset(e));
    if (pte_swp_exclusive(e)) {
      child &= ~_PAGE_SWP_EXCLUSIVE;
      set_pte_at(src, page, child);
    }
  }
  if (knob(K.FORK_WP_BY_CHILD) && !(vm_flags(dst, page) & VM_UFFD_WP)) child &= ~_PAGE_SWP_UFFD_WP;
  set_pte_at(dst, page, child);
}

/** Must the page tables of this page's VMA be copied? What faults can rebuild is not. */
function vma_needs_copy(dst: u32, src: u32, page: u32): bool {
  if (knob(K.FORK_COPIES_WP_VMA) && vm_flags(dst, page) & VM_UFFD_WP) return true;
  return anon_vma(src, page) != 0 || (vm_flags(src, page) & VM_DAX) != 0;
}
/** Pages of the PMD whose VMAs are to be copied, as four bits. */
function copied_pages(dst: u32, src: u32, pmd: u32): u32 {
  let pages: u32 = 0;
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const page = (pmd << 2) + i;
    if (vm_flags(src, page) & VM_READ && vma_needs_copy(dst, src, page)) pages |= 1 << i;
  }
  return pages;
}
/** VMAs and page tables of src into the empty dst; `inherit` keeps the uffd registration. False = out of memory. */
export function dup_mmap(dst: u32, src: u32, inherit: bool): bool {
  v128.store(mm_at(dst), v128.load(mm_at(src), MM_VMA), MM_VMA);
  dup_vmas(dst, src);
  if (!inherit) change_vm_flags(dst, 0xff, 0, VM_UFFD);
  set_pud_at(dst, pud_at(src));
  let ok = true;
  for (let pmd: u32 = 0; ok && pmd < NR_PMDS; pmd++) {
    const upper = pmd_at(src, pmd);
    if (pmd_none(upper)) continue;
    const pages = copied_pages(dst, src, pmd);
    if (pages == 0) continue;
    if (is_swap_pmd(upper)) {
      copy_pmd_migration(dst, src, pmd, upper);
      continue;
    }
    if (pmd_trans_huge(upper) && copy_huge_pmd(dst, src, pmd, upper)) continue;
    set_pmd_at(dst, pmd, _PAGE_TABLE);
    for (let rest = pages; ok && rest != 0; rest &= rest - 1) {
      const page = (pmd << 2) + ctz(rest);
      const e = pte_at(src, page);
      if (e == 0) continue;
      if (pte_present(e)) ok = copy_present_pte(dst, src, page, e);
      else copy_nonpresent_pte(dst, src, page, e);
    }
  }
  flush_tlb_mm(src);
  return ok;
}
