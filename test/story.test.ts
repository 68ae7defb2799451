import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { loadEngine } from '../src/engine/engine.js';
import { UsageError } from '../src/errors.js';
import { readFinding } from '../src/findings/store.js';
import { byCause, byInvariant, fateOn, matrixOf, milestones, rates, spread } from '../src/page/story-views.js';
import { type Kept, storyOf } from '../src/report/from-directory.js';
import { headline, originShort } from '../src/report/headline.js';
import { type CampaignRecord, parseRecord } from '../src/report/record.js';
import { MOST_SAMPLES, Series } from '../src/report/series.js';
import type { CampaignStory, Sample } from '../src/report/story.js';
import { duration, short } from '../src/text/numbers.js';
import { parseProgram } from '../src/text/parse.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const engine = loadEngine();
const directory = mkdtempSync(join(tmpdir(), 'breakcow-story-'));
after(() => rmSync(directory, { recursive: true }));

const at = (seconds: number, findings = 0): Sample => ({
  seconds,
  programs: Math.round(seconds * 100),
  ops: Math.round(seconds * 1000),
  faults: Math.round(seconds * 500),
  points: 5,
  states: 7,
  findings,
});

function kept(out: string): Kept[] {
  const ids = readdirSync(out).filter((name) => /^[0-9a-z]{10}\.json$/.test(name));
  return ids.sort().map((name) => {
    const stored = readFinding(join(out, name));
    return {
      words: parseProgram(stored.minimized, engine.catalogue.ops),
      spec: { kernel: stored.kernel, with: stored.with, without: stored.without },
      stored,
    };
  });
}

describe('a series of samples', () => {
  it('never exceeds its bound, rises, and has the first and the newest one', () => {
    const gaps = fc.array(fc.double({ min: 0.001, max: 1000, noNaN: true }), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 2, max: 40 }), (steps, most) => {
        const series = new Series(most);
        let seconds = 0;
        series.add(at(seconds));
        for (const gap of steps) {
          seconds += gap;
          series.add(at(seconds));
          const { samples } = series;
          assert.ok(samples.length <= most);
          assert.equal(samples[0]!.seconds, 0);
          assert.equal(samples.at(-1)!.seconds, seconds);
          assert.ok(samples.every((sample, i) => i === 0 || sample.seconds > samples[i - 1]!.seconds));
        }
      }),
    );
  });

  it('holds eight hours evenly', () => {
    const series = new Series();
    for (let tick = 0; tick <= 8 * 3600 * 5; tick++) series.add(at(tick / 5));
    const { samples } = series;
    assert.ok(samples.length > MOST_SAMPLES / 2 - 1 && samples.length <= MOST_SAMPLES, `${samples.length}`);
    const gaps = samples.slice(1, -1).map(({ seconds }, i) => seconds - samples[i]!.seconds);
    assert.ok(Math.max(...gaps) <= 2 * Math.min(...gaps), `${Math.min(...gaps)} to ${Math.max(...gaps)} s`);
  });

  it('lets a later word on the same moment win', () => {
    const series = new Series();
    for (const sample of [at(0), at(1), at(1, 3)]) series.add(sample);
    assert.deepEqual(series.samples, [at(0), at(1, 3)]);
  });
});

describe('what a campaign keeps of itself', () => {
  const out = join(directory, 'seed');
  const args = ['fuzz', '--kernel', 'seed', '--programs', '30k', '--workers', '2', '--keep-going', '--exit-zero'];
  const fuzzed = spawnSync(process.execPath, [BIN, ...args, '--out', out, '--json'], { encoding: 'utf8' });
  const result = JSON.parse(fuzzed.stdout);
  const text = readFileSync(join(out, 'campaign.json'), 'utf8');
  const record = parseRecord(text);
  const story = storyOf(engine, { findings: kept(out), record });

  it('is what fuzz told', () => {
    const { programs, ops, faults, canary, coverage, digest, valid } = result;
    const { points, pointsTotal, states } = coverage;
    const { seconds, ...totals } = record.totals;
    assert.deepEqual(totals, { programs, ops, faults, points, pointsTotal, states, canary });
    assert.ok(Math.abs(seconds - result.seconds) < 0.01);
    assert.deepEqual(record.outcome, { digest, valid, interrupted: false, quarantined: [] });
    assert.deepEqual(record.asked, { seed: '1', strategy: 'guided', programs: 30_000, keepGoing: true });
    assert.deepEqual(record.kernels, [{ kernel: 'seed', with: [], without: [] }]);
    assert.equal(record.workers, 2);
    assert.ok(record.ended !== undefined && Date.parse(record.ended) >= Date.parse(record.started));
    const last = record.samples.at(-1)!;
    assert.deepEqual([last.programs, last.ops, last.points, last.states], [programs, ops, points, states]);
    assert.equal(last.findings, result.findings.length);
    assert.equal(record.samples[0]!.seconds, 0);
    assert.ok(record.samples.length > 3, `${record.samples.length} samples`);
    assert.deepEqual(
      record.found.map(({ id }) => id),
      result.findings.map(({ id }: { id: string }) => id),
    );
  });

  it('gives the story of its findings, run again', () => {
    assert.equal(story.findings.length, result.findings.length);
    assert.deepEqual(story.notes, []);
    assert.deepEqual(story.kernels, ['seed']);
    for (const finding of story.findings) {
      const told = result.findings.find(({ id }: { id: string }) => id === finding.id);
      assert.equal(finding.slug, told.slug);
      assert.deepEqual(finding.verdicts, told.kernels);
      assert.deepEqual(finding.origin, told.origin);
      assert.equal(finding.cause.function, told.cause.function);
      assert.equal(finding.firstAt?.programs, told.firstAt.programs);
      assert.ok(finding.firstAt?.seconds !== undefined && finding.firstAt.seconds > 0);
      assert.equal(finding.shortest?.proven, told.shortest.proven);
      assert.equal(finding.cures.length, told.cures.length);
    }
    const programs = story.findings.map(({ firstAt }) => firstAt!.programs);
    assert.deepEqual(
      programs,
      [...programs].sort((a, b) => a - b),
    );
  });

  it('groups and tables hold each finding once', () => {
    const ids = story.findings.map(({ id }) => id).sort();
    for (const groups of [byCause(story.findings), byInvariant(story.findings)]) {
      assert.deepEqual(groups.flatMap(({ findings }) => findings.map(({ id }) => id)).sort(), ids);
      assert.ok(groups.length > 1 && groups.length < ids.length);
    }
    const { rows, totals } = matrixOf(story);
    assert.deepEqual(rows.map(({ finding }) => finding.id).sort(), ids);
    assert.equal(totals[story.catalogue.indexOf('seed')], ids.length);
    assert.equal(totals[story.catalogue.indexOf('repaired')], 0);
    const kernel = 'v5.8';
    const first = matrixOf(story, kernel).rows.map(({ finding }) => fateOn(finding, kernel) === 'broken');
    assert.ok(first.includes(true) && first.includes(false));
    assert.ok(first.lastIndexOf(true) < first.indexOf(false));
    for (const name of ['__proto__', 'constructor', 'v9']) assert.equal(fateOn(story.findings[0]!, name), 'unknown');
  });

  it('is told in words', () => {
    const { tried, found, trust, standing } = headline(story);
    assert.match(tried, /^Tried: 30\.0 k programs of .* on seed in .* on 2 threads \(guided, seed 1\)\.$/);
    assert.match(found, /^Found: \d+ promises broken in \d+ ways: \d+ inherited .*, \d+ of seed itself\.$/);
    assert.match(trust, /^Valid: the canary .* was found after \d+ programs\.$/);
    assert.equal(standing, 'good');
    const ended = story.outcome!;
    const blind: CampaignStory = {
      ...story,
      findings: [],
      totals: { ...story.totals!, canary: { kernel: 'v5.7', found: false, programs: 9 } },
      outcome: { ...ended, valid: false, interrupted: true },
    };
    assert.equal(headline(blind).standing, 'bad');
    assert.match(headline(blind).trust, /^Not valid: .* not found in 9 programs, so silence .* Interrupted/);
    assert.match(headline(blind).found, /no program that breaks/);
    const { outcome: _, ended: __, ...running } = story;
    assert.match(headline(running).trust, /still ran, or was killed\. So far the canary .* found/);
    assert.match(headline(storyOf(engine, { findings: kept(out) })).tried, /^How long seed was searched is not known/);
  });

  it('says what is missing or comes from elsewhere', () => {
    const [one, ...rest] = kept(out);
    const { found } = record;
    const others = { ...record, found: found.filter(({ id }) => id !== one!.stored.id) };
    assert.match(
      storyOf(engine, { findings: [one!, ...rest], record: others }).notes.join(),
      /^1 finding here came with/,
    );
    const spec = { kernel: 'repaired', with: [], without: [] };
    const cured = storyOf(engine, { findings: [{ ...one!, spec }], missing: 'No charts: because.' });
    assert.deepEqual(cured.findings, []);
    assert.equal(cured.notes.length, 3);
    assert.match(
      cured.notes.join(' '),
      /^No charts: because\. .* shown on repaired, .* breaks no promise there: [0-9a-z]+/,
    );
  });

  it('does not believe a finding that lies about its discovery', () => {
    const [one] = kept(out);
    const firstAt = { programs: '<script>', faults: {} };
    const stored = { ...one!.stored, slug: 'nonsense', firstAt, shortest: { proven: '<b>', exhaustiveTo: -1 } };
    const [told] = storyOf(engine, { findings: [{ ...one!, stored }], record }).findings;
    assert.equal(told!.firstAt, undefined);
    assert.equal(told!.shortest, undefined);
    assert.doesNotMatch(JSON.stringify(told), /script|<b>|nonsense/);
  });

  it('is refused where it is broken, with the place', () => {
    const data = JSON.parse(text);
    const broken: [unknown, RegExp][] = [
      [[], /the file is no object/],
      [{ ...data, format: 2 }, /format: this version reads 1 only/],
      [{ ...data, samples: 'many' }, /samples: expected a list/],
      [{ ...data, samples: [{ ...data.samples[0], ops: '1' }] }, /samples\[0\]\.ops: expected a number/],
      [{ ...data, samples: [null] }, /samples\[0\] is no object/],
      [{ ...data, started: 'yesterday' }, /started: expected a time/],
      [{ ...data, asked: { ...data.asked, strategy: 'lucky' } }, /asked\.strategy: expected guided or random/],
      [{ ...data, totals: { ...data.totals, canary: undefined } }, /totals\.canary is no object/],
      [{ ...data, outcome: { ...data.outcome, valid: 1 } }, /outcome\.valid: expected true or false/],
      [{ ...data, found: [{ id: 7, seconds: 1 }] }, /found\[0\]\.id: expected a text/],
      [{ ...data, kernels: [{ ...data.kernels[0], with: [{}] }] }, /kernels\[0\]\.with\[0\]: expected a text/],
    ];
    for (const [wrong, expected] of broken) {
      assert.throws(
        () => parseRecord(JSON.stringify(wrong)),
        (error) => error instanceof UsageError && expected.test(error.message),
        String(expected),
      );
    }
    assert.throws(() => parseRecord(text.slice(0, 100)), UsageError);
    const long = { ...data, samples: Array.from({ length: 5000 }, (_, i) => at(i)) };
    assert.ok(parseRecord(JSON.stringify(long)).samples.length <= MOST_SAMPLES);
  });
});

describe('a campaign that does not come to its end', () => {
  async function stopped(signal: NodeJS.Signals): Promise<CampaignRecord> {
    const out = join(directory, signal);
    const args = ['fuzz', '--kernel', 'repaired', '--time', '10m', '--workers', '1', '--out', out];
    const child = spawn(process.execPath, [BIN, ...args], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    const path = join(out, 'campaign.json');
    const programs = () => (existsSync(path) ? parseRecord(readFileSync(path, 'utf8')).totals.programs : 0);
    while (programs() === 0) await setTimeout(50);
    child.kill(signal);
    await ended;
    return parseRecord(readFileSync(path, 'utf8'));
  }

  it('is kept as interrupted on Ctrl-C', { timeout: 60_000 }, async () => {
    const record = await stopped('SIGINT');
    assert.equal(record.outcome?.interrupted, true);
    assert.ok(record.ended);
  });

  it('is kept as far as it was told when it is killed', { timeout: 60_000 }, async () => {
    const record = await stopped('SIGKILL');
    assert.equal(record.outcome, undefined);
    assert.equal(record.ended, undefined);
    assert.ok(record.samples.length > 1 && record.totals.programs > 0);
    const out = join(directory, 'SIGKILL');
    const html = join(out, 'page.html');
    const told = spawnSync(process.execPath, [BIN, 'report', out, '--html', html], { encoding: 'utf8' });
    assert.equal(told.status, 0, told.stderr);
    assert.match(told.stdout, /0 findings/);
  });
});

describe('report of a directory', () => {
  it('leaves a broken campaign.json out, and says so', () => {
    const out = join(directory, 'broken');
    mkdirSync(out);
    const minimized = 'mmap A p0; write A p0; fork A->B; h=gup B p0 R GET; munmap B p0; write A p0; hread h';
    const finding = { id: '0123456789', kernel: 'v5.7', with: [], without: [], minimized };
    writeFileSync(join(out, '0123456789.json'), JSON.stringify(finding));
    const html = join(out, 'page.html');
    const report = () => spawnSync(process.execPath, [BIN, 'report', out, '--html', html], { encoding: 'utf8' });
    const held = () => {
      const boot = /<script id="boot"[^>]*>(.*)<\/script>/.exec(readFileSync(html, 'utf8'))![1]!;
      return (JSON.parse(boot) as { story: CampaignStory }).story;
    };
    const without = report();
    assert.equal(without.status, 0);
    assert.equal(without.stderr, '');
    assert.match(held().notes[0]!, /^No charts: there is no campaign\.json here/);
    assert.deepEqual(held().samples, []);
    assert.equal(held().findings[0]!.slug, 'cow-leak');
    writeFileSync(join(out, 'campaign.json'), '{"format":1,"samples":[]}');
    const { status, stderr } = report();
    assert.equal(status, 0);
    assert.match(stderr, /left out: .*campaign\.json: kernels is missing/);
    assert.match(held().notes[0]!, /^No charts: campaign\.json cannot be read: /);
  });
});

describe('what the charts are made of', () => {
  it('rates are taken over a window', () => {
    const samples = [0, 0.5, 1, 1.5, 10].map((seconds) => at(seconds));
    assert.deepEqual(
      rates(samples, ({ ops }) => ops),
      [null, null, 1000, 1000, 1000],
    );
    assert.deepEqual(
      rates([at(0), at(0.25), at(0.5)], ({ ops }) => ops),
      [null, 1000, 1000],
    );
    assert.deepEqual(
      rates([at(0)], ({ ops }) => ops),
      [null],
    );
    assert.deepEqual(
      rates([], ({ ops }) => ops),
      [],
    );
  });

  it('a table has the ends and what lies evenly between', () => {
    assert.deepEqual(spread([1, 2], 5), [1, 2]);
    assert.deepEqual(spread([0, 1, 2, 3, 4, 5, 6, 7, 8], 3), [0, 4, 8]);
  });

  it('milestones are the first samples that show them', () => {
    const samples = [at(0), at(1, 1), at(2, 2), at(3, 4), at(4, 4)];
    assert.equal(milestones(samples)?.half.seconds, 2);
    assert.equal(milestones(samples)?.last.seconds, 3);
    assert.equal(milestones([at(0), at(1)]), undefined);
  });

  it('numbers, times and origins are short', () => {
    assert.deepEqual([0, 9999, 10_000, 999_600, 2.5e12].map(short), ['0', '9999', '10.0 k', '1.00 M', '2.50 T']);
    assert.deepEqual([0, 0.254, 9.99, 42.4, 119.6, 3600, 7200, 29_100].map(duration), [
      '0 s',
      '0.25 s',
      '10 s',
      '42 s',
      '2 min',
      '60 min',
      '2 h',
      '8 h 5 min',
    ]);
    const origin = { kernel: 'v5.7', keptBy: '', refusedBy: '', inherited: true };
    assert.equal(originShort(origin, 'seed'), 'since v5.7 or earlier');
    assert.equal(originShort({ ...origin, kernel: 'seed', keptBy: 'break-cow-v2' }, 'seed'), 'new in seed');
    assert.equal(originShort({ ...origin, kernel: '', keptBy: 'seed' }, 'seed'), 'by the chosen knobs');
  });
});
