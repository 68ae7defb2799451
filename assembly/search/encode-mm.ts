// A process in the encoding of a state: its entries, VMAs, translations and promises.
import { MM_HAS_PINNED, TLB, TLB_CPU_SIZE } from '../mm/layout';
import {
  _PAGE_ACCESSED, _PAGE_TABLE, is_migration_entry, is_swap_pte, migration_entry_pfn, mm_at, pmd_at, pmd_trans_huge, pte_at,
  pte_pfn, pte_present, pud_at, SWP_MIG_DIRTY, SWP_MIG_YOUNG, swp_offset, swp_type, SWP_TYPE_MIG_READ,
} from '../mm/pgtable';
import { anon_vma, mm_uffd, vm_flags, vma_shift, vma_starts } from '../mm/vma';
import {
  ABSENT, ARMED, CHANGED, DAX, DIRTY, FREED, GUARDED, MAPPED, mask, MISSING, promised, REGISTERED, SCATTERED, SHARED, THP,
  TRACKING, uffd, UNPROTECTED, WP_MAYBE, WP_YES, WRITABLE,
} from '../oracle/promises';
import { frame, nrPages, put, slot, Symmetry, symmetry, version } from './names';
import { apart, fills, getsForWrite, presentBits, swapBits, vmaBits } from './relevance';

/** An entry: 14 low bits, NX, kind, and the name of what it refers to. */
function leaf(e: u64): u32 {
  if (e == 0) return 0;
  const bits = e as u32;
  if (pte_present(e)) return (bits & presentBits) | (((e >> 63) as u32) << 14) | (1 << 15) | (frame(pte_pfn(e)) << 17);
  if (is_swap_pte(e)) return (bits & swapBits) | (2 << 15) | (slot(swp_offset(e)) << 17);
  if (is_migration_entry(e)) return migrating(e);
  return (bits & 0x3fff) | (3 << 15) | ((swp_offset(e) & 31) << 17);
}
/** Kind 3 as markers, and told from them by bit 22; its own kind, dirty, and accessed where that matters. */
function migrating(e: u64): u32 {
  const state = swp_offset(e) & (SWP_MIG_DIRTY | (presentBits & (_PAGE_ACCESSED as u32) ? SWP_MIG_YOUNG : 0));
  const what = ((swp_type(e) - SWP_TYPE_MIG_READ) as u32) | (state >> 6);
  return ((e as u32) & swapBits) | (3 << 15) | (frame(migration_entry_pfn(e)) << 17) | (1 << 22) | (what << 23);
}
// @ts-ignore: decorator
@inline function cached(entry: u32): u32 {
  return entry & 0x40 ? (entry & 0xe0) | frame(entry & 31) : 0;
}
/** The reference memory's masks at this page. */
// @ts-ignore: decorator
@inline export function promises_at(mm: u32, page: u32): u32 {
  const all = ((mask(mm, MAPPED) >> page) & 1) | (((mask(mm, WRITABLE) >> page) & 1) << 1) |
    (((mask(mm, WP_YES) >> page) & 1) << 2) | (((mask(mm, WP_MAYBE) >> page) & 1) << 3) |
    (((mask(mm, REGISTERED) >> page) & 1) << 4) | (((mask(mm, DIRTY) >> page) & 1) << 5) |
    (((mask(mm, TRACKING) >> page) & 1) << 6) | (getsForWrite ? ((mask(mm, SHARED) >> page) & 1) << 7 : 0);
  return all | (((mask(mm, DAX) >> page) & 1) << 8) | (((mask(mm, FREED) >> page) & 1) << 16) |
    (((mask(mm, SCATTERED) >> page) & 1) << 9) | (((mask(mm, GUARDED) >> page) & 1) << 17) | (fills ? fill_promises(mm, page) : 0);
}
function fill_promises(mm: u32, page: u32): u32 {
  return (((mask(mm, MISSING) >> page) & 1) << 10) | (((mask(mm, ABSENT) >> page) & 1) << 11) | (((mask(mm, THP) >> page) & 1) << 12) |
    (((mask(mm, UNPROTECTED) >> page) & 1) << 13) | (((mask(mm, ARMED) >> page) & 1) << 14) | (((mask(mm, CHANGED) >> page) & 1) << 15);
}
/** anon_vmas are told apart within a process only: the first page of this order that has the same. */
// @ts-ignore: decorator
@inline function anon(mm: u32, order: usize, k: u32, page: u32): u32 {
  const id = anon_vma(mm, page);
  if (id == 0 || apart) return (id != 0) as u32;
  let first: u32 = 0;
  while (first < k && anon_vma(mm, load<u8>(order + (first as usize))) != id) first++;
  return (first + 1) | ((id >> 7) << 4);
}
export function encode_mm(mm: u32, order: usize): void {
  put(1 | ((load<u8>(mm_at(mm), MM_HAS_PINNED) as u32) << 1) | (mm_uffd(mm) << 2) | (uffd(mm) << 10) |
    (symmetry < Symmetry.MMS ? mm << 18 : 0));
  const pud = pud_at(mm);
  put(pud == 0 ? 0 : pmd_trans_huge(pud) ? leaf(pud) : 1 << 16);
  let tables: u32 = 0;
  for (let k: u32 = 0; k < nrPages; k++) {
    const page: u32 = load<u8>(order + (k as usize));
    const pmd = pmd_at(mm, page >> 2);
    if (!((tables >> (page >> 2)) & 1)) {
      tables |= 1 << (page >> 2);
      put(pmd == _PAGE_TABLE ? 1 << 16 : leaf(pmd));
    }
    put(pmd == _PAGE_TABLE ? leaf(pte_at(mm, page)) : 0);
    put((vm_flags(mm, page) & vmaBits) | (anon(mm, order, k, page) << 12) | (((vma_starts(mm) >> page) & 1) << 20) |
      (vma_shift(mm, page) << 21));
    const tlb = TLB + ((mm as usize) << 3) + (page as usize);
    put(cached(load<u8>(tlb)) | (cached(load<u8>(tlb, TLB_CPU_SIZE)) << 8) | (version(promised(mm, page)) << 16));
    put(promises_at(mm, page));
  }
}
