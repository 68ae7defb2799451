// Rows of the tables for what leaves a registration and for what moves: data of handler-tables.test.ts.
import type { Row } from './rows.js';
import { FRESH, keepsDirty, MARKER, THP_WPED, WPED, WPED_OUT } from './states.js';

export type Outcome = Pick<Row, 'leaf' | 'page' | 'result'>;
export interface Cell {
  readonly cell: string;
  /** Kernels on which only this cell is flipped, whatever they ship with. */
  readonly on: readonly string[];
  readonly given: string;
  readonly strip?: string;
  readonly when: string;
  readonly kept: Outcome;
  readonly lost: Outcome;
}
export const a0 = (leaf: string): Outcome => ({ leaf: { A0: leaf } });
export const a1 = (leaf: string): Outcome => ({ leaf: { A1: leaf } });

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
export const TRANSITIONS: readonly Cell[] = [
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
export const MOVES: readonly Cell[] = [
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
