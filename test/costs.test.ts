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

  it('warn of calls in vain', () => {
    const asked = (kernel: string) => `${kernel} +judge.warnings`;
    const cases: readonly (readonly [program: string, idle: string, diligent: string])[] = [
      // A THP that somebody else maps ends the whole walk until v6.7.
      ['mmap A p0..p3 thp; write A p0; fork A->B; write A p1; madv_cold A p0..p3', 'v6.1', 'v6.12'],
      // The tail of a VMA looks for its neighbour at the wrong offset until v6.1.
      ['mmap A p0..p3; uffd_reg A p2 WP; uffd_reg A p1 WP', 'v6.1', 'v6.7'],
    ];
    for (const [program, idle, diligent] of cases) {
      assert.deepEqual(broken(program, idle), []);
      assert.deepEqual(broken(program, asked(idle)), ['call-in-vain'], program);
      assert.deepEqual(broken(program, asked(diligent)), [], program);
    }
    // What stands in the way: a pin, a child, a page written again, a hole that somebody waits for.
    for (const program of [
      'mmap A p0; h=gup A p0 W PIN; pageout A p0',
      'mmap A p0; write A p0; fork A->B; pageout A p0 madv',
      'mmap A p0; write A p0; madv_free A p0; write A p0; pageout A p0',
      'mmap A p0..p3; write A p0; uffd_reg A p0..p3 MISSING; collapse A p0..p3',
      'mmap A p0..p3; write A p0; h=gup A p0 R GET; migrate A p0; collapse A p0..p3',
      'mmap A p0; h=gup A p0 W PIN; mmap A p1; write A p1 same; mergeable A p0..p7; ksm_merge',
    ])
      assert.deepEqual(broken(program, asked('repaired')), [], program);
  });

  it('warn of faults that nothing asked for', () => {
    const asked = (kernel: string) => `${kernel} +judge.warnings`;
    // What the thread was about: enforced COW makes a read GUP fault, whatever it finds.
    const read = 'mmap A p0; read A p0; h=gup A p0 R GET';
    for (const kernel of ['v5.7', 'v5.9', 'repaired']) assert.deepEqual(broken(read, asked(kernel)), [], kernel);
    assert.deepEqual(broken(read, asked('v5.8')), ['needless-fault']);
    // Restored protection is used for the next store at once, as far as the kernel can tell.
    const opened = 'mmap A p0; write A p0; mprotect A p0 R; mprotect A p0 RW';
    assert.deepEqual(broken(opened, asked('v6.12')), []);
    assert.deepEqual(broken(opened, asked('v6.12 -mprotect.upgrades_write')), ['needless-fault']);
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
