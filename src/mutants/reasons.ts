// Why nobody can notice a mutant that survives. A row is about the mutants of one place; what has no row is an open question.
import { equivalent, type Reason } from './reason.js';
import { REASONS_CALLS } from './reasons-calls.js';
import { REASONS_FAULTS } from './reasons-faults.js';
import type { Mutant } from './types.js';

const ENFORCED_COW = ['break_opt_out', 'break_pin_only', 'faultin_passes_bc'].map((knob) => `+gup.${knob}`);
const BREAK_COW = ['fault.bc_pte', 'fault.bc_pmd', 'fault.bc_pud', 'swapin.bc'].map((knob) => `+${knob}`);

const BASIC: readonly Reason[] = [
  equivalent(
    'A leaf with uffd-wp lies in a registered VMA only, since unregister and close clear it: a write there is an event and never gets to the copy or the reuse.',
    '+copy.keeps_uffd_wp',
    '+wp_reuse.keeps_wp',
    '+wp_pmd_reuse.keeps_wp',
  ),
  equivalent(
    'Without gup.as_write and gup.break_cow no call breaks COW, so no flag of that kind is passed on, looked for or restricted.',
    ...ENFORCED_COW,
    ...BREAK_COW,
    '+follow_pte.checks_bc',
    '+follow_pmd.checks_bc',
  ),
  equivalent(
    'With follow.force_exclusive the lookup has decided before it asks for this.',
    '-follow.cow_needs_force',
    '-follow_pmd.accepts_cow',
  ),
  equivalent(
    'Without FAULT_FLAG_BREAK_COW only a write or an unshare fault gets there, and an unshare fault is let through before.',
    '-wp.event_needs_write',
    '-wp_pmd.event_needs_write',
    'memory.ts wp_huge_pmd: !knob(K.WP_PMD_EVENT_NEEDS_WRITE) || flags & FAULT_FLAG_WRITE -> flags & FAULT_FLAG_WRITE',
    'memory.ts do_wp_page: !knob(K.WP_EVENT_NEEDS_WRITE) || flags & FAULT_FLAG_WRITE -> flags & FAULT_FLAG_WRITE',
  ),
  equivalent(
    'Only a kernel without PageAnonExclusive asks this way for the owner of a page.',
    '-reuse.page_count',
    '-reuse.swapcache_aware',
  ),
  equivalent(
    'The merged VMA is soft-dirty if any part was, with vma.merge_keeps_soft_dirty: whose flags it began with is in that sum.',
    '-vma.uffd_merge_leaves_flags',
  ),
  equivalent('With reuse.large_folio large folios are decided before.', '-reuse.never_large'),
  equivalent(
    'With madv_free.folio_batch and pageout.folio_batch the whole of a large folio is asked, no single page.',
    '+madv_free.asks_first_page',
    '+pageout.asks_first_page',
  ),
  equivalent(
    'Every kernel that has unshare faults has wp.event_needs_write as well, and an unshare fault is no write: the event is passed over one line further down.',
    'memory.ts wp_huge_pmd: !(flags & FAULT_FLAG_UNSHARE) && vma & VM_UFFD_WP -> vma & VM_UFFD_WP',
    'memory.ts do_wp_page: !unshare && vma & VM_UFFD_WP -> vma & VM_UFFD_WP',
  ),
  equivalent(
    'The huge PUD of a private file is read-only, and a load through it takes no fault: only what wants to write gets there.',
    'memory.ts handle_pud_fault: if (flags & write_like(knob(K.FAULT_BC_PUD)) && !pte_write(pud)) -> if (true)',
    'memory.ts handle_pud_fault: flags & write_like(knob(K.FAULT_BC_PUD)) && !pte_write(pud) -> *',
  ),
  equivalent(
    'None is no marker.',
    'memory.ts do_anonymous_page: orig != 0 && pte_marker_uffd_wp(orig) -> pte_marker_uffd_wp(orig)',
  ),
  equivalent(
    'A marker that a fault gets to is one of uffd-wp.',
    'memory.ts do_anonymous_page: orig != 0 && pte_marker_uffd_wp(orig) -> orig != 0',
  ),
  equivalent(
    'The page is mapped here, so its only reference is that of this mapping.',
    'memory.ts wp_can_reuse_page: page_count_batched(f) == 1 && page_mapcount(f) == 1 -> page_count_batched(f) == 1',
  ),
  equivalent(
    'A quick way out, as in the kernel: more than three references are more than one and the swap cache, which the next line asks.',
    'memory.ts wp_can_reuse_anon_folio: if (refs > 3) -> if (false)',
  ),
  equivalent(
    'try_to_free_swap does nothing for a page that is not in the swap cache.',
    'memory.ts wp_can_reuse_anon_folio: if (cached) -> if (true)',
  ),
  equivalent(
    'No kernel of the table has wp_reuse.keeps_wp: it is a cure for those of 2020.',
    'memory.ts wp_page_reuse: if (knob(K.WP_REUSE_KEEPS_WP) && pte_uffd_wp(e)) -> if (false)',
    'memory.ts wp_page_reuse: knob(K.WP_REUSE_KEEPS_WP) && pte_uffd_wp(e) -> knob(K.WP_REUSE_KEEPS_WP)',
    'memory.ts wp_page_reuse: pte_uffd_wp(e) -> !(pte_uffd_wp(e))',
  ),
  equivalent(
    'The zero pages and the file hold what a new page holds, and nothing is counted of them.',
    'memory.ts wp_page_copy: if (!is_special_pfn(old) && !knob(K.MUTANT_COPY_FORGETS_CONTENT)) -> if (true)',
    'memory.ts wp_page_copy_install: if (!is_special_pfn(old)) -> if (true)',
  ),
  equivalent(
    'Kernels that map writable on a read clear uffd-wp from swap entries of what is not registered any more.',
    'memory.ts do_swap_page: (vma & VM_UFFD_WP) != 0 && (kept & _PAGE_UFFD_WP) != 0 -> (kept & _PAGE_UFFD_WP) != 0',
  ),
  equivalent('Part of a seeded mutant, which no kernel has.', 'mprotect.ts copy_write_bit: *'),
  equivalent(
    'No kernel of the table has gupfast_only.read_needs_write: it was a stable backport, reverted.',
    'gup.ts gup_fast: if (knob(K.GUPFAST_ONLY_NEEDS_WRITE) && only) -> if (false)',
    'gup.ts gup_fast: knob(K.GUPFAST_ONLY_NEEDS_WRITE) && only -> knob(K.GUPFAST_ONLY_NEEDS_WRITE)',
    'gup.ts gup_fast: only -> !(only)',
  ),
  equivalent(
    'The entry that a broken COW left is dirty.',
    'gup.ts can_follow_write: (foll & FOLL_COW) != 0 && pte_dirty(e) -> (foll & FOLL_COW) != 0',
  ),
  equivalent(
    'The huge PUD of a private file is read-only.',
    'gup.ts follow_page_mask: foll & FOLL_WRITE && !pte_write(pud) -> foll & FOLL_WRITE',
  ),
  equivalent(
    'PageAnonExclusive and the cells that carry it came in one release.',
    'huge_memory.ts split_huge_pmd_locked: PageAnonExclusive(head) && knob(cell(C.SPLIT, Column.EXCLUSIVE)) -> PageAnonExclusive(head)',
    'swapfile.ts unuse_pte: knob(K.REUSE_SWAPIN_EXCLUSIVE) && knob(cell(C.UNUSE, Column.EXCLUSIVE)) -> *',
    'swapfile.ts unuse_pte: knob(K.REUSE_SWAPIN_EXCLUSIVE) && knob(cell(C.UNUSE, Column.EXCLUSIVE)) && pte_swp_exclusive(e) -> pte_swp_exclusive(e)',
    'vmscan.ts try_to_unmap_one: if (knob(cell(C.SWAPOUT, Column.EXCLUSIVE))) -> if (true)',
  ),
  equivalent(
    'Every kernel of the table that upgrades has upgrade.honours_soft_dirty.',
    'mprotect.ts can_change_pte_writable: (vma & VM_SOFTDIRTY) != 0 -> (vma & VM_SOFTDIRTY) == 0',
  ),
  equivalent(
    'A check of the books themselves, for a kernel that miscounts: none of the table does.',
    'page.ts put_page: if (refs == 0) -> if (false)',
    'page.ts free_folio: if (total_mapcount(head) != 0 || page_pins(head) != 0 || page_swap(head) != 0) -> if (false)',
    'page.ts free_folio: total_mapcount(head) != 0 || page_pins(head) != 0*',
    'page.ts page_remove_rmap: if (n == 0) -> if (false)',
    'observe.ts observe: if (n < OBS_MAX) -> if (true)',
  ),
  equivalent(
    'Whoever calls it has asked whether the frame is special.',
    'page.ts page_add_rmap: if (is_special_pfn(f)) -> if (false)',
    'page.ts page_remove_rmap: if (is_special_pfn(f)) -> if (false)',
    'page.ts page_add_rmap_pmd: if (is_special_pfn(head)) -> if (false)',
    'page.ts page_remove_rmap_pmd: if (is_special_pfn(head)) -> if (false)',
  ),
  equivalent(
    'Whoever calls it has seen that the page is in the swap cache.',
    'swapfile.ts try_to_free_swap: slot1 == 0 || swap_count(slot1 - 1) != 0 -> swap_count(slot1 - 1) != 0',
  ),
  equivalent(
    'Nobody counts the pins of a special frame.',
    'task_mmu.ts pte_is_pinned: !is_special_pfn(f) && page_maybe_dma_pinned(f) -> page_maybe_dma_pinned(f)',
  ),
  equivalent(
    'No marker has a soft-dirty bit.',
    'task_mmu.ts clear_soft_dirty: !is_pte_marker(e) || e & _PAGE_SWP_SOFT_DIRTY -> !is_pte_marker(e)',
  ),
];

export const REASONS: readonly Reason[] = [...BASIC, ...REASONS_FAULTS, ...REASONS_CALLS];

function isAbout(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Patterns of reasons that are about none of these mutants: what they explained is noticed now, or gone. */
export function staleReasons(survivors: readonly Pick<Mutant, 'name'>[]): string[] {
  const patterns = REASONS.flatMap(({ of }) => of);
  return patterns.filter((pattern) => !survivors.some(({ name }) => isAbout(pattern, name)));
}

export function reasonFor({ name }: Pick<Mutant, 'name'>): Reason | undefined {
  return REASONS.find(({ of }) => of.some((pattern) => isAbout(pattern, name)));
}
