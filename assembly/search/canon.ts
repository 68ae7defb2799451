// The fingerprint of a state: two states that any program treats alike, but for the names of frames, swap slots, values,
// handles, processes and (where that is sound) pages, have the same one.
//
// The state is written down in a canonical order, with everything named by its first mention; nothing that a later op or
// judge can tell apart is left out. Of the reference memory's history (authors, lives, times) only the answers count that
// it can still give. The encoding is exact; the 64-bit hash of it is not.
import { MM_ALIVE, MM_HAS_PINNED } from '../mm/layout';
import { is_swap_pte, mm_at, pmd_at, pmd_trans_huge, pte_at, pte_present } from '../mm/pgtable';
import { mm_uffd, vm_flags } from '../mm/vma';
import { uffd } from '../oracle/promises';
import { ENCODING, MM_LOOKS, MM_ORDER, MM_PLACE, PAGE_ORDERS } from './area';
import { encode_answers } from './encode-answers';
import { encode_handles, encode_sleepers } from './encode-handles';
import { encode_mm, promises_at } from './encode-mm';
import { encode_lost, encode_named, encode_special } from './encode-pages';
import { DEAD, end, forget_names, names_begin, nrPages, put, stir, Symmetry, symmetry } from './names';
import { ordered, presentBits, relevance_begin, swapBits, vmaBits } from './relevance';

let nrMms: u32 = 2;
let pageOrders: u32 = 1;
/** Scope: what is merged, processes, pages per order, orders at PAGE_ORDERS, words at ALPHABET. */
export function canon_begin(level: u32, mms: u32, pages: u32, orders: u32, words: u32): void {
  relevance_begin(words, pages);
  names_begin(ordered ? min<u32>(level, Symmetry.FRAMES) : level, pages);
  nrMms = mms;
  pageOrders = ordered ? 1 : orders;
}

function hash(): u64 {
  if ((end - ENCODING) & 4) put(0);
  let h: u64 = ((end - ENCODING) as u64) * 0xa0761d6478bd642f;
  for (let at = ENCODING; at < end; at += 8) h = (rotl<u64>(h, 23) ^ stir(load<u64>(at))) * 0xe7037ed1a0b428db;
  return stir(h ^ (h >> 31));
}
/** The state under the order of processes at MM_ORDER and this order of pages. */
function hash_ordered(living: u32, order: usize): u64 {
  forget_names();
  store<u32>(MM_PLACE, DEAD * 0x01010101);
  for (let k: u32 = 0; k < living; k++) store<u8>(MM_PLACE + (load<u8>(MM_ORDER + (k as usize)) as usize), k);
  for (let k: u32 = 0; k < living; k++) encode_mm(load<u8>(MM_ORDER + (k as usize)), order);
  const nrHeld = encode_handles(order);
  encode_sleepers(order, nrHeld);
  encode_named();
  encode_special();
  encode_lost();
  encode_answers(nrHeld, living);
  return hash();
}
/** What a process looks like before anything has a name. */
function looks(mm: u32, order: usize): u64 {
  let h: u64 = (load<u8>(mm_at(mm), MM_HAS_PINNED) as u64) | ((mm_uffd(mm) as u64) << 1) | ((uffd(mm) as u64) << 9);
  for (let k: u32 = 0; k < nrPages; k++) {
    const page: u32 = load<u8>(order + (k as usize));
    const pmd = pmd_at(mm, page >> 2);
    const e = pmd_trans_huge(pmd) ? 0 : nameless(pte_at(mm, page));
    h = stir(h ^ (e | (((vm_flags(mm, page) & vmaBits) as u64) << 16) | ((promises_at(mm, page) as u64) << 32) | (nameless(pmd) << 48)));
  }
  return h;
}
// @ts-ignore: decorator
@inline function nameless(e: u64): u64 {
  if (pte_present(e)) return (e & (presentBits as u64)) | 0x8000;
  if (is_swap_pte(e)) return (e & (swapBits as u64)) | 0x4000;
  return e == 0 ? 0 : (e & 0x3fff) | 0xc000;
}
/** The least hash over all orders of processes [from, living) among those that look alike. */
function least_hash(from: u32, living: u32, order: usize): u64 {
  if (from + 1 >= living) return hash_ordered(living, order);
  let best: u64 = u64.MAX_VALUE;
  const first: u32 = load<u8>(MM_ORDER + (from as usize));
  const alike = load<u64>(MM_LOOKS + ((first as usize) << 3));
  for (let k = from; k < living; k++) {
    const other: u32 = load<u8>(MM_ORDER + (k as usize));
    if (load<u64>(MM_LOOKS + ((other as usize) << 3)) != alike) break;
    store<u8>(MM_ORDER + (from as usize), other);
    store<u8>(MM_ORDER + (k as usize), first);
    best = min<u64>(best, least_hash(from + 1, living, order));
    store<u8>(MM_ORDER + (from as usize), first);
    store<u8>(MM_ORDER + (k as usize), other);
  }
  return best;
}
/** Living processes at MM_ORDER, by their looks; how many. */
function order_mms(order: usize): u32 {
  let n: u32 = 0;
  for (let mm: u32 = 0; mm < nrMms; mm++) {
    if (!load<u8>(mm_at(mm), MM_ALIVE)) continue;
    let at = n++;
    if (symmetry >= Symmetry.MMS) {
      const own = looks(mm, order);
      store<u64>(MM_LOOKS + ((mm as usize) << 3), own);
      while (at > 0) {
        const before: u32 = load<u8>(MM_ORDER + ((at - 1) as usize));
        if (load<u64>(MM_LOOKS + ((before as usize) << 3)) <= own) break;
        store<u8>(MM_ORDER + (at as usize), before);
        at--;
      }
    }
    store<u8>(MM_ORDER + (at as usize), mm);
  }
  return n;
}
/** Fingerprint of the world and the reference memory as they are between two ops; never 0. */
export function fingerprint(): u64 {
  let best: u64 = u64.MAX_VALUE;
  for (let k: u32 = 0; k < pageOrders; k++) {
    const order = PAGE_ORDERS + ((k as usize) << 4);
    const living = order_mms(order);
    best = min<u64>(best, symmetry >= Symmetry.MMS ? least_hash(0, living, order) : hash_ordered(living, order));
  }
  return best | ((best == 0) as u64);
}
