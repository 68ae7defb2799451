// Where the search keeps its own state: in the fuzzer's area (an instance searches or fuzzes), the large arrays behind all.
import { FUZZ_AREA, MAX_OPS } from '../mm/layout';

/** Canonical encoding of one state, u32 words. */
export const ENCODING: usize = FUZZ_AREA;
/** Canonical numbers, one byte each; UNNAMED = none yet. */
export const FRAME_NAME: usize = FUZZ_AREA + 0x800;
export const SLOT_NAME: usize = FUZZ_AREA + 0x820;
export const VERSION_NAME: usize = FUZZ_AREA + 0x840;
/** In the order they were named. */
export const FRAME_QUEUE: usize = FUZZ_AREA + 0x940;
export const SLOT_QUEUE: usize = FUZZ_AREA + 0x960;
export const VERSION_QUEUE: usize = FUZZ_AREA + 0x980;
/** mm of each canonical place, and the other way round. */
export const MM_ORDER: usize = FUZZ_AREA + 0xa00;
export const MM_PLACE: usize = FUZZ_AREA + 0xa04;
/** Handle of each canonical place, and the other way round. */
export const HANDLE_ORDER: usize = FUZZ_AREA + 0xa08;
export const HANDLE_PLACE: usize = FUZZ_AREA + 0xa0c;
/** u64 per mm: what it looks like without names. */
export const MM_LOOKS: usize = FUZZ_AREA + 0xa10;
/** Orders of the pages to try, 16 bytes each: page of each canonical place, then the other way round. */
export const PAGE_ORDERS: usize = FUZZ_AREA + 0xb00;
export const MAX_PAGE_ORDERS: u32 = 24;

/** Steps that may be next: one word each, then the pairs, two words each. */
export const ALPHABET: usize = FUZZ_AREA + 0x1000;
export const MAX_WORDS: u32 = 0x2800;

/** States along the path that is expanded: one after each step. */
export const SAVED: usize = FUZZ_AREA + 0xc000;
export const SAVED_SIZE: usize = 0x800;
/** Op words before each step of that path, one byte each. */
export const SAVED_LENGTH: usize = SAVED + SAVED_SIZE * ((MAX_OPS + 1) as usize);

/** Records of each promise since the last question, one byte each. */
export const BROKEN_COUNTS: usize = SAVED_LENGTH + 0x100;

/** Knob vectors: of the kernel searched, and of the one that it is held against. */
export const OWN_KNOBS: usize = SAVED_LENGTH + 0x120;
export const OTHER_KNOBS: usize = SAVED_LENGTH + 0x140;

/** Fingerprints given out lately, direct-mapped, u64. */
export const RECENT: usize = FUZZ_AREA + 0x30000;
export const RECENT_LOG2: u32 = 15;

/** Broken promises: u32 mask, u32 length, u64 first violation, then the words. */
export const BROKEN: usize = FUZZ_AREA + 0x80000;
export const BROKEN_SIZE: usize = 16 + 4 * (MAX_OPS as usize);
export const MAX_BROKEN: u32 = 1024;
