// What two runs of one program may differ in without being wrong: one table, and the rules that apply it. A rule reads
// the reference memory, as it says what was promised at all, never page tables.
import { K, knob } from '../kernel/knobs';
import {
  ABSENT, DIRTY, FREED, H, handle_mm, handle_page, handle_state, handle_version, has, MAPPED, MISSING, owner_wrote, promised, TRACKING,
  WILD, WP_MAYBE,
} from '../oracle/promises';
import { NR_SLEEPERS, SLEEPER_SIZE, SLEEPERS } from '../mm/layout';
import { F_GUP_FAST_ONLY, Op, op_code, op_flags, op_mm, op_page, R } from '../ops/table';
import { See, view_bits } from './view';

/** Rows of the table. */
export namespace L {
  export const MEMORY: u32 = 0;
  export const FAST_ONLY: u32 = 1;
  export const LAYOUT_OP: u32 = 2;
  export const UNPOPULATED: u32 = 3;
  export const WEAK_HANDLE: u32 = 4;
  export const SHARED_GET: u32 = 5;
  export const COARSE: u32 = 6;
  export const VMA_MERGES: u32 = 7;
  export const PINNED: u32 = 8;
  export const WHOLE_RANGE: u32 = 9;
  export const THREADS: u32 = 10;
  export const MIDWAY: u32 = 11;
  export const WAKING: u32 = 12;
  export const FREED: u32 = 13;
  export const COLLAPSE: u32 = 14;
  export const COUNT: u32 = 15;
}

/** Row for people: "name \t modes \t what may differ \t why". */
export function latitudeRow(id: u32): string {
  switch (id) {
    case L.MEMORY: return "memory\tall\tAn operation runs out of memory in one run; nothing is compared from there on.\tA huge page takes four frames at once, a page in swap none.";
    case L.FAST_ONLY: return "fast-only\tall\tFast-only GUP gets the page in one run; nothing is compared from there on.\tIt takes what is present, and promises nothing for what is not.";
    case L.LAYOUT_OP: return "layout-op\tall\tThe result of an operation on the layout itself (thp_split, migrate).\tWithout a huge page, or with a page in swap, there is nothing to do.";
    case L.UNPOPULATED: return "unpopulated\tall\tuffd-wp, and the event of a store, where protection may or may not have taken; events of missing pages, UFFDIO_COPY, ZEROPAGE and MOVE where there may be zeroes or nothing. Nothing is compared once the results differ.\tWhether zeroes have an entry depends on the layout; protecting a page without one is a no-op without WP_UNPOPULATED.";
    case L.WEAK_HANDLE: return "weak-handle\tall\tWhich of its owner's versions a handle that is no strict pin shows.\tGET, and a short-term read pin of zeroes, promise the owner's data of the grant or later; whether a store moves the owner away depends on the references of the whole huge page.";
    case L.SHARED_GET: return "shared-get\tall\tThe contents of a page that was written through a GET after its owner forked.\tFork shares what is only GET, so either side may keep the page.";
    case L.FREED: return "freed\tall\tContents, uffd-wp and soft-dirty of a page that MADV_FREE gave up, until a store.\tReclaim may drop it at any time or never.";
    case L.COARSE: return "coarse\tall\tA page reported soft-dirty that nobody wrote, where huge pages are allowed.\tA huge leaf has one bit for all of its pages.";
    case L.VMA_MERGES: return "vma-merges\tall\tSoft-dirty of a VMA as a whole, and what it hides; whether mremap, and before v6.3 UFFDIO_WRITEPROTECT, takes a range; which registration mremap takes away. Nothing is compared from there on.\tWhich neighbours merge depends on whether a VMA ever had an anonymous page, which the huge zero page counts as, and on the order of calls.";
    case L.PINNED: return "pinned\tall\tSoft-dirty of memory that the process has pinned, and before any clear_refs.\tPinned memory stays outside of soft-dirty by decision of 9348b73c2e1b.";
    case L.WHOLE_RANGE: return "whole-range\tbatch\tA call that is refused, or skipped, for its whole range is not taken apart.\tBefore v6.3 UFFDIO_WRITEPROTECT wants one VMA to hold the range; mmap wants all of it to be free.";
    case L.MIDWAY: return "midway\tbatch\tWho is woken by a call that fails midway; nothing is compared once a thread was woken in one run only, or may have been and sleeps again.\tIt wakes nobody; page by page, the pages before the bad one have woken theirs.";
    case L.WAKING: return "waking\tbatch\tIn which order threads wake, so which of two gets a handle, and whether one wakes that sleeps where nothing is mapped any more; nothing is compared from there on.\tA range wakes the newest sleeper first and does not mind holes; a call for a hole alone is refused.";
    case L.COLLAPSE: return "collapse\tall\tNothing is compared after a MADV_COLLAPSE, which may go through for a part.\tWhether it does depends on the very layout, and one bit of soft-dirty stands for four pages from then on; page by page it means nothing.";
    case L.THREADS: return "threads\tall\tTwo operations at once run one after the other.\tWhere a lock is dropped depends on the layout, so one schedule means two things.";
  }
  return "";
}

/** What follows from a difference. */
export namespace Verdict {
  export const DIFFERS: u32 = 0;
  /** Latitude, and the two may still be compared. */
  export const IGNORE: u32 = 1;
  /** Latitude, and from here on they do different things. */
  export const PART: u32 = 2;
}

/** Ops that take one page and fault it in if need be. */
export function is_access(code: u32): bool {
  return code == Op.READ || code == Op.WRITE || code == Op.GUP || code == Op.POPULATE;
}
/** Ops that are about how memory is mapped and nothing else: what they return tells of the layout. */
function is_layout_op(code: u32): bool {
  return code == Op.THP_SPLIT || (code >= Op.MIGRATE && code <= Op.MIGRATE_END);
}
/** Missing pages are registered there, and neither data nor a zap says whether there is one. */
export function perhaps_missing(mm: u32, page: u32): bool {
  if (!has(mm, MISSING, page) || has(mm, ABSENT, page)) return false;
  return promised(mm, page) == 0 || promised(mm, page) == WILD || has(mm, FREED, page);
}
function somebody_sleeps(): bool {
  for (let i: u32 = 0; i < NR_SLEEPERS; i++) if (load<u8>(SLEEPERS + (i as usize) * SLEEPER_SIZE, 4) != 0) return true;
  return false;
}
/**
 * Filling pages that may have been there already was refused in a run, after it had filled some or none; memory was
 * collapsed; or who sleeps may have been woken midway.
 */
export function ends_comparison(word: u32, a: u32, b: u32): bool {
  const code = op_code(word);
  if (code == Op.UNWP && (a == R.REFUSED || b == R.REFUSED) && somebody_sleeps()) return true;
  if (code == Op.COLLAPSE) return a != R.SKIP || b != R.SKIP;
  const fills = code == Op.UFFD_COPY || code == Op.UFFD_ZEROPAGE || code == Op.UFFD_MOVE;
  return fills && (a != R.OK || b != R.OK);
}
/** Op `word` had result `a` in one run and `b` in the other. `maybe`: pages of its mm that may or may not be protected. */
export function result_latitude(word: u32, a: u32, b: u32, maybe: u32): u32 {
  const code = op_code(word);
  if (a == R.NOMEM || b == R.NOMEM) return Verdict.PART;
  const one_vma = (code == Op.WP || code == Op.UNWP) && !knob(K.WP_PER_VMA);
  if (one_vma && (a == R.REFUSED || b == R.REFUSED)) return Verdict.PART;
  if (code == Op.MREMAP && (a == R.FAULT || b == R.FAULT)) return Verdict.PART;
  if (code == Op.UFFD_MOVE && (a == R.REFUSED || b == R.REFUSED)) return Verdict.PART;
  if (is_layout_op(code)) return Verdict.IGNORE;
  if (code == Op.GUP && (op_flags(word) & F_GUP_FAST_ONLY) != 0 && (a == R.REFUSED || b == R.REFUSED)) return Verdict.PART;
  if (is_access(code) && (((maybe >> op_page(word)) & 1) != 0 || perhaps_missing(op_mm(word), op_page(word)))) return Verdict.PART;
  return Verdict.DIFFERS;
}
/** The same of a thread that slept and was woken by an op of the `batch` mode, which was `refused` or not. */
export function woken_latitude(word: u32, a: u32, b: u32, refused: bool): u32 {
  const handle = op_code(word) == Op.GUP && (a == R.SKIP || b == R.SKIP);
  return refused || handle || !has(op_mm(word), MAPPED, op_page(word)) ? Verdict.PART : Verdict.DIFFERS;
}
/** (mm, page) holds, or shows, two versions. */
export function content_latitude(mm: u32, page: u32): bool {
  return promised(mm, page) == WILD || has(mm, FREED, page);
}
/** Handle `h` shows two versions. */
export function handle_latitude(h: u32, a: u32, b: u32): bool {
  const state = handle_state(h);
  if ((state & H.UNJUDGED) != 0) return true;
  if ((state & (H.PIN | H.STRICT)) == (H.PIN | H.STRICT)) return promised(handle_mm(h), handle_page(h)) == WILD;
  return acceptable(h, a) && acceptable(h, b);
}
function acceptable(h: u32, version: u32): bool {
  return version == handle_version(h) || owner_wrote(h, version);
}
/** After op `word` (mm, page) is mapped in another way: `a` and `b` are bits of the views. */
export function vma_latitude(word: u32, a: u32, b: u32): u32 {
  const registered = ((a ^ b) & (See.MAPPED | See.WRITABLE)) == 0;
  return registered && op_code(word) == Op.MREMAP ? Verdict.PART : Verdict.DIFFERS;
}
/** uffd-wp of (mm, page) stands in one view only. */
export function wp_latitude(mm: u32, page: u32): bool {
  return has(mm, WP_MAYBE, page);
}
/** Soft-dirty of (mm, page) is reported in one of the views only. */
export function soft_dirty_latitude(mm: u32, page: u32, a: usize, b: usize): bool {
  const left = view_bits(a, mm, page);
  const right = view_bits(b, mm, page);
  if (((left | right) & See.VMA_SOFT_DIRTY) != 0 || !has(mm, TRACKING, page) || has(mm, FREED, page)) return true;
  return ((left | right) & See.THP) != 0 && !has(mm, DIRTY, page);
}
