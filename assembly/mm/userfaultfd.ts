// userfaultfd: registration, write-protection, filling, and the clean-up (fs/userfaultfd.c, mm/userfaultfd.c).
// Waiting and waking of threads is the business of ops/exec.ts, which knows the threads.
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { Residency, T, transition } from '../kernel/tables';
import { at } from '../kernel/trace';
import { anon_vma_prepare, vma_modify } from './mmap';
import { change_protection, CP_UFFD_WP, CP_UFFD_WP_RESOLVE } from './mprotect';
import { alloc_page, NO_PAGE, page_add_rmap, put_page, set_page_version, SetPageAnonExclusive, ZERO_PFN } from './page';
import {
  is_guard_pte_marker, is_migration_entry, is_pte_marker,
  pfn_bits, pmd_at, pmd_none, pte_at, pte_mkdirty, pte_mkwrite, pte_present, pte_wrprotect,
  set_pmd_at, set_pte_at, _PAGE_SPECIAL, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import {
  mm_uffd, pages_with, set_mm_uffd, UFFD_OPEN, UFFD_WP_ASYNC, UFFD_WP_UNPOPULATED, VM_DAX, vm_flags, VM_PAGE_PROT, VM_READ,
  VM_UFFD, VM_UFFD_MISSING, VM_UFFD_WP, VM_WRITE, vma_end,
} from './vma';
import { VM_FAULT_MISSING, VM_FAULT_SLEEP } from './vmf';

/** The fault becomes an event in the uffd's queue and the thread sleeps. `reason`: VM_UFFD_WP or VM_UFFD_MISSING. */
export function handle_userfault(reason: u32): u32 {
  count(N.EVENTS);
  return reason == VM_UFFD_MISSING ? VM_FAULT_SLEEP | VM_FAULT_MISSING : VM_FAULT_SLEEP;
}
/** Pages of `mask` registered for anything. */
export function uffd_pages(mm: u32, mask: u32): u32 {
  return mask & ~pages_with(mm, mask, 0, VM_UFFD);
}

/**
 * UFFDIO_API (on first use) and UFFDIO_REGISTER. `mode`: VM_UFFD_WP, VM_UFFD_MISSING or both; `features`: UFFD_* of vma.ts.
 * False: a page is unmapped or cannot be registered, or the kernel lacks a requested feature.
 */
export function userfaultfd_register(mm: u32, mask: u32, mode: u32, features: u32): bool {
  if (pages_with(mm, mask, VM_READ, VM_DAX) != mask) return false;
  if (!(mm_uffd(mm) & UFFD_OPEN)) {
    if (features & UFFD_WP_UNPOPULATED && !knob(K.UFFD_WP_UNPOPULATED)) return false;
    if (features & UFFD_WP_ASYNC && !knob(K.UFFD_WP_ASYNC)) return false;
    set_mm_uffd(mm, UFFD_OPEN | features | (features & UFFD_WP_ASYNC ? UFFD_WP_UNPOPULATED : 0));
  }
  at(P.UFFD_REGISTER);
  // A VMA that has the mode, and may be another one too, is left alone; else the new mode takes the place of the old one.
  const changed = mask & ~pages_with(mm, mask, mode, 0);
  if (!(mode & VM_UFFD_WP)) clear_uffd_wp(mm, pages_with(mm, changed, VM_UFFD_WP, 0), T.REREGISTER);
  vma_modify(mm, changed, mode, VM_UFFD & ~mode);
  return true;
}

function residency(e: u64): u32 {
  if (pte_present(e)) return Residency.PRESENT;
  if (is_pte_marker(e)) return Residency.MARKER;
  return is_migration_entry(e) ? Residency.MIGRATION : Residency.SWAP;
}
/** uffd-wp leaves the entries of `mask` where the transition's table row says so. */
function clear_uffd_wp(mm: u32, mask: u32, row: u32): void {
  let clear: u32 = 0;
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    const page = ctz(rest);
    const pmd = pmd_at(mm, page >> 2);
    if (pmd_none(pmd)) continue;
    const e = pmd == _PAGE_TABLE ? pte_at(mm, page) : pmd;
    if (e != 0 && knob(transition(row, residency(e)))) clear |= 1 << page;
  }
  if (clear != 0) {
    at(P.TRANSITION_CLEARS_WP);
    change_protection(mm, clear, CP_UFFD_WP_RESOLVE);
  }
}
function leave(mm: u32, mask: u32, row: u32): void {
  clear_uffd_wp(mm, pages_with(mm, mask, VM_UFFD_WP, 0), row);
  vma_modify(mm, mask, 0, VM_UFFD);
}

/** UFFDIO_UNREGISTER. False: no uffd. */
export function userfaultfd_unregister(mm: u32, mask: u32): bool {
  if (!(mm_uffd(mm) & UFFD_OPEN)) return false;
  at(P.UFFD_UNREGISTER);
  leave(mm, uffd_pages(mm, mask), T.UNREGISTER);
  return true;
}

/** The last reference to the uffd file goes. False: no uffd. */
export function userfaultfd_release(mm: u32): bool {
  if (!(mm_uffd(mm) & UFFD_OPEN)) return false;
  at(P.UFFD_RELEASE);
  leave(mm, uffd_pages(mm, 0xff), T.CLOSE);
  set_mm_uffd(mm, 0);
  return true;
}

/** Result of mwriteprotect_range: it stopped at a VMA that is not registered. */
export const WP_ENOENT: u32 = 0x100;
/** UFFDIO_WRITEPROTECT on the pages of `range`. Returns the pages done, with WP_ENOENT if it failed. */
export function mwriteprotect_range(mm: u32, range: u32, protect: bool): u32 {
  if (!(mm_uffd(mm) & UFFD_OPEN)) return WP_ENOENT;
  let done = range;
  let failed: u32 = 0;
  if (knob(K.WP_PER_VMA)) {
    // VMA by VMA over holes, up to the first one that is not registered.
    const stray = pages_with(mm, range, VM_READ, VM_UFFD_WP);
    if (stray) failed = WP_ENOENT;
    done = pages_with(mm, stray ? range & ((1 << ctz(stray)) - 1) : range, VM_UFFD_WP, 0);
    if (done == 0) failed = WP_ENOENT;
  } else {
    const first = ctz(range);
    if (pages_with(mm, range, VM_UFFD_WP, 0) != range || vma_end(mm, first) < 32 - clz(range)) return WP_ENOENT;
  }
  if (done != 0) {
    at(protect ? P.UFFD_WP : P.UFFD_UNWP);
    change_protection(mm, done, protect ? CP_UFFD_WP : CP_UFFD_WP_RESOLVE);
  }
  return done | failed;
}

// ---- UFFDIO_COPY and UFFDIO_ZEROPAGE

export const MFILL_COPY: u32 = 0;
export const MFILL_ZEROPAGE: u32 = 1;
/** MFILL_COPY whose page is write-protected. */
export const MFILL_COPY_WP: u32 = 2;
/** Results beside the pages done: not one registered VMA, or something stood in the way; no memory. */
export const MFILL_REFUSED: u32 = 0x100;
export const MFILL_ENOMEM: u32 = 0x200;

/** Fills `range` page by page up to the first that has something. Copies are of `version`. */
export function mfill_atomic(mm: u32, range: u32, mode: u32, version: u32): u32 {
  if (!(mm_uffd(mm) & UFFD_OPEN)) return MFILL_REFUSED;
  const first = ctz(range);
  const vma = vm_flags(mm, first);
  if (!(vma & VM_READ)) return MFILL_REFUSED;
  if (knob(K.FILL_PREPARES_FIRST)) anon_vma_prepare(mm, first);
  if (!(vma & VM_UFFD) || vma_end(mm, first) < 32 - clz(range)) return MFILL_REFUSED;
  if (mode == MFILL_COPY_WP && !(vma & VM_UFFD_WP)) return MFILL_REFUSED;
  anon_vma_prepare(mm, first);
  let done: u32 = 0;
  for (let rest = range; rest != 0; rest &= rest - 1) {
    const page = ctz(rest);
    const pmd = pmd_at(mm, page >> 2);
    if (pmd_none(pmd)) set_pmd_at(mm, page >> 2, _PAGE_TABLE);
    else if (pmd != _PAGE_TABLE) return done | MFILL_REFUSED;
    const failed = mode == MFILL_ZEROPAGE ? mfill_atomic_pte_zeropage(mm, page) : mfill_atomic_pte_copy(mm, page, mode, vma, version);
    if (failed != 0) return done | failed;
    done |= 1 << page;
  }
  return done;
}
function mfill_atomic_pte_zeropage(mm: u32, page: u32): u32 {
  // A marker is in the way, unlike for a copy.
  if (pte_at(mm, page) != 0) return MFILL_REFUSED;
  at(P.MFILL_ZEROPAGE);
  set_pte_at(mm, page, VM_PAGE_PROT | _PAGE_SPECIAL | pfn_bits(ZERO_PFN));
  return 0;
}
function mfill_atomic_pte_copy(mm: u32, page: u32, mode: u32, vma: u32, version: u32): u32 {
  const f = alloc_page();
  if (f == NO_PAGE) return MFILL_ENOMEM;
  const e = pte_at(mm, page);
  const empty = e == 0 || (is_pte_marker(e) && (!is_guard_pte_marker(e) || knob(K.FILL_MARKERS_ALIKE)));
  if (!empty && !knob(K.MUTANT_FILL_OVERWRITES)) {
    put_page(f);
    return MFILL_REFUSED;
  }
  at(P.MFILL_COPY);
  set_page_version(f, version);
  let entry = pte_mkdirty(VM_PAGE_PROT | pfn_bits(f));
  if (vma & VM_WRITE) entry = pte_mkwrite(entry);
  if (mode == MFILL_COPY_WP && (vma & VM_WRITE || knob(K.FILL_WP_READ_ONLY)) && !knob(K.MUTANT_FILL_FORGETS_WP)) {
    at(P.MFILL_COPY_WP);
    entry = pte_wrprotect(entry | _PAGE_UFFD_WP);
  }
  page_add_rmap(f, mm);
  if (knob(K.REUSE_EXCLUSIVE)) SetPageAnonExclusive(f);
  set_pte_at(mm, page, entry);
  return 0;
}
