// The constructor table and the VMA-transition table (eras 2.8) as data: one knob per cell.
//
// Constructor: a function that builds a present leaf from another entry. Each row says which bits of the old entry
// travel into the new one. Half the bugs of this field are one wrong cell (T1-04, T2-01, T5-06, ...).
import { _PAGE_SOFT_DIRTY, _PAGE_UFFD_WP } from '../mm/pgtable';
import { CTOR_MASK } from '../mm/layout';

export namespace C {
  /** do_swap_page: swap entry -> leaf. */
  export const SWAPIN: u32 = 0;
  /** unuse_pte (swapoff): swap entry -> leaf. */
  export const UNUSE: u32 = 1;
  /** wp_page_copy for a write or break-COW fault. */
  export const COPY: u32 = 2;
  /** wp_page_copy for an unshare fault. */
  export const UNSHARE_COPY: u32 = 3;
  /** copy_present_page (fork's early copy). */
  export const EARLY_COPY: u32 = 4;
  /** __split_huge_pmd_locked. */
  export const SPLIT: u32 = 5;
  /** __split_huge_zero_page_pmd. */
  export const SPLIT_ZERO: u32 = 6;
  /** try_to_unmap_one: leaf -> swap entry. */
  export const SWAPOUT: u32 = 7;
  /** do_anonymous_page over a uffd-wp marker. */
  export const ANON_MARKER: u32 = 8;
  /** move_ptes, move_huge_pmd (mremap). */
  export const MREMAP: u32 = 9;
  /** move_present_ptes, move_pages_huge_pmd (UFFDIO_MOVE). */
  export const MOVE_PRESENT: u32 = 10;
  /** move_swap_pte (UFFDIO_MOVE). */
  export const MOVE_SWAP: u32 = 11;
  /** remove_migration_pte: migration entry -> leaf. */
  export const MIG_REMOVE: u32 = 12;
  /** replace_page (KSM): leaf -> leaf of the merged page. */
  export const KSM: u32 = 13;
  export const COUNT: u32 = 15;
}

/** Columns: uffd-wp, soft-dirty, exclusive; cell id = 128 + row * 3 + column. */
export const COLUMNS: u32 = 3;
export namespace Column {
  export const UFFD_WP: u32 = 0;
  export const SOFT_DIRTY: u32 = 1;
  export const EXCLUSIVE: u32 = 2;
}
// @ts-ignore: decorator
@inline export function cell(row: u32, column: u32): u32 {
  return 128 + row * COLUMNS + column;
}

/** VMA transitions that may have to clear uffd-wp, one cell per residency of the entry. */
export namespace T {
  export const UNREGISTER: u32 = 0;
  export const CLOSE: u32 = 1;
  /** Registering for another mode. */
  export const REREGISTER: u32 = 2;
  /** mremap without UFFD_FEATURE_EVENT_REMAP. */
  export const MREMAP: u32 = 3;
  export const COUNT: u32 = 4;
}
export namespace Residency {
  export const PRESENT: u32 = 0;
  export const SWAP: u32 = 1;
  export const MARKER: u32 = 2;
  export const MIGRATION: u32 = 3;
}
const FIRST_TRANSITION: u32 = 173;
const RESIDENCIES: u32 = 4;
// @ts-ignore: decorator
@inline export function transition(row: u32, residency: u32): u32 {
  return FIRST_TRANSITION + row * RESIDENCIES + residency;
}
export const END_OF_CELLS: u32 = FIRST_TRANSITION + T.COUNT * RESIDENCIES;

/** Expands the cells into one mask of leaf bits per row, so that the hot path is one load and one AND. */
export function buildConstructorMasks(to: usize, cells: u64): void {
  for (let row: u32 = 0; row < C.COUNT; row++) {
    const bits = (cells >> (row * COLUMNS)) & 7;
    let mask: u64 = 0;
    if (bits & 1) mask |= _PAGE_UFFD_WP;
    if (bits & 2) mask |= _PAGE_SOFT_DIRTY;
    store<u64>(to + ((row as usize) << 3), mask);
  }
}

/** The bits of `old` (as a present leaf) that constructor `row` carries into the new leaf. */
// @ts-ignore: decorator
@inline export function carried(row: u32, old: u64): u64 {
  return old & load<u64>(CTOR_MASK + ((row as usize) << 3));
}

function rowName(row: u32): string {
  switch (row) {
    case C.SWAPIN: return "swapin";
    case C.UNUSE: return "unuse";
    case C.COPY: return "copy";
    case C.UNSHARE_COPY: return "unshare_copy";
    case C.EARLY_COPY: return "early_copy";
    case C.SPLIT: return "split";
    case C.SPLIT_ZERO: return "split_zero";
    case C.SWAPOUT: return "swapout";
    case C.ANON_MARKER: return "anon_marker";
    case C.MREMAP: return "mremap";
    case C.MOVE_PRESENT: return "move_present";
    case C.MOVE_SWAP: return "move_swap";
    case C.MIG_REMOVE: return "migrate_end";
    case C.KSM: return "ksm";
  }
  return "";
}
function rowFunction(row: u32): string {
  switch (row) {
    case C.SWAPIN: return "do_swap_page";
    case C.UNUSE: return "unuse_pte";
    case C.COPY: return "wp_page_copy (write, break-COW)";
    case C.UNSHARE_COPY: return "wp_page_copy (unshare)";
    case C.EARLY_COPY: return "copy_present_page";
    case C.SPLIT: return "__split_huge_pmd_locked";
    case C.SPLIT_ZERO: return "__split_huge_zero_page_pmd";
    case C.SWAPOUT: return "try_to_unmap_one";
    case C.ANON_MARKER: return "do_anonymous_page over a marker";
    case C.MREMAP: return "move_ptes";
    case C.MOVE_PRESENT: return "move_present_pte";
    case C.MOVE_SWAP: return "move_swap_pte";
    case C.MIG_REMOVE: return "remove_migration_pte";
    case C.KSM: return "replace_page (KSM)";
  }
  return "";
}
function cellSource(row: u32, column: u32): string {
  if (row == C.COPY && column == Column.UFFD_WP) return "hunk\tseed mail: wp_page_copy";
  if (row == C.UNUSE && column != Column.EXCLUSIVE) return "cell\t14a762dd1977 (v5.19)";
  if (row == C.EARLY_COPY && column == Column.UFFD_WP) return "cell\t8f34f1eac382 (v5.14)";
  if (row == C.UNSHARE_COPY) return "cell\tc89357e27f20 (v5.19)";
  if (row == C.MOVE_PRESENT || row == C.MOVE_SWAP) {
    if (column == Column.SOFT_DIRTY) return "cell\t75cb1cca2c88 (v6.15)";
    return row == C.MOVE_SWAP ? "cell\tadef440691ba (v6.8)" : "cell\tproposed in Apr 2026, withdrawn";
  }
  if (isMove(row) && column == Column.SOFT_DIRTY) return "cell\tmove_soft_dirty_pte (v3.11, from memory)";
  if (row == C.SPLIT_ZERO) return "cell\tv6.4 (from memory; measured: 5.10.262, 6.1.176)";
  if (row == C.KSM) return "cell\tin no release (measured: 6.1 to 7.2 drop uffd-wp; T3-07)";
  if (row == C.ANON_MARKER) return "cell\t2bad466cc9d9 (v6.4)";
  if (column == Column.EXCLUSIVE) return "cell\t1493a1917dca, 6c287605fd56 (v5.19)";
  return "cell\tf45ec5ff16a7 (v5.7)";
}
/** Rows whose leaf keeps its page at another address: there the soft-dirty cell says that the leaf becomes so. */
function isMove(row: u32): bool {
  return row >= C.MREMAP && row <= C.MOVE_SWAP;
}
/** Cells that no code reads (the row has nothing to carry there). */
function cellUsed(row: u32, column: u32): bool {
  if (rowName(row) == "") return false;
  if (isMove(row)) return column != Column.EXCLUSIVE;
  if (row == C.MIG_REMOVE) return true;
  if (row == C.KSM) return column != Column.EXCLUSIVE;
  if (column == Column.EXCLUSIVE) return row == C.SWAPIN || row == C.UNUSE || row == C.SPLIT || row == C.SWAPOUT;
  if (column == Column.SOFT_DIRTY) return row == C.SWAPIN || row == C.UNUSE || row == C.UNSHARE_COPY || row == C.SPLIT || row == C.SWAPOUT;
  return true;
}

function transitionName(row: u32): string {
  switch (row) {
    case T.UNREGISTER: return "unregister";
    case T.CLOSE: return "close";
    case T.REREGISTER: return "reregister";
    case T.MREMAP: return "mremap";
  }
  return "";
}
function transitionCall(row: u32): string {
  if (row == T.REREGISTER) return "registering for missing pages only";
  return row == T.MREMAP ? "mremap" : "uffd " + transitionName(row);
}
function transitionSource(row: u32): string {
  switch (row) {
    case T.UNREGISTER: return "f369b07c8614 (v6.0)";
    case T.CLOSE: return "c88033efe9a3 (v6.9)";
    case T.MREMAP: return "0cef0bb836e3 (v6.13; measured: 6.12.95, not 6.1.176)";
    case T.REREGISTER: return "in no release up to v7.2 (measured: 6.12.95, 6.18.44, 7.2.12)";
  }
  return "";
}

/** Row of the knob table for a cell id: "name \t kind \t source \t doc". */
export function cellRow(id: u32): string {
  if (id < 128 + C.COUNT * COLUMNS) {
    const row = (id - 128) / COLUMNS;
    const column = (id - 128) % COLUMNS;
    if (!cellUsed(row, column)) return "";
    const bit = column == Column.UFFD_WP ? "uffd-wp" : column == Column.SOFT_DIRTY ? "soft-dirty" : "PageAnonExclusive";
    const name = column == Column.UFFD_WP ? "uffd_wp" : column == Column.SOFT_DIRTY ? "soft_dirty" : "exclusive";
    if (isMove(row) && column == Column.SOFT_DIRTY)
      return rowName(row) + ".sets_soft_dirty\t" + cellSource(row, column) + "\tAn entry moved by " + rowFunction(row) +
        " becomes soft-dirty.";
    const doc = "\tThe leaf built by " + rowFunction(row) + " keeps " + bit + ".";
    return rowName(row) + ".keeps_" + name + "\t" + cellSource(row, column) + doc;
  }
  if (id >= FIRST_TRANSITION && id < END_OF_CELLS) {
    const row = (id - FIRST_TRANSITION) / RESIDENCIES;
    const residency = (id - FIRST_TRANSITION) % RESIDENCIES;
    const name = transitionName(row);
    if (name == "") return "";
    const source = transitionSource(row);
    const kind = residency == Residency.PRESENT ? "present leaves" : residency == Residency.SWAP ? "swap entries" :
      residency == Residency.MARKER ? "markers" : "migration entries";
    const suffix = residency == Residency.PRESENT ? "_present" : residency == Residency.SWAP ? "_swap" :
      residency == Residency.MARKER ? "_marker" : "_migration";
    return name + ".clears" + suffix + "\tcell\t" + source + "\t" + transitionCall(row) + " clears uffd-wp in " + kind + ".";
  }
  return "";
}
