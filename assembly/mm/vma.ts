// VMAs: one word of flags per page, and where they start. Changes to them are in mmap.ts.
import { MM_ALIVE, MM_ANON_VMA, MM_UFFD, MM_VMA, MM_VMA_SHIFT, MM_VMA_STARTS, NR_PAGES } from './layout';
import { _PAGE_ACCESSED, _PAGE_NX, _PAGE_PRESENT, _PAGE_USER, mm_at } from './pgtable';

export const VM_READ: u32 = 0x01;
export const VM_WRITE: u32 = 0x02;
/** MADV_MERGEABLE. */
export const VM_MERGEABLE: u32 = 0x04;
export const VM_SHARED: u32 = 0x08;
/** Faults on nothing are events. */
export const VM_UFFD_MISSING: u32 = 0x10;
export const VM_MAYWRITE: u32 = 0x20;
export const VM_UFFD_WP: u32 = 0x40;
/** Registered with the uffd of its mm. */
export const VM_UFFD: u32 = VM_UFFD_MISSING | VM_UFFD_WP;
export const VM_HUGEPAGE: u32 = 0x80;
/** Set = soft-dirty tracking is NOT active in this VMA. */
export const VM_SOFTDIRTY: u32 = 0x100;
/** A DAX-like file mapping: no struct pages of its own, mappable by a huge PUD. */
export const VM_DAX: u32 = 0x200;
/** The memory is charged to the commit limit. */
export const VM_ACCOUNT: u32 = 0x800;
/** MADV_DONTDUMP: only to part a VMA for a moment. */
export const VM_DONTDUMP: u32 = 0x400;

/** mm->uffd: bit 0 open; features of UFFDIO_API from bit 1. */
export const UFFD_OPEN: u32 = 1;
export const UFFD_EVENT_FORK: u32 = 2;
export const UFFD_WP_UNPOPULATED: u32 = 4;
export const UFFD_EVENT_REMAP: u32 = 64;
/** A store to a protected page un-protects it, without an event. */
export const UFFD_WP_ASYNC: u32 = 8;
/** madvise and munmap tell the uffd, and wait until that is read; a handler that reads at once makes no difference. */
export const UFFD_EVENT_REMOVE: u32 = 16;
export const UFFD_EVENT_UNMAP: u32 = 32;

/** vm_page_prot of a private mapping: never the write bit. */
export const VM_PAGE_PROT: u64 = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED | _PAGE_NX;

// @ts-ignore: decorator
@inline export function vm_flags(mm: u32, page: u32): u32 {
  return load<u16>(mm_at(mm) + ((page as usize) << 1), MM_VMA);
}
/** VMA flags of the four pages of a PMD, one u64. */
// @ts-ignore: decorator
@inline export function pmd_vm_flags(mm: u32, pmd: u32): u64 {
  return load<u64>(mm_at(mm) + ((pmd as usize) << 3), MM_VMA);
}
/** Pages at which a VMA starts, as a mask. */
// @ts-ignore: decorator
@inline export function vma_starts(mm: u32): u32 {
  return load<u8>(mm_at(mm), MM_VMA_STARTS);
}
// @ts-ignore: decorator
@inline export function set_vma_starts(mm: u32, mask: u32): void {
  store<u8>(mm_at(mm), mask, MM_VMA_STARTS);
}
/** First page of the VMA that `page` lies in. */
export function vma_start(mm: u32, page: u32): u32 {
  return 31 - clz(vma_starts(mm) & ((2 << page) - 1));
}
/** The page behind the last one of the VMA that `page` lies in. */
export function vma_end(mm: u32, page: u32): u32 {
  let end = page + 1;
  while (end < NR_PAGES && vm_flags(mm, end) & VM_READ && !((vma_starts(mm) >> end) & 1)) end++;
  return end;
}
/** Do the four pages of the PMD lie in one VMA? */
export function one_vma(mm: u32, pmd: u32): bool {
  return vma_end(mm, pmd << 2) >= (pmd << 2) + 4;
}
// @ts-ignore: decorator
@inline export function anon_vma(mm: u32, page: u32): u32 {
  return load<u8>(mm_at(mm) + (page as usize), MM_ANON_VMA);
}
export function set_anon_vma(mm: u32, mask: u32, id: u32): void {
  for (let rest = mask; rest != 0; rest &= rest - 1) store<u8>(mm_at(mm) + (ctz(rest) as usize), id, MM_ANON_VMA);
}
/** vm_pgoff against the address, modulo 16: not 0 once a VMA with anonymous pages was moved. Only equal ones merge. */
// @ts-ignore: decorator
@inline export function vma_shift(mm: u32, page: u32): u32 {
  return load<u8>(mm_at(mm) + (page as usize), MM_VMA_SHIFT);
}
export function set_vma_shift(mm: u32, mask: u32, shift: u32): void {
  for (let rest = mask; rest != 0; rest &= rest - 1) store<u8>(mm_at(mm) + (ctz(rest) as usize), shift & 15, MM_VMA_SHIFT);
}
/** The eight flag words as lanes. */
// @ts-ignore: decorator
@inline function vm_lanes(mm: u32): v128 {
  return v128.load(mm_at(mm), MM_VMA);
}
/** All ones in the lanes of `mask`'s pages. */
// @ts-ignore: decorator
@inline function lanes_of(mask: u32): v128 {
  const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  return i16x8.eq(v128.and(i16x8.splat(mask as i16), bits), bits);
}
/** Pages of `mask` whose VMA flags have all of `wanted` and none of `unwanted`. */
// @ts-ignore: decorator
@inline export function pages_with(mm: u32, mask: u32, wanted: u32, unwanted: u32): u32 {
  const tested = v128.and(vm_lanes(mm), i16x8.splat((wanted | unwanted) as i16));
  return (i16x8.bitmask(i16x8.eq(tested, i16x8.splat(wanted as i16))) as u32) & mask;
}
/** Sets and clears VMA flags on the pages of `mask`. */
// @ts-ignore: decorator
@inline export function change_vm_flags(mm: u32, mask: u32, set: u32, clear: u32): void {
  const old = vm_lanes(mm);
  const changed = v128.or(v128.andnot(old, i16x8.splat(clear as i16)), i16x8.splat(set as i16));
  v128.store(mm_at(mm), v128.bitselect(changed, old, lanes_of(mask)), MM_VMA);
}
// @ts-ignore: decorator
@inline export function is_cow_mapping(flags: u32): bool {
  return (flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}
// @ts-ignore: decorator
@inline export function mm_alive(mm: u32): bool {
  return load<u8>(mm_at(mm), MM_ALIVE) != 0;
}
// @ts-ignore: decorator
@inline export function mm_uffd(mm: u32): u32 {
  return load<u8>(mm_at(mm), MM_UFFD);
}
// @ts-ignore: decorator
@inline export function set_mm_uffd(mm: u32, value: u32): void {
  store<u8>(mm_at(mm), value, MM_UFFD);
}
