// How near each step of a finding came, within the finding's own scope: what a report's bars show.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import { LATE, type Outlook, OWN_LIMITS, ownProspects } from '../src/explore/own-prospects.js';
import { ownScope } from '../src/explore/own-scope.js';
import { Trial } from '../src/findings/trial.js';
import { CORPUS } from '../src/score/corpus.js';
import { parseProgram } from '../src/text/parse.js';
import { sampled } from './sampled.js';

const engine = loadEngine();
const search = loadEngine();
const { catalogue } = engine;
const kernel = (name: string) => ({ kernel: name, with: [], without: [] });

function wordsOf(text: string): Uint32Array {
  return parseProgram(text, catalogue.ops);
}

function look(name: string, text: string, limits = OWN_LIMITS, signal?: AbortSignal): Promise<Outlook> {
  const [words, spec] = [wordsOf(text), kernel(name)];
  const [first] = new Trial(engine, catalogue.vector(spec)).run(words).verdict.violations;
  assert.ok(first, `${text} breaks nothing on ${name}`);
  return ownProspects(engine, search, { words, spec, invariant: first.invariant }, limits, signal);
}

async function prospects(name: string, text: string) {
  const outlook = await look(name, text);
  assert.ok('prospects' in outlook, 'why' in outlook ? outlook.why : '');
  return outlook.prospects;
}

const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';

describe('how near each step of a finding came', () => {
  it('has a place for reads of handles, which show what is broken already', async () => {
    const { steps, decisive } = await prospects('v5.7', WRONG_SIDE);
    assert.deepEqual(
      steps.map(({ distance }) => distance),
      [6, 5, 4, 3, 2, 1, 0, 0],
    );
    assert.deepEqual(
      steps.map(({ text }) => text.split(' ')[0]),
      ['', 'mmap', 'write', 'fork', 'h=gup', 'munmap', 'write', 'hread'],
    );
    assert.equal(decisive, 5);
  });

  it('counts steps, not operations, where two run at once', async () => {
    const { steps } = await prospects('v5.7', 'mmap A p0; write A p0; [write A p0 || clear_refs A]@2');
    assert.deepEqual(
      steps.map(({ distance }) => distance),
      [3, 2, 1, 0],
    );
    assert.match(steps[3]!.text, /^\[write A p0 \|\| clear_refs A\]@2$/);
  });

  it('is what random programs of the scope do', async () => {
    const words = wordsOf(WRONG_SIDE);
    const { alphabet } = ownScope(catalogue.ops, words);
    const { steps } = await prospects('v5.7', WRONG_SIDE);
    const samples = 8000;
    const leak = catalogue.invariants.find(({ slug }) => slug === 'cow-leak')!.id;
    for (const step of [1, 3, 5]) {
      const { probability } = steps[step]!;
      const share = sampled(engine, kernel('v5.7'), alphabet, words.subarray(0, step), leak, samples);
      const error = Math.sqrt((probability * (1 - probability)) / samples);
      assert.ok(Math.abs(share - probability) < 4 * error, `step ${step}: ${share}, not ${probability} +- ${error}`);
    }
  });

  it('is known of most classics, nearer by at most one with each step', async () => {
    let known = 0;
    for (const { id, trigger, spec, warning } of CORPUS) {
      if (warning) continue;
      const words = wordsOf(trigger);
      const [first] = new Trial(engine, catalogue.vector(spec)).run(words).verdict.violations;
      const program = { words, spec, invariant: first!.invariant };
      const outlook = await ownProspects(engine, search, program, { states: 20_000, transitions: 300_000 });
      if ('why' in outlook) continue;
      known++;
      const distances = outlook.prospects.steps.map(({ distance }) => distance ?? 99);
      assert.ok(
        distances.every((near, i) => i === 0 || near >= distances[i - 1]! - 1),
        `${id}: ${distances}`,
      );
      assert.equal(distances.at(-1), 0, id);
    }
    assert.ok(known > CORPUS.length / 2, `${known} of ${CORPUS.length}`);
  });

  it('says why it is not known', async () => {
    const why = async (outlook: Promise<Outlook>) => {
      const told = await outlook;
      return 'why' in told ? told.why : 'known';
    };
    const small = { states: 10, transitions: 1000 };
    assert.equal(
      await why(look('v5.7', WRONG_SIDE, small)),
      'its scope does not close within 10 states and 1000 transitions',
    );
    assert.equal(await why(look('v5.7', WRONG_SIDE, OWN_LIMITS, AbortSignal.abort())), LATE);
    const stray = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; uffd_unreg A p0; write A p0';
    const writable = { words: wordsOf(stray), spec: kernel('v5.7'), invariant: 1 };
    assert.equal(
      await why(ownProspects(engine, search, writable)),
      'step 5 already breaks wp-stray, where a search ends',
    );
  });
});
