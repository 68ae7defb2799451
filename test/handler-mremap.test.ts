// mremap: what moves, what the new address loses, and how VMAs split and merge on the way.
import { releases, rows } from './rows.js';
import { ALL, before, FRESH, MARKER, OUT, PINNED, READ_ONLY, SHARED, THP, WPED, WPED_OUT, ZERO } from './states.js';

const CLEARS = releases('v6.12');
const KEEPS = before('v6.12');
/** A THP of A, mapped by PTEs. */
const LARGE = `${THP}; thp_split A p0..p3`;
const SEVERAL = releases('v6.18');
const ONE_ONLY = before('v6.18');

rows('mremap moves entries', [
  {
    row: 'a page goes with its bits, and becomes soft-dirty',
    on: ALL,
    given: `${FRESH}; clear_refs A; read A p0`,
    when: 'mremap A p0->p1',
    leaf: { A0: 'none', A1: 'P D A SD' },
    page: { A1: 'map:1 refs:1' },
    passes: ['move_ptes: an entry'],
  },
  { row: 'the zero page', on: ALL, given: ZERO, when: 'mremap A p0->p5', leaf: { A0: 'none', A5: 'P A SD Z' } },
  {
    row: 'a swap entry is as exclusive as it was, and soft-dirty',
    on: releases('v5.19'),
    given: `${FRESH}; clear_refs A; pageout A p0`,
    when: 'mremap A p0->p5',
    leaf: { A5: 'swap SD E' },
  },
  {
    row: 'what is mapped at the target goes first',
    on: ALL,
    given: `${FRESH}; mmap A p1; write A p1`,
    when: 'mremap A p0->p1',
    leaf: { A0: 'none', A1: 'P W D A SD' },
    page: { A1: 'v:2' },
  },
  {
    row: 'a pin keeps its page',
    on: ALL,
    given: PINNED,
    when: 'mremap A p0->p3',
    page: { A3: 'pins:1 refs:2' },
    handle: 'is:A3',
  },
  {
    row: 'a child keeps what its parent moves',
    on: ALL,
    given: SHARED,
    when: 'mremap A p0->p7',
    leaf: { B0: 'P D SD' },
    page: { A7: 'is:B0 map:2' },
  },
  {
    row: 'a huge page moves whole where both sides are aligned',
    on: ALL,
    given: `${THP}; clear_refs A`,
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A0: 'none', A4: 'PMD P D A SD' },
    passes: ['move_huge_pmd'],
  },
  {
    row: 'else it is split',
    on: ALL,
    given: THP,
    when: 'mremap A p1->p5',
    page: { A5: 'map:1', A0: 'map:1' },
    passes: ['__split_huge_pmd_locked', 'move_ptes: an entry'],
  },
  {
    row: 'a whole page table moves as it is: nothing becomes soft-dirty',
    on: before('repaired'),
    given: 'mmap A p0..p3; write A p0; clear_refs A',
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A0: 'none', A4: 'P D A' },
    passes: ['move_normal_pmd'],
  },
  {
    row: '.. entry by entry it does',
    on: ['repaired', ...ALL.map((kernel) => `${kernel} -mremap.moves_tables`)],
    given: 'mmap A p0..p3; write A p0; clear_refs A',
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A0: 'none', A4: 'P D A SD' },
  },
  { row: 'nothing is mapped: nothing to do', on: ALL, given: FRESH, when: 'mremap A p1->p2', result: 'not applicable' },
]);

rows('mremap and uffd-wp', [
  {
    row: 'present, without EVENT_REMAP: kept until v6.12 (fixed in its stable releases)',
    on: KEEPS,
    given: WPED,
    when: 'mremap A p0->p1',
    leaf: { A1: 'P D A U SD' },
  },
  {
    row: '.. and then lost where the page is writable and its folio is split',
    on: ['v6.1'],
    given: `${THP}; uffd_reg A p0..p3; wp A p3; mremap A p0..p3->p4..p7; write A p7`,
    when: 'madv_cold A p4',
    leaf: { A7: 'P W D A SD' },
  },
  { row: '.. cleared since', on: CLEARS, given: WPED, when: 'mremap A p0->p1', leaf: { A1: 'P D A SD' } },
  {
    row: 'swapped: cleared since',
    on: CLEARS,
    given: WPED_OUT,
    when: 'mremap A p0->p1',
    leaf: { A1: 'swap SD E' },
  },
  { row: 'a marker: gone since', on: CLEARS, given: MARKER, when: 'mremap A p0->p1', leaf: { A1: 'none' } },
  {
    row: '.. kept until then',
    on: ['v6.7'],
    given: MARKER,
    when: 'mremap A p0->p1',
    leaf: { A1: 'marker UFFD_WP' },
  },
  {
    row: 'a page table does not move whole where entries have to be cleared',
    on: CLEARS,
    given: 'mmap A p0..p3; write A p2; uffd_reg A p0..p3; wp A p0..p3',
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A6: 'P D A SD' },
    avoids: ['move_normal_pmd'],
  },
  {
    row: 'with EVENT_REMAP the protection and the registration go along',
    on: ALL,
    given: `${FRESH}; uffd_reg A p0 EVENT_REMAP; wp A p0; mremap A p0->p1`,
    when: 'write A p1',
    result: 'sleeps',
    leaf: { A1: 'P D A U SD' },
  },
  {
    row: 'without it the new address is not registered',
    on: ALL,
    given: `${FRESH}; uffd_reg A p0; mremap A p0->p1`,
    when: 'wp A p1',
    result: 'refused',
  },
  {
    row: '.. nor is the neighbour that the moved VMA merges with',
    on: before('repaired'),
    given: 'mmap A p4; write A p4; uffd_reg A p4; mmap A p0; uffd_reg A p0; mremap A p0->p3',
    when: 'wp A p4',
    result: 'refused',
  },
  {
    row: '.. which it ought to be',
    on: ['repaired'],
    given: 'mmap A p4; write A p4; uffd_reg A p4; mmap A p0; uffd_reg A p0; mremap A p0->p3',
    when: 'wp A p4',
    leaf: { A4: 'P D A U SD' },
  },
]);

rows('mremap and VMAs', [
  {
    row: 'several VMAs: refused, with the target unmapped, until v6.16',
    on: ONE_ONLY,
    given: 'mmap A p0..p3; write A p0; mprotect A p0 R; mmap A p4; write A p4',
    when: 'mremap A p0..p3->p4..p7',
    result: 'fault',
    leaf: { A0: 'P D A SD', A4: 'none' },
  },
  {
    row: '.. moved one by one since',
    on: SEVERAL,
    given: 'mmap A p0..p3; write A p0; mprotect A p0 R; mmap A p4; write A p4',
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A0: 'none', A4: 'P D A SD' },
  },
  {
    row: '.. until one is registered: what came before has moved',
    on: SEVERAL,
    given: 'mmap A p0..p3; write A p0; write A p1; uffd_reg A p1; mmap A p4..p7; write A p5',
    when: 'mremap A p0..p3->p4..p7',
    result: 'fault',
    leaf: { A0: 'none', A1: 'P W D A SD', A4: 'P W D A SD', A5: 'P W D A SD' },
    page: { A4: 'v:2', A5: 'v:6' },
  },
  {
    row: 'moved there and back, a page is of one VMA with its old neighbours again',
    on: ALL,
    given: 'mmap A p0..p3; write A p0; write A p1; mremap A p1->p5; mremap A p5->p1',
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A1: 'none', A5: 'P W D A SD' },
  },
  {
    row: 'moved next to a like page that is not its own neighbour, it is not',
    on: ONE_ONLY,
    given: 'mmap A p4; write A p4; mmap A p0; write A p0; mremap A p0->p5; mmap A p6; mmap A p7',
    when: 'mremap A p4..p7->p0..p3',
    result: 'fault',
  },
  {
    row: 'read-only goes along',
    on: ALL,
    given: `${READ_ONLY}; mremap A p0->p4`,
    when: 'write A p4',
    result: 'fault',
  },
]);

rows('mremap in batches', [
  {
    row: 'the PTEs of a large folio go together, dirty as any of them is',
    on: SEVERAL,
    given: `${LARGE}; mprotect A p3 R; mprotect A p3 RW; clear_refs A; write A p2; uffd_reg A p0..p3`,
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A4: 'P D A SD', A6: 'P W D A SD', A7: 'P D A SD' },
    passes: ['move_ptes: entries of a large folio'],
  },
  {
    row: '.. and writable as the first, before the fix',
    on: SEVERAL.map((kernel) => `${kernel} -mremap.batch_respects_write`),
    given: `${LARGE}; fork A->B; exit B; write A p0; uffd_reg A p0..p3`,
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A4: 'P W D A SD', A5: 'P W D A SD' },
    page: { A5: 'shared' },
  },
  {
    row: '.. not since',
    on: SEVERAL,
    given: `${LARGE}; fork A->B; exit B; write A p0; uffd_reg A p0..p3`,
    when: 'mremap A p0..p3->p4..p7',
    leaf: { A4: 'P W D A SD', A5: 'P D A SD' },
  },
]);

rows('after mremap', [
  {
    row: 'reclaim finds the page of a fork at both addresses',
    on: ALL,
    given: `${SHARED}; mremap B p0->p6`,
    when: 'pageout A p0',
    leaf: { A0: 'swap SD', B6: 'swap SD' },
  },
  {
    row: '.. and it comes back where it is asked for',
    on: ALL,
    given: `${SHARED}; mremap B p0->p6; pageout A p0`,
    when: 'read B p6',
    page: { B6: 'v:2' },
  },
  {
    row: 'swapped out and moved, it comes back',
    on: ALL,
    given: `${OUT}; mremap A p0->p2`,
    when: 'read A p2',
    page: { A2: 'v:2' },
  },
]);
