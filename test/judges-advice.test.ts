// The judges and the advice that a program can give: what MADV_FREE left is lost to nobody else, guards stay.
import { describe } from 'node:test';
import { type Trial, tryAll } from './trials.js';

const FORKED = 'mmap A p0; write A p0; fork A->B';

const TRIALS: readonly Trial[] = [
  // A's MADV_FREE reaches B through the page that they share
  {
    slug: 'data-lost',
    program: `${FORKED}; h=gup A p0 R PIN; put h; exit B; fork A->B; madv_free A p0; pageout A p0; read B p0`,
    kernel: 'repaired -madv_free.skips_shared',
    where: { mm: 1, expected: 2, got: 0 },
  },
  {
    slug: 'data-lost',
    program: 'mmap A thp; write A p0; madv_free A p0..p3; write A p1; mprotect A p0..p3 R; pageout A p0..p3',
    kernel: 'repaired +pmd_modify.drops_dirty',
    where: { page: 1, expected: 4, got: 0 },
  },
  {
    slug: 'pin-detached',
    program: 'mmap A p0; write A p0; madv_free A p0; h=gup A p0 W GET fast; pageout A p0; hwrite h; put h; read A p0',
    kernel: 'v5.14',
    where: { expected: 6, got: 0 },
  },
  // A guard gone, or one too many.
  {
    slug: 'guard-lost',
    program: 'mmap A p0; guard_install A p0; uffd_reg A p0 MISSING; uffd_copy A p0; read A p0',
    kernel: 'v6.18',
    where: { expected: 1, got: 0, detail: 0, op: 3 },
  },
  {
    slug: 'guard-lost',
    program: 'mmap A p0; guard_install A p0; uffd_reg A p0 WP; unwp A p0',
    kernel: 'repaired +mutant.unwp_clears_guard',
    where: { expected: 1, got: 0, detail: 4, op: 3 },
  },
  {
    slug: 'guard-lost',
    program: 'mmap A p0; guard_install A p0; dontneed A p0; read A p0',
    kernel: 'repaired +mutant.zap_drops_guard',
    where: { expected: 1, got: 0, detail: 4, op: 2 },
  },
  {
    slug: 'guard-lost',
    program: 'mmap A p0..p3; guard_install A p0; munmap A p0; mmap A p0; write A p1',
    kernel: 'repaired +mutant.unmap_keeps_guard',
  },
];

describe('the judges of advice', () => {
  tryAll(TRIALS);
});
