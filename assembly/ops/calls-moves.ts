// The operations that move pages to other addresses of their process.
import { K, knob } from '../kernel/knobs';
import { mremap, MREMAP_EFAULT } from '../mm/mremap';
import { Obs, observe } from '../mm/observe';
import { uffd_move } from '../mm/userfaultfd_move';
import { mm_uffd, pages_with, UFFD_OPEN, VM_DAX, vm_flags, VM_READ } from '../mm/vma';
import { done } from './calls';
import { wake } from './calls-uffd';
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

/** UFFDIO_MOVE by the process itself. It may stop midway; whoever waits for what has come is woken. */
export function op_uffd_move(mm: u32, word: u32, index: u32): u32 {
  const mask = arg_mask(op_page(word));
  const from = ctz(mask);
  const to = arg_first(op_target(word));
  if (!target_fits(word) || !(vm_flags(mm, from) & vm_flags(mm, to) & VM_READ)) return R.SKIP;
  if (!(mm_uffd(mm) & UFFD_OPEN) || pages_with(mm, mask | arg_mask(op_target(word)), VM_DAX, 0) != 0) return R.REFUSED;
  const n = popcnt(mask);
  const moved = uffd_move(mm, from, n, to);
  const all = moved == n;
  if (all) done(index);
  else if (moved != 0) observe(Obs.MOVED_PARTLY, mm, 0, 0, (1 << moved) - 1, index, 0);
  if (moved != 0 && !knob(K.MUTANT_MOVE_FORGETS_WAKE)) wake(mm, ((1 << moved) - 1) << to);
  return all ? R.OK : R.REFUSED;
}
