import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Learned } from '../src/campaign/knowledge.js';
import { loadEngine } from '../src/engine/engine.js';
import { Fuzzer, type FuzzStrategy, type Knowledge } from '../src/engine/fuzzer.js';

const STRATEGIES: FuzzStrategy[] = ['guided', 'random', 'fresh'];

function fuzzerOf(kernel: string): Fuzzer {
  const engine = loadEngine();
  engine.configure({ kernel, with: [], without: [] });
  return new Fuzzer(engine);
}

/** Runs program `index` alone: its words, up to the violation where there is one. */
function program(fuzzer: Fuzzer, index: number): Uint32Array {
  const before = fuzzer.work().ops;
  fuzzer.run(index, 1);
  const words = new Uint32Array(fuzzer.engine.bytes('PROGRAM', 256).slice().buffer);
  return words.subarray(0, fuzzer.work().ops - before);
}

function learn(fuzzer: Fuzzer): Knowledge {
  const { catalogue } = fuzzer.engine;
  fuzzer.begin(9n, 0, 'guided', true);
  fuzzer.run(0, 2000);
  const learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'));
  learned.merge({ ...fuzzer.coverage(), novel: fuzzer.novel(), keys: fuzzer.keys() });
  return learned.snapshot();
}

describe('fuzzer', () => {
  for (const strategy of STRATEGIES) {
    it(`${strategy}: a program depends on seed, shard and index alone`, () => {
      const fuzzer = fuzzerOf('repaired');
      const knowledge = learn(fuzzer);
      const begin = (seed: bigint, shard: number) => fuzzer.begin(seed, shard, strategy, false, knowledge);
      begin(7n, 3);
      const row = Array.from({ length: 50 }, (_, index) => program(fuzzer, index));
      const other = fuzzerOf('repaired');
      other.begin(7n, 3, strategy, false, knowledge);
      for (const index of [49, 17, 0]) assert.deepEqual(program(other, index), row[index]);
      const starts: [bigint, number][] = [
        [8n, 3],
        [7n, 4],
        [(1n << 32n) + 7n, 3],
      ];
      for (const [seed, shard] of starts) {
        begin(seed, shard);
        const same = row.filter((words, index) => `${program(fuzzer, index)}` === `${words}`);
        assert.ok(same.length < 5, `${same.length} of 50 programs are the same`);
      }
    });

    it(`${strategy}: its words run again give the same verdict`, () => {
      const fuzzer = fuzzerOf('seed');
      const { engine } = fuzzer;
      fuzzer.begin(11n, 0, strategy, false, learn(fuzzer));
      let failed = 0;
      for (let index = 0; index < 3000; index++) {
        const words = program(fuzzer, index);
        const stopped = fuzzer.stopped();
        if (stopped) assert.deepEqual(stopped.words, words);
        const again = engine.run(words);
        assert.equal(again.mask, stopped?.mask ?? 0, `program ${index}`);
        if (stopped) assert.deepEqual(again.violations[0], stopped.violation);
        if (stopped) failed++;
      }
      assert.ok(failed > (strategy === 'random' ? 0 : 300), `${failed} failures`);
    });
  }

  it('mutates the corpus: with it programs are other ones than without', () => {
    const fuzzer = fuzzerOf('repaired');
    const knowledge = learn(fuzzer);
    assert.ok(knowledge.lengths.length > 50, `${knowledge.lengths.length} programs`);
    const programs = [undefined, knowledge].map((known) => {
      fuzzer.begin(5n, 0, 'guided', false, known);
      return Array.from({ length: 200 }, (_, index) => `${program(fuzzer, index)}`);
    });
    const same = programs[0]!.filter((words, index) => words === programs[1]![index]).length;
    assert.ok(same > 60 && same < 140, `${same} of 200 the same`);
  });

  it('reduces failures, and the reduced program breaks the same promise', () => {
    const fuzzer = fuzzerOf('seed');
    fuzzer.begin(3n, 0, 'guided', true);
    assert.equal(fuzzer.run(0, 4000), 4000);
    const failures = fuzzer.failures();
    assert.ok(failures.length > 20, `${failures.length} failures`);
    assert.equal(new Set(failures.map(({ key }) => key)).size, failures.length);
    for (const { words, reduced, violation, mask } of failures) {
      assert.ok(reduced.length <= words.length);
      assert.equal(fuzzer.engine.run(reduced).violations[0]!.invariant, violation.invariant);
      assert.equal(fuzzer.engine.run(words).mask, mask);
      for (let skip = 0; skip < reduced.length; skip++) {
        const shorter = reduced.filter((_, i) => i !== skip);
        // Pairs come apart in other ways when an op goes; those are left to the real minimizer.
        if (reduced.some((word) => (word & (1 << 25)) !== 0) || shorter.length === 0) continue;
        assert.notEqual(fuzzer.engine.run(shorter).violations[0]?.invariant, violation.invariant);
      }
    }
  });

  it('does not report a shape twice', () => {
    const fuzzer = fuzzerOf('v5.7');
    fuzzer.begin(3n, 0, 'guided', true);
    fuzzer.run(0, 1000);
    const first = fuzzer.failures().map(({ key }) => key);
    const keys = fuzzer.keys();
    assert.ok(first.length > 5);
    const { catalogue } = fuzzer.engine;
    const learned = new Learned(catalogue.at('COVERAGE_SIZE'), catalogue.at('STATES_SIZE'));
    learned.merge({ ...fuzzer.coverage(), novel: [], keys });
    fuzzer.begin(3n, 0, 'guided', true, learned.snapshot());
    fuzzer.run(0, 1000);
    const known = new Set(first);
    assert.deepEqual(
      fuzzer.failures().filter(({ key }) => known.has(key)),
      [],
    );
  });

  it('the digest tells a changed kernel, and only that', () => {
    const digest = (fuzzer: Fuzzer) => {
      fuzzer.begin(1n, 1, 'fresh', false);
      for (let index = 0; index < 500; index++) fuzzer.run(index, 1);
      return fuzzer.digest();
    };
    const repaired = digest(fuzzerOf('repaired'));
    assert.equal(digest(fuzzerOf('repaired')), repaired);
    assert.notEqual(digest(fuzzerOf('v6.1')), repaired);
  });

  it('refuses a seed that is too wide', () => {
    assert.throws(() => fuzzerOf('seed').begin(1n << 64n, 0, 'fresh', false), RangeError);
    assert.throws(() => fuzzerOf('seed').begin(-1n, 0, 'fresh', false), RangeError);
  });
});
