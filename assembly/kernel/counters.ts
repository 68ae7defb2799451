// Counters of one engine instance, u64 each, never reset by a program.
import { COUNTERS } from '../mm/layout';

export namespace N {
  export const PROGRAMS: u32 = 0;
  export const OPS: u32 = 1;
  export const FAULTS: u32 = 2;
  export const COPIES: u32 = 3;
  export const REUSES: u32 = 4;
  export const EVENTS: u32 = 5;
  export const TLB_FLUSHES: u32 = 6;
  export const GUP_RETRIES: u32 = 7;
  export const SWAPINS: u32 = 8;
  export const SPLITS: u32 = 9;
  export const SKIPPED: u32 = 10;
  export const PTE_CHANGED: u32 = 11;
  export const PARTED: u32 = 12;
  export const COUNT: u32 = 13;
}

// @ts-ignore: decorator
@inline export function count(id: u32): void {
  const at = COUNTERS + ((id as usize) << 3);
  store<u64>(at, load<u64>(at) + 1);
}

/** Row for people: "name \t doc". */
export function counterRow(id: u32): string {
  switch (id) {
    case N.PROGRAMS: return "programs\tPrograms run.";
    case N.OPS: return "ops\tOperations executed and judged.";
    case N.FAULTS: return "faults\tCalls of handle_mm_fault.";
    case N.COPIES: return "copies\tPages copied by wp_page_copy, unshare or fork.";
    case N.REUSES: return "reuses\tPages reused by a write-protect fault.";
    case N.EVENTS: return "events\tuffd events queued.";
    case N.TLB_FLUSHES: return "tlb_flushes\tTLB flushes, one per page.";
    case N.GUP_RETRIES: return "gup_retries\tTurns of the GUP loop after a fault.";
    case N.SWAPINS: return "swapins\tPages swapped in.";
    case N.SPLITS: return "splits\tPMD mappings split.";
    case N.SKIPPED: return "skipped\tOps that were not applicable.";
    case N.PTE_CHANGED: return "pte_changed\tFaults that found the entry changed under them (pte_same false).";
    case N.PARTED: return "parted\tPrograms whose differential runs parted within what they may differ in.";
  }
  return "";
}
