// The operations that are advice: madvise beyond MADV_DONTNEED and MADV_PAGEOUT.
import { madvise_free } from '../mm/madvise';
import { pages_with, VM_DAX } from '../mm/vma';
import { done } from './calls';
import { R } from './table';

/** Only anonymous memory can be freed so. */
export function op_madv_free(mm: u32, mask: u32, index: u32): u32 {
  if (pages_with(mm, mask, VM_DAX, 0) != 0) return R.SKIP;
  madvise_free(mm, mask);
  return done(index);
}
