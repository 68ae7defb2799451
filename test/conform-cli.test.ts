import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { goldenFiles } from '../src/cli/conform-tables.js';
import { sideBySide, WIDTH } from '../src/conform/report.js';
import { loadEngine } from '../src/engine/engine.js';
import { parseProgram } from '../src/text/parse.js';

// breakcow conform as people call it, with models in the kernel's place.

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'breakcow-conform-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function conform(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const options = { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', ...env }, timeout: 120_000 } as const;
  const { stdout, stderr, status } = spawnSync(process.execPath, [BIN, 'conform', ...args], options);
  return { stdout, stderr, status };
}
const AGREE = 'mmap A p0; write A p0; fork A->B; write A p0; read B p0';
/** v6.1 leaves the entry read-only after unwp, v6.18 does not. */
const DIFFER = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; unwp A p0';

describe('breakcow conform', () => {
  it('agrees with itself, and says how much was compared', () => {
    const { stdout, status } = conform(['--kernel', 'model:v6.1', '--programs', '200']);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^model v6\.1 against model v6\.1/);
    assert.match(stdout, /4 KiB pages: 200 programs, 6\d{3} ops, .*no difference/);
    assert.match(stdout, /huge pages: 50 programs, .*no difference/);
    assert.match(stdout, /They agree\.\n$/);
  });

  it('stops at the first difference and shows it side by side', () => {
    const { stdout, status } = conform(['--kernel', 'model:v6.1', '--model', 'v6.18', '--layout', 'pte']);
    assert.equal(status, 1, stdout);
    assert.match(stdout, /Difference: \w+ [\w-]+/);
    assert.match(stdout, /^> +\d+ /m);
    assert.match(stdout, /^Differs: op \d+/m);
    const [, program] = /^breakcow conform --kernel model:v6\.1 --model v6\.18 --layout pte --program '(.*)'$/m.exec(
      stdout,
    )!;
    const again = conform(['--kernel', 'model:v6.1', '--model', 'v6.18', '--layout', 'pte', '--program', program!]);
    assert.equal(again.status, 1, again.stdout);
    assert.match(stdout, /1 kind of difference\.\n$/);
  });

  it('goes on with --keep-going and counts each kind', () => {
    const args = ['--kernel', 'model:v6.1', '--model', 'v6.18', '--programs', '400', '--keep-going', '--json'];
    const { stdout, status } = conform(args);
    assert.equal(status, 1);
    const { layouts, model, kernel } = JSON.parse(stdout);
    assert.deepEqual([model, kernel], ['model v6.18', 'model v6.1']);
    assert.deepEqual(
      layouts.map(({ layout, programs }: { layout: string; programs: number }) => [layout, programs]),
      [
        ['pte', 400],
        ['pmd', 100],
      ],
    );
    const kinds = layouts[0].findings.map(({ kind }: { kind: string }) => kind);
    assert.ok(kinds.length > 3 && new Set(kinds).size === kinds.length, kinds.join());
    assert.ok(layouts[0].findings.every(({ count }: { count: number }) => count > 0));
  });

  it('compares one program, in both layouts', () => {
    const one = conform(['--kernel', 'model:v6.1', '--program', AGREE]);
    assert.equal(one.status, 0, one.stdout);
    assert.equal(one.stdout.match(/They agree\./g)?.length, 2);
    assert.match(one.stdout, /reads the store of op 2/);
    const two = conform(['--kernel', 'model:v6.1', '--model', 'v6.18', '--layout', 'pte', '--program', DIFFER]);
    assert.equal(two.status, 1);
    assert.match(two.stdout, /Differs: op 5 \(unwp\), write of A p0: model yes; kernel no/);
    assert.match(two.stdout, /A p0: model present W D .*; kernel present D /);
  });

  it('keeps a difference as text and as a C program', () => {
    const directory = join(scratch, 'differences');
    const args = ['--kernel', 'model:v6.1', '--model', 'v6.18', '--layout', 'pte', '--out', directory];
    const { stdout, status } = conform([...args, '--program', `${DIFFER}; fork A->B; write A p0`]);
    assert.equal(status, 1);
    const [text] = readdirSync(directory);
    assert.match(stdout, new RegExp(`kept: .*/${text}; no C program: user space cannot see write`));
    assert.match(readFileSync(join(directory, text!), 'utf8'), /^Differs: op 5/m);
    const seen = 'mmap A p0; uffd_reg A p0 WP WP_UNPOPULATED; wp A p0; write A p0';
    conform([...args, '--program', seen]);
    const [program] = readdirSync(directory).filter((name) => name.endsWith('.c'));
    assert.match(readFileSync(join(directory, program!), 'utf8'), /What model v6\.1 does, and the model does not:/);
  });

  it('does within a time what it can', () => {
    const started = performance.now();
    const { stdout, status } = conform(['--kernel', 'model:v6.18', '--time', '1s']);
    assert.equal(status, 0);
    assert.ok(performance.now() - started < 20_000);
    assert.match(stdout, /4 KiB pages: \S+( k)? programs/);
  });

  it('ends with the batch at Ctrl-C, and says what was compared', async () => {
    const args = [BIN, 'conform', '--kernel', 'model:v6.18', '--time', '10m', '--layout', 'pte'];
    const child = spawn(process.execPath, args, { env: { ...process.env, NO_COLOR: '1' } });
    let out = '';
    child.stdout.on('data', (piece) => {
      if (out === '') setTimeout(() => child.kill('SIGINT'), 1500);
      out += piece;
    });
    const status = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(status, 0, out);
    assert.match(out, /4 KiB pages: .*no difference; interrupted/);
  });

  it('flips every knob', () => {
    const { stdout, status } = conform(['--kernel', 'model:v6.18', '--flips', '--programs', '200']);
    assert.equal(status, 0);
    assert.match(stdout, /^mutant\.fork_keeps_write +off->on {2}\S+ \S+.* \(p[tm][ed]\), after \d+$/m);
    assert.match(stdout, /^gup\.break_cow +off->on {2}not seen, changes \S+ .*: only patches of 2020/m);
    assert.match(stdout, /\d+ of \d+ flips noticed on 200 programs/);
  });

  it("runs the kernel's own cases on every era", () => {
    const { stdout, status } = conform(['--kernel', 'model:v6.18', '--selftests']);
    assert.equal(status, 0);
    assert.match(stdout, /v5\.10 +v6\.1 +v6\.12 +v6\.18 +v7\.2 +model:v6\.18/);
    assert.match(stdout, /COW after fork +pass/);
  });

  it('records golden traces, and takes no file but its own', () => {
    const directory = join(scratch, 'golden');
    const { stdout, status } = conform(['--kernel', 'model:v6.12', '--model', 'v6.12', '--record', directory]);
    assert.equal(status, 0);
    const path = /^written: (.*)$/m.exec(stdout)![1]!;
    const [{ file }] = goldenFiles(directory) as [ReturnType<typeof goldenFiles>[number]];
    assert.equal(file.release, 'model v6.12');
    assert.ok(file.programs.length > 200);
    assert.ok(readFileSync(path, 'utf8').split('\n').length > file.programs.length);
  });

  it('prints the table of open observations', () => {
    const { stdout, status } = conform(['--open']);
    assert.equal(status, 0);
    assert.match(stdout, /^stale-translation {2}\(all kernels\)\n {4}not compared: /m);
  });

  it('calls what makes no sense a usage error', () => {
    const cases: [string[], RegExp][] = [
      [['--kernel', 'mars'], /unknown kernel "mars"\nvalid: live, qemu:VERSION/],
      [['--kernel', 'model:v6.17'], /unknown kernel "v6\.17"/],
      [['--kernel', 'qemu:4.19'], /no guest of Linux 4\.19: there are/],
      [['--kernel', 'model:v6.1', '--model', 'v99'], /unknown kernel "v99"/],
      [['--kernel', 'model:v6.1', '--ops', '65'], /at most 64/],
      [['--kernel', 'model:v6.1', '--program', 'mmap'], /line 1/],
      [['--kernel', 'model:v6.1', '--program', 'numa_hint A p0'], /no op of this program can be done/],
    ];
    for (const [args, complaint] of cases) {
      const { stderr, status } = conform(args);
      assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, complaint);
      assert.doesNotMatch(stderr, /\n {4}at /);
    }
  });

  it('says in one line what the machine lacks', () => {
    const { stderr, status } = conform(['--kernel', 'live'], { CC: '/nonexistent/cc' });
    assert.equal(status, 3);
    assert.match(stderr, /^breakcow: no C compiler "\/nonexistent\/cc" for the executor .*\n$/);
  });
});

describe('a difference side by side', () => {
  it('fits into 100 columns, however much there is to say', () => {
    const { ops } = loadEngine().catalogue;
    const words = parseProgram('mmap A p0..p7; h=gup A p0 W PIN LONGTERM; write A p0; unwp A p0', ops);
    const outcome = (op: number) => ({ op, result: 3, error: 14, faults: 12, value: 3 });
    const events = [0, 1, 2].map((page) => ({ mm: 1, page, op: 2, write: true, wp: true }));
    const seen = { result: 5, outcomes: [outcome(1), outcome(2)], events, asleep: [1, 2], cells: [] };
    const run = { ops: [seen, seen, seen, seen] };
    const text = sideBySide(
      {
        words,
        layout: 'pte',
        model: run,
        kernel: run,
        names: ['model v6.18', '6.18.44-a-very-long-release-name'],
        target: 'live',
      },
      ops,
    );
    const lines = text.split('\n').filter((line) => !line.startsWith('breakcow conform'));
    assert.ok(lines.length > 8);
    assert.deepEqual(
      lines.filter((line) => line.length > WIDTH),
      [],
    );
  });
});
