// How things were before the last op, as far as the judges of costs ask: leaves, VMA flags, and pages that a process has for
// itself.
import { FREE_MASK, HPAGE_PMD_NR, NR_FRAMES, NR_MMS, NR_PAGES, NR_PMDS, SWAP_COUNT } from '../mm/layout';
import {
  compound_head, folio_test, page_count, page_flags, page_mapcount, page_swap, PageCompound, PageKsm, PG_ANON,
  PG_DIRTY, PG_LAZYFREE, total_mapcount,
} from '../mm/page';
import { pmd_at, pmd_trans_huge, pte_dirty, pte_pfn, pte_present, pud_at } from '../mm/pgtable';
import { mm_alive, vm_flags } from '../mm/vma';
import { frame_of, leaf_of } from './structure';

/** Before the op: leaf (u64) of each mm and page, PMD (u64) of each mm and its half, VMA flags (u16), and masks of pages by mm. */
const LEAVES: usize = memory.data(192);
const PMDS: usize = memory.data(48);
const FLAGS: usize = memory.data(48);
/** Present anonymous pages that nothing but their own entry, or the swap cache, refers to. Of a huge page: all of it. */
const ALONE: usize = memory.data(4);
/** Of these, given up by MADV_FREE and clean: nobody needs them any more. */
const DISCARDABLE: usize = memory.data(4);
/** Of these, given up, but written again perhaps: reclaim finds that out, and takes them the next time. */
const REDIRTIED: usize = memory.data(4);

// @ts-ignore: decorator
@inline function at(mm: u32, page: u32): usize {
  return ((mm << 3) + page) as usize;
}
// @ts-ignore: decorator
@inline export function leaf_before(mm: u32, page: u32): u64 {
  return load<u64>(LEAVES + (at(mm, page) << 3));
}
// @ts-ignore: decorator
@inline export function pmd_before(mm: u32, pmd: u32): u64 {
  return load<u64>(PMDS + (((mm * NR_PMDS + pmd) as usize) << 3));
}
// @ts-ignore: decorator
@inline export function flags_before(mm: u32, page: u32): u32 {
  return load<u16>(FLAGS + (at(mm, page) << 1));
}
// @ts-ignore: decorator
@inline export function alone(mm: u32): u32 {
  return load<u8>(ALONE + (mm as usize));
}
// @ts-ignore: decorator
@inline export function discardable(mm: u32): u32 {
  return load<u8>(DISCARDABLE + (mm as usize));
}
// @ts-ignore: decorator
@inline export function redirtied(mm: u32): u32 {
  return load<u8>(REDIRTIED + (mm as usize));
}

function is_alone(mm: u32, page: u32, e: u64): bool {
  if (e == 0 || !pte_present(e)) return false;
  const f = frame_of(e, page);
  if (f >= NR_FRAMES || !(page_flags(f) & PG_ANON) || PageKsm(f)) return false;
  const slot1 = page_swap(f);
  if (slot1 != 0 && load<u8>(SWAP_COUNT + ((slot1 - 1) as usize)) != 0) return false;
  if (!PageCompound(f)) return page_mapcount(f) == 1 && page_count(f) == 1 + ((slot1 != 0) as u32);
  if (pmd_trans_huge(e)) return total_mapcount(f) == 1 && page_count(f) == 1;
  if (total_mapcount(f) != HPAGE_PMD_NR || page_count(f) != HPAGE_PMD_NR) return false;
  const first = page & ~(HPAGE_PMD_NR - 1);
  for (let i: u32 = 0; i < HPAGE_PMD_NR; i++) {
    const other = leaf_of(mm, first + i);
    if (!pte_present(other) || pte_pfn(other) != compound_head(f) + i) return false;
  }
  return true;
}
function is_discardable(e: u64, f: u32): bool {
  return !folio_test(f, PG_DIRTY) && !pte_dirty(e) && page_swap(f) == 0 && (!PageCompound(f) || pmd_trans_huge(e));
}
/** A new program: nothing is mapped. */
export function before_reset(): void {
  memory.fill(LEAVES, 0, 192);
  memory.fill(PMDS, 0, 48);
  memory.fill(FLAGS, 0, 48);
  store<u32>(ALONE, 0);
  store<u32>(DISCARDABLE, 0);
  store<u32>(REDIRTIED, 0);
}
/** Notes how things are, for the next op. */
export function note_before(): void {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    let sole: u32 = 0;
    let clean: u32 = 0;
    let dirty: u32 = 0;
    const alive = mm_alive(mm);
    for (let pmd: u32 = 0; pmd < NR_PMDS; pmd++) {
      const huge_pud = alive && pmd_trans_huge(pud_at(mm));
      store<u64>(PMDS + (((mm * NR_PMDS + pmd) as usize) << 3), !alive ? 0 : huge_pud ? pud_at(mm) : pmd_at(mm, pmd));
    }
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const e = alive ? leaf_of(mm, page) : 0;
      store<u64>(LEAVES + (at(mm, page) << 3), e);
      store<u16>(FLAGS + (at(mm, page) << 1), alive ? vm_flags(mm, page) : 0);
      if (!is_alone(mm, page, e)) continue;
      sole |= 1 << page;
      const f = frame_of(e, page);
      if (!folio_test(f, PG_LAZYFREE)) continue;
      if (is_discardable(e, f)) clean |= 1 << page;
      else dirty |= 1 << page;
    }
    store<u8>(ALONE + (mm as usize), sole);
    store<u8>(DISCARDABLE + (mm as usize), clean);
    store<u8>(REDIRTIED + (mm as usize), dirty);
  }
}

/** Are n frames in a row free, aligned to their number? */
export function frames_are_free(n: u32): bool {
  const all: u32 = (1 << n) - 1;
  for (let f: u32 = 0; f < NR_FRAMES; f += n) if (((load<u32>(FREE_MASK) >> f) & all) == all) return true;
  return false;
}
