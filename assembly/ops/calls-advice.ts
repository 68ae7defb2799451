// The operations that are advice: madvise beyond MADV_DONTNEED and MADV_PAGEOUT.
import { K, knob } from '../kernel/knobs';
import { madvise_collapse, SCAN_NOMEM, SCAN_SUCCEED } from '../mm/khugepaged';
import { madvise_cold, madvise_free, madvise_guard_install, madvise_guard_remove } from '../mm/madvise';
import { NR_PAGES } from '../mm/layout';
import { pages_with, VM_DAX, vma_end } from '../mm/vma';
import { done } from './calls';
import { R } from './table';

// @ts-ignore: decorator
@inline function anonymous(mm: u32, mask: u32): bool {
  return pages_with(mm, mask, VM_DAX, 0) == 0;
}
export function op_madv_free(mm: u32, mask: u32, index: u32): u32 {
  if (!anonymous(mm, mask)) return R.SKIP;
  madvise_free(mm, mask);
  return done(index);
}
export function op_madv_cold(mm: u32, mask: u32, index: u32): u32 {
  madvise_cold(mm, mask);
  return done(index);
}
export function op_guard_install(mm: u32, mask: u32, index: u32): u32 {
  if (!anonymous(mm, mask)) return R.SKIP;
  if (!knob(K.GUARD_REGIONS)) return R.REFUSED;
  madvise_guard_install(mm, mask);
  return done(index);
}
export function op_guard_remove(mm: u32, mask: u32, index: u32): u32 {
  if (!anonymous(mm, mask)) return R.SKIP;
  if (!knob(K.GUARD_REGIONS)) return R.REFUSED;
  madvise_guard_remove(mm, mask);
  return done(index);
}

/** One call for each run of mapped pages, which ends at the first VMA where it fails. */
export function op_collapse(mm: u32, mask: u32, index: u32): u32 {
  if (!anonymous(mm, mask)) return R.SKIP;
  if (!knob(K.COLLAPSE)) return R.REFUSED;
  let ret = R.OK;
  let failed = false;
  for (let first: u32 = 0; first < NR_PAGES; ) {
    if (!((mask >> first) & 1)) {
      failed = false;
      first++;
      continue;
    }
    let end = first + 1;
    while (end < NR_PAGES && (mask >> end) & 1 && end < vma_end(mm, first)) end++;
    const result = failed ? SCAN_SUCCEED : madvise_collapse(mm, first, end);
    if (result != SCAN_SUCCEED) {
      failed = true;
      ret = result == SCAN_NOMEM ? R.NOMEM : R.REFUSED;
    }
    first = end;
  }
  // What it did before it failed stays.
  done(index);
  return ret;
}
