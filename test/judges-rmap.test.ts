// The judges on migration and KSM: each fires on a kernel with one thing wrong; the same program on the repaired kernel is
// silent.
import { describe } from 'node:test';
import { type Trial, tryAll } from './trials.js';

const PROTECTED = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0';
const FORKED = 'mmap A p0; write A p0; fork A->B';
const EQUAL = 'mmap A p0..p3; write A p0 same; write A p1 same; mergeable A p0..p3';
const MIGRATING = `${PROTECTED}; migrate_begin A p0`;

const TRIALS: readonly Trial[] = [
  // Migration: in turn I13, I6, I8, I14, I14, I4.
  { slug: 'wrong-decoder', program: MIGRATING, kernel: 'repaired +mutant.migrate_wrong_setter', where: { detail: 5 } },
  { slug: 'wp-lost', program: MIGRATING, kernel: 'repaired -migrate.keeps_uffd_wp', where: { detail: 5 } },
  { slug: 'wp-lost', program: `${MIGRATING}; migrate_end`, kernel: 'repaired +mutant.migrate_wrong_getter' },
  { slug: 'wp-lost', program: `${MIGRATING}; read A p0`, kernel: 'repaired -migrate_end.keeps_uffd_wp' },
  { slug: 'wp-stray', program: `${MIGRATING}; uffd_unreg A p0`, kernel: 'repaired -unregister.clears_migration' },
  { slug: 'wp-stray', program: `${MIGRATING}; uffd_close A`, kernel: 'repaired -close.clears_migration' },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0; clear_refs A; write A p0; migrate_begin A p0',
    kernel: 'repaired -migrate.keeps_soft_dirty',
    where: { detail: 5 },
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0; clear_refs A; write A p0; migrate A p0',
    kernel: 'repaired -migrate_end.keeps_soft_dirty',
  },
  {
    slug: 'softdirty-lost',
    program: 'mmap A p0; write A p0; migrate_begin A p0; clear_refs A; write A p0',
    kernel: 'v7.2',
  },
  {
    slug: 'tlb-stale',
    program: 'mmap A p0; write A p0; migrate A p0',
    kernel: 'repaired +mutant.migrate_forgets_flush',
  },
  {
    slug: 'not-exclusive',
    program: 'mmap A p0; write A p0; migrate A p0',
    kernel: 'repaired -migrate_end.keeps_exclusive',
  },
  {
    slug: 'not-exclusive',
    program: 'mmap A p0; write A p0; migrate_begin A p0; fork A->B',
    kernel: 'repaired +mutant.fork_keeps_migration_write',
    where: { detail: 4 },
  },
  {
    slug: 'not-exclusive',
    program: `${FORKED}; exit B; write A p0; migrate_begin A p0; fork A->B; migrate_end`,
    kernel: 'repaired +mutant.fork_keeps_migration_write',
  },
  {
    slug: 'pin-detached',
    program: 'mmap A p0; write A p0; h=gup A p0 W GET; migrate A p0; write A p0; hwrite h',
    kernel: 'repaired +mutant.migrate_ignores_refs',
  },
  // KSM: I6, I11, I14, I10 by what the draft does, I4.
  { slug: 'wp-lost', program: `${EQUAL}; uffd_reg A p0 WP; wp A p0; ksm_merge`, kernel: 'v7.2', where: { page: 0 } },
  { slug: 'softdirty-lost', program: `${EQUAL.replace('write', 'clear_refs A; write')}; ksm_merge`, kernel: 'v7.2' },
  {
    slug: 'not-exclusive',
    program: `${EQUAL}; ksm_merge; munmap A p1; write A p0`,
    kernel: 'reuse-draft-1',
    where: { detail: 5 },
  },
  {
    slug: 'pin-detached',
    program: `${EQUAL}; h=gup A p0 W GET; ksm_merge; write A p0; hwrite h`,
    kernel: 'repaired +mutant.ksm_ignores_refs',
  },
  // Through a write reference by GET, whose page fork has shared and MADV_FREE has cleaned.
  {
    slug: 'cow-leak',
    program:
      'mmap A p0; write A p0; mergeable A p0; fork A->C; h=gup C p0 W GET; madv_free C p0; fork C->B; ksm_merge; hwrite h',
    kernel: 'repaired -ksm.always_checks_refs',
    where: { mm: 0 },
  },
];

describe('the judges on migration and KSM', () => {
  tryAll(TRIALS);
});
