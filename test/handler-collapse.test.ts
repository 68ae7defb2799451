// MADV_COLLAPSE: what keeps small pages from becoming a huge one, and what the huge one is like.
import { releases, rows } from './rows.js';
import { before, THP } from './states.js';

const COLLAPSES = releases('v6.1');
/** Four pages of A, each written. */
const FOUR = 'mmap A p0..p3; write A p0; write A p1; write A p2; write A p3';
const PTE_MAPPED = `${THP}; thp_split A p0..p3`;
const HUGE = { A0: 'PMD P W D A SD' };
const when = 'collapse A p0..p3';

rows('MADV_COLLAPSE', [
  { row: 'is refused before v6.1', on: before('v6.1'), given: FOUR, when, result: 'refused' },
  {
    row: 'copies four pages into a huge one',
    on: COLLAPSES,
    given: FOUR,
    when,
    leaf: HUGE,
    page: { A0: 'copied excl v:2', A3: 'v:5' },
  },
  {
    row: '.. also those of a huge page',
    on: COLLAPSES,
    given: PTE_MAPPED,
    when,
    leaf: HUGE,
    page: { A0: 'copied refs:1 v:2' },
  },
  { row: 'has nothing to do where one is mapped', on: COLLAPSES, given: THP, when, page: { A0: 'same' } },
  {
    row: 'fills holes with zeroes',
    on: COLLAPSES,
    given: 'mmap A p0..p3; write A p0; read A p1',
    when,
    leaf: HUGE,
    page: { A1: 'v:0' },
  },
  {
    row: '.. but not in a registered range',
    on: COLLAPSES,
    given: 'mmap A p0..p3; write A p0; uffd_reg A p0..p3 WP',
    when,
    result: 'refused',
  },
  { row: 'swaps in first', on: COLLAPSES, given: `${FOUR}; pageout A p2`, when, leaf: HUGE, page: { A2: 'v:4' } },
  {
    row: 'leaves uffd-wp alone, also in swap',
    on: COLLAPSES,
    given: `${FOUR}; uffd_reg A p0..p3 WP; wp A p3; pageout A p3`,
    when,
    result: 'refused',
    page: { A0: 'same' },
  },
  {
    row: 'leaves held pages alone',
    on: COLLAPSES,
    given: `${FOUR}; h=gup A p1 R GET`,
    when,
    result: 'refused',
    page: { A1: 'same' },
  },
  { row: 'leaves guards alone', on: releases('v6.18'), given: `${FOUR}; guard_install A p1`, when, result: 'refused' },
  {
    row: 'takes shared pages, copied, if one is writable',
    on: COLLAPSES,
    given: `${FOUR}; fork A->B; write A p0`,
    when,
    leaf: HUGE,
    page: { A1: 'copied not:B1' },
  },
  {
    row: 'takes none if none is writable, until v6.17',
    on: releases('v6.1', 'v6.12'),
    given: `${FOUR}; fork A->B`,
    when,
    result: 'refused',
  },
  {
    row: '.. takes them since',
    on: releases('v6.18'),
    given: `${FOUR}; fork A->B`,
    when,
    leaf: HUGE,
    page: { A1: 'copied not:B1' },
  },
  {
    row: 'maps it as the VMA allows',
    on: releases('v6.18'),
    given: `${FOUR}; mprotect A p0..p3 R`,
    when,
    leaf: { A0: 'PMD P D A SD' },
  },
  {
    row: 'wants a VMA that holds the whole range',
    on: COLLAPSES,
    given: `${FOUR}; mprotect A p3 R`,
    when,
    result: 'refused',
  },
  { row: 'wants memory that was written', on: COLLAPSES, given: 'mmap A p0..p3; read A p0', when, result: 'refused' },
]);
