// Flaws of what moves pages: mremap and UFFDIO_MOVE.
import { type CorpusEntry, kernel, turnOff, turnOn } from './entry.js';

export const MOVES: readonly CorpusEntry[] = [
  {
    id: 'T2-14',
    name: 'mremap-keeps-wp',
    spec: kernel('v6.7'),
    slugs: ['wp-stray', 'wp-writable'],
    trigger: 'mmap A p0; uffd_reg A p0 WP; write A p0; wp A p0; mremap A p0->p4; mprotect A p4 R; mprotect A p4 RW',
    triggerLength: 7,
    fix: turnOn('mremap.clears_present', 'mremap.clears_swap', 'mremap.clears_marker'),
    note: '0cef0bb836e3 (v6.13), CVE-2025-21696.',
  },
  {
    id: 'T2-15',
    name: 'uffdio-move-wp-policy',
    spec: kernel('v6.18'),
    slugs: ['wp-stray', 'wp-writable'],
    trigger:
      'mmap A p0; mmap A p4; uffd_reg A p0 WP; uffd_reg A p4 MISSING; write A p0; wp A p0; pageout A p0; ' +
      'uffd_move A p0->p4; write A p4',
    triggerLength: 9,
    fix: turnOff('move_swap.keeps_uffd_wp'),
    note: 'Of a swapped page the entry goes as it is, registered or not; of a present one uffd-wp goes away.',
  },
  {
    id: 'T2-16',
    name: 'uffdio-move-loses-dirty',
    spec: kernel('v6.12'),
    slugs: ['softdirty-lost'],
    trigger: 'mmap A p0; mmap A p4; uffd_reg A p4 WP; write A p0; clear_refs A; pageout A p0; uffd_move A p0->p4',
    triggerLength: 7,
    fix: turnOn('move_swap.sets_soft_dirty'),
    note: '75cb1cca2c88 (v6.15): the swap twin; a present page was dirty, and so soft-dirty, whatever it was.',
  },
  {
    id: 'T3-01',
    name: 'thp-mapcount-summed',
    spec: kernel('v5.7', ['reuse.uses_total_mapcount']),
    slugs: ['pin-detached'],
    trigger:
      'mmap A thp; write A p1; h=gup A p1 W GET; thp_split A p0..p3; mprotect A p1 R; mprotect A p1 RW; write A p1; ' +
      'hwrite h; read A p1',
    triggerLength: 9,
    fix: turnOff('reuse.uses_total_mapcount'),
    note: 'Until v4.5; 6d0a07edd17c (v4.6): too much COW is a correctness bug.',
  },
  {
    id: 'T3-09',
    name: 'mremap-batch-copies-write',
    spec: kernel('v6.18', [], ['mremap.batch_respects_write']),
    slugs: ['not-exclusive', 'cow-leak', 'pin-detached'],
    trigger:
      'mmap A thp; write A p0; thp_split A p0..p3; uffd_reg A p0..p3; fork A->B; exit B; write A p0; ' +
      'mremap A p0..p3->p4..p7; h=gup A p5 W PIN LONGTERM; fork A->B; write A p5; hread h',
    triggerLength: 6,
    addedOps: 6,
    fix: turnOn('mremap.batch_respects_write'),
    note:
      'f822a9a81a31 (v6.17), fixed in v6.18. A PMD has 4 pages here: registered, they do not move as one table. ' +
      'What comes after the move shows it to user space: a pin of a page that fork takes for shared.',
  },
  {
    id: 'T3-14',
    name: 'large-folio-reuse-accounting',
    spec: kernel('v6.18', ['mutant.large_reuse_any_mm']),
    slugs: ['not-exclusive', 'cow-leak'],
    trigger:
      'mmap A thp; write A p0; thp_split A p0..p3; fork A->B; munmap B p1; munmap B p2; munmap B p3; write A p0; ' +
      'read B p0',
    triggerLength: 7,
    addedOps: 2,
    fix: turnOff('mutant.large_reuse_any_mm'),
    note: 'The rule of 1da190f4d0a6 (v6.15) without its test for a single process.',
  },
];
