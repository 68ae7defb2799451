// I24, a cost and never a failure: an access took a fault that the page tables did not ask for, a call left behind what the
// next store takes a fault for, or the first touch of a THP area brought a small page.
import { HPAGE_PMD_NR } from '../mm/layout';
import { compound_head, is_special_pfn, PageAnonExclusive } from '../mm/page';
import {
  is_swap_pte, pmd_at, pmd_trans_huge, pte_dirty, pte_pfn, pte_present, pte_protnone, pte_swp_uffd_wp, pte_uffd_wp,
  pte_write,
} from '../mm/pgtable';
import {
  one_vma, vm_flags, VM_DAX, VM_HUGEPAGE, VM_SOFTDIRTY, VM_UFFD, VM_UFFD_WP, VM_WRITE,
} from '../mm/vma';
import {
  arg_mask, F_GUP_BREAK_COW, F_GUP_FORCE, F_GUP_LONGTERM, F_GUP_PIN, F_GUP_WRITE, F_MPROTECT_RW, Op, op_code,
  op_flags, op_mm, op_page, R,
} from '../ops/table';
import { alone, flags_before, frames_are_free, leaf_before, pmd_before } from './before';
import { I } from './invariants';
import { NONE, violate } from './report';
import { frame_of, leaf_of } from './structure';

/** Leaves that this op has no reason to write-protect, and left so that the next store takes a fault. detail 3. */
function check_writable(word: u32, result: u32): void {
  const mm = op_mm(word);
  const upgrades = op_code(word) == Op.MPROTECT && (op_flags(word) & F_MPROTECT_RW) != 0;
  if (result != R.OK || !(upgrades || leaves_protection(op_code(word)))) return;
  const range: u32 = upgrades ? arg_mask(op_page(word)) : 0xff;
  for (let m = range & alone(mm); m != 0; m &= m - 1) {
    const was = leaf_before(mm, ctz(m));
    const e = leaf_of(mm, ctz(m));
    if (!pte_present(e) || pte_write(e) || pte_protnone(e) || is_special_pfn(pte_pfn(e))) continue;
    if (pte_write(was) || (upgrades && upgradable(mm, ctz(m), was))) violate(I.NEEDLESS_FAULT, mm, ctz(m), NONE, 0, 0, 3);
  }
}
function leaves_protection(code: u32): bool {
  switch (code) {
    case Op.READ:
    case Op.WRITE:
    case Op.THP_SPLIT:
    case Op.SWAPOFF:
    case Op.MADV_COLD:
    case Op.MIGRATE:
    case Op.MIGRATE_END:
    case Op.COLLAPSE: return true;
  }
  return false;
}
/** A store would find it as it is, and nobody wants to hear of the first one. */
function upgradable(mm: u32, page: u32, e: u64): bool {
  const vma = vm_flags(mm, page);
  if (flags_before(mm, page) & VM_WRITE || !(vma & VM_SOFTDIRTY) || vma & VM_UFFD_WP || pte_protnone(e) || !pte_dirty(e)) return false;
  return PageAnonExclusive(pmd_trans_huge(e) ? compound_head(pte_pfn(e)) : frame_of(e, page));
}

/** `faults`: how many the op, which ran alone, took. */
export function check_faults(word: u32, result: u32, faults: u32): void {
  const mm = op_mm(word);
  const page = op_page(word);
  const code = op_code(word);
  check_writable(word, result);
  if (result != R.OK || (code != Op.READ && code != Op.WRITE && code != Op.GUP)) return;
  const e = leaf_before(mm, page);
  const flags = op_flags(word);
  if (faults != 0 && allows(code, flags, e)) violate(I.NEEDLESS_FAULT, mm, page, NONE, 0, faults, 0);
  if (faults > 1 && takes_one(code, flags, e)) violate(I.NEEDLESS_FAULT, mm, page, NONE, 1, faults, 2);
  if (code != Op.GUP && e == 0 && pmd_before(mm, page >> 2) == 0) first_touch(mm, page);
}
/** Does the entry let the access through as it is? */
function allows(code: u32, flags: u32, e: u64): bool {
  if (e == 0 || !pte_present(e) || pte_protnone(e)) return false;
  if (code == Op.READ) return true;
  if (code == Op.WRITE) return pte_write(e);
  if ((flags & (F_GUP_FORCE | F_GUP_BREAK_COW)) != 0) return false;
  return (flags & (F_GUP_WRITE | F_GUP_PIN | F_GUP_LONGTERM)) == 0 || pte_write(e);
}
/**
 * Is one fault enough? A hint, a migration or asynchronous uffd-wp is in the way before the entry is, and a pin may want a
 * page of its own.
 */
function takes_one(code: u32, flags: u32, e: u64): bool {
  if (e != 0 && (pte_present(e) ? pte_protnone(e) || pte_uffd_wp(e) : !is_swap_pte(e) || pte_swp_uffd_wp(e))) return false;
  return code != Op.GUP || (flags & (F_GUP_FORCE | F_GUP_BREAK_COW | F_GUP_PIN | F_GUP_LONGTERM)) == 0;
}
/** Where all of a huge page's place may have one and nothing is, there is to be one. detail 1. */
function first_touch(mm: u32, page: u32): void {
  const pmd = page >> 2;
  const vma = vm_flags(mm, page);
  if ((vma & (VM_HUGEPAGE | VM_DAX | VM_UFFD)) != VM_HUGEPAGE || !one_vma(mm, pmd) || !frames_are_free(HPAGE_PMD_NR)) return;
  if (!pmd_trans_huge(pmd_at(mm, pmd))) violate(I.NEEDLESS_FAULT, mm, page, NONE, 0, 0, 1);
}
