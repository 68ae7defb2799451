import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
/** Closes in a second. */
const TINY = 'swap=0,uffd=none';

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'check', ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

interface Answer {
  readonly outcome: string;
  readonly verdict: string;
  readonly bound: string;
  readonly ended: string;
  readonly levels: number[];
  readonly states: number;
  readonly transitions: number;
  readonly diameter: number | null;
  readonly omission: number;
  readonly findings: { slug: string; program: string; length: number; label: string; promise: string }[];
}

/** Runs with --json and expects this exit code. */
function answer(status: number, ...args: string[]): Answer {
  const result = run(...args, '--json');
  assert.equal(result.status, status, `${args.join(' ')}: ${result.stderr}`);
  const data: Answer = JSON.parse(result.stdout);
  return data;
}

describe('check', () => {
  it('closes a scope in which nothing breaks, and says within what', () => {
    const { outcome, verdict, bound, levels, states, diameter, omission } = answer(
      0,
      '-k',
      'repaired',
      '--scope',
      TINY,
    );
    assert.equal(outcome, 'clean');
    assert.equal(
      levels.reduce((sum, level) => sum + level, 0),
      states,
    );
    assert.equal(diameter, levels.length - 1);
    assert.match(verdict, /^closed: [\d,]+ states, [\d,]+ transitions, diameter \d+, no promise broken$/);
    for (const part of ['repaired', '2 processes', '1 page', '1 GUP handle', '24 page frames', 'operations'])
      assert.ok(bound.includes(part), bound);
    assert.ok(omission > 0 && omission < 1e-6);
    const { status, stdout } = run('-k', 'repaired', '--scope', TINY);
    assert.equal(status, 0);
    assert.ok(stdout.replaceAll('\n', ' ').includes(verdict), stdout);
    assert.match(stdout, /^Bound: repaired; 2 processes/);
  });

  it('finds the wrong side of COW on v5.7 by a shortest program', () => {
    const { findings, outcome } = answer(1, '-k', 'v5.7', '--scope', TINY);
    assert.equal(outcome, 'broken');
    const leak = findings.find(({ slug }) => slug === 'cow-leak');
    assert.equal(leak?.length, 6);
    assert.equal(leak.label, 'shortest (exhaustive to length 6)');
    // Whoever holds the page gives it up, and the other one stores to it.
    assert.match(leak.program, /^mmap A p0 anon; write A p0; (fork A->B; h=gup B|h=gup A p0 R GET; fork A->B)/);
    assert.match(leak.program, /(munmap|dontneed|exit) [AB].*; write [AB] p0$/);
  });

  it('finds the event on a read on v5.8', () => {
    const { findings } = answer(1, '-k', 'v5.8', '--scope', 'mms=1,swap=0', '--until', 'wp-event-on-read');
    const event = findings.find(({ slug }) => slug === 'wp-event-on-read');
    assert.match(event!.program, /^mmap A p0 anon; (read|write) A p0; uffd_reg A p0 WP; wp A p0; h=gup A p0 R GET$/);
    const { stdout } = run('-k', 'v5.8', '--scope', 'mms=1,swap=0', '--until', 'any');
    assert.match(stdout, /shortest \(exhaustive to length 5\)/);
    assert.match(stdout, /Replay with:\n {2}npx breakcow replay --kernel v5\.8/);
  });

  it('goes by the knobs', () => {
    const scope = ['--scope', 'uffd=none,swap=0,gup=W.PIN'];
    assert.equal(answer(0, '-k', 'v5.9', ...scope).outcome, 'clean');
    const { findings } = answer(1, '-k', 'v5.9', '--without', 'fork.early_copy_pinned', ...scope);
    assert.equal(findings.find(({ slug }) => slug === 'pin-detached')?.length, 4);
  });

  it('says the same on any number of threads, and of any symmetry but for the states', () => {
    const one = answer(0, '-k', 'repaired', '--scope', TINY, '--workers', '1');
    const three = answer(0, '-k', 'repaired', '--scope', TINY, '--workers', '3');
    assert.deepEqual(three.levels, one.levels);
    assert.equal(three.transitions, one.transitions);
    const frames = answer(0, '-k', 'repaired', '--scope', TINY, '--symmetry', 'frames');
    assert.ok(frames.states > one.states);
    assert.equal(frames.outcome, one.outcome);
    // How many causes a level shows depends on which of its paths are kept.
    const lengths = ({ findings }: Answer) => [...new Set(findings.map(({ slug, length }) => `${slug} ${length}`))];
    const broken = answer(1, '-k', 'v5.7', '--scope', TINY);
    assert.deepEqual(lengths(answer(1, '-k', 'v5.7', '--scope', TINY, '--symmetry', 'frames')), lengths(broken));
  });

  it('searches schedules, too', () => {
    const scope = ['--scope', 'pairs=1,swap=0,uffd=none,zap=0,gup=none'];
    const alone = answer(
      0,
      '-k',
      'repaired',
      '--with',
      'mutant.skip_pte_same',
      '--scope',
      'cpus=2,swap=0,uffd=none,gup=none',
    );
    assert.equal(alone.outcome, 'clean');
    const { findings } = answer(1, '-k', 'repaired', '--with', 'mutant.skip_pte_same', ...scope, '--until', 'any');
    assert.ok(findings.some(({ program }) => /\[write A p0 \|\| write A\.2 p0\]@/.test(program)));
    const { bound, outcome } = answer(0, '-k', 'repaired', ...scope);
    assert.equal(outcome, 'clean');
    assert.match(bound, /two at once by \d+ of \d+ schedules/);
  });

  it('says where it stopped', () => {
    const { verdict, ended, levels } = answer(0, '-k', 'v5.7', '--depth', '3');
    assert.equal(ended, 'depth');
    assert.equal(levels.length, 4);
    assert.match(verdict, /^no promise broken up to depth 3 \(\d+ states, [\d,]+ transitions\); the depth asked for$/);
    const bits = run('-k', 'repaired', '--scope', TINY, '--bits', '24');
    assert.equal(bits.status, 0);
    assert.match(bits.stdout, /Bit-state: /);
  });

  it('prints what is proven when it is interrupted', async () => {
    const child = spawn(process.execPath, [BIN, 'check', '-k', 'repaired', '--scope', 'pages=2,gup=common', '--json']);
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    await setTimeout(3000);
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    const { ended, verdict }: Answer = JSON.parse(stdout);
    assert.equal(ended, 'interrupted');
    assert.match(verdict, /^no promise broken up to depth \d+ \(.*\); interrupted$/);
  });

  it('closes the small handler too, with its mutants', () => {
    const clean = answer(0, '--subject', 'small');
    assert.match(clean.verdict, /^closed: .*no promise broken$/);
    const { findings } = answer(1, '--subject', 'small', '--mutant', 'reuse-ignores-maps');
    assert.deepEqual(
      findings.map(({ promise, length }) => [promise, length]),
      [['a writable page is mapped once', 3]],
    );
    const { stdout } = run('--subject', 'small', '--mutant', 'reuse-ignores-maps');
    assert.match(stdout, /Bound: small handler \+reuse-ignores-maps; 2 processes, 2 pages/);
  });

  it('refuses what makes no sense', () => {
    const cases: [args: string[], stderr: RegExp][] = [
      [['--scope', 'mms=9'], /mms=9: expected 1 to 3/],
      [['--until', 'cow-leek'], /unknown promise "cow-leek"; did you mean cow-leak\?/],
      [['--memory', 'much'], /memory "much": expected a size/],
      [['--mutant', 'x'], /--subject small/],
      [['--subject', 'small', '--mutant', 'x'], /unknown mutant "x"/],
      [['--subject', 'small', '-k', 'v5.7'], /neither kernels nor a scope/],
      [['-k', 'v5.77'], /did you mean v5\.7/],
    ];
    for (const [args, stderr] of cases) {
      const result = run(...args);
      assert.equal(result.status, 2, `${args.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, stderr);
      assert.equal(result.stdout, '');
    }
  });
});
