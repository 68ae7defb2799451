import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newOptions, newProgram, parse } from 'assemblyscript';
import { Engine, loadEngine } from '../src/engine/engine.js';
import { Fuzzer } from '../src/engine/fuzzer.js';
import { compiledModule } from '../src/engine/load.js';
import { engineModule } from '../src/engine/module.js';
import { Bench } from '../src/mutants/bench.js';
import { judge } from '../src/mutants/judge.js';
import { REASONS, reasonFor, staleReasons } from '../src/mutants/reasons.js';
import { chosenMutants, mutantModule, setUp } from '../src/mutants/run.js';
import { summarize } from '../src/mutants/summary.js';
import type { Judged, Mutant, Verdict } from '../src/mutants/types.js';
import { MutantTransform } from '../src/transform/mutate.js';

const SAMPLE = `
export const LIMIT: u32 = 1 == 1 ? 3 : 4;
function at(id: u32): void {}
export function first(flags: u32, n: u32): bool {
  at(n == 1 ? 2 : 3);
  if (!(flags & 1)) return n < LIMIT;
  if (knob(K.A) && n != 0) return true;
  if (knob(K.A)) n = 2;
  while (n > 1 || other(n)) n--;
  return !(n == 3);
}
export namespace Inner {
  export function other(n: u32): bool {
    const wide = n & 6 ? 1 : 2;
    if (wide) return false;
    return true;
  }
}
`;

function mutantsOf(text: string): string[] {
  const program = newProgram(newOptions());
  parse(program, text, 'assembly/mm/sample.ts', true);
  const transform = new MutantTransform('assembly/mm/');
  transform.afterParse(program.parser);
  return transform.mutants.map(
    ({ id, line, column, function: where, kind, operator, before, after }) =>
      `${id} ${line}:${column} ${where} ${kind} ${operator}: ${before} -> ${after}`,
  );
}

describe('the transform', () => {
  it('finds exactly the mutants of a file, in order', () => {
    assert.deepEqual(mutantsOf(SAMPLE), [
      '1 6:7 first always if: if (!(flags & 1)) -> if (true)',
      '2 6:7 first never if: if (!(flags & 1)) -> if (false)',
      '3 6:7 first negate !: !(flags & 1) -> flags & 1',
      '4 6:28 first negate <: n < LIMIT -> n >= LIMIT',
      '5 7:7 first negate if: if (knob(K.A) && n != 0) -> if (!(knob(K.A) && n != 0))',
      '6 7:7 first always if: if (knob(K.A) && n != 0) -> if (true)',
      '7 7:7 first never if: if (knob(K.A) && n != 0) -> if (false)',
      '8 7:7 first drop-left &&: knob(K.A) && n != 0 -> n != 0',
      '9 7:7 first drop-right &&: knob(K.A) && n != 0 -> knob(K.A)',
      '10 7:7 first negate test: knob(K.A) -> !(knob(K.A))',
      '11 7:20 first negate !=: n != 0 -> n == 0',
      '12 8:7 first negate test: knob(K.A) -> !(knob(K.A))',
      '13 9:10 first drop-left ||: n > 1 || other(n) -> other(n)',
      '14 9:10 first drop-right ||: n > 1 || other(n) -> n > 1',
      '15 9:10 first negate >: n > 1 -> n <= 1',
      '16 9:19 first negate test: other(n) -> !(other(n))',
      '17 10:10 first negate !: !(n == 3) -> n == 3',
      '18 14:18 other negate &: n & 6 -> !(n & 6)',
      '19 15:9 other always if: if (wide) -> if (true)',
      '20 15:9 other never if: if (wide) -> if (false)',
      '21 15:9 other negate test: wide -> !(wide)',
    ]);
  });

  it('takes a seeded mutant for what it is on every kernel, and notes for no decision', () => {
    const text = `export function f(a: u32, b: u32): bool {
  if (a) at(1);
  if (a && knob(K.MUTANT_X)) return true;
  if (!knob(K.MUTANT_X) && a == b) return true;
  return knob(K.MUTANT_X) || b != 2;
}
`;
    assert.deepEqual(mutantsOf(text), [
      '1 4:7 f always if: if (!knob(K.MUTANT_X) && a == b) -> if (true)',
      '2 4:7 f never if: if (!knob(K.MUTANT_X) && a == b) -> if (false)',
      '3 4:28 f negate ==: a == b -> a != b',
      '4 5:30 f negate !=: b != 2 -> b == 2',
    ]);
  });

  it('leaves other folders alone', () => {
    const program = newProgram(newOptions());
    parse(program, SAMPLE, 'assembly/oracle/sample.ts', true);
    const transform = new MutantTransform('assembly/mm/');
    transform.afterParse(program.parser);
    assert.deepEqual(transform.mutants, []);
  });
});

const { wasm, table } = await mutantModule();
const mutants = chosenMutants(table);
const bench = new Bench(setUp(wasm, table.length, 3000));

function named(name: string): Mutant {
  const found = mutants.find((mutant) => mutant.name === name);
  assert.ok(found, `there is no mutant "${name}"`);
  return found;
}

describe('the module of mutants', () => {
  it('does what the plain one does while none is chosen', () => {
    const digest = (engine: Engine, kernel: string) => {
      const fuzzer = new Fuzzer(engine);
      engine.configure({ kernel, with: [], without: [] });
      fuzzer.begin(7n, 1, 'guided', true);
      fuzzer.run(0, 1500);
      return fuzzer.digest();
    };
    const module = compiledModule(wasm);
    for (const { name } of loadEngine().catalogue.kernels)
      assert.equal(digest(new Engine(engineModule(module)), name), digest(loadEngine(), name), name);
  });

  it('has every file of the model', () => {
    const files = new Set(mutants.map(({ file }) => file));
    for (const file of ['mm/memory.ts', 'mm/gup.ts', 'mm/swapfile.ts', 'mm/page.ts']) assert.ok(files.has(file), file);
    assert.ok(mutants.length > 1500, `${mutants.length} mutants`);
  });

  it('gives each mutant a name of its own', () => {
    assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length);
  });
});

describe('a mutant', () => {
  it('that reuses a page without asking lets stores leak', () => {
    const name = 'memory.ts do_wp_page: if (PageAnonExclusive(old) || wp_can_reuse_anon_folio(old)) -> if (true)';
    const verdict = judge(bench, named(name));
    assert.equal(verdict.outcome, 'fuzz');
    assert.ok(verdict.invariants.includes('cow-leak'), verdict.invariants.join());
    assert.match(verdict.program!, /fork/);
  });

  it('that forgets a cell of the tables loses the bit', () => {
    const verdict = judge(bench, named('-swapin.keeps_uffd_wp'));
    assert.deepEqual([verdict.outcome, verdict.invariant], ['fuzz', 'wp-lost']);
  });

  it('whose loop does not end traps', () => {
    const verdict = judge(bench, named('vma.ts set_anon_vma: rest != 0 -> rest == 0'));
    assert.ok(['trap', 'fuzz'].includes(verdict.outcome), verdict.outcome);
  });

  it('that only wastes memory differs from the kernel as it is', () => {
    const wasteful = [
      '-swapin.read_maps_writable',
      '-numa.upgrades_write',
      'memory.ts wp_can_reuse_anon_folio: if (refs > 3) -> if (true)',
    ];
    const outcomes = wasteful.map((name) => judge(bench, named(name)).outcome);
    assert.ok(outcomes.includes('differs'), outcomes.join());
    assert.ok(!outcomes.includes('survives'), outcomes.join());
  });

  it('that does nothing for a call is a cost', () => {
    const idle = named('vmscan.ts shrink_page: if (page_flags(f) & PG_LAZYFREE) -> if (true)');
    assert.equal(judge(bench, idle).invariant, 'call-in-vain');
    const wasteful = named('-mprotect.upgrades_write');
    assert.equal(judge(bench, wasteful).invariant, 'needless-fault');
  });

  it('of another era is found on a kernel of that era', () => {
    const verdict = judge(bench, named('swapfile.ts reuse_swap_page: if (page_map_swapcount(f) > 1) -> if (false)'));
    assert.equal(verdict.outcome, 'fuzz');
    assert.ok(verdict.kernel);
  });

  it('that ignores an answer asks all the same', () => {
    const name = 'vmscan.ts try_to_unmap: if (!unmap_at(mm, page, f, slot)) -> if (false)';
    assert.equal(judge(bench, named(name)).outcome, 'survives', 'pages are not unmapped any more');
  });

  it('that changes nothing survives, for a reason', () => {
    assert.equal(judge(bench, named('+copy.keeps_uffd_wp')).outcome, 'survives');
  });
});

describe('the reasons', () => {
  it('are each about a mutant by name, and for none twice', () => {
    const all = REASONS.flatMap(({ of }) => of);
    assert.equal(new Set(all).size, all.length);
    assert.equal(reasonFor({ name: '+copy.keeps_uffd_wp' })?.kind, 'equivalent');
    assert.equal(reasonFor({ name: '-swapin.keeps_uffd_wp' }), undefined);
  });

  it('are about mutants that there are', () => {
    assert.deepEqual(staleReasons(mutants), []);
  });

  it('that no survivor needs are told', () => {
    const stale = staleReasons([{ name: '+copy.keeps_uffd_wp' }]);
    assert.ok(!stale.includes('+copy.keeps_uffd_wp'));
    assert.ok(stale.includes('+wp_reuse.keeps_wp'));
  });
});

describe('the summary', () => {
  const judged = (name: string, verdict: Partial<Verdict>, more: Partial<Judged> = {}): Judged => ({
    mutant: { ...named('-swapin.keeps_uffd_wp'), name, file: 'mm/a.ts' },
    outcome: 'survives',
    invariants: [],
    programs: 0,
    ...verdict,
    ...more,
  });

  it('counts by file, by promise and by who is left', () => {
    const reason = { of: ['d'], kind: 'equivalent', why: 'it is' } as const;
    const all = [
      judged('a', { outcome: 'fuzz', invariant: 'cow-leak', invariants: ['cow-leak'] }),
      judged('b', { outcome: 'check', invariant: 'wp-lost', invariants: ['cow-leak', 'wp-lost'] }),
      judged('c', { outcome: 'differs' }),
      judged('d', {}, { reason }),
      judged('e', {}),
    ];
    const { files, total, invariants, survivors } = summarize(all, loadEngine().catalogue.invariants);
    assert.deepEqual(files, [{ name: 'mm/a.ts', ...total }]);
    assert.deepEqual([total.mutants, total.explained, total.judged, total.noticed], [5, 1, 0.5, 0.75]);
    const cow = invariants.find(({ slug }) => slug === 'cow-leak')!;
    assert.deepEqual([cow.first, cow.all, cow.only], [1, 2, 1]);
    assert.deepEqual(
      survivors.map(({ mutant }) => mutant.name),
      ['e', 'd'],
    );
  });
});

describe('breakcow mutants', () => {
  const bin = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
  const run = (...args: string[]) => spawnSync(process.execPath, [bin, 'mutants', ...args], { encoding: 'utf8' });

  it('lists what there is', () => {
    const { status, stdout } = run('--only', 'memory.ts', '--list');
    assert.equal(status, 0);
    assert.match(stdout, /^memory\.ts:\d+:\d+ do_wp_page: !unshare -> unshare$/m);
    const data = JSON.parse(run('--only', 'tables', '--list', '--json').stdout) as { name: string }[];
    assert.ok(data.some(({ name }) => name === '-split.keeps_uffd_wp'));
  });

  it('refuses what does not exist', () => {
    const { status, stderr } = run('--only', 'nowhere.ts');
    assert.equal(status, 2);
    assert.match(stderr, /no mutants of "nowhere\.ts"; there are some of handler, tables, knobs, .*memory\.ts/);
    assert.equal(run('--budget', 'lots').status, 2);
  });

  it('judges every cell of the tables', () => {
    const { status, stdout } = run('--only', 'tables', '--budget', '12k', '--workers', '2', '--json');
    const { total, mutants: all } = JSON.parse(stdout) as {
      total: { noticed: number };
      mutants: { name: string; outcome: string }[];
    };
    assert.equal(status, 0);
    assert.equal(total.noticed, 1, 'a cell of the tables is not noticed');
    // What becomes of uffd-wp is not promised there: its interface leaves it open.
    const open = all.filter(({ outcome }) => outcome === 'differs').map(({ name }) => name);
    assert.deepEqual(open, ['+move_present.keeps_uffd_wp']);
    assert.ok(all.length >= 24);
  });
});
