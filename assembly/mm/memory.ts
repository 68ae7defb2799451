// The fault handler (mm/memory.c) for private anonymous memory and a DAX-like mapping.
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried, cell, Column } from '../kernel/tables';
import { at } from '../kernel/trace';
import {
  do_huge_pmd_anonymous_page, do_huge_pmd_numa_page, do_huge_pmd_wp_page, huge_pmd_set_accessed, __split_huge_pmd, __split_huge_pud,
} from './huge_memory';
import { reuse_ksm_page } from './ksm';
import { migration_entry_wait } from './migrate';
import { anon_vma_prepare } from './mmap';
import { numa_restore } from './mprotect';
import {
  alloc_page, compound_head, DAX_PFN, folio_maybe_mapped_shared, get_page, is_special_pfn, NO_PAGE, page_add_rmap, page_count,
  page_count_batched, page_mapcount, page_remove_rmap, page_swap, page_version, PageAnonExclusive, PageCompound, put_page,
  SetPageAnonExclusive, set_page_version, total_mapcount, ZERO_PFN, PageKsm,
} from './page';
import {
  is_guard_pte_marker, is_migration_entry, is_pte_marker, is_swap_pmd, pfn_bits, pmd_at, pmd_none, pmd_trans_huge, pte_at,
  pte_marker_uffd_wp, pte_mkdirty, pte_mkwrite, pte_mkyoung, pte_pfn, pte_present, pte_protnone, pte_soft_dirty, pte_swp_exclusive,
  pte_uffd_wp, pte_write, pte_wrprotect, pud_at, set_pmd_at, set_pte_at, set_pud_at, swp_offset, _PAGE_DIRTY, _PAGE_PSE, _PAGE_SPECIAL,
  _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import {
  free_swap_cache, may_bypass_swap_cache, reuse_swap_page, should_try_to_free_swap, swap_free, swapin, swapin_bypass, swp_bits_as_present,
  try_to_free_swap,
} from './swapfile';
import { flush_tlb_page } from './tlb';
import { handle_userfault } from './userfaultfd';
import {
  mm_uffd, pages_with, UFFD_WP_ASYNC, VM_DAX, vm_flags, VM_HUGEPAGE, VM_PAGE_PROT, VM_SOFTDIRTY, VM_UFFD_MISSING, VM_UFFD_WP, VM_WRITE,
} from './vma';
import {
  FAULT_FLAG_BREAK_COW, FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, interleaved, vmf_save_copy, VM_FAULT_FALLBACK, VM_FAULT_OOM,
  VM_FAULT_SIGSEGV, VM_FAULT_WRITE, VM_FAULT_YIELD,
} from './vmf';

// @ts-ignore: decorator
@inline export function maybe_mkwrite(e: u64, vma: u32): u64 {
  return vma & VM_WRITE ? pte_mkwrite(e) : e;
}

/** Fault flags that want a writable or exclusive leaf; `break_cow`: at this level break-COW is one of them. */
// @ts-ignore: decorator
@inline function write_like(break_cow: bool): u32 {
  const flags = FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE;
  return break_cow ? flags | FAULT_FLAG_BREAK_COW : flags;
}

/**
 * Faults mm's page in with FAULT_FLAG_* `flags`. Returns VM_FAULT_*: 0 or WRITE = look again, SLEEP = the thread waits
 * for its uffd, OOM, YIELD = step wp_page_copy_install later (interleaved mode).
 */
export function handle_mm_fault(mm: u32, page: u32, flags: u32): u32 {
  count(N.FAULTS);
  const vma = vm_flags(mm, page);
  if (vma & VM_DAX) {
    const ret = handle_pud_fault(mm, page, flags);
    if (!(ret & VM_FAULT_FALLBACK)) return ret;
  }
  const pmd = page >> 2;
  const e = pmd_at(mm, pmd);
  if (pmd_none(e)) {
    if (vma & VM_HUGEPAGE) {
      const ret = do_huge_pmd_anonymous_page(mm, pmd, flags, vma);
      if (!(ret & VM_FAULT_FALLBACK)) return ret;
    }
    set_pmd_at(mm, pmd, _PAGE_TABLE);
  } else if (pmd_trans_huge(e)) {
    if (pte_protnone(e)) return do_huge_pmd_numa_page(mm, pmd, e, vma);
    if (flags & write_like(knob(K.FAULT_BC_PMD)) && !pte_write(e)) {
      const ret = wp_huge_pmd(mm, page, flags, e, vma);
      if (!(ret & VM_FAULT_FALLBACK)) return ret;
    } else {
      at(P.PMD_SET_ACCESSED);
      huge_pmd_set_accessed(mm, pmd, flags, e);
      return 0;
    }
  } else if (is_swap_pmd(e)) {
    migration_entry_wait(e);
    return 0;
  }
  return handle_pte_fault(mm, page, flags, vma);
}

/** PUD level: only the DAX-like mapping has huge PUDs. A private one is mapped read-only. */
function handle_pud_fault(mm: u32, page: u32, flags: u32): u32 {
  const pud = pud_at(mm);
  if (pud == 0) {
    if (flags & FAULT_FLAG_WRITE || pages_with(mm, 0xff, VM_DAX, 0) != 0xff) {
      at(P.CREATE_HUGE_PUD_FALLBACK);
      set_pud_at(mm, _PAGE_TABLE);
      return VM_FAULT_FALLBACK;
    }
    at(P.CREATE_HUGE_PUD);
    set_pud_at(mm, VM_PAGE_PROT | _PAGE_PSE | _PAGE_SPECIAL | pfn_bits(DAX_PFN));
    return 0;
  }
  if (!(pud & _PAGE_PSE)) return VM_FAULT_FALLBACK;
  if (flags & write_like(knob(K.FAULT_BC_PUD)) && !pte_write(pud)) return wp_huge_pud(mm);
  at(P.PUD_SET_ACCESSED);
  set_pud_at(mm, pte_mkyoung(pud));
  return 0;
}
/** The driver cannot make a private PUD writable: split and go on below. */
function wp_huge_pud(mm: u32): u32 {
  at(P.WP_HUGE_PUD);
  __split_huge_pud(mm);
  return VM_FAULT_FALLBACK;
}

function wp_huge_pmd(mm: u32, page: u32, flags: u32, e: u64, vma: u32): u32 {
  if (!(flags & FAULT_FLAG_UNSHARE) && vma & VM_UFFD_WP && pte_uffd_wp(e)) {
    if (!knob(K.WP_PMD_EVENT_NEEDS_WRITE) || flags & FAULT_FLAG_WRITE) {
      if (mm_uffd(mm) & UFFD_WP_ASYNC) {
        at(P.WP_HUGE_PMD_ASYNC);
        __split_huge_pmd(mm, page >> 2);
        return VM_FAULT_FALLBACK;
      }
      at(P.WP_HUGE_PMD_EVENT);
      return handle_userfault(VM_UFFD_WP);
    }
    at(P.WP_HUGE_PMD_NO_EVENT);
  }
  return do_huge_pmd_wp_page(mm, page, flags, e, vma);
}

function handle_pte_fault(mm: u32, page: u32, flags: u32, vma: u32): u32 {
  const e = pte_at(mm, page);
  if (e == 0) return vma & VM_DAX ? do_dax_fault(mm, page, flags, vma) : do_anonymous_page(mm, page, flags, vma, 0);
  if (!pte_present(e)) {
    if (is_pte_marker(e)) {
      at(is_guard_pte_marker(e) ? P.GUARD_MARKER : P.PTE_MARKER);
      if (is_guard_pte_marker(e)) return VM_FAULT_SIGSEGV;
      if (vma & VM_UFFD_WP) return do_anonymous_page(mm, page, flags, vma, e);
      set_pte_at(mm, page, 0); // a leftover of a registration that is no more
      return 0;
    }
    return do_swap_page(mm, page, flags, vma, e);
  }
  if (pte_protnone(e)) return do_numa_page(mm, page, e, vma);
  let entry = e;
  if (flags & write_like(knob(K.FAULT_BC_PTE))) {
    if (!pte_write(e)) return do_wp_page(mm, page, flags, vma, e);
    if (!(flags & FAULT_FLAG_UNSHARE)) entry = pte_mkdirty(entry);
  }
  at(P.PTE_SET_ACCESSED);
  entry = pte_mkyoung(entry);
  if (entry != e) set_pte_at(mm, page, entry);
  else if (flags & FAULT_FLAG_WRITE) flush_tlb_page(mm, page);
  return 0;
}

/** `orig` is 0 or a uffd-wp marker. */
function do_anonymous_page(mm: u32, page: u32, flags: u32, vma: u32, orig: u64): u32 {
  const kept: u64 = orig != 0 && pte_marker_uffd_wp(orig) ? carried(C.ANON_MARKER, _PAGE_UFFD_WP) : 0;
  const missing = (vma & VM_UFFD_MISSING) != 0;
  if (!(flags & FAULT_FLAG_WRITE)) {
    if (missing && !knob(K.MUTANT_MISSING_READS_ZERO)) {
      at(P.ANON_MISSING);
      return handle_userfault(VM_UFFD_MISSING);
    }
    at(P.ANON_ZERO_PAGE);
    set_pte_at(mm, page, VM_PAGE_PROT | _PAGE_SPECIAL | pfn_bits(ZERO_PFN) | kept);
    return 0;
  }
  anon_vma_prepare(mm, page);
  const f = alloc_page();
  if (f == NO_PAGE) return VM_FAULT_OOM;
  if (missing) {
    at(P.ANON_MISSING);
    put_page(f);
    return handle_userfault(VM_UFFD_MISSING);
  }
  at(P.ANON_PAGE);
  let entry = VM_PAGE_PROT | pfn_bits(f);
  if (vma & VM_WRITE) entry = pte_mkwrite(pte_mkdirty(entry));
  if (kept) entry = pte_wrprotect(entry | kept);
  page_add_rmap(f, mm);
  if (knob(K.REUSE_EXCLUSIVE)) SetPageAnonExclusive(f);
  set_pte_at(mm, page, entry);
  return 0;
}

/** Missing page of the private DAX-like mapping: reads map the device, a write copies it (do_cow_fault). */
function do_dax_fault(mm: u32, page: u32, flags: u32, vma: u32): u32 {
  if (flags & FAULT_FLAG_WRITE) return do_anonymous_page(mm, page, flags, vma, 0);
  at(P.DAX_READ);
  set_pte_at(mm, page, VM_PAGE_PROT | _PAGE_SPECIAL | pfn_bits(DAX_PFN));
  return 0;
}

/** Write-protect fault: write, break-COW or unshare on a read-only leaf `e`. */
export function do_wp_page(mm: u32, page: u32, flags: u32, vma: u32, orig: u64): u32 {
  const unshare = (flags & FAULT_FLAG_UNSHARE) != 0;
  let e = orig;
  if (!unshare && vma & VM_UFFD_WP && pte_uffd_wp(e)) {
    if (!knob(K.WP_EVENT_NEEDS_WRITE) || flags & FAULT_FLAG_WRITE) {
      const silent = (mm_uffd(mm) & UFFD_WP_ASYNC) != 0;
      at(silent ? P.WP_ASYNC : P.WP_EVENT);
      if (!silent) return handle_userfault(VM_UFFD_WP);
      // No flush: the entry was not writable, and nobody sees the bit.
      if (!knob(K.MUTANT_ASYNC_KEEPS_WP)) {
        e &= ~_PAGE_UFFD_WP;
        set_pte_at(mm, page, e);
      }
    } else at(P.WP_NO_EVENT);
  }
  const old = pte_pfn(e);
  if (!is_special_pfn(old)) {
    if (knob(K.REUSE_EXCLUSIVE)) {
      if (PageAnonExclusive(old) || wp_can_reuse_anon_folio(old)) {
        SetPageAnonExclusive(old);
        if (unshare) {
          at(P.UNSHARE_EXCLUSIVE);
          return 0;
        }
        return wp_page_reuse(mm, page, vma, e);
      }
    } else if (wp_can_reuse_page(old)) {
      return wp_page_reuse(mm, page, vma, e);
    }
    get_page(old);
  }
  return wp_page_copy(mm, page, flags, vma, e, old);
}

/** Ownership without PageAnonExclusive: by mapcount + swapcount (v5.7), by references (v5.9), swap-cache aware (v5.18). */
function wp_can_reuse_page(f: u32): bool {
  if (knob(K.REUSE_SWAPCACHE_AWARE)) return wp_can_reuse_anon_folio(f);
  if (knob(K.REUSE_PAGE_COUNT)) {
    at(P.REUSE_BY_COUNT);
    return page_count_batched(f) == 1 && page_mapcount(f) == 1 && !(knob(K.REUSE_KSM_CHECK) && PageKsm(f));
  }
  at(P.REUSE_BY_MAPCOUNT);
  return PageKsm(f) ? reuse_ksm_page(f) : reuse_swap_page(f);
}
/** Ownership of a page that is not (yet) known exclusive, v5.18 and later. */
function wp_can_reuse_anon_folio(f: u32): bool {
  if (knob(K.REUSE_KSM_CHECK) && PageKsm(f)) return false;
  if (knob(K.REUSE_LARGE_FOLIO) && PageCompound(f)) return wp_can_reuse_large_folio(f);
  if (knob(K.REUSE_NEVER_LARGE) && PageCompound(f)) return false;
  const refs = page_count(f);
  if (refs > 3) return false;
  const cached: u32 = page_swap(f) ? 1 : 0;
  if (refs > 1 + cached) return false;
  if (cached) try_to_free_swap(f);
  at(P.REUSE_SWAPCACHE_AWARE);
  return page_count(f) == 1;
}
/** v6.15: every reference to the PTE-mapped folio is a mapping, and it is known that one mm has them all. */
function wp_can_reuse_large_folio(f: u32): bool {
  if (!knob(K.MUTANT_LARGE_REUSE_ANY_MM) && folio_maybe_mapped_shared(compound_head(f))) return false;
  if (page_count(f) != total_mapcount(f)) return false;
  at(P.REUSE_LARGE);
  return true;
}

function wp_page_reuse(mm: u32, page: u32, vma: u32, e: u64): u32 {
  at(P.WP_PAGE_REUSE);
  count(N.REUSES);
  let entry = maybe_mkwrite(knob(K.MUTANT_FAULT_FORGETS_SOFT_DIRTY) ? e | _PAGE_DIRTY : pte_mkdirty(pte_mkyoung(e)), vma);
  if (knob(K.WP_REUSE_KEEPS_WP) && pte_uffd_wp(e)) entry = pte_wrprotect(entry);
  set_pte_at(mm, page, entry);
  return VM_FAULT_WRITE;
}

/** First section: allocate and copy without the page-table lock. The caller took a reference on `old`. */
function wp_page_copy(mm: u32, page: u32, flags: u32, vma: u32, e: u64, old: u32): u32 {
  anon_vma_prepare(mm, page);
  const copy = alloc_page();
  if (copy == NO_PAGE) {
    put_page(old);
    return VM_FAULT_OOM;
  }
  if (!is_special_pfn(old) && !knob(K.MUTANT_COPY_FORGETS_CONTENT)) set_page_version(copy, page_version(old));
  count(N.COPIES);
  if (interleaved) {
    at(P.WP_COPY_UNLOCKED);
    vmf_save_copy(mm, page, flags, e, old, copy);
    return VM_FAULT_YIELD;
  }
  return wp_page_copy_install(mm, page, flags, vma, e, old, copy);
}
/** Second section: lock again, compare with orig_pte, clear and flush, then install. */
export function wp_page_copy_install(mm: u32, page: u32, flags: u32, vma: u32, orig: u64, old: u32, copy: u32): u32 {
  const table = pmd_at(mm, page >> 2) == _PAGE_TABLE;
  if ((!table || pte_at(mm, page) != orig) && !(table && knob(K.MUTANT_SKIP_PTE_SAME))) {
    at(P.WP_COPY_PTE_CHANGED);
    count(N.PTE_CHANGED);
    put_page(copy);
    put_page(old);
    return 0;
  }
  let entry = VM_PAGE_PROT | pfn_bits(copy);
  if (flags & FAULT_FLAG_UNSHARE) {
    at(P.WP_COPY_UNSHARE);
    entry |= carried(C.UNSHARE_COPY, orig);
  } else {
    const kept = carried(C.COPY, orig);
    at(P.WP_COPY_WRITE);
    if (kept) at(P.WP_COPY_KEEPS_WP);
    entry = pte_mkdirty(entry) | kept;
    if (!kept) entry = maybe_mkwrite(entry, vma);
  }
  if (!knob(K.MUTANT_COPY_SKIPS_FLUSH)) flush_tlb_page(mm, page);
  page_add_rmap(copy, mm);
  if (knob(K.REUSE_EXCLUSIVE)) SetPageAnonExclusive(copy);
  set_pte_at(mm, page, entry);
  if (!is_special_pfn(old)) {
    page_remove_rmap(old, mm);
    free_swap_cache(old);
    if (!knob(K.MUTANT_COPY_LEAKS_REF)) put_page(old);
    put_page(old);
  }
  return flags & FAULT_FLAG_UNSHARE ? 0 : VM_FAULT_WRITE;
}

function do_swap_page(mm: u32, page: u32, flags: u32, vma: u32, e: u64): u32 {
  if (is_migration_entry(e)) {
    migration_entry_wait(e);
    return 0;
  }
  const kept = carried(C.SWAPIN, swp_bits_as_present(e));
  if (knob(K.MUTANT_READ_EVENT) && kept & _PAGE_UFFD_WP && !(flags & FAULT_FLAG_WRITE)) return handle_userfault(VM_UFFD_WP);
  const slot = swp_offset(e);
  const fresh = may_bypass_swap_cache(slot);
  const f = fresh ? swapin_bypass(slot) : swapin(slot);
  if (f == NO_PAGE) return VM_FAULT_OOM;
  if (fresh) at(P.SWAPIN_BYPASS);
  count(N.SWAPINS);
  let entry = VM_PAGE_PROT | pfn_bits(f);
  const late = knob(K.SWAPIN_NEVER_BYPASSES);
  let pending = flags;
  let ret: u32 = 0;
  if (knob(K.REUSE_SWAPIN_PAGE_COUNT)) {
    if (!late) {
      swap_free(slot);
      if (should_try_to_free_swap(f, (flags & FAULT_FLAG_WRITE) != 0)) try_to_free_swap(f);
    }
    const remembered = knob(K.REUSE_SWAPIN_EXCLUSIVE) && knob(cell(C.SWAPIN, Column.EXCLUSIVE)) && pte_swp_exclusive(e);
    if (!PageKsm(f) && (remembered || page_count(f) == 1)) {
      at(P.SWAPIN_EXCLUSIVE);
      if (knob(K.REUSE_SWAPIN_EXCLUSIVE)) SetPageAnonExclusive(f);
      if (knob(K.SWAPIN_READ_MAPS_WRITABLE)) {
        const guarded = (vma & VM_UFFD_WP) != 0 && (kept & _PAGE_UFFD_WP) != 0;
        const untracked = !(vma & VM_SOFTDIRTY) && !pte_soft_dirty(kept) && !(flags & FAULT_FLAG_WRITE);
        const wants_fault = guarded || untracked;
        if (vma & VM_WRITE && !wants_fault) {
          entry = pte_mkwrite(entry);
          if (flags & FAULT_FLAG_WRITE) {
            entry = pte_mkdirty(entry);
            pending &= ~FAULT_FLAG_WRITE;
            ret = VM_FAULT_WRITE;
          }
        }
      } else if (flags & FAULT_FLAG_WRITE) {
        entry = maybe_mkwrite(pte_mkdirty(entry), vma);
        pending &= ~FAULT_FLAG_WRITE;
        ret = VM_FAULT_WRITE;
      }
    }
  } else {
    if (flags & FAULT_FLAG_WRITE && reuse_swap_page(f)) {
      at(P.SWAPIN_REUSE_MAPCOUNT);
      entry = maybe_mkwrite(pte_mkdirty(entry), vma);
      pending &= ~FAULT_FLAG_WRITE;
      ret = VM_FAULT_WRITE;
    }
    swap_free(slot);
  }
  entry |= kept;
  if (kept & _PAGE_UFFD_WP) {
    at(P.SWAPIN_WP);
    // Later kernels protect first, and then grant what the VMA does not forbid.
    if (!knob(K.SWAPIN_READ_MAPS_WRITABLE)) entry = pte_wrprotect(entry);
  }
  at(P.SWAPIN);
  page_add_rmap(f, mm);
  set_pte_at(mm, page, entry);
  if (late) {
    swap_free(slot);
    if (should_try_to_free_swap(f, (pending & FAULT_FLAG_WRITE) != 0)) try_to_free_swap(f);
  }
  const again = knob(K.SWAPIN_BC) ? FAULT_FLAG_WRITE | FAULT_FLAG_BREAK_COW : FAULT_FLAG_WRITE;
  if (pending & again) {
    at(P.SWAPIN_THEN_WP);
    return do_wp_page(mm, page, pending, vma, entry);
  }
  return ret;
}

/** The entry becomes accessible again; write comes back if it was saved in the entry or can be proved. */
function do_numa_page(mm: u32, page: u32, e: u64, vma: u32): u32 {
  at(P.NUMA_PAGE);
  set_pte_at(mm, page, numa_restore(vma, e));
  return 0;
}
