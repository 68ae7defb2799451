import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { matchKernel } from '../src/conform/match.js';
import { cSources } from '../src/conform/reproducer-sources.js';
import { loadEngine } from '../src/engine/engine.js';
import { cTest } from '../src/export/c.js';
import { exported } from '../src/export/exported.js';
import { runTests } from '../src/export/run.js';
import { CORPUS } from '../src/score/corpus.js';
import { parseProgram } from '../src/text/parse.js';
import { MINUTE, needs } from './executor-needs.js';

// The exported C programs before the compiler, and on the kernel that runs here.

const engine = loadEngine();
const { ops } = engine.catalogue;
const folder = mkdtempSync(join(tmpdir(), 'breakcow-export-live-'));
after(() => rmSync(folder, { recursive: true }));
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-pthread'];
const compiler = process.env.CC || 'cc';
const works = spawnSync(compiler, ['--version']).status === 0;
/** Compilers warn of different things. */
const compilers = [compiler, ...['clang', 'gcc'].filter((name) => spawnSync(name, ['--version']).status === 0)];
const noCompiler = works || process.env.CI ? false : `no C compiler: ${compiler} does not run; install gcc or set CC`;

function compiled(name: string, source: string): string {
  const file = join(folder, name);
  writeFileSync(`${file}.c`, source);
  execFileSync(compiler, [...FLAGS, '-o', file, `${file}.c`], { stdio: ['ignore', 'ignore', 'pipe'] });
  return file;
}
function test(name: string, text: string, kernel = 'v6.18'): string {
  const words = parseProgram(text, ops);
  return compiled(
    name,
    cTest(engine, exported(engine, { kernel, with: [], without: [] }, words), cSources(), `${name}.c`).source,
  );
}

function run(file: string): { readonly status: number | null; readonly stdout: string } {
  const { status, stdout } = spawnSync(file, { encoding: 'utf8', timeout: 30_000 });
  wellFormed(stdout);
  return { status, stdout };
}

/** Version, one plan, tests numbered from 1 to its end; nothing else but remarks. */
function wellFormed(stdout: string): void {
  const [version, ...lines] = stdout.trimEnd().split('\n');
  assert.equal(version, 'KTAP version 1');
  const plans = lines.filter((line) => /^1\.\.\d+/.test(line));
  assert.equal(plans.length, 1, stdout);
  const tests = lines.filter((line) => /^(?:not )?ok /.test(line)).map((line) => Number(/ok (\d+)/.exec(line)![1]));
  const count = Number(/^1\.\.(\d+)/.exec(plans[0]!)![1]);
  assert.deepEqual(
    tests,
    Array.from({ length: count }, (_, i) => i + 1),
    stdout,
  );
  for (const line of lines) assert.match(line, /^(?:#|1\.\.|(?:not )?ok \d)/);
}

/** Does the model of the running release break a promise in this program? */
function hasFlaw(program: string): boolean {
  const spec = { kernel: matchKernel(release(), engine.catalogue).kernel, with: [], without: [] };
  return exported(engine, spec, parseProgram(program, ops)).diagnosis !== undefined;
}

describe('exported C', () => {
  const swaps = (trigger: string) => /pageout|swapoff/.test(trigger);
  for (const { id, trigger, spec } of CORPUS) {
    const source = () => cTest(engine, exported(engine, spec, parseProgram(trigger, ops)), cSources(), `${id}.c`);

    it(`${id} compiles without a warning`, { skip: noCompiler }, () => {
      const file = join(folder, `${id}-only.c`);
      writeFileSync(file, source().source);
      for (const one of compilers) execFileSync(one, [...FLAGS, '-S', '-o', '/dev/null', file]);
    });

    const part = [...(/uffd/.test(trigger) ? ['userfaultfd'] : []), ...(swaps(trigger) ? ['swap'] : [])];
    it(`${id}: the running kernel keeps its promise, or it says why it is skipped`, needs(...part), async () => {
      const test = source();
      const { skips } = test;
      const { ended } = await runTests([test], 'live');
      const { status, stdout } = ended[0]!;
      wellFormed(stdout);
      if (skips !== undefined) assert.equal(status, 4, stdout);
      // A kernel of the flaw's own era may break the promise; any other keeps it.
      else assert.ok(status === 0 || (status === 1 && hasFlaw(trigger)), stdout);
      if (skips !== undefined) assert.match(stdout, /^1\.\.0 # SKIP ./m);
    });
  }

  it('exits with 1 where the kernel breaks a promise', { ...needs('userfaultfd'), timeout: MINUTE }, () => {
    const text = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; uffd_unreg A p0';
    const { status, stdout } = run(test('unregister', text));
    // Every release so far; a kernel that wakes the writer does better.
    if (status !== 0) assert.match(stdout, /^not ok \d+ op 6 wakes the thread of op 5$/m);
    if (/^6\.18\./.test(release())) assert.equal(status, 1, stdout);
  });

  it('exits with 1 where what it expects is wrong', needs(), () => {
    const words = parseProgram('mmap A p0; write A p0; fork A->B; write A p0; read B p0', ops);
    const { source } = cTest(engine, exported(engine, { kernel: 'v6.18', with: [], without: [] }, words), cSources());
    const wrong = source.replace('value == 2, "op 5 shows', 'value == 4, "op 5 shows');
    assert.notEqual(wrong, source);
    const { status, stdout } = run(compiled('wrong', wrong));
    assert.match(stdout, /^not ok \d+ op 5 shows/m);
    assert.equal(status, 1);
  });

  it('exits with 4 and the reason where a call fails', needs('userfaultfd'), () => {
    const file = test('nobody', 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0');
    spawnSync('chmod', ['-R', 'a+rX', folder]);
    const options = { encoding: 'utf8', uid: 65534, gid: 65534 } as const;
    const { status, stdout } = spawnSync(file, [], options);
    wellFormed(stdout);
    assert.match(stdout, / # SKIP no userfaultfd: /);
    assert.equal(status, 4, stdout);
  });
});
