// clear_refs: soft-dirty starts over (fs/proc/task_mmu.c).
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { MM_HAS_PINNED, NR_PMDS } from './layout';
import { migration_entry_wrprotect } from './migrate';
import { is_special_pfn, page_maybe_dma_pinned } from './page';
import {
  is_migration_entry, is_pte_marker, is_swap_pmd, mm_at, pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_pfn,
  pte_present, pte_write, pte_wrprotect,
  set_pmd_at, set_pte_at, _PAGE_SOFT_DIRTY, _PAGE_SWP_SOFT_DIRTY,
} from './pgtable';
import { flush_tlb_mm } from './tlb';
import { change_vm_flags, VM_SOFTDIRTY } from './vma';

/** A page that may be pinned must keep its write bit, or the next store would copy it away from the pin. */
function pte_is_pinned(mm: u32, e: u64): bool {
  if (!pte_write(e) || load<u8>(mm_at(mm), MM_HAS_PINNED) == 0) return false;
  const f = pte_pfn(e);
  return !is_special_pfn(f) && page_maybe_dma_pinned(f);
}

function clear_soft_dirty(mm: u32, page: u32, e: u64): void {
  if (pte_present(e)) {
    if (knob(K.CLEAR_REFS_SKIPS_PINNED) && pte_is_pinned(mm, e)) {
      at(P.CLEAR_REFS_PINNED);
      return;
    }
    at(P.CLEAR_SOFT_DIRTY);
    set_pte_at(mm, page, pte_wrprotect(e) & ~_PAGE_SOFT_DIRTY);
  } else if (!is_pte_marker(e) || e & _PAGE_SWP_SOFT_DIRTY) set_pte_at(mm, page, clear_swap_soft_dirty(e));
}
/** A writable migration entry stays so: what comes of it is clean and writable, and the next store is not noticed. */
function clear_swap_soft_dirty(e: u64): u64 {
  const downgrade = knob(K.CLEAR_REFS_DOWNGRADES_MIGRATION) && is_migration_entry(e);
  return (downgrade ? migration_entry_wrprotect(e) : e) & ~_PAGE_SWP_SOFT_DIRTY;
}

export function clear_refs_write(mm: u32): void {
  change_vm_flags(mm, 0xff, 0, VM_SOFTDIRTY);
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    const upper = pmd_at(mm, pmd);
    if (pmd_none(upper)) continue;
    if (is_swap_pmd(upper)) {
      set_pmd_at(mm, pmd, clear_swap_soft_dirty(upper));
      continue;
    }
    if (pmd_trans_huge(upper)) {
      at(P.CLEAR_SOFT_DIRTY_PMD);
      set_pmd_at(mm, pmd, pte_wrprotect(upper) & ~_PAGE_SOFT_DIRTY);
      continue;
    }
    for (let page = pmd << 2; page < (pmd << 2) + 4; page++) {
      const e = pte_at(mm, page);
      if (e != 0) clear_soft_dirty(mm, page, e);
    }
  }
  if (knob(K.CLEAR_REFS_FLUSHES)) flush_tlb_mm(mm);
}
