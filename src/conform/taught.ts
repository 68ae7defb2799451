// Programs that once told a kernel and its model apart: what the model has learned from real kernels stays learned.
import type { PageLayout } from './observed.js';

export const TAUGHT: Readonly<Record<PageLayout, readonly string[]>> = {
  pte: [
    // A guard takes uffd-wp from a scan, and seldom loses it.
    'mmap A p0; uffd_reg A p0 WP WP_ASYNC; guard_install A p0; pagemap_scan A p0 WP; fork A->B; unwp A p0; mremap A p0->p1',
    'mmap A p0; uffd_reg A p0 WP WP_ASYNC; guard_install A p0; pagemap_scan A p0 WP; uffd_unreg A p0; pagemap_scan A p0',
    // Who populates and wakes without its VMA, or with another one.
    'mmap A p0; uffd_reg A p0 MISSING; populate A p0 R; mremap A p0->p1; wake A p0',
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; populate A p0 W; munmap A p0; uffd_close A',
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; populate A p0 W; mprotect A p0 R; unwp A p0',
    // Dirty and soft-dirty of what UFFDIO_MOVE moves.
    'mmap A p0..p3; write A p1; uffd_reg A p2 WP; pageout A p1 madv; clear_refs A; uffd_move A p1->p2',
    'mmap A p0..p3; write A p1; uffd_reg A p2 WP; pageout A p1 madv; read A p1; uffd_move A p1->p2',
    // MADV_FREE reaches the child.
    'mmap A p0; write A p0; fork A->B; h=gup A p0 R PIN; hread h; put h; exit B; ' +
      'fork A->B; madv_free A p0; munmap A p0; pageout B p0 madv; read B p0',
  ],
  pmd: [
    // How reclaim takes a huge page that MADV_FREE left to it.
    'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; pageout A p0..p3 madv; write A p1',
    'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; write A p0; pageout A p0..p3 madv; pageout A p0..p3 madv',
    'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; h=gup A p0 R GET; ' +
      'pageout A p0..p3 madv; put h; pageout A p0..p3 madv; write A p0',
    'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; populate A p0 W; pageout A p0..p3 madv',
    // Which page is asked whether the folio is shared.
    'mmap A p0..p3 thp; write A p0; fork A->B; write A p0; madv_free A p1',
    'mmap A p0..p3 thp; write A p0; fork A->B; write A p0; madv_cold A p1',
    // A long-term pin that touches nothing.
    'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; h=gup A p0 W PIN LONGTERM',
    // A split loses a stray uffd-wp.
    'mmap A p0..p3 thp; write A p0; mremap A p0..p3->p4..p7; uffd_reg A p4..p7 WP; ' +
      'wp A p7; mremap A p4..p7->p0..p3; write A p3; madv_cold A p0',
  ],
};
