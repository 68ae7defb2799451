// madvise and the ends of mappings: MADV_DONTNEED, munmap and exit (mm/memory.c zap paths), MADV_PAGEOUT, MADV_COLD and
// MADV_FREE, and guard regions (mm/madvise.c).
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { split_huge_page, vma_adjust_trans_huge } from './huge_memory';
import { HPAGE_PMD_NR, NR_MMS, NR_PAGES, NR_PMDS, PG_ENTIRE } from './layout';
import { anon_vma_prepare, remove_vmas } from './mmap';
import {
  compound_head, folio_change, folio_maybe_mapped_shared, folio_test, is_special_pfn, page_mapcount, page_remove_rmap,
  page_remove_rmap_pmd, page_swap, PageCompound, PG_DIRTY, PG_LAZYFREE, put_page,
  total_mapcount,
} from './page';
import {
  is_guard_pte_marker, is_migration_entry, is_pte_marker, is_swap_pmd, is_swap_pte, make_pte_marker, pmd_at, pmd_none,
  pmd_trans_huge, pte_at, pte_mkclean, pte_mkold, PTE_MARKER_GUARD,
  pte_pfn, pte_present, pte_uffd_wp, pud_at, set_pmd_at, set_pte_at, set_pud_at, swp_offset, _PAGE_ACCESSED, _PAGE_DIRTY,
  _PAGE_PSE, _PAGE_TABLE,
} from './pgtable';
import { free_swap_and_cache, free_swap_cache, try_to_free_swap } from './swapfile';
import { flush_pmd_tlb_range, flush_tlb_page } from './tlb';
import { one_vma, pages_with, vma_end, VM_READ } from './vma';
import { shrink_folio } from './vmscan';

/** False: a guard, which only unmapping takes away. */
function zap_pte(mm: u32, page: u32, e: u64, drop_markers: bool): bool {
  if (is_guard_pte_marker(e) && !drop_markers && !knob(K.MUTANT_ZAP_DROPS_GUARD)) {
    at(P.ZAP_GUARD);
    return false;
  }
  set_pte_at(mm, page, 0);
  if (!pte_present(e)) {
    at(P.ZAP_NONPRESENT);
    // A migration entry holds neither a reference nor a mapping.
    if (is_swap_pte(e)) free_swap_and_cache(swp_offset(e));
    return true;
  }
  if (!knob(K.MUTANT_ZAP_FORGETS_FLUSH)) flush_tlb_page(mm, page);
  const f = pte_pfn(e);
  if (is_special_pfn(f)) return true;
  at(P.ZAP_PAGE);
  page_remove_rmap(f, mm);
  free_swap_cache(f);
  put_page(f);
  return true;
}
function zap_huge_pmd(mm: u32, pmd: u32, e: u64): void {
  at(P.ZAP_HUGE_PMD);
  set_pmd_at(mm, pmd, 0);
  if (is_swap_pmd(e)) return;
  flush_pmd_tlb_range(mm, pmd);
  const head = pte_pfn(e);
  if (is_special_pfn(head)) return;
  page_remove_rmap_pmd(head, mm);
  put_page(head);
}

/** Drops the entries of `mask`; anonymous uffd-wp goes with them, guards with `drop_markers` only. */
export function zap_page_range(mm: u32, mask: u32, drop_markers: bool): void {
  if (pud_at(mm) & _PAGE_PSE && mask == 0xff) {
    set_pud_at(mm, 0);
    flush_pmd_tlb_range(mm, 0);
    flush_pmd_tlb_range(mm, 1);
    return;
  }
  vma_adjust_trans_huge(mm, mask);
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    const part = (mask >> (pmd << 2)) & 0xf;
    const upper = pmd_at(mm, pmd);
    if (part == 0 || pmd_none(upper)) continue;
    if (pmd_trans_huge(upper) || is_swap_pmd(upper)) {
      zap_huge_pmd(mm, pmd, upper);
      continue;
    }
    let empty = true;
    for (let rest = part; rest != 0; rest &= rest - 1) {
      const page = (pmd << 2) + ctz(rest);
      const e = pte_at(mm, page);
      if (e != 0 && !zap_pte(mm, page, e, drop_markers)) empty = false;
    }
    if (knob(K.ZAP_FREES_TABLES) && empty && part == 0xf && one_vma(mm, pmd)) set_pmd_at(mm, pmd, 0);
  }
}

/** Unmaps: entries, VMAs, and page tables that cover no VMA any more. */
export function unmap_region(mm: u32, mask: u32): void {
  zap_page_range(mm, mask, !knob(K.MUTANT_UNMAP_KEEPS_GUARD));
  remove_vmas(mm, mask);
  const left = pages_with(mm, 0xff, VM_READ, 0);
  for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
    if (((left >> (pmd << 2)) & 0xf) == 0 && pmd_at(mm, pmd) == _PAGE_TABLE) set_pmd_at(mm, pmd, 0);
  }
  if (mask == 0xff) set_pud_at(mm, 0);
}

// ---- MADV_PAGEOUT and MADV_COLD: of its own range, and only what no other process maps

/** Is a mapping of the THP that `f` belongs to in another process's tables likely? */
function folio_likely_mapped_shared(f: u32): bool {
  const head = compound_head(f);
  const maps = total_mapcount(head);
  const entire: u32 = load<u8>(PG_ENTIRE + (head as usize));
  // One PMD is one mapping; a PTE here stands for many.
  if (maps == 1 && entire == 1) return false;
  if (knob(K.FOLIO_MM_IDS)) return folio_maybe_mapped_shared(head);
  return entire != 0 || maps > HPAGE_PMD_NR || page_mapcount(head) > 1;
}
/** Pages from `page` on, before `end`, whose entries map the same folio in sequence. */
function folio_pte_batch(mm: u32, page: u32, end: u32): u32 {
  const first = pte_at(mm, page);
  const f = pte_pfn(first);
  let n: u32 = 1;
  for (; page + n < end; n++) {
    const e = pte_at(mm, page + n);
    if (!pte_present(e) || pte_pfn(e) != f + n || compound_head(f + n) != compound_head(f)) break;
    if (pte_uffd_wp(e) != pte_uffd_wp(first)) break;
  }
  return n;
}
function isolate_and_reclaim(mm: u32, page: u32, n: u32, pageout: bool): void {
  const f = pte_pfn(pte_at(mm, page));
  for (let i = page; i < page + n; i++) {
    set_pte_at(mm, i, pte_mkold(pte_at(mm, i)));
    flush_tlb_page(mm, i);
  }
  if (pageout) shrink_folio(f, page);
}

/** The entries of [page, end), which lie in one PMD and one VMA. */
function madvise_cold_or_pageout_pte_range(mm: u32, first: u32, end: u32, pageout: bool): void {
  let page = first;
  while (page < end) {
    const e = pte_at(mm, page);
    const f = pte_pfn(e);
    if (!pte_present(e) || is_special_pfn(f)) {
      page++;
      continue;
    }
    let n: u32 = 1;
    if (PageCompound(f)) {
      if (knob(K.PAGEOUT_FOLIO_BATCH)) n = folio_pte_batch(mm, page, end);
      if (n < HPAGE_PMD_NR) {
        const asked = knob(K.PAGEOUT_ASKS_FIRST_PAGE) ? compound_head(f) : f;
        const shared = knob(K.PAGEOUT_FOLIO_BATCH) ? folio_likely_mapped_shared(f) : page_mapcount(asked) != 1;
        if (!shared && split_huge_page(compound_head(f), false)) continue;
        at(P.PAGEOUT_SHARED);
        if (!knob(K.PAGEOUT_FOLIO_BATCH)) return;
        page += n;
        continue;
      }
    }
    if ((PageCompound(f) ? total_mapcount(f) : page_mapcount(f)) == n) isolate_and_reclaim(mm, page, n, pageout);
    else at(P.PAGEOUT_SHARED);
    page += n;
  }
}
/** page_referenced: has another process used its mapping of the THP? Its accessed bits start over. */
function used_by_others(mm: u32, head: u32): bool {
  let used = false;
  for (let other: u32 = 0; other < NR_MMS; other++) {
    for (let page: u32 = 0; other != mm && page < NR_PAGES; page++) {
      const upper = pmd_at(other, page >> 2);
      if (pmd_none(upper)) continue;
      const huge = pmd_trans_huge(upper);
      const e = huge ? upper : pte_at(other, page);
      if (!pte_present(e) || is_special_pfn(pte_pfn(e)) || compound_head(pte_pfn(e)) != head || !(e & _PAGE_ACCESSED)) continue;
      used = true;
      if (huge) set_pmd_at(other, page >> 2, pte_mkold(e));
      else set_pte_at(other, page, pte_mkold(e));
    }
  }
  return used;
}
function madvise_cold_or_pageout_pmd(mm: u32, first: u32, end: u32, pageout: bool): void {
  const pmd = first >> 2;
  const upper = pmd_at(mm, pmd);
  if (pmd_none(upper)) return;
  if (pmd_trans_huge(upper)) {
    const head = pte_pfn(upper);
    if (is_special_pfn(head)) return;
    if (knob(K.PAGEOUT_FOLIO_BATCH) ? folio_likely_mapped_shared(head) : page_mapcount(head) != 1) {
      at(P.PAGEOUT_SHARED);
      return;
    }
    if (end - first == HPAGE_PMD_NR) {
      set_pmd_at(mm, pmd, pte_mkold(upper));
      flush_pmd_tlb_range(mm, pmd);
      if (pageout && (knob(K.PAGEOUT_FOLIO_BATCH) || !used_by_others(mm, head))) shrink_folio(head, first);
      return;
    }
    if (!split_huge_page(head, false)) return;
  }
  madvise_cold_or_pageout_pte_range(mm, first, end, pageout);
}
/** The end of the pages of `mask` from `first` on that lie in one PMD and one VMA. */
function end_of_walk(mm: u32, mask: u32, first: u32): u32 {
  let end = first + 1;
  while (end & 3 && (mask >> end) & 1 && end < vma_end(mm, first)) end++;
  return end;
}
/** What this process alone maps in the pages of `mask` seems unused, and is reclaimed or only the first to be. */
function madvise_cold_or_pageout(mm: u32, mask: u32, pageout: bool): void {
  if (pud_at(mm) & _PAGE_PSE) return;
  for (let rest = mask; rest != 0; ) {
    const first = ctz(rest);
    const end = end_of_walk(mm, mask, first);
    madvise_cold_or_pageout_pmd(mm, first, end, pageout);
    rest &= ~((1 << end) - 1);
  }
}
export function madvise_pageout(mm: u32, mask: u32): void {
  madvise_cold_or_pageout(mm, mask, true);
}
export function madvise_cold(mm: u32, mask: u32): void {
  madvise_cold_or_pageout(mm, mask, false);
}

// ---- guard regions: markers that any access faults on

/** What is in the way is dropped; then the pages have markers, and their VMAs an anon_vma, so that fork copies them. */
export function madvise_guard_install(mm: u32, mask: u32): void {
  at(P.GUARD_INSTALL);
  for (let rest = mask; rest != 0; rest &= rest - 1) anon_vma_prepare(mm, ctz(rest));
  zap_page_range(mm, mask, false);
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    const page = ctz(rest);
    if (pmd_none(pmd_at(mm, page >> 2))) set_pmd_at(mm, page >> 2, _PAGE_TABLE);
    // One that stands stays as it is, with bits beside the marker.
    if (!is_guard_pte_marker(pte_at(mm, page))) set_pte_at(mm, page, make_pte_marker(PTE_MARKER_GUARD));
  }
}
export function madvise_guard_remove(mm: u32, mask: u32): void {
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    const page = ctz(rest);
    if (pmd_at(mm, page >> 2) != _PAGE_TABLE || !is_guard_pte_marker(pte_at(mm, page))) continue;
    at(P.GUARD_REMOVE);
    set_pte_at(mm, page, 0);
  }
}

// ---- MADV_FREE: entries become clean, and pages such that reclaim drops them as long as they are

/** Whether somebody else maps the THP, as MADV_FREE asks it. */
function thp_shared(f: u32): bool {
  if (knob(K.MADV_FREE_FOLIO_BATCH)) return folio_likely_mapped_shared(f);
  return page_mapcount(knob(K.MADV_FREE_ASKS_FIRST_PAGE) ? compound_head(f) : f) != 1;
}
function madvise_free_folio(mm: u32, page: u32, n: u32, f: u32): void {
  if (knob(K.MADV_FREE_SKIPS_SHARED) && total_mapcount(f) != n) {
    at(P.MADV_FREE_SHARED);
    return;
  }
  // What the entry does not say, the folio may: then it must be all ours, so that the others' data can go nowhere else.
  if (page_swap(f) || folio_test(f, PG_DIRTY)) {
    if (total_mapcount(f) != n || (page_swap(f) && !try_to_free_swap(f))) {
      at(P.MADV_FREE_SHARED);
      return;
    }
    folio_change(f, 0, PG_DIRTY);
  }
  at(P.MADV_FREE);
  for (let i = page; i < page + n; i++) {
    const e = pte_at(mm, i);
    if (!(e & (_PAGE_ACCESSED | _PAGE_DIRTY))) continue;
    set_pte_at(mm, i, pte_mkclean(pte_mkold(e)));
    flush_tlb_page(mm, i);
  }
  folio_change(f, PG_LAZYFREE, 0);
}
function madvise_free_pte_range(mm: u32, first: u32, end: u32): void {
  let page = first;
  while (page < end) {
    const e = pte_at(mm, page);
    if (!pte_present(e)) {
      if (is_swap_pte(e)) {
        at(P.MADV_FREE_SWAP);
        set_pte_at(mm, page, 0);
        free_swap_and_cache(swp_offset(e));
      }
      page++;
      continue;
    }
    const f = pte_pfn(e);
    let n: u32 = 1;
    if (PageCompound(f)) {
      const batches = knob(K.MADV_FREE_FOLIO_BATCH);
      if (batches) n = folio_pte_batch(mm, page, end);
      if (n < HPAGE_PMD_NR) {
        if (!thp_shared(f) && split_huge_page(compound_head(f), false)) continue;
        at(P.MADV_FREE_SHARED);
        if (!batches) return;
        page += n;
        continue;
      }
    }
    if (!is_special_pfn(f)) madvise_free_folio(mm, page, n, f);
    page += n;
  }
}
/** False: go on with the entries below. */
function madvise_free_huge_pmd(mm: u32, first: u32, end: u32): bool {
  const pmd = first >> 2;
  const e = pmd_at(mm, pmd);
  const head = pte_pfn(e);
  if (is_special_pfn(head)) return true;
  if (thp_shared(head)) {
    at(P.MADV_FREE_SHARED);
    return true;
  }
  if (end - first != HPAGE_PMD_NR) return !split_huge_page(head, false);
  at(P.MADV_FREE_PMD);
  folio_change(head, PG_LAZYFREE, PG_DIRTY);
  if (e & (_PAGE_ACCESSED | _PAGE_DIRTY)) {
    set_pmd_at(mm, pmd, pte_mkclean(pte_mkold(e)));
    flush_pmd_tlb_range(mm, pmd);
  }
  return true;
}
export function madvise_free(mm: u32, mask: u32): void {
  for (let rest = mask; rest != 0; ) {
    const first = ctz(rest);
    const end = end_of_walk(mm, mask, first);
    rest &= ~((1 << end) - 1);
    const upper = pmd_at(mm, first >> 2);
    if (pmd_none(upper) || (pmd_trans_huge(upper) && madvise_free_huge_pmd(mm, first, end))) continue;
    madvise_free_pte_range(mm, first, end);
  }
}
