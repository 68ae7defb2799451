// The judges of what moves pages: each can fail.
import { describe } from 'node:test';
import { type Trial, tryAll } from './trials.js';

const PROTECTED = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0';
const UNPOPULATED = 'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0';

const TRIALS: readonly Trial[] = [
  // UFFDIO_MOVE
  {
    slug: 'wp-stray',
    program:
      'mmap A p0; mmap A p4; uffd_reg A p0 WP; uffd_reg A p4 MISSING; write A p0; wp A p0; pageout A p0; uffd_move A p0->p4',
    kernel: 'repaired +move_swap.keeps_uffd_wp',
    where: { page: 4, detail: 1 },
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0..p3; uffd_reg A p2 WP; write A p0; clear_refs A; pageout A p0; uffd_move A p0->p2',
    kernel: 'repaired -move_swap.sets_soft_dirty',
    where: { page: 2, detail: 1 },
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0..p3; uffd_reg A p2 WP; write A p0; clear_refs A; pageout A p0; read A p0; uffd_move A p0->p2',
    kernel: 'repaired -move_present.sets_soft_dirty',
    where: { page: 2, detail: 0 },
  },
  {
    slug: 'no-progress',
    program: 'mmap A p0..p3; uffd_reg A p2 MISSING; write A p0; write A p2; uffd_move A p0->p2',
    kernel: 'repaired +mutant.move_forgets_wake',
    where: { page: 2, detail: 1 },
  },
  {
    slug: 'not-exclusive',
    program: 'mmap A p0..p3; uffd_reg A p2 WP; write A p0; fork A->B; uffd_move A p0->p2',
    kernel: 'repaired +mutant.move_shared',
  },
  // mremap
  {
    slug: 'wp-lost',
    program: `${PROTECTED.replace('WP', 'WP EVENT_REMAP')}; mremap A p0->p1`,
    kernel: 'repaired -mremap.keeps_uffd_wp',
    where: { page: 1, op: 4 },
  },
  {
    slug: 'wp-stray',
    program: `${PROTECTED}; mremap A p0->p1`,
    kernel: 'repaired -mremap.clears_present',
    where: { page: 1 },
  },
  {
    slug: 'wp-stray',
    program: `${PROTECTED}; pageout A p0; mremap A p0->p1`,
    kernel: 'repaired -mremap.clears_swap',
    where: { detail: 1 },
  },
  {
    slug: 'wp-stray',
    program: `${UNPOPULATED}; mremap A p0->p1`,
    kernel: 'repaired -mremap.clears_marker',
    where: { detail: 2 },
  },
  {
    slug: 'wp-stray',
    program: 'mmap A p4; write A p4; uffd_reg A p4; wp A p4; mmap A p0; uffd_reg A p0; mremap A p0->p3',
    kernel: 'repaired +mremap.resets_merged',
    where: { page: 4 },
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0; write A p0; clear_refs A; mremap A p0->p1',
    kernel: 'repaired -mremap.sets_soft_dirty',
    where: { page: 1 },
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0..p3; write A p0; clear_refs A; mremap A p0..p3->p4..p7',
    kernel: 'repaired +mremap.moves_tables',
    where: { page: 4 },
  },
  {
    slug: 'tlb-stale',
    program: 'mmap A p0; write A p0; mremap A p0->p1',
    kernel: 'repaired +mutant.mremap_skips_flush',
    where: { page: 0 },
  },
  // What a pin holds is what its owner sees at the new address.
  {
    slug: 'pin-detached',
    program: 'mmap A p0; write A p0; h=gup A p0 W PIN; mremap A p0->p1; fork A->B; write A p1; hread h',
    kernel: 'v5.9 -fork.early_copy_pinned',
  },
];

describe('judges of what moves', () => {
  tryAll(TRIALS);
});
