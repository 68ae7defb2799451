// VMAs: which neighbours merge, seen in what fork copies, where huge pages fit and how far UFFDIO_WRITEPROTECT goes.
import { releases, rows } from './rows.js';
import { ALL, before } from './states.js';

const ONE_VMA = before('v6.7');
const PER_VMA = releases('v6.7');

rows('VMAs merge', [
  {
    row: 'a new VMA grows the one before it, which has anonymous pages',
    on: ALL,
    given: 'mmap A p0; write A p0; mmap A p1; read A p1',
    when: 'fork A->B',
    leaf: { B1: 'P Z' },
  },
  {
    row: 'other protection, no merge: what has no anonymous pages is not copied',
    on: ALL,
    given: 'mmap A p0; write A p0; mprotect A p0 R; mmap A p1; read A p1',
    when: 'fork A->B',
    leaf: { B1: 'none' },
  },
  {
    row: 'equal again, the written one asks: no merge into one never written, until v6.15',
    on: before('v6.18'),
    given: 'mmap A p0; write A p0; mprotect A p0 R; mmap A p1; read A p1; mprotect A p0 RW',
    when: 'fork A->B',
    leaf: { B1: 'none' },
  },
  {
    row: '.. they merge since',
    on: releases('v6.18'),
    given: 'mmap A p0; write A p0; mprotect A p0 R; mmap A p1; read A p1; mprotect A p0 RW',
    when: 'fork A->B',
    leaf: { B1: 'P Z' },
  },
  {
    row: 'made read-only before it was ever written, it is not charged: no merge since v6.6',
    on: PER_VMA,
    given: 'mmap A p1; write A p1; mprotect A p1 R; mmap A p0; read A p0; mprotect A p0 R',
    when: 'fork A->B',
    leaf: { B0: 'none' },
  },
  {
    row: '.. until then it merges',
    on: ONE_VMA,
    given: 'mmap A p1; write A p1; mprotect A p1 R; mmap A p0; read A p0; mprotect A p0 R',
    when: 'fork A->B',
    leaf: { B0: 'P Z' },
  },
  {
    row: 'what came by fork takes nobody in',
    on: ALL,
    given: 'mmap A p0; write A p0; fork A->B; mmap B p1; read B p1',
    when: 'fork B->C',
    leaf: { C1: 'none' },
  },
  {
    row: 'a huge page does not fit across two VMAs',
    on: ALL,
    given: 'mmap A p0..p3 thp; mprotect A p3 R',
    when: 'write A p0',
    leaf: { A0: 'P W D A SD', A1: 'none' },
  },
]);

rows('stores through stale read-only translations', [
  {
    row: 'a reuse by GUP flushes nothing: the next store faults once more',
    on: ALL.map((kernel) => `${kernel} +tlb.readonly_faults`),
    given: 'mmap A p0; write A p0; fork A->B; munmap B p0; read A p0; h=gup A p0 W PIN LONGTERM',
    when: 'write A p0',
    page: { A0: 'same' },
    counts: { faults: 1 },
  },
  {
    row: '.. not if the CPU looks at the entry again',
    on: ALL,
    given: 'mmap A p0; write A p0; fork A->B; munmap B p0; read A p0; h=gup A p0 W PIN LONGTERM',
    when: 'write A p0',
    counts: { faults: 0 },
  },
]);

rows('UFFDIO_WRITEPROTECT over several VMAs', [
  {
    row: 'a hole in the range: nothing, until v6.2',
    on: ONE_VMA,
    given: 'mmap A p0; write A p0; uffd_reg A p0',
    when: 'wp A p0..p3',
    result: 'refused',
    leaf: { A0: 'P W D A SD' },
  },
  {
    row: 'a hole is passed over since v6.3',
    on: PER_VMA,
    given: 'mmap A p0; write A p0; uffd_reg A p0',
    when: 'wp A p0..p3',
    leaf: { A0: 'P D A U SD' },
  },
  {
    row: 'two registered VMAs: nothing, until v6.2',
    on: ONE_VMA,
    given: 'mmap A p0..p3; write A p0; mprotect A p1 R; uffd_reg A p0..p3',
    when: 'wp A p0..p3',
    result: 'refused',
    leaf: { A0: 'P W D A SD' },
  },
  {
    row: 'two registered VMAs since v6.3',
    on: PER_VMA,
    given: 'mmap A p0..p3; write A p0; write A p1; mprotect A p1 R; uffd_reg A p0..p3',
    when: 'wp A p0..p3',
    leaf: { A0: 'P D A U SD', A1: 'P D A U SD' },
  },
  {
    row: 'it stops at the first VMA that is not registered, with what it did',
    on: PER_VMA,
    given: 'mmap A p0..p3; write A p0; write A p2; uffd_reg A p0; uffd_reg A p2',
    when: 'wp A p0..p3',
    result: 'refused',
    leaf: { A0: 'P D A U SD', A2: 'P W D A SD' },
  },
]);
