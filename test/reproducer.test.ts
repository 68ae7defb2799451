import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Comparison, type Difference } from '../src/conform/compare.js';
import { type Fact, parseTrial } from '../src/conform/facts.js';
import { ModelBackend } from '../src/conform/model.js';
import { Inexpressible, reproducer } from '../src/conform/reproducer.js';
import { differenceProgram, factsOf } from '../src/conform/reproducer-claim.js';
import { cSources } from '../src/conform/reproducer-sources.js';
import { SELFTESTS, trialOf } from '../src/conform/selftests.js';
import { loadEngine } from '../src/engine/engine.js';
import { parseProgram } from '../src/text/parse.js';

// A reproducer is what a kernel developer gets: it has to compile without a warning and to tell right from wrong.

const { ops } = loadEngine().catalogue;
const compiler = process.env.CC || 'cc';
const FLAGS = ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
let folder = '';

function missing(): string | undefined {
  if (process.platform !== 'linux') return 'reproducers are for Linux';
  const works = spawnSync(compiler, ['--version']).status === 0;
  return works ? undefined : `no C compiler: ${compiler} does not run; install gcc or set CC`;
}
/** Left out with the reason; on the integration machine it runs all the same, and fails. */
function unless(reason: string | undefined): { skip: string | false } {
  return { skip: process.env.CI ? false : (reason ?? false) };
}
const root = process.getuid?.() === 0;
const noRoot = (why: string) => missing() ?? (root ? undefined : why);

function source(text: string, layout: 'pte' | 'pmd' = 'pte', more: readonly Fact[] = []): string {
  const { words, facts } = parseTrial(text, ops);
  return reproducer({ words, layout, facts: [...facts, ...more] }, ops, cSources());
}
function compile(name: string, code: string): string {
  const file = join(folder, name);
  writeFileSync(`${file}.c`, code);
  execFileSync(compiler, [...FLAGS, '-o', file, `${file}.c`], { stdio: ['ignore', 'ignore', 'pipe'] });
  return file;
}
function run(name: string, code: string): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync(compile(name, code), [], { encoding: 'utf8', timeout: 60_000 });
  return { status, stdout };
}

interface Tried {
  readonly name: string;
  readonly text: string;
  readonly layout?: 'pte' | 'pmd';
  readonly more?: readonly Fact[];
  /** Why it needs root, if it does. */
  readonly needs?: string;
  readonly status: number;
  readonly says: RegExp;
}

describe('reproducer', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'breakcow-reproducer-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('every selftest that user space can express compiles without a warning', unless(missing()), () => {
    let compiled = 0;
    for (const [i, selftest] of SELFTESTS.entries()) {
      const { words, facts } = trialOf(selftest, ops);
      const pinned = /R PIN LONGTERM/.test(selftest.text);
      const make = () => reproducer({ words, layout: selftest.layout, facts, about: [selftest.name] }, ops, cSources());
      if (pinned) {
        assert.throws(make, Inexpressible, selftest.name);
        continue;
      }
      // One of each name is enough for the compiler; the kinds differ in numbers alone.
      if (SELFTESTS.findIndex((one) => one.name === selftest.name && one.layout === selftest.layout) !== i) continue;
      const file = join(folder, `selftest-${i}.c`);
      writeFileSync(file, make());
      execFileSync(compiler, [...FLAGS, '-O0', '-S', '-o', '/dev/null', file]);
      compiled++;
    }
    assert.ok(compiled > 50, `${compiled} compiled`);
  });

  it('has one main, no other file, and only the parts that it uses', () => {
    const small = source('mmap A p0; x: write A p0; read A p0 => x');
    assert.doesNotMatch(small, /#include "|USES_|userfaultfd|io_uring|vmsplice/);
    assert.match(source('mmap A p0; h=gup A p0 W PIN LONGTERM; x: hwrite h; read A p0 => x'), /io_uring_setup/);
  });

  it('refuses what user space cannot ask for', () => {
    assert.throws(() => source('mmap A p0; h=gup A p0 R PIN LONGTERM'), /read-only long-term pin/);
    assert.throws(() => source('mmap A p0; h=gup A p0 R GET BREAK_COW'), /BREAK_COW/);
    assert.throws(() => source('mmap A p0; numa_hint A p0'), /numa_hint/);
    assert.throws(() => source('mmap A p0; h=gup A p0 R PIN; write A p0; hread h'), /for one hread only/);
    assert.throws(() => source('mmap A dax'), /DAX/);
  });

  it('states what the kernel did where a model differs from it', () => {
    const program = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; fork A->B; write B p0; write A p0';
    const words = parseProgram(program, ops);
    const run = (kernel: string) => new ModelBackend({ kernel, with: [], without: [] }).runSync([words])[0]!;
    const [model, kernel] = [run('v5.12'), run('v6.18')];
    const hiddenField = /^(?:write|dirty|exclusive|pinned|extra-refs)$/;
    const seen = new Comparison(ops, 'pte', ({ field }) => (hiddenField.test(field) ? 'open' : 'differs'));
    const difference = seen.first(words, model, kernel)!;
    const facts = factsOf(difference, kernel);
    assert.deepEqual(facts, [{ kind: 'bit', bit: 'uffd-wp', op: 4, mm: 1, page: 0, set: false }]);
    const made = differenceProgram({ words, layout: 'pte', difference, kernel }, '6.18', ops);
    assert.ok('source' in made);
    assert.match(made.source, /What 6\.18 does, and the model does not:/);
    assert.match(made.source, /claim\(bit_of\(B, 0, UFFD_WP\) == 0,/);
    const hidden = { ...difference, field: 'extra-refs' as const };
    assert.deepEqual(differenceProgram({ words, layout: 'pte', difference: hidden, kernel }, '6.18', ops), {
      none: 'user space cannot see extra-refs',
    });
  });

  it('states every field that user space can see', () => {
    const words = parseProgram('mmap A p0; write A p0; fork A->B; write A p0; read B p0', ops);
    const [run] = new ModelBackend({ kernel: 'v6.18', with: [], without: [] }).runSync([words]);
    const at = (field: Difference['field'], op: number, more: Partial<Difference> = {}): readonly Fact[] =>
      factsOf({ op, name: '', field, model: '', kernel: '', ...more }, run!);
    const here = { mm: 0, page: 0 };
    assert.deepEqual(at('result', 3), [{ kind: 'ends', op: 3, result: 0 }]);
    assert.deepEqual(at('value', 4), [{ kind: 'shows', op: 4, value: 2 }]);
    assert.deepEqual(at('faults', 3), [{ kind: 'faults', op: 3, count: 1 }]);
    assert.deepEqual(at('events', 3), [{ kind: 'silent', op: 3 }]);
    assert.deepEqual(at('kind', 3, here), [{ kind: 'entry', op: 3, ...here, is: 'present' }]);
    assert.deepEqual(at('content', 3, here), [{ kind: 'content', op: 3, ...here, value: 4 }]);
    assert.deepEqual(at('moved', 3, here), [{ kind: 'moved', op: 3, ...here, moved: true }]);
    const child = { mm: 1, page: 0 };
    assert.deepEqual(at('frame', 2, here), [{ kind: 'shared', op: 2, ...here, with: child, same: true }]);
    assert.deepEqual(at('frame', 3, here), [{ kind: 'shared', op: 3, ...here, with: child, same: false }]);
    assert.deepEqual(at('pinned', 3, here), []);
  });

  describe('on the live kernel', () => {
    const uffd = 'userfaultfd events of kernel faults need root';
    const tried: readonly Tried[] = [
      {
        name: 'the child keeps what the parent overwrites',
        text: 'mmap A p0; old: write A p0; fork A->B; write A p0; read B p0 => old',
        status: 0,
        says: /read B p0 +ok, shows what op 2 wrote[\s\S]*holds\n$/,
      },
      {
        name: 'a false claim is told as such',
        text: 'mmap A p0; write A p0; fork A->B; new: write A p0; read B p0 => new',
        status: 1,
        says: /op 5 shows what op 4 wrote: BROKEN/,
      },
      {
        name: 'a store to a read-only page faults',
        text: 'mmap A p0; x: write A p0; mprotect A p0 R; write A p0 => fault; read A p0 => x',
        status: 0,
        says: /write A p0 +fault/,
      },
      {
        name: 'an op that fails although nobody claims that',
        text: 'mmap A p0; mprotect A p0 R; write A p0; read A p0 => zero',
        status: 4,
        says: /cannot be tried here: op 3 \(write A p0\): fault/,
      },
      {
        name: 'COW takes one fault and another page',
        text: 'mmap A p0; write A p0; fork A->B; write A p0',
        needs: 'page frame numbers need root',
        more: [
          { kind: 'faults', op: 3, count: 1 },
          { kind: 'shared', op: 2, mm: 0, page: 0, with: { mm: 1, page: 0 }, same: true },
          { kind: 'moved', op: 3, mm: 0, page: 0, moved: true },
          { kind: 'entry', op: 3, mm: 0, page: 0, is: 'present' },
          { kind: 'content', op: 3, mm: 1, page: 0, value: 2 },
        ],
        status: 0,
        says: /op 4 puts another page behind A p0: holds/,
      },
      {
        name: 'a buffer that io_uring has pinned is not copied at fork',
        text: [
          'mmap A p0; old: write A p0; h=gup A p0 W PIN LONGTERM; fork A->B; new: write A p0',
          'hread h => new; read B p0 => old; put h',
        ].join('; '),
        status: 0,
        says: /hread h +ok, shows what op 5 wrote/,
      },
      {
        name: 'a device writes into a page that its owner has',
        text: 'mmap A p0; write A p0; h=gup A p0 W PIN LONGTERM; new: hwrite h; read A p0 => new',
        status: 0,
        says: /read A p0 +ok, shows what op 4 wrote/,
      },
      {
        name: 'what a pipe holds stays as it was, also after the exit of its owner',
        text: 'mmap A p0; fork A->B; old: write B p0; h=gup B p0 R GET; exit B; write A p0; hread h => old; put h',
        status: 0,
        says: /holds\n$/,
      },
      {
        name: 'process_vm_writev, and /proc/self/mem into a read-only page',
        text: [
          'mmap A p0; write A p0; h=gup A p0 W PIN; x: hwrite h; put h; read A p0 => x',
          'mprotect A p0 R; h=gup A p0 W GET FORCE; y: hwrite h; put h; read A p0 => y',
        ].join('; '),
        status: 0,
        says: /read A p0 +ok, shows what op 9 wrote/,
      },
      {
        name: 'UFFDIO_UNREGISTER does not wake a blocked writer',
        needs: uffd,
        text: [
          'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; w: write A p0 => sleeps',
          'uffd_unreg A p0 => w asleep; uffd_close A => wakes w',
        ].join('; '),
        status: 0,
        says: /the thread of op 5 sleeps after op 6: holds[\s\S]*wakes: write A p0/,
      },
      {
        name: 'the claim that it does is broken',
        needs: uffd,
        text: 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; w: write A p0 => sleeps; uffd_unreg A p0 => wakes w',
        status: 1,
        says: /op 6 wakes the thread of op 5: BROKEN/,
      },
      {
        name: 'two sleepers, on huge pages too',
        needs: uffd,
        text: [
          'mmap A p0..p3 thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3',
          'v: write A p0 => sleeps; w: write A p1 => sleeps; unwp A p0..p3 => wakes v & wakes w',
          'read A p1 => w',
        ].join('; '),
        layout: 'pmd',
        status: 0,
        says: /holds\n$/,
      },
      {
        name: 'the child of a fork event is protected too',
        needs: uffd,
        text: [
          'mmap A p0; write A p0; uffd_reg A p0 WP EVENT_FORK; wp A p0; fork A->B => B p0 wp',
          'w: write B p0 => sleeps; unwp B p0 => wakes w; exit B; read A p0 => silent',
        ].join('; '),
        status: 0,
        says: /uffd-wp of B p0 is set after op 5: holds/,
      },
    ];
    for (const { name, text, layout, more, needs, status, says } of tried) {
      it(name, unless(needs === undefined ? missing() : noRoot(needs)), () => {
        const result = run(name.replaceAll(/\W+/g, '-'), source(text, layout, more));
        assert.match(result.stdout, says);
        assert.equal(result.status, status, result.stdout);
      });
    }
  });
});
