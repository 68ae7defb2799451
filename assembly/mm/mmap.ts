// VMAs come, change, split and merge (mm/mmap.c, mm/vma.c). Which neighbours merge decides what fork copies, where a
// huge page fits and how far UFFDIO_WRITEPROTECT and MADV_PAGEOUT go.
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { vma_adjust_trans_huge } from './huge_memory';
import { NR_PAGES } from './layout';
import {
  anon_vma, change_vm_flags, set_anon_vma, set_vma_shift, set_vma_starts, vm_flags, vma_end, vma_start, vma_starts, VM_ACCOUNT, VM_DAX,
  VM_HUGEPAGE, VM_MAYWRITE, VM_READ, vma_shift, VM_SOFTDIRTY, VM_UFFD, VM_WRITE,
} from './vma';

/** Bit of an anon_vma: the VMA came by fork, so its chain names its parents' too. */
export const CLONED: u32 = 0x80;

/** Pages [first, end) as a mask. */
// @ts-ignore: decorator
@inline export function span(first: u32, end: u32): u32 {
  return ((1 << end) - 1) & ~((1 << first) - 1);
}
// @ts-ignore: decorator
@inline function mapped(mm: u32, page: u32): bool {
  return page < NR_PAGES && (vm_flags(mm, page) & VM_READ) != 0;
}
/** list_is_singular(anon_vma_chain): an anon_vma, and no parents behind it. */
// @ts-ignore: decorator
@inline function singular(anon: u32): bool {
  return anon != 0 && (anon & CLONED) == 0;
}
/** May a VMA with anon_vma `anon` merge into a neighbour that has `other`? */
function is_mergeable_anon_vma(anon: u32, other: u32): bool {
  if (anon == other) return true;
  if (anon == 0) return singular(other);
  return other == 0 && knob(K.VMA_MERGES_INTO_UNWRITTEN) && singular(anon);
}
// @ts-ignore: decorator
@inline function same_flags(a: u32, b: u32): bool {
  return ((a ^ b) & ~VM_SOFTDIRTY) == 0;
}

/** The lowest id that no VMA of mm has. */
function new_anon_vma(mm: u32): u32 {
  let used: u32 = 1;
  for (let page: u32 = 0; page < NR_PAGES; page++) used |= 1 << (anon_vma(mm, page) & ~CLONED);
  return ctz(~used);
}
/** anon_vma_prepare: the page's VMA is about to get its first anonymous page. It may share a neighbour's anon_vma. */
export function anon_vma_prepare(mm: u32, page: u32): void {
  if (anon_vma(mm, page) != 0) return;
  const first = vma_start(mm, page);
  const end = vma_end(mm, page);
  let found = reusable_anon_vma(mm, page, end);
  if (found == 0 && first > 0) found = reusable_anon_vma(mm, page, first - 1);
  set_anon_vma(mm, span(first, end), found ? found : new_anon_vma(mm));
}
function reusable_anon_vma(mm: u32, page: u32, near: u32): u32 {
  if (!mapped(mm, near)) return 0;
  if ((vm_flags(mm, near) ^ vm_flags(mm, page)) & ~(VM_READ | VM_WRITE | VM_SOFTDIRTY)) return 0;
  if (vma_shift(mm, near) != vma_shift(mm, page)) return 0;
  return singular(anon_vma(mm, near)) ? anon_vma(mm, near) : 0;
}

// Who asks for a merge.
const BY_MMAP: u32 = 0;
const BY_CHANGE: u32 = 1;
const BY_UFFD: u32 = 2;
const BY_MREMAP: u32 = 3;
/** Can the VMA next to `page` be one with the VMA of `page`, but for their anonymous pages? */
// @ts-ignore: decorator
@inline function alike(mm: u32, page: u32, near: u32): bool {
  return mapped(mm, near) && same_flags(vm_flags(mm, page), vm_flags(mm, near)) && vma_shift(mm, page) == vma_shift(mm, near);
}
/** [first, end), a VMA of its own with its new flags, merges with equal neighbours. */
function vma_merge(mm: u32, first: u32, end: u32, by: u32): void {
  const flags = vm_flags(mm, first);
  const anon = anon_vma(mm, first);
  let next = alike(mm, first, end) && is_mergeable_anon_vma(anon, anon_vma(mm, end));
  let prev = first > 0 && alike(mm, first, first - 1);
  if (prev) {
    const left = anon_vma(mm, first - 1);
    const right = next ? anon_vma(mm, end) : 0;
    if (by == BY_MMAP && knob(K.MMAP_ASKS_NEXT_FIRST)) prev = is_mergeable_anon_vma(next ? right : anon, left);
    else prev = is_mergeable_anon_vma(anon, left);
    // Where only one of the two can be, it is the one before.
    if (prev && next) next = left == right || left == 0 || right == 0;
  }
  if (!prev && !next) return;
  at(P.VMA_MERGE);
  const from = prev ? vma_start(mm, first - 1) : first;
  const to = next ? vma_end(mm, end) : end;
  let starts = vma_starts(mm);
  if (prev) starts &= ~(1 << first);
  if (next) starts &= ~(1 << end);
  let merged = anon;
  if (merged == 0 && prev) merged = anon_vma(mm, first - 1);
  if (merged == 0 && next) merged = anon_vma(mm, end);
  // Who asked for the change sets the flags of all that it becomes; userfaultfd and mremap leave them to the one that grows.
  const left = by == BY_MREMAP || (by == BY_UFFD && knob(K.UFFD_MERGE_LEAVES_FLAGS));
  let soft = left ? vm_flags(mm, prev ? first - 1 : end) : flags;
  if (knob(K.VMA_MERGE_KEEPS_SOFT_DIRTY)) soft |= flags | (prev ? vm_flags(mm, first - 1) : 0) | (next ? vm_flags(mm, end) : 0);
  set_vma_starts(mm, starts);
  set_anon_vma(mm, span(from, to), merged);
  change_vm_flags(mm, span(from, to), soft & VM_SOFTDIRTY, VM_SOFTDIRTY);
}

/** Sets and clears flags of the pages of `mask`, VMA by VMA: what changes is split off and merges anew. */
export function vma_modify(mm: u32, mask: u32, set: u32, clear: u32): void {
  for (let rest = mask; rest != 0; ) {
    const first = ctz(rest);
    let end = first + 1;
    while (end < NR_PAGES && (mask >> end) & 1 && end < vma_end(mm, first)) end++;
    rest &= ~span(first, end);
    const flags = vm_flags(mm, first);
    if (((flags & ~clear) | set) == flags) continue;
    vma_modify_flags(mm, first, end, set, clear);
  }
}
/** mprotect: as vma_modify; memory that was never written is not charged while it cannot be. */
export function vma_modify_protection(mm: u32, mask: u32, write: bool): void {
  for (let rest = mask; rest != 0; ) {
    const first = ctz(rest);
    let end = first + 1;
    while (end < NR_PAGES && (mask >> end) & 1 && end < vma_end(mm, first)) end++;
    rest &= ~span(first, end);
    const uncharged = knob(K.MPROTECT_UNCHARGES) && anon_vma(mm, first) == 0 && !(vm_flags(mm, first) & VM_DAX);
    if (write) vma_modify_flags(mm, first, end, VM_WRITE | VM_ACCOUNT, 0);
    else vma_modify_flags(mm, first, end, 0, VM_WRITE | (uncharged ? VM_ACCOUNT : 0));
  }
}
function vma_modify_flags(mm: u32, first: u32, end: u32, set: u32, clear: u32): void {
  const piece = span(first, end);
  vma_adjust_trans_huge(mm, piece);
  const starts = vma_starts(mm);
  const uffd = ((set | clear) & VM_UFFD) != 0;
  const misplaced = uffd && !knob(K.UFFD_MERGES_BY_OFFSET) && !((starts >> first) & 1);
  set_vma_starts(mm, starts | (1 << first) | (mapped(mm, end) ? 1 << end : 0));
  change_vm_flags(mm, piece, set, clear);
  // With a wrong offset it does not seem to be next to its neighbours.
  if (!misplaced) vma_merge(mm, first, end, uffd ? BY_UFFD : BY_CHANGE);
}

/** mmap of pages that are free. `extra`: VM_DAX or VM_HUGEPAGE (madvise, right after). */
export function mmap_region(mm: u32, mask: u32, extra: u32): void {
  const first = ctz(mask);
  const end = 32 - clz(mask);
  set_vma_starts(mm, vma_starts(mm) | (1 << first));
  set_anon_vma(mm, mask, 0);
  change_vm_flags(mm, mask, VM_READ | VM_WRITE | VM_MAYWRITE | VM_ACCOUNT | VM_SOFTDIRTY | (extra & VM_DAX), 0);
  vma_merge(mm, first, end, BY_MMAP);
  // A VMA that grew is new as a whole, as far as soft-dirty is concerned.
  change_vm_flags(mm, span(vma_start(mm, first), vma_end(mm, first)), VM_SOFTDIRTY, 0);
  if (extra & VM_HUGEPAGE) vma_modify(mm, mask, VM_HUGEPAGE, 0);
}
/** The VMAs of `mask` go; what is left of one behind the hole starts anew. */
export function remove_vmas(mm: u32, mask: u32): void {
  let starts = vma_starts(mm);
  for (let page: u32 = 1; page < NR_PAGES; page++) {
    if (!((mask >> page) & 1) && (mask >> (page - 1)) & 1 && mapped(mm, page)) starts |= 1 << page;
  }
  set_vma_starts(mm, starts & ~mask);
  set_anon_vma(mm, mask, 0);
  set_vma_shift(mm, mask, 0);
  change_vm_flags(mm, mask, 0, 0xffff);
}
/** copy_vma: the VMA of `first` once more, at the free pages [to, to + n), with VMA flags `flags`. It merges there. */
export function copy_vma(mm: u32, first: u32, n: u32, to: u32, flags: u32): void {
  const pages = span(to, to + n);
  const anon = anon_vma(mm, first);
  set_vma_starts(mm, vma_starts(mm) | (1 << to));
  set_anon_vma(mm, pages, anon);
  // Without anonymous pages nothing ties it to its old offset.
  set_vma_shift(mm, pages, anon ? vma_shift(mm, first) + first - to : 0);
  change_vm_flags(mm, pages, flags, 0xffff);
  vma_merge(mm, to, to + n, BY_MREMAP);
}

/** The child's VMAs: as its parent's, but each that has anonymous pages has an anon_vma of its own. */
export function dup_vmas(dst: u32, src: u32): void {
  set_vma_starts(dst, vma_starts(src));
  for (let page: u32 = 0; page < NR_PAGES; page++) set_vma_shift(dst, 1 << page, vma_shift(src, page));
  let id: u32 = CLONED;
  for (let page: u32 = 0; page < NR_PAGES; page++) {
    if ((vma_starts(src) >> page) & 1) id++;
    set_anon_vma(dst, 1 << page, anon_vma(src, page) ? id : 0);
  }
}
