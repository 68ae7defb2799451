import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCampaign } from '../src/campaign/index.js';
import { fuzzReport } from '../src/cli/fuzz-ci.js';
import { exitCode, type Outcome, resultText } from '../src/cli/fuzz-text.js';
import { loadEngine } from '../src/engine/engine.js';
import type { BaselineEntry } from '../src/findings/baseline.js';
import { junitXml } from '../src/report/junit.js';
import { junitCases } from './xml.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'breakcow-ci-'));
after(() => rmSync(directory, { recursive: true }));
const file = (name: string) => join(directory, name);
const text = (name: string) => readFileSync(file(name), 'utf8');
const junit = (name: string) => junitCases(text(name)).cases;

/** Outside of any CI system but that of `env`. */
function run(args: string[], env: Readonly<Record<string, string>> = {}) {
  const { GITHUB_ACTIONS: _, GITHUB_STEP_SUMMARY: __, ...rest } = process.env;
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', cwd: directory, env: { ...rest, ...env } });
}

const FUZZ = ['fuzz', '--kernel', 'v5.7', '--programs', '2k'];

function entries(name: string): BaselineEntry[] {
  return JSON.parse(text(name)).findings;
}

function keep(name: string, findings: readonly Partial<BaselineEntry>[]): void {
  writeFileSync(file(name), JSON.stringify({ version: 1, findings }));
}

describe('fuzz --baseline', () => {
  before(() => {
    const { status, stdout, stderr } = run([...FUZZ, '--baseline', 'known.json', '--update-baseline']);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /\n\d+ new findings, now in known\.json; 0 known from known\.json\.\n/);
  });

  it('holds all that was found, and then nothing is new', () => {
    assert.ok(entries('known.json').length > 10);
    const before = text('known.json');
    const { status, stdout, stderr } = run([
      ...FUZZ,
      '--baseline',
      'known.json',
      '--update-baseline',
      '--junit',
      'a/b.xml',
    ]);
    assert.equal(status, 0, stderr);
    assert.equal(text('known.json'), before, 'nothing to add, nothing changed');
    assert.match(stdout, /\nNothing new in 2000 programs; \d+ known from known\.json\.\n/);
    assert.doesNotMatch(stdout, /Replay with|Not seen/);
    const cases = junit('a/b.xml');
    for (const { slug, id } of entries('known.json')) {
      assert.deepEqual({ ...cases[slug], text: '' }, { result: 'skipped', message: 'known', text: '' });
      assert.ok(cases[slug]!.text.includes(id));
    }
    assert.equal(cases.canary!.result, 'passed');
    assert.equal(cases['data-lost']!.result, 'passed');
  });

  it('fails for the one that is not in it, and names that first', () => {
    const all = entries('known.json');
    const missing = all.find(({ cause }) => cause === 'cow-leak; copy_present_pte; +fork.early_copy_pinned')!;
    keep(
      'less.json',
      all.filter((entry) => entry !== missing),
    );
    const { status, stdout, stderr } = run([...FUZZ, '--baseline', 'less.json', '--junit', 'less.xml']);
    assert.equal(status, 1, stderr);
    assert.match(stdout, /\n1 new finding; \d+ known from less\.json\.\n/);
    const reports = stdout.split('Replay with:').length - 1;
    assert.equal(reports, 1, 'what is known is not told at length');
    const [fresh, known] = stdout.split('\nKnown from less.json:\n');
    assert.match(fresh!, new RegExp(`\nNew:\n\n${missing.id}  cow-leak`));
    assert.ok(!known!.includes(missing.id) && all.every(({ id }) => id === missing.id || known!.includes(id)));
    const broken = junit('less.xml')['cow-leak']!;
    assert.equal(broken.result, 'failure');
    assert.ok(broken.text.startsWith(missing.id));
    assert.match(broken.text, /\nKnown besides:\n/);

    const asData = run([...FUZZ, '--baseline', 'less.json', '--json', '--exit-zero']);
    assert.equal(asData.status, 0, asData.stderr);
    const { baseline, findings } = JSON.parse(asData.stdout);
    assert.deepEqual(baseline.fresh, [missing.id]);
    assert.equal(baseline.known.length, all.length - 1);
    for (const { id, known: isKnown, knownAs } of findings) {
      assert.equal(isKnown, id !== missing.id);
      assert.equal(knownAs, isKnown ? id : null);
    }
  });

  it('knows its causes by the programs of another seed, and adds what is news there', () => {
    writeFileSync(file('more.json'), text('known.json'));
    const args = ['fuzz', '--kernel', 'v5.7', '--programs', '2k', '--seed', '3', '--baseline', 'more.json', '--json'];
    const { baseline, findings } = JSON.parse(run([...args, '--update-baseline']).stdout);
    const byAnother = findings.filter(({ id, knownAs }: { id: string; knownAs: string }) => knownAs && knownAs !== id);
    assert.ok(byAnother.length > 0, 'another program of a known cause');
    const ids = entries('more.json').map(({ id }) => id);
    assert.deepEqual([...ids].sort(), [...entries('known.json').map(({ id }) => id), ...baseline.fresh].sort());
    const again = run(args);
    assert.equal(again.status, 0, again.stderr);
    assert.deepEqual(JSON.parse(again.stdout).baseline.fresh, []);
  });

  it('tells what it does not see any more, and does not fail for it', () => {
    const rare =
      'mmap A p0; write A p0; mprotect A p0 R; uffd_reg A p0 WP; wp A p0; pageout A p0; h=gup A p0 W GET FORCE';
    const gone = [
      { slug: 'cow-leak', kernel: 'v5.7', program: 'mmap A p0; read A p0' },
      { slug: 'wp-silent-write', kernel: 'v5.7', program: rare },
      { slug: 'wp-silent-write', kernel: 'v5.8', program: rare },
    ];
    keep('stale.json', gone);
    // Five programs do not find a rare flaw; what else they find is added here, so that nothing is new.
    const few = ['fuzz', '--kernel', 'v5.7', '--programs', '5', '--baseline', 'stale.json'];
    run([...few, '--update-baseline']);
    const { status, stdout, stderr } = run([...few, '--junit', 'stale.xml']);
    assert.equal(status, 0, stderr);
    const told = stdout.slice(stdout.indexOf('\nNot seen any more:\n')).replaceAll(/\s+/g, ' ');
    assert.match(told, /cow-leak: its program keeps the promise now: mmap A p0 anon; read A p0 /);
    assert.match(told, /wp-silent-write: its program still breaks the promise: /);
    assert.equal(told.match(/wp-silent-write/g)!.length, 1, 'v5.8 is another matter');
    const { suite } = junitCases(text('stale.xml'));
    assert.match(suite.children.at(-2)!.text, /\nNot seen any more: \w{10} {2}cow-leak: /);
    keep('other.json', gone.slice(2));
    const other = run([...FUZZ, '--baseline', 'other.json', '--exit-zero']);
    assert.match(other.stdout, /other\.json has nothing of v5\.7, only of other kernels\./);
  });

  it('refuses before the work what cannot be', () => {
    keep('bad.json', [
      ...entries('known.json').slice(0, 1),
      { slug: 'cow-leak', kernel: 'v5.77', program: 'mmap A p0' },
    ]);
    const cases: [args: string[], stderr: RegExp][] = [
      [
        ['--baseline', 'bad.json'],
        /^breakcow: bad\.json: finding 2 \(cow-leak\): unknown kernel "v5\.77"; did you mean/,
      ],
      [['--baseline', 'none.json'], /none\.json is no baseline: .*\n--update-baseline writes one/],
      [['--baseline', 'none/x.json', '--update-baseline'], /cannot write none\/x\.json: there is no directory none/],
      [['--update-baseline'], /--update-baseline needs the file: --baseline FILE/],
      [['--junit', '.'], /cannot write \.: /],
      [['--junit', join(BIN, 'x.xml')], /cannot write /],
      [['--annotations', 'gitlab'], /Allowed choices are github, none/],
      [['--oracle', 'model:v5.7', '--junit', 'x.xml'], /--oracle goes without --baseline, --update-baseline, --junit/],
    ];
    for (const [args, complaint] of cases) {
      const { status, stdout, stderr } = run(['fuzz', '--kernel', 'v5.7', '--programs', '100', ...args]);
      assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, complaint);
      assert.doesNotMatch(stderr, /\n {4}at /);
      assert.equal(stdout, '');
    }
  });
});

describe('fuzz in GitHub Actions', () => {
  const args = ['fuzz', '--kernel', 'v5.8', '--programs', '500'];
  const annotations = (output: string) => output.split('\n').filter((line) => line.startsWith('::'));

  it('annotates what it found and adds to the summary of the step', () => {
    writeFileSync(file('step.md'), 'Before.\n');
    const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: file('step.md') };
    const { status, stdout, stderr } = run([...args, '--junit', 'actions.xml'], env);
    assert.equal(status, 1, stderr);
    const found = Number(/\n(\d+) findings?\.\n/.exec(stdout)![1]);
    const lines = annotations(stdout);
    assert.equal(lines.length, found);
    for (const line of lines)
      assert.match(line, /^::error title=breakcow%3A [\w-]+ on v5\.8 \(\w{10}\)::.*%0AReplay with: npx /);
    const summary = text('step.md');
    assert.match(summary, /^Before\.\n\n### breakcow fuzz on v5\\\.8: \d+ findings?\\\.\n\n/);
    assert.equal(summary.match(/^- \*\*/gm)!.length, found);
    assert.equal(run([...args, '--baseline', 'b.json', '--update-baseline'], {}).status, 0);
    const known = run([...args, '--baseline', 'b.json'], env);
    assert.equal(known.status, 0, known.stderr);
    assert.deepEqual(annotations(known.stdout), []);
    assert.match(text('step.md'), /Nothing new in .*<details><summary>Known: \d+<\/summary>/s);

    // Nothing beyond the first finding was looked for.
    const cases = Object.values(junit('actions.xml'));
    assert.ok(cases.some(({ result }) => result === 'failure'));
    assert.ok(cases.some(({ message }) => message.startsWith('the search ended with the first finding')));
    assert.deepEqual(cases.filter(({ result }) => result === 'passed').length, 1, 'the canary alone');
  });

  it('keeps data apart, and is silent elsewhere and where it is told to be', () => {
    const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: file('none.md') };
    const data = run([...args, '--json'], env);
    assert.ok(JSON.parse(data.stdout).findings.length > 0);
    assert.ok(annotations(data.stderr).length > 0);
    rmSync(file('none.md'));
    assert.deepEqual(annotations(run([...args, '--annotations', 'none'], env).stdout), []);
    assert.ok(!existsSync(file('none.md')));
    assert.deepEqual(annotations(run(args).stdout), []);
    assert.ok(annotations(run([...args, '--annotations', 'github']).stdout).length > 0);
    const unwritable = run([...args, '--exit-zero'], { GITHUB_STEP_SUMMARY: directory });
    assert.equal(unwritable.status, 0);
    assert.match(unwritable.stderr, /breakcow: no summary of the step: /);
  });
});

describe('check --junit', () => {
  it('passes or fails each promise within its bound', () => {
    const args = ['check', '--kernel', 'v5.7', '--scope', 'pages=1,swap=0,uffd=none', '--depth', '6'];
    const { status, stderr } = run([...args, '--junit', 'check.xml', '--no-inevitable']);
    assert.equal(status, 1, stderr);
    const { suite, cases } = junitCases(text('check.xml'));
    assert.equal(cases['cow-leak']!.result, 'failure');
    assert.equal(cases['no-progress']!.result, 'passed');
    assert.ok(!('canary' in cases));
    assert.match(suite.children.at(-2)!.text, /searched up to depth 6 .*\nBound: v5\.7; /);
    run([...args, '--junit', 'check.xml', '--until', 'any']);
    assert.match(junit('check.xml')['no-progress']!.message, /--until/);
    assert.equal(run(['check', '--subject', 'small', '--junit', 'small.xml']).status, 2);
  });
});

describe('an invalid campaign', () => {
  it('is an error, and no promise passes', async () => {
    const engine = loadEngine();
    const spec = { kernel: 'repaired', with: [], without: [] };
    const options = { seed: 1n, programs: 300, workers: 1, strategy: 'guided', keepGoing: true } as const;
    const result = await runCampaign(
      { ...options, spec, signal: new AbortController().signal, onProgress: () => {} },
      { canaries: [{ spec, breaks: 'cow-leak' }] },
    );
    assert.equal(result.valid, false);
    const nothing = { fresh: [], known: [], unseen: [], findings: [] };
    const outcome: Outcome = { ...options, ...nothing, engine, spec, result };
    const { run: report } = fuzzReport(outcome);
    const { cases } = junitCases(junitXml(report));
    assert.equal(cases.canary!.result, 'error');
    assert.match(cases.canary!.message, /^Canary \(repaired\): NOT found in [\d.]+ k programs\.$/);
    assert.ok(!Object.values(cases).some((one) => one.result === 'passed'));
    assert.equal(exitCode(outcome), 3);
    const baseline = { path: 'known.json', updated: false, elsewhere: 0 };
    assert.equal(exitCode({ ...outcome, baseline }), 3);
    assert.match(
      resultText({ ...outcome, baseline }).replaceAll(/\s+/g, ' '),
      /INVALID: .* that nothing new was found\./,
    );
  });
});
