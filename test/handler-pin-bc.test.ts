// Who breaks COW: everybody but who opts out (10 Aug 2020), or only pins (15 Sep 2020; eras 2.4).
import { rows } from './rows.js';
import { PINNED, SHARED, SHARED_OUT, SHARED_WPED, THP_SHARED, THP_WPED, WPED } from './states.js';

const PIN_BC = ['pin-bc'];
const GET = 'h=gup A p0 R GET';

rows('the opt-out', [
  { row: 'default: broken', on: ['dont-cow'], given: SHARED, when: GET, handle: 'is:A0 not:B0' },
  { row: 'PIN: broken', on: ['dont-cow'], given: SHARED, when: 'h=gup A p0 R PIN', handle: 'is:A0 not:B0' },
  {
    row: 'DONT_COW: the shared page is taken',
    on: ['dont-cow'],
    given: SHARED,
    when: `${GET} DONT_COW`,
    leaf: { A0: 'P D A SD' },
    handle: 'is:B0',
    counts: { faults: 0 },
  },
  {
    row: 'DONT_COW does not stop a write',
    on: ['dont-cow'],
    given: SHARED,
    when: 'h=gup A p0 W GET DONT_COW',
    handle: 'is:A0 not:B0',
  },
  {
    row: 'no other kernel knows the flag',
    on: ['break-cow-v3-followup', 'v5.8'],
    given: SHARED,
    when: `${GET} DONT_COW`,
    handle: 'not:B0',
  },
]);

rows('break-COW for pins', [
  {
    row: 'GET: the shared page is taken',
    on: PIN_BC,
    given: SHARED,
    when: GET,
    handle: 'is:B0',
    counts: { faults: 0 },
  },
  {
    row: 'PIN: copy, W and D',
    on: PIN_BC,
    given: SHARED,
    when: 'h=gup A p0 R PIN',
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 not:B0 pins:1',
    passes: ['faultin_page: FOLL_BREAK_COW'],
  },
  {
    row: 'PIN in a read-only VMA: COW flag and D, FORCE not needed',
    on: PIN_BC,
    given: `${SHARED}; mprotect A p0 R`,
    when: 'h=gup A p0 R PIN',
    leaf: { A0: 'P D A SD' },
    handle: 'is:A0 not:B0',
  },
  {
    row: 'PIN, PMD: split and copy',
    on: PIN_BC,
    given: THP_SHARED,
    when: 'h=gup A p0 R PIN',
    leaf: { A0: 'P W D A SD' },
    handle: 'not:B0',
  },
  {
    row: 'PIN of a swap entry, shared: swapped in, copied, W',
    on: PIN_BC,
    given: SHARED_OUT,
    when: 'h=gup A p0 R PIN',
    leaf: { A0: 'P W D A SD', B0: 'swap SD' },
    handle: 'is:A0 refs:2 v:2',
  },
  {
    row: 'GUP-fast: PIN wants W',
    on: PIN_BC,
    given: SHARED,
    when: 'h=gup A p0 R PIN fast',
    handle: 'not:B0',
    passes: ['gup_fast: entry unfit'],
  },
  {
    row: 'GUP-fast: GET takes a read-only leaf',
    on: PIN_BC,
    given: SHARED,
    when: `${GET} fast`,
    handle: 'is:B0',
    passes: ['gup_fast: take'],
  },
  {
    row: 'copy: U kept, W cleared, no event',
    on: PIN_BC,
    given: SHARED_WPED,
    when: 'fault A BREAK_COW',
    leaf: { A0: 'P D A U SD' },
    page: { A0: 'copied' },
    counts: { events: 0 },
  },
  {
    row: 'PMD reuse: U kept, W cleared',
    on: PIN_BC,
    given: THP_WPED,
    when: 'fault A BREAK_COW',
    leaf: { A0: 'PMD P D A U SD' },
    counts: { events: 0 },
  },
  {
    row: 'PTE reuse: as v5.9, W beside U',
    on: PIN_BC,
    given: WPED,
    when: 'fault A BREAK_COW',
    leaf: { A0: 'P W D A U SD' },
    page: { A0: 'same' },
  },
  {
    row: 'PTE reuse by page_count: another reference, so a copy',
    on: PIN_BC,
    given: `${SHARED}; h=gup A p0 R GET; exit B`,
    when: 'fault A BREAK_COW',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied' },
  },
  {
    row: 'no early copy at fork yet',
    on: PIN_BC,
    given: PINNED,
    when: 'fork A->B',
    leaf: { A0: 'P D A SD', B0: 'P D SD' },
    counts: { copies: 0 },
  },
  {
    row: 'a store to a protected page sleeps',
    on: PIN_BC,
    given: WPED,
    when: 'write A p0',
    result: 'sleeps',
    counts: { events: 1 },
  },
]);
