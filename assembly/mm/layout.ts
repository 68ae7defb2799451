// Where everything lives in linear memory. All addresses are compile-time constants below 1 MiB (asc puts its own
// static data above, see asconfig.json), so an accessor is one load with an immediate offset.
//
// World: one contiguous block, so that reset, snapshot and restore are one memory.copy.
// Scope: 3 mms x 8 pages (2 PMDs x 4 PTEs), 24 page frames, 16 swap slots, 4 GUP handles, 4 sleepers, 2 CPUs.

export const NR_MMS: u32 = 3;
export const NR_PAGES: u32 = 8;
export const NR_PMDS: u32 = 2;
export const HPAGE_PMD_NR: u32 = 4;
export const NR_FRAMES: u32 = 24;
export const NR_SLOTS: u32 = 16;
export const NR_HANDLES: u32 = 4;
export const NR_SLEEPERS: u32 = 4;
export const NR_CPUS: u32 = 2;
export const MAX_OPS: u32 = 64;

/** Kernel vector, 4 x u64: knob k is bit k % 64 of word k / 64. */
export const KVEC: usize = 0x400;
export const KVEC_SIZE: usize = 32;
/** Constructor masks: one u64 per row, the leaf bits that row carries over (see kernel/tables.ts). */
export const CTOR_MASK: usize = 0x440;
/** Counters, u64 each (see kernel/counters.ts). */
export const COUNTERS: usize = 0x500;
/** Violation record of the last program: see oracle/report.ts. */
export const VIOLATION: usize = 0x600;
/** Scratch of the engine's exports: results wider than one number. */
export const SCRATCH: usize = 0x680;
/** Observation log of the current op: u32 records, see mm/observe.ts. */
export const OBS: usize = 0x800;
export const OBS_MAX: u32 = 240;
export const OBS_COUNT: usize = 0xbf0;
/** Leaves written since the last judge run: bit mm * 8 + page. */
export const TOUCHED: usize = 0xbf4;
/** Result code of the current op. */
export const OP_RESULT: usize = 0xbf8;

export const WORLD: usize = 0x1000;
export const WORLD_SIZE: usize = 0x600;

/** One mm: 8 PTEs, 2 PMDs, 1 PUD (u64), VMA flags per page (u16), then bytes. */
export const MM_SIZE: usize = 256;
export const MM_PTE: usize = 0;
export const MM_PMD: usize = 64;
export const MM_PUD: usize = 80;
export const MM_VMA: usize = 88;
/** 1 while the process lives. */
export const MM_ALIVE: usize = 104;
/** Counts the lives of this mm id, so that authors of two lives differ. */
export const MM_GEN: usize = 105;
/** mm->has_pinned: some FOLL_PIN happened in this mm. */
export const MM_HAS_PINNED: usize = 106;
/** userfaultfd context: bit 0 open, then the features it was created with (see userfaultfd.ts). */
export const MM_UFFD: usize = 107;
/** u8, bit = page: a VMA starts there. */
export const MM_VMA_STARTS: usize = 108;
/** One u8 per page: the anon_vma of its VMA (0 = none yet), see mmap.ts. */
export const MM_ANON_VMA: usize = 112;
/** One u8 per page: how far its VMA has been moved, see vma_shift. */
export const MM_VMA_SHIFT: usize = 136;

/** struct page as arrays of bytes, index = frame number; frames 24..31 are the special ones. */
export const PAGES: usize = WORLD + 768;
export const PG_REFS: usize = PAGES;
export const PG_MAPCOUNT: usize = PAGES + 32;
/** Entire mapcount of a compound page, on its head. */
export const PG_ENTIRE: usize = PAGES + 64;
export const PG_PINS: usize = PAGES + 96;
export const PG_FLAGS: usize = PAGES + 128;
/** Content: index of the op that wrote it + 1; 0 = zeroes. */
export const PG_VERSION: usize = PAGES + 160;
/** Swap cache: slot + 1, 0 = not in the swap cache. */
export const PG_SLOT: usize = PAGES + 192;

export const SWAP: usize = PAGES + 224;
/** Swap entries that refer to the slot. */
export const SWAP_COUNT: usize = SWAP;
/** Swap cache: frame + 1, 0 = none. */
export const SWAP_CACHE: usize = SWAP + 16;
/** Content on the device. */
export const SWAP_VERSION: usize = SWAP + 32;

/** TLB: one byte per cpu, mm, page: bit 7 write, bit 6 valid, bit 5 writable, bits 0..4 frame (see tlb.ts). */
export const TLB: usize = SWAP + 48;
export const TLB_CPU_SIZE: usize = 24;

/** GUP handle: 8 bytes: in use, mm, page, frame, u16 flags (see ops/table.ts), u16 reserved. */
export const HANDLES: usize = TLB + 48;
export const HANDLE_SIZE: usize = 8;
/** Sleeper: u32 op word, place in the order of falling asleep (0 = not in use), op index, index at which, mm and page. */
export const SLEEPERS: usize = HANDLES + 32;
export const SLEEPER_SIZE: usize = 8;
/** Free frames, bit = frame. */
export const FREE_MASK: usize = SLEEPERS + 32;
/** Errors the page code noticed itself (reference underflow, use after free): count. */
export const PAGE_BUGS: usize = FREE_MASK + 4;
/** The running thread's locals (struct vm_fault and the op it serves), see mm/vmf.ts. */
export const VMF: usize = FREE_MASK + 16;
export const VMF_SIZE: usize = 64;
/** Saved locals of the two threads of an interleaved pair. */
export const THREADS: usize = VMF + VMF_SIZE;
/** Faults that each op's thread has completed so far, one u8 per op index: what getrusage would say. */
export const FAULTS_TAKEN: usize = THREADS + 2 * VMF_SIZE;
/** Who maps a THP, 8 bytes per aligned group of four frames: two mms + 1, their mappings, "maybe shared". */
export const FOLIO_MMS: usize = FAULTS_TAKEN + 64;

/** Reference memory (oracle/reference.ts): its own block, reset and copied like the world. */
export const REFERENCE: usize = 0x2000;
export const REFERENCE_SIZE: usize = 0x400;
/** Pristine images of world and reference. */
export const PRISTINE: usize = 0x2800;
/** Program under test: u32 op words (ops/table.ts). */
export const PROGRAM: usize = 0x3400;
/** Results of the program's ops, one u8 each. */
export const RESULTS: usize = 0x3600;
/** Handler points reached (u8, 1 = reached), index = point id (kernel/points.ts). */
export const COVERAGE: usize = 0x4000;
export const COVERAGE_SIZE: usize = 0x200;
/** Abstract states reached: a bitmap of 2^16 bits. */
export const STATES: usize = 0x5000;
export const STATES_SIZE: usize = 0x2000;
/** Trace of one program when tracing is on: u64 records, see kernel/trace.ts. */
export const TRACE: usize = 0x8000;
export const TRACE_MAX: u32 = 4000;
/** Fuzzer work area (fuzz/): 0x10000 .. 0x100000. */
export const FUZZ_AREA: usize = 0x10000;
export const FUZZ_AREA_SIZE: usize = 0xf0000;
