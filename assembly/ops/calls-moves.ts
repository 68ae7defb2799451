// The operations that move pages to other addresses of their process.
import { mremap, MREMAP_EFAULT } from '../mm/mremap';
import { Obs, observe } from '../mm/observe';
import { pages_with, VM_DAX, vm_flags, VM_READ } from '../mm/vma';
import { done } from './calls';
import { arg_first, arg_mask, op_page, op_target, R } from './table';
import { target_fits } from './valid';

/** mremap of anonymous memory to a fixed address. */
export function op_mremap(mm: u32, word: u32, index: u32): u32 {
  const mask = arg_mask(op_page(word));
  if (!target_fits(word) || !(vm_flags(mm, ctz(mask)) & VM_READ) || pages_with(mm, mask, VM_DAX, 0) != 0) return R.SKIP;
  const result = mremap(mm, mask, arg_first(op_target(word)));
  if (!(result & MREMAP_EFAULT)) return done(index);
  if (result != MREMAP_EFAULT) observe(Obs.MOVED_PARTLY, mm, 0, 0, result & 0xff, index, 0);
  return R.FAULT;
}
