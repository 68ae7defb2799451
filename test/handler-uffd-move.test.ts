// UFFDIO_MOVE: what it takes, what stands at the new address, and what it refuses.
import { releases, rows } from './rows.js';
import { before } from './states.js';

const MOVES = releases('v6.12');
const CLEAN = releases('v6.18');

/** Two pages of one mapping, the second registered. */
const BOTH = 'mmap A p0..p3; write A p0; uffd_reg A p2 WP';
const THP = 'mmap A p0..p7 thp; write A p0; uffd_reg A p0..p7 WP';

rows('UFFDIO_MOVE', [
  { row: 'is there since v6.8', on: before('v6.12'), given: BOTH, when: 'uffd_move A p0->p2', result: 'refused' },
  {
    row: 'a page of this process alone, writable where it comes to; where it was is nothing',
    on: MOVES,
    given: BOTH,
    when: 'uffd_move A p0->p2',
    leaf: { A0: 'none', A2: 'P W D A SD' },
    page: { A2: 'map:1 refs:1 excl v:2' },
    passes: ['move_present_pte'],
  },
  {
    row: 'uffd-wp of a present page does not go along',
    on: MOVES,
    given: 'mmap A p0..p3; write A p0; uffd_reg A p0..p3 WP; wp A p0',
    when: 'uffd_move A p0->p2',
    leaf: { A2: 'P W D A SD' },
  },
  {
    row: '.. that of a swapped one does',
    on: MOVES.filter((kernel) => kernel !== 'repaired'),
    given: 'mmap A p0..p3; write A p0; uffd_reg A p0..p3 WP; wp A p0; pageout A p0',
    when: 'uffd_move A p0->p2',
    leaf: { A0: 'none', A2: 'swap U SD E' },
  },
  {
    row: '.. though it ought not to',
    on: ['repaired'],
    given: 'mmap A p0..p3; write A p0; uffd_reg A p0..p3 WP; wp A p0; pageout A p0',
    when: 'uffd_move A p0->p2',
    leaf: { A2: 'swap SD E' },
  },
  {
    row: 'a swap entry becomes soft-dirty since v6.15',
    on: CLEAN,
    given: `${BOTH}; clear_refs A; pageout A p0`,
    when: 'uffd_move A p0->p2',
    leaf: { A2: 'swap SD E' },
  },
  {
    row: '.. a clean page does, but stays clean',
    on: CLEAN,
    given: `${BOTH}; pageout A p0; clear_refs A; read A p0`,
    when: 'uffd_move A p0->p2',
    leaf: { A2: 'P W A SD' },
  },
  {
    row: 'the zero page',
    on: MOVES,
    given: 'mmap A p0..p3; read A p0; uffd_reg A p2 WP',
    when: 'uffd_move A p0->p2',
    leaf: { A0: 'none', A2: 'P A Z' },
  },
  {
    row: 'a huge page as a whole, where both sides are aligned and nothing is there',
    on: MOVES,
    given: THP,
    when: 'uffd_move A p0..p3->p4..p7',
    leaf: { A0: 'none', A4: 'PMD P W D A SD' },
    passes: ['move_pages_huge_pmd'],
  },
  {
    row: 'else the huge page is split',
    on: MOVES,
    given: THP,
    when: 'uffd_move A p0->p4',
    leaf: { A0: 'none', A4: 'P W D A SD' },
    passes: ['split_huge_page: the folio'],
  },
  {
    row: 'what somebody holds by GET goes along',
    on: MOVES,
    given: `${BOTH}; h=gup A p0 R GET`,
    when: 'uffd_move A p0->p2',
    handle: 'is:A2',
  },
  {
    row: 'a pinned page stays',
    on: MOVES,
    given: `${BOTH}; h=gup A p0 W PIN`,
    when: 'uffd_move A p0->p2',
    result: 'refused',
  },
  { row: 'a shared page stays', on: MOVES, given: `${BOTH}; fork A->B`, when: 'uffd_move A p0->p2', result: 'refused' },
  {
    row: 'a shared page in swap stays',
    on: MOVES,
    given: `${BOTH}; fork A->B; pageout A p0`,
    when: 'uffd_move A p0->p2',
    result: 'refused',
  },
  {
    row: 'a huge page that somebody holds is not split: it stays, mapped by PTEs',
    on: MOVES,
    given: `${THP}; h=gup A p1 R GET`,
    when: 'uffd_move A p0->p4',
    result: 'refused',
    leaf: { A0: 'P W D A SD' },
  },
  {
    row: 'something is there already',
    on: MOVES,
    given: `${BOTH}; write A p2`,
    when: 'uffd_move A p0->p2',
    result: 'refused',
  },
  { row: 'nothing is there to move', on: MOVES, given: BOTH, when: 'uffd_move A p1->p2', result: 'refused' },
  { row: 'the target is not registered', on: MOVES, given: BOTH, when: 'uffd_move A p0->p1', result: 'refused' },
  {
    row: 'read-only mappings take and give nothing',
    on: MOVES,
    given: `${BOTH}; mprotect A p0 R`,
    when: 'uffd_move A p0->p2',
    result: 'refused',
  },
  {
    row: 'it stops at the first page that cannot go: what came before is there',
    on: MOVES,
    given: 'mmap A p0..p7; write A p0; uffd_reg A p4..p7 WP; write A p5',
    when: 'uffd_move A p0..p3->p4..p7',
    result: 'refused',
    leaf: { A0: 'none', A4: 'P W D A SD' },
  },
  {
    row: 'it wakes who waits for the page, and that store goes ahead',
    on: MOVES,
    given: 'mmap A p0..p3; uffd_reg A p2 MISSING; write A p0; write A p2',
    when: 'uffd_move A p0->p2',
    page: { A2: 'v:4' },
    passes: ['wake_userfault'],
  },
]);
