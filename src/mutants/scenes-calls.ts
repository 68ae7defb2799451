// The same for system calls, reclaim and the books.
import type { Scene } from './scenes.js';

/** The entries of two huge pages stand side by side in one mapping; the child has used only one of them. */
const TWO_HUGE_PAGES = 'mmap A p0..p7 anon thp; write A p4; write A p0; mremap A p3->p1; mremap A p4->p2; fork A->B; ';
/** Four huge pages that only handles hold: 16 of the 24 frames. */
const HELD_HUGE_PAGES = [0, 1, 2, 3].map((h) => `write A p4; h${h}=gup A p4 R GET; dontneed A p4..p7; `).join('');

/** What may stand protected at p0, and what may take the registration away there. */
const PROTECTED = {
  'a page': 'write A p0; wp A p0',
  'a page in swap': 'write A p0; wp A p0; pageout A p0',
  'a page that migrates': 'write A p0; wp A p0; migrate_begin A p0',
  'a hole': 'wp A p0',
};
const UNREGISTERED = {
  'is unregistered': 'uffd_unreg A p0',
  'loses its uffd': 'uffd_close A',
  'is registered for something else': 'uffd_reg A p0 MISSING',
  'moves away': 'mremap A p0->p4',
};
const LEAVING = Object.entries(PROTECTED).flatMap(([what, before]) =>
  Object.entries(UNREGISTERED).map(([how, call]) => ({
    what: `${what} that uffd-wp protects ${how}`,
    program: `mmap A p0 anon; uffd_reg A p0 WP WP_UNPOPULATED; ${before}; ${call}; migrate_end`,
  })),
);

export const SCENES_CALLS: readonly Scene[] = [
  ...LEAVING,
  {
    what: 'a mapping comes between two that have each an anon_vma of its own',
    program: 'mmap A p0..p7 anon; munmap A p2; write A p1; write A p3; mmap A p2 anon',
  },
  {
    what: 'a mapping comes between one that a fork left and one with an anon_vma of its own',
    program:
      'mmap A p0..p3 anon; write A p1; fork A->B; munmap B p2; munmap B p3; mmap B p3 anon; write B p3; mmap B p2 anon',
  },
  {
    what: 'a mapping comes between one never written to and one that was',
    program: 'mmap A p0..p3 anon; munmap A p1; write A p2; mmap A p1 anon',
  },
  {
    what: 'mprotect joins a mapping never written to, itself and one that was written to',
    program: 'mmap A p0..p3 anon; mprotect A p1 R; write A p2; mprotect A p1 RW',
  },
  {
    what: 'three mappings become one, of which the one in the middle is new since clear_refs',
    program: 'mmap A p0..p3 anon; munmap A p1; mprotect A p0..p3 R; clear_refs A; mmap A p1 anon; mprotect A p0..p3 RW',
  },
  {
    what: 'parts of a private file mapping become read-only, one of them after a write',
    program: 'mmap A p0..p7 dax; mprotect A p0..p3 R; write A p5; mprotect A p4..p7 R',
  },
  {
    what: 'what another mode of the uffd left write-protected is made writable by mprotect',
    program:
      'mmap A p0 anon; write A p0; mprotect A p0 R; uffd_reg A p0 WP; wp A p0; uffd_reg A p0 MISSING; mprotect A p0 RW',
  },
  {
    what: 'a NUMA hint on a page of ours that is read-only in a writable mapping',
    program: 'mmap A p0 anon; write A p0; mprotect A p0 R; mprotect A p0 RW; numa_hint A p0; read A p0',
  },
  {
    what: 'the last mapped page of a huge page is split off while it has a NUMA hint and is tracked',
    program:
      'mmap A p0..p3 anon thp; write A p0; thp_split A p0..p3; dontneed A p1; dontneed A p2; dontneed A p3; clear_refs A; numa_hint A p0; madv_cold A p0; read A p0; write A p0',
  },
  {
    what: 'mprotect over the last page of a huge page and the first one of the next in memory',
    program: `${TWO_HUGE_PAGES}read B p1; mprotect B p0..p3 R`,
  },
  {
    what: 'mremap of the last page of a huge page and the first one of the next in memory',
    program: `${TWO_HUGE_PAGES}read B p2; mremap B p0..p3->p4..p7`,
  },
  {
    what: 'KSM merges what was written to since clear_refs',
    program: 'mmap A p0..p3 anon; mergeable A p0..p3; clear_refs A; write A p0 same; write A p1 same; ksm_merge',
  },
  {
    what: 'a NUMA hint on a KSM page that is mapped once',
    program:
      'mmap A p0..p3 anon; mergeable A p0..p3; write A p0 same; write A p1 same; ksm_merge; munmap A p0; numa_hint A p1',
  },
  {
    what: 'a huge page that MADV_FREE left to reclaim is reclaimed',
    program: 'mmap A p0..p3 anon thp; write A p0; madv_free A p0..p3; pageout A p0..p3 madv; read A p0',
  },
  {
    what: 'a huge page mapped by entries, of which one was written to since MADV_FREE, moves and is reclaimed',
    program:
      'mmap A p0..p3 anon thp; write A p0; thp_split A p0..p3; madv_free A p0..p3; write A p1; mremap A p0..p3->p4..p7; pageout A p4..p7 madv; read A p5',
  },
  {
    what: 'such a page moves out of a registration, entry by entry',
    program:
      'mmap A p0..p3 anon thp; write A p0; thp_split A p0..p3; madv_free A p0..p3; write A p1; uffd_reg A p0..p3 WP; mremap A p0..p3->p4..p7',
  },
  {
    what: 'a page of a huge page that MADV_FREE left to reclaim is written to through a handle',
    program:
      'mmap A p0..p3 anon thp; write A p0; h0=gup A p1 W GET; thp_split A p0..p3; madv_free A p0..p3; hwrite h0; put h0; pageout A p0..p3 madv; read A p0; read A p1',
  },
  {
    what: 'no memory for a swap-in, for swapoff and for UFFDIO_COPY',
    program:
      'mmap A p0..p7 anon thp; fork A->B; fork A->C; write A p0; write A p4; write B p0; write B p4; write C p0; write C p4; pageout A p0..p3; h0=gup C p0 R GET; dontneed C p0..p3; write C p0; read A p0; swapoff; munmap A p1; mmap A p1 anon; uffd_reg A p1 MISSING; uffd_copy A p1',
  },
  {
    what: 'a store takes an asynchronous protection away, and then there is no memory for the copy',
    program:
      'mmap A p0..p7 anon thp; uffd_reg A p0..p7 WP WP_ASYNC; write A p0; fork A->B; wp A p0..p3; ' +
      `${HELD_HUGE_PAGES}write A p4; write A p0`,
  },
  {
    what: 'a swap entry of a page that KSM has merged in the swap cache, and that nobody maps any more',
    program:
      'mmap A p0..p7 anon; mergeable A p0..p3; write A p0 same; write A p1 same; fork A->B; pageout A p1; read A p1; ksm_merge; munmap A p0; munmap A p1; munmap B p0; write B p1',
  },
  {
    what: 'clear_refs in a process that pinned nothing, over a page that another one has pinned',
    program:
      'mmap A p0..p3 anon thp; write A p0; fork A->B; h0=gup A p0 R PIN; exit A; write B p0; thp_split B p0..p3; clear_refs B',
  },
  {
    what: 'PAGEMAP_SCAN over a part of a huge page that is protected as a whole',
    program: 'mmap A p0..p3 anon thp; write A p0; uffd_reg A p0..p3 WP WP_ASYNC; wp A p0..p3; pagemap_scan A p0 WP',
  },
  {
    what: 'PAGEMAP_SCAN where nothing is registered',
    program: 'mmap A p0 anon; write A p0; pagemap_scan A p0',
  },
  { what: 'PAGEMAP_SCAN of a hole where nothing is registered', program: 'mmap A p0 anon; pagemap_scan A p0' },
  { what: 'PAGEMAP_SCAN of a private file mapping', program: 'mmap A p0..p7 dax; write A p0; pagemap_scan A p0' },
  { what: 'UFFDIO_COPY without a uffd', program: 'mmap A p0 anon; uffd_copy A p0' },
  {
    what: 'UFFDIO_COPY to a range that begins with a hole',
    program: 'mmap A p0 anon; mmap A p5 anon; uffd_reg A p5 MISSING; uffd_copy A p4..p7',
  },
  {
    what: 'UFFDIO_COPY of a write-protected page to a read-only mapping',
    program: 'mmap A p0 anon; mprotect A p0 R; uffd_reg A p0 WP; uffd_copy A p0 WP',
  },
  {
    what: 'UFFDIO_MOVE of a clean page, unchanged since clear_refs',
    program:
      'mmap A p0..p3 anon; write A p0; pageout A p0; read A p0; uffd_reg A p1 MISSING; clear_refs A; uffd_move A p0->p1',
  },
  {
    what: 'UFFDIO_MOVE of one page of a huge page, to another place in its PMD',
    program: 'mmap A p0..p7 anon thp; write A p0; uffd_reg A p4..p7 MISSING; uffd_move A p1->p6',
  },
  {
    what: 'UFFDIO_MOVE of one page of a huge page, to the same place in its PMD',
    program: 'mmap A p0..p7 anon thp; write A p0; uffd_reg A p4..p7 MISSING; uffd_move A p1->p5',
  },
  {
    what: 'UFFDIO_MOVE of the first page of a huge page, to where one could begin',
    program: 'mmap A p0..p7 anon thp; write A p0; uffd_reg A p4..p7 MISSING; uffd_move A p0->p4',
  },
  {
    what: 'UFFDIO_MOVE of one page of a huge page that somebody holds',
    program: 'mmap A p0..p7 anon thp; write A p0; h0=gup A p0 R GET; uffd_reg A p4..p7 MISSING; uffd_move A p1->p5',
  },
  {
    what: 'UFFDIO_MOVE of a pinned huge page',
    program:
      'mmap A p0..p7 anon thp; write A p0; h0=gup A p0 R PIN; uffd_reg A p4..p7 MISSING; uffd_move A p0..p3->p4..p7',
  },
  {
    what: 'UFFDIO_MOVE of a shared huge page',
    program: 'mmap A p0..p7 anon thp; write A p0; fork A->B; uffd_reg A p4..p7 MISSING; uffd_move A p0..p3->p4..p7',
  },
  {
    what: 'UFFDIO_MOVE of the huge zero page',
    program: 'mmap A p0..p7 anon thp; read A p0; uffd_reg A p4..p7 MISSING; uffd_move A p0..p3->p4..p7; write A p4',
  },
  {
    what: 'MADV_COLLAPSE over a range without a page table and one with a page',
    program: 'mmap A p0..p7 anon; write A p4; collapse A p0..p7',
  },
  {
    what: 'MADV_COLLAPSE over a range with a guard and one without',
    program: 'mmap A p0..p7 anon; write A p0; guard_install A p1; write A p4; collapse A p0..p7',
  },
  {
    what: 'a first write beside a mapping whose anon_vma it can share, and both become one',
    program: 'mmap A p2 anon; write A p2; mprotect A p2 R; mmap A p1 anon; write A p1; mprotect A p2 RW',
  },
  {
    what: 'a mapping that is new since clear_refs moves beside one that is not',
    program: 'mmap A p0 anon; clear_refs A; mmap A p4 anon; mremap A p4->p1',
  },
  {
    what: 'a mapping is unregistered beside one that is new since clear_refs',
    program: 'mmap A p0 anon; clear_refs A; uffd_reg A p0 WP; mmap A p1 anon; uffd_unreg A p0',
  },
  {
    what: 'a registered mapping moves beside one that is not registered',
    program: 'mmap A p0 anon; mmap A p4 anon; uffd_reg A p0 WP; mremap A p0->p5',
  },
  {
    what: 'a swap entry moves while the CPU knows where another page is',
    program: 'mmap A p0..p3 anon; write A p0; pageout A p0; write A p1; mremap A p0->p4',
  },
  {
    what: 'a huge page becomes read-only and writable again',
    program: 'mmap A p0..p3 anon thp; write A p0; mprotect A p0..p3 R; mprotect A p0..p3 RW',
  },
  {
    what: 'fork into a uffd of its own while a protected huge page migrates',
    program:
      'mmap A p0..p3 anon thp; uffd_reg A p0..p3 WP EVENT_FORK; write A p0; wp A p0..p3; migrate_begin A p0; fork A->B; migrate_end; write B p0',
  },
  {
    what: 'no memory for a collapse',
    program: `mmap A p0..p3 anon; write A p0; mmap A p4..p7 anon thp; ${HELD_HUGE_PAGES}write A p4; collapse A p0..p3`,
  },
  {
    what: 'MADV_UNMERGEABLE of merged pages, of which one is protected',
    program:
      'mmap A p0..p3 anon; mergeable A p0..p3; write A p0 same; write A p1 same; ksm_merge; uffd_reg A p0..p3 WP; wp A p0; unmergeable A p0..p3',
  },
  {
    what: 'MADV_DONTNEED of a huge PUD',
    program: 'mmap A p0..p7 dax; read A p0; dontneed A p0..p7',
  },
  {
    what: 'a huge page is unmapped while it migrates',
    program: 'mmap A p0..p3 anon thp; write A p0; migrate_begin A p0; munmap A p0..p3; migrate_end',
  },
  {
    what: 'a load from a private file mapping of which a part is gone',
    program: 'mmap A p0..p7 dax; munmap A p7; read A p0',
  },
];
