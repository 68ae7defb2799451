// Situations that programs drawn at random hardly ever come to, and that decisions of the handler are about.

export interface Scene {
  /** What is special about it. */
  readonly what: string;
  readonly program: string;
}

/** `n` handles that each hold a huge page which is mapped nowhere: of the six that fit into memory. */
function held(n: number): string {
  const one = (i: number) => `mmap A p0..p3 thp; h${i}=gup A p0 W GET; munmap A p0..p3; `;
  return Array.from({ length: n }, (_, i) => one(i)).join('');
}
/** A huge page of which one small page is left, at `target`; the others keep their memory. */
function remnant(target: string): string {
  return `mmap A p4..p7 thp; write A p4; mremap A p4->${target}; munmap A p4..p7; `;
}
/** Stores to several pages. */
function writes(mm: string, ...pages: number[]): string {
  return pages.map((page) => `write ${mm} p${page}; `).join('');
}
/** Two pages of the same contents. */
const TWINS = 'mmap A p0; mmap A p1; write A p0 same; write A p1 same; ';
const MERGE = 'mergeable A p0; mergeable A p1; ksm_merge';
/** A huge page that a child maps too. */
const SHARED_THP = 'mmap A p0..p3 thp; write A p0; fork A->B; ';

export const SCENES: readonly Scene[] = [
  {
    what: 'fork while a protected huge page is on its way to other frames',
    program:
      'mmap A p0..p3 thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3; migrate_begin A p0; fork A->B; migrate_end; write A p0',
  },
  {
    what: 'fork, with the registration, while a protected huge page is on its way',
    program:
      'mmap A p0..p3 thp; write A p0; uffd_reg A p0..p3 WP EVENT_FORK; wp A p0..p3; migrate_begin A p0; fork A->B; migrate_end; write B p0',
  },
  {
    what: 'a huge page is discarded while it is on its way to other frames',
    program: 'mmap A p0..p3 thp; write A p0; migrate_begin A p0; dontneed A p0..p3; migrate_end; read A p0',
  },
  {
    what: 'all of a file that a huge PUD maps is dropped',
    program: 'mmap A dax; read A p0; dontneed A p0..p7',
  },
  {
    what: 'a long-term pin, for writing, of a page given to reclaim',
    program: 'mmap A p0; write A p0; madv_free A p0; h=gup A p0 W PIN LONGTERM',
  },
  {
    what: 'fork finds no memory for the copy of a pinned page, before another page and a huge one',
    program: `${held(3)}${remnant('p0')}${remnant('p1')}mmap A p4..p7 thp; write A p4; h3=gup A p0 W PIN; fork A->B; write A p4`,
  },
  {
    what: 'an access to nothing where missing pages are registered, and memory has no room for a huge page',
    program:
      `${held(4)}mmap A p0..p3; ${writes('A', 0, 1, 2, 3)}fork A->B; write B p0; ` +
      'mmap A p4..p7 thp; uffd_reg A p4..p7 MISSING; write A p4',
  },
  {
    what: 'all memory is taken: a new page, one from swap, one that is to be unmerged',
    program:
      `${held(4)}mmap A p0..p7; write A p0 same; write A p1 same; mergeable A p0..p7; ksm_merge; ` +
      `${writes('A', 2, 3, 4, 5, 6)}pageout A p2; fork A->B; ${writes('B', 3, 4, 5)}write A p7; read A p2; unmergeable A p0`,
  },
  {
    what: 'a forced write to a page that is still marked as protected, but not registered for it any more',
    program:
      'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; uffd_reg A p0 MISSING; mprotect A p0 R; h=gup A p0 W GET FORCE',
  },
  {
    what: 'a fast pin of a shared page whose migration, on some machines, made it writable',
    program: 'mmap A p0; write A p0; fork A->B; [h=gup A p0 R PIN fast-only || migrate A p0]@2',
  },
  {
    what: 'a store that waited goes on in a huge page that is writable by now, but not soft-dirty',
    program:
      'mmap A p0..p3 thp; write A p0; clear_refs A; mmap A p4..p7 thp; uffd_reg A p0..p3 WP; wp A p0..p3; write A p0; unwp A p0..p3',
  },
  {
    what: 'stores through translations from before a huge page became writable again',
    program: `${SHARED_THP}read A p0; read A p1; exit B; write A p0; write A p1`,
  },
  {
    what: 'a load that waited finds what another thread has mapped and used',
    program: 'mmap A p0; uffd_reg A p0 MISSING; read A p0; uffd_reg A p0 WP; read A.2 p0; wake A p0',
  },
  {
    what: 'a huge page given to reclaim, of which one part was stored to again before it was split',
    program:
      'mmap A p0..p3 thp; write A p0; madv_free A p0..p3; thp_split A p0..p3; write A p0; madv_cold A p1; pageout A p0..p3; read A p0; read A p1',
  },
  {
    what: 'a huge page given to reclaim, and split, while another page is dirty',
    program:
      'mmap A p4; write A p4; mmap A p0..p3 thp; write A p0; madv_free A p0..p3; madv_cold A p1; pageout A p0..p3; read A p0',
  },
  {
    what: 'the huge page at the bottom of memory is split, whose frame number 0 an empty entry has too',
    program:
      `${held(4)}mmap A p4..p7 thp; write A p4; dontneed A p7; mmap A p0..p3 thp; write A p1; fork A->B; ` +
      'munmap B p0..p3; read B p4; madv_cold A p0',
  },
  {
    what: 'a collapse of a protected page beside a swapped one',
    program: `mmap A p0..p3; ${writes('A', 0, 1, 2, 3)}uffd_reg A p0..p3 WP; wp A p0; pageout A p1; collapse A p0..p3`,
  },
  {
    what: 'a collapse of a range that holds no whole huge page',
    program: 'mmap A p0..p3; write A p0; collapse A p1',
  },
  {
    what: 'a merge of a page that is clean, shared and held',
    program: `${TWINS}fork A->B; pageout A p0; read A p0; h=gup A p0 R GET; ${MERGE}`,
  },
  {
    what: 'a merge of dirty pages that a child keeps as they are',
    program: `${TWINS}fork A->B; ${MERGE}`,
  },
  {
    what: 'a merge of a clean page in the swap cache that a child keeps as it is',
    program: `${TWINS}fork A->B; pageout A p0; read A p0; read B p0; ${MERGE}`,
  },
  {
    what: 'a store to a merged page',
    program: `${TWINS}${MERGE}; write A p0; read A p1`,
  },
  {
    what: 'a merged page is to be unmerged that is still marked as protected, but not registered any more',
    program: `${TWINS}uffd_reg A p1 WP; wp A p1; ${MERGE}; uffd_close A; unmergeable A p1`,
  },
  {
    what: 'a merged page that only a swap entry of a child is left of',
    program: `${TWINS}fork A->B; pageout A p1; read A p1; ${MERGE}; dontneed A p0; dontneed A p1; write B p1`,
  },
  {
    what: 'one page of a huge one is left, in one of the three processes that mapped it',
    program:
      'mmap A p0..p3 thp; write A p0; fork A->B; fork A->C; exit A; exit B; thp_split C p0..p3; munmap C p1; munmap C p2; munmap C p3; madv_cold C p0',
  },
  {
    what: 'a huge page that is mapped whole here, and in one small page but the first there',
    program: `${SHARED_THP}munmap B p0; munmap B p2; munmap B p3; madv_cold A p0`,
  },
  {
    what: 'a huge page that is mapped in four small pages here, and in one but the first there',
    program: `${SHARED_THP}munmap B p0; munmap B p2; munmap B p3; thp_split A p0..p3; madv_cold A p0`,
  },
  {
    what: 'a huge page of which two processes map no more than the first small page',
    program: `${SHARED_THP}munmap A p1; munmap A p2; munmap A p3; munmap B p1; munmap B p2; munmap B p3; madv_cold A p0`,
  },
  {
    what: 'the end of one huge page and the beginning of another, next to each other here as in memory',
    program:
      'mmap A p0..p7 thp; write A p4; write A p0; mremap A p4->p5; mremap A p3->p4; fork A->B; munmap B p5; munmap B p6; munmap B p7; madv_cold A p4..p7',
  },
  {
    what: 'MADV_PAGEOUT of a huge page of which a child uses a small one',
    program: `${SHARED_THP}thp_split B p0..p3; munmap B p0; read B p1; pageout A p0..p3 madv`,
  },
  {
    what: 'MADV_PAGEOUT of a huge page of which a child used a small one before the last time',
    program: `${SHARED_THP}thp_split B p0..p3; munmap B p0; read B p1; pageout A p0..p3 madv; pageout A p0..p3 madv`,
  },
  {
    what: 'a store to the last page of a huge one that was shared',
    program: `${SHARED_THP}exit B; thp_split A p0..p3; munmap A p1; munmap A p2; munmap A p3; write A p0`,
  },
  {
    what: 'a swap-in by a load, of what was clean when its VMA became new again as a whole',
    program: 'mmap A p0; write A p0; clear_refs A; mmap A p1; pageout A p0; read A p0',
  },
  {
    what: 'a store to a huge page that lost its registration but not its protection',
    program: 'mmap A p0..p3 thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3; uffd_reg A p0..p3 MISSING; write A p0',
  },
];
