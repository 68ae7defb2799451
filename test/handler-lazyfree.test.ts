// MADV_FREE and the reclaim of what it left, in every era: until reclaim comes, the data are there; a store keeps them.
import { releases, rows } from './rows.js';
import { ALL, before, FRESH, SHARED, THP, THP_SHARED, ZERO } from './states.js';

const FREED = `${FRESH}; madv_free A p0`;
const FREED_THP = `${THP}; madv_free A p0..p3`;
/** Clean, and mapped by A and B: A's own copy after B left, made by a read pin. */
const CLEAN_SHARED = `${SHARED}; h=gup A p0 R PIN; put h; exit B; fork A->B`;
const HELD = ['v5.10', ...releases('v5.18')];

rows('MADV_FREE', [
  {
    row: 'the entry becomes clean and old, soft-dirty and write stay; the page is left to reclaim',
    on: ALL,
    given: FRESH,
    when: 'madv_free A p0',
    leaf: { A0: 'P W SD' },
    page: { A0: 'same lazyfree v:2' },
  },
  { row: 'the zero page stays', on: ALL, given: ZERO, when: 'madv_free A p0', page: { A0: 'zero' } },
  {
    row: 'a swap entry goes, its slot too',
    on: ALL,
    given: `${FRESH}; pageout A p0`,
    when: 'madv_free A p0',
    leaf: { A0: 'none' },
  },
  {
    row: 'a page in the swap cache leaves it',
    on: releases('v5.9', 'v5.18'),
    given: `${FRESH}; pageout A p0; read A p0`,
    when: 'madv_free A p0',
    page: { A0: 'same uncached lazyfree' },
  },
  {
    row: 'a page in the swap cache that another entry needs stays',
    on: releases('v5.9', 'v7.2'),
    given: `${SHARED}; pageout A p0; read A p0`,
    when: 'madv_free A p0',
    page: { A0: 'same cached swapbacked' },
    passes: ['madvise_free_pte_range: mapped elsewhere'],
  },
  {
    row: 'a shared page is left to reclaim, but for the others it is dirty',
    on: releases('v5.7', 'v7.2'),
    given: SHARED,
    when: 'madv_free A p0',
    leaf: { A0: 'P SD', B0: 'P D SD' },
    page: { A0: 'same lazyfree map:2' },
  },
  {
    row: 'no page that others map is, once that is cured',
    on: ['repaired'],
    given: SHARED,
    when: 'madv_free A p0',
    page: { A0: 'same swapbacked map:2' },
  },
  {
    row: 'a huge page as a whole',
    on: ALL,
    given: THP,
    when: 'madv_free A p0..p3',
    leaf: { A0: 'PMD P W SD' },
    page: { A0: 'same lazyfree', A3: 'same lazyfree' },
    counts: { splits: 0 },
  },
  {
    row: 'a part of a huge page: the folio is split',
    on: ALL,
    given: `${THP}; write A p1`,
    when: 'madv_free A p0',
    page: { A0: 'same lazyfree map:1', A1: 'same swapbacked' },
    counts: { splits: 1 },
  },
  {
    row: 'a huge page that others map stays',
    on: ALL,
    given: THP_SHARED,
    when: 'madv_free A p0..p3',
    page: { A0: 'same swapbacked map:2' },
  },
  {
    row: 'mapped by PTEs, all of it in the range: split first',
    on: before('v6.12'),
    given: `${THP}; thp_split A p0..p3`,
    when: 'madv_free A p0..p3',
    page: { A0: 'same lazyfree refs:1' },
  },
  {
    row: '.. as a whole since v6.10',
    on: releases('v6.12'),
    given: `${THP}; thp_split A p0..p3`,
    when: 'madv_free A p0..p3',
    page: { A0: 'same lazyfree refs:4' },
  },
]);

rows('reclaim of what MADV_FREE left', [
  {
    row: 'the page goes for good',
    on: ALL,
    given: FREED,
    when: 'pageout A p0',
    leaf: { A0: 'none' },
    passes: ['try_to_unmap_one: nobody wrote'],
  },
  {
    row: '.. also by MADV_PAGEOUT',
    on: ALL,
    given: FREED,
    when: 'pageout A p0 madv',
    leaf: { A0: 'none' },
  },
  {
    row: 'a store makes it an ordinary page again',
    on: ALL,
    given: `${FREED}; write A p0`,
    when: 'pageout A p0',
    page: { A0: 'same swapbacked v:4' },
    passes: ['try_to_unmap_one: written'],
  },
  {
    row: 'a write through GUP, too, at once where it goes the slow way',
    on: ALL,
    given: `${FREED}; h=gup A p0 W GET`,
    when: 'pageout A p0',
    page: { A0: 'same swapbacked' },
  },
  {
    row: 'a page that GUP-fast holds is dropped from under it until v5.17',
    on: releases('v5.7', 'v5.14').filter((name) => name !== 'v5.10'),
    given: `${FREED}; h=gup A p0 W GET fast`,
    when: 'pageout A p0',
    leaf: { A0: 'none' },
  },
  {
    row: '.. and stays since 6c8e2a256915: to be swapped from then on',
    on: HELD.filter((name) => !['v6.18', 'v7.2', 'repaired'].includes(name)),
    given: `${FREED}; h=gup A p0 W GET fast`,
    when: 'pageout A p0',
    page: { A0: 'same swapbacked' },
    passes: ['try_to_unmap_one: left by MADV_FREE, but held'],
  },
  {
    row: '.. or left to reclaim, since v6.15',
    on: releases('v6.18'),
    given: `${FREED}; h=gup A p0 W GET fast`,
    when: 'pageout A p0',
    page: { A0: 'same lazyfree' },
  },
  {
    row: 'who shares it with a dirty entry keeps it, who gave it up does not',
    on: releases('v5.7', 'v7.2'),
    given: `${SHARED}; madv_free A p0`,
    when: 'pageout A p0',
    leaf: { A0: 'none', B0: 'P D SD' },
    page: { B0: 'same swapbacked map:1' },
  },
  {
    row: 'who shares it with a clean entry loses it',
    on: releases('v5.19', 'v7.2'),
    given: `${CLEAN_SHARED}; madv_free A p0`,
    when: 'pageout A p0',
    leaf: { A0: 'none', B0: 'none' },
  },
  {
    row: 'a huge page goes as one',
    on: releases('v6.12'),
    given: FREED_THP,
    when: 'pageout A p0..p3 madv',
    counts: { splits: 0 },
    page: { A0: 'none', A3: 'none' },
  },
  {
    row: '.. as four, until v6.10',
    on: before('v6.12'),
    given: FREED_THP,
    when: 'pageout A p0..p3 madv',
    counts: { splits: 1 },
    page: { A0: 'none', A3: 'none' },
  },
  {
    row: 'a huge page that was written stays whole, and its PMD since v6.15',
    on: releases('v6.18'),
    given: `${FREED_THP}; write A p2`,
    when: 'pageout A p0..p3 madv',
    counts: { splits: 0 },
    page: { A0: 'same swapbacked' },
  },
  {
    row: '.. its PMD was split before',
    on: before('v6.18'),
    given: `${FREED_THP}; write A p2`,
    when: 'pageout A p0..p3 madv',
    counts: { splits: 1 },
    page: { A0: 'same swapbacked', A2: 'same v:4' },
  },
]);
