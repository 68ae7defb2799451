// The judges of what userfaultfd does beyond write-protection with events: each can fail.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judged, slugOf, type Trial, tryAll } from './trials.js';

const PROTECTED = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0';
const ASYNC = 'mmap A p0; write A p0; uffd_reg A p0 WP_ASYNC; wp A p0; write A p0';

const TRIALS: readonly Trial[] = [
  // I21: an event too few
  {
    slug: 'missing-events',
    program: 'mmap A p0..p3 thp; uffd_reg A p0..p3 MISSING; h=gup A p1 W GET',
    kernel: 'repaired +mutant.missing_skips_pmd',
    where: { page: 1, op: 2, detail: 0 },
  },
  // What a fill owes: I9, I6, I10
  {
    slug: 'no-progress',
    program: 'mmap A p0; uffd_reg A p0 MISSING; read A p0; uffd_copy A p0',
    kernel: 'repaired +mutant.fill_forgets_wake',
    where: { page: 0, detail: 1 },
  },
  {
    slug: 'wp-lost',
    program: 'mmap A p0; uffd_reg A p0 BOTH; uffd_copy A p0 WP',
    kernel: 'repaired +mutant.fill_forgets_wp',
    where: { op: 2, detail: 0 },
  },
  {
    slug: 'data-lost',
    program: 'mmap A p0; write A p0; uffd_reg A p0 MISSING; uffd_copy A p0',
    kernel: 'repaired +mutant.fill_overwrites',
    where: { expected: 2, got: 4, detail: 1 },
  },
  // I17: what is dropped has changed; I12: protection where nobody asked for it; I8: a scan that does not flush
  {
    slug: 'tracking-gap',
    program:
      'mmap A thp; write A p1; uffd_reg A p0..p3 WP_ASYNC; pagemap_scan A p0..p3 WP; dontneed A p0..p3; pagemap_scan A p0..p3',
    kernel: 'v6.18',
    where: { page: 1, op: 5 },
  },
  {
    slug: 'tracking-gap',
    program:
      'mmap A p0..p3; write A p1; uffd_reg A p0..p3 WP_ASYNC; pagemap_scan A p0..p3 WP; dontneed A p1; pagemap_scan A p1 FULL',
    kernel: 'v6.18',
    where: { page: 1, op: 5 },
  },
  {
    slug: 'wp-stray',
    program: 'mmap A p0; write A p0; pagemap_scan A p0 WP',
    kernel: 'repaired -scan.require_async_vma',
    where: { op: 2, detail: 0 },
  },
  {
    slug: 'tlb-stale',
    program: 'mmap A p0; write A p0; uffd_reg A p0 WP_ASYNC; pagemap_scan A p0 WP',
    kernel: 'repaired +mutant.scan_forgets_flush',
    where: { op: 3 },
  },
  // Modes: what a registration for another mode leaves behind
  {
    slug: 'wp-stray',
    program: `${PROTECTED}; uffd_reg A p0 MISSING`,
    kernel: 'v7.2',
    where: { detail: 0 },
  },
  // Protection without events: it goes with the store, or stands beside the write bit (and I2 is broken too, see below)
  {
    slug: 'wp-writable',
    program: ASYNC,
    kernel: 'repaired +mutant.async_keeps_wp',
    where: { op: 4 },
  },
];

describe('the judges of filling, modes and asynchronous protection', () => {
  tryAll(TRIALS);

  it('miss a store that should have taken the protection away', () => {
    const violations = judged(ASYNC, 'repaired +mutant.async_keeps_wp');
    const silent = violations.find(({ invariant }) => slugOf.get(invariant) === 'wp-silent-write');
    assert.deepEqual({ ...silent, op: 4, detail: 2 }, silent);
  });
});
