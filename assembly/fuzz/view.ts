// What user space could see of a world if it looked everywhere: contents, pagemap, VMAs, what handles show. Two worlds
// that ran the same program are compared by their views; which page frame or which kind of entry is behind it is nobody's business.
import { HANDLE_SIZE, HANDLES, NR_HANDLES, NR_MMS, NR_PAGES } from '../mm/layout';
import { page_version } from '../mm/page';
import { mm_alive, vm_flags, VM_HUGEPAGE, VM_READ, VM_SOFTDIRTY, VM_UFFD_WP, VM_WRITE } from '../mm/vma';
import { carries_uffd_wp, contents, leaf_of, reports_soft_dirty } from '../oracle/structure';

/** Bits of a page in a view. */
export namespace See {
  export const MAPPED: u32 = 1;
  export const WRITABLE: u32 = 2;
  export const REGISTERED: u32 = 4;
  export const UFFD_WP: u32 = 8;
  export const SOFT_DIRTY: u32 = 16;
  /** The whole VMA counts as new for soft-dirty. */
  export const VMA_SOFT_DIRTY: u32 = 32;
  export const THP: u32 = 64;
  /** How the page is mapped. */
  export const VMA: u32 = MAPPED | WRITABLE | REGISTERED;
}

/** Content version of each page, then the bits of each page, then two bytes per handle: in use, version. */
const BITS: usize = (NR_MMS * NR_PAGES) as usize;
const HANDLES_SEEN: usize = 2 * BITS;
export const VIEW_SIZE: usize = 64;

/** Writes the view of the world in place to `to`. */
export function take_view(to: usize): void {
  memory.fill(to, 0, VIEW_SIZE);
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    if (!mm_alive(mm)) continue;
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const vma = vm_flags(mm, page);
      if ((vma & VM_READ) == 0) continue;
      const e = leaf_of(mm, page);
      let bits = See.MAPPED;
      if ((vma & VM_WRITE) != 0) bits |= See.WRITABLE;
      if ((vma & VM_UFFD_WP) != 0) bits |= See.REGISTERED;
      if ((vma & VM_SOFTDIRTY) != 0) bits |= See.VMA_SOFT_DIRTY;
      if ((vma & VM_HUGEPAGE) != 0) bits |= See.THP;
      if (carries_uffd_wp(e)) bits |= See.UFFD_WP;
      if (reports_soft_dirty(mm, page, e)) bits |= See.SOFT_DIRTY;
      const at = to + ((mm << 3) as usize) + (page as usize);
      store<u8>(at, contents(mm, page, e));
      store<u8>(at + BITS, bits);
    }
  }
  for (let h: u32 = 0; h < NR_HANDLES; h++) {
    const handle = HANDLES + (h as usize) * HANDLE_SIZE;
    if (load<u8>(handle) == 0) continue;
    store<u8>(to + HANDLES_SEEN + ((h << 1) as usize), 1);
    store<u8>(to + HANDLES_SEEN + ((h << 1) as usize), page_version(load<u8>(handle, 3)), 1);
  }
}
export function equal_views(a: usize, b: usize): bool {
  let differ: u64 = 0;
  for (let i: usize = 0; i < VIEW_SIZE; i += 8) differ |= load<u64>(a + i) ^ load<u64>(b + i);
  return differ == 0;
}
// @ts-ignore: decorator
@inline export function view_content(view: usize, mm: u32, page: u32): u32 {
  return load<u8>(view + ((mm << 3) as usize) + (page as usize));
}
// @ts-ignore: decorator
@inline export function view_bits(view: usize, mm: u32, page: u32): u32 {
  return load<u8>(view + BITS + ((mm << 3) as usize) + (page as usize));
}
// @ts-ignore: decorator
@inline export function view_held(view: usize, h: u32): bool {
  return load<u8>(view + HANDLES_SEEN + ((h << 1) as usize)) != 0;
}
// @ts-ignore: decorator
@inline export function view_shown(view: usize, h: u32): u32 {
  return load<u8>(view + HANDLES_SEEN + ((h << 1) as usize), 1);
}
