import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import { compareKernels, parseKernel, shortestOf } from '../src/explore/compare.js';
import { compareData, compareText } from '../src/explore/compare-text.js';
import { TABLE_COLUMNS } from '../src/report/columns.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const engine = loadEngine();
const { catalogue } = engine;

function options(depth: number) {
  return {
    workers: 2,
    memory: 2 ** 30,
    symmetry: 'full',
    visited: { kind: 'exact' },
    depth,
    seed: 1n,
    programs: 300,
  } as const;
}

describe('a kernel of a comparison', () => {
  it('is a name with knobs', () => {
    const cases: [text: string, plus: string[], minus: string[]][] = [
      ['dont-cow', [], []],
      ['break-cow-v3-followup', [], []],
      ['seed+wp_reuse.keeps_wp', ['wp_reuse.keeps_wp'], []],
      ['v5.9-fork.early_copy_pinned+follow_pte.checks_bc', ['follow_pte.checks_bc'], ['fork.early_copy_pinned']],
    ];
    for (const [text, plus, minus] of cases) {
      const spec = parseKernel(text);
      assert.deepEqual([spec.with, spec.without], [plus, minus], text);
      assert.ok(text.startsWith(spec.kernel));
      catalogue.vector(spec);
    }
  });
});

describe('compare', () => {
  it('tells reads and pins apart, and the debate of 2020', async () => {
    const names = ['v5.7', 'v5.8', 'seed', 'dont-cow', 'v5.19'];
    const comparison = await compareKernels(engine, names.map(parseKernel), options(6));
    const invariant = (slug: string) => catalogue.invariants.find((one) => one.slug === slug)!.id;
    const lengths = (slug: string, block: string) =>
      comparison.kernels.map((kernel) => shortestOf(kernel, block, invariant(slug))?.length);
    const [reads, pins] = ['GUP reads (GET)', 'with pins as well'];
    assert.deepEqual(lengths('wp-event-on-read', reads!), [undefined, 5, undefined, undefined, undefined]);
    assert.deepEqual(lengths('cow-leak', reads!), [6, 5, 6, 5, undefined]);
    assert.deepEqual(lengths('cow-leak', pins!), [4, 4, 4, 4, undefined]);
    assert.deepEqual(lengths('wp-writable', reads!), [undefined, undefined, 6, 5, undefined]);
    const text = compareText(catalogue, comparison);
    for (const line of text.split('\n')) assert.ok(line.length <= TABLE_COLUMNS, line);
    assert.match(text, /^GUP reads \(GET\) +v5\.7 +v5\.8 +seed +dont-cow +v5\.19$/m);
    assert.match(text, /^ {2}wp-event-on-read +kept +5 +kept +kept +kept$/m);
    assert.match(text, /^ {4}on reads +0 +[1-9]\d* +0 +0 +0$/m);
    assert.match(text, /^wp-event-on-read, 5: v5\.8\n {2}mmap A p0 anon; .*R GET$/m);
    assert.match(text, /^kept by all: .*tlb-stale/m);
    const { kernels } = compareData(catalogue, comparison);
    assert.deepEqual(
      kernels.map(({ kernel }) => kernel),
      names,
    );
    for (const { searches } of kernels)
      for (const { ended, levels } of searches) assert.deepEqual([ended, levels.length], ['depth', 7]);
    // The same programs on every kernel.
    assert.equal(new Set(kernels.map(({ costs }) => costs.ops)).size, 1);
  });

  it('does not call kept what was not searched', async () => {
    const abort = new AbortController();
    let started = 0;
    const comparison = await compareKernels(engine, ['v5.7', 'v5.8'].map(parseKernel), {
      ...options(6),
      programs: 10,
      signal: abort.signal,
      // Both scopes of the first block on the first kernel.
      onStart: () => {
        if (++started === 3) abort.abort();
      },
    });
    const text = compareText(catalogue, comparison);
    assert.match(text, /^ {2}cow-leak +6 +\?$/m);
    assert.match(text, /^not broken so far: /m);
    assert.doesNotMatch(text, /kept by all/);
  });

  it('is a command', () => {
    const run = (...args: string[]) => spawnSync(process.execPath, [BIN, 'compare', ...args], { encoding: 'utf8' });
    const scope = ['--scope', 'mms=1,swap=0', '--depth', '5', '--programs', '50'];
    const { status, stdout } = run('v5.8', 'v5.8-gup.as_write', ...scope, '--json');
    assert.equal(status, 0);
    const data: { kernels: { without: string[]; broken: { slug: string; length: number }[] }[] } = JSON.parse(stdout);
    assert.deepEqual(
      data.kernels.map(({ without, broken }) => [without, broken.map(({ slug, length }) => [slug, length])]),
      [
        [[], [['wp-event-on-read', 5]]],
        [['gup.as_write'], []],
      ],
    );
    const text = run('v5.8', 'v5.8-gup.as_write', ...scope).stdout;
    assert.match(text, /^promise broken, by +v5\.8 +v5\.8$/m);
    assert.match(text, /^ +-gup\.as_write$/m);
    const wrong: [args: string[], stderr: RegExp][] = [
      [['v5.8'], /two kernels or more/],
      [['v5.8', 'v5.8'], /v5\.8 is given twice/],
      [['v5.8', 'v5.99'], /unknown kernel "v5\.99"/],
      [['v5.8', 'v5.9+reuse.pagecount'], /did you mean reuse\.page_count/],
    ];
    for (const [args, stderr] of wrong) {
      const result = run(...args);
      assert.equal(result.status, 2, result.stderr);
      assert.match(result.stderr, stderr);
    }
  });
});
