// The knobs: every decision in assembly/mm that differs between kernels, one named behaviour each.
// A kernel is a vector of knobs (kernel/kernels.ts). Words 0 and 1 hold decisions (from 64 on seeded mutants), word 2 the cells of the
// constructor and VMA-transition tables (kernel/tables.ts), word 3 more decisions and mutants (from 192 on).
import { CTOR_MASK, KVEC } from '../mm/layout';
import { buildConstructorMasks } from './tables';

let word0: u64 = 0;
let word1: u64 = 0;
let word2: u64 = 0;
let word3: u64 = 0;

/** Is behaviour `id` on in the configured kernel? With a constant id this is one load and one test. */
// @ts-ignore: decorator
@inline export function knob(id: u32): bool {
  const word = id < 64 ? word0 : id < 128 ? word1 : id < 192 ? word2 : word3;
  return ((word >> (id & 63)) & 1) != 0;
}

/** Takes the vector in KVEC into use. */
export function configure(): void {
  word0 = load<u64>(KVEC);
  word1 = load<u64>(KVEC, 8);
  word2 = load<u64>(KVEC, 16);
  word3 = load<u64>(KVEC, 24);
  buildConstructorMasks(CTOR_MASK, word2);
}

export namespace K {
  // GUP entry
  export const GUP_AS_WRITE: u32 = 0;
  export const GUP_BREAK_COW: u32 = 1;
  export const GUP_BREAK_OPT_OUT: u32 = 2;
  export const GUP_BREAK_PIN_ONLY: u32 = 3;
  export const FAULTIN_PASSES_BC: u32 = 4;
  export const GUP_UNSHARE: u32 = 5;
  export const GUP_UNSHARE_LONGTERM: u32 = 6;
  // lookup
  export const FOLLOW_PTE_CHECKS_BC: u32 = 8;
  export const FOLLOW_PMD_CHECKS_BC: u32 = 9;
  export const FOLLOW_COW_NEEDS_FORCE: u32 = 10;
  export const FOLLOW_PMD_COW: u32 = 11;
  export const FOLLOW_FORCE_EXCLUSIVE: u32 = 12;
  export const GUPFAST_READ_NEEDS_WRITE: u32 = 13;
  export const GUPFAST_PIN_NEEDS_WRITE: u32 = 14;
  export const GUPFAST_ONLY_NEEDS_WRITE: u32 = 15;
  // handler entry
  export const FAULT_BC_PTE: u32 = 16;
  export const FAULT_BC_PMD: u32 = 17;
  export const FAULT_BC_PUD: u32 = 18;
  export const SWAPIN_BC: u32 = 19;
  // write-protect fault
  export const WP_EVENT_NEEDS_WRITE: u32 = 20;
  export const WP_REUSE_KEEPS_WP: u32 = 21;
  export const WP_PMD_EVENT_NEEDS_WRITE: u32 = 22;
  export const WP_PMD_REUSE_KEEPS_WP: u32 = 23;
  // reuse rules
  export const REUSE_PAGE_COUNT: u32 = 28;
  export const REUSE_SWAPCACHE_AWARE: u32 = 29;
  export const REUSE_EXCLUSIVE: u32 = 30;
  export const REUSE_LARGE_FOLIO: u32 = 31;
  export const FOLIO_MM_IDS: u32 = 26;
  export const REUSE_NEVER_LARGE: u32 = 87;
  export const REUSE_PMD_PAGE_COUNT: u32 = 32;
  export const REUSE_PMD_EXCLUSIVE: u32 = 33;
  export const REUSE_SWAPIN_PAGE_COUNT: u32 = 34;
  export const REUSE_SWAPIN_EXCLUSIVE: u32 = 35;
  export const SWAPIN_READ_MAPS_WRITABLE: u32 = 36;
  /** Of the machine, not of the kernel: the swap device is RAM and answers at once. */
  export const SWAP_SYNCHRONOUS: u32 = 38;
  export const SWAPIN_NEVER_BYPASSES: u32 = 39;
  export const HUGE_ZERO_WRITE_ALLOCATES: u32 = 37;
  // fork
  export const FORK_EARLY_COPY: u32 = 40;
  export const FORK_SPLITS_PINNED_PMD: u32 = 41;
  export const FORK_WP_BY_CHILD: u32 = 42;
  export const FORK_MARKER_BY_CHILD: u32 = 43;
  // clear_refs, reclaim, NUMA, mprotect
  export const CLEAR_REFS_SKIPS_PINNED: u32 = 44;
  export const CLEAR_REFS_FLUSHES: u32 = 45;
  export const RECLAIM_SKIPS_PINNED: u32 = 46;
  export const PAGEOUT_FOLIO_BATCH: u32 = 53;
  export const NUMA_SKIPS_BY_COUNT: u32 = 47;
  export const NUMA_SAVES_WRITE: u32 = 48;
  export const NUMA_UPGRADES_WRITE: u32 = 49;
  export const MPROTECT_UPGRADES_WRITE: u32 = 50;
  export const UPGRADE_HONOURS_SOFT_DIRTY: u32 = 51;
  export const UPGRADE_NEEDS_DIRTY: u32 = 82;
  export const UPGRADE_PMD: u32 = 83;
  export const PMD_MODIFY_DROPS_DIRTY: u32 = 27;
  export const CHANGE_PTE_BATCHES: u32 = 7;
  export const UNWP_UPGRADES_WRITE: u32 = 52;
  export const FORK_COPIES_WP_VMA: u32 = 54;
  // VMAs
  export const VMA_MERGES_INTO_UNWRITTEN: u32 = 60;
  export const VMA_MERGE_KEEPS_SOFT_DIRTY: u32 = 61;
  export const MPROTECT_UNCHARGES: u32 = 63;
  /** Of the machine: the CPU does not look at the entry again before it faults. */
  export const TLB_READONLY_FAULTS: u32 = 62;
  export const UFFD_MERGE_LEAVES_FLAGS: u32 = 80;
  export const MMAP_ASKS_NEXT_FIRST: u32 = 86;
  export const UFFD_MERGES_BY_OFFSET: u32 = 85;
  export const GUP_LONGTERM_FAST: u32 = 81;
  export const GUP_LONGTERM_TOUCHES: u32 = 103;
  // userfaultfd
  export const WP_PER_VMA: u32 = 55;
  export const UFFD_WP_UNPOPULATED: u32 = 56;
  export const UFFD_UNREGISTER_WAKES_WP: u32 = 57;
  export const SPLIT_CARRIES_DIRTY: u32 = 58;
  export const SPLIT_DIRTY_ONLY: u32 = 59;
  export const SPLIT_MAPS_ZERO_PAGE: u32 = 24;
  export const MIGRATION_KEEPS_DIRTY: u32 = 84;
  export const MIGRATION_KEEPS_CLEAN: u32 = 88;
  export const ZAP_FREES_TABLES: u32 = 25;

  // MADV_FREE and its reclaim
  export const LAZYFREE_CHECK_REFS: u32 = 202;
  export const LAZYFREE_HELD_STAYS: u32 = 203;
  export const LAZYFREE_DISCARDS_PMD: u32 = 204;
  export const LAZYFREE_SPLITS_THP: u32 = 100;
  export const MADV_FREE_ASKS_FIRST_PAGE: u32 = 101;
  export const PAGEOUT_ASKS_FIRST_PAGE: u32 = 102;
  export const MADV_FREE_FOLIO_BATCH: u32 = 205;
  export const MADV_FREE_SKIPS_SHARED: u32 = 206;
  export const FILL_WP_READ_ONLY: u32 = 214;
  export const UFFD_WP_ASYNC: u32 = 215;
  export const FILL_PREPARES_FIRST: u32 = 216;
  export const SCAN_NONE_IS_WRITTEN: u32 = 217;
  export const SCAN_HOLE_IS_WRITTEN: u32 = 218;
  export const SCAN_REQUIRES_ASYNC_VMA: u32 = 219;
  export const PAGEMAP_SCAN: u32 = 220;
  // advice that older kernels do not know
  export const MADV_POPULATE: u32 = 207;
  export const GUARD_REGIONS: u32 = 208;
  export const COLLAPSE: u32 = 211;
  export const COLLAPSE_CHECKS_WP: u32 = 212;
  export const COLLAPSE_CHECKS_WP_AGAIN: u32 = 229;
  export const COLLAPSE_READ_ONLY: u32 = 92;
  export const COLLAPSE_PASSES_HOLES: u32 = 93;
  export const FILL_MARKERS_ALIKE: u32 = 255;

  // Of the trial, not of the kernel: fuzz/differential.ts
  export const DIFFERENTIAL_PMD: u32 = 246;
  export const DIFFERENTIAL_RESIDENCY: u32 = 247;
  export const DIFFERENTIAL_BATCH: u32 = 248;
  export const DIFFERENTIAL_PERMISSION: u32 = 249;
  export const JUDGE_WARNINGS: u32 = 251;

  // Seeded mutants: no kernel has them; each makes one judge fire.
  export const MUTANT_SKIP_PTE_SAME: u32 = 64;
  export const MUTANT_WP_KEEPS_WRITE: u32 = 65;
  export const MUTANT_FORK_KEEPS_WRITE: u32 = 66;
  export const MUTANT_COPY_LEAKS_REF: u32 = 67;
  export const MUTANT_COPY_FORGETS_CONTENT: u32 = 68;
  export const MUTANT_FORK_KEEPS_EXCLUSIVE: u32 = 69;
  export const MUTANT_UNWP_FORGETS_WAKE: u32 = 70;
  export const MUTANT_FAULT_FORGETS_SOFT_DIRTY: u32 = 71;
  export const MUTANT_READ_EVENT: u32 = 72;
  export const MUTANT_ZAP_FORGETS_FLUSH: u32 = 73;
  export const MUTANT_WP_SKIPS_SWAP: u32 = 74;
  export const MUTANT_COPY_SKIPS_FLUSH: u32 = 75;
  export const MUTANT_WP_NO_MARKER: u32 = 76;
  export const MUTANT_PAGEOUT_DROPS_DIRTY: u32 = 77;
  export const MUTANT_WP_WRONG_DECODER: u32 = 78;
  export const MUTANT_MPROTECT_KEEPS_WRITE: u32 = 79;

  // mremap
  export const MREMAP_MOVES_SEVERAL: u32 = 192;
  export const MREMAP_MOVES_TABLES: u32 = 193;
  export const MREMAP_RESETS_MERGED: u32 = 194;
  export const MUTANT_MREMAP_SKIPS_FLUSH: u32 = 195;
  export const MREMAP_BATCHES: u32 = 196;
  export const MREMAP_BATCH_RESPECTS_WRITE: u32 = 197;
  // UFFDIO_MOVE
  export const UFFDIO_MOVE: u32 = 200;
  export const MOVE_MARKS_DIRTY: u32 = 201;
  export const MUTANT_MOVE_FORGETS_WAKE: u32 = 89;
  export const MUTANT_MOVE_SHARED: u32 = 90;
  export const MUTANT_MOVE_IGNORES_PINS: u32 = 91;
  // large folios
  export const REUSE_TOTAL_MAPCOUNT: u32 = 198;
  export const MUTANT_LARGE_REUSE_ANY_MM: u32 = 199;

  export const MUTANT_MPROTECT_BATCH_COPIES_WRITE: u32 = 250;
  // migration
  export const MIGRATE_PMD_KEEPS_WP: u32 = 230;
  export const MIGRATE_PMD_WP: u32 = 231;
  export const MIGRATE_PMD_CARRIES_WP: u32 = 232;
  export const MIGRATE_KEEPS_WP: u32 = 233;
  export const MIGRATE_KEEPS_SOFT_DIRTY: u32 = 234;
  /** Of the machine: making an entry dirty makes it writable. */
  export const ARCH_MKDIRTY_SETS_WRITE: u32 = 235;
  export const DIRTY_THEN_WRPROTECT: u32 = 236;
  export const CLEAR_REFS_DOWNGRADES_MIGRATION: u32 = 237;
  export const MIGRATE_PMD_KEEPS_CLEAN: u32 = 238;
  export const MUTANT_MIGRATE_IGNORES_REFS: u32 = 239;
  export const MUTANT_MIGRATE_WRONG_SETTER: u32 = 240;
  export const MUTANT_MIGRATE_WRONG_GETTER: u32 = 241;
  export const MUTANT_MIGRATE_FORGETS_FLUSH: u32 = 242;
  export const MUTANT_MIGRATE_KEEPS_EXCLUSIVE: u32 = 243;
  export const MUTANT_FORK_KEEPS_MIGRATION: u32 = 244;
  export const MUTANT_MISSING_READS_ZERO: u32 = 221;
  export const MUTANT_MISSING_SKIPS_PMD: u32 = 222;
  export const MUTANT_FILL_FORGETS_WAKE: u32 = 223;
  export const MUTANT_FILL_FORGETS_WP: u32 = 224;
  export const MUTANT_FILL_OVERWRITES: u32 = 225;
  export const MUTANT_ASYNC_KEEPS_WP: u32 = 226;
  export const MUTANT_SCAN_FORGETS_FLUSH: u32 = 227;
  export const MUTANT_SCAN_SKIPS_SWAP: u32 = 228;
  // KSM
  export const REUSE_KSM_CHECK: u32 = 245;
  export const KSM_BREAKS_BY_UNSHARE: u32 = 252;
  export const MUTANT_KSM_IGNORES_REFS: u32 = 253;
  export const KSM_ALWAYS_CHECKS_REFS: u32 = 254;
  export const MUTANT_UNWP_CLEARS_GUARD: u32 = 209;
  export const MUTANT_ZAP_DROPS_GUARD: u32 = 210;
  export const MUTANT_UNMAP_KEEPS_GUARD: u32 = 213;
}

/** Ids from here to END_OF_CELLS are cells of the tables (kernel/tables.ts), the rest again knobs of this file. */
export const FIRST_CELL: u32 = 128;
export const END_OF_KNOBS: u32 = 256;
