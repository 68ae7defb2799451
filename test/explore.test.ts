import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../src/errors.js';
import { explore } from '../src/explore/explore.js';
import { SearchError } from '../src/explore/threads.js';
import type { ExploreOptions, ExploreProgress, ExploreResult } from '../src/explore/types.js';
import { comparePrograms } from '../src/explore/violations.js';
import { brokenMask, successor, type Toy } from './toy-subject.js';

const MODULE = new URL('./toy-subject.js', import.meta.url).href;
const MIB = 1 << 20;
const FIRST_LINES = 64;

const BASE: ExploreOptions = {
  subject: { kind: 'small', symmetry: 'none', mutants: 0, lanes: false },
  workers: 1,
  memory: 64 * MIB,
  visited: { kind: 'exact' },
};

function search(toy: Toy, options: Partial<ExploreOptions> = {}, firstLines = FIRST_LINES): Promise<ExploreResult> {
  return explore({ ...BASE, ...options }, { module: MODULE, data: toy, firstLines });
}

interface Graph {
  readonly levels: number[];
  readonly transitions: number;
  /** All shortest programs by invariant. */
  readonly broken: Map<number, string[]>;
}

/**
 * The same search with a Set of JavaScript; `whole`: also beyond the level that first breaks something. `depth`: levels
 * at most.
 */
function reference(toy: Toy, whole = false, depth = Number.POSITIVE_INFINITY): Graph {
  const seen = new Set([0]);
  const broken = new Map<number, string[]>();
  const levels = [1];
  let transitions = 0;
  let level: { node: number; program: number[] }[] = [{ node: 0, program: [] }];
  while (level.length > 0 && levels.length <= depth && (whole || broken.size === 0)) {
    const next: typeof level = [];
    const found = new Map<number, string[]>();
    for (const { node, program } of level) {
      for (let op = 0; op < toy.degree; op++) {
        const to = successor(toy, node, op);
        transitions++;
        const mask = brokenMask(toy, to);
        for (const invariant of [1, 2]) {
          if (to === node || !((mask >> invariant) & 1) || broken.has(invariant)) continue;
          found.set(invariant, [...(found.get(invariant) ?? []), [...program, op].join()]);
        }
        if (mask !== 0 || seen.has(to)) continue;
        seen.add(to);
        next.push({ node: to, program: [...program, op] });
      }
    }
    for (const [invariant, programs] of found) broken.set(invariant, programs);
    if (next.length > 0) levels.push(next.length);
    level = next;
  }
  return { levels, transitions, broken };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

const graphs = fc.record({
  nodes: fc.integer({ min: 1, max: 4000 }),
  degree: fc.integer({ min: 1, max: 6 }),
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  batch: fc.integer({ min: 1, max: 200 }),
});

describe('explore', () => {
  it('visits the same graph as a Set does, on any number of threads', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, fc.integer({ min: 1, max: 3 }), async (toy, workers) => {
        const { levels, transitions } = reference(toy);
        const result = await search(toy, { workers }, 1);
        assert.equal(result.ended, 'closed');
        assert.deepEqual(result.levels, levels);
        assert.equal(result.transitions, transitions);
        assert.equal(result.states, sum(levels));
        assert.equal(result.depth, levels.length - 1);
        assert.deepEqual(result.violations, []);
      }),
      { numRuns: 25 },
    );
  });

  it('depth-first visits the same graph, on any number of threads', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, fc.integer({ min: 1, max: 3 }), async (graph, workers) => {
        const toy = { ...graph, flat: true };
        const { levels, transitions } = reference(toy);
        const result = await search(toy, { workers, order: 'depth' }, 1);
        assert.equal(result.ended, 'closed');
        assert.equal(result.transitions, transitions);
        assert.equal(result.states, sum(levels));
        assert.ok(result.deepest! >= levels.length - 1);
      }),
      { numRuns: 25 },
    );
  });

  it('one thread goes depth-first as a recursive search does', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, async (toy) => {
        const seen = new Set([0]);
        let deepest = 0;
        const stack = [{ node: 0, op: 0 }];
        while (stack.length > 0) {
          const top = stack.at(-1)!;
          if (top.op === toy.degree) {
            stack.pop();
            continue;
          }
          const to = successor(toy, top.node, top.op++);
          if (seen.has(to)) continue;
          seen.add(to);
          stack.push({ node: to, op: 0 });
          deepest = Math.max(deepest, stack.length - 1);
        }
        assert.equal((await search({ ...toy, flat: true }, { order: 'depth' })).deepest, deepest);
      }),
      { numRuns: 15 },
    );
  });

  for (const late of [false, true]) {
    it(`finds the shortest programs ${late ? 'where only collect sees what broke' : 'that break a promise'}`, async () => {
      const cases = fc.tuple(graphs, fc.integer({ min: 20, max: 900 }), fc.integer({ min: 1, max: 3 }), fc.boolean());
      await fc.assert(
        fc.asyncProperty(cases, async ([graph, bad, workers, whole]) => {
          const toy = { ...graph, bad, late };
          const { levels, transitions, broken } = reference(toy, whole);
          const result = await search(toy, { workers, ...(whole ? { until: 0 } : {}) });
          assert.equal(result.ended, whole || broken.size === 0 ? 'closed' : 'violated');
          assert.deepEqual(result.levels, levels);
          assert.equal(result.transitions, transitions);
          for (const invariant of [1, 2]) {
            const all = broken.get(invariant) ?? [];
            const got = result.violations.filter(({ mask }) => (mask >> invariant) & 1);
            assert.equal(got.length > 0, all.length > 0, `invariant ${invariant}`);
            const shortest = all[0]?.split(',').length;
            if (whole) assert.ok(got.some(({ program }) => program.length === shortest) || all.length === 0);
            else for (const { program } of got) assert.equal(program.length, shortest);
            // Where candidates never break, each violating step of a level is seen, whoever found its state.
            if (!late && !whole) assert.equal(got.length, Math.min(64, all.length));
          }
          assert.equal(
            result.depth,
            Math.min(levels.length - 1, ...[...broken.values()].map(([p]) => p!.split(',').length - 1)),
          );
        }),
        { numRuns: 25 },
      );
    });
  }

  it('keeps the smallest programs, at most 64 of an invariant, the same each time on one thread', async () => {
    const toy: Toy = { nodes: 30_000, degree: 6, seed: 5, bad: 7 };
    const first = await search(toy, { until: 0 });
    const again = await search(toy, { until: 0 }, 4096);
    assert.deepEqual(again.violations, first.violations);
    for (const invariant of [1, 2]) {
      const programs = first.violations.filter(({ mask }) => (mask >> invariant) & 1).map(({ program }) => program);
      const all = reference(toy, true).broken.get(invariant)!;
      assert.equal(programs.length, Math.min(64, all.length));
      for (let i = 1; i < programs.length; i++) assert.ok(comparePrograms(programs[i - 1]!, programs[i]!) < 0);
    }
  });

  it('stops at the depth asked for, with that level whole', async () => {
    const toy: Toy = { nodes: 100_000, degree: 3, seed: 1 };
    const { levels } = reference(toy, false, 5);
    const result = await search(toy, { depth: 5, workers: 2 });
    assert.equal(result.ended, 'depth');
    assert.deepEqual(result.levels, levels);
    assert.equal(result.transitions, 3 * sum(levels.slice(0, 5)));
    assert.equal(result.depth, 5);
    const cut = await search(toy, { depth: 5, order: 'depth' });
    assert.equal(cut.ended, 'depth');
    assert.equal(cut.deepest, 5);
  });

  it('ends where memory ends, at a whole level, and keeps what broke', async () => {
    const toy: Toy = { nodes: 1_000_000, degree: 3, seed: 3, bad: 100_003, batch: 2000 };
    const memory = 6 * MIB;
    for (const workers of [1, 2]) {
      const result = await search(toy, { memory, workers, until: 0 });
      assert.equal(result.ended, 'memory');
      assert.ok(result.levels.length > 5 && result.states > 10_000, `${result.states} states`);
      assert.deepEqual(result.levels, reference(toy, true, result.levels.length - 1).levels);
      assert.equal(result.transitions, 3 * (result.states - result.levels.at(-1)!));
      assert.ok(result.bytes.visited + result.bytes.frontier <= memory);
    }
    const dive = await search(toy, { memory, order: 'depth' });
    assert.equal(dive.ended, 'memory');
  });

  it('ends when time is up, with whole levels only', async () => {
    const toy: Toy = { nodes: 1_000_000, degree: 3, seed: 3, slow: 2, batch: 16 };
    const result = await search(toy, { timeMs: 700, workers: 2 });
    assert.equal(result.ended, 'time');
    assert.ok(result.seconds < 5, `${result.seconds} s`);
    assert.deepEqual(result.levels, reference(toy, false, result.levels.length - 1).levels);
  });

  for (const order of ['breadth', 'depth'] as const) {
    it(`${order}: an interrupt ends it within a second`, async () => {
      const toy: Toy = { nodes: 1_000_000, degree: 3, seed: 3, slow: 2, batch: 16 };
      const abort = new AbortController();
      let at = 0;
      const told: ExploreProgress[] = [];
      const onProgress = (progress: ExploreProgress) => {
        told.push(progress);
        if (told.length < 3) return;
        at ||= performance.now();
        abort.abort();
      };
      const result = await search(toy, { signal: abort.signal, workers: 2, order, onProgress });
      assert.ok(performance.now() - at < 1000);
      assert.equal(result.ended, 'interrupted');
      assert.ok(result.states > 0);
      assert.ok(told.every((now, i) => i === 0 || now.states >= told[i - 1]!.states));
      const { states, bytes, frontier, expanded } = told.at(-1)!;
      assert.ok(states > 1 && bytes > 0 && expanded <= Math.max(frontier, expanded));
    });

    it(`${order}: a trap in a thread ends it with an error`, async () => {
      const toy: Toy = {
        nodes: 5000,
        degree: 3,
        seed: 3,
        trapAt: successor({ nodes: 5000, degree: 3, seed: 3 }, 0, 1),
      };
      for (const workers of [1, 3]) await assert.rejects(search(toy, { workers, order }), SearchError);
      await assert.rejects(search(toy, { order }), /unreachable/);
    });

    it(`${order}: a thread that dies ends it with an error`, async () => {
      const toy: Toy = {
        nodes: 5000,
        degree: 3,
        seed: 3,
        exitAt: successor({ nodes: 5000, degree: 3, seed: 3 }, 0, 1),
      };
      for (const workers of [1, 3]) await assert.rejects(search(toy, { workers, order }), SearchError);
    });
  }

  it('a subject that cannot be made ends it with an error', async () => {
    const hooks = { module: new URL('./no-such-subject.js', import.meta.url).href };
    await assert.rejects(explore({ ...BASE, workers: 2 }, hooks), SearchError);
  });

  it('the table grows during a level of two threads and loses nothing', async () => {
    // One long level: the root's neighbours are half of all nodes.
    const toy: Toy = { nodes: 60_000, degree: 64, seed: 9, batch: 300 };
    const { levels, transitions } = reference(toy);
    for (const workers of [1, 2, 3]) {
      const result = await search(toy, { workers }, 1);
      assert.deepEqual(result.levels, levels);
      assert.equal(result.transitions, transitions);
    }
  });

  it('fingerprints that crowd at few places are told apart', async () => {
    const toy: Toy = { nodes: 6000, degree: 3, seed: 2, placeBits: 2 };
    const { levels } = reference(toy);
    assert.deepEqual((await search(toy, { workers: 2 })).levels, levels);
  });

  it('a long chain of tiny levels', async () => {
    const result = await search({ nodes: 400, degree: 1, seed: 0, chain: true }, { workers: 2 });
    assert.equal(result.depth, 399);
    assert.equal(result.states, 400);
  });

  it('a filter of bits omits about as much as it says', async () => {
    const toy: Toy = { nodes: 200_000, degree: 8, seed: 4, batch: 1000, flat: true };
    const all = sum(reference(toy).levels);
    const wide = await search(toy, { visited: { kind: 'bits', log2: 27, hashes: 3 }, workers: 2 });
    assert.ok(wide.omission < 1e-5 && all - wide.states < 20, `${all - wide.states}, ${wide.omission}`);
    for (const order of ['breadth', 'depth'] as const) {
      const { states, omission } = await search(toy, { visited: { kind: 'bits', log2: 20, hashes: 2 }, order });
      const omitted = 1 - states / all;
      assert.ok(omitted > omission / 2 && omitted < omission * 2, `${order}: ${omitted}, said ${omission}`);
    }
  });

  it('refuses options that make no sense', async () => {
    const toy: Toy = { nodes: 10, degree: 1, seed: 0 };
    for (const options of [
      { workers: 0 },
      { workers: 1.5 },
      { memory: 1000 },
      { visited: { kind: 'bits', log2: 60, hashes: 3 } },
      { visited: { kind: 'bits', log2: 20, hashes: 0 } },
    ] as const)
      await assert.rejects(search(toy, options), UsageError);
  });
});
