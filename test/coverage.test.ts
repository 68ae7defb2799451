import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newOptions, newProgram, parse } from 'assemblyscript';
import { CoverEngine, coverModule } from '../src/coverage/module.js';
import { runCoverage } from '../src/coverage/run.js';
import { coverSummary } from '../src/coverage/summary.js';
import { loadEngine } from '../src/engine/engine.js';
import { Fuzzer } from '../src/engine/fuzzer.js';
import { parseProgram } from '../src/text/parse.js';
import { CoverTransform } from '../src/transform/cover.js';

const REPAIRED = { kernel: 'repaired', with: [], without: [] };

const SAMPLE = `
export function first(n: u32): u32 {
  if (n > 1 && knob(K.A)) return n ? 1 : 2;
  switch (n) {
    case 0: return 3;
    default: return 4;
  }
}
`;

describe('the transform', () => {
  it('finds both sides of every decision, in order', () => {
    const program = newProgram(newOptions());
    parse(program, SAMPLE, 'assembly/mm/sample.ts', true);
    const transform = new CoverTransform('assembly/mm/');
    transform.afterParse(program.parser);
    assert.deepEqual(
      transform.branches.map(
        ({ id, line, kind, never, within, knob }) => `${id} ${line} ${kind} in ${within}: ${never}${knob ? ' *' : ''}`,
      ),
      [
        '0 2 entry in -1: first is never called',
        '1 3 left in 0: n > 1 is never false',
        '2 3 right in 0: knob(K.A) is never asked *',
        '3 3 then in 0: n > 1 && knob(K.A) is never true *',
        '4 3 yes in 3: n is never true',
        '5 3 no in 3: n is never false',
        '6 3 else in 0: n > 1 && knob(K.A) is never false *',
        '7 5 case in 0: n is never 0',
        '8 6 case in 0: n is never another',
      ],
    );
  });
});

const built = await coverModule();
const cover = new CoverEngine(built);

/** Branches of a function that the program takes on the repaired kernel. */
function taken(program: string, where: string): string[] {
  const { engine } = cover;
  engine.configure(REPAIRED);
  cover.clear();
  engine.run(parseProgram(program, engine.catalogue.ops));
  return cover.branches.filter(({ id, function: f }) => f === where && cover.marks[id]).map(({ never }) => never);
}

describe('the module that marks its branches', () => {
  it('does what the plain one does', () => {
    const [marking, plain] = [cover.engine, loadEngine()].map((engine) => {
      const fuzzer = new Fuzzer(engine);
      return engine.catalogue.kernels.map(({ name, vector }) => {
        engine.configureVector(vector);
        fuzzer.begin(5n, 2, 'guided', true);
        fuzzer.run(0, 1000);
        return `${name} ${fuzzer.digest()}`;
      });
    });
    assert.deepEqual(marking, plain);
  });

  it('marks exactly the branches that a program takes', () => {
    const shared = 'mmap A p0; write A p0; fork A->B; munmap B p0';
    assert.deepEqual(taken(shared, 'put_page'), [
      'put_page is never called',
      'is_special_pfn(f) is never false',
      'refs == 0 is never false',
      'refs == 1 is never false',
    ]);
    assert.deepEqual(taken(`${shared}; munmap A p0`, 'put_page'), [
      'put_page is never called',
      'is_special_pfn(f) is never false',
      'refs == 0 is never false',
      'refs == 1 is never true',
      'refs == 1 is never false',
    ]);
    assert.deepEqual(taken('mmap A p0; read A p0', 'put_page'), []);
    assert.deepEqual(taken('mmap A p0; read A p0', 'do_swap_page'), []);
  });
});

describe('a run', () => {
  it('counts by function and names what is never taken', async () => {
    const result = await runCoverage(cover, { spec: REPAIRED, seed: 1n, programs: 3000 });
    assert.equal(result.programs, 3000);
    const { files, taken: all, branches } = coverSummary(result);
    assert.equal(branches, cover.branches.length);
    assert.ok(all > branches / 2 && all < branches, `${all} of ${branches}`);
    const memory = files.find(({ name }) => name === 'mm/memory.ts')!;
    const sum = memory.functions.reduce((total, one) => total + one.branches, 0);
    assert.equal(sum, memory.branches);
    // Of an era long before, so never called; nothing inside is named.
    const old = memory.never.filter(({ function: where }) => where === 'wp_can_reuse_page');
    assert.deepEqual(
      old.map(({ never }) => never),
      ['wp_can_reuse_page is never called'],
    );
  });

  it('is the same each time', async () => {
    const [a, b] = [
      await runCoverage(cover, { spec: REPAIRED, seed: 3n, programs: 2000 }),
      await runCoverage(cover, { spec: REPAIRED, seed: 3n, programs: 2000 }),
    ];
    assert.deepEqual([a.taken, a.corpus], [b.taken, b.corpus]);
  });
});

describe('breakcow coverage', () => {
  const directory = mkdtempSync(join(tmpdir(), 'breakcow-coverage-'));
  after(() => rmSync(directory, { recursive: true }));
  const bin = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
  const run = (...args: string[]) => spawnSync(process.execPath, [bin, 'coverage', ...args], { encoding: 'utf8' });

  it('prints files and branches, and writes the listing', () => {
    const html = join(directory, 'coverage.html');
    const { status, stdout } = run('--programs', '2000', '--html', html);
    assert.equal(status, 0);
    assert.match(stdout, /^repaired, seed 1: \d+ of \d+ branches of assembly\/mm/);
    assert.match(stdout, /^mm\/memory\.ts {2}\d+ of \d+ branches, \d+ %$/m);
    assert.match(stdout, /^ {2}memory\.ts:\d+ wp_can_reuse_page is never called$/m);
    const page = readFileSync(html, 'utf8');
    assert.match(page, /<span class="untaken" title="wp_can_reuse_page is never called">/);
    assert.match(page, /class="one-sided[^"]*" title="[^"]* is never (?:true|false)/);
    assert.doesNotMatch(page, /<script/);
    const lines = readFileSync(new URL('../../assembly/mm/memory.ts', import.meta.url), 'utf8').split('\n').length - 1;
    assert.equal([...page.matchAll(/ id="mm\/memory\.ts-\d+"/g)].length, lines);
  });

  it('gives data', () => {
    const { status, stdout } = run('--kernel', 'v5.7', '--programs', '1000', '--json');
    assert.equal(status, 0);
    const data = JSON.parse(stdout) as { kernel: string; taken: number; total: number; branches: { taken: boolean }[] };
    assert.equal(data.kernel, 'v5.7');
    assert.equal(data.branches.filter((branch) => branch.taken).length, data.taken);
    assert.equal(data.branches.length, data.total);
  });

  it('refuses what does not exist', () => {
    assert.equal(run('--kernel', 'v9.9').status, 2);
    assert.equal(run('--time', 'soon').status, 2);
  });
});
