import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import { SCENARIOS } from '../src/scenarios/table.js';
import { Watcher } from '../src/scenarios/watch.js';
import { parseProgram } from '../src/text/parse.js';

/** A program that reaches the scenario, and one that misses it by its last milestone. */
const PROGRAMS: Readonly<Record<string, readonly [reaches: string, misses: string]>> = {
  'a pin survives fork': [
    'mmap A p0; write A p0; h=gup A p0 W PIN; fork A->B; write A p0',
    'mmap A p0; write A p0; h=gup A p0 W PIN; fork A->B; write B p0',
  ],
  'a pin survives reclaim': [
    'mmap A p0; h=gup A p0 W PIN; pageout A p0; write A p0',
    'mmap A p0..p3; h=gup A p0 W PIN; pageout A p1; write A p0',
  ],
  'uffd-wp through swap and back': [
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0; read A p0',
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0; unwp A p0; read A p0',
  ],
  'uffd-wp through swapoff': [
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0; swapoff',
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; pageout A p0; read A p0',
  ],
  'soft-dirty through swap and back': [
    'mmap A p0; clear_refs A; write A p0; pageout A p0; read A p0',
    'mmap A p0; clear_refs A; write A p0; pageout A p0; write A p1',
  ],
  'reuse after the sharer exits': [
    'mmap A p0; write A p0; fork A->B; exit B; write A p0',
    'mmap A p0; write A p0; fork A->B; write A p0; exit B',
  ],
  'the last of three takes the page': [
    'mmap A p0; write A p0; fork A->B; fork A->C; exit B; munmap C p0; write A p0',
    'mmap A p0; write A p0; fork A->B; fork A->C; exit B; write A p0',
  ],
  'a read pin unshares': [
    'mmap A p0; write A p0; fork A->B; h=gup A p0 R PIN',
    'mmap A p0; write A p0; fork A->B; h=gup A p0 R GET',
  ],
  'a long-term pin of the zero page': [
    'mmap A p0; read A p0; h=gup A p0 R PIN LONGTERM',
    'mmap A p0; read A p0; h=gup A p0 R PIN',
  ],
  'a sleeper finishes its store': [
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; unwp A p0',
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; unwp A p1',
  ],
  'a marker becomes a protected page': [
    'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0; read A p0; unwp A p0; write A p0',
    'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0; unwp A p0; write A p0',
  ],
  'a pinned THP is split': [
    'mmap A p0..p3 thp; write A p0; h=gup A p0 W PIN; thp_split A p0..p3; write A p0',
    'mmap A p0..p3 thp; write A p0; h=gup A p0 W PIN; thp_split A p0..p3; write A p1',
  ],
  'a THP through swap': [
    'mmap A p0..p3 thp; write A p0; pageout A p0..p3; read A p2',
    'mmap A p0..p3; write A p0; pageout A p0..p3; read A p0',
  ],
  'mprotect gives the write bit back': [
    'mmap A p0; write A p0; mprotect A p0 R; mprotect A p0 RW',
    'mmap A p0; write A p0; fork A->B; mprotect A p0 R; mprotect A p0 RW',
  ],
  'a NUMA hint gives the write bit back': [
    'mmap A p0; write A p0; numa_hint A p0; read A p0',
    'mmap A p0; write A p0; numa_hint A p0; write A p0',
  ],
  'a copy meets a changed entry': [
    'mmap A p0; read A p0; [write A p0 || write A.2 p0]@212',
    'mmap A p0; read A p0; [write A p0 || read A.2 p0]@111',
  ],
  'a protected page moves': [
    'mmap A p0; write A p0; uffd_reg A p0 WP EVENT_REMAP; wp A p0; mremap A p0->p4',
    'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; mremap A p0->p4',
  ],
  'a freed page is kept by a store': [
    'mmap A p0; write A p0; madv_free A p0; write A p0; pageout A p0; pageout A p0',
    'mmap A p0; write A p0; madv_free A p0; pageout A p0; write A p0',
  ],
};

const engine = loadEngine();
const { ops } = engine.catalogue;
engine.configure({ kernel: 'repaired', with: [], without: [] });

function height(program: string, name: string): number {
  const heights = new Watcher(engine, SCENARIOS).watch(parseProgram(program, ops));
  return heights[SCENARIOS.findIndex((scenario) => scenario.name === name)]!;
}

describe('each scenario', () => {
  it('has a program that reaches it, and one that just misses it', () => {
    assert.deepEqual(
      SCENARIOS.map(({ name }) => name),
      Object.keys(PROGRAMS),
    );
  });

  for (const { name, stages } of SCENARIOS) {
    const [reaches, misses] = PROGRAMS[name]!;
    it(`${name}: is reached by its program`, () => {
      assert.equal(height(reaches, name), stages.length);
    });
    it(`${name}: is not reached by one that misses it`, () => {
      assert.ok(height(misses, name) < stages.length);
    });
  }
});

describe('a watcher', () => {
  it('counts programs, and keeps the shortest of those that came nearest', () => {
    const watcher = new Watcher(engine, SCENARIOS);
    const [reaches, misses] = PROGRAMS['a pin survives fork']!;
    for (const program of [`${misses}; put h`, misses, 'mmap A p0; read A p0'])
      watcher.watch(parseProgram(program, ops));
    const before = watcher.report()[0]!;
    assert.deepEqual([before.programs, before.nearest?.reached], [0, 2]);
    assert.equal(before.nearest?.program, 'mmap A p0 anon; write A p0; h=gup A p0 W PIN; fork A->B');
    watcher.watch(parseProgram(`${reaches}; put h`, ops));
    watcher.watch(parseProgram(reaches, ops));
    const { programs, nearest } = watcher.report()[0]!;
    assert.deepEqual(
      [programs, nearest?.reached, nearest?.program],
      [2, 3, reaches.replace('mmap A p0', 'mmap A p0 anon')],
    );
  });

  it('does not begin where nothing happens', () => {
    const heights = new Watcher(engine, SCENARIOS).watch(parseProgram('mmap A p0; wp A p0; put h', ops));
    assert.deepEqual(
      heights.filter((reached) => reached > 0),
      [],
    );
  });
});

describe('breakcow fuzz', () => {
  const bin = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
  const fuzz = (...more: string[]) => {
    const args = [bin, 'fuzz', '--kernel', 'repaired', '--programs', '2k', '--workers', '1', ...more];
    return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout;
  };

  it('says which points and scenarios its programs reached', () => {
    const { reached } = JSON.parse(fuzz('--json')) as {
      reached: {
        functions: { function: string; reached: number; points: number; never: string[] }[];
        scenarios: { programs: number; scenarios: { name: string; programs: number; nearest: object | null }[] };
      };
    };
    for (const { reached: taken, points, never } of reached.functions) assert.equal(taken + never.length, points);
    assert.ok(reached.functions.some(({ function: name, never }) => name === 'do_wp_page' && never.length > 0));
    assert.equal(reached.scenarios.scenarios.length, SCENARIOS.length);
    assert.ok(reached.scenarios.programs > 50);
    const swap = reached.scenarios.scenarios.find(({ name }) => name === 'soft-dirty through swap and back')!;
    assert.ok(swap.programs > 0);
  });

  it('names the functions with points that nobody reached', () => {
    assert.match(fuzz(), /^Handler points never reached: [\s\S]*do_wp_page \d\/\d/m);
  });
});
