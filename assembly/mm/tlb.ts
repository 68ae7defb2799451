// Per-CPU TLBs, tagged by mm (PCID): a cached translation with its write permission. The CPU uses it without looking
// at the page table, so whoever takes permission away must flush.
import { TLB, TLB_CPU_SIZE } from './layout';
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';

/** The entry was writable; TLB_WRITE: and dirty, so that a store need not look. */
export const TLB_RW: u32 = 0x20;
export const TLB_VALID: u32 = 0x40;
export const TLB_WRITE: u32 = 0x80;
export const TLB_FRAME: u32 = 0x1f;

// @ts-ignore: decorator
@inline function slot(cpu: u32, mm: u32, page: u32): usize {
  return TLB + (cpu as usize) * TLB_CPU_SIZE + ((mm as usize) << 3) + (page as usize);
}
// @ts-ignore: decorator
@inline export function tlb_entry(cpu: u32, mm: u32, page: u32): u32 {
  return load<u8>(slot(cpu, mm, page));
}
// @ts-ignore: decorator
@inline export function tlb_fill(cpu: u32, mm: u32, page: u32, frame: u32, rw: bool, dirty: bool): void {
  store<u8>(slot(cpu, mm, page), frame | TLB_VALID | (rw ? TLB_RW : 0) | (rw && dirty ? TLB_WRITE : 0));
}
/** The CPU forgets a translation that it faulted on. (Those of the other quarters of a huge page stay: measured.) */
// @ts-ignore: decorator
@inline export function tlb_forget(cpu: u32, mm: u32, page: u32): void {
  store<u8>(slot(cpu, mm, page), 0);
}
/** The four pages of a PMD. */
// @ts-ignore: decorator
@inline export function flush_pmd_tlb_range(mm: u32, pmd: u32): void {
  store<u32>(slot(0, mm, pmd << 2), 0);
  store<u32>(slot(1, mm, pmd << 2), 0);
  count(N.TLB_FLUSHES);
}
// @ts-ignore: decorator
@inline export function flush_tlb_mm(mm: u32): void {
  store<u64>(slot(0, mm, 0), 0);
  store<u64>(slot(1, mm, 0), 0);
  count(N.TLB_FLUSHES);
}
/** Drops one page's translations on every CPU; on a machine of the other kind, all of the process. */
// @ts-ignore: decorator
@inline export function flush_tlb_page(mm: u32, page: u32): void {
  if (knob(K.TLB_READONLY_FAULTS)) {
    flush_tlb_mm(mm);
    return;
  }
  store<u8>(slot(0, mm, page), 0);
  store<u8>(slot(1, mm, page), 0);
  count(N.TLB_FLUSHES);
}
