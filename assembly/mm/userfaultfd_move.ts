// UFFDIO_MOVE (mm/userfaultfd.c, mm/huge_memory.c): anonymous pages go to empty entries of a registered VMA, without a copy.
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, carried, cell, Column } from '../kernel/tables';
import { at } from '../kernel/trace';
import { __split_huge_pmd, split_huge_page } from './huge_memory';
import { HPAGE_PMD_NR } from './layout';
import { anon_vma_prepare } from './mmap';
import { compound_head, is_special_pfn, page_maybe_dma_pinned, PageAnonExclusive, PageCompound, ZERO_PFN } from './page';
import {
  is_swap_pte, pfn_bits, pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_dirty, pte_mkdirty, pte_mkwrite, pte_pfn,
  pte_present, pte_swp_exclusive, set_pmd_at, set_pte_at, _PAGE_PSE, _PAGE_SOFT_DIRTY, _PAGE_SPECIAL, _PAGE_SWP_SOFT_DIRTY,
  _PAGE_SWP_UFFD_WP, _PAGE_TABLE,
} from './pgtable';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import { vm_flags, VM_PAGE_PROT, VM_UFFD, VM_UFFD_WP, vma_end, VM_WRITE } from './vma';

// How a step ended; the caller is told no more than that it did not.
const MOVED: u32 = 0;
const FAILED: u32 = 1;
/** Look again: the huge page was split. */
const AGAIN: u32 = 2;

/** The leaf at the new address: writable whatever it was, for the page is this process's alone. */
function moved_leaf(e: u64, to_vma: u32, prot: u64): u64 {
  let entry = prot | pfn_bits(pte_pfn(e));
  if (knob(cell(C.MOVE_PRESENT, Column.SOFT_DIRTY))) entry |= _PAGE_SOFT_DIRTY;
  if (knob(K.MOVE_MARKS_DIRTY) || pte_dirty(e)) entry = pte_mkdirty(entry);
  const kept: u64 = to_vma & VM_UFFD_WP ? carried(C.MOVE_PRESENT, e) & ~_PAGE_SOFT_DIRTY : 0;
  return kept ? entry | kept : pte_mkwrite(entry);
}

function move_present_pte(mm: u32, from: u32, to: u32, e: u64): u32 {
  const f = pte_pfn(e);
  if (page_maybe_dma_pinned(f) && !knob(K.MUTANT_MOVE_IGNORES_PINS)) {
    at(P.UFFD_MOVE_BUSY);
    return FAILED;
  }
  at(P.UFFD_MOVE_PRESENT);
  set_pte_at(mm, from, 0);
  flush_tlb_page(mm, from);
  set_pte_at(mm, to, moved_leaf(e, vm_flags(mm, to), VM_PAGE_PROT));
  return MOVED;
}
function move_zeropage_pte(mm: u32, from: u32, to: u32): u32 {
  at(P.UFFD_MOVE_ZERO);
  set_pte_at(mm, from, 0);
  flush_tlb_page(mm, from);
  set_pte_at(mm, to, VM_PAGE_PROT | _PAGE_SPECIAL | pfn_bits(ZERO_PFN));
  return MOVED;
}
/** A swap entry goes as it is. */
function move_swap_pte(mm: u32, from: u32, to: u32, e: u64): u32 {
  if (!pte_swp_exclusive(e)) {
    at(P.UFFD_MOVE_BUSY);
    return FAILED;
  }
  at(P.UFFD_MOVE_SWAP);
  let entry = knob(cell(C.MOVE_SWAP, Column.UFFD_WP)) ? e : e & ~_PAGE_SWP_UFFD_WP;
  if (knob(cell(C.MOVE_SWAP, Column.SOFT_DIRTY))) entry |= _PAGE_SWP_SOFT_DIRTY;
  set_pte_at(mm, from, 0);
  set_pte_at(mm, to, entry);
  return MOVED;
}
function move_pages_pte(mm: u32, from: u32, to: u32): u32 {
  const e = pte_at(mm, from);
  if (pte_at(mm, to) != 0 || e == 0) {
    at(P.UFFD_MOVE_REFUSED);
    return FAILED;
  }
  if (!pte_present(e)) return is_swap_pte(e) ? move_swap_pte(mm, from, to, e) : FAILED;
  const f = pte_pfn(e);
  if (is_special_pfn(f)) return move_zeropage_pte(mm, from, to);
  // Of a large folio the first page is asked, until it is split.
  if (!PageAnonExclusive(compound_head(f)) && !knob(K.MUTANT_MOVE_SHARED)) {
    at(P.UFFD_MOVE_BUSY);
    return FAILED;
  }
  if (PageCompound(f)) return split_huge_page(compound_head(f), false) ? AGAIN : FAILED;
  return move_present_pte(mm, from, to, e);
}

/** The whole of a PMD, to a PMD that maps nothing. */
function move_pages_huge_pmd(mm: u32, from: u32, to: u32, e: u64): u32 {
  const head = pte_pfn(e);
  const special = is_special_pfn(head);
  if (!special && (page_maybe_dma_pinned(head) || !PageAnonExclusive(head))) {
    at(P.UFFD_MOVE_BUSY);
    return FAILED;
  }
  at(P.UFFD_MOVE_HUGE_PMD);
  set_pmd_at(mm, from, 0);
  flush_pmd_tlb_range(mm, from);
  const prot = VM_PAGE_PROT | _PAGE_PSE;
  if (special) set_pmd_at(mm, to, prot | pfn_bits(head));
  else set_pmd_at(mm, to, moved_leaf(pte_mkdirty(e), vm_flags(mm, to << 2), prot));
  return MOVED;
}

/** One page, or PMD, at a time: [from, from + n) to [to, to + n). Returns how many came there. */
function move_pages(mm: u32, from: u32, n: u32, to: u32): u32 {
  for (let done: u32 = 0; done < n; ) {
    const page = from + done;
    const there = to + done;
    const upper = pmd_at(mm, page >> 2);
    const target = pmd_at(mm, there >> 2);
    if (pmd_trans_huge(target) || pmd_none(upper)) {
      at(P.UFFD_MOVE_REFUSED);
      return done;
    }
    let step: u32 = 1;
    let ret = AGAIN;
    if (pmd_trans_huge(upper)) {
      if ((page & 3) == 0 && (there & 3) == 0 && n - done >= HPAGE_PMD_NR && pmd_none(target)) {
        ret = move_pages_huge_pmd(mm, page >> 2, there >> 2, upper);
        step = HPAGE_PMD_NR;
      } else if (!is_special_pfn(pte_pfn(upper)) && !PageAnonExclusive(pte_pfn(upper))) {
        at(P.UFFD_MOVE_BUSY);
        return done;
      } else __split_huge_pmd(mm, page >> 2);
    } else {
      if (pmd_none(target)) set_pmd_at(mm, there >> 2, _PAGE_TABLE);
      ret = move_pages_pte(mm, page, there);
    }
    if (ret == FAILED) return done;
    if (ret == MOVED) done += step;
  }
  return n;
}

/** Each in one VMA, writable both, and somebody waits for pages at the target. */
function validate_move_areas(mm: u32, from: u32, n: u32, to: u32): bool {
  if (vma_end(mm, from) < from + n || vma_end(mm, to) < to + n) return false;
  const source = vm_flags(mm, from);
  const target = vm_flags(mm, to);
  return (source & target & VM_WRITE) != 0 && (target & VM_UFFD) != 0;
}
/** The n pages from `from` on, mapped as those from `to` on are. Returns how many moved. */
export function uffd_move(mm: u32, from: u32, n: u32, to: u32): u32 {
  if (!knob(K.UFFDIO_MOVE)) return 0;
  anon_vma_prepare(mm, to);
  if (!validate_move_areas(mm, from, n, to)) {
    at(P.UFFD_MOVE_REFUSED);
    return 0;
  }
  return move_pages(mm, from, n, to);
}
