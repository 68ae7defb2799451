// The catalogue of kernels: each is its predecessor plus what changed. Modelled as released or as posted, bugs included.
import { KVEC } from '../mm/layout';
import { K } from './knobs';
import { C, cell, Column, Residency, T, transition } from './tables';

export namespace Kernel {
  export const V5_7: u32 = 0;
  export const V5_8: u32 = 1;
  export const BREAK_COW_V1: u32 = 2;
  export const BREAK_COW_V2: u32 = 3;
  export const SEED: u32 = 4;
  export const BREAK_COW_V3: u32 = 5;
  export const BREAK_COW_V3_FOLLOWUP: u32 = 6;
  export const DONT_COW: u32 = 7;
  export const PIN_BC: u32 = 8;
  export const V5_9: u32 = 9;
  export const V5_10: u32 = 10;
  export const V5_12: u32 = 11;
  export const V5_14: u32 = 12;
  export const V5_18: u32 = 13;
  export const V5_19: u32 = 14;
  export const V6_1: u32 = 15;
  export const V6_7: u32 = 16;
  export const V6_12: u32 = 17;
  export const V6_18: u32 = 18;
  export const V7_2: u32 = 19;
  export const REPAIRED: u32 = 20;
  export const REUSE_DRAFT_1: u32 = 21;
  export const COUNT: u32 = 22;
}

function set(id: u32, on: bool): void {
  const at = KVEC + ((id >> 6) << 3);
  const bit: u64 = 1 << (id & 63);
  const word = load<u64>(at);
  store<u64>(at, on ? word | bit : word & ~bit);
}
function on(id: u32): void {
  set(id, true);
}
function off(id: u32): void {
  set(id, false);
}
function carries(row: u32, uffdWp: bool, softDirty: bool, exclusive: bool): void {
  set(cell(row, Column.UFFD_WP), uffdWp);
  set(cell(row, Column.SOFT_DIRTY), softDirty);
  set(cell(row, Column.EXCLUSIVE), exclusive);
}
function clearsWp(row: u32): void {
  on(transition(row, Residency.PRESENT));
  on(transition(row, Residency.SWAP));
  on(transition(row, Residency.MARKER));
  on(transition(row, Residency.MIGRATION));
}

/** Writes the vector of kernel `id` to KVEC. Returns false for an unknown id. */
export function kernelVector(id: u32): bool {
  switch (id) {
    case Kernel.V5_7:
      store<u64>(KVEC, 0);
      store<u64>(KVEC, 0, 8);
      store<u64>(KVEC, 0, 16);
      store<u64>(KVEC, 0, 24);
      on(K.FOLLOW_COW_NEEDS_FORCE);
      on(K.FOLLOW_PMD_COW);
      on(K.NUMA_SAVES_WRITE);
      on(K.UPGRADE_HONOURS_SOFT_DIRTY);
      carries(C.SWAPIN, true, true, false);
      carries(C.SWAPOUT, true, true, false);
      carries(C.SPLIT, true, true, false);
      carries(C.MREMAP, true, true, false);
      on(K.MREMAP_MOVES_TABLES);
      on(K.MREMAP_RESETS_MERGED);
      on(K.LAZYFREE_SPLITS_THP);
      carries(C.MIG_REMOVE, true, true, false);
      on(K.MIGRATE_KEEPS_WP);
      on(K.MIGRATE_KEEPS_SOFT_DIRTY);
      return true;
    case Kernel.V5_8:
      kernelVector(Kernel.V5_7);
      on(K.GUP_AS_WRITE);
      off(K.FOLLOW_COW_NEEDS_FORCE);
      on(K.GUPFAST_READ_NEEDS_WRITE);
      return true;
    case Kernel.BREAK_COW_V1:
      kernelVector(Kernel.V5_8);
      off(K.GUP_AS_WRITE);
      on(K.GUP_BREAK_COW);
      on(K.FAULT_BC_PTE);
      on(K.SWAPIN_BC);
      on(K.WP_EVENT_NEEDS_WRITE);
      return true;
    case Kernel.BREAK_COW_V2:
      kernelVector(Kernel.BREAK_COW_V1);
      on(K.FAULTIN_PASSES_BC);
      return true;
    case Kernel.SEED:
      kernelVector(Kernel.BREAK_COW_V2);
      on(cell(C.COPY, Column.UFFD_WP));
      on(K.FAULT_BC_PMD);
      on(K.FAULT_BC_PUD);
      on(K.WP_PMD_EVENT_NEEDS_WRITE);
      on(K.WP_PMD_REUSE_KEEPS_WP);
      return true;
    case Kernel.BREAK_COW_V3:
      // For the paths modelled here v3 is v2 with the mail's diff squashed in.
      return kernelVector(Kernel.SEED);
    case Kernel.BREAK_COW_V3_FOLLOWUP:
      kernelVector(Kernel.BREAK_COW_V3);
      on(K.FOLLOW_PTE_CHECKS_BC);
      on(K.FOLLOW_PMD_CHECKS_BC);
      return true;
    case Kernel.DONT_COW:
      kernelVector(Kernel.BREAK_COW_V3_FOLLOWUP);
      on(K.GUP_BREAK_OPT_OUT);
      return true;
    case Kernel.PIN_BC:
      // Base v5.9-rc before early copy in fork (15 Sep 2020).
      kernelVector(Kernel.V5_9);
      off(K.FORK_EARLY_COPY);
      off(K.FORK_SPLITS_PINNED_PMD);
      off(K.FOLLOW_COW_NEEDS_FORCE);
      on(K.GUP_BREAK_COW);
      on(K.GUP_BREAK_PIN_ONLY);
      on(K.FAULTIN_PASSES_BC);
      on(K.FOLLOW_PTE_CHECKS_BC);
      on(K.FOLLOW_PMD_CHECKS_BC);
      on(K.GUPFAST_PIN_NEEDS_WRITE);
      on(K.FAULT_BC_PTE);
      on(K.FAULT_BC_PMD);
      on(K.FAULT_BC_PUD);
      on(K.SWAPIN_BC);
      on(K.WP_EVENT_NEEDS_WRITE);
      on(K.WP_PMD_EVENT_NEEDS_WRITE);
      on(K.WP_PMD_REUSE_KEEPS_WP);
      on(cell(C.COPY, Column.UFFD_WP));
      return true;
    case Kernel.V5_9:
      kernelVector(Kernel.V5_7);
      on(K.REUSE_PAGE_COUNT);
      on(K.REUSE_KSM_CHECK);
      on(K.FORK_EARLY_COPY);
      on(K.FORK_SPLITS_PINNED_PMD);
      return true;
    case Kernel.V5_10:
      // The LTS as it ends: its fixes of pinned pages, of clear_refs, of fork and of the huge zero page are backports.
      kernelVector(Kernel.V5_9);
      on(K.CLEAR_REFS_SKIPS_PINNED);
      on(K.CLEAR_REFS_FLUSHES);
      on(K.RECLAIM_SKIPS_PINNED);
      on(K.FORK_WP_BY_CHILD);
      on(cell(C.EARLY_COPY, Column.UFFD_WP));
      on(cell(C.SPLIT_ZERO, Column.UFFD_WP));
      on(K.LAZYFREE_CHECK_REFS);
      on(K.MIGRATE_PMD_CARRIES_WP);
      return true;
    case Kernel.V5_12:
      kernelVector(Kernel.V5_9);
      on(K.CLEAR_REFS_SKIPS_PINNED);
      on(K.CLEAR_REFS_FLUSHES);
      on(K.RECLAIM_SKIPS_PINNED);
      return true;
    case Kernel.V5_14:
      kernelVector(Kernel.V5_12);
      on(K.MADV_POPULATE);
      on(K.FORK_WP_BY_CHILD);
      on(K.MIGRATE_PMD_CARRIES_WP);
      on(cell(C.EARLY_COPY, Column.UFFD_WP));
      return true;
    case Kernel.V5_18:
      kernelVector(Kernel.V5_14);
      on(K.REUSE_SWAPCACHE_AWARE);
      on(K.REUSE_PMD_PAGE_COUNT);
      on(K.REUSE_SWAPIN_PAGE_COUNT);
      on(K.NUMA_SKIPS_BY_COUNT);
      on(K.LAZYFREE_CHECK_REFS);
      off(K.LAZYFREE_SPLITS_THP);
      return true;
    case Kernel.V5_19:
      kernelVector(Kernel.V5_18);
      on(K.REUSE_EXCLUSIVE);
      on(K.REUSE_PMD_EXCLUSIVE);
      on(K.REUSE_SWAPIN_EXCLUSIVE);
      on(K.GUP_UNSHARE);
      on(K.WP_EVENT_NEEDS_WRITE);
      on(K.WP_PMD_EVENT_NEEDS_WRITE);
      on(K.FORK_COPIES_WP_VMA);
      on(K.FILL_WP_READ_ONLY);
      carries(C.UNSHARE_COPY, true, true, false);
      carries(C.UNUSE, true, true, true);
      on(cell(C.SWAPIN, Column.EXCLUSIVE));
      on(cell(C.SWAPOUT, Column.EXCLUSIVE));
      on(cell(C.SPLIT, Column.EXCLUSIVE));
      on(cell(C.MIG_REMOVE, Column.EXCLUSIVE));
      return true;
    case Kernel.V6_1:
      kernelVector(Kernel.V5_19);
      on(K.MADV_FREE_ASKS_FIRST_PAGE);
      on(K.COLLAPSE);
      on(K.COLLAPSE_CHECKS_WP);
      clearsWp(T.UNREGISTER);
      on(K.FOLLOW_FORCE_EXCLUSIVE);
      on(K.MPROTECT_UPGRADES_WRITE);
      on(K.UPGRADE_NEEDS_DIRTY);
      on(K.MMAP_ASKS_NEXT_FIRST);
      on(K.MIGRATION_KEEPS_DIRTY);
      on(cell(C.SPLIT_ZERO, Column.UFFD_WP));
      on(K.MIGRATE_PMD_KEEPS_WP);
      on(K.MIGRATE_PMD_WP);
      return true;
    case Kernel.V6_7:
      kernelVector(Kernel.V6_1);
      on(K.COLLAPSE_CHECKS_WP_AGAIN);
      on(K.GUP_UNSHARE_LONGTERM);
      off(K.NUMA_SAVES_WRITE);
      on(K.NUMA_UPGRADES_WRITE);
      on(K.FORK_MARKER_BY_CHILD);
      on(K.UNWP_UPGRADES_WRITE);
      on(K.UFFD_WP_UNPOPULATED);
      on(K.UFFD_WP_ASYNC);
      on(K.PAGEMAP_SCAN);
      on(K.SCAN_REQUIRES_ASYNC_VMA);
      on(K.WP_PER_VMA);
      on(K.UFFD_MERGES_BY_OFFSET);
      on(K.GUP_LONGTERM_FAST);
      on(K.GUP_LONGTERM_TOUCHES);
      on(K.PAGEOUT_ASKS_FIRST_PAGE);
      on(K.PMD_MODIFY_DROPS_DIRTY);
      on(K.MPROTECT_UNCHARGES);
      on(cell(C.ANON_MARKER, Column.UFFD_WP));
      on(K.SPLIT_CARRIES_DIRTY);
      off(K.UPGRADE_NEEDS_DIRTY);
      on(K.UPGRADE_PMD);
      on(K.KSM_BREAKS_BY_UNSHARE);
      return true;
    case Kernel.V6_12:
      kernelVector(Kernel.V6_7);
      clearsWp(T.CLOSE);
      clearsWp(T.MREMAP);
      on(K.UFFDIO_MOVE);
      on(K.MOVE_MARKS_DIRTY);
      carries(C.MOVE_SWAP, true, false, false);
      on(K.SWAPIN_READ_MAPS_WRITABLE);
      on(K.PAGEOUT_FOLIO_BATCH);
      on(K.MADV_FREE_FOLIO_BATCH);
      off(K.MADV_FREE_ASKS_FIRST_PAGE);
      off(K.PAGEOUT_ASKS_FIRST_PAGE);
      on(K.LAZYFREE_DISCARDS_PMD);
      on(K.UFFD_MERGE_LEAVES_FLAGS);
      on(K.FILL_PREPARES_FIRST);
      on(K.REUSE_NEVER_LARGE);
      on(K.MIGRATION_KEEPS_CLEAN);
      off(K.MMAP_ASKS_NEXT_FIRST);
      on(K.SPLIT_MAPS_ZERO_PAGE);
      return true;
    case Kernel.V6_18:
      kernelVector(Kernel.V6_12);
      on(K.REUSE_LARGE_FOLIO);
      on(K.FOLIO_MM_IDS);
      on(K.LAZYFREE_HELD_STAYS);
      on(K.GUARD_REGIONS);
      on(K.COLLAPSE_READ_ONLY);
      on(K.FILL_MARKERS_ALIKE);
      on(K.CHANGE_PTE_BATCHES);
      on(K.VMA_MERGES_INTO_UNWRITTEN);
      on(K.HUGE_ZERO_WRITE_ALLOCATES);
      on(K.ZAP_FREES_TABLES);
      on(K.MREMAP_MOVES_SEVERAL);
      off(K.MOVE_MARKS_DIRTY);
      carries(C.MOVE_PRESENT, false, true, false);
      carries(C.MOVE_SWAP, true, true, false);
      on(K.MREMAP_BATCHES);
      on(K.MREMAP_BATCH_RESPECTS_WRITE);
      return true;
    case Kernel.V7_2:
      kernelVector(Kernel.V6_18);
      on(K.SWAPIN_NEVER_BYPASSES);
      off(K.PMD_MODIFY_DROPS_DIRTY);
      on(K.SCAN_NONE_IS_WRITTEN);
      on(K.SCAN_HOLE_IS_WRITTEN);
      off(K.FILL_MARKERS_ALIKE);
      on(K.COLLAPSE_PASSES_HOLES);
      on(K.VMA_MERGE_KEEPS_SOFT_DIRTY);
      return true;
    case Kernel.REUSE_DRAFT_1:
      // Its second slip, "and" for "or" in the check under the page lock, takes a race to show.
      kernelVector(Kernel.V5_9);
      off(K.REUSE_KSM_CHECK);
      off(K.FORK_EARLY_COPY);
      off(K.FORK_SPLITS_PINNED_PMD);
      return true;
    case Kernel.REPAIRED:
      kernelVector(Kernel.V7_2);
      on(K.UFFD_UNREGISTER_WAKES_WP);
      clearsWp(T.REREGISTER);
      on(K.SPLIT_DIRTY_ONLY);
      on(K.MADV_FREE_SKIPS_SHARED);
      off(K.MREMAP_MOVES_TABLES);
      off(K.MREMAP_RESETS_MERGED);
      off(cell(C.MOVE_SWAP, Column.UFFD_WP));
      on(K.DIRTY_THEN_WRPROTECT);
      on(K.CLEAR_REFS_DOWNGRADES_MIGRATION);
      on(K.MIGRATE_PMD_KEEPS_CLEAN);
      carries(C.KSM, true, true, false);
      on(K.KSM_ALWAYS_CHECKS_REFS);
      return true;
  }
  return false;
}

/** Row of the table for people: "name \t base \t source \t doc"; "" past the end. */
export function kernelRow(id: u32): string {
  switch (id) {
    case Kernel.V5_7: return "v5.7\t\trelease, May 2020\tFirst release with uffd-wp; reuse by mapcount + swapcount; GUP reads do not break COW.";
    case Kernel.V5_8: return "v5.8\tv5.7\trelease, Aug 2020\tEnforced COW by pretending to write (17839856fd58).";
    case Kernel.BREAK_COW_V1: return "break-cow-v1\tv5.8\tPeter Xu, 10 Aug 2020\tFOLL_BREAK_COW, but faultin_page does not pass it on.";
    case Kernel.BREAK_COW_V2: return "break-cow-v2\tbreak-cow-v1\tPeter Xu, 10 Aug 2020\tFOLL_BREAK_COW reaches the fault handler.";
    case Kernel.SEED: return "seed\tbreak-cow-v2\tPeter Xu, 10 Aug 2020, answer to Torvalds\tv2 with the mail's diff squashed in.";
    case Kernel.BREAK_COW_V3: return "break-cow-v3\tbreak-cow-v2\tPeter Xu, 11 Aug 2020\tAs posted; on the paths modelled here the same decisions as seed.";
    case Kernel.BREAK_COW_V3_FOLLOWUP: return "break-cow-v3-followup\tbreak-cow-v3\tPeter Xu answering Jann Horn, 11 Aug 2020\tv3 whose page lookup honours FOLL_BREAK_COW.";
    case Kernel.DONT_COW: return "dont-cow\tbreak-cow-v3-followup\tLinus Torvalds, 10 Aug 2020 (discussed only)\tThe inverse flag: break by default, DONT_COW opts out.";
    case Kernel.PIN_BC: return "pin-bc\tv5.9\tPeter Xu, 15 Sep 2020\tEnforced COW for FOLL_PIN only, on v5.9-rc before fork's early copy.";
    case Kernel.REUSE_DRAFT_1: return "reuse-draft-1\tv5.9\tLinus Torvalds, 11 Aug 2020\tThe first draft of reuse by page_count, which forgets KSM.";
    case Kernel.V5_9: return "v5.9\tv5.7\trelease, Oct 2020\tReuse by page_count (09854ba94c6a), enforced COW reverted, fork copies pinned pages early.";
    case Kernel.V5_10: return "v5.10\tv5.9\trelease (LTS, 5.10.262 measured)\tAs the long-term branch ends: leaves pinned pages alone and decides on uffd-wp at fork like v5.12 and v5.14.";
    case Kernel.V5_12: return "v5.12\tv5.9\trelease, Apr 2021\tclear_refs and reclaim leave pinned pages alone.";
    case Kernel.V5_14: return "v5.14\tv5.12\trelease, Aug 2021\tfork decides on uffd-wp by the child's VMA.";
    case Kernel.V5_18: return "v5.18\tv5.14\trelease, May 2022\tReuse discounts the swap cache; the PMD and swap-in twins follow page_count.";
    case Kernel.V5_19: return "v5.19\tv5.18\trelease, Jul 2022\tPageAnonExclusive and unshare faults.";
    case Kernel.V6_1: return "v6.1\tv5.19\trelease, Dec 2022\tFOLL_FORCE by exclusivity, mprotect hands back write, unregister clears uffd-wp.";
    case Kernel.V6_7: return "v6.7\tv6.1\trelease, Jan 2024\tLong-term unshare, WP_UNPOPULATED markers, un-protecting hands back write.";
    case Kernel.V6_12: return "v6.12\tv6.7\trelease, Nov 2024\tClosing the uffd clears uffd-wp; swap-in by read maps writable.";
    case Kernel.V6_18: return "v6.18\tv6.12\trelease, Nov 2025\tReuse of PTE-mapped large folios.";
    case Kernel.V7_2: return "v7.2\tv6.18\trelease, 2026\tA swap-in never leaves the swap cache out.";
    case Kernel.REPAIRED: return "repaired\tv7.2\tcontrol group\tv7.2 with every known flaw cured; a finding here is a false alarm or news.";
  }
  return "";
}
