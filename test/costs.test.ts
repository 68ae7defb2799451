import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import { parseSpec } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';

// Warnings: what costs and fails nothing.

const engine = loadEngine();
const { catalogue } = engine;

function broken(program: string, kernel: string): string[] {
  engine.configure(parseSpec(kernel));
  const { violations } = engine.run(parseProgram(program, catalogue.ops));
  return [...new Set(violations.map(({ invariant }) => catalogue.invariant(invariant).slug))];
}

const CLI = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const breakcow = (...args: string[]) => spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });

describe('costs', () => {
  it('warn of a copy that nobody needed, on request only', () => {
    // T2-04: the swap cache's own reference counts as a user until v5.17.
    const cached = 'mmap A p0; write A p0; pageout A p0; read A p0; write A p0';
    assert.deepEqual(broken(cached, 'v5.14'), []);
    const asked = (kernel: string) => `${kernel} +judge.warnings`;
    assert.deepEqual(broken(cached, asked('v5.14')), ['needless-copy']);
    assert.deepEqual(broken(cached, asked('v5.14 +reuse.swapcache_aware')), []);
    assert.deepEqual(broken(cached, asked('repaired')), []);
    // T3-01: the mappings of the whole huge page count as users of each of its pages.
    const summed = 'mmap A thp; write A p1; thp_split A p0..p3; mprotect A p1 R; mprotect A p1 RW; write A p1';
    assert.deepEqual(broken(summed, asked('v5.7 +reuse.uses_total_mapcount')), ['needless-copy']);
    assert.deepEqual(broken(summed, asked('v5.7')), []);
    // Whoever else may use the page is a reason: a child, a handle, an entry in swap; and so are zeroes.
    for (const reason of [
      'fork A->B',
      'h=gup A p0 R GET; mprotect A p0 R; mprotect A p0 RW',
      'fork A->B; pageout A p0; read A p0',
    ])
      assert.deepEqual(broken(`mmap A p0; write A p0; ${reason}; write A p0`, asked('v5.14')), [], reason);
    assert.deepEqual(broken('mmap A p0; read A p0; write A p0', asked('v5.14')), []);
  });

  it('tells costs on request, and fails nothing for them', () => {
    const run = breakcow('fuzz', '--kernel', 'repaired', '--warnings', '--programs', '8k', '--workers', '1');
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /costs,\s+which\s+fail\s+nothing/);
    assert.match(run.stdout, /needless-copy/);
    const program = 'mmap A p0; write A p0; pageout A p0; read A p0; write A p0';
    const replayed = breakcow('replay', '--kernel', 'v5.14', '--warnings', program);
    assert.equal(replayed.status, 0, replayed.stderr);
    assert.match(replayed.stdout, /Step 5 copies A's p0 although nobody else uses the page: a cost, no\s+failure/);
    assert.match(replayed.stdout, /=> a cost: needless-copy/);
    assert.match(breakcow('check', '--with', 'judge.warnings').stderr, /plain judges only/);
  });
});
