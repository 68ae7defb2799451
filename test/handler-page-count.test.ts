// v5.9 to v5.18 (eras 2.5, 2.6): reuse by page_count, its PMD and swap twins that followed later, and what protects pins.
import { releases, rows } from './rows.js';
import { FRESH, PINNED, SHARED, SHARED_WPED, THP_SHARED } from './states.js';

const COUNT = ['pin-bc', ...releases('v5.9', 'v5.14')];
const V518 = ['v5.18'];
const SINCE_518 = releases('v5.18');
const HELD_SWAPPED = `${FRESH}; h=gup A p0 R GET; pageout A p0`;

rows('v5.9: do_wp_page', [
  {
    row: 'one reference: reuse',
    on: [...COUNT, ...V518],
    given: `${SHARED}; exit B`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'same refs:1' },
    passes: ['wp_page_reuse'],
  },
  {
    row: 'a GUP reference counts: copy, the handle keeps the old page',
    on: [...COUNT, ...V518],
    given: `${SHARED}; h=gup A p0 R GET; exit B`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied refs:1' },
    handle: 'not:A0 refs:1 map:0',
  },
  {
    row: "the swap cache's reference counts too: copy",
    on: COUNT,
    given: `${FRESH}; pageout A p0; read A p0`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied refs:1 uncached' },
  },
  {
    row: 'a second mapping: copy',
    on: [...COUNT, ...V518],
    given: SHARED,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD', B0: 'P D SD' },
    page: { A0: 'copied', B0: 'same refs:1 map:1' },
  },
  {
    row: 'a PTE-mapped THP has the references of all its pages: copy',
    on: [...COUNT, ...V518],
    given: `${THP_SHARED}; exit B; thp_split A p0..p3`,
    when: 'write A p0',
    page: { A0: 'copied', A1: 'same' },
  },
  {
    row: '(1) registered and U: an event on any write, before all else',
    on: [...COUNT, ...V518],
    given: SHARED_WPED,
    when: 'write A p0',
    result: 'sleeps',
    leaf: { A0: 'P D A U SD' },
    counts: { events: 1, copies: 0 },
  },
  {
    row: 'COW flag and D need FORCE again; GUP reads take what they find',
    on: releases('v5.9', 'v5.18'),
    given: `${SHARED}; mprotect A p0 R`,
    when: 'h=gup A p0 R PIN',
    leaf: { A0: 'P D A SD' },
    handle: 'is:B0',
    counts: { faults: 0 },
  },
  {
    row: 'GUP-fast takes read-only leaves for reads again',
    on: releases('v5.9', 'v5.18'),
    given: SHARED,
    when: 'h=gup A p0 R PIN fast',
    handle: 'is:B0',
    passes: ['gup_fast: take'],
  },
]);

rows('v5.9: the twins still ask mapcount + swapcount', [
  {
    row: 'do_huge_pmd_wp_page: reuse although GUP holds a reference',
    on: COUNT,
    given: `${THP_SHARED}; h=gup A p0 R GET; exit B`,
    when: 'write A p0',
    leaf: { A0: 'PMD P W D A SD' },
    page: { A0: 'same refs:2' },
  },
  {
    row: 'do_swap_page: reuse although GUP holds a reference',
    on: COUNT,
    given: HELD_SWAPPED,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'same refs:2 uncached' },
    handle: 'is:A0',
    passes: ['do_swap_page: only user by mapcount'],
  },
]);

rows('v5.18: the bridge', [
  {
    row: 'do_wp_page: the swap cache is discounted and dropped, reuse',
    on: V518,
    given: `${FRESH}; pageout A p0; read A p0`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'same refs:1 uncached' },
  },
  {
    row: 'do_wp_page: swap cache and a GUP reference: copy',
    on: V518,
    given: `${FRESH}; pageout A p0; read A p0; h=gup A p0 R GET`,
    when: 'write A p0',
    page: { A0: 'copied refs:1' },
    handle: 'not:A0 refs:2 cached',
  },
  {
    row: 'do_wp_page: the swap cache serves another entry: copy',
    on: V518,
    given: `${SHARED}; pageout A p0; read A p0`,
    when: 'write A p0',
    leaf: { B0: 'swap SD' },
    page: { A0: 'copied refs:1' },
  },
  {
    row: 'do_huge_pmd_wp_page: one reference, reuse',
    on: V518,
    given: `${THP_SHARED}; exit B`,
    when: 'write A p0',
    leaf: { A0: 'PMD P W D A SD' },
    page: { A0: 'same refs:1' },
  },
  {
    row: 'do_huge_pmd_wp_page: a GUP reference, so split and copy',
    on: V518,
    given: `${THP_SHARED}; h=gup A p0 R GET; exit B`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied refs:1', A1: 'same' },
    handle: 'not:A0',
  },
  {
    row: 'do_swap_page: one reference after the swap cache is dropped, reuse',
    on: SINCE_518,
    given: `${FRESH}; pageout A p0`,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'refs:1 uncached' },
    counts: { copies: 0 },
  },
  {
    row: 'do_swap_page: a GUP reference, so copy',
    on: V518,
    given: HELD_SWAPPED,
    when: 'write A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied refs:1' },
    handle: 'not:A0 cached',
    passes: ['do_swap_page: goes on'],
  },
]);

rows('reclaim, clear_refs and NUMA hints meet pins', [
  {
    row: 'reclaim takes a pinned page',
    on: releases('v5.9', 'v5.9'),
    given: PINNED,
    when: 'pageout A p0',
    leaf: { A0: 'swap SD' },
  },
  {
    row: 'reclaim leaves a pinned page alone',
    on: releases('v5.12'),
    given: PINNED,
    when: 'pageout A p0',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'same refs:2 uncached' },
  },
  {
    row: 'clear_refs write-protects a pinned page',
    on: releases('v5.9', 'v5.9'),
    given: PINNED,
    when: 'clear_refs A',
    leaf: { A0: 'P D A' },
  },
  {
    row: 'clear_refs leaves a pinned page alone',
    on: releases('v5.12'),
    given: PINNED,
    when: 'clear_refs A',
    leaf: { A0: 'P W D A SD' },
  },
  {
    row: 'clear_refs write-protects others',
    on: releases('v5.7'),
    given: FRESH,
    when: 'clear_refs A',
    leaf: { A0: 'P D A' },
  },
  {
    row: 'a NUMA hint skips what two processes map',
    on: releases('v5.7'),
    given: SHARED,
    when: 'numa_hint A p0',
    leaf: { A0: 'P D A SD' },
  },
  {
    row: 'a NUMA hint asks mapcount: a GUP reference does not matter',
    on: releases('v5.7', 'v5.14'),
    given: `${FRESH}; h=gup A p0 R GET`,
    when: 'numa_hint A p0',
    leaf: { A0: 'N W D A SD' },
  },
  {
    row: 'a NUMA hint asks page_count: a GUP reference spares the page',
    on: SINCE_518,
    given: `${FRESH}; h=gup A p0 R GET`,
    when: 'numa_hint A p0',
    leaf: { A0: 'P W D A SD' },
  },
]);
