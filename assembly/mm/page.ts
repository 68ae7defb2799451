// struct page as parallel byte arrays (see layout.ts), the frame allocator, references and compound pages.
import {
  FOLIO_MMS, FREE_MASK, HPAGE_PMD_NR, NR_FRAMES, PAGE_BUGS, PG_ENTIRE, PG_FLAGS, PG_MAPCOUNT, PG_PINS, PG_REFS, PG_SLOT,
  PG_VERSION,
} from './layout';

export const PG_ANON: u32 = 1;
/** PageAnonExclusive; on the head while PMD-mapped, per page otherwise. */
export const PG_EXCLUSIVE: u32 = 2;
/** Modified since it was last written to swap. */
export const PG_DIRTY: u32 = 4;
/** Part of a THP; its head is the frame rounded down to 4. */
export const PG_COMPOUND: u32 = 8;
/** Isolated for migration, on the head: its mappings are migration entries, and the migration has a reference. */
export const PG_MIGRATING: u32 = 0x40;
/** In the stable tree of KSM. */
export const PG_KSM: u32 = 0x80;

/** MADV_FREE: not swapbacked, so reclaim drops it unless it is dirty. On every page of a THP. */
export const PG_LAZYFREE: u32 = 16;

/** Frames that are no ordinary memory: no references or mappings are counted. */
export const ZERO_PFN: u32 = 24;
export const DAX_PFN: u32 = 25;
export const HUGE_ZERO_PFN: u32 = 28;
export const NO_PAGE: u32 = 0xff;

// @ts-ignore: decorator
@inline export function is_special_pfn(frame: u32): bool {
  return frame >= NR_FRAMES;
}
// @ts-ignore: decorator
@inline export function page_flags(f: u32): u32 {
  return load<u8>(PG_FLAGS + (f as usize));
}
// @ts-ignore: decorator
@inline export function set_page_flags(f: u32, flags: u32): void {
  store<u8>(PG_FLAGS + (f as usize), flags);
}
// @ts-ignore: decorator
@inline export function page_ref(f: u32): u32 {
  return load<u8>(PG_REFS + (f as usize));
}
// @ts-ignore: decorator
@inline export function page_pins(f: u32): u32 {
  return load<u8>(PG_PINS + (f as usize));
}
// @ts-ignore: decorator
@inline export function page_version(f: u32): u32 {
  return load<u8>(PG_VERSION + (f as usize));
}
// @ts-ignore: decorator
@inline export function set_page_version(f: u32, version: u32): void {
  store<u8>(PG_VERSION + (f as usize), version);
}
// @ts-ignore: decorator
@inline export function PageCompound(f: u32): bool {
  return (page_flags(f) & PG_COMPOUND) != 0;
}
// @ts-ignore: decorator
@inline export function compound_head(f: u32): u32 {
  return PageCompound(f) ? f & ~(HPAGE_PMD_NR - 1) : f;
}
// @ts-ignore: decorator
@inline export function PageAnonExclusive(f: u32): bool {
  return (page_flags(f) & PG_EXCLUSIVE) != 0;
}
// @ts-ignore: decorator
@inline export function SetPageAnonExclusive(f: u32): void {
  set_page_flags(f, page_flags(f) | PG_EXCLUSIVE);
}
// @ts-ignore: decorator
@inline export function ClearPageAnonExclusive(f: u32): void {
  set_page_flags(f, page_flags(f) & ~PG_EXCLUSIVE);
}
// @ts-ignore: decorator
@inline export function PageKsm(f: u32): bool {
  return (page_flags(f) & PG_KSM) != 0;
}
// @ts-ignore: decorator
@inline export function set_page_dirty(f: u32): void {
  set_page_flags(f, page_flags(f) | PG_DIRTY);
}
/** A flag that the kernel keeps for the folio stands at each of its pages here. */
export function folio_test(f: u32, flag: u32): bool {
  if (!PageCompound(f)) return (page_flags(f) & flag) != 0;
  return (load<u32>(PG_FLAGS + (compound_head(f) as usize)) & (flag * 0x01010101)) != 0;
}
export function folio_change(f: u32, set: u32, clear: u32): void {
  const n: u32 = PageCompound(f) ? HPAGE_PMD_NR : 1;
  const first = compound_head(f);
  for (let i: u32 = 0; i < n; i++) set_page_flags(first + i, (page_flags(first + i) | set) & ~clear);
}
/** Swap slot + 1 of a page in the swap cache, 0 otherwise. */
// @ts-ignore: decorator
@inline export function page_swap(f: u32): u32 {
  return load<u8>(PG_SLOT + (f as usize));
}
/** References of the folio, as page_count(). */
// @ts-ignore: decorator
@inline export function page_count(f: u32): u32 {
  return page_ref(compound_head(f));
}
/** Mappings of this very page: PTEs, plus the PMDs that map its THP. */
// @ts-ignore: decorator
@inline export function page_mapcount(f: u32): u32 {
  return (load<u8>(PG_MAPCOUNT + (f as usize)) as u32) + (load<u8>(PG_ENTIRE + (compound_head(f) as usize)) as u32);
}
/** Mappings of the whole folio: PMDs count once. */
export function total_mapcount(f: u32): u32 {
  const head = compound_head(f);
  let n: u32 = load<u8>(PG_ENTIRE + (head as usize));
  if (!PageCompound(f)) return n + (load<u8>(PG_MAPCOUNT + (f as usize)) as u32);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) n += load<u8>(PG_MAPCOUNT + ((head + i) as usize));
  return n;
}
/** FOLL_PIN references of the folio: page_maybe_dma_pinned(), exact here. */
// @ts-ignore: decorator
@inline export function page_maybe_dma_pinned(f: u32): bool {
  return page_pins(compound_head(f)) != 0;
}

/** Pages that came to the LRU in this op, bit = frame: they wait in a per-CPU batch, which is empty before the next. */
let lru_batch: u32 = 0;
export function lru_add_drain(): void {
  lru_batch = 0;
}
/** References as v5.9 to v5.17 count them in a fault: the batch has one too. */
// @ts-ignore: decorator
@inline export function page_count_batched(f: u32): u32 {
  return page_count(f) + ((lru_batch >> f) & 1);
}

/** A zeroed order-0 page with one reference, or NO_PAGE. Lowest free frame, so THP-sized holes stay at the top. */
export function alloc_page(): u32 {
  const free = load<u32>(FREE_MASK);
  if (free == 0) return NO_PAGE;
  const f = ctz(free);
  store<u32>(FREE_MASK, free & (free - 1));
  init_page(f, PG_ANON);
  store<u8>(PG_REFS + (f as usize), 1);
  lru_batch |= 1 << f;
  return f;
}
// @ts-ignore: decorator
@inline function init_page(f: u32, flags: u32): void {
  const at = f as usize;
  store<u8>(PG_REFS + at, 0);
  store<u8>(PG_MAPCOUNT + at, 0);
  store<u8>(PG_ENTIRE + at, 0);
  store<u8>(PG_PINS + at, 0);
  store<u8>(PG_FLAGS + at, flags);
  store<u8>(PG_VERSION + at, 0);
  store<u8>(PG_SLOT + at, 0);
}
/** Heads of the aligned groups of four free frames, bit = frame. */
// @ts-ignore: decorator
@inline export function free_groups(): u32 {
  const free = load<u32>(FREE_MASK);
  return free & (free >> 1) & (free >> 2) & (free >> 3) & 0x111111;
}
/** A zeroed THP (4 aligned frames) with one reference on its head, or NO_PAGE. */
export function alloc_thp(): u32 {
  const groups = free_groups();
  if (groups == 0) return NO_PAGE;
  const head = 31 - clz(groups);
  store<u32>(FREE_MASK, load<u32>(FREE_MASK) & ~(0xf << head));
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) init_page(head + i, PG_ANON | PG_COMPOUND);
  store<u64>(FOLIO_MMS + ((head as usize) << 1), 0);
  store<u8>(PG_REFS + (head as usize), 1);
  return head;
}

// @ts-ignore: decorator
@inline export function get_page(f: u32): void {
  if (is_special_pfn(f)) return;
  const at = PG_REFS + (compound_head(f) as usize);
  store<u8>(at, load<u8>(at) + 1);
}
/** Drops a reference; the last one frees the folio. */
export function put_page(f: u32): void {
  if (is_special_pfn(f)) return;
  const head = compound_head(f);
  const at = PG_REFS + (head as usize);
  const refs = load<u8>(at);
  if (refs == 0) {
    page_bug();
    return;
  }
  store<u8>(at, refs - 1);
  if (refs == 1) free_folio(head);
}
function free_folio(head: u32): void {
  const pages: u32 = PageCompound(head) ? 0xf : 1;
  if (total_mapcount(head) != 0 || page_pins(head) != 0 || page_swap(head) != 0) page_bug();
  const n: u32 = PageCompound(head) ? HPAGE_PMD_NR : 1;
  for (let i: u32 = 0; i < n; i++) init_page(head + i, 0);
  store<u32>(FREE_MASK, load<u32>(FREE_MASK) | (pages << head));
}
/** What the kernel would report as "Bad page state": judged as I7. */
export function page_bug(): void {
  store<u32>(PAGE_BUGS, load<u32>(PAGE_BUGS) + 1);
}

/** Is any page being migrated? */
// @ts-ignore: decorator
@inline export function any_migrating(): bool {
  const flags = v128.or(v128.load(PG_FLAGS), v128.load(PG_FLAGS, 16));
  return v128.any_true(v128.and(flags, i8x16.splat(PG_MIGRATING as i8)));
}

// ---- rmap: mappings (mm/rmap.c)

// A large folio knows the mappings of two mms (v6.15). A third one goes uncounted, and the folio may be taken for shared
// even after the two have left.
// @ts-ignore: decorator
@inline function folio_mms(head: u32): usize {
  return FOLIO_MMS + ((head as usize) << 1);
}
/** Is the THP taken for mapped by several mms? */
// @ts-ignore: decorator
@inline export function folio_maybe_mapped_shared(head: u32): bool {
  return load<u8>(folio_mms(head), 4) != 0;
}
/** `mm` maps the THP `n` times more; the mapcounts are up to date. */
function folio_add_mm(head: u32, mm: u32, n: u32): void {
  const at = folio_mms(head);
  let slot: usize = 0;
  if (load<u8>(at) != mm + 1 && load<u8>(at, 1) != mm + 1) {
    if (load<u8>(at) != 0) slot = 1;
    if (load<u8>(at + slot) != 0) return;
    store<u8>(at + slot, mm + 1);
    store<u8>(at + slot, n, 2);
    if (slot == 1 || total_mapcount(head) != n) store<u8>(at, 1, 4);
    return;
  }
  if (load<u8>(at) != mm + 1) slot = 1;
  store<u8>(at + slot, load<u8>(at + slot, 2) + n, 2);
}
/** One mapping less. What the folio is taken for changes only as an mm leaves. */
function folio_remove_mm(head: u32, mm: u32): void {
  const at = folio_mms(head);
  let slot: usize = 0;
  if (load<u8>(at) != mm + 1) {
    if (load<u8>(at, 1) == mm + 1) slot = 1;
    else slot = 2;
  }
  if (slot < 2) {
    const left = load<u8>(at + slot, 2) - 1;
    store<u8>(at + slot, left, 2);
    if (left != 0) return;
    store<u8>(at + slot, 0);
  }
  const all = total_mapcount(head);
  if (load<u8>(at, 2) == all || load<u8>(at, 3) == all) store<u8>(at, 0, 4);
}

/** `mm` maps the page by a PTE. */
// @ts-ignore: decorator
@inline export function page_add_rmap(f: u32, mm: u32): void {
  if (is_special_pfn(f)) return;
  const at = PG_MAPCOUNT + (f as usize);
  store<u8>(at, load<u8>(at) + 1);
  if (PageCompound(f)) folio_add_mm(compound_head(f), mm, 1);
}
// @ts-ignore: decorator
@inline export function page_remove_rmap(f: u32, mm: u32): void {
  if (is_special_pfn(f)) return;
  const at = PG_MAPCOUNT + (f as usize);
  const n = load<u8>(at);
  if (n == 0) page_bug();
  else store<u8>(at, n - 1);
  if (PageCompound(f)) folio_remove_mm(compound_head(f), mm);
}
/** `mm` maps the THP by a PMD. */
export function page_add_rmap_pmd(head: u32, mm: u32): void {
  if (is_special_pfn(head)) return;
  const at = PG_ENTIRE + (head as usize);
  store<u8>(at, load<u8>(at) + 1);
  folio_add_mm(head, mm, 1);
}
export function page_remove_rmap_pmd(head: u32, mm: u32): void {
  if (is_special_pfn(head)) return;
  const at = PG_ENTIRE + (head as usize);
  store<u8>(at, load<u8>(at) - 1);
  folio_remove_mm(head, mm);
}
/** `mm` maps the THP by a table of PTEs in place of its PMD. */
export function page_split_rmap_pmd(head: u32, mm: u32): void {
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const at = PG_MAPCOUNT + ((head + i) as usize);
    store<u8>(at, load<u8>(at) + 1);
  }
  folio_add_mm(head, mm, HPAGE_PMD_NR);
  page_remove_rmap_pmd(head, mm);
}
