// The operations that are system calls, or the machine's doing: each checks that it applies and leaves its record.
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { dup_mmap } from '../mm/fork';
import { HANDLE_SIZE, HANDLES, MM_ALIVE, MM_GEN, MM_HAS_PINNED, MM_SIZE, PG_PINS } from '../mm/layout';
import { madvise_pageout, unmap_region } from '../mm/madvise';
import { mmap_region, vma_modify } from '../mm/mmap';
import { Obs, observe } from '../mm/observe';
import { compound_head, is_special_pfn, page_version, put_page, set_page_dirty, set_page_version } from '../mm/page';
import { mm_at, pmd_at, pmd_none, pmd_trans_huge } from '../mm/pgtable';
import { flush_tlb_mm } from '../mm/tlb';
import {
  mm_alive, mm_uffd, pages_with, set_mm_uffd, UFFD_EVENT_FORK, UFFD_OPEN, VM_DAX, VM_DONTDUMP, VM_HUGEPAGE, VM_READ,
} from '../mm/vma';
import { pageout } from '../mm/vmscan';
import { uffd_pages } from '../mm/userfaultfd';
import {
  arg_mask, F_GUP_PIN, F_GUP_WRITE, F_MMAP_DAX, F_MMAP_THP, F_PAGEOUT_MADV, op_page, R,
} from './table';
import { kill_sleepers } from './threads';

// @ts-ignore: decorator
@inline export function done(index: u32): u32 {
  observe(Obs.SYSCALL, 0, 0, 0, 0, index, 0);
  return R.OK;
}
// @ts-ignore: decorator
@inline function handle_at(h: u32): usize {
  return HANDLES + (h as usize) * HANDLE_SIZE;
}

export function op_mmap(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  if (pages_with(mm, mask, 0, VM_READ) != mask) return R.SKIP;
  mmap_region(mm, mask, flags & F_MMAP_DAX ? VM_DAX : flags & F_MMAP_THP ? VM_HUGEPAGE : 0);
  return done(index);
}
export function op_fork(mm: u32, child: u32, index: u32): u32 {
  if (mm_alive(child)) return R.SKIP;
  const at_child = mm_at(child);
  const gen = load<u8>(at_child, MM_GEN);
  memory.fill(at_child, 0, MM_SIZE);
  store<u8>(at_child, gen + 1, MM_GEN);
  store<u8>(at_child, 1, MM_ALIVE);
  const uffd = mm_uffd(mm);
  // dup_userfaultfd goes by VMA: without a registered one there is nothing to inherit.
  const inherit = (uffd & (UFFD_OPEN | UFFD_EVENT_FORK)) == (UFFD_OPEN | UFFD_EVENT_FORK) && uffd_pages(mm, 0xff) != 0;
  if (inherit) set_mm_uffd(child, uffd);
  if (!dup_mmap(child, mm, inherit)) {
    at(P.FORK_FAILS);
    exit_mmap(child);
    return R.NOMEM;
  }
  return done(index);
}
export function exit_mmap(mm: u32): void {
  unmap_region(mm, 0xff);
  flush_tlb_mm(mm);
  kill_sleepers(mm);
  set_mm_uffd(mm, 0);
  store<u8>(mm_at(mm), 0, MM_HAS_PINNED);
  store<u8>(mm_at(mm), 0, MM_ALIVE);
}
export function op_put(h: u32, index: u32): u32 {
  const handle = handle_at(h);
  if (load<u8>(handle) == 0) return R.SKIP;
  const f: u32 = load<u8>(handle, 3);
  const flags: u32 = load<u16>(handle, 4);
  store<u64>(handle, 0);
  if (!is_special_pfn(f)) {
    const pins = PG_PINS + (compound_head(f) as usize);
    if (flags & F_GUP_PIN) store<u8>(pins, load<u8>(pins) - 1);
    if (flags & F_GUP_WRITE) set_page_dirty(f);
    put_page(f);
  }
  return done(index);
}
export function op_hread(h: u32, index: u32): u32 {
  const handle = handle_at(h);
  if (load<u8>(handle) == 0) return R.SKIP;
  observe(Obs.HREAD, 0, 0, h, page_version(load<u8>(handle, 3)), index, 0);
  return R.OK;
}
export function op_hwrite(h: u32, index: u32): u32 {
  const handle = handle_at(h);
  if (load<u8>(handle) == 0 || !((load<u16>(handle, 4) as u32) & F_GUP_WRITE)) return R.SKIP;
  const f: u32 = load<u8>(handle, 3);
  set_page_version(f, index + 1);
  if (!is_special_pfn(f)) set_page_dirty(f);
  observe(Obs.HWRITE, 0, 0, h, index + 1, index, 0);
  return R.OK;
}
/** As user space does it: a VMA boundary in the middle of the huge page, for a moment. */
export function op_thp_split(mm: u32, mask: u32, index: u32): u32 {
  let split = false;
  for (let pmd: u32 = 0; pmd < 2; pmd++) {
    const e = pmd_at(mm, pmd);
    if (!((mask >> (pmd << 2)) & 0xf)) continue;
    if (!pmd_none(e) && pmd_trans_huge(e)) split = true;
    const half = pages_with(mm, 0xc << (pmd << 2), VM_READ, 0);
    vma_modify(mm, half, VM_DONTDUMP, 0);
    vma_modify(mm, half, 0, VM_DONTDUMP);
  }
  return split ? done(index) : R.SKIP;
}

/** Mapped pages among those the op names. */
// @ts-ignore: decorator
@inline export function mapped_pages(mm: u32, word: u32): u32 {
  return pages_with(mm, arg_mask(op_page(word)), VM_READ, 0);
}
export function op_pageout(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  if (flags & F_PAGEOUT_MADV) madvise_pageout(mm, mask);
  else for (let rest = mask; rest != 0; rest &= rest - 1) pageout(mm, ctz(rest));
  return done(index);
}
