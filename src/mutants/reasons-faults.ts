// Why nobody can notice mutants of the fault handler, GUP, fork, huge pages, migration and KSM.
import { equivalent, type Reason, unobservable } from './reason.js';

export const REASONS_FAULTS: readonly Reason[] = [
  // ---- what tables, entries and frames are like
  equivalent(
    'Below a PMD that is no table all four entries are none: who takes a table away, or puts a huge page in its place, has cleared them before.',
    'gup.ts follow_page_mask: if (pmd_none(pmd)) -> if (false)',
    'gup.ts gup_fast: if (pmd_none(pmd)) -> if (false)',
    'huge_memory.ts folio_collect_dirty: if (pmd_at(mm, page >> 2) != _PAGE_TABLE) -> if (false)',
    'huge_memory.ts remap_page: if (pmd_at(mm, page >> 2) != _PAGE_TABLE) -> if (false)',
    'huge_memory.ts try_to_map_unused_to_zeropage: if (pmd_at(mm, page >> 2) != _PAGE_TABLE) -> if (false)',
    'madvise.ts used_by_others: if (pmd_none(upper)) -> if (false)',
    'madvise.ts madvise_cold_or_pageout_pmd: if (pmd_none(upper)) -> if (false)',
    'madvise.ts madvise_guard_remove: pmd_at(mm, page >> 2) != _PAGE_TABLE || !is_guard_pte_marker(pte_at(mm, page)) -> !is_guard_pte_marker(pte_at(mm, page))',
    'madvise.ts madvise_free: pmd_none(upper) || (pmd_trans_huge(upper) && madvise_free_huge_pmd(mm, first, end)) -> (pmd_trans_huge(upper) && madvise_free_huge_pmd(mm, first, end))',
    'memory.ts wp_page_copy_install: !table || pte_at(mm, page) != orig -> pte_at(mm, page) != orig',
    'migrate.ts try_to_migrate: if (pmd_none(upper)) -> if (false)',
    'migrate.ts remove_migration_ptes: (!level && upper != _PAGE_TABLE) || !is_migration_entry(e) -> !is_migration_entry(e)',
  ),
  equivalent(
    'Below the huge PUD of a file both PMDs are none.',
    'madvise.ts madvise_cold_or_pageout: if (pud_at(mm) & _PAGE_PSE) -> if (false)',
  ),
  equivalent(
    'Nothing is counted of a special frame: it has no flags, mappings, references or pins, is in no swap cache and part of no folio.',
    'fork.ts copy_huge_pmd: !special && knob(K.FORK_EARLY_COPY) -> knob(K.FORK_EARLY_COPY)',
    'fork.ts copy_huge_pmd: if (!special) -> if (true)',
    'fork.ts copy_present_pte: if (!is_special_pfn(f)) -> if (true)',
    'gup.ts can_follow_write: is_special_pfn(f) || !PageAnonExclusive(f) -> !PageAnonExclusive(f)',
    'ksm.ts mapped_anon: is_special_pfn(f) || !(page_flags(f) & PG_ANON) -> !(page_flags(f) & PG_ANON)',
    'madvise.ts zap_pte: if (is_special_pfn(f)) -> if (false)',
    'madvise.ts zap_huge_pmd: if (is_special_pfn(head)) -> if (false)',
    'madvise.ts madvise_cold_or_pageout_pte_range: !pte_present(e) || is_special_pfn(f) -> !pte_present(e)',
    'madvise.ts used_by_others: !pte_present(e) || is_special_pfn(pte_pfn(e)) -> !pte_present(e)',
    'migrate.ts try_to_migrate: !pte_present(e) || is_special_pfn(pte_pfn(e)) -> !pte_present(e)',
  ),
  equivalent(
    'The zero page holds what a new page holds, and nothing is counted of it.',
    'khugepaged.ts __collapse_huge_page_copy: e == 0 || is_special_pfn(pte_pfn(e)) -> e == 0',
  ),
  equivalent(
    'Where a leaf has its frame, none has 0 (and is not accessed), and a swap or migration entry or a marker has a number above all frames.',
    'madvise.ts folio_pte_batch: !pte_present(e) || pte_pfn(e) != f + n -> pte_pfn(e) != f + n',
    'madvise.ts used_by_others: !pte_present(e) || is_special_pfn(pte_pfn(e)) -> is_special_pfn(pte_pfn(e))',
    'madvise.ts used_by_others: !pte_present(e) || is_special_pfn(pte_pfn(e)) || compound_head(pte_pfn(e)) != head -> compound_head(pte_pfn(e)) != head',
  ),
  equivalent(
    'Where a leaf has its frame, a migration entry has a number above all frames, as if it were special; and no translation of it is left.',
    'madvise.ts zap_huge_pmd: if (is_swap_pmd(e)) -> if (false)',
  ),
  equivalent(
    'At the place of the dirty bit no entry that is not present has anything.',
    'huge_memory.ts folio_collect_dirty: pte_present(e) && pte_dirty(e) -> pte_dirty(e)',
  ),
  equivalent(
    'No huge PMD has the special bit: the huge zero page is told by its frame.',
    'gup.ts gup_fast: !huge && pte_special(e) -> pte_special(e)',
  ),
  equivalent(
    'A page that is not mapped has neither VMA flags nor an anon_vma.',
    'fork.ts copied_pages: vm_flags(src, page) & VM_READ && vma_needs_copy(dst, src, page) -> vma_needs_copy(dst, src, page)',
  ),
  equivalent(
    'A process that does not live has no VMAs.',
    'ksm.ts mergeable: mm_alive(mm) && (vm_flags(mm, page) & VM_MERGEABLE) != 0 -> (vm_flags(mm, page) & VM_MERGEABLE) != 0',
  ),
  equivalent(
    'A VMA without an anon_vma has no anonymous pages, so there is nothing to merge.',
    'ksm.ts mergeable: mm_alive(mm) && (vm_flags(mm, page) & VM_MERGEABLE) != 0 && anon_vma(mm, page) != 0 -> mm_alive(mm) && (vm_flags(mm, page) & VM_MERGEABLE) != 0',
  ),
  equivalent(
    'Every ordinary page that is mapped is anonymous: the file has no pages of its own.',
    'ksm.ts mapped_anon: is_special_pfn(f) || !(page_flags(f) & PG_ANON) -> is_special_pfn(f)',
  ),
  // ---- what came together, or is in no kernel
  equivalent(
    'fork.early_copy_pinned and fork.split_pinned_pmd came in one release.',
    'fork.ts copy_huge_pmd: !special && knob(K.FORK_EARLY_COPY) -> !special',
    'fork.ts copy_huge_pmd: !special && knob(K.FORK_EARLY_COPY) && knob(K.FORK_SPLITS_PINNED_PMD) -> *',
  ),
  equivalent(
    'No kernel without migrate_pmd.carries_uffd_wp, or without fork.wp_by_child_vma, puts uffd-wp into the migration entry of a huge page.',
    'fork.ts copy_pmd_migration: if (child != e && !knob(K.MIGRATE_PMD_CARRIES_WP)) -> if (false)',
    'fork.ts copy_pmd_migration: child != e && !knob(K.MIGRATE_PMD_CARRIES_WP) -> !knob(K.MIGRATE_PMD_CARRIES_WP)',
    'fork.ts copy_pmd_migration: child != e -> child == e',
    'fork.ts copy_pmd_migration: knob(K.FORK_WP_BY_CHILD) && !(vm_flags(dst, pmd << 2) & VM_UFFD_WP) -> !(vm_flags(dst, pmd << 2) & VM_UFFD_WP)',
    'migrate.ts remove_migration_pmd: bits & _PAGE_UFFD_WP && knob(K.MIGRATE_PMD_CARRIES_WP) -> bits & _PAGE_UFFD_WP',
  ),
  equivalent(
    'No kernel without fork.marker_by_child_vma installs markers.',
    'fork.ts copy_nonpresent_pte: is_guard_pte_marker(e) || !knob(K.FORK_MARKER_BY_CHILD) -> is_guard_pte_marker(e)',
  ),
  equivalent(
    'follow_pte.checks_bc and follow_pmd.checks_bc came in one proposal.',
    'gup.ts follow_leaf: huge -> !(huge)',
  ),
  equivalent(
    'Every kernel of the table accepts a broken COW at the PMD level, too.',
    'gup.ts can_follow_write: if (huge && !knob(K.FOLLOW_PMD_COW)) -> if (false)',
    'gup.ts can_follow_write: huge && !knob(K.FOLLOW_PMD_COW) -> !knob(K.FOLLOW_PMD_COW)',
    'gup.ts can_follow_write: huge -> !(huge)',
  ),
  equivalent(
    'Every kernel of the table takes uffd-wp and soft-dirty of a PTE along.',
    'migrate.ts try_to_migrate_one: pte_soft_dirty(e) && knob(K.MIGRATE_KEEPS_SOFT_DIRTY) -> pte_soft_dirty(e)',
    'migrate.ts try_to_migrate_one: pte_uffd_wp(e) && knob(K.MIGRATE_KEEPS_WP) -> pte_uffd_wp(e)',
  ),
  equivalent(
    'PageAnonExclusive and what carries it through a migration came in one release.',
    'migrate.ts comes_back_exclusive: knob(K.REUSE_EXCLUSIVE) && !is_readable_migration_entry(e) && knob(cell(C.MIG_REMOVE, Column.EXCLUSIVE)) -> knob(K.REUSE_EXCLUSIVE) && !is_readable_migration_entry(e)',
    'migrate.ts comes_back_exclusive: knob(K.REUSE_EXCLUSIVE) && !is_readable_migration_entry(e) -> !is_readable_migration_entry(e)',
  ),
  equivalent(
    'A kernel without PageAnonExclusive never sets it.',
    'ksm.ts write_protect_page: knob(K.REUSE_EXCLUSIVE) && PageAnonExclusive(f) -> PageAnonExclusive(f)',
    'migrate.ts try_share_anon_rmap: knob(K.REUSE_EXCLUSIVE) && PageAnonExclusive(f) -> PageAnonExclusive(f)',
  ),
  equivalent(
    'That a swap entry remembers PageAnonExclusive, that it is asked and that its cell carries it came in one release.',
    'memory.ts do_swap_page: knob(K.REUSE_SWAPIN_EXCLUSIVE) && knob(cell(C.SWAPIN, Column.EXCLUSIVE)) -> *',
    'memory.ts do_swap_page: knob(K.REUSE_SWAPIN_EXCLUSIVE) && knob(cell(C.SWAPIN, Column.EXCLUSIVE)) && pte_swp_exclusive(e) -> pte_swp_exclusive(e)',
  ),
  equivalent(
    'Every kernel that asks this way for the owner of a page has reuse.ksm_check.',
    'memory.ts wp_can_reuse_anon_folio: knob(K.REUSE_KSM_CHECK) && PageKsm(f) -> PageKsm(f)',
  ),
  // ---- GUP
  equivalent(
    'Every VMA of the model is private and may become writable.',
    'gup.ts should_force_cow_break: !is_cow_mapping(vma) || foll & FOLL_WRITE -> foll & FOLL_WRITE',
    'gup.ts gup_flags: flags & F_GUP_BREAK_COW && is_cow_mapping(vma) -> flags & F_GUP_BREAK_COW',
    'gup.ts gup_must_unshare: knob(K.GUP_UNSHARE_LONGTERM) && foll & FOLL_LONGTERM && is_cow_mapping(vma) -> knob(K.GUP_UNSHARE_LONGTERM) && foll & FOLL_LONGTERM',
  ),
  equivalent(
    'v5.8, which alone has gup.as_write, knows no way to opt out: what need not break COW there is a call for writing as it is.',
    'gup.ts gup_flags: knob(K.GUP_AS_WRITE) && should_force_cow_break(vma, foll) -> knob(K.GUP_AS_WRITE)',
  ),
  equivalent(
    'In a read-only VMA a call for writing without FOLL_FORCE is refused before the first lookup, and FOLL_COW is set in such VMAs alone.',
    'gup.ts can_follow_write: !(foll & FOLL_FORCE) || vma & VM_WRITE -> vma & VM_WRITE',
    'gup.ts can_follow_write: if (knob(K.FOLLOW_COW_NEEDS_FORCE) && !(foll & FOLL_FORCE)) -> if (false)',
  ),
  equivalent(
    'A call for writing gets a read-only leaf only of an exclusive page: can_follow_write asks for that since v6.0, and before it is a COW just broken, which fork must wait for.',
    'gup.ts gup_must_unshare: !knob(K.GUP_UNSHARE) || !(foll & FOLL_PIN) || foll & FOLL_WRITE -> !knob(K.GUP_UNSHARE) || !(foll & FOLL_PIN)',
  ),
  // ---- faults
  equivalent(
    'A fault on a read-only PMD is for writing or for unsharing, never both.',
    'huge_memory.ts do_huge_pmd_wp_page: knob(K.HUGE_ZERO_WRITE_ALLOCATES) && flags & FAULT_FLAG_WRITE && !unshare -> knob(K.HUGE_ZERO_WRITE_ALLOCATES) && flags & FAULT_FLAG_WRITE',
    'huge_memory.ts do_huge_pmd_wp_page: knob(K.HUGE_ZERO_WRITE_ALLOCATES) && flags & FAULT_FLAG_WRITE -> knob(K.HUGE_ZERO_WRITE_ALLOCATES)',
  ),
  unobservable(
    'Only where making an entry dirty makes it writable does an unshare fault meet a writable one: of a huge page that this very fault has split, dirty and soft-dirty by that, or of a merged page, which has broken a promise before.',
    'memory.ts handle_pte_fault: if (!(flags & FAULT_FLAG_UNSHARE)) -> if (true)',
  ),
  // ---- huge pages
  equivalent(
    'Once one entry is found dirty, the folio stays so: to go on only takes longer.',
    'huge_memory.ts folio_collect_dirty: !dirty && mm < NR_MMS -> mm < NR_MMS',
  ),
  equivalent(
    'At the second look no entry is there without being present: the first has refused markers and what carries uffd-wp, other swap entries were swapped in, and a guard has ended the collapse.',
    'khugepaged.ts scan: again || (checks_wp && (pte_marker_uffd_wp(e) || pte_swp_uffd_wp(e))) -> (checks_wp && (pte_marker_uffd_wp(e) || pte_swp_uffd_wp(e)))',
  ),
  equivalent(
    'Only the second look of v6.1 does not mind uffd-wp. By then no entry has it: the first look has refused those that had, and a swap-in adds none.',
    'khugepaged.ts scan: checks_wp && (pte_marker_uffd_wp(e) || pte_swp_uffd_wp(e)) -> (pte_marker_uffd_wp(e) || pte_swp_uffd_wp(e))',
    'khugepaged.ts scan: checks_wp && pte_uffd_wp(e) -> pte_uffd_wp(e)',
  ),
  equivalent(
    'MADV_COLLAPSE waits for migrations under way before, so a PMD that is neither none nor huge is a table.',
    'khugepaged.ts hpage_collapse_scan_pmd: if (upper != _PAGE_TABLE) -> if (false)',
  ),
  equivalent(
    'Its own mapping was made old just before.',
    'madvise.ts used_by_others: other != mm && page < NR_PAGES -> page < NR_PAGES',
  ),
  equivalent(
    'A huge page that a second PMD maps has more than one mapping, and was passed over.',
    'madvise.ts used_by_others: if (huge) -> if (false)',
  ),
  equivalent(
    'With pageout.folio_batch a huge page that another process maps, whole or in part, was passed over as shared.',
    'madvise.ts madvise_cold_or_pageout_pmd: knob(K.PAGEOUT_FOLIO_BATCH) || !used_by_others(mm, head) -> !used_by_others(mm, head)',
  ),
  // ---- migration
  equivalent(
    'Who waits has met a migration entry, or has asked: the folio is being migrated.',
    'migrate.ts migration_wait_on: if (!(page_flags(head) & PG_MIGRATING)) -> if (false)',
  ),
  // ---- KSM
  equivalent(
    'Each pin is a reference, too, so a pinned page has been refused for its references.',
    'ksm.ts write_protect_page: page_count(f) != known || (exclusive && page_maybe_dma_pinned(f)) -> page_count(f) != known',
    'ksm.ts write_protect_page: exclusive && page_maybe_dma_pinned(f) -> page_maybe_dma_pinned(f)',
    'ksm.ts write_protect_page: exclusive -> !(exclusive)',
  ),
  equivalent(
    'To take PageAnonExclusive from a page that does not have it changes nothing.',
    'ksm.ts write_protect_page: if (exclusive) -> if (true)',
  ),
  equivalent(
    'NO_PAGE has no flags: at their place stands where a sleeper waits, a byte that never has the bit of PG_KSM.',
    'ksm.ts stable_tree_search: f != NO_PAGE && PageKsm(f) -> PageKsm(f)',
    'ksm.ts break_ksm: f == NO_PAGE || !PageKsm(f) -> !PageKsm(f)',
  ),
  equivalent(
    'A merged page of these contents would have been found in the stable tree, which is searched before.',
    'ksm.ts unstable_tree_search: g != NO_PAGE && !PageKsm(g) -> g != NO_PAGE',
  ),
  equivalent(
    'Since the search only the huge page around f can have been split: if that put the zero page in place of the other one, then of f as well, which has the same contents, and the merge has failed.',
    'ksm.ts cmp_and_merge_page: g == NO_PAGE || !try_to_merge_one_page(other >> 3, other & 7, g, f) -> !try_to_merge_one_page(other >> 3, other & 7, g, f)',
  ),
  equivalent(
    'The swap cache has a reference of its own.',
    'ksm.ts reuse_ksm_page: page_swap(f) || page_count(f) != 1 -> page_count(f) != 1',
  ),
  unobservable(
    'A write fault on a protected page ends as an event that nobody waits for: events and faults are counted, the page stays merged.',
    'ksm.ts break_ksm: if (!unshare && vm_flags(mm, page) & VM_UFFD_WP && pte_uffd_wp(pte_at(mm, page))) -> if (false)',
  ),
];
