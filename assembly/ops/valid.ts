// Which op words the table allows.
import { NR_MMS } from '../mm/layout';
import {
  F_COPY_WP, F_GUP_FAST, F_GUP_FAST_ONLY, F_MMAP_DAX, F_MMAP_THP, F_MPROTECT_RW, F_PAGEOUT_MADV, F_SCAN_FULL, F_SCAN_WP,
  F_UFFD_BOTH, F_UFFD_EVENT_FORK,
  F_UFFD_EVENT_REMAP, F_UFFD_EVENT_REMOVE, F_UFFD_EVENT_UNMAP, F_UFFD_MISSING, F_UFFD_WP_ASYNC, F_UFFD_WP_UNPOPULATED,
  F_POPULATE_WRITE, F_WRITE_SAME, Op, op_code, op_flags, op_mm, op_page, op_target, op_y, PAGE_ARG_ALL, PAGE_ARG_COUNT,
} from './table';

/** Flags an op takes, as a mask. */
function op_flag_mask(code: u32): u32 {
  switch (code) {
    case Op.MMAP: return F_MMAP_THP | F_MMAP_DAX;
    case Op.WRITE: return F_WRITE_SAME;
    case Op.MPROTECT: return F_MPROTECT_RW;
    case Op.PAGEOUT: return F_PAGEOUT_MADV;
    case Op.UFFD_REG:
      return F_UFFD_EVENT_FORK | F_UFFD_WP_UNPOPULATED | F_UFFD_MISSING | F_UFFD_BOTH | F_UFFD_WP_ASYNC | F_UFFD_EVENT_REMOVE |
        F_UFFD_EVENT_UNMAP | F_UFFD_EVENT_REMAP;
    case Op.UFFD_COPY: return F_COPY_WP;
    case Op.PAGEMAP_SCAN: return F_SCAN_WP | F_SCAN_FULL;
    case Op.POPULATE: return F_POPULATE_WRITE;
    case Op.GUP: return 0xff;
    case Op.MREMAP:
    case Op.UFFD_MOVE: return 15;
  }
  return 0;
}
/** Do source and target of a move have one size, and no page in common? */
export function target_fits(word: u32): bool {
  const from = op_page(word);
  const to = op_target(word);
  return from < PAGE_ARG_ALL && to < PAGE_ARG_ALL && from != to && (from < 8) == (to < 8);
}
/** Is the word one that the table allows? Unused fields are ignored. */
export function op_valid(word: u32): bool {
  const code = op_code(word);
  if (code >= Op.COUNT || op_mm(word) >= NR_MMS || op_page(word) >= PAGE_ARG_COUNT) return false;
  const flags = op_flags(word);
  if (flags & ~op_flag_mask(code)) return false;
  switch (code) {
    case Op.READ:
    case Op.POPULATE:
    case Op.WRITE: return op_page(word) < 8;
    case Op.GUP: return op_page(word) < 8 && (flags & (F_GUP_FAST | F_GUP_FAST_ONLY)) != (F_GUP_FAST | F_GUP_FAST_ONLY);
    case Op.MMAP: return !(flags & F_MMAP_DAX) || (op_page(word) == PAGE_ARG_ALL && !(flags & F_MMAP_THP));
    case Op.MREMAP:
    case Op.UFFD_MOVE: return target_fits(word);
    case Op.UFFD_REG: return (flags & (F_UFFD_MISSING | F_UFFD_BOTH)) != (F_UFFD_MISSING | F_UFFD_BOTH);
    case Op.FORK: return op_y(word) < NR_MMS && op_y(word) != op_mm(word);
  }
  return true;
}
