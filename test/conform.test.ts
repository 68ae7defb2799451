import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Comparison, type Difference, kindOf } from '../src/conform/compare.js';
import { Expresser } from '../src/conform/express.js';
import { flipKnobs, observe } from '../src/conform/flips.js';
import { ProgramGenerator } from '../src/conform/generate.js';
import { hunt } from '../src/conform/hunt.js';
import { probeMachine } from '../src/conform/machine.js';
import { matchKernel, modelSpec } from '../src/conform/match.js';
import { ModelBackend } from '../src/conform/model.js';
import type { Backend, Capability, Cell, PageLayout, Run } from '../src/conform/observed.js';
import { OpenTable } from '../src/conform/open.js';
import { loadEngine } from '../src/engine/engine.js';
import { decodeOp } from '../src/engine/opword.js';
import { UsageError } from '../src/errors.js';
import { parseProgram } from '../src/text/parse.js';
import { printProgram } from '../src/text/print.js';

// The comparison with a model in the place of the kernel: what is equal agrees, what is not is found.

const engine = loadEngine();
const other = loadEngine();
const { ops } = engine.catalogue;
const LAYOUTS: readonly PageLayout[] = ['pte', 'pmd'];
const spec = (kernel: string) => modelSpec(kernel, engine.catalogue);
const ALL = new ModelBackend(spec('v6.18'), engine).can;
/** What the executor offers where nothing but the system calls can be had. */
const LITTLE: ReadonlySet<Capability> = new Set(['UFFD_WP', 'VMSPLICE', 'PROCESS_VM']);

function programs(kernel: string, layout: PageLayout, count: number, can = ALL): Uint32Array[] {
  return new ProgramGenerator(engine, { spec: spec(kernel), seed: 1n, layout, can, ops: 32 }).programs(0, count);
}
function text(words: Uint32Array): string {
  return printProgram(words, ops);
}
function first(program: string, one: string, two: string, layout: PageLayout = 'pte'): Difference | undefined {
  const words = parseProgram(program, ops);
  const [mine] = new ModelBackend(spec(one), engine).runSync([words]);
  const [theirs] = new ModelBackend(spec(two), other).runSync([words]);
  return new Comparison(ops, layout).first(words, mine!, theirs!);
}
/** A model that does `change` to what it shows. */
function distorted(kernel: string, change: (run: Run, words: Uint32Array, nth: number) => Run): Backend {
  const model = new ModelBackend(spec(kernel), other);
  let nth = 0;
  return {
    release: model.release,
    missing: [],
    can: model.can,
    run: async (list) => model.runSync(list).map((run, i) => change(run, list[i]!, nth++)),
    close: async () => {},
  };
}
function withCells(run: Run, change: (cell: Cell, op: number, mm: number, page: number) => Cell): Run {
  const rows = (cells: readonly (readonly Cell[] | undefined)[], op: number) =>
    cells.map((row, mm) => row?.map((cell, page) => change(cell, op, mm, page)));
  return { ops: run.ops.map((seen, op) => ({ ...seen, cells: rows(seen.cells, op) })) };
}

describe('programs that a kernel can express', () => {
  it('are a pure function of seed and index', () => {
    const made = programs('v6.18', 'pte', 40);
    const again = new ProgramGenerator(other, { spec: spec('v6.18'), seed: 1n, layout: 'pte', can: ALL, ops: 32 });
    assert.deepEqual(again.programs(20, 20), made.slice(20));
    assert.notDeepEqual(made.slice(0, 20), made.slice(20));
  });

  for (const layout of LAYOUTS) {
    it(`have ops that user space can do, and nearly as many as asked for: ${layout}`, () => {
      const made = programs('v6.18', layout, 500);
      const names = new Set<string>();
      for (const words of made) {
        assert.match(text(words), /^mmap A/);
        for (const word of words) {
          const { code, cpu, pair } = decodeOp(word);
          names.add(ops[code]!.name);
          assert.ok(cpu === 0 && !pair);
        }
        assert.doesNotMatch(text(words), /dax|BREAK_COW|DONT_COW|fast-only|numa_hint|migrate|merge|same/);
        if (layout === 'pte') assert.doesNotMatch(text(words), / thp|thp_split/);
      }
      const total = made.reduce((sum, words) => sum + words.length, 0);
      assert.ok(total > 500 * 28, `${total} ops in 500 programs`);
      assert.ok(made.every((words) => words.length <= 32));
      const never = ['migrate', 'migrate_begin', 'migrate_end', 'mergeable', 'unmergeable', 'ksm_merge'];
      const missing = ops.map(({ name }) => name).filter((name) => !names.has(name));
      const impossible = layout === 'pte' ? ['numa_hint', 'thp_split', 'collapse'] : ['numa_hint'];
      assert.deepEqual(missing.toSorted(), [...impossible, ...never].toSorted());
    });
  }

  it('do without what the machine lacks', () => {
    const all = programs('v6.18', 'pmd', 300, LITTLE).map(text).join('\n');
    assert.doesNotMatch(all, /pageout|swapoff|clear_refs|EVENT_FORK|WP_UNPOPULATED|FORCE|LONGTERM| thp/);
    assert.match(all, /gup \w p\d R GET fast/);
  });

  it('take a reference that cannot be held and use it at once', () => {
    engine.configure(spec('v6.18'));
    const expresser = new Expresser(engine, ALL, 'pte');
    const express = (program: string) => text(expresser.program(parseProgram(program, ops)));
    const mapped = 'mmap A p0 anon; write A p0; ';
    const as = (flags: string, use: string) => `${mapped}h=gup A p0 ${flags}; ${use} h; put h`;
    assert.equal(express(`${mapped}gup A p0 R PIN LONGTERM`), as('R PIN', 'hread'));
    assert.equal(express(`${mapped}gup A p0 W PIN fast`), as('W PIN', 'hwrite'));
    assert.equal(express(`${mapped}gup A p0 W PIN FORCE`), as('W GET FORCE', 'hwrite'));
    assert.equal(express(`${mapped}gup A p0 R GET FORCE BREAK_COW`), as('R GET FORCE', 'hread'));
    // Their own second half is not taken for another op.
    const whole = as('R PIN', 'hread');
    assert.equal(express(whole), whole);
    assert.equal(express(`${mapped}gup A p0 W GET; hwrite h`), `${mapped}h=gup A p0 W PIN LONGTERM; hwrite h`);
    assert.equal(express(`${mapped}gup A p0 R GET; hread h`), `${mapped}h=gup A p0 R GET fast; hread h`);
  });

  it('leave out what would wait, and what a small model cannot do as a kernel does', () => {
    engine.configure(spec('v6.18'));
    const expresser = new Expresser(engine, ALL, 'pte');
    const express = (program: string) => text(expresser.program(parseProgram(program, ops)));
    const protect = 'mmap A p0 anon; write A p0; uffd_reg A p0 WP; wp A p0';
    assert.equal(express(`${protect}; h=gup A p0 W PIN; hwrite h; put h`), `${protect}; hwrite h; put h`);
    assert.equal(
      express(`${protect}; write A p0; swapoff; unwp A p0; swapoff`),
      `${protect}; write A p0; unwp A p0; swapoff`,
    );
    // 24 frames: the third process's pages do not fit, with three more held by handles.
    const fill = (mm: string) => Array.from({ length: 8 }, (_, page) => `write ${mm} p${page}`).join('; ');
    const held = 'h0=gup A p0 R GET fast; h1=gup A p1 R GET fast; dontneed A p0..p7';
    const full = `mmap A p0..p7; fork A->B; fork A->C; ${fill('A')}; ${held}; ${fill('A')}; ${fill('B')}; ${fill('C')}`;
    const kept = express(full)
      .split('; ')
      .filter((op) => op.startsWith('write C')).length;
    assert.ok(kept < 8 && kept > 4, `${kept} writes of C`);
  });
});

describe('the comparison', () => {
  for (const layout of LAYOUTS) {
    it(`finds nothing between equal models: ${layout}`, async () => {
      const tally = await hunt({
        engine,
        model: new ModelBackend(spec('v6.1'), engine),
        kernel: new ModelBackend(spec('v6.1'), other),
        open: new OpenTable('v6.1'),
        layout,
        seed: 7n,
        ops: 32,
        programs: 2000,
        timeMs: Number.POSITIVE_INFINITY,
        keepGoing: true,
      });
      assert.deepEqual([tally.found, tally.noises, tally.programs], [[], [], 2000]);
      assert.ok(tally.cells > 50_000, `${tally.cells} cells`);
    });
  }

  it('tells where two eras part, op, field and page', () => {
    assert.equal(first('mmap A p0; write A p0; read A p0', 'v6.1', 'v6.18'), undefined);
    const program = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; unwp A p0';
    const { op, name, field, mm, page, model, kernel } = first(program, 'v6.1', 'v6.18')!;
    assert.deepEqual(
      { op, name, field, mm, page, model, kernel },
      {
        op: 4,
        name: 'unwp',
        field: 'write',
        mm: 0,
        page: 0,
        model: 'no',
        kernel: 'yes',
      },
    );
  });

  it('does not care what frames and slots are called', () => {
    const rename = (run: Run) =>
      withCells(run, (cell) => (cell.frame === undefined ? cell : { ...cell, frame: 77_000 - 13 * cell.frame }));
    const made = programs('v6.18', 'pmd', 300);
    const runs = new ModelBackend(spec('v6.18'), engine).runSync(made);
    const comparison = new Comparison(ops, 'pmd');
    for (const [i, words] of made.entries())
      assert.equal(comparison.first(words, runs[i]!, rename(runs[i]!)), undefined, text(words));
  });

  it('sees that two pages are one, that one page is two, and that a page has moved', () => {
    const see = (program: string, change: (cell: Cell, op: number, mm: number, page: number) => Cell) => {
      const words = parseProgram(program, ops);
      const [run] = new ModelBackend(spec('v6.18'), engine).runSync([words]);
      const difference = new Comparison(ops, 'pte').first(words, run!, withCells(run!, change));
      return difference && [difference.op, difference.field, kindOf(difference)];
    };
    const shared = 'mmap A p0..p3; write A p0; write A p1; fork A->B';
    const ofB = (cell: Cell, op: number, mm: number, page: number) =>
      op === 3 && mm === 1 && page === 0 ? { ...cell, frame: 500 } : cell;
    assert.deepEqual(see(shared, ofB), [3, 'frame', 'fork frame: shared / apart']);
    const asFirst = (cell: Cell, op: number, mm: number, page: number) =>
      op === 2 && mm === 0 && page === 1 ? { ...cell, frame: 0 } : cell;
    assert.deepEqual(see(shared, asFirst), [2, 'frame', 'write frame: apart / shared']);
    const away = (cell: Cell, op: number, _mm: number, page: number) =>
      op >= 2 && page === 0 && cell.kind === 'present' ? { ...cell, frame: 500 } : cell;
    assert.deepEqual(see(shared, away), [2, 'moved', 'write moved: the same page / another page']);
  });

  it('passes over what one side does not know, and over nothing else', () => {
    const words = parseProgram('mmap A p0; write A p0; fork A->B; read B p0', ops);
    const [run] = new ModelBackend(spec('v6.18'), engine).runSync([words]);
    const comparison = new Comparison(ops, 'pte');
    const bare = withCells(run!, ({ kind }) => ({ kind }));
    assert.equal(comparison.first(words, run!, bare), undefined);
    const nobodyLooked = { ops: run!.ops.map((seen) => ({ ...seen, cells: [] })) };
    assert.equal(comparison.first(words, run!, nobodyLooked), undefined);
    const gone = withCells(run!, ({ kind }, op) => ({ kind: op === 3 && kind === 'present' ? 'swap' : kind }));
    assert.equal(comparison.first(words, run!, gone)?.field, 'kind');
    const cut = { ops: run!.ops.slice(0, 2), trouble: 'op 3: an op did not end' };
    const { op, field, kernel } = comparison.first(words, run!, cut)!;
    assert.deepEqual([op, field, kernel], [2, 'trouble', 'op 3: an op did not end']);
  });
});

describe('a hunt', () => {
  const budget = { seed: 3n, ops: 32, programs: 1500, timeMs: Number.POSITIVE_INFINITY, keepGoing: false };

  it('finds a mutant, and shrinks the program to what shows it', async () => {
    const mutant = { ...spec('v6.18'), with: [...spec('v6.18').with, 'mutant.fork_keeps_write'] };
    const model = new ModelBackend(mutant, engine);
    const kernel = new ModelBackend(spec('v6.18'), other);
    const { found } = await hunt({ engine, model, kernel, open: new OpenTable('v6.18'), layout: 'pte', ...budget });
    assert.deepEqual(
      found.map(({ kind }) => kind),
      ['fork write: yes / no'],
    );
    assert.equal(text(found[0]!.words), 'mmap A p0 anon; write A p0; fork A->B');
  });

  it('calls noise what does not come again, and goes on', async () => {
    // Every 100th run of the kernel claims a fault too many.
    const flaky = distorted('v6.18', (run, _, nth) => {
      if (nth % 100 !== 99) return run;
      const more = run.ops.map((seen) => ({
        ...seen,
        outcomes: seen.outcomes.map((outcome) => ({ ...outcome, faults: outcome.faults! + 1 })),
      }));
      return { ops: more };
    });
    const model = new ModelBackend(spec('v6.18'), engine);
    const result = await hunt({ engine, model, kernel: flaky, open: new OpenTable('v6.18'), layout: 'pte', ...budget });
    assert.equal(result.programs, 1500);
    assert.deepEqual(result.found, []);
    assert.ok(result.noises.length >= 10, `${result.noises.length}`);
  });

  it('counts what the table of open observations excuses, and nothing else is excused', async () => {
    const row = {
      id: 'fork-keeps-write',
      ops: ['fork'],
      fields: ['write'] as const,
      masked: 'W after fork',
      reason: 'a test',
    };
    const mutant = { ...spec('v6.18'), with: [...spec('v6.18').with, 'mutant.fork_keeps_write'] };
    const open = new OpenTable('v6.18', [row]);
    const model = new ModelBackend(mutant, engine);
    const kernel = new ModelBackend(spec('v6.18'), other);
    const { found } = await hunt({ engine, model, kernel, open, layout: 'pte', ...budget });
    assert.ok(open.counts()[0]!.count > 0);
    assert.ok(found.length === 1 && found[0]!.kind !== 'fork write: yes / no', found[0]?.kind);
    const elsewhere = new OpenTable('v6.1', [{ ...row, kernels: ['v6.18'] }]);
    assert.deepEqual(elsewhere.counts(), []);
  });
});

describe('flipped knobs', () => {
  it('are noticed, but for those that no program reaches and those that nobody could see', async () => {
    const kernel = new ModelBackend(spec('v6.18'), other);
    const observed = await observe(engine, spec('v6.18'), kernel, { seed: 2n, ops: 32, programs: 600 });
    const {
      flips,
      programs: count,
      disagreeing,
    } = flipKnobs(engine, spec('v6.18'), observed, ALL, new OpenTable('v6.18'));
    assert.deepEqual([count, disagreeing], [600, 0]);
    const mutants = flips.filter(({ knob }) => knob.kind === 'mutant');
    const silent = mutants.filter(({ seen, reason }) => !seen && reason === undefined).map(({ knob }) => knob.name);
    assert.deepEqual(silent, []);
    assert.ok(mutants.filter(({ seen }) => seen).length > 10, `${mutants.length} mutants`);
    const seen = flips.filter((flip) => flip.seen).length;
    assert.ok(seen > 55, `${seen} seen`);
  });
});

describe('the model of a release', () => {
  it('is the release itself or the newest one before it, said aloud', () => {
    const { catalogue } = engine;
    assert.deepEqual(matchKernel('6.18.44-fc-v669', catalogue), { kernel: 'v6.18' });
    assert.deepEqual(matchKernel('6.1.0-43-cloud-amd64', catalogue), { kernel: 'v6.1' });
    const { kernel, note } = matchKernel('6.8.0-generic', catalogue);
    assert.equal(kernel, 'v6.7');
    assert.match(note!, /no model of 6\.8\.0-generic/);
    assert.throws(() => matchKernel('4.19.0', catalogue), UsageError);
    assert.throws(() => matchKernel('Darwin', catalogue), UsageError);
  });

  it('is changed by what the machine was found to have, and to have no more', () => {
    const { with: on, without } = modelSpec('v6.12', engine.catalogue, [
      'scan.none_is_written',
      '-uffd_move.marks_dirty',
    ]);
    assert.deepEqual([on.slice(1), without], [['scan.none_is_written'], ['uffd_move.marks_dirty']]);
    assert.throws(() => modelSpec('v6.12', engine.catalogue, ['-no.such_knob']), UsageError);
  });

  it('is found out on models of other releases', async () => {
    const found = async (name: string) =>
      probeMachine(new ModelBackend(modelSpec(name, engine.catalogue)), engine.catalogue);
    const fixes = ['scan.hole_is_written', 'scan.none_is_written'];
    const moves = ['move_present.sets_soft_dirty', 'move_swap.sets_soft_dirty', '-uffd_move.marks_dirty'];
    assert.deepEqual(await found('v6.12'), []);
    assert.deepEqual(await found('v6.18'), moves);
    assert.deepEqual(await found('v7.2'), [...fixes, ...moves, '-pmd_modify.drops_dirty']);
    assert.deepEqual(await found('v6.7'), ['-lazyfree.discards_pmd']);
  });
});
