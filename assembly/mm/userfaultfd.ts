// userfaultfd write-protect: registration, protection and its clean-up (fs/userfaultfd.c, mm/userfaultfd.c).
// Waiting and waking of threads is the business of ops/exec.ts, which knows the threads.
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { Residency, T, transition } from '../kernel/tables';
import { at } from '../kernel/trace';
import { vma_modify } from './mmap';
import { change_protection, CP_UFFD_WP, CP_UFFD_WP_RESOLVE } from './mprotect';
import { is_migration_entry, is_pte_marker, pmd_at, pmd_none, pte_at, pte_present, _PAGE_TABLE } from './pgtable';
import {
  mm_uffd, pages_with, set_mm_uffd, UFFD_OPEN, UFFD_WP_UNPOPULATED, VM_DAX, VM_READ, VM_UFFD_WP,
  vma_end,
} from './vma';
import { VM_FAULT_SLEEP } from './vmf';

/** The fault becomes an event in the uffd's queue and the thread sleeps. */
export function handle_userfault(): u32 {
  count(N.EVENTS);
  return VM_FAULT_SLEEP;
}

/**
 * UFFDIO_API (on first use) and UFFDIO_REGISTER for write-protect. `features`: UFFD_EVENT_FORK, UFFD_WP_UNPOPULATED.
 * False: a page is unmapped or cannot be registered, or the kernel lacks a requested feature.
 */
export function userfaultfd_register(mm: u32, mask: u32, features: u32): bool {
  if (pages_with(mm, mask, VM_READ, VM_DAX) != mask) return false;
  if (!(mm_uffd(mm) & UFFD_OPEN)) {
    if (features & UFFD_WP_UNPOPULATED && !knob(K.UFFD_WP_UNPOPULATED)) return false;
    set_mm_uffd(mm, UFFD_OPEN | features);
  }
  at(P.UFFD_REGISTER);
  vma_modify(mm, mask, VM_UFFD_WP, 0);
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
  clear_uffd_wp(mm, mask, row);
  vma_modify(mm, mask, 0, VM_UFFD_WP);
}

/** UFFDIO_UNREGISTER. False: no uffd. */
export function userfaultfd_unregister(mm: u32, mask: u32): bool {
  if (!(mm_uffd(mm) & UFFD_OPEN)) return false;
  at(P.UFFD_UNREGISTER);
  leave(mm, pages_with(mm, mask, VM_UFFD_WP, 0), T.UNREGISTER);
  return true;
}

/** The last reference to the uffd file goes. False: no uffd. */
export function userfaultfd_release(mm: u32): bool {
  if (!(mm_uffd(mm) & UFFD_OPEN)) return false;
  at(P.UFFD_RELEASE);
  leave(mm, pages_with(mm, 0xff, VM_UFFD_WP, 0), T.CLOSE);
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
