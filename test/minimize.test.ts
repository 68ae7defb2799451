import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadEngine } from '../src/engine/engine.js';
import { Fuzzer } from '../src/engine/fuzzer.js';
import { canonical } from '../src/engine/optable.js';
import { decodeOp, encodeOp, type OpFields } from '../src/engine/opword.js';
import { UsageError } from '../src/errors.js';
import { FindingCollector } from '../src/findings/collect.js';
import { findCures, printFlips } from '../src/findings/cures.js';
import { diagnose, minimizeCauses } from '../src/findings/finding.js';
import { minimizeBreaking } from '../src/findings/minimize.js';
import { weight } from '../src/findings/reductions.js';
import { dropFinding, listFindings, openStore, readFinding, saveFinding } from '../src/findings/store.js';
import { breaks, Trial } from '../src/findings/trial.js';
import { findingJson } from '../src/report/json.js';
import { reportText } from '../src/report/text.js';
import { parseProgram } from '../src/text/parse.js';
import { printProgram } from '../src/text/print.js';

const engine = loadEngine();
const { catalogue } = engine;
const { ops } = catalogue;
const parse = (text: string) => parseProgram(text, ops);
const print = (words: Uint32Array) => printProgram(words, ops);
const spec = (kernel: string, plus: string[] = []) => ({ kernel, with: plus, without: [] });
const trialOn = (kernel: string, plus: string[] = []) => new Trial(engine, catalogue.vector(spec(kernel, plus)));
const idOf = (slug: string) => catalogue.invariants.find((invariant) => invariant.slug === slug)!.id;

/** Every program with one op less, or with one argument smaller: written down independently of the minimizer. */
function neighbours(words: Uint32Array): Uint32Array[] {
  const found: Uint32Array[] = [];
  for (const [i, word] of words.entries()) {
    found.push(words.filter((_, k) => k !== i));
    const fields = decodeOp(word);
    const op = ops[fields.code]!;
    const change = (changed: Partial<OpFields>) => found.push(words.with(i, encodeOp({ ...fields, ...changed })));
    for (let page = 0; page < fields.page; page++) change({ page });
    for (let mm = 0; mm < fields.mm; mm++) change({ mm });
    for (let y = 0; y < fields.y; y++) change({ y });
    if (fields.cpu === 1) change({ cpu: 0 });
    if (fields.pair) change({ pair: false, schedule: 0 });
    for (const { mask, choices } of op.groups) {
      if ((fields.flags & mask) !== choices[0]!.value) change({ flags: (fields.flags & ~mask) | choices[0]!.value });
    }
  }
  return found.filter((program) => program.length > 0);
}

describe('the minimizer', () => {
  it('gives a program that fails the same way and from which nothing can be taken', () => {
    const fuzzer = new Fuzzer(engine);
    const slugs = new Set<string>();
    for (const kernel of ['v5.7', 'v5.8', 'seed', 'v5.12', 'v6.1']) {
      const trial = trialOn(kernel);
      fc.assert(
        fc.property(fc.bigInt(0n, (1n << 64n) - 1n), (seed) => {
          engine.configure(spec(kernel));
          fuzzer.begin(seed, 0, 'fresh', false);
          fuzzer.run(0, 3000);
          const found = fuzzer.stopped();
          if (!found) return;
          const words = canonical(ops, found.words);
          const { invariant } = found.violation;
          slugs.add(catalogue.invariant(invariant).slug);
          const small = minimizeBreaking(words, trial, invariant);
          assert.ok(breaks(trial.mask(small), invariant), print(words));
          assert.ok(small.length <= words.length + 1);
          // Where its own ops show the failure, showing it is what must not get lost.
          const shown = breaks(trial.shownMask(small), invariant);
          const mask = (program: Uint32Array) => (shown ? trial.shownMask(program) : trial.mask(program));
          for (const smaller of neighbours(small)) {
            assert.ok(!breaks(mask(smaller), invariant), `${print(small)} could be ${smaller.join()}`);
          }
          assert.deepEqual(minimizeBreaking(words, trial, invariant), small);
        }),
        { numRuns: 60 },
      );
    }
    assert.ok(slugs.size > 4, `only ${[...slugs].join()}`);
  });

  it('finds the corpus triggers in noise', () => {
    const cases: [kernel: string, slug: string, noisy: string, length: number][] = [
      [
        'v5.7',
        'cow-leak',
        'mmap B p7; mmap A p0..p7; write A.2 p3; read A p1; fork A->C; h2=gup C p3 R GET FORCE; numa_hint A p0..p7; munmap C p0..p7; read A p5; write A p3; hread h2',
        7,
      ],
      [
        'v5.8',
        'wp-event-on-read',
        'mmap A p0..p7; write A p5; fork A->B; uffd_reg A p0..p7 WP EVENT_FORK; wp A p0..p7; read B p2; h3=gup A p5 R PIN LONGTERM',
        5,
      ],
      [
        'break-cow-v2',
        'wp-lost',
        'mmap A p0..p7; write A p6; fork A->B; uffd_reg A p6 WP; wp A p6; pageout A p4..p7; exit C; h1=gup A p6 R GET; write A p6',
        8,
      ],
    ];
    for (const [kernel, slug, noisy, length] of cases) {
      const small = minimizeBreaking(parse(noisy), trialOn(kernel), idOf(slug));
      assert.ok(small.length <= length, `${small.length} ops: ${print(small)}`);
      const used = [...small].map(decodeOp);
      assert.ok(used.every(({ page, mm, cpu }) => page === 0 && mm < 2 && cpu === 0));
    }
  });

  it('appends the op that shows what only the final look saw', () => {
    const trial = trialOn('v5.7');
    const words = parse('mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0');
    const leak = idOf('cow-leak');
    assert.ok(breaks(trial.mask(words), leak) && !breaks(trial.shownMask(words), leak));
    const small = minimizeBreaking(words, trial, leak);
    assert.ok(breaks(trial.shownMask(small), leak), print(small));
    assert.match(print(small), /; hread h$/);
  });

  it('keeps a race a race only where it has to', () => {
    const mutant = trialOn('repaired', ['mutant.skip_pte_same']);
    const race = parse('mmap A p0..p7; write A p2; fork A->B; [write A p2 || write A.2 p2]@1221; read A p2; exit B');
    const [violation] = mutant.run(race).verdict.violations;
    const small = minimizeBreaking(race, mutant, violation!.invariant);
    assert.ok(
      [...small].some((word) => decodeOp(word).pair),
      print(small),
    );
    const plain = trialOn('v5.8');
    const paired = parse('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; [h=gup A p0 R GET || read A.2 p0]@2121');
    const event = minimizeBreaking(paired, plain, idOf('wp-event-on-read'));
    assert.ok(![...event].some((word) => decodeOp(word).pair), print(event));
  });

  it('does not slide into another flaw of the same kind', () => {
    // Two leaks in one program: the wrong side of a COW through h0, the device's store after fork through h1.
    const trial = trialOn('v5.7');
    const wrongSide = 'write A p0; fork A->B; h0=gup B p0 R GET; munmap B p0; write A p0';
    const device = 'write A p1; h1=gup A p1 W PIN; fork A->C; hwrite h1; read C p1';
    for (const text of [`${wrongSide}; ${device}; hread h0`, `${device}; ${wrongSide}; hread h0`]) {
      const words = parse(`mmap A p0..p7; ${text}`);
      const causes = minimizeCauses(words, trial, idOf('cow-leak'));
      const blamed = causes.map((small) => diagnose(engine, spec('v5.7'), small)!.cause.function);
      assert.deepEqual(blamed.sort(), ['copy_present_pte', 'wp_page_reuse'], causes.map(print).join(' | '));
      assert.ok(causes.every(({ length }) => length <= 7));
    }
  });
});

describe('cures', () => {
  it('are the knobs that the corpus names', () => {
    const cases: [kernel: string, program: string, cure: string][] = [
      [
        'v5.7',
        'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h',
        '+reuse.page_count',
      ],
      ['v5.8', 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; h=gup A p0 R GET', '-gup.as_write'],
      [
        'break-cow-v2',
        'mmap A p0; write A p0; fork A->B; uffd_reg A p0 WP; wp A p0; pageout A p0; h=gup A p0 R GET; write A p0',
        '+copy.keeps_uffd_wp',
      ],
      ['v5.7', 'mmap A p0; write A p0; clear_refs A', '+clear_refs.flushes'],
      [
        'v7.2',
        'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; uffd_unreg A p0',
        '+uffd.unregister_wakes_wp',
      ],
    ];
    for (const [kernel, program, cure] of cases) {
      const found = findCures(parse(program), trialOn(kernel)).map(({ flips }) => printFlips(flips));
      assert.ok(found.includes(cure), `${kernel}: ${found.join(' | ')}`);
    }
  });

  it('keep every promise, and no smaller set does', () => {
    const trial = trialOn('v5.7');
    const words = parse('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0; uffd_unreg A p0');
    const cures = findCures(words, trial);
    assert.ok(cures.length > 0);
    for (const { flips, faithful } of cures) {
      assert.equal(flips.length, 2);
      assert.ok(faithful);
      const cured = new Trial(engine, catalogue.vector({ ...spec('v5.7'), with: flips.map(({ knob }) => knob.name) }));
      assert.equal(cured.mask(words), 0);
      for (const { knob } of flips) {
        const half = new Trial(engine, catalogue.vector(spec('v5.7', [knob.name])));
        assert.notEqual(half.mask(words), 0);
      }
    }
  });

  it('take a mutant back, and never propose one', () => {
    const words = parse('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; write A p0');
    const cures = findCures(words, trialOn('repaired', ['mutant.wp_keeps_write']));
    assert.equal(printFlips(cures[0]!.flips), '-mutant.wp_keeps_write');
    for (const { flips } of cures) assert.ok(flips.every(({ knob, on }) => knob.kind !== 'mutant' || !on));
  });
});

describe('the collector', () => {
  const raw = (text: string, kernel: string, programs: number) => {
    const words = parse(text);
    const { mask, violations } = trialOn(kernel).run(words).verdict;
    return {
      words,
      mask,
      violation: violations[0]!,
      shard: 0,
      index: programs,
      firstAt: { programs, faults: 2 * programs },
    };
  };
  const long = 'mmap A p0..p7; write A p3; read A p1; clear_refs A; write B p0';
  const short = 'mmap A p0; write A p0; clear_refs A';
  const leak = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';

  it('gives one finding for each cause, where it was first seen', () => {
    const collector = new FindingCollector(engine, spec('v5.7'), '1');
    assert.equal(collector.add(raw(long, 'v5.7', 5)).length, 1);
    assert.deepEqual(collector.add(raw(short, 'v5.7', 9)), []);
    assert.equal(collector.add(raw(leak, 'v5.7', 20)).length, 1);
    assert.deepEqual(
      collector.findings.map(({ slug }) => slug),
      ['tlb-stale', 'cow-leak'],
    );
    assert.deepEqual(collector.findings[0]!.firstAt, { programs: 5, faults: 10 });
    assert.equal(collector.findings[0]!.minimized, 'mmap A p0 anon; write A p0; clear_refs A');
    assert.equal(collector.findings[0]!.program, print(parse(long)));
  });

  it('sees the flaw that hides behind another', () => {
    // A PMD reused by mapcount leaks; cured of that it is split, and the PTEs leak in the same way.
    const thp = 'mmap A thp; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0..p3; write A p0; hread h';
    const collector = new FindingCollector(engine, spec('v5.7'), '1');
    collector.add(raw(thp, 'v5.7', 1));
    const found = collector.findings.map(({ diagnosis }) => diagnosis.cause.function).sort();
    assert.deepEqual(found, ['do_huge_pmd_wp_page', 'wp_page_reuse']);
    assert.deepEqual(collector.add(raw(thp, 'v5.7', 2)), []);
  });

  it('refuses what does not fail', () => {
    const collector = new FindingCollector(engine, spec('repaired'), '1');
    assert.throws(() => collector.add(raw(leak, 'v5.7', 1)), /does not fail/);
  });
});

describe('a finding', () => {
  const words = parse('mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h');
  const diagnosis = diagnose(engine, spec('v5.7'), words)!;

  it('is told in a mail of 78 columns', () => {
    const text = reportText(engine, diagnosis);
    const lines = text.split('\n');
    for (const line of lines) assert.ok(line.length <= 78 && line === line.trimEnd(), line);
    assert.match(text, /^cow-leak on v5\.7, in 7 operations\n/);
    assert.match(text, /h, taken by B at p0 in step 4, shows what A wrote in step 6/);
    assert.match(
      text,
      /wp_page_reuse: same page, writable\n {6}A p0 {2}P D A SD .*page 0: refs 2, mapcount 1; data of step 2\n/,
    );
    assert.match(text, /\+reuse\.page_count: 09854ba94c6a \(v5\.9\)/);
    assert.match(text, /Broken on: {2}v5\.7, break-cow-v1/);
    // What it says to type works.
    const typed = /replay --kernel v5\.7 '([^']+)'/.exec(text)![1]!;
    assert.deepEqual(parse(typed), words);
  });

  it('blames the function that wrote the leaf', () => {
    assert.equal(diagnosis.cause.function, 'wp_page_reuse');
    assert.equal(diagnosis.cause.step, 6);
    assert.equal(diagnose(engine, spec('v5.9'), words), undefined);
  });

  it('survives on disk as it is', () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'breakcow-')), 'deep', 'findings');
    const collector = new FindingCollector(engine, spec('v5.7'), '7');
    const { violation, run } = diagnosis;
    const raw = { words, mask: run.mask, violation, shard: 0, index: 0, firstAt: { programs: 1, faults: 2 } };
    const { finding } = collector.add(raw)[0]!;
    const json = findingJson(engine, finding);
    openStore(directory);
    saveFinding(directory, json, reportText(engine, finding.diagnosis));
    assert.deepEqual(listFindings(directory), [finding.id]);
    assert.deepEqual(readdirSync(directory).sort(), [`${finding.id}.json`, `${finding.id}.txt`]);
    const path = join(directory, `${finding.id}.json`);
    assert.deepEqual(readFinding(path), JSON.parse(JSON.stringify(json)));
    assert.match(readFileSync(join(directory, `${finding.id}.txt`), 'utf8'), /^cow-leak on v5\.7/);
    for (const field of ['id', 'invariant', 'slug', 'program', 'minimized', 'length', 'cause', 'cures', 'firstAt'])
      assert.ok(field in json, field);
    writeFileSync(join(directory, 'broken.json'), '{"id": 1}');
    assert.throws(() => readFinding(join(directory, 'broken.json')), UsageError);
    dropFinding(directory, finding.id);
    assert.deepEqual(listFindings(directory), []);
    rmSync(join(directory, '..', '..'), { recursive: true });
  });

  it('weighs what reductions lower', () => {
    const at = (text: string) => weight(ops, parse(text));
    assert.ok(at('mmap A p0') < at('mmap A p0; read A p0'));
    assert.ok(
      at('read A p0') < at('read A p1') && at('read A p0') < at('read B p0') && at('read A p0') < at('read A.2 p0'),
    );
    assert.ok(at('gup A p0 R GET') < at('gup A p0 R PIN') && at('write A p0') < at('gup A p0 W GET'));
    assert.ok(at('[read A p0 || read A p0]') < at('[read A p0 || read A p0]@2'));
  });
});
