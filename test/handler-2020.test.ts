// Summer 2020: enforced COW by a pretended write (v5.8), the explicit break-COW patches, the opt-out, break-COW for pins.
import { type Row, rows } from './rows.js';
import { FRESH, SHARED, SHARED_WPED, THP, THP_SHARED, THP_WPED, WPED, ZERO } from './states.js';

const V58 = ['v5.8'];
/** The opt-out has the handler of v3 with its follow-up. */
const MATRIX = ['break-cow-v1', 'break-cow-v2', 'seed', 'break-cow-v3', 'break-cow-v3-followup', 'dont-cow'] as const;
const [V1, V2, SEED, V3, ...V3F] = MATRIX;

rows('v5.8: enforced COW', [
  {
    row: 'a read GUP of a shared page copies: W and D',
    on: V58,
    given: SHARED,
    when: 'h=gup B p0 R GET',
    leaf: { B0: 'P W D A SD', A0: 'P D A SD' },
    handle: 'is:B0 not:A0',
    page: { A0: 'refs:1' },
    passes: ['__get_user_pages: should_force_cow_break: read', 'follow_page_pte: read-only'],
  },
  {
    row: 'PIN as well',
    on: V58,
    given: SHARED,
    when: 'h=gup B p0 R PIN',
    leaf: { B0: 'P W D A SD' },
    handle: 'not:A0 pins:1',
  },
  {
    row: 'a read-only VMA too; COW flag and D are enough without FORCE',
    on: V58,
    given: `${SHARED}; mprotect B p0 R`,
    when: 'h=gup B p0 R GET',
    leaf: { B0: 'P D A SD' },
    handle: 'is:B0 not:A0',
    passes: ['faultin_page: COW done'],
    counts: { faults: 1 },
  },
  {
    row: 'the acceptance without FORCE is a knob of its own: with it v5.8 loops',
    on: ['v5.8 +follow.cow_needs_force'],
    given: `${SHARED}; mprotect B p0 R`,
    when: 'h=gup B p0 R GET',
    result: 'livelock',
  },
  {
    row: 'the zero page is replaced by a page',
    on: V58,
    given: ZERO,
    when: 'h=gup A p0 R GET',
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 refs:2 v:0',
  },
  {
    row: 'none: a page, not the zero page',
    on: V58,
    given: 'mmap A p0',
    when: 'h=gup A p0 R GET',
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0 refs:2',
  },
  {
    row: 'PMD twin: split and copy',
    on: V58,
    given: THP_SHARED,
    when: 'h=gup B p1 R GET',
    leaf: { B1: 'P W D A SD' },
    handle: 'is:B1 not:A1',
  },
  {
    row: 'GUP-fast with a slow path behind it wants W for reads',
    on: V58,
    given: SHARED,
    when: 'h=gup B p0 R GET fast',
    handle: 'is:B0 not:A0',
    passes: ['gup_fast: entry unfit'],
  },
  {
    row: 'fast-only still takes read-only leaves',
    on: V58,
    given: SHARED,
    when: 'h=gup B p0 R GET fast-only',
    handle: 'is:A0',
    passes: ['gup_fast: take'],
  },
  {
    row: 'the handler cannot tell: an event on a read',
    on: V58,
    given: WPED,
    when: 'h=gup A p0 R GET',
    result: 'sleeps',
    leaf: { A0: 'P D A U SD' },
    handle: 'none',
    counts: { events: 1 },
  },
  {
    row: 'the handler cannot tell: a read sets D and SD',
    on: V58,
    given: `${FRESH}; clear_refs A`,
    when: 'h=gup A p0 R GET',
    leaf: { A0: 'P W D A SD' },
    handle: 'is:A0',
    page: { A0: 'same' },
  },
]);

/** One knob of the matrix: how each of the kernels answers the same question. */
function cells(
  row: string,
  question: Omit<Row, 'row' | 'on' | keyof Answer>,
  answers: readonly [readonly string[], Answer][],
): Row[] {
  return answers.map(([on, answer]) => ({ row: `${row}: ${on.join(', ')}`, on, ...question, ...answer }));
}
type Answer = Pick<Row, 'leaf' | 'page' | 'handle' | 'result' | 'passes' | 'avoids' | 'counts'>;

rows('break-COW, the knob matrix', [
  ...cells('GUP adds BC, not W', { given: SHARED, when: 'h=gup A p0 R GET' }, [
    [
      MATRIX,
      {
        passes: ['__get_user_pages: should_force_cow_break: FOLL'],
        avoids: ['__get_user_pages: should_force_cow_break: read'],
      },
    ],
  ]),
  ...cells('faultin_page passes BC', { given: `${FRESH}; pageout A p0`, when: 'h=gup A p0 R GET' }, [
    [[V1], { leaf: { A0: 'P A SD' }, page: { A0: 'refs:3 cached' }, avoids: ['faultin_page: FOLL_BREAK_COW'] }],
    [
      [V2, SEED, V3, ...V3F],
      { leaf: { A0: 'P W D A SD' }, page: { A0: 'refs:2 uncached' }, passes: ['faultin_page: FOLL_BREAK_COW'] },
    ],
  ]),
  ...cells('follow_page_pte treats BC like W', { given: SHARED, when: 'h=gup B p0 R GET' }, [
    [[V1, V2, SEED, V3], { leaf: { B0: 'P D SD' }, handle: 'is:A0', counts: { faults: 0 } }],
    [[...V3F], { leaf: { B0: 'P W D A SD' }, handle: 'is:B0 not:A0', counts: { faults: 1 } }],
  ]),
  ...cells('follow_trans_huge_pmd treats BC like W', { given: THP_SHARED, when: 'h=gup B p1 R GET' }, [
    [[V1, V2, SEED, V3], { leaf: { B1: 'PMD P D A SD' }, handle: 'is:A1', counts: { faults: 0 } }],
    [[...V3F], { leaf: { B1: 'P W D A SD' }, handle: 'is:B1 not:A1', passes: ['follow_trans_huge_pmd: read-only'] }],
  ]),
  ...cells('GUP-fast still asks for W', { given: SHARED, when: 'h=gup A p0 R GET fast' }, [
    [MATRIX, { passes: ['gup_fast: entry unfit'], avoids: ['gup_fast: take'] }],
  ]),
  ...cells('handle_pte_fault: BC is write-like', { given: SHARED, when: 'fault A BREAK_COW' }, [
    [MATRIX, { leaf: { A0: 'P W D A SD' }, page: { A0: 'copied' } }],
  ]),
  ...cells('swap-in goes on in do_wp_page on BC', { given: `${SHARED}; pageout A p0`, when: 'fault A BREAK_COW' }, [
    [MATRIX, { leaf: { A0: 'P W D A SD', B0: 'swap SD' }, passes: ['do_swap_page: goes on'], counts: { copies: 1 } }],
  ]),
  ...cells('early reuse at swap-in is for WR only', { given: `${FRESH}; pageout A p0`, when: 'fault A BREAK_COW' }, [
    [
      MATRIX,
      {
        leaf: { A0: 'P W D A SD' },
        passes: ['do_swap_page: goes on', 'wp_page_reuse'],
        avoids: ['do_swap_page: only user by mapcount'],
      },
    ],
  ]),
  ...cells('do_wp_page: the event needs WR', { given: WPED, when: 'fault A BREAK_COW' }, [
    [MATRIX, { counts: { events: 0 }, passes: ['do_wp_page: uffd-wp set, but not a write'] }],
  ]),
  ...cells('copy keeps U and clears W', { given: SHARED_WPED, when: 'fault A BREAK_COW' }, [
    [[V1, V2], { leaf: { A0: 'P W D A SD' }, page: { A0: 'copied' }, counts: { events: 0 } }],
    [[SEED, V3, ...V3F], { leaf: { A0: 'P D A U SD' }, page: { A0: 'copied' }, counts: { events: 0 } }],
  ]),
  ...cells('PTE reuse forgets U', { given: WPED, when: 'fault A BREAK_COW' }, [
    [MATRIX, { leaf: { A0: 'P W D A U SD' }, page: { A0: 'same' }, passes: ['wp_page_reuse'] }],
  ]),
  ...cells('PMD: BC is write-like', { given: `${THP}; fork A->B; exit B`, when: 'fault A BREAK_COW' }, [
    [[V1, V2], { leaf: { A0: 'PMD P D A SD' }, avoids: ['do_huge_pmd_wp_page: only user'] }],
    [[SEED, V3, ...V3F], { leaf: { A0: 'PMD P W D A SD' }, page: { A0: 'same' } }],
  ]),
  ...cells('PMD hunk without the event hunk', { given: THP_WPED, when: 'fault A BREAK_COW' }, [
    [
      ['break-cow-v2 +fault.bc_pmd', 'seed -wp_pmd.event_needs_write'],
      { leaf: { A0: 'PMD P D A U SD' }, counts: { events: 1 } },
    ],
    [[SEED, V3, ...V3F], { counts: { events: 0 }, passes: ['wp_huge_pmd: uffd-wp set, but not a write'] }],
  ]),
  ...cells('PMD reuse keeps U and clears W', { given: THP_WPED, when: 'fault A BREAK_COW' }, [
    [
      ['break-cow-v2 +fault.bc_pmd +wp_pmd.event_needs_write', 'seed -wp_pmd_reuse.keeps_wp'],
      { leaf: { A0: 'PMD P W D A U SD' }, page: { A0: 'same' } },
    ],
    [[SEED, V3, ...V3F], { leaf: { A0: 'PMD P D A U SD' }, page: { A0: 'same' } }],
  ]),
  ...cells('missing page: BC is a read', { given: 'mmap A p0', when: 'fault A BREAK_COW' }, [
    [MATRIX, { leaf: { A0: 'P A Z' } }],
  ]),
  ...cells('missing huge page: BC is a read', { given: 'mmap A thp', when: 'fault A BREAK_COW' }, [
    [MATRIX, { leaf: { A0: 'PMD P A' }, page: { A0: 'hugezero' } }],
  ]),
  ...cells('a real store to a protected page sleeps', { given: WPED, when: 'write A p0' }, [
    [MATRIX, { result: 'sleeps', leaf: { A0: 'P D A U SD' }, counts: { events: 1 } }],
  ]),
]);
