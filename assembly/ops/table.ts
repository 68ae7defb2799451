// The operations a program can do to memory: one table for the executor, the generator, the parser and --help.
//
// Op word (u32):
//   bits 0..5   op code            bits 6..7   mm X (0 = A, 1 = B, 2 = C)
//   bits 8..11  page argument      0..7 one page, 8 = p0..p3, 9 = p4..p7, 10 = p0..p7
//   bits 12..13 mm Y or handle     bit 14      thread: 0 = X.1 (CPU 0), 1 = X.2 (CPU 1)
//   bits 16..24 flags of the op    bit 25      runs concurrently with the next op
//   (of an op that moves pages, bits 16..19 are the page argument that they go to)
//   bits 26..31 schedule of such a pair: bit k of the field = which of the two steps at the k-th choice

export namespace Op {
  export const MMAP: u32 = 0;
  export const MUNMAP: u32 = 1;
  export const READ: u32 = 2;
  export const WRITE: u32 = 3;
  export const FORK: u32 = 4;
  export const EXIT: u32 = 5;
  export const MPROTECT: u32 = 6;
  export const DONTNEED: u32 = 7;
  export const PAGEOUT: u32 = 8;
  export const SWAPOFF: u32 = 9;
  export const NUMA_HINT: u32 = 10;
  export const CLEAR_REFS: u32 = 11;
  export const THP_SPLIT: u32 = 12;
  export const UFFD_REG: u32 = 13;
  export const UFFD_UNREG: u32 = 14;
  export const UFFD_CLOSE: u32 = 15;
  export const WP: u32 = 16;
  export const UNWP: u32 = 17;
  export const WAKE: u32 = 18;
  export const GUP: u32 = 19;
  export const HREAD: u32 = 20;
  export const HWRITE: u32 = 21;
  export const PUT: u32 = 22;
  export const MADV_FREE: u32 = 23;
  export const MREMAP: u32 = 24;
  export const MIGRATE: u32 = 25;
  export const MIGRATE_BEGIN: u32 = 26;
  export const MIGRATE_END: u32 = 27;
  export const UFFD_COPY: u32 = 28;
  export const UFFD_ZEROPAGE: u32 = 29;
  export const PAGEMAP_SCAN: u32 = 30;
  export const MERGEABLE: u32 = 31;
  export const UNMERGEABLE: u32 = 32;
  export const KSM_MERGE: u32 = 33;
  export const MADV_COLD: u32 = 34;
  export const POPULATE: u32 = 35;
  export const GUARD_INSTALL: u32 = 36;
  export const GUARD_REMOVE: u32 = 37;
  export const UFFD_MOVE: u32 = 38;
  export const COLLAPSE: u32 = 39;
  export const COUNT: u32 = 40;
}

export const PAGE_ARG_PMD0: u32 = 8;
export const PAGE_ARG_PMD1: u32 = 9;
export const PAGE_ARG_ALL: u32 = 10;
export const PAGE_ARG_COUNT: u32 = 11;

// Flags of the ops, as they stand in bits 16..24.
export const F_WRITE_SAME: u32 = 1;
export const F_MMAP_THP: u32 = 1;
export const F_MMAP_DAX: u32 = 2;
export const F_MPROTECT_RW: u32 = 1;
export const F_PAGEOUT_MADV: u32 = 1;
export const F_POPULATE_WRITE: u32 = 1;
export const F_UFFD_EVENT_FORK: u32 = 1;
export const F_UFFD_WP_UNPOPULATED: u32 = 2;
/** Modes of uffd_reg; neither = write-protect. */
export const F_UFFD_MISSING: u32 = 4;
export const F_UFFD_BOTH: u32 = 8;
export const F_UFFD_WP_ASYNC: u32 = 16;
export const F_UFFD_EVENT_REMOVE: u32 = 32;
export const F_UFFD_EVENT_UNMAP: u32 = 64;
export const F_UFFD_EVENT_REMAP: u32 = 128;
export const F_COPY_WP: u32 = 1;
export const F_SCAN_WP: u32 = 1;
export const F_SCAN_FULL: u32 = 2;
export const F_GUP_WRITE: u32 = 1;
export const F_GUP_PIN: u32 = 2;
export const F_GUP_LONGTERM: u32 = 4;
export const F_GUP_FORCE: u32 = 8;
export const F_GUP_BREAK_COW: u32 = 16;
export const F_GUP_DONT_COW: u32 = 32;
export const F_GUP_FAST: u32 = 64;
export const F_GUP_FAST_ONLY: u32 = 128;

export const OP_PAIR: u32 = 1 << 25;
export const OP_SCHEDULE_SHIFT: u32 = 26;
export const OP_SCHEDULE_BITS: u32 = 6;

// @ts-ignore: decorator
@inline export function op_code(w: u32): u32 {
  return w & 63;
}
// @ts-ignore: decorator
@inline export function op_mm(w: u32): u32 {
  return (w >> 6) & 3;
}
// @ts-ignore: decorator
@inline export function op_page(w: u32): u32 {
  return (w >> 8) & 15;
}
/** Second mm of fork, or the handle of gup / hread / hwrite / put. */
// @ts-ignore: decorator
@inline export function op_y(w: u32): u32 {
  return (w >> 12) & 3;
}
// @ts-ignore: decorator
@inline export function op_cpu(w: u32): u32 {
  return (w >> 14) & 1;
}
// @ts-ignore: decorator
@inline export function op_flags(w: u32): u32 {
  return (w >> 16) & 0x1ff;
}
/** Page argument that an op of shape X R->Q moves its pages to. */
// @ts-ignore: decorator
@inline export function op_target(w: u32): u32 {
  return (w >> 16) & 15;
}
// @ts-ignore: decorator
@inline export function op_word(code: u32, mm: u32, page: u32, y: u32, flags: u32): u32 {
  return code | (mm << 6) | (page << 8) | (y << 12) | (flags << 16);
}
/** First page of a page argument. */
// @ts-ignore: decorator
@inline export function arg_first(page: u32): u32 {
  return page < 8 ? page : page == PAGE_ARG_PMD1 ? 4 : 0;
}
/** Pages of a page argument as a mask, bit = page. */
// @ts-ignore: decorator
@inline export function arg_mask(page: u32): u32 {
  return page < 8 ? 1 << page : page == PAGE_ARG_PMD0 ? 0x0f : page == PAGE_ARG_PMD1 ? 0xf0 : 0xff;
}

/** Results of an op. */
export namespace R {
  export const OK: u32 = 0;
  /** The thread sleeps in handle_userfault. */
  export const SLEEP: u32 = 1;
  /** Not applicable in this state (dead process, handle in use): nothing happened. */
  export const SKIP: u32 = 2;
  /** -EFAULT, or SIGSEGV for a CPU access. */
  export const FAULT: u32 = 3;
  export const NOMEM: u32 = 4;
  /** -ENOENT / -EINVAL of a userfaultfd call, or no page from fast-only GUP. */
  export const REFUSED: u32 = 5;
  /** Internal: the section ended, step again. */
  export const YIELD: u32 = 6;
  /** The fault loop repeats itself (I9). */
  export const LIVELOCK: u32 = 7;
}

/**
 * Row of the table for people: "name \t arguments \t flags \t doc".
 * Arguments: X, Y mms; P one page; R a page or a range; Q as many pages elsewhere; h a handle. Flags: groups separated
 * by ";", alternatives by ",", each value=TEXT (an empty text is the default of its group).
 */
export function opRow(code: u32): string {
  switch (code) {
    case Op.MMAP: return "mmap\tX R\t0=anon,2=dax;0=,1=thp\tMap private memory, readable and writable: anonymous (optionally THP-enabled), or a DAX-like file that a huge PUD can map (whole range only).";
    case Op.MUNMAP: return "munmap\tX R\t\tUnmap.";
    case Op.READ: return "read\tX P\t\tLoad by the CPU.";
    case Op.WRITE: return "write\tX P\t0=,1=same\tStore by the CPU; every store writes a value of its own, but for same, which writes one that all share.";
    case Op.FORK: return "fork\tX->Y\t\tFork X; Y must not exist.";
    case Op.EXIT: return "exit\tX\t\tX exits; its handles stay.";
    case Op.MPROTECT: return "mprotect\tX R\t0=R,1=RW\tChange protection.";
    case Op.DONTNEED: return "dontneed\tX R\t\tMADV_DONTNEED: anonymous pages read as zero afterwards.";
    case Op.PAGEOUT: return "pageout\tX R\t0=,1=madv\tReclaim the pages mapped here from every process (swap out); madv: MADV_PAGEOUT, which leaves alone what others map too.";
    case Op.SWAPOFF: return "swapoff\t\t\tBring every swapped page back and swap on again.";
    case Op.NUMA_HINT: return "numa_hint\tX R\t\tNUMA balancing makes the entries protnone.";
    case Op.CLEAR_REFS: return "clear_refs\tX\t\tReset soft-dirty of the whole process (echo 4 > clear_refs).";
    case Op.THP_SPLIT: return "thp_split\tX R\t\tSplit the PMD mapping; the huge page stays.";
    case Op.UFFD_REG: return "uffd_reg\tX R\t0=WP,4=MISSING,8=BOTH;0=,1=EVENT_FORK;0=,2=WP_UNPOPULATED;0=,16=WP_ASYNC;0=,32=EVENT_REMOVE;0=,64=EVENT_UNMAP;0=,128=EVENT_REMAP\tRegister for write-protect, missing pages or both; the features count when the uffd is created.";
    case Op.UFFD_UNREG: return "uffd_unreg\tX R\t\tUFFDIO_UNREGISTER.";
    case Op.UFFD_CLOSE: return "uffd_close\tX\t\tClose the uffd of X.";
    case Op.WP: return "wp\tX R\t\tUFFDIO_WRITEPROTECT: protect.";
    case Op.UNWP: return "unwp\tX R\t\tUFFDIO_WRITEPROTECT: unprotect, and wake.";
    case Op.WAKE: return "wake\tX R\t\tUFFDIO_WAKE.";
    case Op.GUP: return "gup\th=X P\t0=R,1=W;0=GET,2=PIN;0=,4=LONGTERM;0=,8=FORCE;0=,16=BREAK_COW;0=,32=DONT_COW;0=,64=fast,128=fast-only\tTake a reference to the page (get_user_pages).";
    case Op.HREAD: return "hread\th\t\tThe kernel or a device reads through the handle.";
    case Op.HWRITE: return "hwrite\th\t\tThe kernel or a device writes through a write handle.";
    case Op.PUT: return "put\th\t\tDrop the reference.";
    case Op.MADV_FREE: return "madv_free\tX R\t\tMADV_FREE: anonymous pages may be dropped, and read as zero then, until somebody stores to them.";
    case Op.MREMAP: return "mremap\tX R->Q\t\tMove the mapping to other addresses (MREMAP_MAYMOVE | MREMAP_FIXED); what is mapped there goes.";
    case Op.MIGRATE: return "migrate\tX R\t\tMove the pages mapped here to other frames, in every process (move_pages, compaction).";
    case Op.MIGRATE_BEGIN: return "migrate_begin\tX R\t\tThe first half of it: the pages' mappings are migration entries until migrate_end, or until somebody has to wait for it.";
    case Op.MIGRATE_END: return "migrate_end\t\t\tAll migrations under way come to their end.";
    case Op.UFFD_COPY: return "uffd_copy\tX R\t0=,1=WP\tUFFDIO_COPY: new contents where nothing is, write-protected with WP; wakes.";
    case Op.PAGEMAP_SCAN: return "pagemap_scan\tX R\t0=,1=WP;0=,2=FULL\tPAGEMAP_SCAN for written pages (without uffd-wp); WP: and protect them again; FULL: asking for all that it can tell.";
    case Op.UFFD_ZEROPAGE: return "uffd_zeropage\tX R\t\tUFFDIO_ZEROPAGE: the zero page where nothing is; wakes.";
    case Op.MERGEABLE: return "mergeable\tX R\t\tMADV_MERGEABLE: KSM may merge equal pages there.";
    case Op.UNMERGEABLE: return "unmergeable\tX R\t\tMADV_UNMERGEABLE: no longer, and what is merged there is taken apart.";
    case Op.KSM_MERGE: return "ksm_merge\t\t\tksmd goes over all mergeable memory of all processes.";
    case Op.MADV_COLD: return "madv_cold\tX R\t\tMADV_COLD: the pages seem unused; a huge page is split where it is named in part.";
    case Op.POPULATE: return "populate\tX P\t0=R,1=W\tMADV_POPULATE_READ or _WRITE: fault the page in as GUP would, without taking it.";
    case Op.GUARD_INSTALL: return "guard_install\tX R\t\tMADV_GUARD_INSTALL: drop what is there; any access is a fault from now on.";
    case Op.GUARD_REMOVE: return "guard_remove\tX R\t\tMADV_GUARD_REMOVE: take the guards away again.";
    case Op.UFFD_MOVE: return "uffd_move\tX R->Q\t\tUFFDIO_MOVE: pages of this process alone go to empty entries of a registered mapping.";
    case Op.COLLAPSE: return "collapse\tX R\t\tMADV_COLLAPSE: what is mapped by PTEs becomes a huge page, copied, if nothing speaks against it.";
  }
  return "";
}
