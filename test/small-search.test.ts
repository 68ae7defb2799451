import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCSearch } from '../bench/peers/search.js';
import { findSpin, parse } from '../bench/peers/spin.js';
import { explore } from '../src/explore/explore.js';
import { loadSmall, SMALL_MUTANTS } from '../src/explore/small.js';
import type { ExploreOptions, Symmetry } from '../src/explore/types.js';

// One transition system, many checkers: all must see the same graph. This file takes about two minutes, most of them Spin's.

const SYMMETRIES: Symmetry[] = ['none', 'frames', 'mms', 'full'];
const OPS = 22;

type Search = Partial<Pick<ExploreOptions, 'workers' | 'order' | 'until' | 'depth'>> & {
  symmetry?: Symmetry;
  mutants?: number;
  lanes?: boolean;
};

function search({ symmetry = 'none', mutants = 0, lanes = true, ...options }: Search) {
  const subject = { kind: 'small', symmetry, mutants, lanes } as const;
  return explore({ subject, workers: 1, memory: 4e9, visited: { kind: 'exact' }, ...options });
}

const spin = await findSpin();
const c = await findCSearch();
const noSpin = 'unavailable' in spin && !process.env.CI ? spin.unavailable : false;
const noC = 'unavailable' in c && !process.env.CI ? c.unavailable : false;
// Spin's whole search takes a minute of one core: it goes on beside the tests that do not need it.
const spinWhole = 'unavailable' in spin ? undefined : spin.verify({ mode: 'depth' });
spinWhole?.catch(() => {});

describe('the graph of the small handler', () => {
  const whole = search({});
  const deep = whole.then(() => search({ order: 'depth' }));

  it('is the same by lanes and one state at a time, on one thread and on two, breadth- and depth-first', async () => {
    const expected = await whole;
    assert.equal(expected.ended, 'closed');
    assert.equal(expected.transitions, expected.states * OPS);
    const plain = await search({ lanes: false, workers: 2 });
    assert.deepEqual(plain.levels, expected.levels);
    const two = await search({ workers: 2 });
    assert.deepEqual(two.levels, expected.levels);
    for (const { ended, states, transitions, violations } of [plain, two, await deep])
      assert.deepEqual(
        { ended, states, transitions, violations },
        { ended: 'closed', states: expected.states, transitions: expected.transitions, violations: [] },
      );
  });

  it('is the same by the search in C', { skip: noC }, async () => {
    if ('unavailable' in c) assert.fail(c.unavailable);
    const { states, transitions, levels } = await whole;
    const { seconds, bytes, ...found } = await c.run({});
    assert.deepEqual(found, { states, transitions, depth: levels.length - 1, broken: undefined });
    assert.ok(seconds > 0 && bytes >= states * 8);
  });

  it('is the same by the search in C where the handler is wrong', { skip: noC }, async () => {
    if ('unavailable' in c) assert.fail(c.unavailable);
    const mutants = bits('fork-shares-pinned', 'unwp-restores-write', 'copy-drops-uffd');
    const { states, transitions, levels, violations } = await search({ mutants, until: 0 });
    const { seconds, bytes, ...found } = await c.run({ mutants, log2: 25 });
    const broken = violations[0]?.program.length;
    assert.deepEqual(found, { states, transitions, depth: levels.length - 1, broken });
    assert.notEqual(states, (await whole).states);
    assert.ok(broken);
  });

  it('is the same by Spin, down to the depth of its stack', { skip: noSpin }, async () => {
    if ('unavailable' in spin) assert.fail(spin.unavailable);
    const { states, transitions } = await whole;
    const { deepest } = await deep;
    const found = await spinWhole!;
    assert.deepEqual(
      { states: found.states, transitions: found.transitions, depth: found.depth, broken: found.broken },
      { states, transitions, depth: deepest, broken: undefined },
    );
  });

  it('is smaller with each symmetry, and the same on any threads', async () => {
    let before = (await whole).states;
    for (const symmetry of SYMMETRIES.slice(1)) {
      const { levels, states, transitions, ended } = await search({ symmetry });
      assert.ok(states < before, `${symmetry}: ${states}, before ${before}`);
      assert.equal(ended, 'closed');
      assert.equal(transitions, states * OPS);
      for (const lanes of [true, false])
        assert.deepEqual((await search({ symmetry, lanes, workers: 2 })).levels, levels, symmetry);
      for (const workers of [1, 2]) {
        const deep = await search({ symmetry, order: 'depth', workers });
        assert.deepEqual([deep.states, deep.transitions], [states, transitions], symmetry);
      }
      before = states;
    }
  });
});

/** Bits of the mutants of these names. */
function bits(...names: string[]): number {
  return names.reduce((mask, name) => {
    const index = SMALL_MUTANTS.findIndex((mutant) => mutant.name === name);
    assert.ok(index >= 0, name);
    return mask | (1 << index);
  }, 0);
}

/** Runs a program on the mutant, one op at a time; returns what its last step breaks. */
function replay(mutants: number, program: Uint32Array): number {
  const wasm = loadSmall('none', mutants);
  let state = 0n;
  for (const [i, op] of program.entries()) {
    assert.equal(wasm.broken(state), 0, `broken before step ${i}`);
    state = wasm.apply(state, op);
  }
  return wasm.broken(state);
}

describe('a wrong handler', () => {
  /** Steps to the first broken promise; undefined = none. */
  const LENGTHS: Record<string, number | undefined> = {
    'fork-keeps-write': 2,
    'fork-keeps-uffd': undefined,
    'fork-shares-pinned': undefined,
    'fork-copy-keeps-uffd': 3,
    'copy-drops-uffd': undefined,
    'copy-keeps-write': 3,
    'reuse-ignores-maps': 3,
    'reuse-ignores-pins': undefined,
    'reuse-takes-zero': 2,
    'reuse-counts-pin-as-map': undefined,
    'write-ignores-uffd': undefined,
    'uffd-keeps-write': 2,
    'unwp-restores-write': 5,
    // Only together: fork must share what is pinned before a pin can be taken for a map.
    'fork-shares-pinned+reuse-counts-pin-as-map': 3,
  };

  it('is known for each deviation', () => {
    const single = Object.keys(LENGTHS).filter((name) => !name.includes('+'));
    assert.deepEqual(
      single,
      SMALL_MUTANTS.map(({ name }) => name),
    );
  });

  for (const [name, length] of Object.entries(LENGTHS)) {
    const mutants = bits(...name.split('+'));

    it(`${name}: the verdict and the shortest programs are the same with any symmetry`, async () => {
      const programs: (readonly number[])[][] = [];
      for (const symmetry of SYMMETRIES) {
        const { ended, violations, depth } = await search({ symmetry, mutants, workers: symmetry === 'mms' ? 2 : 1 });
        assert.equal(ended, length === undefined ? 'closed' : 'violated', symmetry);
        if (length === undefined) assert.deepEqual(violations, [], symmetry);
        else {
          assert.equal(depth, length - 1);
          assert.ok(violations.length > 0);
        }
        for (const { program, mask } of violations) {
          assert.equal(program.length, length, symmetry);
          assert.equal(replay(mutants, program), mask, symmetry);
        }
        programs.push(violations.map(({ program }) => [...program]));
      }
      for (const other of programs) assert.deepEqual(other, programs[0]);
    });

    if (length === undefined) continue;
    it(`${name}: Spin and the search in C break it as soon`, { skip: noSpin || noC }, async () => {
      if ('unavailable' in spin) assert.fail(spin.unavailable);
      if ('unavailable' in c) assert.fail(c.unavailable);
      assert.equal((await spin.verify({ mode: 'breadth', mutants, log2: 20 })).broken, length);
      assert.equal((await c.run({ mutants, log2: 20, first: true })).broken, length);
    });
  }

  it('takes some step that the right one does not, but for the one that needs another', () => {
    const right = loadSmall('none', 0);
    const alike = SMALL_MUTANTS.filter((_, bit) => {
      const wrong = loadSmall('none', 1 << bit);
      let state = 0n;
      for (let step = 0, random = 1; step < 200_000; step++) {
        random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
        const op = (random >>> 16) % OPS;
        const next = wrong.apply(state, op);
        if (next !== right.apply(state, op)) return false;
        state = next;
      }
      return true;
    });
    assert.deepEqual(
      alike.map(({ name }) => name),
      ['reuse-counts-pin-as-map'],
    );
  });
});

describe('what Spin reports', () => {
  it('is not taken for a whole search when it was cut short', async (t) => {
    assert.throws(() => parse('error: max search depth too small\nerrors: 0'), /cut short/);
    if ('unavailable' in spin) return t.diagnostic(spin.unavailable);
    await assert.rejects(spin.verify({ mode: 'depth', maxDepth: 1000, log2: 20 }), /cut short/);
  });
});
