// What a state may leave out, given the ops that can follow: bits that none of them, and no judge, reads.
import { PG_DIRTY } from '../mm/page';
import { _PAGE_ACCESSED, _PAGE_SOFT_DIRTY, _PAGE_SWP_SOFT_DIRTY } from '../mm/pgtable';
import { VM_ACCOUNT } from '../mm/vma';
import {
  F_GUP_PIN, F_GUP_WRITE, F_PAGEOUT_MADV, F_UFFD_BOTH, F_UFFD_MISSING, F_UFFD_WP_ASYNC, Op, op_code, op_flags,
} from '../ops/table';
import { ALPHABET, PAGE_ORDERS } from './area';

/** Bits 0..11 of a present entry, and 0..13 of a swap entry. */
export let presentBits: u32 = 0xfff;
export let swapBits: u32 = 0x3fff;
export let vmaBits: u32 = 0xffff;
export let pageBits: u32 = 0xff;
/** Can something be written through a GET? Then it matters who shares a page since a fork. */
export let getsForWrite: bool = true;
/** Is a uffd used for more than write-protection that raises events? */
export let fills: bool = true;
/** Does some op go over processes and pages in their order? Then they must not trade names. */
export let ordered: bool = false;
/** No page has a neighbour, so no VMA can merge. */
export let apart: bool = false;

/** `words` op words at ALPHABET, `pages` page numbers, ascending, at PAGE_ORDERS. */
export function relevance_begin(words: u32, pages: u32): void {
  let codes: u64 = 0;
  let madvised = false;
  getsForWrite = false;
  fills = false;
  for (let i: u32 = 0; i < words; i++) {
    const word = load<u32>(ALPHABET + ((i as usize) << 2));
    codes |= (1 as u64) << op_code(word);
    if (op_code(word) == Op.PAGEOUT && op_flags(word) & F_PAGEOUT_MADV) madvised = true;
    if (op_code(word) == Op.UFFD_REG && op_flags(word) & (F_UFFD_MISSING | F_UFFD_BOTH | F_UFFD_WP_ASYNC)) fills = true;
    if (op_code(word) == Op.GUP && (op_flags(word) & (F_GUP_WRITE | F_GUP_PIN)) == F_GUP_WRITE) getsForWrite = true;
  }
  apart = true;
  for (let k: u32 = 1; k < pages; k++) {
    if (load<u8>(PAGE_ORDERS + (k as usize)) == load<u8>(PAGE_ORDERS + ((k - 1) as usize)) + 1) apart = false;
  }
  ordered = ((codes >> Op.KSM_MERGE) & 1) != 0;
  const tracks = (codes >> Op.CLEAR_REFS) & 1;
  const swaps = codes & (((1 as u64) << Op.PAGEOUT) | ((1 as u64) << Op.SWAPOFF) | ((1 as u64) << Op.MADV_FREE));
  // Accessed decides about MADV_PAGEOUT alone.
  presentBits = 0xfff & ~(madvised ? 0 : (_PAGE_ACCESSED as u32)) & ~(tracks ? 0 : (_PAGE_SOFT_DIRTY as u32));
  swapBits = 0x3fff & ~(tracks ? 0 : (_PAGE_SWP_SOFT_DIRTY as u32));
  // Only equal VMAs merge: that is all that the charge decides.
  vmaBits = 0xffff & ~(apart ? VM_ACCOUNT : 0);
  pageBits = 0xff & ~(swaps ? 0 : PG_DIRTY);
}
