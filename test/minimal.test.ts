import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEngine } from '../src/engine/engine.js';
import type { KernelSpec } from '../src/engine/types.js';
import { byLength } from '../src/explore/by-length.js';
import { EngineSubject } from '../src/explore/engine-subject.js';
import { BUDGET, ShortestSearch } from '../src/explore/minimal.js';
import { type OwnScope, ownScope } from '../src/explore/own-scope.js';
import { type Diagnosis, diagnose, makeFinding } from '../src/findings/finding.js';
import { isSameCause } from '../src/findings/same-cause.js';
import { breaks, Trial } from '../src/findings/trial.js';
import { shortestText, shortestWords } from '../src/report/shortest.js';
import { programId } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';
import { printProgram } from '../src/text/print.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const engine = loadEngine();
const { catalogue } = engine;
const { ops } = catalogue;

function kernel(name: string): KernelSpec {
  return { kernel: name, with: [], without: [] };
}

function diagnosed(spec: KernelSpec, text: string, slug: string): Diagnosis {
  const invariant = catalogue.invariants.find((one) => one.slug === slug)!.id;
  const diagnosis = diagnose(engine, spec, parseProgram(text, ops), invariant);
  assert.ok(diagnosis, `${text} breaks ${slug}`);
  return diagnosis;
}

/** Steps of a scope, one or two words each. */
function stepsOf({ alphabet, pairs }: OwnScope): number[][] {
  const both = Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i]!, pairs[2 * i + 1]!]);
  return [...[...alphabet].map((word) => [word]), ...both];
}

/** All programs of the scope of so many words that break `invariant` and whose last step is needed for it. */
function bruteForce(spec: KernelSpec, scope: OwnScope, invariant: number, length: number): string[] {
  const trial = new Trial(engine, catalogue.vector(spec));
  const steps = stepsOf(scope);
  const found: string[] = [];
  const extend = (program: readonly number[]) => {
    if (program.length > 0) {
      const mask = trial.mask(Uint32Array.from(program));
      if (program.length === length && breaks(mask, invariant)) found.push(program.join());
      if (mask !== 0) return;
    }
    for (const step of steps) if (program.length + step.length <= length) extend([...program, ...step]);
  };
  extend([]);
  return found;
}

const LEAK = 'mmap A p0; write A p0; h=gup A p0 R GET; fork A->B; write A p0; write B p0; hread h';
const RACE = 'mmap A p0; write A p0; [write A p0 || clear_refs A]@2';
/** Neither an op less nor two, and still three too many. */
const STUCK =
  'mmap A p0; write A p0; uffd_reg A p0 WP; fork A->B; wp A p0; write A p0; h=gup A p0 R PIN; unwp A p0; hread h';

describe('the scope of a program', () => {
  it('is what the program uses, however its names are traded', () => {
    const { alphabet, mms, pages, pairs, text } = ownScope(ops, parseProgram(LEAK, ops));
    assert.deepEqual([...alphabet].map((word) => printProgram(Uint32Array.of(word), ops)).sort(), [
      'fork A->B',
      'fork B->A',
      'h=gup A p0 R GET',
      'h=gup B p0 R GET',
      'mmap A p0 anon',
      'mmap B p0 anon',
      'write A p0',
      'write B p0',
    ]);
    assert.deepEqual([mms, pages, pairs.length], [2, 1, 0]);
    assert.equal(text, '2 processes, p0, 1 GUP handle; mmap anon, write, gup R GET, fork');
  });

  it('has ranges where the op takes them, and concurrent steps where the program has some', () => {
    const { alphabet, pages } = ownScope(ops, parseProgram('mmap A p0..p3 thp; write A p1; wp A p0..p3', ops));
    const texts = [...alphabet].map((word) => printProgram(Uint32Array.of(word), ops));
    assert.ok(texts.includes('wp A p0..p3') && texts.includes('wp A p1') && !texts.includes('wp A p0'));
    assert.equal(texts.filter((one) => one.startsWith('write')).length, 1);
    assert.equal(pages, 15);
    const race = ownScope(ops, parseProgram(RACE, ops));
    const words = parseProgram(RACE, ops);
    const own = stepsOf(race).filter(([first, second]) => first === words[2] && second === words[3]);
    assert.equal(own.length, 1, 'its own pair');
  });
});

describe('programs by their length', () => {
  for (const [name, text, slug] of [
    ['v5.7', LEAK, 'cow-leak'],
    ['v5.7', RACE, 'softdirty-lost'],
  ] as const) {
    it(`${slug}: none is missed, though few are tried`, () => {
      const spec = kernel(name);
      const { violation, words } = diagnosed(spec, text, slug);
      const scope = ownScope(ops, words);
      const { alphabet, pairs, mms, pages } = scope;
      const vector = catalogue.vector(spec);
      const subject = new EngineSubject({ kind: 'engine', vector, alphabet, pairs, mms, pages, symmetry: 'full' });
      let found = 0;
      for (const { operations, broken } of byLength(subject, undefined, scope, violation.invariant, 1e6)) {
        if (operations > 6) break;
        const all = bruteForce(spec, scope, violation.invariant, operations);
        const given = broken.map((program) => program.join());
        assert.equal(given.length > 0, all.length > 0, `length ${operations}: ${given.length} of ${all.length}`);
        for (const program of given) assert.ok(all.includes(program), `length ${operations}: ${program}`);
        found += given.length;
      }
      assert.ok(found > 0);
    });
  }
});

describe('the search for a shorter program', () => {
  const search = new ShortestSearch(engine);

  it('proves a shortest one', () => {
    const given = diagnosed(kernel('v5.7'), LEAK, 'cow-leak');
    const { diagnosis, shortest } = search.of(given);
    assert.equal(diagnosis, given);
    assert.deepEqual([shortest.exhaustiveTo, shortest.proven], [6, true]);
    assert.equal(shortestWords(shortest), 'shortest that shows it (exhaustive to length 6)');
    assert.match(
      shortestText(shortest),
      /^Shortest that shows it \(exhaustive to length 6\): \d+ states of 2 processes, p0, 1 GUP/,
    );
  });

  it('replaces one that no small step makes shorter, by one of the same cause', () => {
    const spec = kernel('v5.7');
    const given = diagnosed(spec, STUCK, 'pin-detached');
    const finding = makeFinding(catalogue, given, {
      words: given.words,
      seed: '1',
      firstAt: { programs: 7, faults: 9 },
    });
    const better = search.finding(finding);
    assert.equal(better.diagnosis.words.length, 6, better.minimized);
    assert.deepEqual([better.shortest?.exhaustiveTo, better.shortest?.proven], [5, true]);
    assert.ok(isSameCause(engine, given, better.diagnosis));
    assert.equal(better.id, programId(better.diagnosis.words, spec, ops));
    assert.equal(better.minimized, printProgram(better.diagnosis.words, ops));
    assert.deepEqual([better.slug, better.program, better.firstAt], [finding.slug, finding.program, finding.firstAt]);
    const again = search.finding(better);
    assert.deepEqual([again.id, again.shortest?.proven], [better.id, true]);
  });

  it('leaves a cause alone for which there is a shorter program of another', () => {
    const spec = kernel('v5.7');
    const short = 'mmap A p0; h=gup A p0 W GET; fork A->B; write A p0; write B p0; hread h';
    const read = 'h=gup B p0 R GET; write B p0; write A p0; hread h';
    const given = diagnosed(spec, `mmap A p0; h=gup A p0 W GET; put h; fork A->B; ${read}`, 'cow-leak');
    assert.ok(!isSameCause(engine, diagnosed(spec, short, 'cow-leak'), given));
    const { diagnosis, shortest } = search.of(given);
    assert.ok(isSameCause(engine, given, diagnosis));
    assert.deepEqual([diagnosis.words.length, shortest.exhaustiveTo, shortest.proven], [7, 6, true]);
  });

  it('says how far it came where the budget ends', () => {
    const given = diagnosed(kernel('v5.7'), STUCK, 'pin-detached');
    const { diagnosis, shortest } = new ShortestSearch(engine, { ...BUDGET, transitions: 30 }).of(given);
    assert.equal(diagnosis, given);
    assert.equal(shortest.proven, false);
    assert.ok(shortest.exhaustiveTo > 0 && shortest.exhaustiveTo < 5, `${shortest.exhaustiveTo}`);
    assert.equal(shortestWords(shortest), `no shorter one that shows it up to length ${shortest.exhaustiveTo}`);
    const few = new ShortestSearch(engine, { ...BUDGET, candidates: 0 }).of(given);
    assert.deepEqual([few.shortest.proven, few.diagnosis], [false, given]);
  });
});

describe('on the command line', () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });

  it('minimize tells that its result is shortest', () => {
    const { status, stdout } = run('minimize', '--kernel', 'v5.7', LEAK, '--json');
    assert.equal(status, 1);
    const { shortest, length } = JSON.parse(stdout) as {
      length: number;
      shortest: { scope: string; exhaustiveTo: number; states: number; proven: boolean };
    };
    assert.equal(shortest.exhaustiveTo, length - 1);
    assert.ok(shortest.proven && shortest.states > 1 && shortest.scope.startsWith('2 processes'));
    assert.match(
      run('minimize', '--kernel', 'v5.7', LEAK).stdout,
      /^Shortest that shows it \(exhaustive to length \d\): \d+ states/m,
    );
  });

  it('fuzz tells it of every finding', () => {
    const { stdout } = run('fuzz', '--kernel', 'v5.7', '--programs', '2000', '--workers', '1', '--keep-going');
    const findings = Number(/^(\d+) findings\.$/m.exec(stdout)?.[1]);
    assert.ok(findings > 3, stdout);
    assert.equal(stdout.match(/^ {2}shortest that shows it \(exhaustive to length \d+\)$/gm)?.length, findings);
  });
});
