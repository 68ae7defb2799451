// The full table of the seed (v2 with the squashed diff): state of the leaf x read GUP with GET. Beside it the same table
// once the lookup honours FOLL_BREAK_COW (v3 follow-up).
import { type Row, rows } from './rows.js';
import { FRESH, SHARED, SHARED_WPED, THP_SHARED, THP_WPED, WPED, ZERO } from './states.js';

const SEED = ['seed', 'break-cow-v3'];
const V3F = ['break-cow-v3-followup', 'dont-cow'];
const GET = 'h=gup A p0 R GET';
/** What the read GUP of the seed meets, and what it does. */
const SEED_TABLE: readonly Omit<Row, 'on' | 'when'>[] = [
  {
    row: 'none: the zero page',
    given: 'mmap A p0',
    leaf: { A0: 'P A Z' },
    handle: 'zero',
    counts: { faults: 1, events: 0 },
  },
  {
    row: 'zero page: taken',
    given: ZERO,
    leaf: { A0: 'P A Z' },
    handle: 'zero',
    counts: { faults: 0 },
  },
  { row: 'read-only, shared: taken', given: SHARED, leaf: { A0: 'P D A SD' }, handle: 'is:B0', counts: { faults: 0 } },
  {
    row: 'read-only, U, shared: taken, no event',
    given: SHARED_WPED,
    leaf: { A0: 'P D A U SD' },
    handle: 'is:B0',
    counts: { faults: 0, events: 0 },
  },
  {
    row: 'read-only, U, exclusive: taken',
    given: WPED,
    leaf: { A0: 'P D A U SD' },
    handle: 'is:A0',
    counts: { faults: 0, events: 0 },
  },
  { row: 'writable: taken', given: FRESH, leaf: { A0: 'P W D A SD' }, handle: 'is:A0', counts: { faults: 0 } },
  {
    row: 'swap entry: swap-in, then reuse',
    given: `${FRESH}; pageout A p0`,
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 refs:2 v:2',
    counts: { swapins: 1, reuses: 1, copies: 0 },
  },
  {
    row: 'swap entry, shared: swap-in, then copy',
    given: `${SHARED}; pageout A p0`,
    leaf: { A0: 'P W D A SD', B0: 'swap SD' },
    handle: 'is:A0 refs:2 v:2',
    counts: { swapins: 1, copies: 1 },
  },
  {
    row: 'swap entry, U, exclusive: the reuse sets W beside U',
    given: `${WPED}; pageout A p0`,
    leaf: { A0: 'P W D A U SD' },
    handle: 'is:A0',
    counts: { events: 0, reuses: 1 },
  },
  {
    row: 'swap entry, U, shared: the copy keeps U, no W, D',
    given: `${SHARED_WPED}; pageout A p0`,
    leaf: { A0: 'P D A U SD', B0: 'swap SD' },
    handle: 'is:A0',
    counts: { events: 0, copies: 1 },
    passes: ['wp_page_copy: the copy keeps uffd-wp'],
  },
  {
    row: 'PMD read-only, shared: taken',
    given: THP_SHARED,
    leaf: { A0: 'PMD P D A SD' },
    handle: 'is:B0',
    counts: { faults: 0 },
  },
  {
    row: 'PMD read-only, U: taken, no event',
    given: THP_WPED,
    leaf: { A0: 'PMD P D A U SD' },
    handle: 'is:A0',
    counts: { events: 0 },
  },
  {
    row: 'PMD none: the huge zero page',
    given: 'mmap A thp',
    leaf: { A0: 'PMD P A' },
    handle: 'hugezero',
    counts: { faults: 1 },
  },
];
/** Read-only leaves go through the handler and are looked at again. */
const FOLLOWUP_TABLE: readonly Omit<Row, 'on' | 'when'>[] = [
  {
    row: 'none: zero page, then copy',
    given: 'mmap A p0',
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 v:0',
    counts: { faults: 2 },
  },
  {
    row: 'zero page: copy',
    given: ZERO,
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 v:0',
    counts: { faults: 1 },
  },
  {
    row: 'read-only, shared: copy, W and D',
    given: SHARED,
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 not:B0',
    counts: { faults: 1 },
  },
  {
    row: 'read-only, shared, read-only VMA: copy, COW flag and D accepted',
    given: `${SHARED}; mprotect A p0 R`,
    leaf: { A0: 'P D A SD' },
    handle: 'is:A0 not:B0',
    counts: { faults: 1 },
  },
  {
    row: 'read-only, U, shared: the copy without W is rejected, the reuse that follows sets W beside U',
    given: SHARED_WPED,
    leaf: { A0: 'P W D A U SD' },
    handle: 'is:A0 not:B0',
    counts: { faults: 2, events: 0, copies: 1, reuses: 1 },
  },
  {
    row: 'read-only, U, exclusive: the reuse sets W beside U',
    given: WPED,
    leaf: { A0: 'P W D A U SD' },
    handle: 'is:A0',
    counts: { faults: 1, events: 0 },
  },
  { row: 'writable: taken', given: FRESH, leaf: { A0: 'P W D A SD' }, handle: 'is:A0', counts: { faults: 0 } },
  { row: 'PMD read-only, shared: split, copy', given: THP_SHARED, leaf: { A0: 'P W D A SD' }, handle: 'is:A0 not:B0' },
  {
    row: 'PMD read-only, U: reuse keeps W clear, so the lookup never accepts it',
    given: THP_WPED,
    result: 'livelock',
    leaf: { A0: 'PMD P D A U SD' },
    handle: 'none',
    counts: { events: 0 },
  },
  {
    row: 'PMD none: huge zero page, split, copy',
    given: 'mmap A thp',
    leaf: { A0: 'P W D A SD', A1: 'P A Z' },
    handle: 'is:A0 v:0',
    counts: { faults: 2, splits: 1 },
  },
];

rows('the seed: read GUP with GET', [
  ...SEED_TABLE.map((row) => ({ ...row, on: SEED, when: GET })),
  {
    row: 'writable: GUP-fast takes it',
    on: SEED,
    given: FRESH,
    when: `${GET} fast`,
    handle: 'is:A0',
    passes: ['gup_fast: take'],
  },
  {
    row: 'a store to any of them while U: event and sleep',
    on: SEED,
    given: `${SHARED_WPED}; pageout A p0; ${GET}`,
    when: 'write A p0',
    result: 'sleeps',
    counts: { events: 1 },
  },
  {
    row: 'PMD, U, a store: event and sleep',
    on: SEED,
    given: THP_WPED,
    when: 'write A p0',
    result: 'sleeps',
    leaf: { A0: 'PMD P D A U SD' },
    counts: { events: 1 },
  },
]);

rows(
  'v3 with the lookup fixed: read GUP with GET',
  FOLLOWUP_TABLE.map((row) => ({ ...row, on: V3F, when: GET })),
);
