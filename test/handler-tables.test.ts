// The constructor table and the VMA-transition table: each cell, flipped by its knob, does what it says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { a0, type Cell, MOVES, TRANSITIONS } from './moving-cells.js';
import { engine, type Row, rows } from './rows.js';
import { FRESH, MARKER, OUT, SHARED_WPED, THP, THP_WPED, WPED, WPED_OUT } from './states.js';

const HELD_OUT = `${FRESH}; h=gup A p0 R GET; pageout A p0`;
const PINNED_WPED = `${FRESH}; h=gup A p0 W PIN; uffd_reg A p0 EVENT_FORK; wp A p0`;
/** Two pages of equal contents that KSM may merge: the second becomes the KSM page. */
const EQUAL = 'mmap A p0..p3; write A p0 same; write A p1 same; mergeable A p0..p3';
const UNSHARE = { given: SHARED_WPED, when: 'fault A UNSHARE' };

const CONSTRUCTORS: readonly Cell[] = [
  {
    cell: 'swapin.keeps_uffd_wp',
    on: ['v5.7', 'v6.7'],
    given: WPED_OUT,
    when: 'fault A READ',
    kept: a0('P A U SD'),
    lost: a0('P A SD'),
  },
  {
    cell: 'swapin.keeps_soft_dirty',
    on: ['v5.7', 'v6.7'],
    given: OUT,
    when: 'fault A READ',
    kept: a0('P A SD'),
    lost: a0('P A'),
  },
  {
    cell: 'swapin.keeps_exclusive',
    on: ['v5.19', 'v6.7', 'repaired'],
    given: HELD_OUT,
    when: 'write A p0',
    kept: { page: { A0: 'same excl' } },
    lost: { page: { A0: 'copied excl' } },
  },
  {
    cell: 'unuse.keeps_uffd_wp',
    on: ['v5.19', 'repaired'],
    given: WPED_OUT,
    when: 'swapoff',
    kept: a0('P U SD'),
    lost: a0('P SD'),
  },
  {
    cell: 'migrate_end.keeps_uffd_wp',
    on: ['v6.1', 'repaired'],
    given: WPED,
    when: 'migrate A p0',
    kept: a0('P D A U SD'),
    lost: a0('P D A SD'),
  },
  {
    cell: 'migrate_end.keeps_soft_dirty',
    on: ['v5.7', 'v5.19'],
    given: FRESH,
    when: 'migrate A p0',
    kept: a0('P W SD'),
    lost: a0('P W'),
  },
  {
    cell: 'migrate_end.keeps_exclusive',
    on: ['v5.19', 'repaired'],
    given: FRESH,
    when: 'migrate A p0',
    kept: { page: { A0: 'copied excl' } },
    lost: { page: { A0: 'copied shared' } },
  },
  {
    cell: 'ksm.keeps_uffd_wp',
    on: ['repaired'],
    given: `${EQUAL}; uffd_reg A p0; wp A p0`,
    when: 'ksm_merge',
    kept: a0('P A U SD'),
    lost: a0('P A SD'),
  },
  {
    cell: 'ksm.keeps_uffd_wp',
    on: ['v5.7', 'v6.18'],
    given: `${EQUAL}; uffd_reg A p0; wp A p0`,
    when: 'ksm_merge',
    kept: a0('P A U'),
    lost: a0('P A'),
  },
  {
    cell: 'ksm.keeps_soft_dirty',
    on: ['v5.7', 'v6.18', 'repaired'],
    given: EQUAL,
    when: 'ksm_merge',
    kept: a0('P A SD'),
    lost: a0('P A'),
  },
  { cell: 'unuse.keeps_uffd_wp', on: ['v5.7'], given: WPED_OUT, when: 'swapoff', kept: a0('P U'), lost: a0('P') },
  {
    cell: 'unuse.keeps_soft_dirty',
    on: ['v5.7', 'v5.19', 'repaired'],
    given: OUT,
    when: 'swapoff',
    kept: a0('P SD'),
    lost: a0('P'),
  },
  {
    cell: 'unuse.keeps_exclusive',
    on: ['v5.19', 'repaired'],
    given: OUT,
    when: 'swapoff',
    kept: { page: { A0: 'excl refs:1' } },
    lost: { page: { A0: 'shared refs:1' } },
  },
  {
    cell: 'copy.keeps_uffd_wp',
    on: ['seed', 'break-cow-v2', 'pin-bc'],
    given: UNSHARE.given,
    when: 'fault A BREAK_COW',
    kept: { leaf: { A0: 'P D A U SD' }, page: { A0: 'copied' } },
    lost: { leaf: { A0: 'P W D A SD' }, page: { A0: 'copied' } },
  },
  {
    cell: 'unshare_copy.keeps_uffd_wp',
    on: ['v5.19', 'repaired'],
    ...UNSHARE,
    kept: a0('P A U SD'),
    lost: a0('P A SD'),
  },
  {
    cell: 'unshare_copy.keeps_soft_dirty',
    on: ['v5.19', 'repaired'],
    ...UNSHARE,
    kept: a0('P A U SD'),
    lost: a0('P A U'),
  },
  {
    cell: 'early_copy.keeps_uffd_wp',
    on: ['v5.9', 'v5.14', 'repaired'],
    given: PINNED_WPED,
    when: 'fork A->B',
    kept: { leaf: { B0: 'P D A U SD' } },
    lost: { leaf: { B0: 'P W D A SD' } },
  },
  {
    cell: 'split.keeps_uffd_wp',
    on: ['v5.7', 'v5.19', 'v6.1'],
    given: THP_WPED,
    when: 'thp_split A p0..p3',
    kept: a0('P A U SD'),
    lost: a0('P A SD'),
  },
  {
    cell: 'split.keeps_uffd_wp',
    on: ['repaired'],
    given: THP_WPED,
    when: 'thp_split A p0..p3',
    kept: a0('P D A U SD'),
    lost: a0('P D A SD'),
  },
  {
    cell: 'split.keeps_soft_dirty',
    on: ['v5.7', 'repaired'],
    given: THP_WPED,
    strip: 'A0 D',
    when: 'thp_split A p0..p3',
    kept: a0('P A U SD'),
    lost: a0('P A U'),
  },
  {
    cell: 'split.keeps_exclusive',
    on: ['v5.19', 'repaired'],
    given: THP,
    when: 'thp_split A p0..p3',
    kept: { page: { A0: 'excl', A3: 'excl' } },
    lost: { page: { A0: 'shared', A3: 'shared' } },
  },
  {
    cell: 'split_zero.keeps_uffd_wp',
    on: ['v5.7', 'v6.1', 'repaired'],
    given: 'mmap A thp; read A p0; uffd_reg A p0..p3; wp A p0..p3',
    when: 'thp_split A p0..p3',
    kept: { leaf: { A0: 'P A U Z', A3: 'P A U Z' } },
    lost: { leaf: { A0: 'P A Z', A3: 'P A Z' } },
  },
  {
    cell: 'swapout.keeps_uffd_wp',
    on: ['v5.7', 'v5.18'],
    given: WPED,
    when: 'pageout A p0',
    kept: a0('swap U SD'),
    lost: a0('swap SD'),
  },
  {
    cell: 'swapout.keeps_uffd_wp',
    on: ['v5.19', 'repaired'],
    given: WPED,
    when: 'pageout A p0',
    kept: a0('swap U SD E'),
    lost: a0('swap SD E'),
  },
  {
    cell: 'swapout.keeps_soft_dirty',
    on: ['v5.7', 'v5.18'],
    given: FRESH,
    when: 'pageout A p0',
    kept: a0('swap SD'),
    lost: a0('swap'),
  },
  {
    cell: 'swapout.keeps_soft_dirty',
    on: ['v5.19', 'repaired'],
    given: FRESH,
    when: 'pageout A p0',
    kept: a0('swap SD E'),
    lost: a0('swap E'),
  },
  {
    cell: 'swapout.keeps_exclusive',
    on: ['v5.19', 'repaired'],
    given: FRESH,
    when: 'pageout A p0',
    kept: a0('swap SD E'),
    lost: a0('swap SD'),
  },
  {
    cell: 'anon_marker.keeps_uffd_wp',
    on: ['v6.7', 'repaired'],
    given: MARKER,
    when: 'read A p0',
    kept: a0('P A U Z'),
    lost: a0('P A Z'),
  },
  {
    cell: 'anon_marker.keeps_uffd_wp',
    on: ['v6.7', 'repaired'],
    given: MARKER,
    when: 'write A p0',
    kept: { ...a0('P D A U SD'), result: 'sleeps' },
    lost: { ...a0('P W D A SD'), result: 'ok' },
  },
];

function flipped({ cell, on, kept, lost, ...question }: Cell): Row[] {
  const change = (sign: string) => on.map((kernel) => `${kernel} ${sign}${cell}`);
  const what = `${cell}: ${question.given}; ${question.when}`;
  return [
    { ...question, row: `with ${what}`, on: change('+'), ...kept },
    { ...question, row: `without ${what}`, on: change('-'), ...lost },
  ];
}
rows('the constructor table', CONSTRUCTORS.flatMap(flipped));
rows('uffd transitions x residency', TRANSITIONS.flatMap(flipped));
rows('what moves', MOVES.flatMap(flipped));

describe('the tables', () => {
  it('have a row here for every cell', () => {
    const cells = engine.catalogue.knobs.filter(({ id }) => id >= 128 && id < 192).map(({ name }) => name);
    const tested = new Set([...CONSTRUCTORS, ...TRANSITIONS, ...MOVES].map(({ cell }) => cell));
    assert.ok(cells.length > 15);
    assert.deepEqual(
      cells.filter((name) => !tested.has(name)),
      [],
    );
    assert.deepEqual(
      [...tested].filter((name) => !cells.includes(name)),
      [],
    );
  });
});
