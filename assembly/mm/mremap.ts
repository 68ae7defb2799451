// mremap (mm/mremap.c): mappings move to another address, and their entries with them.
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { C, cell, Column, Residency, T, transition } from '../kernel/tables';
import { at } from '../kernel/trace';
import { __split_huge_pmd } from './huge_memory';
import { HPAGE_PMD_NR } from './layout';
import { unmap_region } from './madvise';
import { copy_vma, span } from './mmap';
import { is_special_pfn, PageCompound } from './page';
import {
  is_guard_pte_marker, is_migration_entry, is_pte_marker, is_swap_pmd,
  pfn_bits, pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_dirty, pte_mkdirty,
  pte_mkyoung, pte_pfn, pte_present, set_pmd_at, set_pte_at, _PAGE_ACCESSED, _PAGE_DIRTY, _PAGE_RW, _PAGE_SOFT_DIRTY,
  _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
} from './pgtable';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import { change_vm_flags, mm_uffd, pages_with, UFFD_EVENT_REMAP, vm_flags, VM_READ, VM_UFFD, vma_end, vma_start } from './vma';

/** Flags of a present leaf: all but the frame. */
const LEAF_FLAGS: u64 = 0x8000000000000fff;

/** vma_has_uffd_without_event_remap: the moved memory will not be registered any more. */
// @ts-ignore: decorator
@inline function loses_uffd(mm: u32, vma: u32): bool {
  return (vma & VM_UFFD) != 0 && (mm_uffd(mm) & UFFD_EVENT_REMAP) == 0;
}

/** The entry at its new address; `clear`: outside any registration. 0 = it does not arrive. */
function moved_entry(e: u64, clear: bool): u64 {
  const keeps = knob(cell(C.MREMAP, Column.UFFD_WP));
  const soft = knob(cell(C.MREMAP, Column.SOFT_DIRTY));
  if (pte_present(e)) {
    const entry = soft ? e | _PAGE_SOFT_DIRTY : e;
    return !keeps || (clear && knob(transition(T.MREMAP, Residency.PRESENT))) ? entry & ~_PAGE_UFFD_WP : entry;
  }
  if (is_pte_marker(e) && !is_guard_pte_marker(e) && (!keeps || (clear && knob(transition(T.MREMAP, Residency.MARKER))))) return 0;
  const entry = soft ? e | _PAGE_SWP_SOFT_DIRTY : e;
  const residency = is_migration_entry(e) ? Residency.MIGRATION : Residency.SWAP;
  const drops = !keeps || (clear && knob(transition(T.MREMAP, residency)));
  return drops ? entry & ~_PAGE_SWP_UFFD_WP : entry;
}
/** Has some entry of a moved table to be changed on its way? */
// @ts-ignore: decorator
@inline function clears_any(): bool {
  return knob(transition(T.MREMAP, Residency.PRESENT)) || knob(transition(T.MREMAP, Residency.SWAP)) ||
    knob(transition(T.MREMAP, Residency.MARKER)) || knob(transition(T.MREMAP, Residency.MIGRATION));
}

/** mremap_folio_pte_batch (v6.17): how many of the n entries from `page` on go together, as the first of them. */
function mremap_folio_pte_batch(mm: u32, page: u32, n: u32): u32 {
  const first = pte_at(mm, page);
  const f = pte_pfn(first);
  if (!knob(K.MREMAP_BATCHES) || !pte_present(first) || is_special_pfn(f) || !PageCompound(f)) return 1;
  let ignored: u64 = _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_SOFT_DIRTY;
  if (!knob(K.MREMAP_BATCH_RESPECTS_WRITE)) ignored |= _PAGE_RW;
  let k: u32 = 1;
  for (; k < n && ((f + k) & (HPAGE_PMD_NR - 1)) != 0; k++) {
    const e = pte_at(mm, page + k);
    if (!pte_present(e) || pte_pfn(e) != f + k || ((e ^ first) & LEAF_FLAGS & ~ignored) != 0) break;
  }
  return k;
}
/** get_and_clear_full_ptes: the first of n entries, with what the CPU has noted in any of them. */
function get_and_clear_ptes(mm: u32, page: u32, n: u32): u64 {
  let e = pte_at(mm, page);
  for (let k: u32 = 0; k < n; k++) {
    const one = pte_at(mm, page + k);
    if (k != 0 && one & _PAGE_ACCESSED) e = pte_mkyoung(e);
    if (k != 0 && pte_dirty(one)) e = pte_mkdirty(e);
    set_pte_at(mm, page + k, 0);
    if (pte_present(one) && !knob(K.MUTANT_MREMAP_SKIPS_FLUSH)) flush_tlb_page(mm, page + k);
  }
  return e;
}
function move_ptes(mm: u32, from: u32, to: u32, n: u32, clear: bool): void {
  for (let i: u32 = 0; i < n; ) {
    if (pte_at(mm, from + i) == 0) {
      i++;
      continue;
    }
    const batch = mremap_folio_pte_batch(mm, from + i, n - i);
    at(batch > 1 ? P.MOVE_BATCH : P.MOVE_PTE);
    const entry = moved_entry(get_and_clear_ptes(mm, from + i, batch), clear);
    if (entry != 0) for (let k: u32 = 0; k < batch; k++) set_pte_at(mm, to + i + k, entry + pfn_bits(k));
    i += batch;
  }
}
function move_huge_pmd(mm: u32, from: u32, to: u32, clear: bool): void {
  at(P.MOVE_HUGE_PMD);
  const e = pmd_at(mm, from);
  set_pmd_at(mm, from, 0);
  flush_pmd_tlb_range(mm, from);
  set_pmd_at(mm, to, moved_entry(e, clear));
}
/** The page table goes as it is; nobody looks into it. */
function move_normal_pmd(mm: u32, from: u32, to: u32): void {
  at(P.MOVE_NORMAL_PMD);
  set_pmd_at(mm, from, 0);
  set_pmd_at(mm, to, _PAGE_TABLE);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    set_pte_at(mm, (to << 2) + i, pte_at(mm, (from << 2) + i));
    set_pte_at(mm, (from << 2) + i, 0);
  }
  flush_pmd_tlb_range(mm, from);
}
/** The entries of [first, first + n) go to [to, to + n), extent by extent: none crosses a PMD on either side. */
function move_page_tables(mm: u32, first: u32, n: u32, to: u32, clear: bool): void {
  for (let done: u32 = 0; done < n; ) {
    const from = first + done;
    const there = to + done;
    let extent = min<u32>(n - done, HPAGE_PMD_NR - (from & 3));
    extent = min<u32>(extent, HPAGE_PMD_NR - (there & 3));
    done += extent;
    const e = pmd_at(mm, from >> 2);
    if (pmd_none(e)) continue;
    const whole = extent == HPAGE_PMD_NR && pmd_none(pmd_at(mm, there >> 2));
    if (pmd_trans_huge(e) || is_swap_pmd(e)) {
      if (whole) {
        move_huge_pmd(mm, from >> 2, there >> 2, clear);
        continue;
      }
      __split_huge_pmd(mm, from >> 2);
    } else if (whole && knob(K.MREMAP_MOVES_TABLES) && !(clear && clears_any())) {
      move_normal_pmd(mm, from >> 2, there >> 2);
      continue;
    }
    if (pmd_none(pmd_at(mm, there >> 2))) set_pmd_at(mm, there >> 2, _PAGE_TABLE);
    move_ptes(mm, from, there, extent, clear);
  }
}

/** move_vma: [first, first + n), which lies in one VMA, to the free pages from `to` on. */
function move_vma(mm: u32, first: u32, n: u32, to: u32): void {
  at(P.MOVE_VMA);
  const flags = vm_flags(mm, first);
  const clear = loses_uffd(mm, flags);
  const early = clear && !knob(K.MREMAP_RESETS_MERGED);
  copy_vma(mm, first, n, to, early ? flags & ~VM_UFFD : flags);
  move_page_tables(mm, first, n, to, clear);
  if (clear && !early) mremap_userfaultfd_prep(mm, to);
  unmap_region(mm, span(first, first + n));
}
/** The new VMA leaves the registration: as a whole, with whatever it has merged with. */
function mremap_userfaultfd_prep(mm: u32, page: u32): void {
  const vma = span(vma_start(mm, page), vma_end(mm, page));
  if (vma != span(page, vma_end(mm, page))) at(P.MREMAP_RESETS_NEIGHBOUR);
  change_vm_flags(mm, vma, 0, VM_UFFD);
}
function unmap_target(mm: u32, to: u32, n: u32): void {
  const mapped = pages_with(mm, span(to, to + n), VM_READ, 0);
  if (mapped != 0) unmap_region(mm, mapped);
}

/** Result of mremap: -EFAULT. */
export const MREMAP_EFAULT: u32 = 0x100;
/**
 * Moves the pages of `mask`, the first of which is mapped, to those from `to` on. Returns bits: 0..3 the pages moved,
 * 4..7 the pages of the target that were unmapped, from the first; MREMAP_EFAULT.
 */
export function mremap(mm: u32, mask: u32, to: u32): u32 {
  const first = ctz(mask);
  const n = popcnt(mask);
  if (!knob(K.MREMAP_MOVES_SEVERAL)) {
    unmap_target(mm, to, n);
    const zapped = ((1 << n) - 1) << 4;
    if (vma_end(mm, first) < first + n) {
      at(P.MREMAP_SEVERAL);
      return zapped | MREMAP_EFAULT;
    }
    move_vma(mm, first, n, to);
    return zapped | (zapped >> 4);
  }
  return remap_move(mm, first, first + n, to);
}
/** v6.17: VMA by VMA, holes between them included; one that is registered with a uffd moves only alone. */
function remap_move(mm: u32, first: u32, end: u32, to: u32): u32 {
  let moved: u32 = 0;
  for (let page = first; page < end; ) {
    const vma = vm_flags(mm, page);
    if (!(vma & VM_READ)) {
      page++;
      continue;
    }
    const last = vma_end(mm, page);
    if (vma & VM_UFFD && (page != first || last < end)) {
      at(P.MREMAP_SEVERAL);
      return moved | (moved << 4) | MREMAP_EFAULT;
    }
    const n = min<u32>(last, end) - page;
    const there = to + page - first;
    unmap_target(mm, there, n);
    move_vma(mm, page, n, there);
    moved |= span(page - first, page - first + n);
    page += n;
  }
  return moved | (moved << 4);
}
