// Two ops at once: wp_page_copy drops the page-table lock to copy (Y2), GUP between its fault and the next lookup (Y1).
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseProgram } from '../src/text/parse.js';
import { check, engine, leafAt, leafWords, recount, releases, rows, world } from './rows.js';

const ALL = engine.catalogue.kernels.map(({ name }) => name);
const FRESH = 'mmap A p0; write A p0';
const SHARED = `${FRESH}; fork A->B`;
const race = (schedule: string) => `[write A.1 p0 || write A.2 p0]@${schedule}`;

rows('two write faults on one page', [
  {
    row: 'both copy, the first installs: the second finds pte_same false and drops its copy',
    on: ALL,
    given: SHARED,
    when: race('1212'),
    leaf: { A0: 'P W D A SD', B0: 'P D SD' },
    page: { A0: 'copied refs:1 map:1 v:5', B0: 'same refs:1 map:1 v:2' },
    passes: [
      'wp_page_copy: page-table lock dropped',
      'wp_page_copy: pte_same false',
      'wp_page_copy: install a writable copy',
    ],
    counts: { pte_changed: 1, copies: 2 },
  },
  {
    row: 'both copy, the second installs: the first finds pte_same false',
    on: ALL,
    given: SHARED,
    when: race('1221'),
    page: { A0: 'copied refs:1 map:1 v:4', B0: 'same refs:1 map:1' },
    counts: { pte_changed: 1, copies: 2 },
  },
  {
    row: 'the second begins when the first is done: it finds the copy writable',
    on: ALL,
    given: SHARED,
    when: race('1122'),
    page: { A0: 'copied refs:1 map:1 v:5', B0: 'same refs:1' },
    counts: { pte_changed: 0, copies: 1 },
  },
  {
    row: 'the zero page: nothing to drop but the copy',
    on: ALL,
    given: 'mmap A p0; read A p0',
    when: race('1212'),
    page: { A0: 'copied refs:1 map:1 v:4' },
    counts: { pte_changed: 1, copies: 2 },
  },
  {
    row: 'the old page stays for the handle alone',
    on: releases('v5.9', 'v5.18'),
    given: `${FRESH}; h=gup A p0 R GET; mprotect A p0 R; mprotect A p0 RW`,
    when: race('1212'),
    page: { A0: 'copied refs:1' },
    handle: 'not:A0 refs:1 map:0',
    counts: { pte_changed: 1 },
  },
]);

describe('every schedule of the race', () => {
  const SCHEDULES = Array.from({ length: 64 }, (_, bits) =>
    Array.from({ length: 6 }, (_, k) => ((bits >> k) & 1) + 1).join(''),
  );
  it('leaves clean accounts, one winner, and the other process alone', () => {
    for (const kernel of ALL) {
      const seen = new Set<number>();
      for (const schedule of SCHEDULES) {
        const before = engine.counter('pte_changed');
        const wrong = check(
          {
            row: '',
            on: [],
            given: SHARED,
            when: race(schedule),
            leaf: { A0: 'P W D A SD', B0: 'P D SD' },
            page: { A0: 'copied refs:1 map:1', B0: 'same refs:1 map:1 v:2' },
          },
          kernel,
        );
        assert.deepEqual(wrong, [], `${kernel} ${schedule}`);
        seen.add(engine.counter('pte_changed') - before);
      }
      assert.deepEqual([...seen].sort(), [0, 1], `${kernel}: with and without a lost race`);
    }
  });

  it('breaks no promise of the repaired kernel', () => {
    engine.configure({ kernel: 'repaired', with: [], without: [] });
    for (const schedule of SCHEDULES) {
      const program = parseProgram(`${SHARED}; ${race(schedule)}; read A p0; read B p0`, engine.catalogue.ops);
      assert.deepEqual(engine.run(program), { mask: 0, violations: [] }, schedule);
    }
  });
});

describe('without the pte_same test', () => {
  it('the judges catch the race on every kernel', () => {
    for (const kernel of ALL) {
      const program = parseProgram(`${SHARED}; ${race('1212')}`, engine.catalogue.ops);
      engine.configure({ kernel, with: [], without: [] });
      assert.equal(engine.run(program).mask, 0, `${kernel} as it is`);
      engine.configure({ kernel, with: ['mutant.skip_pte_same'], without: [] });
      const { violations } = engine.run(program);
      const slugs = violations.map(({ invariant }) => engine.catalogue.invariant(invariant).slug);
      assert.ok(slugs.includes('page-accounting'), `${kernel}: ${slugs.join(', ') || 'nothing'}`);
    }
  });

  it('the recount of these tests catches it too', () => {
    const wrong = check({ row: '', on: [], given: SHARED, when: race('1212') }, 'repaired +mutant.skip_pte_same');
    assert.match(wrong.join('; '), /refs of frame|mapcount of frame/);
  });

  it('nothing changes where nobody interferes', () => {
    const alone = { row: '', on: [], given: SHARED, when: race('1122'), leaf: { A0: 'P W D A SD' } };
    assert.deepEqual(check(alone, 'repaired +mutant.skip_pte_same'), []);
  });
});

rows('others at Y2', [
  {
    row: 'MADV_DONTNEED: the copy is dropped, the store goes to a new page',
    on: ALL,
    given: SHARED,
    when: '[write A.1 p0 || dontneed A p0]@12',
    leaf: { A0: 'P W D A SD', B0: 'P D SD' },
    page: { A0: 'refs:1 map:1 v:4', B0: 'same refs:1 map:1' },
    counts: { pte_changed: 1, copies: 1 },
  },
  {
    row: 'write-protection: the copy is dropped, the retry queues the event',
    on: ALL,
    given: `${SHARED}; uffd_reg A p0`,
    when: '[write A.1 p0 || wp A p0]@12',
    result: 'sleeps',
    leaf: { A0: 'P D A U SD' },
    page: { A0: 'same refs:2 map:2' },
    counts: { pte_changed: 1, events: 1 },
  },
  {
    row: 'reclaim: the copy is dropped, the page swapped in again, copied',
    on: ALL,
    given: SHARED,
    when: '[write A.1 p0 || pageout A p0]@12',
    leaf: { A0: 'P W D A SD', B0: 'swap SD' },
    page: { A0: 'refs:1 v:4' },
    counts: { pte_changed: 1 },
  },
  {
    row: 'fork waits for the fault',
    on: ALL,
    given: SHARED,
    when: '[write A.1 p0 || fork A->C]@12',
    leaf: { A0: 'P D A SD', C0: 'P D SD' },
    page: { A0: 'copied refs:2 map:2', C0: 'is:A0' },
    counts: { pte_changed: 0 },
  },
  {
    row: 'an unshare fault against a store: the store wins, the pin takes its page',
    on: releases('v5.19'),
    given: SHARED,
    when: '[h=gup A.1 p0 R PIN || write A.2 p0]@122',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied excl refs:2 pins:1 v:5' },
    handle: 'is:A0',
    counts: { pte_changed: 1 },
  },
  {
    row: 'a store against an unshare fault: the store finds the copy read-only and reuses it',
    on: releases('v5.19'),
    given: SHARED,
    when: '[write A.1 p0 || h=gup A.2 p0 R PIN]@1222',
    leaf: { A0: 'P W D A SD' },
    page: { A0: 'copied excl refs:2 pins:1 v:4' },
    handle: 'is:A0',
    counts: { pte_changed: 1, reuses: 1 },
  },
]);

rows('others at Y1', [
  {
    row: 'a forced write whose copy is zapped before the lookup copies again, never into the shared page',
    on: ALL,
    given: `${SHARED}; mprotect A p0 R`,
    when: '[h=gup A.1 p0 W GET FORCE || dontneed A p0]@112',
    handle: 'is:A0 not:B0 v:0',
    page: { B0: 'same refs:1 v:2' },
  },
  {
    row: 'a GUP that breaks COW against a store: one copy stays, both use it',
    on: ['v5.8', 'break-cow-v3-followup', 'dont-cow'],
    given: SHARED,
    when: '[h=gup A.1 p0 R GET || write A.2 p0]@122111',
    handle: 'is:A0 not:B0',
    page: { A0: 'copied', B0: 'same refs:1' },
  },
]);

describe('the pair of ops', () => {
  it('says the result of each', () => {
    engine.configure({ kernel: 'repaired', with: [], without: [] });
    const program = parseProgram(
      `${SHARED}; uffd_reg A p0; wp A p0; [read A.1 p0 || write A.2 p0]@12`,
      engine.catalogue.ops,
    );
    assert.equal(engine.run(program).mask, 0);
    assert.deepEqual([...engine.results(program.length)], [0, 0, 0, 0, 0, 0, 1]);
    assert.equal(leafWords(leafAt(world(), 'A0')), 'P D A U SD');
    assert.deepEqual(recount(world()), []);
  });
});
