import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { listCampaigns } from '../src/night/places.js';
import { parseRecord } from '../src/report/record.js';
import { isDriven } from '../src/store/lock.js';
import { CampaignReader } from '../src/store/read.js';
import { storyOfCampaign } from '../src/watch/story.js';
import { Stream } from './watch-client.js';
import { alter, EVENT, engine, findingOn, keepFinding, LEAK, makeStore, progressAt, STALE } from './watch-store.js';

const BIN = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'breakcow-serve-'));
after(() => rmSync(root, { recursive: true, maxRetries: 5 }));

describe('campaign serve', () => {
  interface Started {
    readonly url: string;
    readonly token: string;
    readonly stop: () => Promise<number | null>;
    readonly stderr: () => string;
  }

  async function start(...args: string[]): Promise<Started> {
    const child = spawn(process.execPath, [BIN, 'campaign', 'serve', '--port', '0', '--json', ...args]);
    let out = '';
    let complaints = '';
    child.stderr.on('data', (chunk) => {
      complaints += chunk;
    });
    for await (const chunk of child.stdout) {
      out += chunk;
      if (out.includes('}')) break;
    }
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const stop = () => {
      child.kill('SIGTERM');
      return ended;
    };
    return { ...(JSON.parse(out) as { url: string; token: string }), stop, stderr: () => complaints };
  }

  it('serves one campaign alone, with another token each time, and ends when told to', async () => {
    const directory = join(root, 'alone');
    mkdirSync(directory, { recursive: true });
    for (const name of ['one', 'two']) makeStore(directory, name).close();
    const first = await start('one', '--dir', directory);
    try {
      const home = await fetch(first.url, { redirect: 'manual' });
      assert.equal(home.headers.get('location'), '/campaign/one');
      assert.equal((await fetch(`${first.url}campaign/two`)).status, 404);
      assert.doesNotMatch(await (await fetch(`${first.url}metrics`)).text(), /"two"/);
      assert.equal(first.stderr(), '');
      const stream = new Stream(`${first.url}campaign/one/events`);
      await stream.until('update', ({ updates }) => updates[0]);
    } finally {
      assert.equal(await first.stop(), 0);
    }
    const second = await start('--dir', directory, '--host', '0.0.0.0');
    await second.stop();
    assert.notEqual(second.token, first.token);
    assert.match(second.stderr(), /the token travels in the clear unless a TLS proxy is in front/);
  });

  it('says what is wrong', () => {
    const directory = join(root, 'wrong');
    const cases: [args: string[], text: RegExp][] = [
      [['--port', '70000'], /port "70000": expected a number from 0 to 65535/],
      [['nobody'], /no campaign "nobody"/],
      [['--port', '0', '--host', '192.0.2.1'], /host "192\.0\.2\.1": no address of this machine/],
    ];
    for (const [args, text] of cases) {
      const { status, stderr } = spawnSync(process.execPath, [BIN, 'campaign', 'serve', '--dir', directory, ...args], {
        encoding: 'utf8',
      });
      assert.equal(status, 2, stderr);
      assert.match(stderr, text);
    }
    assert.ok(!existsSync(directory));
  });

  it('resumes in a process that outlives the server', async () => {
    const directory = join(root, 'resumed');
    mkdirSync(directory, { recursive: true });
    const store = makeStore(directory, 'night');
    store.close();
    const served = await start('--dir', directory);
    const headers = { authorization: `Bearer ${served.token}` };
    const post = (action: string) => fetch(`${served.url}campaign/night/${action}`, { method: 'POST', headers });
    const answer = await post('resume');
    const text = await answer.text();
    assert.equal(answer.status, 202, text);
    const [, pid] = /as process (\d+)/.exec(text)!;
    try {
      assert.ok(isDriven(store.path));
      assert.equal((await post('resume')).status, 409);
      await served.stop();
      await sleep(500);
      assert.ok(isDriven(store.path));
      // A driver that has taken samples listens to signals as well.
      const sampled = () => {
        const reader = new CampaignReader(store.path);
        const last = reader.last();
        reader.close();
        return last !== undefined;
      };
      for (let i = 0; i < 600 && !sampled(); i++) await sleep(100);
      process.kill(Number(pid), 'SIGINT');
      for (let i = 0; i < 300 && isDriven(store.path); i++) await sleep(100);
    } finally {
      if (isDriven(store.path)) process.kill(Number(pid), 'SIGKILL');
    }
    const reader = new CampaignReader(store.path);
    assert.equal(reader.state, 'stopped');
    reader.close();
    assert.match(readFileSync(`${store.path}.log`, 'utf8'), /night: stopped/);
  });

  it('says why a campaign cannot be resumed', async () => {
    const directory = join(root, 'refused');
    mkdirSync(directory, { recursive: true });
    const store = makeStore(directory, 'old');
    store.set('build', 'another');
    store.close();
    const served = await start('--dir', directory);
    try {
      const headers = { authorization: `Bearer ${served.token}` };
      const answer = await fetch(`${served.url}campaign/old/resume`, { method: 'POST', headers });
      assert.equal(answer.status, 409);
      assert.match(await answer.text(), /run by engine another/);
      const stream = new Stream(`${served.url}campaign/old/events`);
      const { status } = await stream.until('update', ({ updates }) => updates[0]);
      stream.close();
      assert.deepEqual(status!.can, []);
      assert.match(status!.cannot, /another engine build/);
    } finally {
      await served.stop();
    }
  });
});

describe('a campaign that is exported', () => {
  it('keeps its course, of several kernels, for the overview', () => {
    const directory = join(root, 'exported');
    mkdirSync(directory, { recursive: true });
    const store = makeStore(directory, 'night', ['v5.7', 'v5.8 +reuse.page_count']);
    // The campaign was killed at 3 s and went on from 2 s.
    for (const seconds of [1, 2, 3]) store.sample(progressAt(seconds), 1);
    for (const seconds of [2.5, 3.5]) store.sample(progressAt(seconds), 2);
    keepFinding(store, 0, 0, findingOn('v5.7', LEAK), 1.25);
    keepFinding(store, 0, 1, findingOn('v5.7', STALE), 2.25);
    keepFinding(store, 1, 0, findingOn('v5.8 +reuse.page_count', EVENT), 2.5);
    store.setState('failed', 'the disk is full');
    store.close();
    const out = join(root, 'findings');
    const cli = (...args: string[]) => {
      const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    };
    cli('campaign', 'export', 'night', '--dir', directory, '--out', out);
    const record = parseRecord(readFileSync(join(out, 'campaign.json'), 'utf8'));
    assert.deepEqual(
      record.samples.map(({ seconds }) => seconds),
      [1, 2, 2.5, 3.5],
    );
    assert.deepEqual(record.kernels[1], { kernel: 'v5.8', with: ['reuse.page_count'], without: [] });
    assert.deepEqual(record.found.map(({ seconds }) => seconds).sort(), [1.25, 2.25, 2.5]);
    assert.equal(record.totals.programs, 3500);
    assert.equal(record.outcome, undefined);
    assert.equal(readdirSync(out).filter((file) => file.endsWith('.txt')).length, 3);
    const html = join(root, 'overview.html');
    cli('report', out, '--html', html);
    const [, boot] =
      /<script id="boot" type="application\/json">(.*?)<\/script>/.exec(readFileSync(html, 'utf8')) ?? [];
    const { story } = JSON.parse(boot!);
    assert.deepEqual(story.kernels, ['v5.7', 'v5.8 +reuse.page_count']);
    assert.deepEqual(story.samples, record.samples);
    assert.deepEqual(story.notes, []);

    const reader = new CampaignReader(store.path);
    const live = storyOfCampaign(engine.catalogue, reader, 'night');
    reader.close();
    assert.deepEqual(live.samples, story.samples);
    assert.deepEqual(live.totals, story.totals);
    assert.equal(live.stands, 'It failed.');
    assert.deepEqual(
      live.findings.map(({ id }) => id).sort(),
      story.findings.map(({ id }: { id: string }) => id).sort(),
    );
    const [told] = live.findings;
    const again = story.findings.find(({ id }: { id: string }) => id === told!.id);
    assert.deepEqual(JSON.parse(JSON.stringify(told)), again);
  });

  it('of a campaign that steps back, the last sample is the one taken last', () => {
    const directory = join(root, 'back');
    mkdirSync(directory, { recursive: true });
    const store = makeStore(directory, 'night');
    for (const seconds of [5, 6, 4]) store.sample(progressAt(seconds), 1);
    store.close();
    alter(store.path, 'UPDATE samples SET rss = 12345 WHERE seconds = 6');
    const reader = new CampaignReader(store.path);
    assert.equal(reader.last()!.seconds, 4);
    assert.equal(reader.samples().length, 3);
    reader.close();
  });
});

describe('the campaign written last', () => {
  it('stays that while others are read', async () => {
    const directory = join(root, 'order');
    mkdirSync(directory, { recursive: true });
    for (const name of ['old', 'new']) {
      makeStore(directory, name).close();
      await sleep(20);
    }
    assert.deepEqual(listCampaigns(directory), ['new', 'old']);
    const reader = new CampaignReader(join(directory, 'old.db'));
    assert.equal(reader.last(), undefined);
    assert.deepEqual(listCampaigns(directory), ['new', 'old']);
    reader.close();
    assert.deepEqual(listCampaigns(directory), ['new', 'old']);
  });
});
