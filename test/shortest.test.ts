import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadEngine } from '../src/engine/engine.js';
import type { KernelSpec } from '../src/engine/types.js';
import { alphabet } from '../src/explore/alphabet.js';
import { drawPrograms, measureCosts } from '../src/explore/costs.js';
import { makeSubject } from '../src/explore/make.js';
import { parseScope } from '../src/explore/scope.js';
import { shortestFindings } from '../src/explore/shortest.js';
import type { BrokenPath, ExploreResult } from '../src/explore/types.js';
import { boundText, exhaustedText, omissionText, outcomeOf, verdictText } from '../src/explore/verdict.js';
import { parseProgram } from '../src/text/parse.js';

const engine = loadEngine();
const { catalogue } = engine;

function kernel(name: string): KernelSpec {
  return { kernel: name, with: [], without: [] };
}

function path(spec: KernelSpec, text: string): BrokenPath {
  const program = parseProgram(text, catalogue.ops);
  engine.configure(spec);
  return { program, mask: engine.mask(program) };
}

function result(changes: Partial<ExploreResult> = {}): ExploreResult {
  return {
    ended: 'closed',
    levels: [1, 3, 9],
    states: 13,
    transitions: 1234,
    depth: 2,
    violations: [],
    exhausted: 0,
    bytes: { visited: 0, frontier: 0 },
    omission: 0,
    seconds: 1,
    ...changes,
  };
}

const EVENT = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; h=gup A p0 R GET';

describe('a verdict', () => {
  it('says what was proved, and up to where', () => {
    const broken = [path(kernel('v5.8'), EVENT)];
    assert.equal(verdictText(result(), 0), 'closed: 13 states, 1,234 transitions, diameter 2, no promise broken');
    assert.equal(outcomeOf(result()), 'clean');
    const bounded = result({ ended: 'time' });
    assert.equal(
      verdictText(bounded, 0),
      'no promise broken up to depth 2 (13 states, 1,234 transitions); the time is up',
    );
    assert.equal(outcomeOf(bounded), 'bounded');
    assert.match(
      verdictText(result({ violations: broken }), 1),
      /^closed: .*, 1 promise broken; nothing was searched past/,
    );
    assert.match(
      verdictText(result({ violations: broken, ended: 'violated' }), 2),
      /^2 promises broken; searched up to depth 2 \(13 states, .*; what was looked for is found$/,
    );
    assert.equal(outcomeOf(result({ violations: broken, ended: 'depth' })), 'broken');
  });

  it('never leaves out its bound', () => {
    const scope = parseScope('mms=1,pages=2,pins=0');
    const bound = {
      spec: { ...kernel('seed'), with: ['copy.keeps_uffd_wp'] },
      scope,
      operations: 12,
      concurrent: 0,
      spared: 0,
      symmetry: 'mms',
    } as const;
    const text = boundText(catalogue, bound);
    for (const part of [
      'seed +copy.keeps_uffd_wp',
      '1 process',
      '2 pages',
      'no GUP',
      '24 page frames',
      '12 operations',
    ])
      assert.ok(text.includes(part), `${part}: ${text}`);
  });

  it('reports what the reduction of schedules saved', () => {
    const scope = parseScope('pairs=1');
    const bound = {
      spec: kernel('seed'),
      scope,
      operations: 12,
      concurrent: 198,
      spared: 1210,
      symmetry: 'full',
    } as const;
    assert.match(
      boundText(catalogue, bound),
      /12 operations and two at once by 198 of 1,408 schedules \(.*\), tried in every state/,
    );
  });

  it('tells what may be missing', () => {
    assert.equal(omissionText(result(), 'exact'), '');
    assert.match(omissionText(result({ omission: 2.5e-7 }), 'exact'), /13 states .* probability 2\.5e-7 at most/);
    assert.match(omissionText(result({ omission: 0.0125 }), 'bits'), /0\.013 of the states/);
    assert.equal(exhaustedText(catalogue, result()), '');
    assert.match(exhaustedText(catalogue, result({ exhausted: 3 })), /^3 transitions found the 24 page frames/);
  });
});

describe('the broken paths of a search', () => {
  it('are one finding for each invariant and cause', () => {
    const spec = kernel('seed');
    const program = 'mmap A p0 anon; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0';
    const twins = [program, program.replace('munmap B p0', 'dontneed B p0'), program.replace('munmap B p0', 'exit B')];
    const other = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0; h=gup A p0 R GET';
    const found = shortestFindings(
      engine,
      spec,
      [...twins, other].map((text) => path(spec, text)),
    );
    assert.deepEqual(
      found.map(({ slug, length }) => [slug, length]),
      [
        ['wp-writable', 6],
        ['cow-leak', 6],
      ],
    );
    assert.equal(found[1]!.program, program);
    const flips = found[1]!.diagnosis.cures.flatMap((cure) => cure.flips.map(({ knob }) => knob.name));
    assert.ok(flips.includes('follow_pte.checks_bc'), flips.join());
  });

  it('that break nothing are an error of the search', () => {
    const fake = { program: parseProgram('mmap A p0; write A p0', catalogue.ops), mask: 1 << 3 };
    assert.throws(() => shortestFindings(engine, kernel('seed'), [fake]), /breaks nothing: mmap A p0 anon; write A p0/);
  });
});

describe('costs', () => {
  const cost = (name: string, text: string) =>
    measureCosts(engine, catalogue.kernel(name).vector, [parseProgram(text, catalogue.ops)]);

  it('count a copy, but no fresh page in place of the zero page', () => {
    assert.equal(cost('v5.9', 'mmap A p0; write A p0; fork A->B; write A p0').copies, 1);
    assert.equal(cost('v5.9', 'mmap A p0; read A p0; write A p0').copies, 0);
    assert.equal(cost('v5.9', 'mmap A p0..p3 thp; read A p0; write A p0').copies, 0);
  });

  it('call a copy needless if nobody else used the page', () => {
    const swapped = 'mmap A p0; write A p0; pageout A p0; read A p0; write A p0';
    assert.deepEqual([cost('v5.9', swapped).copies, cost('v5.9', swapped).needless], [1, 1]);
    assert.equal(cost('repaired', swapped).needless, 0);
    const shared = 'mmap A p0; write A p0; fork A->B; write A p0';
    assert.equal(cost('v5.9', shared).needless, 0);
    const held = 'mmap A p0; write A p0; h=gup A p0 R GET; fork A->B; exit B; write A p0';
    assert.equal(cost('v5.9', held).copies, 1);
    assert.equal(cost('v5.9', held).needless, 0);
  });

  it('tell events on reads', () => {
    const { events, readEvents, gupRetries } = cost('v5.8', EVENT);
    assert.deepEqual([events, readEvents, gupRetries], [1, 1, 1]);
    assert.equal(cost('v5.9', EVENT).events, 0);
    assert.equal(cost('v5.8', EVENT.replace('h=gup A p0 R GET', 'write A p0')).readEvents, 0);
  });

  it('are of the same programs, whatever was asked before', () => {
    const programs = drawPrograms(engine, 7n, 40);
    measureCosts(engine, catalogue.kernel('v5.8').vector, programs);
    assert.deepEqual(drawPrograms(engine, 7n, 40), programs);
    assert.notDeepEqual(drawPrograms(engine, 8n, 40), programs);
    assert.ok(programs.every(({ length }) => length > 0 && length <= 32));
    const vector = catalogue.kernel('v5.9').vector;
    assert.deepEqual(measureCosts(engine, vector, programs), measureCosts(engine, vector, programs));
  });
});

describe('a search that breaks much', () => {
  it('forgets no promise for another one', () => {
    const { alphabet: words, ...rest } = alphabet(catalogue, parseScope('gup=none'));
    const vector = catalogue.kernel('v5.7').vector;
    const spec = { kind: 'engine', vector, alphabet: words, symmetry: 'none', ...rest } as const;
    const subject = makeSubject(spec);
    const entry = (text: string) => Uint16Array.from(parseProgram(text, catalogue.ops), (word) => words.indexOf(word));
    // fork breaks wp-stray; so often that there would be no room for the wp-lost of swapoff.
    const often = entry('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; read A p0');
    const once = entry('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0');
    const entries = Uint16Array.from([...Array.from({ length: 1500 }, () => [...often]), [...once]].flat());
    subject.expand(new Uint8Array(entries.buffer), 1501, 5);
    const masks = new Set(subject.takeViolations().map(({ mask }) => mask));
    const bit = (slug: string) => 1 << catalogue.invariants.find((invariant) => invariant.slug === slug)!.id;
    assert.deepEqual(
      [...masks].sort((a, b) => a - b),
      [bit('wp-lost'), bit('wp-stray')],
    );
  });
});
