// Why nobody can notice mutants of the system calls, of reclaim and of the books.
import { equivalent, type Reason } from './reason.js';

const CLEARS = ['PRESENT', 'SWAP', 'MARKER', 'MIGRATION'].map(
  (kind) => `knob(transition(T.MREMAP, Residency.${kind}))`,
);
/** `clears_any` with either side of each of its three `||` left out. */
const CLEARS_ANY = [2, 3, 4].flatMap((n) => {
  const [before, left, right] = [CLEARS.slice(0, n), CLEARS.slice(0, n - 1), CLEARS.slice(n - 1, n)];
  return [left, right].map((after) => `mremap.ts clears_any: ${before.join(' || ')} -> ${after.join(' || ')}`);
});

const BOOKS: readonly Reason[] = [
  equivalent(
    'Of these five bits a present leaf has NX alone, which is no type of a swap entry.',
    'pgtable.ts is_swap_pte: !pte_present(e) && swp_type(e) == SWP_TYPE_SWAP -> swp_type(e) == SWP_TYPE_SWAP',
    'pgtable.ts is_pte_marker: !pte_present(e) && swp_type(e) == SWP_TYPE_MARKER -> swp_type(e) == SWP_TYPE_MARKER',
    'pgtable.ts is_migration_entry: !pte_present(e) && swp_type(e) - SWP_TYPE_MIG_READ <= SWP_TYPE_MIG_WRITE - SWP_TYPE_MIG_READ -> swp_type(e) - SWP_TYPE_MIG_READ <= SWP_TYPE_MIG_WRITE - SWP_TYPE_MIG_READ',
  ),
  equivalent(
    'The mm in the first place maps the folio, too: all mappings are more than these.',
    'page.ts folio_add_mm: slot == 1 || total_mapcount(head) != n -> total_mapcount(head) != n',
  ),
  equivalent(
    'All four entries are none where a PMD is none, huge or a migration entry, and in a process that has ended every PMD is none.',
    'swapfile.ts swapoff: if (!mm_alive(mm)) -> if (false)',
    'swapfile.ts swapoff: if (pmd == 0 || pmd_trans_huge(pmd)) -> if (false)',
    'swapfile.ts swapoff: pmd == 0 || pmd_trans_huge(pmd) -> *',
    'task_mmu.ts clear_refs_write: if (pmd_none(upper)) -> if (false)',
    'madvise.ts madvise_cold_or_pageout_pmd: if (!split_huge_page(head, false)) -> if (false)',
    'madvise.ts madvise_free: if (pmd_none(upper) || (pmd_trans_huge(upper) && madvise_free_huge_pmd(mm, first, end))) -> if (false)',
    'madvise.ts madvise_free: pmd_none(upper) || (pmd_trans_huge(upper) && madvise_free_huge_pmd(mm, first, end)) -> pmd_none(upper)',
    'vmscan.ts discard_folio: upper == 0 || !pte_present(e) -> !pte_present(e)',
    'vmscan.ts unmap_at: if (!mm_alive(mm) || pmd_at(mm, page >> 2) != _PAGE_TABLE) -> if (false)',
    'vmscan.ts unmap_at: !mm_alive(mm) || pmd_at(mm, page >> 2) != _PAGE_TABLE -> *',
    'vmscan.ts pageout: if (pmd_none(upper)) -> if (false)',
  ),
  equivalent(
    'None is neither present nor a swap entry.',
    'swapfile.ts swapoff: e != 0 && is_swap_pte(e) -> is_swap_pte(e)',
    'userfaultfd_move.ts move_pages_pte: pte_at(mm, to) != 0 || e == 0 -> pte_at(mm, to) != 0',
    'vmscan.ts pageout: leaf == 0 || !pte_present(leaf) -> !pte_present(leaf)',
  ),
  equivalent(
    'try_to_free_swap does nothing for a page that is not in the swap cache, and for no page at all.',
    'swapfile.ts free_swap_and_cache: if (cached != NO_PAGE) -> if (true)',
    'swapfile.ts free_swap_cache: page_swap(f) && page_mapcount(f) == 0 -> page_mapcount(f) == 0',
    'swapfile.ts swapoff: if (f != NO_PAGE) -> if (true)',
  ),
  equivalent(
    'To wait for a page that is not migrating, or for none, changes nothing: the slot has what it had.',
    'swapfile.ts swapin: if (f != NO_PAGE && page_flags(f) & PG_MIGRATING) -> if (true)',
    'swapfile.ts swapin: f != NO_PAGE && page_flags(f) & PG_MIGRATING -> *',
  ),
];

const MAPPINGS: readonly Reason[] = [
  equivalent(
    'Every VMA has VM_MAYWRITE. The flags of an unmapped page do not, nor do the words in front of the first and behind the last one; a start behind the last page does not fit into the mask.',
    'mmap.ts mapped: page < NR_PAGES && (vm_flags(mm, page) & VM_READ) != 0 -> (vm_flags(mm, page) & VM_READ) != 0',
    'mmap.ts reusable_anon_vma: if (!mapped(mm, near)) -> if (false)',
    'mmap.ts alike: mapped(mm, near) && same_flags(vm_flags(mm, page), vm_flags(mm, near)) -> same_flags(vm_flags(mm, page), vm_flags(mm, near))',
  ),
  equivalent(
    'There is no page in front of the first one, and so no VMA to merge with or to share an anon_vma with.',
    'mmap.ts anon_vma_prepare: found == 0 && first > 0 -> found == 0',
    'mmap.ts vma_merge: first > 0 && alike(mm, first, first - 1) -> alike(mm, first, first - 1)',
  ),
  equivalent(
    'It is asked of no anon_vma only where the answer is "none" either way.',
    'mmap.ts singular: anon != 0 && (anon & CLONED) == 0 -> (anon & CLONED) == 0',
  ),
  equivalent(
    'A mask of pages, or of the pages of a PMD, has no bit behind the last one.',
    'mmap.ts vma_modify: end < NR_PAGES && (mask >> end) & 1 -> (mask >> end) & 1',
    'mmap.ts vma_modify_protection: end < NR_PAGES && (mask >> end) & 1 -> (mask >> end) & 1',
    'mprotect.ts batch_bits: i < HPAGE_PMD_NR && ((part & ~starts) >> i) & 1 -> ((part & ~starts) >> i) & 1',
  ),
  equivalent(
    'Starts inside the hole are taken away two lines further down.',
    'mmap.ts remove_vmas: !((mask >> page) & 1) && (mask >> (page - 1)) & 1 -> (mask >> (page - 1)) & 1',
  ),
  equivalent(
    'What is to be done for each page of a set is done for none if it is empty.',
    'mprotect.ts mprotect_fixup: if (changed == 0) -> if (false)',
    'mremap.ts unmap_target: if (mapped != 0) -> if (true)',
    'userfaultfd.ts clear_uffd_wp: if (clear != 0) -> if (true)',
    'userfaultfd.ts mwriteprotect_range: if (done != 0) -> if (true)',
  ),
];

const PROTECTION: readonly Reason[] = [
  equivalent(
    'Only a kernel without PageAnonExclusive asks this way for the owner of a huge page.',
    '-reuse_pmd.page_count',
  ),
  equivalent(
    'Whoever asks has made the entry accessible before; PROT_NONE is not modelled.',
    'mprotect.ts can_change_pte_writable: !(vma & VM_WRITE) || pte_protnone(e) -> !(vma & VM_WRITE)',
  ),
  equivalent(
    'A special frame is never exclusive, nor part of a large folio, and nothing is counted of it: not even one mapping.',
    'mprotect.ts can_change_pte_writable: !is_special_pfn(f) && PageAnonExclusive(f) -> PageAnonExclusive(f)',
    'mprotect.ts batch_bits: !((part >> first) & 1) || !pte_present(e) || is_special_pfn(pte_pfn(e)) -> !((part >> first) & 1) || !pte_present(e)',
    'mprotect.ts numa_skips_pte: is_special_pfn(f) || PageKsm(f) -> PageKsm(f)',
    'mremap.ts mremap_folio_pte_batch: !knob(K.MREMAP_BATCHES) || !pte_present(first) || is_special_pfn(f) -> !knob(K.MREMAP_BATCHES) || !pte_present(first)',
  ),
  equivalent(
    'What stands in place of a frame in a swap entry is beyond all frames, and none has no bits to note.',
    'mprotect.ts batch_bits: !((part >> first) & 1) || !pte_present(e) -> !((part >> first) & 1)',
    'mremap.ts mremap_folio_pte_batch: !knob(K.MREMAP_BATCHES) || !pte_present(first) -> !knob(K.MREMAP_BATCHES)',
    'mremap.ts mremap_folio_pte_batch: !pte_present(e) || pte_pfn(e) != f + k -> pte_pfn(e) != f + k',
    'vmscan.ts pageout: leaf == 0 || !pte_present(leaf) -> leaf == 0',
  ),
  equivalent(
    'An entry that is like a present one in all but accessed and dirty is present.',
    'mprotect.ts batch_goes_on: pte_present(next) && (((e + pfn_bits(1)) ^ next) & ~(_PAGE_ACCESSED | _PAGE_DIRTY)) == 0 -> (((e + pfn_bits(1)) ^ next) & ~(_PAGE_ACCESSED | _PAGE_DIRTY)) == 0',
  ),
  equivalent(
    'A NUMA hint makes of a protnone entry the same one, which no TLB has. (A large folio of which pages are hinted has one mapping, so no batch adds bits; a kernel that drops dirty of a writable PMD saves no write bit in a protnone one.)',
    'mprotect.ts numa_skips_pte: if (pte_protnone(e)) -> if (false)',
    'mprotect.ts change_huge_pmd: pte_protnone(e) || is_special_pfn(pte_pfn(e)) -> is_special_pfn(pte_pfn(e))',
  ),
  equivalent(
    'Kernels without migrate_pmd.carries_uffd_wp put uffd-wp into no PMD migration entry; on the others none that is still writable has it.',
    'mprotect.ts change_pmd_migration: if (entry != e && !knob(K.MIGRATE_PMD_CARRIES_WP)) -> if (false)',
    'mprotect.ts change_pmd_migration: entry != e && !knob(K.MIGRATE_PMD_CARRIES_WP) -> *',
    'mprotect.ts change_pmd_migration: entry != e -> entry == e',
    'mprotect.ts change_pmd_migration: !knob(K.MIGRATE_PMD_CARRIES_WP) -> knob(K.MIGRATE_PMD_CARRIES_WP)',
  ),
  equivalent(
    'Between the two looks nothing but swap-ins happens here, and the first one has refused what a swap-in would bring back protected.',
    '-collapse.checks_wp_again',
  ),
  equivalent(
    'Only a writable migration entry is changed by it.',
    'task_mmu.ts clear_swap_soft_dirty: knob(K.CLEAR_REFS_DOWNGRADES_MIGRATION) && is_migration_entry(e) -> knob(K.CLEAR_REFS_DOWNGRADES_MIGRATION)',
  ),
];

const MOVES: readonly Reason[] = [
  equivalent(
    'Every kernel of the table has mremap.keeps_uffd_wp.',
    ...['Residency.PRESENT', 'Residency.MARKER', 'residency'].map((kind) => {
      const cleared = `(clear && knob(transition(T.MREMAP, ${kind})))`;
      return `mremap.ts moved_entry: !keeps || ${cleared} -> ${cleared}`;
    }),
  ),
  equivalent(
    'No kernel of the table clears uffd-wp from some kinds of entries at a transition and not from the others.',
    'mremap.ts moved_entry: is_migration_entry(e) -> !(is_migration_entry(e))',
    ...CLEARS_ANY,
    'userfaultfd.ts residency: *',
  ),
  equivalent(
    'The first entry of a batch is what the batch begins with; a move makes it soft-dirty in any case.',
    'mremap.ts get_and_clear_ptes: k != 0 && one & _PAGE_ACCESSED -> one & _PAGE_ACCESSED',
    'mremap.ts get_and_clear_ptes: k != 0 && pte_dirty(one) -> pte_dirty(one)',
  ),
  equivalent(
    'The target was unmapped: none takes the place of none, and a page table that covered nothing else is gone.',
    'mremap.ts move_ptes: if (entry != 0) -> if (true)',
    'mremap.ts move_page_tables: extent == HPAGE_PMD_NR && pmd_none(pmd_at(mm, there >> 2)) -> extent == HPAGE_PMD_NR',
  ),
  equivalent(
    'A VMA that left its registration before it merged has merged with unregistered ones alone.',
    'mremap.ts move_vma: clear && !early -> clear',
  ),
  equivalent(
    'A kernel without move_present.sets_soft_dirty has uffd_move.marks_dirty, and what is made dirty is soft-dirty on x86.',
    'userfaultfd_move.ts moved_leaf: if (knob(cell(C.MOVE_PRESENT, Column.SOFT_DIRTY))) -> if (true)',
  ),
  equivalent(
    'No kernel of the table has move_present.keeps_uffd_wp, so nothing is kept anyway.',
    'userfaultfd_move.ts moved_leaf: to_vma & VM_UFFD_WP -> !(to_vma & VM_UFFD_WP)',
  ),
  equivalent(
    'A program moves one page or one aligned PMD to another: four pages that are left begin one on both sides.',
    'userfaultfd_move.ts move_pages: (page & 3) == 0 && (there & 3) == 0 && n - done >= HPAGE_PMD_NR -> n - done >= HPAGE_PMD_NR',
    'userfaultfd_move.ts move_pages: (page & 3) == 0 && (there & 3) == 0 -> *',
  ),
];

const USERFAULTFD: readonly Reason[] = [
  equivalent(
    'To take uffd-wp from nothing changes nothing.',
    'userfaultfd.ts clear_uffd_wp: if (pmd_none(pmd)) -> if (false)',
    'userfaultfd.ts clear_uffd_wp: e != 0 && knob(transition(row, residency(e))) -> knob(transition(row, residency(e)))',
  ),
  equivalent(
    'Without a uffd no VMA is registered, which the rest finds out for itself.',
    'userfaultfd.ts mwriteprotect_range: if (!(mm_uffd(mm) & UFFD_OPEN)) -> if (false)',
  ),
  equivalent(
    'A program names no range without a mapping: where nothing was done, a mapping that is not registered was met.',
    'userfaultfd.ts mwriteprotect_range: if (done == 0) -> if (false)',
  ),
  equivalent(
    'The call passes mapped pages alone.',
    'task_mmu.ts pagemap_scan: !((mask >> page) & 1) || !(vma & VM_READ) -> !((mask >> page) & 1)',
  ),
  equivalent(
    'Every kernel of the table that has PAGEMAP_SCAN has scan.requires_async_vma.',
    'task_mmu.ts pagemap_scan: flags & PM_SCAN_WP && !allowed && knob(K.SCAN_REQUIRES_ASYNC_VMA) -> flags & PM_SCAN_WP && !allowed',
  ),
];

const RECLAIM: readonly Reason[] = [
  equivalent(
    'That pages are exclusive and that reclaim asks it came in one release.',
    'vmscan.ts try_to_unmap_one: knob(K.REUSE_SWAPIN_EXCLUSIVE) && PageAnonExclusive(f) -> PageAnonExclusive(f)',
  ),
  equivalent(
    'Every kernel of the table with PageAnonExclusive has reclaim.skips_pinned, too: no pinned page gets there, so no unmapping fails.',
    'vmscan.ts try_to_unmap_one: if (page_maybe_dma_pinned(f)) -> if (false)',
    'vmscan.ts try_to_unmap: if (!unmap_at(mm, page, f, slot)) -> if (false)',
    'vmscan.ts try_to_unmap: if (other != page && !unmap_at(mm, other, f, slot)) -> if (false)',
    'vmscan.ts shrink_page: if (!try_to_unmap(f, page, slot)) -> if (false)',
    'vmscan.ts shrink_page: if (added) -> if (true) #2',
    'vmscan.ts shrink_page: if (added) -> if (false) #2',
    'vmscan.ts shrink_page: added -> !(added) #2',
  ),
  equivalent(
    'Nobody maps a page any more once every entry of every process has been looked at, and looking twice finds nothing.',
    'vmscan.ts try_to_unmap: mm < NR_MMS && page_mapcount(f) != 0 -> *',
    'vmscan.ts try_to_unmap: other != page && !unmap_at(mm, other, f, slot) -> !unmap_at(mm, other, f, slot)',
    'vmscan.ts shrink_page: if (page_mapcount(f) != 0) -> if (false)',
  ),
  equivalent(
    'What comes to the swap cache is made dirty; what is in it and clean, entries and all, holds what its slot holds.',
    'vmscan.ts try_to_unmap_one: if (pte_dirty(e)) -> if (true)',
    'vmscan.ts shrink_page: if (page_flags(f) & PG_DIRTY && !knob(K.MUTANT_PAGEOUT_DROPS_DIRTY)) -> if (true)',
  ),
  equivalent(
    'A folio that is no longer lazyfree is dirty or held, which discard_pte finds out, too.',
    'vmscan.ts discard_folio: !(page_flags(head) & PG_LAZYFREE) || !discard_pte(mm, page, e, pte_pfn(e)) -> !discard_pte(mm, page, e, pte_pfn(e))',
  ),
  equivalent(
    'A huge page that is pinned is not split, and stays for that reason.',
    'vmscan.ts shrink_folio: if (knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(head)) -> if (false)',
    'vmscan.ts shrink_folio: knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(head) -> page_maybe_dma_pinned(head)',
    'vmscan.ts shrink_folio: knob(K.RECLAIM_SKIPS_PINNED) -> !(knob(K.RECLAIM_SKIPS_PINNED))',
    'vmscan.ts pageout: if (knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(f)) -> if (false)',
    'vmscan.ts pageout: knob(K.RECLAIM_SKIPS_PINNED) && page_maybe_dma_pinned(f) -> page_maybe_dma_pinned(f)',
    'vmscan.ts pageout: knob(K.RECLAIM_SKIPS_PINNED) -> !(knob(K.RECLAIM_SKIPS_PINNED))',
  ),
  equivalent(
    'What nobody maps is nowhere to be discarded from.',
    'vmscan.ts shrink_folio: if (page_mapcount(head + i)) -> if (true)',
  ),
  equivalent(
    'Each of its pages is mapped: a huge page is reclaimed as a whole only if one PMD or four entries in a row have all of it.',
    'vmscan.ts shrink_folio: if (page_mapcount(head + i)) -> if (true) #2',
  ),
];

export const REASONS_CALLS: readonly Reason[] = [
  ...BOOKS,
  ...MAPPINGS,
  ...PROTECTION,
  ...MOVES,
  ...USERFAULTFD,
  ...RECLAIM,
];
