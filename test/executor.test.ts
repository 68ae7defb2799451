import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { buildExecutor } from '../src/conform/build.js';
import { Executor } from '../src/conform/executor.js';
import type { Cell, Observed, PageLayout } from '../src/conform/observed.js';
import { loadEngine } from '../src/engine/engine.js';
import { RESULT } from '../src/engine/opword.js';
import { parseProgram } from '../src/text/parse.js';
import { MINUTE, needs, noExecutor } from './executor-needs.js';

// Programs whose results are known from what the kernel promises, on the kernel that runs the tests.

const { ops } = loadEngine().catalogue;
const { OK, SLEEP, SKIP, FAULT, REFUSED } = RESULT;

const open = (child: ChildProcess) =>
  Executor.open(child, { observe: 'pages', silenceMs: MINUTE, helloMs: 3 * MINUTE });

async function run(executor: Executor, text: string, layout: PageLayout = 'pte'): Promise<readonly Observed[]> {
  const [{ trouble, ops: seen }] = (await executor.run([parseProgram(text, ops)], layout)) as [
    { trouble?: string; ops: readonly Observed[] },
  ];
  assert.equal(trouble, undefined, text);
  return seen;
}

const results = (seen: readonly Observed[]) => seen.map(({ result }) => result);
const cellOf = ({ cells }: Observed, mm: number, page = 0): Cell => cells[mm]![page]!;
/** What the op itself came to, whenever that was. */
function outcomeOf(seen: readonly Observed[], op: number) {
  const found = seen.flatMap(({ outcomes }) => outcomes).filter((outcome) => outcome.op === op);
  assert.equal(found.length, 1, `outcomes of op ${op}`);
  return found[0]!;
}

describe('programs on the running kernel', () => {
  let executor: Executor;
  before(async () => {
    if (noExecutor) return;
    executor = await open(spawn(buildExecutor()));
  });
  after(async () => executor?.close());

  it('fork, then write: the writer gets another page, the child keeps page and value', needs('frames'), async () => {
    const seen = await run(executor, 'mmap A p0; write A p0; fork A->B; write A p0; read B p0');
    const [, written, forked, again, read] = seen as [Observed, Observed, Observed, Observed, Observed];
    assert.equal(cellOf(forked, 0).frame, cellOf(forked, 1).frame);
    assert.equal(cellOf(forked, 0).frame, cellOf(written, 0).frame);
    assert.notEqual(cellOf(again, 0).frame, cellOf(again, 1).frame);
    assert.equal(cellOf(again, 1).frame, cellOf(forked, 1).frame);
    assert.equal(cellOf(again, 0).value, 4);
    assert.equal(cellOf(again, 1).value, 2);
    assert.deepEqual([outcomeOf(seen, 3).faults, outcomeOf(seen, 4).faults, outcomeOf(seen, 4).value], [1, 0, 2]);
    assert.equal(read.cells[2], undefined, 'C never lived');
  });

  it('when the child has gone the page is written in place', needs('frames'), async () => {
    const seen = await run(executor, 'mmap A p0; write A p0; fork A->B; exit B; write A p0; write A p0');
    assert.equal(cellOf(seen[4]!, 0).frame, cellOf(seen[1]!, 0).frame);
    assert.deepEqual([outcomeOf(seen, 4).faults, outcomeOf(seen, 5).faults], [1, 0]);
    assert.equal(seen[3]!.cells[1], undefined);
  });

  it('an access that the mapping forbids faults, and nothing is written', needs(), async () => {
    const seen = await run(executor, 'read A p0; mmap A p0; write A p0; mprotect A p0 R; write A p0; read A p0');
    assert.deepEqual(results(seen), [FAULT, OK, OK, OK, FAULT, OK]);
    assert.equal(outcomeOf(seen, 5).value, 3);
  });

  it('what is not applicable is said to be so', needs(), async () => {
    const seen = await run(
      executor,
      'munmap A p0; write B p0; mmap A p0; mmap A p0..p3; exit A; exit A; hread h; put h',
    );
    assert.deepEqual(results(seen), [SKIP, SKIP, OK, SKIP, OK, SKIP, SKIP, SKIP]);
  });

  it('a write to a protected page sleeps, with its event, until it is unprotected', needs('userfaultfd'), async () => {
    const seen = await run(
      executor,
      'mmap A p0..p3; write A p1; uffd_reg A p0..p3 WP; wp A p0..p3; write A p1; read A p1; unwp A p1; read A p1',
    );
    assert.deepEqual(results(seen), [OK, OK, OK, OK, SLEEP, OK, OK, OK]);
    assert.deepEqual(seen[4]!.events, [{ mm: 0, page: 1, op: 4, write: true, wp: true }]);
    assert.deepEqual([seen[4]!.asleep, seen[5]!.asleep, seen[6]!.asleep], [[4], [4], []]);
    assert.deepEqual(
      seen[6]!.outcomes.map(({ op, result }) => [op, result]),
      [
        [6, OK],
        [4, OK],
      ],
    );
    assert.deepEqual([outcomeOf(seen, 5).value, outcomeOf(seen, 7).value], [2, 5]);
    assert.deepEqual([cellOf(seen[5]!, 0, 1).uffdWp, cellOf(seen[6]!, 0, 1).uffdWp], [true, false]);
  });

  it(
    'one unprotect wakes all who sleep on the page; a fifth thread is one too many',
    needs('userfaultfd'),
    async () => {
      const many = Array.from({ length: 5 }, () => 'write A p0').join('; ');
      const seen = await run(executor, `mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; ${many}; unwp A p0`);
      assert.deepEqual(results(seen).slice(4), [SLEEP, SLEEP, SLEEP, SLEEP, SKIP, OK]);
      const woken = seen[9]!.outcomes.map(({ op }) => op);
      assert.deepEqual([woken[0], ...woken.slice(1).sort()], [9, 4, 5, 6, 7]);
      assert.ok(seen[9]!.outcomes.every(({ result }) => result === OK));
      const last = seen[9]!.outcomes.at(-1)!.op;
      assert.equal(cellOf(seen[9]!, 0).value, last + 1, 'the last to end has written last');
    },
  );

  it('a wake without unprotecting sends the thread back to sleep', needs('userfaultfd'), async () => {
    const seen = await run(executor, 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; wake A p0');
    assert.deepEqual(seen[5]!.asleep, [4]);
    assert.equal(seen[5]!.events.length, 1);
  });

  it('unregistering leaves the sleeper asleep, closing wakes it', needs('userfaultfd'), async () => {
    const seen = await run(
      executor,
      'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; uffd_unreg A p0; uffd_close A; wp A p0',
    );
    assert.deepEqual([seen[5]!.asleep, seen[6]!.asleep], [[4], []]);
    assert.equal(outcomeOf(seen, 4).result, OK);
    assert.equal(seen[7]!.result, REFUSED);
  });

  it('other ops go on while threads sleep, and exit takes them along', needs('userfaultfd'), async () => {
    const text = 'mmap A p0..p3; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; write A p0; write A p1; fork A->B;';
    const seen = await run(executor, `${text} mprotect A p1 R; exit A; read B p0; read B p1`);
    assert.deepEqual(seen[8]!.asleep, [4, 5]);
    assert.deepEqual(results(seen).slice(6), [OK, OK, OK, OK, OK, OK]);
    assert.deepEqual(seen[9]!.asleep, []);
    assert.deepEqual([outcomeOf(seen, 10).value, outcomeOf(seen, 11).value], [2, 7]);
  });

  it('a child keeps the protection only if fork is announced', needs('userfaultfd', 'event-fork'), async () => {
    const forked = (flag: string) =>
      run(executor, `mmap A p0; write A p0; uffd_reg A p0 WP ${flag}; wp A p0; fork A->B; write B p0; uffd_close B`);
    const plain = await forked('');
    assert.deepEqual(results(plain).slice(4), [OK, OK, REFUSED]);
    assert.equal(cellOf(plain[4]!, 1).uffdWp, false);
    const announced = await forked('EVENT_FORK');
    assert.deepEqual(results(announced).slice(4), [OK, SLEEP, OK]);
    assert.equal(cellOf(announced[4]!, 1).uffdWp, true);
    assert.deepEqual(announced[5]!.events, [{ mm: 1, page: 0, op: 5, write: true, wp: true }]);
    assert.equal(outcomeOf(announced, 5).result, OK);
  });

  it(
    'a pipe and a pinned buffer hold the page, also when its owner is gone',
    needs('vmsplice', 'io_uring'),
    async () => {
      const seen = await run(
        executor,
        'mmap A p0; write A p0; h=gup A p0 R GET; h1=gup A p0 W PIN LONGTERM; write A p0; hread h; hread h1; hwrite h1; ' +
          'read A p0; hwrite h; exit A; hread h; hread h1; put h; put h1; hread h1',
      );
      assert.deepEqual(results(seen), [OK, OK, OK, OK, OK, OK, OK, OK, OK, SKIP, OK, OK, OK, OK, OK, SKIP]);
      assert.deepEqual(
        [5, 6, 8, 11, 12].map((op) => outcomeOf(seen, op).value),
        [5, 5, 8, 8, 8],
      );
    },
  );

  it('a transfer through a reference of one moment happens at its gup', needs('process_vm', 'proc-mem'), async () => {
    const seen = await run(
      executor,
      'mmap A p0; write A p0; h=gup A p0 R PIN; hread h; put h; h=gup A p0 W PIN; hwrite h; put h; read A p0; ' +
        'mprotect A p0 R; h=gup A p0 W PIN; hwrite h; put h; h=gup A p0 W GET FORCE; hwrite h; put h; read A p0',
    );
    assert.deepEqual(results(seen).slice(10), [FAULT, SKIP, SKIP, OK, OK, OK, OK]);
    assert.deepEqual([outcomeOf(seen, 3).value, outcomeOf(seen, 8).value, outcomeOf(seen, 16).value], [2, 7, 15]);
  });

  it('a page goes to swap and back with its value and its protection', needs('swap', 'userfaultfd'), async () => {
    const seen = await run(
      executor,
      'mmap A p0..p3; write A p0; write A p1; uffd_reg A p0 WP; wp A p0; pageout A p0..p3; read A p0; pageout A p1; swapoff',
    );
    assert.deepEqual([cellOf(seen[5]!, 0).kind, cellOf(seen[5]!, 0).uffdWp], ['swap', true]);
    assert.deepEqual([cellOf(seen[6]!, 0).kind, cellOf(seen[6]!, 0).uffdWp], ['present', true]);
    assert.equal(outcomeOf(seen, 6).value, 2);
    assert.equal(cellOf(seen[7]!, 0, 1).kind, 'swap');
    assert.deepEqual([cellOf(seen[8]!, 0, 1).kind, cellOf(seen[8]!, 0, 1).value], ['present', 3]);
  });

  it('quarters of a huge page: split mapping, same page; a copy breaks it', needs('thp', 'frames'), async () => {
    const seen = await run(
      executor,
      'mmap A p0..p7 thp; write A p2; read A p5; thp_split A p0; fork A->B; write A p2; read B p2',
      'pmd',
    );
    const kinds = seen.map((op) => cellOf(op, 0, 2).huge);
    assert.deepEqual(kinds.slice(1, 4), [true, true, false]);
    assert.deepEqual([cellOf(seen[1]!, 0, 0).kind, cellOf(seen[1]!, 0, 3).value], ['present', 0]);
    assert.equal(cellOf(seen[2]!, 0, 7).zero, true);
    assert.equal(cellOf(seen[3]!, 0, 2).frame, cellOf(seen[1]!, 0, 2).frame);
    assert.notEqual(cellOf(seen[5]!, 0, 2).frame, cellOf(seen[3]!, 0, 2).frame);
    assert.equal(cellOf(seen[5]!, 0, 1).frame, cellOf(seen[3]!, 0, 1).frame);
    assert.equal(outcomeOf(seen, 6).value, 2);
  });
});
