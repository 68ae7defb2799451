// What is new: handler points (bytes at COVERAGE, set by the handler itself) and abstract states of the leaf that an op
// left behind (a bitmap of hashes at STATES). A program that reaches either for the first time is worth mutating.
import {
  COVERAGE, COVERAGE_SIZE, MM_PMD, PG_ENTIRE, PG_MAPCOUNT, PG_PINS, PG_REFS, PG_SLOT, STATES, SWAP_CACHE, SWAP_COUNT,
  TOUCHED,
} from '../mm/layout';
import { compound_head, is_special_pfn, page_flags, PG_EXCLUSIVE } from '../mm/page';
import {
  is_swap_pte, mm_at, pmd_trans_huge, pte_at, pte_pfn, pte_present, swp_offset, _PAGE_ACCESSED, _PAGE_USER,
} from '../mm/pgtable';
import { vm_flags, VM_SOFTDIRTY, VM_UFFD, VM_WRITE } from '../mm/vma';
import { arg_first, op_code, op_mm, op_page, op_target } from '../ops/table';
import {
  KNOWN_POINTS, NEWS_POINT, NOVEL, NOVEL_COUNT, NOVEL_HEADER, NOVEL_MAX, NOVEL_NEWS, NOVEL_RECORD,
} from './area';
import { MOVES } from './generate';

let news: u32 = 0;
/** Ops of the program up to the last one that left a new state. */
let telling: u32 = 0;

/** Begins a program: nothing new yet. */
// @ts-ignore: decorator
@inline export function novelty_begin(): void {
  news = 0;
  telling = 0;
}
// @ts-ignore: decorator
@inline function record(): usize {
  return NOVEL + (load<u32>(NOVEL_COUNT) as usize) * NOVEL_RECORD;
}
// Kept in the record that this program will get if it is kept.
function note(what: u32): void {
  if (news < NOVEL_NEWS && load<u32>(NOVEL_COUNT) < NOVEL_MAX) store<u32>(record() + 8 + ((news as usize) << 2), what);
  news++;
}

// Leaf bits 0..11 without user and accessed, and the type of a non-present entry: no frame, no slot.
const LEAF_BITS: u64 = 0xf800000000000fff & ~(_PAGE_USER | _PAGE_ACCESSED);
const VMA_BITS: u32 = VM_WRITE | VM_UFFD | VM_SOFTDIRTY;

// @ts-ignore: decorator
@inline function several(n: u32): u32 {
  return n < 2 ? n : 2;
}
/** A number for the page behind the leaf: references against mappings, pins, exclusive, swap cache. */
function page_state(f: u32): u32 {
  if (is_special_pfn(f)) return 0;
  const head = compound_head(f) as usize;
  const maps = (load<u8>(PG_MAPCOUNT + (f as usize)) as u32) + (load<u8>(PG_ENTIRE + head) as u32);
  const refs: u32 = load<u8>(PG_REFS + head);
  const cached: u32 = load<u8>(PG_SLOT + (f as usize)) ? 1 : 0;
  const pinned: u32 = load<u8>(PG_PINS + head) ? 1 : 0;
  const held: u32 = refs > maps + cached ? 1 : 0;
  const exclusive: u32 = page_flags(f) & PG_EXCLUSIVE ? 1 : 0;
  const compound: u32 = head != (f as usize) || load<u8>(PG_ENTIRE + head) ? 1 : 0;
  return 1 | (several(maps) << 1) | (cached << 3) | (pinned << 4) | (held << 5) | (exclusive << 6) | (compound << 7);
}
function slot_state(slot: u32): u32 {
  const entries: u32 = load<u8>(SWAP_COUNT + (slot as usize));
  const cache: u32 = load<u8>(SWAP_CACHE + (slot as usize));
  return 0x100 | several(entries) | (cache ? page_state(cache - 1) << 9 : 0);
}

/** Hash of 16 bits: the leaf, what stands behind it, and its VMA. With the op that led there they would be too many to be news. */
// @ts-ignore: decorator
@inline export function abstract_state(mm: u32, page: u32): u32 {
  const pmd = load<u64>(mm_at(mm) + ((page as usize) >> 2 << 3), MM_PMD);
  const huge = pmd_trans_huge(pmd);
  const e = huge ? pmd : pmd ? pte_at(mm, page) : 0;
  let behind: u32 = 0;
  if (pte_present(e)) behind = page_state(huge ? pte_pfn(e) + (page & 3) : pte_pfn(e));
  else if (is_swap_pte(e)) behind = slot_state(swp_offset(e));
  let h = (e & LEAF_BITS) ^ (((vm_flags(mm, page) & VMA_BITS) as u64) << 12) ^ ((behind as u64) << 22);
  h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 32)) * 0x94d049bb133111eb;
  return (h >> 48) as u32;
}

/** Notes the state that op `word`, with which the program has n, left behind: in the first leaf it wrote, or in the one it names. */
// @ts-ignore: decorator
@inline export function note_state(word: u32, n: u32): void {
  const touched = load<u32>(TOUCHED);
  const own = op_mm(word) << 3;
  // Of what moved, where it went tells more than where it was.
  const there = own | arg_first(op_target(word));
  const moved = ((MOVES >> op_code(word)) & 1) != 0 && ((touched >> there) & 1) != 0;
  const at: u32 = moved ? there : touched ? ctz(touched) : own | arg_first(op_page(word));
  const bit = abstract_state(at >> 3, at & 7);
  const byte = STATES + ((bit >> 3) as usize);
  const old: u32 = load<u8>(byte);
  const mask: u32 = 1 << (bit & 7);
  if (old & mask) return;
  store<u8>(byte, old | mask);
  note(bit);
  telling = n;
}

/** Points reached since the last call: compares with, and brings up to date, the copy at KNOWN_POINTS. */
function note_points(): void {
  for (let i: usize = 0; i < COVERAGE_SIZE; i += 16) {
    const now = v128.load(COVERAGE + i);
    if (!v128.any_true(v128.xor(now, v128.load(KNOWN_POINTS + i)))) continue;
    for (let k: usize = i; k < i + 16; k++) if (load<u8>(COVERAGE + k) != load<u8>(KNOWN_POINTS + k)) note(NEWS_POINT + (k as u32));
    v128.store(KNOWN_POINTS + i, now);
  }
}
/** What is at COVERAGE now counts as known. */
export function know_points(): void {
  memory.copy(KNOWN_POINTS, COVERAGE, COVERAGE_SIZE);
}
/** Takes back the points that work outside the fuzzer's programs reached. */
export function forget_points(): void {
  memory.copy(COVERAGE, KNOWN_POINTS, COVERAGE_SIZE);
}

/**
 * Ends a program of `n` words at `words`: it joins the list if it showed something new (and `keep`), up to where it did;
 * which op reached a new point is not known.
 */
export function novelty_end(words: usize, n: u32, keep: bool): void {
  const states = news;
  note_points();
  const count = load<u32>(NOVEL_COUNT);
  if (news == states && telling > 1) n = telling;
  if (news == 0 || !keep || count >= NOVEL_MAX) return;
  const to = record();
  store<u32>(to, n);
  store<u32>(to, news < NOVEL_NEWS ? news : NOVEL_NEWS, 4);
  memory.copy(to + NOVEL_HEADER, words, (n as usize) << 2);
  store<u32>(NOVEL_COUNT, count + 1);
}
