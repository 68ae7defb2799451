// The operations that are advice: madvise beyond MADV_DONTNEED and MADV_PAGEOUT.
import { K, knob } from '../kernel/knobs';
import { madvise_cold, madvise_free, madvise_guard_install, madvise_guard_remove } from '../mm/madvise';
import { pages_with, VM_DAX } from '../mm/vma';
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
