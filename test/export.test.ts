import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { judge } from '../src/conform/facts.js';
import { ModelBackend } from '../src/conform/model.js';
import { Inexpressible } from '../src/conform/reproducer.js';
import { cSources } from '../src/conform/reproducer-sources.js';
import { CellReader } from '../src/engine/cells.js';
import { loadEngine } from '../src/engine/engine.js';
import { decodeObservation } from '../src/engine/observation.js';
import { MM_NAMES, PAGE_COUNT } from '../src/engine/opword.js';
import { Stepper } from '../src/engine/stepper.js';
import type { KernelSpec } from '../src/engine/types.js';
import { cTest, type Plan, plan } from '../src/export/c.js';
import { exported } from '../src/export/exported.js';
import { MAIL_COLUMNS, mail } from '../src/export/mail.js';
import { predict, visible } from '../src/export/predict.js';
import { Reference } from '../src/export/reference.js';
import { translate } from '../src/export/translate.js';
import { CORPUS, type CorpusEntry, fixedSpec } from '../src/score/corpus.js';
import { parseProgram } from '../src/text/parse.js';
import { printProgram } from '../src/text/print.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const engine = loadEngine();
const { ops } = engine.catalogue;
const kernel = (name: string): KernelSpec => ({ kernel: name, with: [], without: [] });
const of = (text: string, spec = kernel('v6.18')) => exported(engine, spec, parseProgram(text, ops));
const ofEntry = ({ trigger, spec }: CorpusEntry) => of(trigger, spec);

/** What user space cannot perform, by the corpus's ids. */
const INEXPRESSIBLE: Readonly<Record<string, RegExp>> = {
  'T1-14': /R PIN: .* the length of one call only/,
  'T1-15': /read-only long-term pin/,
  'T1-19b': /fast-only/,
  'T2-06': /NUMA hinting/,
  'T2-18': /does not scan/,
  'T2-19': /does not scan/,
  'T3-02a': /several NUMA nodes/,
  'T3-02b': /midway/,
  'T3-02c': /several NUMA nodes/,
  'T3-03a': /several NUMA nodes/,
  'T3-03b': /several NUMA nodes/,
  'T3-05': /several NUMA nodes/,
  'T3-06': /ksmd/,
  'T3-07': /ksmd/,
};

/** Does the kernel, as modelled, fail the test? On what user space sees there. */
function isBroken(made: Plan, spec: KernelSpec): boolean {
  return predict(made, new ModelBackend(spec), visible(engine.catalogue, spec.kernel)).verdict === 'broken';
}

describe('the reference memory as data', () => {
  it('says of random programs what they load and what is mapped', () => {
    engine.configure(kernel('repaired'));
    const stepper = new Stepper(engine);
    const cells = new CellReader(engine);
    let loads = 0;
    for (let i = 0; i < 200; i++) {
      stepper.begin();
      for (let k = 0; k < 32; k++) {
        stepper.choose(5n, i, k);
        const word = stepper.draw(k === 0);
        if (word === undefined) break;
        const before = new Reference(engine);
        stepper.run(word, k);
        if (engine.brokenSoFar() !== 0) break;
        for (const seen of [...engine.observations()].map(decodeObservation)) {
          const promised = seen.kind === 'load' ? before.value(seen.mm, seen.page) : undefined;
          // A thread that a fill wakes reads what was not there before.
          if (promised === undefined || ops[word & 63]!.name === 'uffd_copy') continue;
          assert.equal(seen.version, promised);
          if (promised > 0) loads++;
        }
        const now = new Reference(engine);
        cells.refresh();
        for (const [mm] of MM_NAMES.entries()) {
          assert.equal(now.alive(mm), cells.alive(mm));
          for (let page = 0; now.alive(mm) && page < PAGE_COUNT; page++)
            assert.equal(now.has(mm, 'mapped', page), cells.mapped(mm, page), `${MM_NAMES[mm]} p${page}`);
        }
      }
    }
    assert.ok(loads > 100, `${loads} loads of data`);
  });
});

describe('export as C', () => {
  it('turns ops into what user space has, and says which', () => {
    const text = (program: string) => printProgram(translate(parseProgram(program, ops), ops).words, ops);
    assert.match(text('mmap A p0; h=gup A p0 W PIN; fork A->B; hwrite h'), /h=gup A p0 W PIN LONGTERM; fork/);
    assert.match(text('mmap A p0; h=gup A p0 R PIN; hread h; put h'), /h=gup A p0 R PIN; hread h; put h$/);
    assert.match(text('mmap A p0; gup A p0 W GET FORCE'), /W GET FORCE; hwrite h; put h$/);
    assert.throws(() => text('mmap A p0; numa_hint A p0'), /step 2, numa_hint A p0: /);
    assert.throws(() => text('mmap A p0; h=gup A p0 R PIN; write A p0; hread h'), Inexpressible);
    assert.throws(() => text('mmap A dax'), /DAX/);
    assert.throws(() => text('mmap A p0; gup A p0 R GET BREAK_COW'), /BREAK_COW/);
  });

  it('checks what each flaw of the corpus breaks: its kernel fails the test, the cured one passes', () => {
    for (const entry of CORPUS) {
      if (entry.id in INEXPRESSIBLE) continue;
      const made = plan(engine, ofEntry(entry));
      // A warning breaks no promise.
      const seen = !entry.warning;
      assert.equal(isBroken(made, entry.spec), seen, entry.id);
      assert.equal(made.shows, seen, entry.id);
      const trial = { ...made, text: printProgram(made.words, ops), idle: made.may };
      const repaired = judge(trial, new ModelBackend(kernel('repaired')).runSync([made.words])[0]!);
      // What a cured kernel refuses to do says nothing more.
      if (entry.refuses) assert.match(`${repaired.reason}`, /refused/, entry.id);
      else assert.equal(repaired.verdict, 'holds', `${entry.id}: ${repaired.reason}`);
      if (!entry.leaves) assert.ok(!isBroken(made, fixedSpec(entry)), entry.id);
    }
  });

  it('holds a page taken for writing in a pipe where only that shows the flaw', () => {
    const shown = 'mmap A p0; h=gup A p0 W GET; pageout A p0; fork A->B; write A p0; write B p0; hread h';
    const piped = plan(engine, of(shown, kernel('v5.10')));
    assert.match(printProgram(piped.words, ops), /^mmap A p0 anon; write A p0; h=gup A p0 R GET fast; pageout/);
    assert.ok(piped.shows);
    assert.match(printProgram(plan(engine, of(shown)).words, ops), /W PIN LONGTERM/);
    // Nobody writes through a pipe: the flaw is out of reach, and the test says so.
    const hidden = cTest(
      engine,
      of('mmap A p0; h=gup A p0 W GET; clear_refs A; write A p0; hwrite h; read A p0', kernel('v5.10')),
      cSources(),
    );
    assert.match(hidden.blind ?? '', /performs instead keeps every promise on v5\.10/);
    assert.match(hidden.source, /does not show the flaw/);
  });

  it('reclaims by a memory cgroup only what processes share', () => {
    const source = (program: string) => cTest(engine, of(program), cSources()).source;
    assert.match(source('mmap A p0; write A p0; fork A->B; pageout A p0'), /memory\.high[\s\S]*do_pageout\(3,/);
    for (const without of ['write A p0; pageout A p0; fork A->B', 'write A p0; fork A->B; pageout A p0 madv'])
      assert.doesNotMatch(source(`mmap A p0; ${without}`), /memory\.high|cgroup\.procs/);
  });

  it('finds a mark that has stayed where pagemap tells of none', () => {
    const made = plan(engine, of('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; uffd_close A', kernel('v5.10')));
    assert.match(
      printProgram(made.words, ops),
      /uffd_close A; .*uffd_reg A p0 WP; mprotect A p0 R; mprotect A p0 RW; write/,
    );
    assert.ok(made.shows);
    const kept = { ...made, text: '', idle: made.may };
    assert.equal(judge(kept, new ModelBackend(kernel('v7.2')).runSync([made.words])[0]!).verdict, 'holds');
  });

  it('says in a test of its own what cannot be performed', () => {
    for (const entry of CORPUS) {
      const { source, skips } = cTest(engine, ofEntry(entry), cSources());
      const reason = INEXPRESSIBLE[entry.id];
      if (reason === undefined) assert.equal(skips, undefined, entry.id);
      else {
        assert.match(skips ?? '', reason);
        assert.match(source, /1\.\.0 # SKIP step \d[\s\S]*return 4;/);
      }
    }
  });

  it('is one file with a block for each step', () => {
    const { source } = cTest(
      engine,
      of('mmap A p0; write A p0; fork A->B; write A p0; read B p0'),
      cSources(),
      'mine.c',
    );
    assert.doesNotMatch(source, /#include "|USES_|userfaultfd/);
    assert.match(source, /-o mine mine\.c -pthread/);
    const steps = [...source.matchAll(/^ {2}\/\* (\d+)\. /gm)].map(([, number]) => Number(number));
    assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7]);
    assert.match(source, /\/\* 5\. read B p0: .*\n.*\n {2}claim\(.*value == 2, "op 5 shows what op 2 wrote"\)/);
    assert.ok(source.split('\n').every((line) => !/\s$/.test(line)));
  });

  it('lets a handle show whatever its owner may have', () => {
    const { facts } = plan(engine, of('mmap A p0; write A p0; h=gup A p0 R GET; write A p0; hread h'));
    assert.deepEqual(
      facts.find(({ op }) => op === 4),
      { kind: 'shows', op: 4, value: 2, or: [4] },
    );
  });
});

describe('export as a mail', () => {
  it('fits 75 columns and has a subject', () => {
    for (const entry of CORPUS.filter(({ warning }) => !warning)) {
      const lines = mail(engine, ofEntry(entry), cSources()).split('\n');
      assert.match(lines[0]!, /^Subject: \[BUG\] mm: [a-z-]+ on /);
      assert.equal(lines[1], '');
      for (const line of lines) assert.ok(line.length <= MAIL_COLUMNS && !/\s$/.test(line), `${entry.id}: ${line}`);
    }
  });
});

describe('a mail about a test that was run', () => {
  const event = of('mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET', kernel('v5.8'));
  const release = '5.8.0-test';

  it('says what came of it, in the subject too if it is broken', () => {
    const ktap = 'KTAP version 1\n1..2\nok 1 op 2 ends with ok\nnot ok 2 op 5 raises no event\n';
    const broken = mail(engine, event, cSources(), { release, verdict: 'broken', ktap });
    assert.match(broken, /^Subject: \[BUG\] mm: wp-event-on-read on 5\.8\.0-test/);
    const flat = broken.replaceAll(/\s+/g, ' ');
    assert.match(flat, / on 5\.8\.0-test, as mmap A p0 anon; .*; h=gup A p0 R GET fast\. The promise is broken there /);
    assert.match(broken, /as well:\n\n {2}not ok 2 op 5 raises no event\n\n/);
    assert.match(
      mail(engine, event, cSources(), { release, verdict: 'kept', ktap: '' }),
      /v5\.8 \(model\)[\s\S]*which\s+keeps\s+the\s+promise\./,
    );
    const skipped = mail(engine, event, cSources(), {
      release,
      verdict: 'skipped',
      ktap: '1..0 # SKIP no userfaultfd\n',
    });
    assert.match(skipped, /in\s+vain: no\s+userfaultfd\./);
  });

  it('says where a test does not show it', () => {
    const hidden = of('mmap A p0; h=gup A p0 W GET; clear_refs A; write A p0; hwrite h; read A p0', kernel('v5.10'));
    assert.match(mail(engine, hidden, cSources()), /It does not show\s+the flaw: /);
  });
});

describe('breakcow export', () => {
  const folder = mkdtempSync(join(tmpdir(), 'breakcow-export-'));
  after(() => rmSync(folder, { recursive: true }));
  const EVENT = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET';
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'export', ...args], {
      encoding: 'utf8',
      cwd: folder,
    });
    return { status, stdout, stderr };
  };

  it('says what is possible', () => {
    const { stdout } = run('--kernel', 'v5.8', EVENT);
    assert.match(
      stdout,
      /--c FILE +possible\n +--syz FILE +5 of 5 operations\n +--mail FILE +possible: wp-event-on-read/,
    );
    const data = JSON.parse(run('--kernel', 'v6.18', '--json', 'mmap A p0; numa_hint A p0').stdout);
    assert.equal(data.c.possible, false);
    assert.match(data.c.reason, /numa_hint/);
    assert.deepEqual(data.mail, { possible: false });
  });

  it('writes files, and one text to standard output', () => {
    const { status, stdout } = run('--kernel', 'v5.8', EVENT, '--c', 'a.c', '--syz', 'a.syz', '--mail', '-');
    assert.equal(status, 0);
    assert.match(stdout, /^Subject: /);
    assert.match(readFileSync(join(folder, 'a.c'), 'utf8'), /-o a a\.c[\s\S]*int main\(void\)/);
    assert.match(readFileSync(join(folder, 'a.syz'), 'utf8'), /userfaultfd\(/);
    assert.match(run('--kernel', 'v5.8', EVENT, '--c', '-').stdout, /^\/\*\n \* wp-event-on-read/);
  });

  it('--run tells what the machine lacks, and what no kernel can run', () => {
    const none = spawnSync(process.execPath, [BIN, 'export', EVENT, '--run'], {
      encoding: 'utf8',
      env: { ...process.env, CC: '/no/such/cc' },
    });
    assert.equal(none.status, 3);
    assert.match(
      none.stderr,
      process.platform === 'linux' ? /^breakcow: no C compiler "\/no\/such\/cc" for the test/ : /Linux/,
    );
    const { status, stdout, stderr } = run('mmap A p0; numa_hint A p0', '--run');
    assert.equal(status, 4);
    assert.match(stdout, /^KTAP version 1\n1\.\.0 # SKIP step 2, numa_hint A p0: /);
    assert.match(stderr, /^breakcow: no kernel can try it: step 2/);
  });

  it('answers a wrong call with a line and exit code 2', () => {
    const cases: [args: string[], stderr: RegExp][] = [
      [[EVENT, '--c', '-', '--mail', '-'], /only one of the texts can go to "-"/],
      [[EVENT, '--c', 'x', '--syz', 'x'], /two texts cannot go to one file/],
      [['--kernel', 'v6.18', EVENT, '--mail', '-'], /v6\.18 keeps every promise .*no news for a mail/],
      [[EVENT, '--c', join(folder, 'no', 'such.c')], /cannot write .*such\.c/],
      [['mmap A p9', '--c', '-'], /p9/],
      [[EVENT, '--run', 'qemu:4.4'], /no guest of Linux 4\.4: there are 5\.10/],
      [[EVENT, '--run', 'here'], /cannot run a test on "here"\nvalid: live, qemu:VERSION/],
      [[EVENT, '--run', '--c', '-'], /--run and a text cannot both go/],
      [['--kernel', 'v5.8x', EVENT], /unknown kernel/],
    ];
    for (const [args, stderr] of cases) {
      const result = run(...args);
      assert.equal(result.status, 2, args.join(' '));
      assert.match(result.stderr, stderr);
    }
  });
});
