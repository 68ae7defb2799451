import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { RESULT, RESULT_NAMES } from '../src/engine/opword.js';
import type { KernelSpec } from '../src/engine/types.js';
import { UsageError } from '../src/errors.js';
import { Trial } from '../src/findings/trial.js';
import { CORPUS, type CorpusEntry, fixedSpec, nearlyFixedSpec } from '../src/score/corpus.js';
import { huntEntry, judgeFor, maskOf, runTwin, slugsOf, TWIN } from '../src/score/hunt.js';
import { chooseEntries, formatHeader, formatRow, formatScore, rowOf, runScore } from '../src/score/index.js';
import { printSpec } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';
import { printProgram } from '../src/text/print.js';

// The corpus's own programs replayed, and a short score. What each flaw is stands in src/score/corpus.ts.

const engine = loadEngine();
const { catalogue } = engine;
const COLUMNS = 110;

function entry(id: string): CorpusEntry {
  const found = CORPUS.find((candidate) => candidate.id === id);
  assert.ok(found, `no entry ${id}`);
  return found;
}

function words({ trigger }: CorpusEntry): Uint32Array {
  return parseProgram(trigger, catalogue.ops);
}

/** Slugs that the trigger breaks on a kernel, and the result of each op. */
function replay(one: CorpusEntry, spec: KernelSpec): { slugs: string[]; results: string[] } {
  judgeFor(engine, one);
  const { verdict, results } = new Trial(engine, catalogue.vector(spec)).run(words(one));
  return { slugs: slugsOf(engine, verdict.mask), results: [...results].map((code) => RESULT_NAMES[code] ?? 'not run') };
}

describe('the corpus', () => {
  it('names kernels, knobs and promises that exist', () => {
    assert.equal(new Set(CORPUS.map(({ id }) => id)).size, CORPUS.length, 'an id stands twice');
    const slugs = new Set(catalogue.invariants.map(({ slug }) => slug));
    for (const one of CORPUS) {
      assert.notDeepEqual(catalogue.vector(one.spec), catalogue.vector(fixedSpec(one)), `${one.id}: no fix`);
      for (const slug of [...one.slugs, ...(one.leaves ?? [])]) assert.ok(slugs.has(slug), `${one.id}: ${slug}`);
    }
  });

  for (const one of CORPUS) {
    describe(`${one.id} ${one.name}`, () => {
      it('has a program as long as the corpus says, that is read as it is printed', () => {
        const program = words(one);
        assert.equal(program.length, one.triggerLength + (one.addedOps ?? 0));
        assert.deepEqual(parseProgram(printProgram(program, catalogue.ops), catalogue.ops), program);
      });

      it(`breaks its promise on ${printSpec(one.spec)}`, () => {
        const { slugs } = replay(one, one.spec);
        assert.ok(
          slugs.some((slug) => one.slugs.includes(slug)),
          `broken: ${slugs.join(', ') || 'nothing'}`,
        );
      });

      it(`is cured by its fix${one.leaves ? `, which leaves ${one.leaves.join(', ')}` : ''}`, () => {
        assert.deepEqual(replay(one, fixedSpec(one)).slugs, one.leaves ?? []);
        const nearly = nearlyFixedSpec(one);
        if (nearly) assert.notDeepEqual(replay(one, nearly).slugs, [], `cured without ${one.decisive}`);
      });

      it('breaks nothing on repaired, where every op takes effect', () => {
        const { slugs, results } = replay(one, TWIN);
        assert.deepEqual(slugs, []);
        const taking = [RESULT.OK, RESULT.SLEEP, ...(one.refuses ? [RESULT.REFUSED, RESULT.FAULT] : [])];
        const effective: readonly (string | undefined)[] = taking.map((code) => RESULT_NAMES[code]);
        assert.deepEqual(
          results.filter((result) => !effective.includes(result)),
          [],
        );
      });
    });
  }
});

describe('score', () => {
  const OPTIONS = { seeds: 5, budget: 60_000, entries: ['T1-01', 'T1-02', 'T1-05', 'T2-17'] };
  const hunt = { seed: 1, firstShard: 0, budgetFaults: 60_000 };

  it('finds flaws again, no longer than the corpus, whatever the number of threads', async () => {
    const seen: string[] = [];
    const lines: string[] = [];
    const two = await runScore({
      ...OPTIONS,
      workers: 2,
      onEntry: ({ id }) => seen.push(id),
      onProgress: (line) => lines.push(line),
    });
    assert.deepEqual(seen, ['T1-01', 'T1-02', 'T1-05a', 'T1-05b', 'T2-17']);
    assert.equal(lines.length, seen.length * OPTIONS.seeds);
    for (const row of two.rows) {
      assert.ok(row.passed, formatRow(row));
      assert.ok(row.minimized && row.minimized.length <= row.corpusLength, formatRow(row));
      assert.ok(row.faults !== null && row.faults > 0 && row.faults <= OPTIONS.budget * 1.1, formatRow(row));
      assert.ok(row.twin.faults >= OPTIONS.seeds * OPTIONS.budget, 'the twin had less to endure');
      const program = parseProgram(row.minimized.program, catalogue.ops);
      const { spec } = entry(row.id);
      assert.notEqual(new Trial(engine, catalogue.vector(spec)).mask(program) & maskOf(engine, [row.slug]), 0);
      assert.equal(new Trial(engine, catalogue.vector(TWIN)).mask(program), 0);
    }
    assert.ok(two.complete);
    const one = await runScore({ ...OPTIONS, workers: 1 });
    assert.deepEqual(one.rows, two.rows);
  });

  it('holds one strategy against another on the same seeds', async () => {
    const options = { seeds: 2, budget: 20_000, entries: ['T1-02', 'T1-16'], workers: 2 };
    const { rows, factor } = await runScore({ ...options, against: 'random' });
    const random = await runScore({ ...options, strategy: 'random' });
    const own = await runScore(options);
    for (const [i, { against, ...row }] of rows.entries()) {
      assert.deepEqual(row, own.rows[i]);
      assert.equal(against?.found, random.rows[i]!.found);
      assert.ok(against && against.faults > against.own, 'uniform draws are no slower');
    }
    const ratios = rows.map(({ against }) => against!.faults / against!.own);
    assert.ok(Math.abs(factor! - Math.sqrt(ratios[0]! * ratios[1]!)) < 1e-6);
    assert.match(formatHeader('random'), / random$/);
  });

  it('does not find what is not there', () => {
    const cured = { ...entry('T1-01'), spec: TWIN };
    const { found, twin } = huntEntry(engine, { ...hunt, entry: cured });
    assert.equal(found, undefined);
    const row = rowOf(cured, [{ twin }]);
    assert.deepEqual([row.found, row.faults, row.passed], [0, null, false]);
  });

  it('takes for the flaw only what its own fix cures', () => {
    // v5.7 leaks all the same, but never because unregistering leaves uffd-wp behind.
    const wrong = { ...entry('T1-01'), fix: { with: ['unregister.clears_present'], without: [] } };
    assert.equal(huntEntry(engine, { ...hunt, entry: wrong }).found, undefined);
  });

  it('judges warnings only where they are what is looked for', () => {
    const cost = entry('T2-20');
    const silent = { ...cost, warning: false };
    assert.deepEqual(replay(silent, cost.spec).slugs, []);
    assert.equal(huntEntry(engine, { ...hunt, entry: silent }).found, undefined);
    const { found, twin } = huntEntry(engine, { ...hunt, entry: cost });
    assert.equal(found?.slug, 'softdirty-spurious');
    assert.equal(twin.alarm, undefined);
  });

  it('raises the alarm when the twin is not silent', () => {
    const one = entry('T1-01');
    const twin = runTwin(engine, { ...hunt, entry: one }, one.spec);
    assert.ok(twin.alarm && twin.alarm.slugs.length > 0);
    const { found } = huntEntry(engine, { ...hunt, entry: one });
    assert.ok(found);
    const row = rowOf(one, [{ found, twin }]);
    assert.equal(row.passed, false);
    assert.match(formatRow(row), /ALARM/);
    const text = formatScore({ rows: [row], complete: false, seconds: 1 });
    assert.ok(text.includes(twin.alarm.program));
  });

  it('misses an entry that most seeds do not find', () => {
    const one = entry('T1-01');
    const { found, twin } = huntEntry(engine, { ...hunt, entry: one });
    assert.ok(found);
    const [missed, kept] = [
      rowOf(one, [{ found, twin }, { twin }]),
      rowOf(one, [{ found, twin }, { found, twin }, { twin }]),
    ];
    assert.deepEqual([missed.passed, missed.faults], [false, null]);
    assert.deepEqual([kept.passed, kept.faults], [true, found.faults]);
    assert.deepEqual(kept.lengths, [found.length, found.length, null]);
  });

  it('prints rows that fit the page', () => {
    const twin = { programs: 1, faults: 1 };
    for (const one of CORPUS) {
      const row = { ...rowOf(one, [{ twin }]), faults: 1_000_000 };
      assert.ok(formatRow(row).length <= COLUMNS, formatRow(row));
    }
    assert.ok(formatHeader().length <= COLUMNS);
  });

  it('refuses what makes no sense', async () => {
    assert.throws(
      () => chooseEntries(['T1-1']),
      (error) => error instanceof UsageError && /T1-01/.test(error.message),
    );
    await assert.rejects(runScore({ seeds: 0 }), UsageError);
    await assert.rejects(runScore({ budget: 0.5 }), UsageError);
    await assert.rejects(runScore({ entries: ['T9-99'] }), UsageError);
  });
});
