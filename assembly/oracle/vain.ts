// I23 and I24, costs and never failures. I23: a call that nothing stood in the way of did not do what it is for. I24: an
// access took a fault that the page tables did not ask for, or the first touch of a THP area brought a small page. What stood in the
// way is read from how things were before the op; wherever that is not certain, nothing is judged.
import { K, knob } from '../kernel/knobs';
import { FREE_MASK, HPAGE_PMD_NR, NR_FRAMES, NR_MMS, NR_PAGES, NR_PMDS, NR_SLOTS, SWAP_CACHE, SWAP_COUNT } from '../mm/layout';
import {
  compound_head, folio_test, is_special_pfn, page_count, page_flags, page_mapcount, page_swap, page_version,
  PageAnonExclusive, PageCompound, PageKsm, PG_ANON, PG_DIRTY, PG_LAZYFREE, total_mapcount,
} from '../mm/page';
import {
  is_swap_pte, pmd_at, pmd_trans_huge, pte_dirty, pte_pfn, pte_present, pte_protnone, pte_swp_uffd_wp, pte_uffd_wp, pte_write, pud_at,
  swp_offset, _PAGE_ACCESSED,
} from '../mm/pgtable';
import {
  anon_vma, mm_alive, one_vma, vm_flags, vma_end, vma_shift, vma_starts, VM_DAX, VM_HUGEPAGE, VM_MERGEABLE, VM_READ,
  VM_SOFTDIRTY, VM_UFFD, VM_UFFD_WP, VM_WRITE,
} from '../mm/vma';
import {
  arg_first, arg_mask, F_COPY_WP, F_GUP_BREAK_COW, F_GUP_FORCE, F_GUP_LONGTERM, F_GUP_PIN, F_GUP_WRITE, F_MPROTECT_RW, Op, op_code,
  op_flags, op_mm, op_page, op_target, R,
} from '../ops/table';
import { I } from './invariants';
import { NONE, violate } from './report';
import { leaf_of } from './structure';

/** Before the op: leaf (u64) of each mm and page, PMD (u64) of each mm and its half, VMA flags (u16), and masks of pages by mm. */
const LEAVES: usize = memory.data(192);
const PMDS: usize = memory.data(48);
const FLAGS: usize = memory.data(48);
/** Present anonymous pages that nothing but their own entry, or the swap cache, refers to. Of a huge page: all of it. */
const ALONE: usize = memory.data(4);
/** Of these, given up by MADV_FREE and clean: nobody needs them any more. */
const DISCARDABLE: usize = memory.data(4);
/** Of these, given up, but written again perhaps: reclaim finds that out, and takes them the next time. */
const REDIRTIED: usize = memory.data(4);

// @ts-ignore: decorator
@inline function at(mm: u32, page: u32): usize {
  return ((mm << 3) + page) as usize;
}
// @ts-ignore: decorator
@inline function leaf_before(mm: u32, page: u32): u64 {
  return load<u64>(LEAVES + (at(mm, page) << 3));
}
// @ts-ignore: decorator
@inline function pmd_before(mm: u32, pmd: u32): u64 {
  return load<u64>(PMDS + (((mm * NR_PMDS + pmd) as usize) << 3));
}
// @ts-ignore: decorator
@inline function flags_before(mm: u32, page: u32): u32 {
  return load<u16>(FLAGS + (at(mm, page) << 1));
}
// @ts-ignore: decorator
@inline function alone(mm: u32): u32 {
  return load<u8>(ALONE + (mm as usize));
}
function frame(e: u64, page: u32): u32 {
  return pte_pfn(e) + (pmd_trans_huge(e) ? page & (HPAGE_PMD_NR - 1) : 0);
}

function is_alone(mm: u32, page: u32, e: u64): bool {
  if (e == 0 || !pte_present(e)) return false;
  const f = frame(e, page);
  if (f >= NR_FRAMES || !(page_flags(f) & PG_ANON) || PageKsm(f)) return false;
  const slot1 = page_swap(f);
  if (slot1 != 0 && load<u8>(SWAP_COUNT + ((slot1 - 1) as usize)) != 0) return false;
  if (!PageCompound(f)) return page_mapcount(f) == 1 && page_count(f) == 1 + ((slot1 != 0) as u32);
  if (pmd_trans_huge(e)) return total_mapcount(f) == 1 && page_count(f) == 1;
  if (total_mapcount(f) != HPAGE_PMD_NR || page_count(f) != HPAGE_PMD_NR) return false;
  const first = page & ~(HPAGE_PMD_NR - 1);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const other = leaf_of(mm, first + i);
    if (!pte_present(other) || pte_pfn(other) != compound_head(f) + i) return false;
  }
  return true;
}
function is_discardable(e: u64, f: u32): bool {
  return !folio_test(f, PG_DIRTY) && !pte_dirty(e) && page_swap(f) == 0 && (!PageCompound(f) || pmd_trans_huge(e));
}
/** A new program: nothing is mapped. */
export function vain_reset(): void {
  memory.fill(LEAVES, 0, 192);
  memory.fill(PMDS, 0, 48);
  memory.fill(FLAGS, 0, 48);
  store<u32>(ALONE, 0);
  store<u32>(DISCARDABLE, 0);
  store<u32>(REDIRTIED, 0);
}
/** Notes how things are, for the next op. */
export function note_state(): void {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    let sole: u32 = 0;
    let discardable: u32 = 0;
    let redirtied: u32 = 0;
    const alive = mm_alive(mm);
    for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
      const huge_pud = alive && pmd_trans_huge(pud_at(mm));
      store<u64>(PMDS + (((mm * NR_PMDS + pmd) as usize) << 3), !alive ? 0 : huge_pud ? pud_at(mm) : pmd_at(mm, pmd));
    }
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const e = alive ? leaf_of(mm, page) : 0;
      store<u64>(LEAVES + (at(mm, page) << 3), e);
      store<u16>(FLAGS + (at(mm, page) << 1), alive ? vm_flags(mm, page) : 0);
      if (!is_alone(mm, page, e)) continue;
      sole |= 1 << page;
      const f = frame(e, page);
      if (!folio_test(f, PG_LAZYFREE)) continue;
      if (is_discardable(e, f)) discardable |= 1 << page;
      else redirtied |= 1 << page;
    }
    store<u8>(ALONE + (mm as usize), sole);
    store<u8>(DISCARDABLE + (mm as usize), discardable);
    store<u8>(REDIRTIED + (mm as usize), redirtied);
  }
}

// ---- I23

function in_vain(mm: u32, page: u32): void {
  violate(I.CALL_IN_VAIN, mm, page, NONE, 0, 0, 0);
}
function slot_is_free(): bool {
  for (let slot: usize = 0; slot < NR_SLOTS; slot++) {
    if (load<u8>(SWAP_COUNT + slot) == 0 && load<u8>(SWAP_CACHE + slot) == 0) return true;
  }
  return false;
}
/** Are n frames in a row free, aligned to their number? */
function frames_are_free(n: u32): bool {
  const all: u32 = (1 << n) - 1;
  for (let f: u32 = 0; f < NR_FRAMES; f += n) if (((load<u32>(FREE_MASK) >> f) & all) == all) return true;
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
    case Op.UNWP: if (result == R.REFUSED && is_one_page(word) && flags_before(mm, op_page(word)) & VM_UFFD_WP) in_vain(mm, op_page(word)); return;
    case Op.MREMAP: if (result == R.FAULT && is_one_page(word) && flags_before(mm, op_page(word)) & VM_READ) in_vain(mm, op_page(word)); return;
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
  const discardable: u32 = load<u8>(DISCARDABLE + (mm as usize));
  const redirtied: u32 = load<u8>(REDIRTIED + (mm as usize));
  for (let m = whole(mm, range) & ~redirtied; m != 0; m &= m - 1) {
    const e = leaf_of(mm, ctz(m));
    if (pte_present(e) ? !is_special_pfn(pte_pfn(e)) : e != 0 && (discardable >> ctz(m)) & 1) in_vain(mm, ctz(m));
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
    if (is_swap_pte(was) && !pte_present(was) && e != 0) in_vain(mm, page);
  }
  for (let m = whole(mm, range); m != 0; m &= m - 1) {
    const e = leaf_of(mm, ctz(m));
    if (!pte_present(e) || is_special_pfn(pte_pfn(e))) continue;
    if (pte_dirty(e) || !(page_flags(frame(e, ctz(m))) & PG_LAZYFREE)) in_vain(mm, ctz(m));
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
    const f = frame(e, ctz(m));
    if (!pte_present(e) || f != frame(leaf_before(mm, ctz(m)), ctz(m))) continue;
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
  return e != 0 && pte_present(e) && frame(e, page) < NR_FRAMES ? frame(e, page) : NONE;
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
    const f = frame(e, ctz(m));
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
  if (!((alone(mm) >> page) & 1) || !PageAnonExclusive(compound_head(frame(leaf_of(mm, page), page)))) return;
  if (leaf_before(mm, to) != 0 || pmd_trans_huge(pmd_before(mm, to >> 2))) return;
  if (flags_before(mm, page) & target & VM_WRITE && target & VM_UFFD && !(target & VM_DAX)) in_vain(mm, page);
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
  // Bit 7 of an anon_vma: it has parents' behind it, so nothing unwritten joins it.
  const joins = left == right || (left == 0 && right < 0x80) || (right == 0 && left < 0x80);
  if (joins) violate(I.CALL_IN_VAIN, mm, inside, NONE, 0, 0, 1);
}

// ---- I24

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
  return PageAnonExclusive(pmd_trans_huge(e) ? compound_head(pte_pfn(e)) : frame(e, page));
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
  if (vma_end(mm, page) > pmd << 2 && !pmd_trans_huge(pmd_at(mm, pmd))) violate(I.NEEDLESS_FAULT, mm, page, NONE, 0, 0, 1);
}
