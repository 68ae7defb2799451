// I23, a cost and never a failure: a call that nothing stood in the way of did not do what it is for. Wherever that is not
// certain, nothing is judged.
import { K, knob } from '../kernel/knobs';
import { HPAGE_PMD_NR, NR_FRAMES, NR_MMS, NR_PAGES, NR_PMDS, NR_SLOTS, SWAP_CACHE, SWAP_COUNT } from '../mm/layout';
import { CLONED } from '../mm/mmap';
import {
  compound_head, is_special_pfn, page_flags, page_version, PageAnonExclusive, PageCompound, PageKsm, PG_LAZYFREE,
} from '../mm/page';
import {
  is_swap_pte, pmd_at, pmd_trans_huge, pte_dirty, pte_pfn, pte_present, pte_uffd_wp, pte_write, swp_offset,
  _PAGE_ACCESSED,
} from '../mm/pgtable';
import {
  anon_vma, mm_alive, one_vma, vm_flags, vma_shift, vma_starts, VM_DAX, VM_MERGEABLE, VM_READ, VM_SOFTDIRTY, VM_UFFD,
  VM_UFFD_WP, VM_WRITE,
} from '../mm/vma';
import { arg_first, arg_mask, F_COPY_WP, Op, op_code, op_flags, op_mm, op_page, op_target, R } from '../ops/table';
import {
  alone, discardable, flags_before, frames_are_free, leaf_before, pmd_before, redirtied,
} from './before';
import { I } from './invariants';
import { NONE, violate } from './report';
import { frame_of, leaf_of } from './structure';

function in_vain(mm: u32, page: u32): void {
  violate(I.CALL_IN_VAIN, mm, page, NONE, 0, 0, 0);
}
function slot_is_free(): bool {
  for (let slot: usize = 0; slot < NR_SLOTS; slot++) {
    if (load<u8>(SWAP_COUNT + slot) == 0 && load<u8>(SWAP_CACHE + slot) == 0) return true;
  }
  return false;
}
/** Pages of `mask` that were alone; of a huge page only if all of it is in the mask. */
function whole(mm: u32, mask: u32): u32 {
  let pages = mask & alone(mm);
  for (let m = pages; m != 0; m &= m - 1) {
    const page = ctz(m);
    const group: u32 = 0xf << (page & ~3);
    if (is_compound(mm, page) && (mask & group) != group) pages &= ~(1 << page);
  }
  return pages;
}
/** Was it part of a huge page? What it was may be free by now, so its group of frames is asked: all four were mapped in order. */
function is_compound(mm: u32, page: u32): bool {
  if (pmd_trans_huge(leaf_before(mm, page))) return true;
  const first = page & ~3;
  const f = pte_pfn(leaf_before(mm, first));
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const e = leaf_before(mm, first + i);
    if (!pte_present(e) || pte_pfn(e) != f + i) return false;
  }
  return (f & 3) == 0;
}

/** Judges what the last op, which ran alone, was for. */
export function check_vain(word: u32, result: u32): void {
  const mm = op_mm(word);
  const range = arg_mask(op_page(word));
  if (result == R.NOMEM && leaves_memory(op_code(word)) && frames_are_free(1)) in_vain(mm, NONE);
  switch (op_code(word)) {
    case Op.PAGEOUT: if (result == R.OK) paged_out(mm, range); return;
    case Op.MADV_COLD: if (result == R.OK) cooled(mm, range); return;
    case Op.MADV_FREE: if (result == R.OK) given_up(mm, range); return;
    case Op.COLLAPSE: collapsed(mm, range, result); return;
    case Op.THP_SPLIT: if (result == R.OK) was_split(mm, range); return;
    case Op.MIGRATE: if (result == R.OK) migrated(mm, range); return;
    case Op.SWAPOFF: if (result == R.OK) emptied(); return;
    case Op.KSM_MERGE: if (result == R.OK) merged(); return;
    case Op.UNMERGEABLE: if (result == R.OK) unmerged(mm, range); return;
    case Op.UFFD_MOVE: if (result == R.REFUSED) move_refused(word); return;
    case Op.UFFD_COPY:
    case Op.UFFD_ZEROPAGE: if (result == R.REFUSED) fill_refused(word); return;
    case Op.WP:
    case Op.UNWP: if (result == R.REFUSED) page_refused(word, VM_UFFD_WP); return;
    case Op.MREMAP: if (result == R.FAULT) page_refused(word, VM_READ); return;
    case Op.MMAP:
    case Op.MPROTECT:
    case Op.UFFD_REG:
    case Op.UFFD_UNREG:
    case Op.MERGEABLE: if (result == R.OK) vmas_apart(mm, range); return;
  }
}
/** Whoever runs out of memory there gives nothing back, so it is still short afterwards. */
function leaves_memory(code: u32): bool {
  return code == Op.READ || code == Op.WRITE || code == Op.POPULATE || code == Op.SWAPOFF;
}
// @ts-ignore: decorator
@inline function is_one_page(word: u32): bool {
  return op_page(word) < NR_PAGES;
}
function paged_out(mm: u32, range: u32): void {
  if (!slot_is_free()) return;
  for (let m = whole(mm, range) & ~redirtied(mm); m != 0; m &= m - 1) {
    const e = leaf_of(mm, ctz(m));
    if (pte_present(e) ? !is_special_pfn(pte_pfn(e)) : e != 0 && (discardable(mm) >> ctz(m)) & 1) in_vain(mm, ctz(m));
  }
}
function cooled(mm: u32, range: u32): void {
  for (let m = whole(mm, range); m != 0; m &= m - 1) {
    const e = leaf_of(mm, ctz(m));
    if (pte_present(e) && !is_special_pfn(pte_pfn(e)) && e & _PAGE_ACCESSED) in_vain(mm, ctz(m));
  }
}
function given_up(mm: u32, range: u32): void {
  for (let m = range; m != 0; m &= m - 1) {
    const page = ctz(m);
    const was = leaf_before(mm, page);
    const e = leaf_of(mm, page);
    if (is_swap_pte(was) && e != 0) in_vain(mm, page);
  }
  for (let m = whole(mm, range); m != 0; m &= m - 1) {
    const e = leaf_of(mm, ctz(m));
    if (!pte_present(e) || is_special_pfn(pte_pfn(e))) continue;
    if (pte_dirty(e) || !(page_flags(frame_of(e, ctz(m))) & PG_LAZYFREE)) in_vain(mm, ctz(m));
  }
}
function collapsed(mm: u32, range: u32, result: u32): void {
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    const group: u32 = 0xf << (pmd << 2);
    if ((range & group) != group || !one_vma(mm, pmd) || pmd_trans_huge(pmd_at(mm, pmd))) continue;
    const refused = result == R.REFUSED && range == group && knob(K.COLLAPSE) && collapsible(mm, pmd);
    if (refused || result == R.OK) in_vain(mm, pmd << 2);
  }
}
/** A swap entry whose page is nowhere in memory. */
function is_on_device(e: u64): bool {
  return is_swap_pte(e) && load<u8>(SWAP_CACHE + ((swp_offset(e) & (NR_SLOTS - 1)) as usize)) == 0;
}
/** Could the four pages become one: some alone, others in swap, zeroes, or not there where nobody waits for that? */
function collapsible(mm: u32, pmd: u32): bool {
  let some = false;
  let writable = false;
  if (vm_flags(mm, pmd << 2) & VM_UFFD || !frames_are_free(2 * HPAGE_PMD_NR)) return false;
  for (let page = pmd << 2; page < (pmd << 2) + HPAGE_PMD_NR; page++) {
    const e = leaf_before(mm, page);
    const sole = ((alone(mm) >> page) & 1) != 0;
    if (!sole && e != 0 && (pte_present(e) ? !is_special_pfn(pte_pfn(e)) : !is_on_device(e))) return false;
    some = some || sole;
    writable = writable || (sole && pte_write(e));
  }
  return some && writable;
}
function was_split(mm: u32, range: u32): void {
  for (let m = range; m != 0; m &= m - 1) if (pmd_trans_huge(pmd_at(mm, ctz(m) >> 2))) in_vain(mm, ctz(m));
}
function migrated(mm: u32, range: u32): void {
  for (let m = range & alone(mm); m != 0; m &= m - 1) {
    const e = leaf_of(mm, ctz(m));
    const f = frame_of(e, ctz(m));
    if (!pte_present(e) || f != frame_of(leaf_before(mm, ctz(m)), ctz(m))) continue;
    if (frames_are_free(PageCompound(f) ? HPAGE_PMD_NR : 1)) in_vain(mm, ctz(m));
  }
}
function emptied(): void {
  for (let slot: usize = 0; slot < NR_SLOTS; slot++) {
    if (load<u8>(SWAP_COUNT + slot) != 0 || load<u8>(SWAP_CACHE + slot) != 0) in_vain(NONE, NONE);
  }
}
/** The page that ksmd looks at there, mergeable or not; NONE. */
function ksm_page(mm: u32, page: u32): u32 {
  if (!mm_alive(mm) || !(vm_flags(mm, page) & VM_MERGEABLE)) return NONE;
  const e = leaf_of(mm, page);
  return e != 0 && pte_present(e) && frame_of(e, page) < NR_FRAMES ? frame_of(e, page) : NONE;
}
/** What it could have merged: small, alone until now, and nothing of these contents was not. */
function candidate(mm: u32, page: u32): u32 {
  const f = ksm_page(mm, page);
  if (f == NONE || !((alone(mm) >> page) & 1) || PageCompound(f)) return NONE;
  for (let other: u32 = 0; other < NR_MMS * NR_PAGES; other++) {
    if ((alone(other >> 3) >> (other & 7)) & 1) continue;
    const g = ksm_page(other >> 3, other & 7);
    if (g != NONE && page_version(g) == page_version(f)) return NONE;
  }
  return f;
}
function merged(): void {
  for (let one: u32 = 0; one < NR_MMS * NR_PAGES; one++) {
    const f = candidate(one >> 3, one & 7);
    for (let other: u32 = 0; f != NONE && other < one; other++) {
      const g = candidate(other >> 3, other & 7);
      if (g != NONE && g != f && page_version(f) == page_version(g)) in_vain(one >> 3, one & 7);
    }
  }
}
function unmerged(mm: u32, range: u32): void {
  for (let m = range; m != 0; m &= m - 1) {
    const e = leaf_of(mm, ctz(m));
    const f = frame_of(e, ctz(m));
    if (!(flags_before(mm, ctz(m)) & VM_MERGEABLE)) continue;
    if (pte_present(e) && f < NR_FRAMES && PageKsm(f) && !pte_uffd_wp(e)) in_vain(mm, ctz(m));
  }
}
/** One page that is exclusive and nobody else's, to where nothing is. */
function move_refused(word: u32): void {
  if (!is_one_page(word) || !knob(K.UFFDIO_MOVE)) return;
  const mm = op_mm(word);
  const page = op_page(word);
  const to = arg_first(op_target(word));
  const target = flags_before(mm, to);
  if (!((alone(mm) >> page) & 1) || !PageAnonExclusive(compound_head(frame_of(leaf_of(mm, page), page)))) return;
  if (leaf_before(mm, to) != 0 || pmd_trans_huge(pmd_before(mm, to >> 2))) return;
  if (flags_before(mm, page) & target & VM_WRITE && target & VM_UFFD && !(target & VM_DAX)) in_vain(mm, page);
}
/** A call for one page whose VMA was as the call wants it. */
function page_refused(word: u32, needs: u32): void {
  if (is_one_page(word) && flags_before(op_mm(word), op_page(word)) & needs) in_vain(op_mm(word), op_page(word));
}
function fill_refused(word: u32): void {
  if (!is_one_page(word)) return;
  const mm = op_mm(word);
  const page = op_page(word);
  const needs = op_code(word) == Op.UFFD_COPY && op_flags(word) & F_COPY_WP ? VM_UFFD_WP : VM_UFFD;
  const vma = flags_before(mm, page);
  if (leaf_before(mm, page) == 0 && vma & needs && !(vma & VM_DAX)) in_vain(mm, page);
}
/** Neighbours at the ends of the range that the op made alike, and left two. detail 1. */
function vmas_apart(mm: u32, range: u32): void {
  const first = ctz(range);
  const end = 32 - clz(range);
  apart(mm, first, first);
  apart(mm, end, end - 1);
}
/** `border`: where a VMA starts; `inside`: the page next to it that the op was about. */
function apart(mm: u32, border: u32, inside: u32): void {
  if (border == 0 || border >= NR_PAGES || !((vma_starts(mm) >> border) & 1)) return;
  const a = vm_flags(mm, border - 1);
  const b = vm_flags(mm, border);
  if (!(a & b & VM_READ) || ((a ^ b) & ~VM_SOFTDIRTY) != 0 || vma_shift(mm, border - 1) != vma_shift(mm, border)) return;
  if (((vm_flags(mm, inside) ^ flags_before(mm, inside)) & ~VM_SOFTDIRTY) == 0) return;
  const left = anon_vma(mm, border - 1);
  const right = anon_vma(mm, border);
  // A VMA that came by fork has its parents' behind its own, so nothing unwritten joins it.
  const joins = left == right || (left == 0 && !(right & CLONED)) || (right == 0 && !(left & CLONED));
  if (joins) violate(I.CALL_IN_VAIN, mm, inside, NONE, 0, 0, 1);
}
