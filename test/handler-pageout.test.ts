// MADV_PAGEOUT in every era: only what this process alone maps, huge pages whole or in pieces.
import { releases, rows } from './rows.js';
import { ALL, before, FRESH, SHARED, THP, THP_SHARED, ZERO } from './states.js';

/** The walk stops at a huge page that others map too, until v6.9; from v6.10 on it goes round it. */
const STOPS = before('v6.12');
const BATCHES = releases('v6.12');
const PTE_MAPPED = `${THP}; thp_split A p0..p3`;
/** p0 is a copy of A's own, p1 to p3 are still B's too. */
const PARTLY_OWN = `${THP_SHARED}; write A p0`;

rows('MADV_PAGEOUT', [
  {
    row: 'a page of its own goes',
    on: before('v5.19'),
    given: FRESH,
    when: 'pageout A p0 madv',
    leaf: { A0: 'swap SD' },
  },
  {
    row: 'a page mapped twice stays',
    on: ALL,
    given: SHARED,
    when: 'pageout A p0 madv',
    page: { A0: 'same map:2', B0: 'is:A0 uncached' },
    passes: ['madvise_pageout: mapped elsewhere'],
  },
  {
    row: 'a page that was shared goes once the other is gone',
    on: before('v5.19'),
    given: `${SHARED}; exit B`,
    when: 'pageout A p0 madv',
    leaf: { A0: 'swap SD' },
  },
  { row: 'the zero page stays', on: ALL, given: ZERO, when: 'pageout A p0 madv', page: { A0: 'zero' } },
  {
    row: 'a pinned page stays since v5.11',
    on: releases('v5.12'),
    given: `${FRESH}; h=gup A p0 W PIN`,
    when: 'pageout A p0 madv',
    page: { A0: 'same uncached' },
    passes: ['shrink_page_list: may be pinned'],
  },
  {
    row: 'a page held by GET goes, and stays in the swap cache',
    on: ALL,
    given: `${FRESH}; h=gup A p0 R GET`,
    when: 'pageout A p0 madv',
    page: { A0: 'same cached map:0' },
  },
  {
    row: 'a whole huge page: four swap entries',
    on: before('v5.19'),
    given: THP,
    when: 'pageout A p0..p3 madv',
    leaf: { A0: 'swap SD', A3: 'swap SD' },
    passes: ['shrink_page_list: a huge page goes as a whole'],
  },
  {
    row: 'a whole huge page that is held stays huge',
    on: ALL,
    given: `${THP}; h=gup A p1 R GET`,
    when: 'pageout A p0..p3 madv',
    page: { A0: 'same', A3: 'map:1' },
    counts: { splits: 0 },
  },
  {
    row: 'a part of a huge page: the folio is split, the part goes',
    on: releases('v5.9', 'v5.18'),
    given: `${THP}; write A p1`,
    when: 'pageout A p0 madv',
    leaf: { A0: 'swap SD', A1: 'P W SD' },
    page: { A1: 'same refs:1 map:1 v:3' },
  },
  {
    row: 'a part of a huge page that is held: nothing',
    on: ALL,
    given: `${THP}; h=gup A p3 R GET`,
    when: 'pageout A p0 madv',
    counts: { splits: 0 },
    page: { A0: 'same' },
  },
  {
    row: 'a huge page mapped twice stays whole',
    on: ALL,
    given: THP_SHARED,
    when: 'pageout A p0..p3 madv',
    counts: { splits: 0 },
    page: { A0: 'same map:2' },
  },
  {
    row: 'mapped by PTEs, all of it in the range: split first',
    on: STOPS,
    given: PTE_MAPPED,
    when: 'pageout A p0..p3 madv',
    avoids: ['shrink_page_list: a huge page goes as a whole'],
    page: { A0: 'none', A1: 'none', A2: 'none', A3: 'none' },
  },
  {
    row: '.. goes as a whole since v6.10',
    on: BATCHES,
    given: PTE_MAPPED,
    when: 'pageout A p0..p3 madv',
    passes: ['shrink_page_list: a huge page goes as a whole'],
    page: { A0: 'none', A1: 'none', A2: 'none', A3: 'none' },
  },
  {
    row: 'own pages before a shared part of a huge page go',
    on: ALL,
    given: PARTLY_OWN,
    when: 'pageout A p0..p3 madv',
    page: { A0: 'none', A1: 'same map:2' },
  },
  {
    row: 'own pages behind a shared part of a huge page stay',
    on: STOPS,
    given: `${THP_SHARED}; write A p3`,
    when: 'pageout A p0..p3 madv',
    page: { A0: 'same map:2', A3: 'same map:1' },
  },
  {
    row: '.. go since v6.10',
    on: BATCHES,
    given: `${THP_SHARED}; write A p3`,
    when: 'pageout A p0..p3 madv',
    page: { A0: 'same map:2', A3: 'none' },
  },
  {
    row: 'a VMA boundary parts the walk: what lies behind it goes',
    on: STOPS,
    given: `${THP_SHARED}; write A p3; mprotect A p3 R`,
    when: 'pageout A p0..p3 madv',
    page: { A0: 'same map:2', A3: 'none' },
  },
  {
    row: 'what a split finds to be zeroes becomes the zero page since v6.12',
    on: BATCHES,
    given: `${THP}; write A p1`,
    when: 'pageout A p0 madv',
    leaf: { A1: 'P W D A SD', A2: 'P A SD Z' },
    page: { A0: 'none', A1: 'same refs:1', A2: 'zero', A3: 'zero' },
    passes: ['remap_page: nothing but zeroes'],
  },
  {
    row: '.. with its uffd-wp',
    on: BATCHES,
    given: `${THP}; uffd_reg A p0..p3; wp A p0..p3`,
    when: 'pageout A p0 madv',
    leaf: { A2: 'P A U SD Z' },
  },
  {
    row: '.. but not where it goes as a whole',
    on: BATCHES,
    given: `${THP}; write A p1`,
    when: 'pageout A p0..p3 madv',
    page: { A0: 'none', A1: 'none', A2: 'none', A3: 'none' },
  },
]);

rows('page tables that nothing is in', [
  {
    row: 'DONTNEED of all of a table leaves it, until v6.13: no huge page fits',
    on: before('v6.18'),
    given: `${PTE_MAPPED}; dontneed A p0..p3`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD', A1: 'none' },
  },
  {
    row: '.. frees it since',
    on: releases('v6.18'),
    given: `${PTE_MAPPED}; dontneed A p0..p3`,
    when: 'write A p0',
    leaf: { A0: 'PMD P W D A SD' },
  },
  {
    row: 'the last munmap frees it',
    on: ALL,
    given: 'mmap A p1; write A p1; munmap A p1; mmap A p0..p3 thp',
    when: 'write A p0',
    leaf: { A0: 'PMD P W D A SD' },
  },
]);

/** A, B and C map the THP; A and B are the two that it knows. Then only C is left. */
const THIRD_LEFT = `${THP_SHARED}; fork A->C; exit B; dontneed A p0..p3; thp_split C p0..p3`;

rows('who maps a THP', [
  {
    row: 'the third process is not known: no reuse, though nobody else is left',
    on: releases('v6.18'),
    given: THIRD_LEFT,
    when: 'write C p0',
    page: { C0: 'copied' },
  },
  {
    row: '.. nor MADV_PAGEOUT of a part',
    on: releases('v6.18'),
    given: THIRD_LEFT,
    when: 'pageout C p0 madv',
    page: { C0: 'same' },
    passes: ['madvise_pageout: mapped elsewhere'],
  },
  {
    row: '.. which v6.12 does',
    on: ['v6.12'],
    given: THIRD_LEFT,
    when: 'pageout C p0 madv',
    page: { C0: 'none' },
  },
  {
    row: 'the second is known: reuse once the first is gone',
    on: releases('v6.18'),
    given: `${THP_SHARED}; dontneed A p0..p3; thp_split B p0..p3`,
    when: 'write B p0',
    page: { B0: 'same' },
  },
]);

rows('soft-dirty on the way out', [
  {
    row: 'a huge page split for a part, v6.1: its dirty bit makes the rest soft-dirty',
    on: ['v6.1'],
    given: `${THP}; clear_refs A`,
    when: 'pageout A p0 madv',
    leaf: { A1: 'P D A SD' },
  },
  {
    row: '.. not any more in v6.12',
    on: releases('v6.12').map((kernel) => `${kernel} -split_page.maps_zero_page`),
    given: `${THP}; clear_refs A`,
    when: 'pageout A p0 madv',
    leaf: { A1: 'P D A' },
  },
  {
    row: 'a huge page reclaimed as a whole: soft-dirty since its PMD passes on the dirty bit',
    on: releases('v6.12', 'v7.2'),
    given: `${THP}; clear_refs A`,
    when: 'pageout A p0..p3 madv',
    leaf: { A1: 'swap SD E' },
  },
  {
    row: '.. not before',
    on: ['v5.19', 'v6.1'],
    given: `${THP}; clear_refs A`,
    when: 'pageout A p0..p3 madv',
    leaf: { A1: 'swap E' },
  },
  {
    row: 'a huge page that its other process has used stays, once, until v6.9',
    on: before('v6.12'),
    given: `${THP_SHARED}; write A p0`,
    when: 'pageout B p0..p3 madv',
    page: { B0: 'same' },
  },
  {
    row: '.. the next time it goes',
    on: before('v6.12'),
    given: `${THP_SHARED}; write A p0; pageout B p0..p3 madv`,
    when: 'pageout B p0..p3 madv',
    page: { B0: 'none', A1: 'none' },
  },
]);
