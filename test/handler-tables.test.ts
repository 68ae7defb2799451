// The constructor table and the VMA-transition table: each cell, flipped by its knob, does what it says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { engine, type Row, rows } from './rows.js';
import { FRESH, keepsDirty, MARKER, OUT, SHARED_WPED, THP, THP_WPED, WPED, WPED_OUT } from './states.js';

const HELD_OUT = `${FRESH}; h=gup A p0 R GET; pageout A p0`;
const PINNED_WPED = `${FRESH}; h=gup A p0 W PIN; uffd_reg A p0 EVENT_FORK; wp A p0`;
/** Two pages of equal contents that KSM may merge: the second becomes the KSM page. */
const EQUAL = 'mmap A p0..p3; write A p0 same; write A p1 same; mergeable A p0..p3';
const UNSHARE = { given: SHARED_WPED, when: 'fault A UNSHARE' };

type Outcome = Pick<Row, 'leaf' | 'page' | 'result'>;
interface Cell {
  readonly cell: string;
  /** Kernels on which only this cell is flipped, whatever they ship with. */
  readonly on: readonly string[];
  readonly given: string;
  readonly strip?: string;
  readonly when: string;
  readonly kept: Outcome;
  readonly lost: Outcome;
}
const a0 = (leaf: string): Outcome => ({ leaf: { A0: leaf } });
const a1 = (leaf: string): Outcome => ({ leaf: { A1: leaf } });

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

/** A page of A to move, protected, and another, registered, with nothing in it. */
const TO_MOVE = 'mmap A p0; mmap A p1; write A p0; uffd_reg A p0; uffd_reg A p1; wp A p0';
/** The leaf once U is cleared: since v6.3 un-protecting an exclusive page gives W back. */
const PRESENT: readonly [kernels: readonly string[], cleared: string][] = [
  [['v5.7', 'v6.1'], 'P D A SD'],
  [['v6.7', 'v6.12', 'repaired'], 'P W D A SD'],
];
const leave = (name: string, when: string, pages: string): readonly Cell[] => [
  ...PRESENT.flatMap(([on, cleared]): Cell[] => [
    { cell: `${name}.clears_present`, on, given: WPED, when, kept: a0(cleared), lost: a0('P D A U SD') },
    {
      cell: `${name}.clears_present`,
      on: keepsDirty(on),
      given: THP_WPED,
      when: pages,
      kept: a0(`PMD ${cleared}`),
      lost: a0('PMD P D A U SD'),
    },
  ]),
  {
    cell: `${name}.clears_swap`,
    on: ['v5.7', 'v5.18'],
    given: WPED_OUT,
    when,
    kept: a0('swap SD'),
    lost: a0('swap U SD'),
  },
  {
    cell: `${name}.clears_swap`,
    on: ['v5.19', 'v6.7', 'repaired'],
    given: WPED_OUT,
    when,
    kept: a0('swap SD E'),
    lost: a0('swap U SD E'),
  },
  {
    cell: `${name}.clears_marker`,
    on: ['v6.7', 'repaired'],
    given: MARKER,
    when,
    kept: a0('none'),
    lost: a0('marker UFFD_WP'),
  },
];
/** The rows for migration entries; those of a PMD are cleared where the kernel can (v6.3). */
const ON_MIGRATION = (name: string, when: string, whole: string): Cell[] => [
  {
    cell: `${name}.clears_migration`,
    on: ['v5.7', 'v5.18'],
    given: `${WPED}; migrate_begin A p0`,
    when,
    kept: a0('migration R A D SD'),
    lost: a0('migration R A D U SD'),
  },
  {
    cell: `${name}.clears_migration`,
    on: ['v7.2', 'repaired'],
    given: `${THP_WPED}; migrate_begin A p0`,
    when: whole,
    kept: a0('PMD migration RX A D SD'),
    lost: a0('PMD migration RX A D U SD'),
  },
];
const TRANSITIONS = [
  ...leave('unregister', 'uffd_unreg A p0', 'uffd_unreg A p0..p3'),
  ...leave('close', 'uffd_close A', 'uffd_close A'),
  ...ON_MIGRATION('unregister', 'uffd_unreg A p0', 'uffd_unreg A p0..p3'),
  ...ON_MIGRATION('close', 'uffd_close A', 'uffd_close A'),
  ...ON_MIGRATION('reregister', 'uffd_reg A p0 MISSING', 'uffd_reg A p0..p3 MISSING'),
  {
    cell: 'mremap.clears_migration',
    on: ['v6.7', 'repaired'],
    given: `${WPED}; migrate_begin A p0`,
    when: 'mremap A p0->p1',
    kept: { leaf: { A1: 'migration RX A D SD' } },
    lost: { leaf: { A1: 'migration RX A D U SD' } },
  },
  ...leave('reregister', 'uffd_reg A p0 MISSING', 'uffd_reg A p0..p3 MISSING'),
  {
    cell: 'mremap.clears_present',
    on: ['v5.7', 'v6.7', 'repaired'],
    given: WPED,
    when: 'mremap A p0->p1',
    kept: a1('P D A SD'),
    lost: a1('P D A U SD'),
  },
  {
    cell: 'mremap.clears_swap',
    on: ['v5.7', 'v5.18'],
    given: WPED_OUT,
    when: 'mremap A p0->p1',
    kept: a1('swap SD'),
    lost: a1('swap U SD'),
  },
  {
    cell: 'mremap.clears_swap',
    on: ['v5.19', 'repaired'],
    given: WPED_OUT,
    when: 'mremap A p0->p1',
    kept: a1('swap SD E'),
    lost: a1('swap U SD E'),
  },
  {
    cell: 'mremap.clears_marker',
    on: ['v6.7', 'repaired'],
    given: MARKER,
    when: 'mremap A p0->p1',
    kept: a1('none'),
    lost: a1('marker UFFD_WP'),
  },
];
/** What mremap and UFFDIO_MOVE carry to another address. */
const MOVES: readonly Cell[] = [
  {
    cell: 'mremap.keeps_uffd_wp',
    on: ['v5.7', 'v6.7', 'repaired'],
    given: 'mmap A p0; write A p0; uffd_reg A p0 WP EVENT_REMAP; wp A p0',
    when: 'mremap A p0->p1',
    kept: a1('P D A U SD'),
    lost: a1('P D A SD'),
  },
  {
    cell: 'mremap.sets_soft_dirty',
    on: ['v5.7', 'v6.7', 'repaired'],
    given: `${FRESH}; clear_refs A`,
    when: 'mremap A p0->p1',
    kept: a1('P D A SD'),
    lost: a1('P D A'),
  },
  {
    cell: 'move_present.keeps_uffd_wp',
    on: ['v6.12', 'v6.18', 'repaired'],
    given: TO_MOVE,
    when: 'uffd_move A p0->p1',
    kept: a1('P D A U SD'),
    lost: a1('P W D A SD'),
  },
  {
    cell: 'move_swap.keeps_uffd_wp',
    on: ['v6.12', 'v6.18', 'repaired'],
    given: `${TO_MOVE}; pageout A p0`,
    when: 'uffd_move A p0->p1',
    kept: a1('swap U SD E'),
    lost: a1('swap SD E'),
  },
  {
    cell: 'move_present.sets_soft_dirty',
    on: ['v6.18', 'repaired'],
    given: `${TO_MOVE}; unwp A p0; pageout A p0; read A p0; clear_refs A`,
    when: 'uffd_move A p0->p1',
    kept: a1('P W A SD'),
    lost: a1('P W A'),
  },
  {
    cell: 'move_swap.sets_soft_dirty',
    on: ['v6.12', 'v6.18', 'repaired'],
    given: `${TO_MOVE}; unwp A p0; clear_refs A; pageout A p0`,
    when: 'uffd_move A p0->p1',
    kept: a1('swap SD E'),
    lost: a1('swap E'),
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
