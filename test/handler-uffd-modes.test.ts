// userfaultfd modes: what a registration becomes by another one, and write-protection without events.
import { releases, rows } from './rows.js';
import { ALL, before, FRESH, keepsDirty, THP, WPED } from './states.js';

const EMPTY = 'mmap A p0..p3; uffd_reg A p0..p3 MISSING';
const BOTH = 'mmap A p0..p3; uffd_reg A p0..p3 BOTH';

rows('registered again', [
  {
    row: 'WP as MISSING: U stays behind',
    on: before('repaired'),
    given: WPED,
    when: 'uffd_reg A p0 MISSING',
    leaf: { A0: 'P D A U SD' },
  },
  {
    row: 'WP as MISSING, repaired: U goes',
    on: ['repaired'],
    given: `${WPED}; uffd_reg A p0 MISSING`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    counts: { events: 0 },
  },
  { row: 'WP as BOTH keeps it', on: ALL, given: WPED, when: 'uffd_reg A p0 BOTH', leaf: { A0: 'P D A U SD' } },
  {
    row: 'BOTH as WP: stays BOTH',
    on: ALL,
    given: `${BOTH}; uffd_reg A p0..p3 WP`,
    when: 'read A p0',
    result: 'sleeps',
  },
  {
    row: 'BOTH as MISSING: stays BOTH',
    on: ALL,
    given: 'mmap A p0; write A p0; uffd_reg A p0 BOTH; wp A p0; uffd_reg A p0 MISSING',
    when: 'write A p0',
    result: 'sleeps',
    leaf: { A0: 'P D A U SD' },
  },
  {
    row: 'MISSING as WP: no longer MISSING',
    on: ALL,
    given: `${EMPTY}; uffd_reg A p0..p3 WP`,
    when: 'read A p0',
    page: { A0: 'zero' },
  },
]);

const ASYNC = `${FRESH}; uffd_reg A p0 WP_ASYNC; wp A p0`;
rows('asynchronous write-protection', [
  {
    row: 'no such feature before v6.7',
    on: before('v6.7'),
    given: FRESH,
    when: 'uffd_reg A p0 WP_ASYNC',
    result: 'refused',
  },
  {
    row: 'a store takes the protection away',
    on: releases('v6.7'),
    given: ASYNC,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'same' },
    counts: { events: 0 },
  },
  {
    row: 'a load does not',
    on: releases('v6.7'),
    given: ASYNC,
    when: 'read A p0',
    leaf: { A0: 'P D A U SD' },
    counts: { events: 0 },
  },
  {
    row: 'GUP for writing does',
    on: releases('v6.7'),
    given: ASYNC,
    when: 'h=gup A p0 W PIN',
    leaf: { A0: 'P W D A SD' },
    counts: { events: 0 },
  },
  {
    row: 'unsharing does not',
    on: releases('v6.7'),
    given: `${FRESH}; fork A->B; uffd_reg A p0 WP_ASYNC; wp A p0`,
    when: 'h=gup A p0 R PIN',
    leaf: { A0: 'P A U SD' },
  },
  {
    row: 'a shared page is copied',
    on: releases('v6.7'),
    given: `${FRESH}; fork A->B; uffd_reg A p0 WP_ASYNC; wp A p0`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied' },
    counts: { events: 0 },
  },
  {
    row: 'nothing: a marker, as with WP_UNPOPULATED',
    on: releases('v6.7'),
    given: 'mmap A p0; uffd_reg A p0 WP_ASYNC',
    when: 'wp A p0',
    leaf: { A0: 'marker UFFD_WP' },
  },
  {
    row: 'a store to a marker',
    on: releases('v6.7'),
    given: 'mmap A p0; uffd_reg A p0 WP_ASYNC; wp A p0',
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
  },
  {
    row: 'a store to a swapped page',
    on: releases('v6.7'),
    given: `${ASYNC}; pageout A p0`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    counts: { events: 0 },
  },
  {
    row: 'a huge page is split, one page un-protected',
    on: keepsDirty(releases('v6.7')),
    given: `${THP}; uffd_reg A p0..p3 WP_ASYNC; wp A p0..p3`,
    when: 'write A p1',
    leaf: { A0: 'P D A U SD', A1: 'P W D A SD' },
    counts: { events: 0 },
  },
]);
