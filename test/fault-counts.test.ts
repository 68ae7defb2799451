import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { parseProgram } from '../src/text/parse.js';

// Faults as getrusage counts them: those that handle_mm_fault completed, for the thread that took them.

const engine = loadEngine();
const { ops } = engine.catalogue;

/** Faults of each op after the whole program. */
function faults(kernel: string, program: string): number[] {
  const words = parseProgram(program, ops);
  engine.configure({ kernel, with: [], without: [] });
  engine.begin(words);
  for (let i = 0; i < words.length; ) i += engine.step(i, words.length);
  return Array.from(words, (_, i) => engine.faults(i));
}

const CASES: { name: string; kernel: string; program: string; counts: number[] }[] = [
  {
    name: 'a page: the first touch, and the first store after a read of the zero page',
    kernel: 'v6.18',
    program: 'mmap A p0; read A p0; read A p0; write A p0; write A p0',
    counts: [0, 1, 0, 1, 0],
  },
  {
    name: 'COW after fork: a copy for the first writer, a reuse for the last',
    kernel: 'v6.18',
    program: 'mmap A p0; write A p0; fork A->B; write A p0; write B p0; write B p0',
    counts: [0, 1, 0, 1, 1, 0],
  },
  {
    name: 'a read-only VMA and a hole: no fault that counts',
    kernel: 'v6.18',
    program: 'mmap A p0; write A p0; mprotect A p0 R; write A p0; read A p1',
    counts: [0, 1, 0, 0, 0],
  },
  {
    name: 'mprotect back to RW gives write back without a fault since v6.0',
    kernel: 'v6.1',
    program: 'mmap A p0; write A p0; mprotect A p0 R; mprotect A p0 RW; write A p0',
    counts: [0, 1, 0, 0, 0],
  },
  {
    name: '.. and costs one before',
    kernel: 'v5.19',
    program: 'mmap A p0; write A p0; mprotect A p0 R; mprotect A p0 RW; write A p0',
    counts: [0, 1, 0, 0, 1],
  },
  {
    name: 'a uffd-wp fault counts only after it was woken',
    kernel: 'v6.1',
    program: 'mmap A p0; write A p0; uffd_reg A p0; wp A p0; write A p0; unwp A p0',
    counts: [0, 1, 0, 0, 1, 0],
  },
  {
    name: '.. once, although unwp has given write back: the fault that slept is retried as such',
    kernel: 'v6.18',
    program: 'mmap A p0; write A p0; uffd_reg A p0; wp A p0; write A p0; wake A p0; unwp A p0',
    counts: [0, 1, 0, 0, 1, 0, 0],
  },
  {
    name: 'GUP counts for its caller: an unshare, then a reuse by the store',
    kernel: 'v6.18',
    program: 'mmap A p0; write A p0; fork A->B; h=gup A p0 R PIN; put h; write A p0; h=gup A p0 W PIN',
    counts: [0, 1, 0, 1, 0, 1, 0],
  },
  {
    name: 'a swap-in by read and the store after it',
    kernel: 'v6.1',
    program: 'mmap A p0; write A p0; pageout A p0; read A p0; write A p0',
    counts: [0, 1, 0, 1, 1],
  },
  {
    name: 'a huge page: one fault for all, and one more per quarter after a split of a shared one',
    kernel: 'v6.18',
    program: 'mmap A p0..p3 thp; write A p0; write A p1; fork A->B; write A p0; write A p1',
    counts: [0, 1, 0, 0, 1, 1],
  },
];

describe('fault counts', () => {
  for (const { name, kernel, program, counts } of CASES) {
    it(name, () => assert.deepEqual(faults(kernel, program), counts));
  }

  it('start over with the program, and come back with a saved state', () => {
    const words = parseProgram('mmap A p0; write A p0; fork A->B; write A p0', ops);
    engine.configure({ kernel: 'v6.18', with: [], without: [] });
    engine.begin(words);
    assert.equal(engine.faults(1), 0);
    for (let i = 0; i < 3; i++) engine.step(i, 4);
    const saved = engine.save();
    for (let again = 0; again < 2; again++) {
      engine.restore(saved);
      assert.equal(engine.faults(3), 0);
      engine.step(3, 4);
      assert.equal(engine.faults(3), 1);
    }
  });
});
