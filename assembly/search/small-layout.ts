// Where things are in the memory of the small handler's module.
import { OPS } from './small-state';

/** States that one call of `expand` takes at most. */
export const BATCH: u32 = 2048;
const MOST: usize = <usize>BATCH * OPS;

/** Sixteen states as five columns, then the same of their canonical forms; 80 bytes each. */
export const COLUMNS: usize = 1024;
export const FORMS: usize = 1152;
/** Sixteen successors, one u64 each. */
export const NEXT: usize = 1280;

/** Fingerprints of successors: one u64 each. `collect` leaves the new states in the same place. */
export const CANDIDATES: usize = 65536;
/** The states to expand, one u64 each; room for fifteen more. */
export const ENTRIES: usize = CANDIDATES + MOST * 8 + 1024;
/** One byte per candidate. */
export const FRESH: usize = ENTRIES + <usize>BATCH * 8 + 1024;
/** Steps that broke a promise: the state before in bits 0-37, broken promises from bit 48. */
export const BROKEN: usize = FRESH + MOST + 1024;
/** Fingerprints sent lately, by their high bits. */
export const RECENT: usize = BROKEN + MOST * 8 + 1024;
export const RECENT_LOG: usize = 15;
export const END: usize = RECENT + (<usize>8 << RECENT_LOG);
