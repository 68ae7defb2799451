// The knobs: every decision in assembly/mm that differs between kernels, one named behaviour each.
// A kernel is a vector of knobs (kernel/kernels.ts). Words 0 and 1 hold decisions (from 64 on seeded mutants), word 2 the cells of the
// constructor and VMA-transition tables (kernel/tables.ts).
import { CTOR_MASK, KVEC } from '../mm/layout';
import { buildConstructorMasks } from './tables';

let word0: u64 = 0;
let word1: u64 = 0;
let word2: u64 = 0;

/** Is behaviour `id` on in the configured kernel? With a constant id this is one load and one test. */
// @ts-ignore: decorator
@inline export function knob(id: u32): bool {
  const word = id < 64 ? word0 : id < 128 ? word1 : word2;
  return ((word >> (id & 63)) & 1) != 0;
}

/** Takes the vector in KVEC into use. */
export function configure(): void {
  word0 = load<u64>(KVEC);
  word1 = load<u64>(KVEC, 8);
  word2 = load<u64>(KVEC, 16);
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
}

/** Ids from here on are cells of the tables (kernel/tables.ts). */
export const FIRST_CELL: u32 = 128;

/** Row of the table for people: "name \t kind \t source \t doc"; "" where the id is unused. */
export function knobRow(id: u32): string {
  switch (id) {
    case K.GUP_AS_WRITE: return "gup.as_write\tbehaviour\t17839856fd58 (v5.8)\tA read GUP with GET or PIN on a COW-able VMA asks for FOLL_WRITE, so it breaks COW by pretending to write.";
    case K.GUP_BREAK_COW: return "gup.break_cow\tbehaviour\tbreak-COW v1, 10 Aug 2020\tA read GUP with GET or PIN on a COW-able VMA asks for FOLL_BREAK_COW.";
    case K.GUP_BREAK_OPT_OUT: return "gup.break_opt_out\tbehaviour\tTorvalds, 10 Aug 2020\tBreaking COW is the default; a caller that tolerates the wrong side opts out with DONT_COW.";
    case K.GUP_BREAK_PIN_ONLY: return "gup.break_pin_only\tbehaviour\tPeter Xu, 15 Sep 2020\tOnly FOLL_PIN breaks COW, FOLL_GET does not.";
    case K.FAULTIN_PASSES_BC: return "gup.faultin_passes_bc\tbehaviour\tbreak-COW v2 (missing in v1: Hellwig)\tfaultin_page translates FOLL_BREAK_COW into FAULT_FLAG_BREAK_COW.";
    case K.GUP_UNSHARE: return "gup.unshare\tbehaviour\ta7f226604170 (v5.19)\tA read-only FOLL_PIN of an anonymous page that is not exclusive takes an unshare fault first.";
    case K.GUP_UNSHARE_LONGTERM: return "gup.unshare_longterm\tbehaviour\t84209e87c696 (v6.2)\tA read-only FOLL_LONGTERM pin unshares anything that is not an exclusive anonymous page (zero page, page cache).";
    case K.FOLLOW_PTE_CHECKS_BC: return "follow_pte.checks_bc\tbehaviour\tbreak-COW v3 follow-up, 11 Aug 2020 (Horn)\tfollow_page_pte rejects a read-only PTE when FOLL_BREAK_COW is set, as for FOLL_WRITE.";
    case K.FOLLOW_PMD_CHECKS_BC: return "follow_pmd.checks_bc\tbehaviour\tbreak-COW v3 follow-up, 11 Aug 2020 (Horn)\tfollow_trans_huge_pmd rejects a read-only PMD when FOLL_BREAK_COW is set, as for FOLL_WRITE.";
    case K.FOLLOW_COW_NEEDS_FORCE: return "follow.cow_needs_force\tbehaviour\t19be0eaffa3a; dropped by 17839856fd58, back in a308c71bf1e6\tA read-only dirty entry is accepted after COW only for FOLL_FORCE.";
    case K.FOLLOW_PMD_COW: return "follow_pmd.accepts_cow\tbehaviour\t8310d48b125d (v4.10)\tThe PMD lookup accepts \"COW done and dirty\" like the PTE lookup.";
    case K.FOLLOW_FORCE_EXCLUSIVE: return "follow.force_exclusive\tbehaviour\t5535be309971 (v6.0)\tFOLL_FORCE writes accept a read-only entry only if the page is anonymous and exclusive and no tracker wants a fault.";
    case K.GUPFAST_READ_NEEDS_WRITE: return "gupfast.read_needs_write\tbehaviour\t17839856fd58 (v5.8)\tGUP-fast with a slow path behind it takes only writable entries, also for reads.";
    case K.GUPFAST_PIN_NEEDS_WRITE: return "gupfast.pin_needs_write\tbehaviour\tPeter Xu, 15 Sep 2020\tGUP-fast takes only writable entries for FOLL_PIN.";
    case K.GUPFAST_ONLY_NEEDS_WRITE: return "gupfast_only.read_needs_write\tmutant\treverted stable backport 9bbd42e79720\tThe fast-only entry point, which has no slow path, refuses read-only entries for reads.";
    case K.FAULT_BC_PTE: return "fault.bc_pte\tbehaviour\tbreak-COW v1, 10 Aug 2020\thandle_pte_fault treats FAULT_FLAG_BREAK_COW like a write.";
    case K.FAULT_BC_PMD: return "fault.bc_pmd\thunk\tseed mail: __handle_mm_fault, PMD\tAt PMD level \"dirty\" becomes \"cow\": FAULT_FLAG_BREAK_COW reaches wp_huge_pmd.";
    case K.FAULT_BC_PUD: return "fault.bc_pud\thunk\tseed mail: __handle_mm_fault, PUD\tAt PUD level \"dirty\" becomes \"cow\": FAULT_FLAG_BREAK_COW reaches wp_huge_pud.";
    case K.SWAPIN_BC: return "swapin.bc\tbehaviour\tbreak-COW v1, 10 Aug 2020\tdo_swap_page ends in do_wp_page for FAULT_FLAG_BREAK_COW too.";
    case K.WP_EVENT_NEEDS_WRITE: return "wp.event_needs_write\tbehaviour\tbreak-COW v1, 10 Aug 2020\tdo_wp_page queues a uffd-wp event only for a real write.";
    case K.WP_REUSE_KEEPS_WP: return "wp_reuse.keeps_wp\tbehaviour\tderived: the twin the seed mail leaves out\twp_page_reuse keeps the write bit clear when the entry is uffd-wp protected.";
    case K.WP_PMD_EVENT_NEEDS_WRITE: return "wp_pmd.event_needs_write\thunk\tseed mail: wp_huge_pmd\twp_huge_pmd queues a uffd-wp event only for a real write.";
    case K.WP_PMD_REUSE_KEEPS_WP: return "wp_pmd_reuse.keeps_wp\thunk\tseed mail: do_huge_pmd_wp_page\tReuse of a PMD keeps uffd-wp and leaves the write bit clear.";
    case K.REUSE_PAGE_COUNT: return "reuse.page_count\tbehaviour\t09854ba94c6a (v5.9)\tdo_wp_page reuses a page only if page_count is 1 (before: mapcount + swapcount).";
    case K.REUSE_SWAPCACHE_AWARE: return "reuse.swapcache_aware\tbehaviour\t53a05ad9f21d (v5.18)\tThe reuse test of do_wp_page discounts the swap cache's reference.";
    case K.REUSE_EXCLUSIVE: return "reuse.exclusive\tbehaviour\t6c287605fd56 (v5.19)\tPageAnonExclusive exists: an exclusive page is reused whatever its references.";
    case K.REUSE_LARGE_FOLIO: return "reuse.large_folio\tbehaviour\t1da190f4d0a6 (v6.15)\tA PTE-mapped large folio is reused if all references are mappings, and its record of two mms says that one has them all.";
    case K.REUSE_NEVER_LARGE: return "reuse.never_large\tbehaviour\tmeasured: 6.12, not 6.1\tA page of a PTE-mapped large folio that is not exclusive is always copied (before: reused if nothing else of the folio is left).";
    case K.FOLIO_MM_IDS: return "folio.mm_ids\tbehaviour\t6af8cb80d3a9 (v6.15)\tWhether a THP is mapped by others too is read from its record of two mms (before: guessed from mapcounts).";
    case K.REUSE_PMD_PAGE_COUNT: return "reuse_pmd.page_count\tbehaviour\t3bff7e3f1f16 (v5.18)\tdo_huge_pmd_wp_page reuses a THP only if page_count is 1 (before: mapcount + swapcount).";
    case K.REUSE_PMD_EXCLUSIVE: return "reuse_pmd.exclusive\tbehaviour\t6c287605fd56 (v5.19)\tdo_huge_pmd_wp_page reuses an exclusive THP.";
    case K.REUSE_SWAPIN_PAGE_COUNT: return "reuse_swapin.page_count\tbehaviour\tc145e0b47c77 (v5.18)\tdo_swap_page maps writable only if page_count is 1 (before: mapcount + swapcount).";
    case K.REUSE_SWAPIN_EXCLUSIVE: return "reuse_swapin.exclusive\tbehaviour\t1493a1917dca (v5.19)\tThe swap entry remembers PageAnonExclusive and do_swap_page trusts it.";
    case K.SWAPIN_READ_MAPS_WRITABLE: return "swapin.read_maps_writable\tbehaviour\tmeasured: 6.12 and later, not 6.1\tA swap-in by read of an exclusive page maps it writable at once.";
    case K.SWAP_SYNCHRONOUS: return "swap.synchronous\tenvironment\tthe machine: zram, brd or pmem as swap (SWP_SYNCHRONOUS_IO)\tA swap-in of the last entry of a slot leaves the swap cache out (until v6.19), or takes the page out of it at once (since).";
    case K.SWAPIN_NEVER_BYPASSES: return "swapin.never_bypasses\tbehaviour\t\"never bypass the swap cache\", \"free the swap cache after folio is mapped\" (v7.0; measured: 7.2)\tEvery swap-in goes through the swap cache, and the slot is freed after the page was mapped.";
    case K.HUGE_ZERO_WRITE_ALLOCATES: return "wp_pmd.huge_zero_allocates\tbehaviour\tv6.13 (from memory; measured: 6.18, not 6.12)\tA write to the huge zero page allocates a THP instead of splitting.";
    case K.FORK_EARLY_COPY: return "fork.early_copy_pinned\tbehaviour\t70e806e4e645 (v5.9)\tfork copies a page that may be pinned for the child at once.";
    case K.FORK_SPLITS_PINNED_PMD: return "fork.split_pinned_pmd\tbehaviour\td042035eaf5f (v5.9)\tfork splits the PMD of a pinned THP so that early copy applies.";
    case K.FORK_WP_BY_CHILD: return "fork.wp_by_child_vma\tbehaviour\t8f34f1eac382 (v5.14)\tThe child drops uffd-wp if the child's VMA is not registered (before: the parent's VMA was tested).";
    case K.FORK_MARKER_BY_CHILD: return "fork.marker_by_child_vma\tbehaviour\t49d6d7fb6313 (v6.2)\tA uffd-wp marker is copied only to a registered child.";
    case K.CLEAR_REFS_SKIPS_PINNED: return "clear_refs.skips_pinned\tbehaviour\t9348b73c2e1b (v5.11)\tclear_refs leaves pages that may be pinned alone.";
    case K.CLEAR_REFS_FLUSHES: return "clear_refs.flushes\tbehaviour\t912efa17e512 (v5.12)\tclear_refs flushes the TLB after write-protecting (broken since 0758cd830494, v5.6).";
    case K.RECLAIM_SKIPS_PINNED: return "reclaim.skips_pinned\tbehaviour\tfeb889fb40fa (v5.11)\tReclaim never adds a page that may be pinned to the swap cache.";
    case K.PAGEOUT_FOLIO_BATCH: return "pageout.folio_batch\tbehaviour\t3931b871c494 (v6.10)\tMADV_PAGEOUT reclaims a PTE-mapped THP as a whole if the range maps all of it, passes over a shared one and does not mind recent use (before: always splits, stops at a shared one, and leaves a THP that others have used).";
    case K.NUMA_SKIPS_BY_COUNT: return "numa.skips_by_count\tbehaviour\t80d47f5de5e3 (v5.17)\tNUMA hinting skips COW pages with page_count above 1 (before: mapcount).";
    case K.NUMA_SAVES_WRITE: return "numa.saves_write\tbehaviour\tuntil v6.1\tA NUMA hint keeps the write bit in the protnone entry.";
    case K.NUMA_UPGRADES_WRITE: return "numa.upgrades_write\tbehaviour\t6a56ccbcf6c6 (v6.2)\tA NUMA hint drops the write bit and do_numa_page gives it back via can_change_pte_writable.";
    case K.MPROTECT_UPGRADES_WRITE: return "mprotect.upgrades_write\tbehaviour\t64fe24a3e05e (v6.0)\tmprotect to RW maps exclusive anonymous pages writable at once.";
    case K.UPGRADE_HONOURS_SOFT_DIRTY: return "upgrade.honours_soft_dirty\tbehaviour\t76aefad628aa (v6.0)\tcan_change_pte_writable reads VM_SOFTDIRTY the right way round (set = not tracking).";
    case K.UPGRADE_NEEDS_DIRTY: return "upgrade.needs_dirty\tbehaviour\tv6.0, dropped by 7ea7e333842e (v6.2)\tOnly a dirty entry gets the write bit without a fault.";
    case K.UPGRADE_PMD: return "upgrade.pmd\tbehaviour\t6a56ccbcf6c6 (v6.2)\tA huge PMD, too, gets the write bit without a fault.";
    case K.PMD_MODIFY_DROPS_DIRTY: return "pmd_modify.drops_dirty\tbehaviour\tsince v6.6 (saved-dirty, x86), fixed by f7491d7c81db (2026; not in 6.12.95, in 7.2.12)\tChanging the protection of a writable huge PMD loses its dirty bit.";
    case K.CHANGE_PTE_BATCHES: return "change_pte.batches\tbehaviour\tv6.17 (from memory; measured: 7.2)\tmprotect and uffd write-protect change the PTEs of a large folio in batches: a dirty one makes all soft-dirty.";
    case K.UNWP_UPGRADES_WRITE: return "unwp.upgrades_write\tbehaviour\tv6.3\tRemoving uffd-wp maps exclusive anonymous pages writable at once.";
    case K.FORK_COPIES_WP_VMA: return "fork.copies_wp_vma\tbehaviour\tc56d1b62cce8 (v5.19)\tfork copies the page tables of a child's VMA that is registered for write-protect even if it never had an anonymous page.";
    case K.VMA_MERGES_INTO_UNWRITTEN: return "vma.merges_into_unwritten\tbehaviour\t879bca0a2c4f (v6.16)\tA VMA with anonymous pages merges into a neighbour that never had any (before: only the other way round).";
    case K.VMA_MERGE_KEEPS_SOFT_DIRTY: return "vma.merge_keeps_soft_dirty\tbehaviour\tv7.0 (from memory)\tVMAs that merge count as new for soft-dirty if one of them did (before: as the one whose change made them merge).";
    case K.UFFD_MERGE_LEAVES_FLAGS: return "vma.uffd_merge_leaves_flags\tbehaviour\tmeasured: 6.12, not 6.1\tA VMA that merges because it is (un)registered counts as new for soft-dirty as the one that it merges into does.";
    case K.MMAP_ASKS_NEXT_FIRST: return "vma.mmap_asks_next_first\tbehaviour\tv6.1 (maple tree) to v6.11 (measured: 6.1, not 5.10, 6.12)\tA new mapping that merges with the VMA behind it takes in the one before only as that one would (before and since: as the new mapping would).";
    case K.UFFD_MERGES_BY_OFFSET: return "vma.uffd_merges_inner\tbehaviour\t5543d3c43c26 (v6.4; measured: not in 6.1)\tThe tail of a VMA that is (un)registered merges with the VMA behind it (before: computed with the offset of the whole VMA, it did not).";
    case K.GUP_LONGTERM_FAST: return "gup.longterm_fast\tbehaviour\tv6.5 (from memory; measured: 6.12, not 6.1)\tA long-term write pin, as io_uring takes for a registered buffer, tries GUP-fast first and may wait for a uffd event (before: neither).";
    case K.MPROTECT_UNCHARGES: return "mprotect.uncharges\tbehaviour\tv6.6 (from memory; measured: 6.18)\tmprotect to R takes VM_ACCOUNT off a VMA without anonymous pages, which then merges with no written neighbour.";
    case K.TLB_READONLY_FAULTS: return "tlb.readonly_faults\tenvironment\tthe machine: measured on the host; emulators look again\tA store through a cached read-only translation faults although its entry is writable by now; any flush drops all translations of the process.";
    case K.WP_PER_VMA: return "wp.per_vma\tbehaviour\ta1b92a3f14dc (v6.3)\tUFFDIO_WRITEPROTECT goes VMA by VMA over holes up to the first unregistered one (before: one VMA must hold the whole range, or nothing happens).";
    case K.UFFD_WP_UNPOPULATED: return "uffd.wp_unpopulated\tbehaviour\t2bad466cc9d9 (v6.4)\tUFFD_FEATURE_WP_UNPOPULATED exists: protecting a none PTE installs a marker.";
    case K.UFFD_UNREGISTER_WAKES_WP: return "uffd.unregister_wakes_wp\tbehaviour\tin no release (5.10 to 7.2 measured)\tUFFDIO_UNREGISTER of a write-protect-only range wakes the threads that sleep on it.";
    case K.SPLIT_CARRIES_DIRTY: return "split.carries_dirty\tbehaviour\t0ccf7f168e17, partly reverted by 624a2c94f5b7 (v6.1), back in v6.4\tA PMD split keeps the dirty bit in the PTEs (before: only in the page).";
    case K.MIGRATION_KEEPS_DIRTY: return "split_page.keeps_dirty\tbehaviour\t2e3468778dbe (v6.1)\tSplitting a huge page keeps the accessed and dirty bits of the PTEs (at first, dirty ones became soft-dirty).";
    case K.MIGRATION_KEEPS_CLEAN: return "split_page.keeps_soft_clean\tbehaviour\tmeasured: 6.12, not 6.1\tThe dirty bit that a split of a huge page keeps does not make the PTEs soft-dirty.";
    case K.SPLIT_MAPS_ZERO_PAGE: return "split_page.maps_zero_page\tbehaviour\tb1f202060afe (v6.12)\tSplitting a huge page maps its pages of zeroes to the shared zero page.";
    case K.ZAP_FREES_TABLES: return "zap.frees_tables\tbehaviour\t6375e95f381e (v6.14)\tMADV_DONTNEED of all that a page table maps frees the table, so that a huge page fits again.";
    case K.SPLIT_DIRTY_ONLY: return "split.dirty_only\tbehaviour\tin no release (derived: pte_mkdirty sets soft-dirty on x86)\tThe dirty bit that a PMD split carries does not make the PTEs soft-dirty.";
    case K.MUTANT_SKIP_PTE_SAME: return "mutant.skip_pte_same\tmutant\tseeded\twp_page_copy installs its copy without comparing with orig_pte.";
    case K.MUTANT_WP_KEEPS_WRITE: return "mutant.wp_keeps_write\tmutant\tseeded\tuffd write-protect sets uffd-wp but leaves the write bit.";
    case K.MUTANT_FORK_KEEPS_WRITE: return "mutant.fork_keeps_write\tmutant\tseeded\tfork does not write-protect the parent's entry.";
    case K.MUTANT_COPY_LEAKS_REF: return "mutant.copy_leaks_ref\tmutant\tseeded\twp_page_copy forgets to drop the reference of the old page.";
    case K.MUTANT_COPY_FORGETS_CONTENT: return "mutant.copy_forgets_content\tmutant\tseeded\twp_page_copy installs a page of zeroes.";
    case K.MUTANT_FORK_KEEPS_EXCLUSIVE: return "mutant.fork_keeps_exclusive\tmutant\tseeded\tfork shares a page but leaves PageAnonExclusive set.";
    case K.MUTANT_UNWP_FORGETS_WAKE: return "mutant.unwp_forgets_wake\tmutant\tseeded\tRemoving uffd-wp does not wake the sleepers.";
    case K.MUTANT_FAULT_FORGETS_SOFT_DIRTY: return "mutant.fault_forgets_soft_dirty\tmutant\tseeded\twp_page_reuse makes the entry dirty without soft-dirty.";
    case K.MUTANT_READ_EVENT: return "mutant.read_event\tmutant\tseeded\tA swap-in by read of a uffd-wp entry queues an event.";
    case K.MUTANT_ZAP_FORGETS_FLUSH: return "mutant.zap_forgets_flush\tmutant\tseeded\tMADV_DONTNEED does not flush the TLB.";
    case K.MUTANT_WP_SKIPS_SWAP: return "mutant.wp_skips_swap\tmutant\tseeded\tuffd write-protect skips swap entries.";
    case K.MUTANT_WP_NO_MARKER: return "mutant.wp_no_marker\tmutant\tseeded (T2-17)\tUFFD_FEATURE_WP_UNPOPULATED is granted, but protecting a none PTE installs no marker.";
    case K.MUTANT_PAGEOUT_DROPS_DIRTY: return "mutant.pageout_drops_dirty\tmutant\tseeded\tReclaim frees a dirty swap-cache page without writing it.";
    case K.MUTANT_WP_WRONG_DECODER: return "mutant.wp_wrong_decoder\tmutant\tseeded (T3-03)\tuffd write-protect sets the bit of a present leaf in swap entries.";
    case K.MUTANT_MPROTECT_KEEPS_WRITE: return "mutant.mprotect_keeps_write\tmutant\tseeded\tmprotect to R leaves the write bit of present leaves.";
    case K.MUTANT_COPY_SKIPS_FLUSH: return "mutant.copy_skips_flush\tmutant\tseeded\twp_page_copy does not flush the old translation.";
  }
  return "";
}
