import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { canariesFor } from '../src/campaign/canary.js';
import { differentialModes, inDifferential } from '../src/engine/differential.js';
import { loadEngine } from '../src/engine/engine.js';
import { Fuzzer } from '../src/engine/fuzzer.js';
import type { KernelSpec, Violation } from '../src/engine/types.js';
import { diagnose } from '../src/findings/finding.js';
import { findOrigin } from '../src/findings/lineage.js';
import { brokenPromise } from '../src/report/promise.js';
import { kernelVerdicts } from '../src/report/text.js';
import { parseSpec } from '../src/text/id.js';
import { parseProgram } from '../src/text/parse.js';

const engine = loadEngine();
const { catalogue } = engine;
const MODES = ['pmd', 'residency', 'batch', 'permission'] as const;
type Mode = (typeof MODES)[number];
const RESULT = 0;
const CONTENT = 2;
const HANDLE = 3;
const UFFD_WP = 4;
const SOFT_DIRTY = 5;

function trialOf(mode: Mode, kernel: string): KernelSpec {
  return inDifferential(parseSpec(kernel), mode, catalogue);
}
function judged(mode: Mode, kernel: string, program: string): readonly Violation[] {
  engine.configure(trialOf(mode, kernel));
  return engine.run(parseProgram(program, catalogue.ops)).violations;
}
function detail(mode: Mode, what: number): number {
  return what | ((MODES.indexOf(mode) + 1) << 4);
}

interface Trial {
  readonly mode: Mode;
  readonly kernel: string;
  readonly program: string;
  readonly what: number;
  readonly where?: Partial<Violation>;
  /** Of the sentence that the report says. */
  readonly says: RegExp;
}

const THP = 'mmap A thp; write A p0';
const PROTECTED_THP = `${THP}; uffd_reg A p0..p3 WP; wp A p0..p3`;
const LOOKS_TWICE = '+follow_pte.checks_bc +follow_pmd.checks_bc';
const MOVED_AND_PINNED = 'mremap A p0..p3->p4..p7; h=gup A p5 R PIN; fork A->B; write A p5';
const PROTECTED = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0';

/** Flaws of the corpus as differences between two runs of one program. */
const TRIALS: readonly Trial[] = [
  {
    mode: 'pmd',
    kernel: `break-cow-v2 ${LOOKS_TWICE}`,
    program: `${THP}; fork A->B; h=gup B p0 R GET`,
    what: RESULT,
    says: /the access to B's p0 never ends with huge pages, and goes through without/,
  },
  {
    mode: 'pmd',
    kernel: 'break-cow-v2',
    program: `${THP}; fork A->B; pageout A p0; h=gup B p1 R GET; munmap B p0..p3; write A p1; hread h`,
    what: HANDLE,
    says: /h shows what A wrote in step 7 with huge pages, and zeroes without/,
  },
  {
    mode: 'pmd',
    kernel: 'break-cow-v3-followup -wp_pmd.event_needs_write -copy.keeps_uffd_wp',
    program: `${PROTECTED_THP}; gup A p0 R GET`,
    what: RESULT,
    says: /A's p0 raises a uffd-wp event and sleeps with huge pages, and goes through without/,
  },
  {
    mode: 'pmd',
    kernel: 'break-cow-v3-followup -wp_pmd_reuse.keeps_wp +wp_reuse.keeps_wp',
    program: `${PROTECTED_THP}; gup A p0 R GET`,
    what: RESULT,
    says: /A's p0 goes through with huge pages, and never ends without/,
  },
  {
    mode: 'pmd',
    kernel: 'v5.14',
    program: `${THP}; fork A->B; h=gup B p0 R GET; munmap B p0..p3; write A p0`,
    what: HANDLE,
    where: { op: 5, handle: 0, expected: 2, got: 6 },
    says: /After step 6 h shows what A wrote in step 6 with huge pages, and what A wrote in step 2 without/,
  },
  {
    mode: 'residency',
    kernel: 'v5.18',
    program: `${PROTECTED}; swapoff`,
    what: UFFD_WP,
    where: { mm: 0, page: 0, op: 4, expected: 1, got: 0 },
    says: /A's p0 is not write-protected by uffd-wp if paged out before each call, and is write-protected by uffd-wp if it stays resident/,
  },
  {
    mode: 'residency',
    kernel: 'v5.18',
    program: 'mmap A p0; clear_refs A; write A p0; swapoff',
    what: SOFT_DIRTY,
    where: { expected: 1, got: 0 },
    says: /is not reported soft-dirty if paged out before each call/,
  },
  {
    mode: 'residency',
    kernel: 'repaired +mutant.wp_skips_swap',
    program: PROTECTED,
    what: UFFD_WP,
    says: /resident/,
  },
  {
    mode: 'residency',
    kernel: 'repaired +mutant.pageout_drops_dirty',
    program: 'mmap A p0; write A p0; numa_hint A p0',
    what: CONTENT,
    where: { expected: 2, got: 0 },
    says: /After step 3 A's p0 holds zeroes if paged out before each call, and what A wrote in step 2 if it stays resident/,
  },
  {
    mode: 'batch',
    kernel: 'v6.18 -mremap.batch_respects_write',
    program: `${THP}; write A p1; thp_split A p0..p3; uffd_reg A p0..p3 WP; fork A->B; exit B; write A p0; ${MOVED_AND_PINNED}`,
    what: HANDLE,
    says: /h shows what A wrote in step 3 as one call, and what A wrote in step 12 page by page/,
  },
  {
    mode: 'batch',
    kernel: 'repaired +mutant.mprotect_batch_copies_write',
    program:
      'mmap A p0..p3; write A p0; write A p1; uffd_reg A p1 WP; mprotect A p0..p3 R; wp A p1; mprotect A p0..p3 RW; write A p1',
    what: RESULT,
    where: { mm: 0, page: 1, op: 7, expected: 1, got: 0 },
    says: /In step 8 the access to A's p1 goes through as one call, and raises a uffd-wp event and sleeps page by page/,
  },
];

/** A fresh write fault would do more: details of assembly/fuzz/fresh.ts. */
const FRESH: readonly { kernel: string; program: string; detail: number; says: RegExp }[] = [
  {
    kernel: 'repaired +mutant.mprotect_batch_copies_write',
    program:
      'mmap A p0..p3; write A p0; write A p1; uffd_reg A p1 WP; wp A p1; mprotect A p0..p3 R; mprotect A p0..p3 RW',
    detail: 4,
    says: /writable without a store.*raise a uffd-wp event/,
  },
  {
    kernel: 'repaired +mutant.mprotect_batch_copies_write',
    program: 'mmap A p0..p3; write A p1; fork A->B; write A p0; mprotect A p0..p3 R; mprotect A p0..p3 RW',
    detail: 5,
    says: /would copy the page/,
  },
  {
    kernel: 'v6.1 -upgrade.honours_soft_dirty',
    program: 'mmap A p0; write A p0; clear_refs A; mprotect A p0 R; mprotect A p0 RW',
    detail: 6,
    says: /would record soft-dirty/,
  },
];

/** By row of the latitude table: programs whose two runs differ, and rightly. */
const LATITUDES: readonly { row: string; mode: Mode; kernel?: string; program: string }[] = [
  { row: 'fast-only', mode: 'pmd', program: `${THP}; h=gup A p1 R GET fast-only; hread h` },
  { row: 'layout-op', mode: 'pmd', program: `${THP}; thp_split A p0..p3; read A p0` },
  {
    row: 'unpopulated',
    mode: 'pmd',
    program: `mmap A thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3; write A p1; write A p2`,
  },
  { row: 'weak-handle', mode: 'pmd', program: `${THP}; h=gup A p1 R GET; write A p1; hread h` },
  {
    row: 'shared-get',
    mode: 'pmd',
    program: `${THP}; h1=gup A p1 R PIN; h0=gup A p0 W GET; fork A->B; h2=gup A p0 R PIN; hwrite h0; hread h2`,
  },
  { row: 'collapse', mode: 'batch', program: 'mmap A p0..p3; write A p0; collapse A p0..p3; write A p1' },
  { row: 'freed', mode: 'residency', program: 'mmap A p0; write A p0; madv_free A p0; numa_hint A p0; read A p0' },
  { row: 'coarse', mode: 'pmd', program: `mmap A thp; write A p0; clear_refs A; write A p1; read A p0` },
  {
    row: 'vma-merges',
    mode: 'pmd',
    kernel: 'v6.1',
    program: 'mmap A thp; uffd_reg A p0 WP; read A p4; uffd_reg A p0..p3 WP; wp A p0..p3',
  },
  { row: 'pinned', mode: 'pmd', program: `${THP}; h=gup A p0 W PIN; clear_refs A; put h; read A p0` },
  {
    row: 'whole-range',
    mode: 'batch',
    kernel: 'v6.1',
    program: 'mmap A p0..p3; write A p0; uffd_reg A p0 WP; wp A p0..p3; write A p0',
  },
  { row: 'threads', mode: 'pmd', program: `${THP}; fork A->B; [write A p0 || write A.2 p1]@212` },
  {
    row: 'midway',
    mode: 'batch',
    program: 'mmap A p0..p3; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; unwp A p0..p3; read A p0',
  },
  {
    row: 'waking',
    mode: 'batch',
    program:
      'mmap A p0..p3; write A p0; write A p1; uffd_reg A p0..p3 WP; wp A p0..p3; h=gup A p0 W GET; h=gup A p1 W GET; unwp A p0..p3; hread h',
  },
];

describe('differential runs', () => {
  for (const { mode, kernel, program, what, where, says } of TRIALS) {
    it(`${mode} on ${kernel}: ${program}`, () => {
      const [first] = judged(mode, kernel, program);
      assert.equal(first && catalogue.invariant(first.invariant).slug, 'batch-differs');
      assert.deepEqual({ ...first, ...where, detail: detail(mode, what) }, first);
      const words = parseProgram(program, catalogue.ops);
      assert.match(brokenPromise(first!, words, catalogue), says);
      if (!kernel.includes('+follow')) assert.deepEqual(judged(mode, 'repaired', program), []);
    });
  }

  for (const { kernel, program, detail: expected, says } of FRESH) {
    it(`permission on ${kernel}: ${program}`, () => {
      const [first] = judged('permission', kernel, program);
      assert.equal(first && catalogue.invariant(first.invariant).slug, 'permission-gained');
      assert.equal(first?.detail, expected);
      assert.match(brokenPromise(first!, parseProgram(program, catalogue.ops), catalogue), says);
      assert.deepEqual(judged('permission', 'repaired', program), []);
    });
  }

  it('judge nothing else: a leak that both runs have is none of theirs', () => {
    const leak = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
    engine.configure(parseSpec('v5.7'));
    assert.notEqual(engine.mask(parseProgram(leak, catalogue.ops)), 0);
    for (const mode of MODES) assert.deepEqual(judged(mode, 'v5.7', leak), []);
  });

  it('leave the world as one run would: stepping, traces and results are the first run’s', () => {
    const words = parseProgram(`${PROTECTED_THP}; write A p0; unwp A p0..p3; read A p0`, catalogue.ops);
    const worldAfter = (spec: KernelSpec) => {
      engine.configure(spec);
      engine.run(words);
      return { world: [...engine.snapshot()], results: [...engine.results(words.length)] };
    };
    const plain = worldAfter(parseSpec('repaired'));
    for (const mode of ['pmd', 'batch', 'permission'] as const)
      assert.deepEqual(worldAfter(trialOf(mode, 'repaired')), plain);
  });

  it('a diagnosis asks other kernels in the same mode', () => {
    const program = `${THP}; fork A->B; h=gup B p0 R GET; munmap B p0..p3; write A p0`;
    const words = parseProgram(program, catalogue.ops);
    const spec = trialOf('pmd', 'v5.14');
    const diagnosis = diagnose(engine, spec, words);
    assert.equal(diagnosis?.cause.function, 'do_huge_pmd_wp_page');
    const cured = diagnosis?.cures.some(({ flips }) => flips.some(({ knob }) => knob.name === 'reuse_pmd.page_count'));
    assert.ok(cured, 'the fix is among the cures');
    const { kernel, keptBy } = findOrigin(engine, spec, words, diagnosis!.violation.invariant);
    assert.deepEqual([kernel, keptBy], ['v5.9', 'v5.7']);
    const broken = kernelVerdicts(engine, spec, words).filter(({ slugs }) => slugs.length > 0);
    assert.deepEqual(
      broken.filter(({ slugs }) => slugs.join() !== 'batch-differs'),
      [],
    );
    assert.ok(
      broken.some(({ kernel: name }) => name === 'v5.12') && !broken.some(({ kernel: name }) => name === 'v5.18'),
    );
  });
});

describe('latitude', () => {
  const rows = new Fuzzer(engine).latitudes;

  it('each row but memory has a program here, and each of these a row', () => {
    assert.deepEqual(
      rows
        .map(({ name }) => name)
        .filter((name) => name !== 'memory')
        .sort(),
      LATITUDES.map(({ row }) => row).sort(),
    );
    for (const { name, modes, what, why } of rows) {
      assert.ok(modes === 'all' || MODES.some((mode) => mode === modes), `${name}: ${modes}`);
      assert.ok(what.endsWith('.') && why.endsWith('.'), name);
    }
  });

  for (const { row, mode, kernel = 'repaired', program } of LATITUDES) {
    it(`${row}: ${program}`, () => assert.deepEqual(judged(mode, kernel, program), []));
  }
});

describe('fuzzing by difference', () => {
  it('has a canary for each mode of the module, found soon', () => {
    assert.deepEqual(differentialModes(catalogue), MODES);
    const fuzzer = new Fuzzer(engine);
    for (const mode of MODES) {
      const canaries = canariesFor([trialOf(mode, 'repaired')]);
      assert.equal(canaries.length, 1, mode);
      engine.configure(canaries[0]!.spec);
      fuzzer.begin(1n, 0, 'guided', false);
      assert.ok(fuzzer.run(0, 20_000) < 20_000, mode);
      const slug = catalogue.invariant(fuzzer.stopped()!.violation.invariant).slug;
      assert.equal(slug, canaries[0]!.breaks);
    }
    assert.equal(canariesFor([trialOf('pmd', 'seed'), parseSpec('seed')]).length, 3);
  });

  for (const mode of MODES) {
    it(`${mode}: the repaired kernel is silent, and a seed means the same programs twice`, () => {
      const fuzzer = new Fuzzer(engine);
      const digests = [0, 1].map(() => {
        engine.configure(trialOf(mode, 'repaired'));
        fuzzer.begin(7n, 3, 'guided', true);
        fuzzer.run(0, 15_000);
        assert.deepEqual(fuzzer.failures(), []);
        return fuzzer.digest();
      });
      assert.equal(digests[0], digests[1]);
    });
  }

  it('compares most programs to their end', () => {
    const fuzzer = new Fuzzer(engine);
    for (const mode of ['pmd', 'residency', 'batch'] as const) {
      engine.configure(trialOf(mode, 'repaired'));
      fuzzer.begin(11n, 0, 'fresh', true);
      const before = engine.counter('parted');
      fuzzer.run(0, 10_000);
      const parted = engine.counter('parted') - before;
      assert.ok(parted < 5_000, `${mode}: ${parted} of 10000 programs parted`);
    }
  });
});

describe('breakcow fuzz --differential', () => {
  const CLI = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
  const breakcow = (...args: string[]) => spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });

  it('finds, tells and replays a difference', () => {
    const asked = ['--kernel', 'repaired', '--with', 'mutant.mprotect_batch_copies_write', '--differential', 'batch'];
    const run = breakcow('fuzz', ...asked, '--programs', '60k', '--workers', '1', '--json');
    assert.equal(run.status, 1, run.stderr);
    const { canary, findings, valid } = JSON.parse(run.stdout);
    assert.ok(valid);
    assert.match(canary.kernel, /differential\.batch/);
    const [finding] = findings;
    assert.deepEqual([finding.invariant, finding.slug], ['I15', 'batch-differs']);
    assert.deepEqual(finding.with, ['differential.batch', 'mutant.mprotect_batch_copies_write']);
    const again = breakcow('replay', ...asked, finding.minimized);
    assert.equal(again.status, 1, again.stderr);
    assert.match(again.stdout, /as one call, and .* page by page/s);
    assert.match(again.stdout, /mutant\.mprotect_batch_copies_write/);
  });

  it('says what goes together and what does not', () => {
    const refused = (pattern: RegExp, ...args: string[]) => {
      const { status, stderr } = breakcow(...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, pattern);
    };
    refused(/differential mode "pdm".*pmd/s, 'fuzz', '--differential', 'pdm');
    refused(/one differential mode/, 'fuzz', '--differential', 'pmd', '--with', 'differential.batch');
    refused(/no second world/, 'fuzz', '--oracle', 'live', '--differential', 'pmd');
    refused(/plain judges only/, 'check', '--with', 'differential.pmd');
    refused(/plain judges only/, 'ablate', 'seed', '--with', 'differential.pmd');
    refused(/plain judges only/, 'compare', 'seed', 'seed+differential.pmd');
    refused(/plain judges only/, 'export', '--with', 'differential.pmd', 'mmap A p0; write A p0');
  });

  it('lists what two runs may differ in', () => {
    const { stdout } = breakcow('invariants', '--latitude');
    assert.match(stdout, /weak-handle/);
    assert.match(breakcow('invariants').stdout, /batch-differs.*?judge: differential/s);
  });
});
