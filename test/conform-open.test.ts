import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { modelSpec } from '../src/conform/match.js';
import { ModelBackend } from '../src/conform/model.js';
import type { Cell, Outcome, PageLayout, Run } from '../src/conform/observed.js';
import { OpenTable } from '../src/conform/open.js';
import { loadEngine } from '../src/engine/engine.js';
import { parseProgram } from '../src/text/parse.js';

// The table of open observations: each row excuses its own case and ends what it says, and nothing next to it.

const engine = loadEngine();
const { ops } = engine.catalogue;

interface Change {
  readonly cell?: (cell: Cell) => Cell;
  readonly outcome?: (outcome: Outcome) => Outcome;
  readonly order?: (outcomes: readonly Outcome[]) => Outcome[];
}

/** The model against itself with op `at`, from 1, changed: field of the difference that counts, and the rows that applied. */
function judged(kernel: string, layout: PageLayout, program: string, at: number, change: Change): string[] {
  const words = parseProgram(program, ops);
  const [mine] = new ModelBackend(modelSpec(kernel, engine.catalogue), engine).runSync([words]);
  const { cell = (same: Cell) => same, outcome = (same: Outcome) => same, order } = change;
  const theirs: Run = {
    ops: mine!.ops.map((seen, op) => {
      if (op !== at - 1) return seen;
      const cells = seen.cells.map((row) => row?.map((one) => (one.kind === 'present' ? cell(one) : one)));
      const outcomes = seen.outcomes.map(outcome);
      return { ...seen, cells, outcomes: order ? order(outcomes) : outcomes };
    }),
  };
  const open = new OpenTable(kernel);
  const difference = open.comparison(ops, layout).first(words, mine!, theirs);
  const applied = open.counts().filter(({ count }) => count > 0);
  return [...(difference ? [difference.field] : []), ...applied.map(({ id, count }) => `${id} ${count}`)];
}
const mapped = (cell: Cell): Cell => ({ ...cell, mapcount: 7 });
const copied = (cell: Cell): Cell => ({ ...cell, large: false });
const faults = (by: number) => (outcome: Outcome) => ({ ...outcome, faults: outcome.faults! + by });

describe('two wake-ups', () => {
  const order = (outcomes: readonly Outcome[]) => outcomes.toReversed();

  it('may come to run in either order', () => {
    const apart =
      'mmap A p0..p3; uffd_reg A p2 MISSING; uffd_reg A p0 MISSING; read A p0; read A p2; uffd_unreg A p0..p3';
    assert.deepEqual(judged('v6.18', 'pte', apart, 6, { order }), ['two-wake-ups 1']);
    const other = (outcome: Outcome) => (outcome.op === 3 ? { ...outcome, result: 3 } : outcome);
    assert.deepEqual(judged('v6.18', 'pte', apart, 6, { outcome: other, order }), ['woken']);
  });

  it('not where it is one', () => {
    const one = 'mmap A p0; uffd_reg A p0 MISSING; read A p0; write A p0; uffd_unreg A p0';
    assert.deepEqual(judged('v6.18', 'pte', one, 5, { order }), ['woken']);
  });
});

describe('a pin that meets itself', () => {
  const owner = 'mmap A p0..p3 thp; write A p0; fork A->B; write B p2; exit A; ';
  const last = '; read B p1; write B p3';

  it('ends the comparison, whether or not a difference shows', () => {
    for (const pin of [
      'h=gup B p0 W PIN LONGTERM',
      'h=gup B p0 R PIN; hread h; put h',
      'h=gup B p0 W PIN; hwrite h; put h',
    ]) {
      const program = `${owner}${pin}${last}`;
      const length = program.split(';').length;
      for (const at of [length, length - 2]) {
        assert.deepEqual(
          judged('v6.18', 'pmd', program, at, { cell: copied }),
          ['pin-meets-itself 1'],
          `${pin}, op ${at}`,
        );
      }
    }
  });

  it('ends it where the pin waited and is woken', () => {
    const waits = `${owner}uffd_reg B p0 WP; wp B p0; h=gup B p0 W PIN LONGTERM; read B p1; unwp B p0${last}`;
    assert.deepEqual(judged('v6.18', 'pmd', waits, 11, { cell: mapped }), ['pin-meets-itself 1']);
    assert.deepEqual(judged('v6.18', 'pmd', waits, 9, { cell: mapped }), ['mapcount']);
  });

  it('excuses nothing before it, and nothing else in it', () => {
    const program = `${owner}h=gup B p0 W PIN LONGTERM${last}`;
    assert.deepEqual(judged('v6.18', 'pmd', program, 5, { cell: mapped }), ['mapcount']);
    assert.deepEqual(judged('v6.18', 'pmd', program, 6, { cell: (cell) => ({ ...cell, value: 6 }) }), ['content']);
  });

  it('does not take in calls without a pin, pages that are owned or copied, small pages, or older kernels', () => {
    const pin = 'h=gup B p0 W PIN LONGTERM';
    const others: [kernel: string, layout: PageLayout, program: string][] = [
      ['v6.18', 'pmd', `${owner}h=gup B p0 W GET FORCE; hwrite h; put h`],
      ['v6.18', 'pmd', `${owner}write B p0; ${pin}`],
      ['v6.18', 'pmd', `mmap A p0..p3 thp; write A p0; fork A->B; write B p2; ${pin}`],
      ['v6.18', 'pte', `mmap A p0..p3; write A p0; fork A->B; write B p2; exit A; ${pin}`],
      ['v6.12', 'pmd', `${owner}${pin}`],
    ];
    for (const [kernel, layout, program] of others) {
      const at = program.split(';').length + 1;
      assert.deepEqual(judged(kernel, layout, `${program}; read B p0`, at, { cell: mapped }), ['mapcount'], program);
    }
  });
});

describe('a stale translation', () => {
  const nextDoor =
    'mmap A p0..p3 thp; write A p0; fork A->B; read B p1; fork A->C; exit C; exit A; write B p0; write B p1';

  it('may cost a store a fault, after a store to another quarter', () => {
    assert.deepEqual(judged('v6.18', 'pmd', nextDoor, 9, { outcome: faults(-1) }), ['stale-translation 1']);
    assert.deepEqual(judged('v6.18', 'pmd', nextDoor, 9, { outcome: faults(2) }), ['faults']);
  });

  it('costs no other store one', () => {
    assert.deepEqual(judged('v6.18', 'pmd', nextDoor, 8, { outcome: faults(1) }), ['faults']);
    assert.deepEqual(judged('v6.18', 'pmd', `${nextDoor}; write B p1`, 10, { outcome: faults(1) }), ['faults']);
    const elsewhere = 'mmap A p0..p7 thp; write A p0; write A p4; read A p1; write A p5; write A p1';
    assert.deepEqual(judged('v6.18', 'pmd', elsewhere, 6, { outcome: faults(1) }), ['faults']);
  });
});

describe('5.10 on huge pages', () => {
  const stray = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0 madv; uffd_unreg A p0; ';

  it('has batches that fill within a store to a swapped page with a stray uffd-wp', () => {
    const see = (kernel: string, layout: PageLayout, op: string) =>
      judged(kernel, layout, `${stray}${op}; read A p0`, `${stray}${op}`.split(';').length + 1, { cell: mapped });
    for (const op of ['write A p0', 'h=gup A p0 W PIN LONGTERM', 'h=gup A p0 W PIN; hwrite h; put h']) {
      assert.deepEqual(see('v5.10', 'pmd', op), ['batch-fills-midway 1'], op);
      assert.deepEqual(see('v5.10', 'pte', op), ['mapcount'], op);
      assert.deepEqual(see('v6.1', 'pmd', op), ['mapcount'], op);
    }
    assert.deepEqual(see('v5.10', 'pmd', 'read A p0'), ['mapcount']);
    const asleep = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; pageout A p0 madv; ';
    const wakes = (op: string) => judged('v5.10', 'pmd', `${asleep}${op}; read A p0`, 8, { cell: mapped });
    assert.deepEqual(wakes('uffd_close A'), ['batch-fills-midway 1']);
    assert.deepEqual(wakes('unwp A p0'), ['mapcount']);
  });

  it('counts one fault of two where FORCE finds nothing', () => {
    const program = 'mmap A p0..p3 thp; mprotect A p0..p3 R; h=gup A p0 W GET FORCE; hwrite h; put h';
    assert.deepEqual(judged('v5.10', 'pmd', program, 3, { outcome: faults(-1) }), ['first-of-many 1']);
    assert.deepEqual(judged('v5.10', 'pmd', program, 3, { outcome: faults(1) }), ['faults']);
    assert.deepEqual(judged('v5.10', 'pmd', program, 5, { cell: mapped }), ['mapcount']);
    const there = program.replace('mprotect', 'write A p0; mprotect');
    assert.deepEqual(judged('v5.10', 'pmd', there, 4, { outcome: faults(-1) }), ['faults']);
  });
});
