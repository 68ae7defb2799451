// Flaws of what moves pages: mremap and UFFDIO_MOVE.
import { type CorpusEntry, kernel, turnOn } from './entry.js';

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
];
