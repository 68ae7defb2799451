// The operations on a userfaultfd, and the wake-ups that they owe.
import { K, knob } from '../kernel/knobs';
import { NR_PAGES, RESULTS } from '../mm/layout';
import { Obs, observe } from '../mm/observe';
import {
  mfill_atomic, MFILL_COPY, MFILL_COPY_WP, MFILL_ENOMEM, MFILL_REFUSED, MFILL_ZEROPAGE, mwriteprotect_range,
  userfaultfd_register, userfaultfd_release, userfaultfd_unregister, WP_ENOENT,
} from '../mm/userfaultfd';
import { pagemap_scan, PM_SCAN_FULL, PM_SCAN_WP } from '../mm/task_mmu';
import {
  mm_uffd, pages_with, UFFD_EVENT_FORK, UFFD_EVENT_REMAP, UFFD_EVENT_REMOVE, UFFD_EVENT_UNMAP, UFFD_WP_ASYNC, UFFD_WP_UNPOPULATED,
  VM_UFFD, VM_UFFD_MISSING, VM_UFFD_WP, vma_starts,
} from '../mm/vma';
import { interleaved, setInterleaved } from '../mm/vmf';
import { done, mapped_pages } from './calls';
import {
  arg_mask, F_COPY_WP, F_SCAN_FULL, F_SCAN_WP, F_UFFD_BOTH, F_UFFD_EVENT_FORK, F_UFFD_EVENT_REMAP, F_UFFD_EVENT_REMOVE,
  F_UFFD_EVENT_UNMAP, F_UFFD_MISSING,
  F_UFFD_WP_ASYNC, F_UFFD_WP_UNPOPULATED, Op, op_code, op_flags, op_page, R,
} from './table';
import { wake_sleepers } from './threads';

export function op_uffd_reg(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  let features: u32 = flags & F_UFFD_EVENT_FORK ? UFFD_EVENT_FORK : 0;
  if (flags & F_UFFD_WP_UNPOPULATED) features |= UFFD_WP_UNPOPULATED;
  if (flags & F_UFFD_EVENT_REMAP) features |= UFFD_EVENT_REMAP;
  if (flags & F_UFFD_WP_ASYNC) features |= UFFD_WP_ASYNC;
  if (flags & F_UFFD_EVENT_REMOVE) features |= UFFD_EVENT_REMOVE;
  if (flags & F_UFFD_EVENT_UNMAP) features |= UFFD_EVENT_UNMAP;
  const mode = flags & F_UFFD_BOTH ? VM_UFFD : flags & F_UFFD_MISSING ? VM_UFFD_MISSING : VM_UFFD_WP;
  if (!userfaultfd_register(mm, mask, mode, features)) return R.REFUSED;
  const granted = mm_uffd(mm);
  const said = (granted & UFFD_WP_UNPOPULATED ? 1 : 0) | (granted & UFFD_EVENT_FORK ? 2 : 0) |
    (granted & UFFD_EVENT_REMAP ? 4 : 0) | (granted & UFFD_WP_ASYNC ? 8 : 0);
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
  const missing = pages_with(mm, mask, VM_UFFD_MISSING, 0);
  const starts = vma_starts(mm);
  if (!userfaultfd_unregister(mm, mask)) return R.REFUSED;
  done(index);
  const woken = knob(K.UFFD_UNREGISTER_WAKES_WP) ? mask : missing;
  // VMA by VMA, as they were.
  for (let rest = woken; rest != 0; ) {
    const first = ctz(rest);
    let end = first + 1;
    while (end < NR_PAGES && !((starts >> end) & 1)) end++;
    const vma = rest & ((1 << end) - 1);
    wake(mm, vma);
    rest &= ~vma;
  }
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
/** Flags of the record of a page that was filled. */
const FILLED_WP: u32 = 1;
const FILLED_ZERO: u32 = 2;
/** uffd_copy or uffd_zeropage. What was filled before something stood in the way stays, and its sleepers are woken. */
export function op_uffd_fill(mm: u32, word: u32, index: u32): u32 {
  const range = arg_mask(op_page(word));
  if (mapped_pages(mm, word) == 0) return R.SKIP;
  const zero = op_code(word) == Op.UFFD_ZEROPAGE;
  const wp = !zero && (op_flags(word) & F_COPY_WP) != 0;
  const version = zero ? 0 : index + 1;
  const result = mfill_atomic(mm, range, zero ? MFILL_ZEROPAGE : wp ? MFILL_COPY_WP : MFILL_COPY, version);
  const filled = result & 0xff;
  const how: u32 = zero ? FILLED_ZERO : wp ? FILLED_WP : 0;
  for (let rest = filled; rest != 0; rest &= rest - 1) observe(Obs.FILLED, mm, ctz(rest), 0, version, index, how);
  if (filled == range) done(index);
  if (filled != 0 && !knob(K.MUTANT_FILL_FORGETS_WAKE)) wake(mm, filled);
  if (result & (MFILL_REFUSED | MFILL_ENOMEM)) return filled == 0 && result & MFILL_ENOMEM ? R.NOMEM : R.REFUSED;
  return R.OK;
}
export function op_pagemap_scan(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  if (!knob(K.PAGEMAP_SCAN)) return R.REFUSED;
  const how = (flags & F_SCAN_WP ? PM_SCAN_WP : 0) | (flags & F_SCAN_FULL ? PM_SCAN_FULL : 0);
  // The version of this record: the pages reported.
  observe(Obs.SYSCALL, 0, 0, 0, pagemap_scan(mm, mask, how), index, 0);
  return R.OK;
}
