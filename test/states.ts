// The states that the handler tables start from, as programs, and the kernels in families.
import { engine, releases } from './rows.js';

/** One page of A, written: P W D A SD. */
export const FRESH = 'mmap A p0; write A p0';
/** The page shared with B by fork: read-only in both, old in B. */
export const SHARED = `${FRESH}; fork A->B`;
export const READ_ONLY = `${FRESH}; mprotect A p0 R`;
export const PINNED = `${FRESH}; h=gup A p0 W PIN`;
/** Swapped out. */
export const OUT = `${FRESH}; pageout A p0`;
export const SHARED_OUT = `${SHARED}; pageout A p0`;
/** Write-protected by userfaultfd. */
export const WPED = `${FRESH}; uffd_reg A p0; wp A p0`;
export const WPED_OUT = `${WPED}; pageout A p0`;
export const SHARED_WPED = `${SHARED}; uffd_reg A p0; wp A p0`;
/** A uffd-wp marker where nothing is mapped (v6.4+). */
export const MARKER = 'mmap A p0; uffd_reg A p0 WP_UNPOPULATED; wp A p0';
/** Pages 0 to 3 of A in one huge page. */
export const THP = 'mmap A thp; write A p0';
export const THP_SHARED = `${THP}; fork A->B`;
export const THP_WPED = `${THP}; uffd_reg A p0..p3; wp A p0..p3`;
/** Nothing but the zero page, and the huge one. */
export const ZERO = 'mmap A p0; read A p0';
export const HUGE_ZERO = 'mmap A thp; read A p0';

/** All 24 frames in use: two THPs each in A and B, two more kept by handles alone. */
export const NO_MEMORY =
  'mmap A p0..p7 thp; write A p0; write A p4; fork A->B; munmap B p0..p7; mmap B p0..p7 thp; write B p0; write B p4; ' +
  'h1=gup B p4 R GET; dontneed B p4..p7; write B p4; h2=gup B p4 R GET; dontneed B p4..p7; write B p4';

export const ALL: readonly string[] = engine.catalogue.kernels.map(({ name }) => name);
/** Kernels with PageAnonExclusive and unshare faults. */
export const AE: readonly string[] = releases('v5.19');
/** Every kernel that is not `release` or newer. */
export const before = (release: string) => ALL.filter((kernel) => !releases(release).includes(kernel));
/** The same without v5.10, whose long-term branch has the fixes of `release`. */
export const beforeFix = (release: string) => before(release).filter((kernel) => kernel !== 'v5.10');
export const BEFORE_AE = before('v5.19');
/** Kernels whose swap-in always goes through the swap cache and frees the slot after the page is mapped. */
export const NEVER_BYPASSES: readonly string[] = releases('v7.2');
/** The same kernels without v6.6's loss of the dirty bit of a huge PMD, where a row is about something else. */
export const keepsDirty = (kernels: readonly string[]): string[] =>
  kernels.map((kernel) => (['v6.7', 'v6.12', 'v6.18'].includes(kernel) ? `${kernel} -pmd_modify.drops_dirty` : kernel));
/** Kernels whose FAULT_FLAG_BREAK_COW counts as a write at PTE level, but not yet above; and at every level. */
export const BC_PTE_ONLY: readonly string[] = ['break-cow-v1', 'break-cow-v2'];
export const BC_ALL_LEVELS: readonly string[] = ['seed', 'break-cow-v3', 'break-cow-v3-followup', 'dont-cow', 'pin-bc'];
/** Kernels that reuse by mapcount + swapcount: v5.7, v5.8 and the patches on top of it. */
export const MAPCOUNT: readonly string[] = [
  'v5.7',
  'v5.8',
  ...BC_PTE_ONLY,
  ...BC_ALL_LEVELS.filter((kernel) => kernel !== 'pin-bc'),
];
