import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'breakcow-cli-'));
after(() => rmSync(directory, { recursive: true }));

function run(args: string[], input?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    cwd: directory,
    ...(input !== undefined && { input }),
  });
  return { status, stdout, stderr };
}

/** Runs and expects this exit code; gives stdout. */
function expect(status: number, ...args: string[]): string {
  const result = run(args);
  assert.equal(result.status, status, `${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

const WRONG_SIDE = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
const EVENT = 'mmap A p0; write A p0; uffd_reg A p0 WP; wp A p0; gup A p0 R GET';

describe('every command', () => {
  it('has help with examples', () => {
    const help = expect(0, '--help');
    assert.match(help, /Exit codes: 0 .*1 .*2 .*3 /);
    const commands = [...help.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(([, name]) => name!);
    assert.deepEqual(commands, [
      'fuzz',
      'replay',
      'minimize',
      'report',
      'playground',
      'check',
      'ablate',
      'compare',
      'kernels',
      'ops',
      'invariants',
      'score',
      'mutants',
      'coverage',
      'conform',
      'export',
      'worker',
      'bench',
    ]);
    const kept = [...expect(0, 'campaign', '--help').matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(([, name]) => name!);
    assert.deepEqual(kept.slice(0, 8), ['start', 'resume', 'status', 'list', 'serve', 'export', 'verify', 'prune']);
    for (const command of kept) assert.match(expect(0, 'campaign', command, '--help'), /--dir/);
    for (const command of commands) {
      const text = expect(0, command, '--help');
      assert.match(text, /\nExamples?:\n {2}breakcow /);
      assert.match(text, /--json/);
    }
    assert.match(expect(0, '--version'), /^\d+\.\d+\.\d+\n$/);
  });

  it('answers a wrong call with a line or two, and exit code 2', () => {
    const cases: [args: string[], stderr: RegExp][] = [
      [[], /Usage: breakcow/],
      [['fuz'], /unknown command 'fuz'\n\(Did you mean fuzz\?\)/],
      [['fuzz', '--kernl', 'x'], /unknown option '--kernl'/],
      [['fuzz', '--kernel', 'v5.77'], /unknown kernel "v5\.77"; did you mean v5\.7\?\nvalid: v5\.7, /],
      [['fuzz', '--with', 'gup.unshar'], /unknown knob "gup\.unshar"; did you mean gup\.unshare\?\nvalid: /],
      [['fuzz', '--with', 'gup.unshare', '--without', 'gup.unshare'], /both with and without/],
      [['fuzz', '--seed', '-1'], /seed "-1": expected a whole number from 0 to 18446744073709551615/],
      [['fuzz', '--programs', '0'], /programs "0": expected a positive whole number/],
      [['fuzz', '--time', '3'], /time "3": expected a duration such as 30s/],
      [['fuzz', '--workers', 'many'], /workers "many": expected a number from 1 to/],
      [['fuzz', '--strategy', 'lucky'], /Allowed choices are guided, random/],
      [['fuzz', '--out', join(BIN, 'x')], /cannot create/],
      [['replay'], /missing required argument 'program'/],
      [
        ['replay', 'mmap A p0; wirte A p0'],
        /line 1, column 12: expected an operation, found "wirte"; did you mean write\?/,
      ],
      [['replay', ''], /line 1, column 1: expected an operation, found the end/],
      [['replay', 'aaaaaaaaaa'], /no finding aaaaaaaaaa in findings\nfindings: none there/],
      [['minimize', 'read A p9'], /line 1, column 8: expected one page for read/],
      [['kernels', 'v9'], /unknown kernel "v9"/],
    ];
    for (const [args, expected] of cases) {
      const { status, stdout, stderr } = run(args);
      assert.equal(status, 2, `${args.join(' ')}: ${status} ${stderr}`);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /\n {4}at /, 'a stack trace');
      assert.equal(stdout, '');
    }
  });

  it('writes no colours where nobody sees them', () => {
    for (const args of [['kernels'], ['replay', 'mmap A p0'], ['ops']]) {
      assert.ok(!expect(0, ...args).includes('\x1b'));
    }
  });
});

describe('the vocabularies', () => {
  it('are the same as text and as data', () => {
    const cases: [args: string[], key: string, name: string, least: number][] = [
      [['kernels'], 'kernels', 'name', 20],
      [['kernels', 'seed'], 'knobs', 'name', 10],
      [['kernels', '--knobs'], 'knobs', 'name', 60],
      [['ops'], 'ops', 'name', 23],
      [['invariants'], 'invariants', 'slug', 18],
    ];
    for (const [args, key, name, least] of cases) {
      const data: Record<string, Record<string, string>[]> = JSON.parse(expect(0, ...args, '--json'));
      const text = expect(0, ...args);
      assert.ok(data[key]!.length >= least, `${args.join(' ')}: ${data[key]!.length}`);
      for (const row of data[key]!) assert.ok(text.includes(row[name]!), `${args.join(' ')} lacks ${row[name]}`);
    }
    assert.match(expect(0, 'kernels', 'seed'), /\+copy\.keeps_uffd_wp\n {4}seed mail: wp_page_copy/);
  });

  it('may be cut off by a pipe', () => {
    const { status, stdout, stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${BIN}" kernels --knobs | head -n 1`],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(status, 0);
    assert.equal(stdout.split('\n').length, 2);
    assert.equal(stderr, '');
  });
});

describe('replay', () => {
  it('explains a broken promise and exits with 1', () => {
    const text = expect(1, 'replay', WRONG_SIDE, '--kernel', 'v5.7');
    assert.match(text, /^cow-leak on v5\.7, in 7 operations\n/);
    assert.match(text, /\n +7\. hread h\n\s+\* h shows what A wrote in step 6\n/);
    const data = JSON.parse(expect(1, 'replay', EVENT, '--kernel', 'v5.8', '--json'));
    assert.equal(data.slug, 'wp-event-on-read');
    assert.equal(data.invariant, 'I5');
    assert.equal(data.steps.length, 5);
    assert.deepEqual(data.steps[4].results, ['sleeps']);
    assert.deepEqual(data.cures[0], {
      with: [],
      without: ['gup.as_write'],
      sources: data.cures[0].sources,
      faithful: true,
    });
    assert.deepEqual(data.kernels['v5.8'], ['wp-event-on-read']);
    assert.deepEqual(data.kernels['v5.9'], []);
  });

  it('exits with 0 where every promise is kept', () => {
    const text = expect(0, 'replay', WRONG_SIDE, '--kernel', 'v5.7', '--with', 'reuse.page_count');
    assert.match(text, /Every promise is kept on v5\.7 \+reuse\.page_count\./);
    assert.match(text, /wp_page_copy: install a writable copy/);
    assert.equal(JSON.parse(expect(0, 'replay', EVENT, '--kernel', 'v5.7', '--json')).broken, false);
  });

  it('prints a command that a shell understands', () => {
    const knobs = ['--with', 'gup.unshare', '--without', 'wp_pmd.event_needs_write'];
    const program = 'mmap A thp; write A p0; uffd_reg A p0..p3 WP; wp A p0..p3; gup A p0 R GET';
    for (const args of [
      [WRONG_SIDE, '--kernel', 'v5.7'],
      [program, '--kernel', 'break-cow-v3-followup', ...knobs],
    ]) {
      const text = expect(1, 'replay', ...args);
      for (const line of text.split('\n')) assert.ok(line.length <= 78, line);
      const command = text.slice(text.indexOf('Replay with:\n') + 'Replay with:\n'.length);
      const shell = command.replace('npx breakcow', `"${process.execPath}" "${BIN}"`);
      const again = spawnSync('sh', ['-c', shell], { encoding: 'utf8' });
      assert.equal(again.stdout, text, again.stderr);
    }
  });

  it('reads a file and standard input', () => {
    const path = join(directory, 'event.txt');
    writeFileSync(path, `# T1-02\n${EVENT.replaceAll('; ', '\n')}\n`);
    expect(1, 'replay', path, '--kernel', 'v5.8');
    assert.equal(run(['replay', '-', '--kernel', 'v5.8'], EVENT).status, 1);
    writeFileSync(path, 'mmap A p0\nwrite A\n');
    const { status, stderr } = run(['replay', path]);
    assert.equal(status, 2);
    assert.match(stderr, /event\.txt: line 2, column 8: expected one page for write, found the end of the line/);
  });
});

describe('minimize', () => {
  it('gives the short program', () => {
    const noisy = 'mmap A p0..p7; read A p7; write A p3; uffd_reg A p0..p7 WP; wp A p0..p7; read A p3; gup A p3 R GET';
    const data = JSON.parse(expect(1, 'minimize', noisy, '--kernel', 'v5.8', '--json'));
    assert.equal(data.length, 5);
    assert.match(data.from, /^mmap A p0\.\.p7 anon; read A p7/);
    assert.match(expect(0, 'minimize', noisy, '--kernel', 'repaired'), /Every promise is kept/);
  });
});

describe('fuzz', () => {
  it('reports what it found, keeps it, and replays it by its id', () => {
    const out = join(directory, 'findings');
    const args = ['fuzz', '--kernel', 'v5.8', '--programs', '4k', '--workers', '1', '--keep-going', '--out', out];
    const { status, stdout, stderr } = run([...args, '--json']);
    assert.equal(status, 1, stderr);
    const data = JSON.parse(stdout);
    assert.equal(data.programs, 4000);
    assert.equal(data.seed, '1');
    assert.ok(data.valid && !data.interrupted && data.ops > data.programs && data.faults > 0);
    const event = data.findings.find(({ slug }: { slug: string }) => slug === 'wp-event-on-read');
    assert.ok(event.length <= 5, event.minimized);
    assert.ok(event.firstAt.programs > 0 && event.cures.length > 0);
    const kept = readdirSync(out).sort();
    const ids: string[] = data.findings.map(({ id }: { id: string }) => id);
    assert.deepEqual(kept, ['campaign.json', ...ids.flatMap((id) => [`${id}.json`, `${id}.txt`])].sort());
    assert.deepEqual(JSON.parse(readFileSync(join(out, `${event.id}.json`), 'utf8')), event);
    assert.match(readFileSync(join(out, `${event.id}.txt`), 'utf8'), /^wp-event-on-read on v5\.8/);

    assert.match(expect(1, 'replay', event.id), /^wp-event-on-read on v5\.8/);
    expect(1, 'replay', join(out, `${event.id}.json`));
    expect(0, 'replay', event.id, '--kernel', 'repaired');
    const { stderr: missed } = run(['replay', `${event.id.slice(0, -1)}${event.id.endsWith('0') ? '1' : '0'}`]);
    assert.match(missed, new RegExp(`did you mean ${event.id}\\?`));

    const text = run(args).stdout;
    for (const { id } of data.findings) assert.ok(text.includes(id));
    assert.match(text.replaceAll(/\s+/g, ' '), /4000 programs, .* on 1 thread /);
  });

  it('finds the same on one thread and on two', () => {
    const [one, two] = ['1', '2'].map((workers) => {
      const args = ['fuzz', '--kernel', 'seed', '--programs', '20k', '--workers', workers, '--keep-going', '--json'];
      const { findings, digest, programs, ops, faults, coverage } = JSON.parse(expect(1, ...args));
      return { findings, digest, programs, ops, faults, coverage };
    });
    assert.deepEqual(two, one);
    assert.ok(one!.findings.length > 5);
  });

  it("tells a patch's own flaws from those it inherits", () => {
    const text = expect(0, 'fuzz', '--kernel', 'seed', '--programs', '4k', '--keep-going', '--exit-zero');
    const [inherited, own] = text.slice(text.indexOf('Inherited from the releases')).split('Of seed itself:');
    assert.match(inherited!, /wp-lost, \d+ operations, since v5\.7/);
    // wp_page_reuse is the twin that the mail leaves out.
    assert.match(own!, /wp-writable, 6 operations, since break-cow-v2/);
    assert.doesNotMatch(own!, /since v5/);
  });

  it('finds nothing on the control group and says so', () => {
    const text = expect(0, 'fuzz', '--kernel', 'repaired', '--programs', '20k');
    assert.match(text, /Nothing found in 20\.0 k programs\.\nCanary \(.*\): found after/);
  });

  it('ends cleanly on Ctrl-C', async () => {
    const child = spawn(process.execPath, [BIN, 'fuzz', '--kernel', 'repaired', '--time', '10m', '--json'], {
      cwd: directory,
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    const ended = new Promise<number | null>((resolve) => {
      child.on('exit', resolve);
    });
    // A plain line tells that it runs.
    await new Promise((resolve) => {
      child.stderr.once('data', resolve);
    });
    child.kill('SIGINT');
    assert.equal(await ended, 0);
    const data = JSON.parse(stdout);
    assert.equal(data.interrupted, true);
    assert.deepEqual(data.findings, []);
    assert.ok(data.seconds < 60);
  });
});

describe('an internal error', () => {
  /** (module (memory (export "memory") 1) (func (export "describe_count") (param i32) (result i32) unreachable)) */
  const TRAPPING = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x03, 0x02],
    ...[0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x1b, 0x02, 0x06, ...Buffer.from('memory'), 0x02, 0x00],
    ...[0x0e, ...Buffer.from('describe_count'), 0x00, 0x00, 0x0a, 0x05, 0x01, 0x03, 0x00, 0x00, 0x0b],
  ];
  /** The package with another build/. */
  const elsewhere = join(directory, 'package');

  function inPackage() {
    const entry = join(elsewhere, 'dist/src/cli/main.js');
    const flags = ['--preserve-symlinks', '--preserve-symlinks-main'];
    return spawnSync(process.execPath, [...flags, entry, 'ops'], { encoding: 'utf8' });
  }

  it('exits with 3 and says what is missing, or at which AssemblyScript line it trapped', () => {
    mkdirSync(elsewhere);
    for (const name of ['dist', 'node_modules', 'package.json'])
      symlinkSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), join(elsewhere, name));
    const missing = inPackage();
    assert.equal(missing.status, 3);
    assert.match(
      missing.stderr,
      /breakcow: internal error: .*no WebAssembly module at .*breakcow\.wasm: run npm run build/,
    );

    mkdirSync(join(elsewhere, 'build'));
    writeFileSync(join(elsewhere, 'build/breakcow.wasm'), Buffer.from(TRAPPING));
    const map = { version: 3, sources: ['assembly/mm/memory.ts'], names: [], mappings: 'AAUA' };
    writeFileSync(join(elsewhere, 'build/breakcow.wasm.map'), JSON.stringify(map));
    const trap = inPackage();
    assert.equal(trap.status, 3);
    assert.match(
      trap.stderr,
      /^breakcow: internal error: trap in the engine: unreachable at \S*assembly\/mm\/memory\.ts:11\n/,
    );
  });
});
