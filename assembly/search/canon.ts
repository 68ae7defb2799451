// The fingerprint of a state: two states that any program treats alike, but for the names of frames, swap slots, values,
// handles, processes and (where that is sound) pages, have the same one.
//
// The state is written down in a canonical order, with everything named by its first mention; nothing that a later op or
// judge can tell apart is left out. Of the reference memory's history (authors, lives, times) only the answers count that
// it can still give. The encoding is exact; the 64-bit hash of it is not.
import {
  FOLIO_MMS, FREE_MASK, HANDLE_SIZE, HANDLES, HPAGE_PMD_NR, MM_ALIVE, MM_HAS_PINNED, NR_FRAMES,
  NR_SLEEPERS, PG_ENTIRE, PG_MAPCOUNT, PG_PINS, PG_REFS, PG_SLOT, SLEEPER_SIZE, SLEEPERS, SWAP_CACHE, SWAP_COUNT,
  SWAP_VERSION, TLB, TLB_CPU_SIZE,
} from '../mm/layout';
import { PageCompound, page_flags, page_version, PG_DIRTY } from '../mm/page';
import { is_swap_pte, mm_at, pmd_at, pmd_trans_huge, pte_at, pte_pfn, pte_present, pud_at, swp_offset } from '../mm/pgtable';
import { anon_vma, mm_uffd, vm_flags, vma_starts } from '../mm/vma';
import { F_GUP_PIN, F_GUP_WRITE, Op, op_code, op_cpu, op_flags, op_mm, op_page, op_y } from '../ops/table';
import {
  DAX, descends, DIRTY, foreign, H, handle_life, handle_state, handle_time, handle_version, held, life, MAPPED, mask, own_since,
  promised, REGISTERED, SHARED, TRACKING, uffd, via_handle, WILD, WP_MAYBE, WP_YES, WRITABLE,
} from '../oracle/promises';
import {
  ENCODING, FRAME_NAME, FRAME_QUEUE, HANDLE_ORDER, HANDLE_PLACE, MM_LOOKS, MM_ORDER, MM_PLACE, PAGE_ORDERS, SLOT_NAME,
  SLOT_QUEUE, VERSION_NAME, VERSION_QUEUE,
} from './area';

/** What is merged: values only; frames, slots and handles too; processes too. Pages: by the orders given. */
export namespace Symmetry {
  export const NONE: u32 = 0;
  export const FRAMES: u32 = 1;
  export const MMS: u32 = 2;
}
const UNNAMED: u32 = 0xff;
/** A frame that is not in use, seen through a stale translation. */
const FREED: u32 = 27;
const DEAD: u32 = 3;

let symmetry: u32 = Symmetry.MMS;
let nrPages: u32 = 1;
let nrMms: u32 = 2;
let pageOrders: u32 = 1;
/** Scope: processes, pages per order, orders at PAGE_ORDERS. */
export function canon_begin(level: u32, mms: u32, pages: u32, orders: u32): void {
  symmetry = level;
  nrMms = mms;
  nrPages = pages;
  pageOrders = orders;
}

let end: usize = ENCODING;
// @ts-ignore: decorator
@inline function put(word: u32): void {
  store<u32>(end, word);
  end += 4;
}

// ---- names

let frames: u32 = 0;
let groups: u32 = 0;
let framesQueued: u32 = 0;
let framesSeen: u32 = 0;
let slots: u32 = 0;
let versions: u32 = 0;
function forget_names(): void {
  const none = i8x16.splat(-1);
  v128.store(FRAME_NAME, none);
  v128.store(FRAME_NAME, none, 16);
  v128.store(SLOT_NAME, none);
  const zero = i64x2.splat(0);
  v128.store(VERSION_NAME, zero);
  v128.store(VERSION_NAME, zero, 16);
  v128.store(VERSION_NAME, zero, 32);
  v128.store(VERSION_NAME, zero, 48);
  store<u8>(VERSION_NAME, 0, 64);
  frames = groups = framesQueued = framesSeen = slots = versions = 0;
  end = ENCODING;
}
/** Small pages count up from 0, THPs down from the top, so that a group keeps its alignment. */
function name_frame(f: u32): u32 {
  if ((load<u32>(FREE_MASK) >> f) & 1) return FREED;
  if (PageCompound(f)) {
    const head = f & ~(HPAGE_PMD_NR - 1);
    const name = symmetry == Symmetry.NONE ? head : NR_FRAMES - HPAGE_PMD_NR * ++groups;
    store<u32>(FRAME_NAME + (head as usize), name * 0x01010101 + 0x03020100);
    store<u8>(FRAME_QUEUE + (framesQueued++ as usize), head);
    framesSeen |= 0xf << head;
    return name + (f & (HPAGE_PMD_NR - 1));
  }
  const name = symmetry == Symmetry.NONE ? f : frames++;
  store<u8>(FRAME_NAME + (f as usize), name);
  store<u8>(FRAME_QUEUE + (framesQueued++ as usize), f);
  framesSeen |= 1 << f;
  return name;
}
// @ts-ignore: decorator
@inline function frame(f: u32): u32 {
  if (f >= NR_FRAMES) return f & 31;
  const name: u32 = load<u8>(FRAME_NAME + (f as usize));
  return name != UNNAMED ? name : name_frame(f);
}
// @ts-ignore: decorator
@inline function slot(s: u32): u32 {
  const at = SLOT_NAME + ((s & 15) as usize);
  let name: u32 = load<u8>(at);
  if (name != UNNAMED) return name;
  name = symmetry == Symmetry.NONE ? s & 15 : slots;
  store<u8>(at, name);
  store<u8>(SLOT_QUEUE + (slots++ as usize), s & 15);
  return name;
}
// @ts-ignore: decorator
@inline function version(v: u32): u32 {
  if (v == 0 || v == WILD) return v;
  const at = VERSION_NAME + (v as usize);
  const name: u32 = load<u8>(at);
  if (name != 0) return name;
  store<u8>(VERSION_QUEUE + (versions++ as usize), v);
  store<u8>(at, versions);
  return versions;
}

// ---- processes

/** An entry: 14 low bits, NX, kind, and the name of what it refers to. */
function leaf(e: u64): u32 {
  if (e == 0) return 0;
  const bits = ((e & 0x3fff) as u32) | (((e >> 63) as u32) << 14);
  // Bits 12 and 13 of a present entry belong to the frame number.
  if (pte_present(e)) return (bits & 0x4fff) | (1 << 15) | (frame(pte_pfn(e)) << 17);
  if (is_swap_pte(e)) return (bits & 0x3fff) | (2 << 15) | (slot(swp_offset(e)) << 17);
  return (bits & 0x3fff) | (3 << 15) | ((swp_offset(e) & 31) << 17);
}
// @ts-ignore: decorator
@inline function cached(entry: u32): u32 {
  return entry & 0x40 ? (entry & 0xe0) | frame(entry & 31) : 0;
}
/** The reference memory's masks at this page. */
// @ts-ignore: decorator
@inline function promises_at(mm: u32, page: u32): u32 {
  const all = ((mask(mm, MAPPED) >> page) & 1) | (((mask(mm, WRITABLE) >> page) & 1) << 1) |
    (((mask(mm, WP_YES) >> page) & 1) << 2) | (((mask(mm, WP_MAYBE) >> page) & 1) << 3) |
    (((mask(mm, REGISTERED) >> page) & 1) << 4) | (((mask(mm, DIRTY) >> page) & 1) << 5) |
    (((mask(mm, TRACKING) >> page) & 1) << 6) | (((mask(mm, SHARED) >> page) & 1) << 7);
  return all | (((mask(mm, DAX) >> page) & 1) << 8);
}
/** anon_vmas are told apart within a process only: the first page of this order that has the same. */
// @ts-ignore: decorator
@inline function anon(mm: u32, order: usize, k: u32, page: u32): u32 {
  const id = anon_vma(mm, page);
  if (id == 0) return 0;
  let first: u32 = 0;
  while (first < k && anon_vma(mm, load<u8>(order + (first as usize))) != id) first++;
  return (first + 1) | ((id >> 7) << 4);
}
function encode_mm(mm: u32, order: usize): void {
  put(1 | ((load<u8>(mm_at(mm), MM_HAS_PINNED) as u32) << 1) | (mm_uffd(mm) << 2) | (uffd(mm) << 5) |
    (symmetry < Symmetry.MMS ? mm << 8 : 0));
  const pud = pud_at(mm);
  put(pmd_trans_huge(pud) ? leaf(pud) : 0);
  let tables: u32 = 0;
  for (let k: u32 = 0; k < nrPages; k++) {
    const page: u32 = load<u8>(order + (k as usize));
    const pmd = pmd_at(mm, page >> 2);
    if (!((tables >> (page >> 2)) & 1)) {
      tables |= 1 << (page >> 2);
      put(pmd == 0 ? 0 : pmd_trans_huge(pmd) ? leaf(pmd) : 1 << 16);
    }
    put(pmd_trans_huge(pmd) || pmd == 0 ? 0 : leaf(pte_at(mm, page)));
    put(vm_flags(mm, page) | (anon(mm, order, k, page) << 12) | (((vma_starts(mm) >> page) & 1) << 20));
    const tlb = TLB + ((mm as usize) << 3) + (page as usize);
    put(cached(load<u8>(tlb)) | (cached(load<u8>(tlb, TLB_CPU_SIZE)) << 8) | (version(promised(mm, page)) << 16));
    put(promises_at(mm, page));
  }
}

// ---- handles and sleepers

// @ts-ignore: decorator
@inline function handle_at(h: u32): usize {
  return HANDLES + (h as usize) * HANDLE_SIZE;
}
/** What tells handles apart before their frames have names. */
function handle_key(h: u32, order: usize): u32 {
  const handle = handle_at(h);
  const f: u32 = load<u8>(handle, 3);
  const named: u32 = f >= NR_FRAMES ? f & 31 : load<u8>(FRAME_NAME + (f as usize)) & 31;
  return holder(h) | (place_of(load<u8>(handle, 2), order) << 2) | ((load<u16>(handle, 4) as u32) << 5) |
    (handle_state(h) << 14) | (named << 19) | (after_detach(h, f) << 24);
}
/** Place of the process that took the handle, if it still lives. */
// @ts-ignore: decorator
@inline function holder(h: u32): u32 {
  const mm: u32 = load<u8>(handle_at(h), 1);
  return handle_life(h) == life(mm) ? load<u8>(MM_PLACE + (mm as usize)) : DEAD;
}
// @ts-ignore: decorator
@inline function place_of(page: u32, order: usize): u32 {
  return load<u8>(order + (page as usize), 8);
}
/** Handles in use by what they are; where they look alike by number, which merges less but is sound. */
function order_handles(order: usize): u32 {
  let n: u32 = 0;
  let done: u32 = 0;
  const all = held();
  while (done != all) {
    let best: u32 = 0;
    let least: u32 = 0xffffffff;
    for (let m = all & ~done; m != 0; m &= m - 1) {
      const key = symmetry == Symmetry.NONE ? ctz(m) : handle_key(ctz(m), order);
      if (key < least) {
        least = key;
        best = ctz(m);
      }
    }
    done |= 1 << best;
    store<u8>(HANDLE_ORDER + (n as usize), best);
    store<u8>(HANDLE_PLACE + (best as usize), symmetry == Symmetry.NONE ? best : n);
    n++;
  }
  return n;
}
/**
 * Once its owner has let go of the page, a strict pin is judged by what it saw at the grant or what its owner wrote since.
 * The page stays the same, so one answer for what is there now says it all: 0 = fine, else whose it is.
 */
// @ts-ignore: decorator
@inline function after_detach(h: u32, f: u32): u32 {
  if ((handle_state(h) & (H.PIN | H.STRICT | H.UNJUDGED)) != (H.PIN | H.STRICT)) return 0;
  const v = page_version(f);
  if (v == handle_version(h) || own_since(v, handle_life(h), load<u8>(handle_at(h), 2), handle_time(h))) return 0;
  return foreign(v, handle_life(h)) ? 2 : 1;
}
function encode_handles(order: usize): u32 {
  store<u32>(HANDLE_PLACE, 0xffffffff);
  const n = held() != 0 ? order_handles(order) : 0;
  put(n | (1 << 8));
  for (let k: u32 = 0; k < n; k++) {
    const h: u32 = load<u8>(HANDLE_ORDER + (k as usize));
    const handle = handle_at(h);
    const f: u32 = load<u8>(handle, 3);
    put(holder(h) | (place_of(load<u8>(handle, 2), order) << 2) | (frame(f) << 5) | ((load<u16>(handle, 4) as u32) << 10) |
      (handle_state(h) << 19));
    put(after_detach(h, f) | ((symmetry == Symmetry.NONE ? h : 0) << 2));
  }
  return n;
}
/** Threads asleep, in the order in which they fell asleep. */
function encode_sleepers(order: usize, nrHeld: u32): void {
  let last: u32 = 0;
  let places = nrHeld;
  while (true) {
    let found: usize = 0;
    let rank: u32 = 0xff;
    for (let i: u32 = 0; i < NR_SLEEPERS; i++) {
      const at = SLEEPERS + (i as usize) * SLEEPER_SIZE;
      const r: u32 = load<u8>(at, 4);
      if (r > last && r < rank) {
        rank = r;
        found = at;
      }
    }
    if (found == 0) return;
    last = rank;
    const word = load<u32>(found);
    const gup = op_code(word) == Op.GUP;
    const h = HANDLE_PLACE + (op_y(word) as usize);
    // A handle that is free, but wanted, gets the next place.
    if (gup && load<u8>(h) == UNNAMED) store<u8>(h, symmetry == Symmetry.NONE ? op_y(word) : places++);
    put(op_code(word) | ((load<u8>(MM_PLACE + (op_mm(word) as usize)) as u32) << 6) |
      (place_of(op_page(word), order) << 8) | (op_cpu(word) << 11) | (op_flags(word) << 12) |
      (gup ? (load<u8>(h) as u32) << 21 : 0));
  }
}

// ---- pages and slots

// @ts-ignore: decorator
@inline function page_slot(f: u32): u32 {
  const s1: u32 = load<u8>(PG_SLOT + (f as usize));
  return s1 ? slot(s1 - 1) + 1 : 0;
}
// @ts-ignore: decorator
@inline function place1(mm1: u32): u32 {
  return mm1 ? (load<u8>(MM_PLACE + ((mm1 - 1) as usize)) as u32) + 1 : 0;
}
function encode_frame(f: u32): void {
  const at = f as usize;
  put((load<u8>(PG_REFS + at) as u32) | ((load<u8>(PG_PINS + at) as u32) << 8) | ((load<u8>(PG_ENTIRE + at) as u32) << 16) |
    ((load<u8>(FRAME_NAME + at) as u32) << 24));
  const n: u32 = PageCompound(f) ? HPAGE_PMD_NR : 1;
  for (let i: u32 = 0; i < n; i++) {
    const one = f + i;
    put((load<u8>(PG_MAPCOUNT + (one as usize)) as u32) | (page_flags(one) << 4) | (version(page_version(one)) << 12) |
      (page_slot(one) << 20));
  }
  if (n == 1) return;
  const mms = FOLIO_MMS + ((f as usize) << 1);
  put(place1(load<u8>(mms)) | (place1(load<u8>(mms, 1)) << 4) | ((load<u8>(mms, 2) as u32) << 8) |
    ((load<u8>(mms, 3) as u32) << 16) | ((load<u8>(mms, 4) as u32) << 24));
}
function encode_slot(s: u32): void {
  const at = s as usize;
  const cache: u32 = load<u8>(SWAP_CACHE + at);
  // A dirty page is written out again before the slot can be read.
  const stale = cache != 0 && (page_flags(cache - 1) & PG_DIRTY) != 0;
  put((load<u8>(SWAP_COUNT + at) as u32) | ((cache ? frame(cache - 1) + 1 : 0) << 8) |
    ((stale ? 0 : version(load<u8>(SWAP_VERSION + at))) << 16) | ((load<u8>(SLOT_NAME + at) as u32) << 24));
}
/** Everything that was named, and what it names in turn. */
function encode_named(): void {
  let f: u32 = 0;
  let s: u32 = 0;
  while (f < framesQueued || s < slots) {
    if (f < framesQueued) encode_frame(load<u8>(FRAME_QUEUE + (f++ as usize)));
    else encode_slot(load<u8>(SLOT_QUEUE + (s++ as usize)));
  }
}
/** Pages that nothing leads to any more (left in the swap cache): whatever they hold, no op can see it again. */
function encode_lost(): void {
  let sum: u64 = 0;
  for (let m = ~load<u32>(FREE_MASK) & ~framesSeen & ((1 << NR_FRAMES) - 1); m != 0; m &= m - 1) {
    const at = ctz(m) as usize;
    sum += stir((load<u8>(PG_REFS + at) as u64) | ((load<u8>(PG_MAPCOUNT + at) as u64) << 8) | ((load<u8>(PG_PINS + at) as u64) << 16) |
      ((page_flags(ctz(m)) as u64) << 24) | (((load<u8>(PG_SLOT + at) != 0) as u64) << 32));
  }
  put(sum as u32);
  put((sum >> 32) as u32);
}

/**
 * What the reference memory can still answer: whose a value is (a lost value and a leaked one break different promises),
 * and what a write through a GET of pages shared by fork makes uncertain. Times and dead lives are no more than that.
 */
function encode_answers(nrHeld: u32, living: u32): void {
  for (let i: u32 = 0; i < versions; i++) {
    const v: u32 = load<u8>(VERSION_QUEUE + (i as usize));
    let bits: u32 = via_handle(v) ? 1 : 0;
    for (let k: u32 = 0; k < living; k++) {
      if (foreign(v, life(load<u8>(MM_ORDER + (k as usize))))) bits |= 2 << k;
    }
    put(bits);
  }
  for (let k: u32 = 0; k < nrHeld; k++) {
    const h: u32 = load<u8>(HANDLE_ORDER + (k as usize));
    if (is_get_for_write(h)) put(descendants(h, nrHeld, living));
  }
}
// @ts-ignore: decorator
@inline function is_get_for_write(h: u32): bool {
  return ((load<u16>(handle_at(h), 4) as u32) & (F_GUP_WRITE | F_GUP_PIN)) == F_GUP_WRITE;
}
/** Who came from the handle's owner since the grant, and who is the owner. */
function descendants(h: u32, nrHeld: u32, living: u32): u32 {
  const owner = handle_life(h);
  const since = handle_time(h);
  let bits: u32 = 0;
  for (let i: u32 = 0; i < living; i++) {
    if (descends(life(load<u8>(MM_ORDER + (i as usize))), owner, since)) bits |= 1 << i;
  }
  for (let i: u32 = 0; i < nrHeld; i++) {
    const who = handle_life(load<u8>(HANDLE_ORDER + (i as usize)));
    if (who == owner) bits |= 0x10 << i;
    if (descends(who, owner, since)) bits |= 0x100 << i;
  }
  return bits;
}

// ---- the whole

// @ts-ignore: decorator
@inline function stir(word: u64): u64 {
  let x = word * 0x9e3779b97f4a7c15;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  return x ^ (x >> 29);
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
  encode_lost();
  encode_answers(nrHeld, living);
  return hash();
}
/** What a process looks like before anything has a name. */
function looks(mm: u32, order: usize): u64 {
  let h: u64 = (load<u8>(mm_at(mm), MM_HAS_PINNED) as u64) | ((mm_uffd(mm) as u64) << 1) | ((uffd(mm) as u64) << 4);
  for (let k: u32 = 0; k < nrPages; k++) {
    const page: u32 = load<u8>(order + (k as usize));
    const pmd = pmd_at(mm, page >> 2);
    const e = pmd_trans_huge(pmd) ? 0 : nameless(pte_at(mm, page));
    h = stir(h ^ (e | ((vm_flags(mm, page) as u64) << 16) | ((promises_at(mm, page) as u64) << 32) | (nameless(pmd) << 48)));
  }
  return h;
}
// @ts-ignore: decorator
@inline function nameless(e: u64): u64 {
  if (pte_present(e)) return (e & 0xfff) | 0x8000;
  return e == 0 ? 0 : (e & 0x3fff) | (is_swap_pte(e) ? 0x4000 : 0xc000);
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
