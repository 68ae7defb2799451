// The operations on a userfaultfd, and the wake-ups that they owe.
import { K, knob } from '../kernel/knobs';
import { RESULTS } from '../mm/layout';
import { Obs, observe } from '../mm/observe';
import {
  mwriteprotect_range, userfaultfd_register, userfaultfd_release, userfaultfd_unregister, WP_ENOENT,
} from '../mm/userfaultfd';
import { mm_uffd, UFFD_EVENT_FORK, UFFD_EVENT_REMAP, UFFD_OPEN, UFFD_WP_UNPOPULATED } from '../mm/vma';
import { interleaved, setInterleaved } from '../mm/vmf';
import { done, mapped_pages } from './calls';
import { arg_mask, F_UFFD_EVENT_FORK, F_UFFD_EVENT_REMAP, F_UFFD_WP_UNPOPULATED, op_page, R } from './table';
import { wake_sleepers } from './threads';

export function op_uffd_reg(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  let features: u32 = flags & F_UFFD_EVENT_FORK ? UFFD_EVENT_FORK : 0;
  if (flags & F_UFFD_WP_UNPOPULATED) features |= UFFD_WP_UNPOPULATED;
  if (flags & F_UFFD_EVENT_REMAP) features |= UFFD_EVENT_REMAP;
  if (!userfaultfd_register(mm, mask, features)) return R.REFUSED;
  const granted = mm_uffd(mm);
  const said = (granted & UFFD_WP_UNPOPULATED ? 1 : 0) | (granted & UFFD_EVENT_FORK ? 2 : 0) | (granted & UFFD_EVENT_REMAP ? 4 : 0);
  observe(Obs.SYSCALL, 0, 0, 0, 0, index, said);
  return R.OK;
}
/** Wakes with a non-interleaved scheduler: a woken thread runs to its end inside the waking op. */
export function wake(mm: u32, mask: u32): void {
  const mode = interleaved;
  setInterleaved(false);
  wake_sleepers(mm, mask, RESULTS);
  setInterleaved(mode);
}
export function op_uffd_unreg(mm: u32, mask: u32, index: u32): u32 {
  if (!userfaultfd_unregister(mm, mask)) return R.REFUSED;
  done(index);
  if (knob(K.UFFD_UNREGISTER_WAKES_WP)) wake(mm, mask);
  return R.OK;
}
export function op_uffd_close(mm: u32, index: u32): u32 {
  if (!userfaultfd_release(mm)) return R.REFUSED;
  done(index);
  wake(mm, 0xff);
  return R.OK;
}
/** wp (protect) or unwp. It may fail midway; then nobody is woken. */
export function op_wp(mm: u32, word: u32, protect: bool, index: u32): u32 {
  const asked = arg_mask(op_page(word));
  if (mapped_pages(mm, word) == 0) return R.SKIP;
  const result = mwriteprotect_range(mm, asked, protect);
  if (result & WP_ENOENT) {
    if (result != WP_ENOENT) observe(Obs.WP_PARTIAL, mm, 0, 0, 0, index, 0);
    return R.REFUSED;
  }
  done(index);
  if (!protect && !knob(K.MUTANT_UNWP_FORGETS_WAKE)) wake(mm, asked);
  return R.OK;
}
