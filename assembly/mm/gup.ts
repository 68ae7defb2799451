// get_user_pages (mm/gup.c): the lookup, the fault it asks for, the loop around both, and GUP-fast.
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import {
  F_GUP_BREAK_COW, F_GUP_DONT_COW, F_GUP_FAST_ONLY, F_GUP_FORCE, F_GUP_LONGTERM, F_GUP_PIN, F_GUP_WRITE,
} from '../ops/table';
import { handle_mm_fault } from './memory';
import { DAX_PFN, is_special_pfn, PageAnonExclusive, set_page_dirty } from './page';
import {
  pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_dirty, pte_mkdirty, pte_mkyoung, pte_pfn, pte_present, pte_protnone,
  pte_soft_dirty, pte_special, pte_uffd_wp, pte_write, pud_at, set_pmd_at, _PAGE_PRESENT, _PAGE_PSE,
} from './pgtable';
import { is_cow_mapping, vm_flags, VM_SOFTDIRTY, VM_UFFD_WP, VM_WRITE } from './vma';
import { FAULT_FLAG_BREAK_COW, FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, VM_FAULT_WRITE } from './vmf';

// FOLL_* of the loop: the caller's flags (ops/table.ts, bits 0..8), then internal ones.
const FOLL_WRITE: u32 = F_GUP_WRITE;
const FOLL_PIN: u32 = F_GUP_PIN;
const FOLL_LONGTERM: u32 = F_GUP_LONGTERM;
const FOLL_FORCE: u32 = F_GUP_FORCE;
export const FOLL_BREAK_COW: u32 = 0x200;
/** COW was broken for a FOLL_FORCE write, so a read-only dirty entry will do (until v5.19). */
export const FOLL_COW: u32 = 0x400;
/** The last lookup wants an unshare fault. */
const FOLL_UNSHARE: u32 = 0x800;

export const NO_FRAME: u32 = 0xff;
const MUST_UNSHARE: u32 = 0xfe;

const BUFFER: u32 = FOLL_WRITE | FOLL_PIN | FOLL_LONGTERM;
/** A pin as io_uring takes it for a registered buffer. */
// @ts-ignore: decorator
@inline export function is_buffer(foll: u32): bool {
  return (foll & BUFFER) == BUFFER;
}
/** FOLL_TOUCH: what the lookup finds was used. */
// @ts-ignore: decorator
@inline function touches(foll: u32): bool {
  return (foll & (FOLL_PIN | FOLL_LONGTERM)) != (FOLL_PIN | FOLL_LONGTERM) || knob(K.GUP_LONGTERM_TOUCHES);
}
/** Enforced COW (v5.8 and the 2020 proposals): which calls break COW before they take a page. */
function should_force_cow_break(vma: u32, foll: u32): bool {
  if (!is_cow_mapping(vma) || foll & FOLL_WRITE) return false;
  if (knob(K.GUP_BREAK_OPT_OUT) && foll & F_GUP_DONT_COW) return false;
  return !knob(K.GUP_BREAK_PIN_ONLY) || (foll & FOLL_PIN) != 0;
}
/** The caller's flags as the GUP loop uses them. */
export function gup_flags(vma: u32, flags: u32): u32 {
  let foll = flags;
  if (knob(K.GUP_AS_WRITE) && should_force_cow_break(vma, foll)) {
    at(P.GUP_AS_WRITE);
    foll |= FOLL_WRITE;
  }
  if (knob(K.GUP_BREAK_COW) && (should_force_cow_break(vma, foll) || (flags & F_GUP_BREAK_COW && is_cow_mapping(vma)))) {
    at(P.GUP_BREAK_COW);
    foll |= FOLL_BREAK_COW;
  }
  return foll;
}

/** A read-only pin of something that is not exclusively ours must be preceded by an unshare fault (v5.19+). */
function gup_must_unshare(vma: u32, foll: u32, f: u32): bool {
  if (!knob(K.GUP_UNSHARE) || !(foll & FOLL_PIN) || foll & FOLL_WRITE) return false;
  if (is_special_pfn(f)) return knob(K.GUP_UNSHARE_LONGTERM) && foll & FOLL_LONGTERM && is_cow_mapping(vma);
  return !PageAnonExclusive(f);
}

/** May a write through a read-only leaf go ahead (FOLL_FORCE, or COW done)? */
function can_follow_write(vma: u32, foll: u32, e: u64, huge: bool): bool {
  if (pte_write(e)) return true;
  if (knob(K.FOLLOW_FORCE_EXCLUSIVE)) {
    if (!(foll & FOLL_FORCE) || vma & VM_WRITE) return false;
    const f = pte_pfn(e);
    if (is_special_pfn(f) || !PageAnonExclusive(f)) return false;
    if (!(vma & VM_SOFTDIRTY) && !pte_soft_dirty(e)) return false;
    return !(vma & VM_UFFD_WP && pte_uffd_wp(e));
  }
  if (huge && !knob(K.FOLLOW_PMD_COW)) return false;
  if (knob(K.FOLLOW_COW_NEEDS_FORCE) && !(foll & FOLL_FORCE)) return false;
  return (foll & FOLL_COW) != 0 && pte_dirty(e);
}

/** Shared by the PTE and the PMD lookup: the frame of leaf `e`, NO_FRAME or MUST_UNSHARE. */
function follow_leaf(vma: u32, foll: u32, e: u64, huge: bool): u32 {
  if (pte_protnone(e) && !(foll & FOLL_FORCE)) {
    at(P.FOLLOW_PROTNONE);
    return NO_FRAME;
  }
  const checks_bc = huge ? knob(K.FOLLOW_PMD_CHECKS_BC) : knob(K.FOLLOW_PTE_CHECKS_BC);
  const wants_write = foll & FOLL_WRITE || (checks_bc && foll & FOLL_BREAK_COW);
  if (wants_write && !can_follow_write(vma, foll, e, huge)) {
    at(huge ? P.FOLLOW_PMD_READONLY : P.FOLLOW_PTE_READONLY);
    return NO_FRAME;
  }
  const f = pte_pfn(e);
  if (!pte_write(e) && gup_must_unshare(vma, foll, f)) {
    at(huge ? P.FOLLOW_PMD_UNSHARE : P.FOLLOW_PTE_UNSHARE);
    return MUST_UNSHARE;
  }
  at(huge ? P.FOLLOW_PMD_ACCEPT : P.FOLLOW_PTE_ACCEPT);
  return f;
}

function follow_page_mask(mm: u32, page: u32, foll: u32): u32 {
  const vma = vm_flags(mm, page);
  const pud = pud_at(mm);
  if (pud & _PAGE_PSE) {
    if (foll & FOLL_WRITE && !pte_write(pud)) return NO_FRAME;
    at(P.FOLLOW_DEVMAP_PUD);
    return DAX_PFN;
  }
  const pmd = pmd_at(mm, page >> 2);
  if (pmd_none(pmd)) return NO_FRAME;
  if (pmd_trans_huge(pmd)) {
    const f = follow_leaf(vma, foll, pmd, true);
    if (f >= MUST_UNSHARE) return f;
    if (!touches(foll)) return f + (page & 3);
    // touch_pmd: dirty only for a write (huge Dirty COW, a8f97366452e).
    const touched = foll & FOLL_WRITE ? pte_mkdirty(pte_mkyoung(pmd)) : pte_mkyoung(pmd);
    if (touched != pmd) set_pmd_at(mm, page >> 2, touched);
    return f + (page & 3);
  }
  const e = pte_at(mm, page);
  if (!pte_present(e)) {
    at(P.FOLLOW_ABSENT);
    return NO_FRAME;
  }
  const f = follow_leaf(vma, foll, e, false);
  if (f < MUST_UNSHARE && foll & FOLL_WRITE && !pte_dirty(e) && touches(foll)) set_page_dirty(f);
  return f;
}

/** One look: the frame, or NO_FRAME and the flags (with the wish to unshare) for faultin_page in `gup_wish`. */
export let gup_wish: u32 = 0;
export function gup_lookup(mm: u32, page: u32, foll: u32): u32 {
  const f = follow_page_mask(mm, page, foll);
  if (f == MUST_UNSHARE) {
    gup_wish = foll | FOLL_UNSHARE;
    return NO_FRAME;
  }
  gup_wish = foll;
  return f;
}

/** FOLL_* -> FAULT_FLAG_*, and the fault. */
export function faultin_page(mm: u32, page: u32, foll: u32): u32 {
  count(N.GUP_RETRIES);
  let flags: u32 = 0;
  if (foll & FOLL_WRITE) flags |= FAULT_FLAG_WRITE;
  if (foll & FOLL_BREAK_COW && knob(K.FAULTIN_PASSES_BC)) {
    at(P.FAULTIN_BREAK_COW);
    flags |= FAULT_FLAG_BREAK_COW;
  }
  if (foll & FOLL_UNSHARE) flags |= FAULT_FLAG_UNSHARE;
  return handle_mm_fault(mm, page, flags);
}
/** After a fault: a completed COW in a read-only VMA is remembered for the next lookup. */
export function foll_after_fault(mm: u32, page: u32, foll: u32, ret: u32): u32 {
  if (ret & VM_FAULT_WRITE && !(vm_flags(mm, page) & VM_WRITE)) {
    at(P.FAULTIN_COW_DONE);
    return foll | FOLL_COW;
  }
  return foll;
}

/** The lockless walk; knows no VMA. Returns the frame or NO_FRAME. */
export function gup_fast(mm: u32, page: u32, flags: u32): u32 {
  const only = (flags & F_GUP_FAST_ONLY) != 0;
  let write = (flags & FOLL_WRITE) != 0;
  if (knob(K.GUPFAST_READ_NEEDS_WRITE) && !only) write = true;
  if (knob(K.GUPFAST_PIN_NEEDS_WRITE) && flags & FOLL_PIN) write = true;
  if (knob(K.GUPFAST_ONLY_NEEDS_WRITE) && only) write = true;
  const pmd = pmd_at(mm, page >> 2);
  if (pmd_none(pmd)) return NO_FRAME;
  const huge = pmd_trans_huge(pmd);
  const e = huge ? pmd : pte_at(mm, page);
  if (!(e & _PAGE_PRESENT) || (!huge && pte_special(e)) || (write && !pte_write(e))) {
    at(P.GUP_FAST_STOPS);
    return NO_FRAME;
  }
  const f = pte_pfn(e);
  // Without a VMA a zero page counts as something to unshare for a long-term pin.
  if (!pte_write(e) && gup_must_unshare(vm_flags(mm, page), flags, f)) {
    at(P.GUP_FAST_UNSHARE);
    return NO_FRAME;
  }
  at(P.GUP_FAST_ACCEPT);
  return huge ? f + (page & 3) : f;
}
