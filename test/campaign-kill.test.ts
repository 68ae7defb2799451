import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { campaign, campaignLater, scratch } from './campaign-runs.js';
import { dump } from './store-dump.js';

// kill -9 at random moments, from the first milliseconds on. BREAKCOW_KILLS=200 is the long form.
const KILLS = Number(process.env.BREAKCOW_KILLS ?? 16);
const BUDGET = ['--programs', '250000', '--workers', '2'];

describe('a campaign that is killed', () => {
  const dir = scratch();
  const store = (name: string) => join(dir, `${name}.db`);
  const calm = campaign(['start', '--dir', dir, '--name', 'calm', ...BUDGET]);

  it('finds something if it is left alone', () => {
    assert.equal(calm.status, 1, calm.stderr);
    assert.ok(dump(store('calm')).findings.length > 10);
  });

  it(`ends as an undisturbed one does, after ${KILLS} times kill -9`, async () => {
    let kills = 0;
    for (;;) {
      const begun = existsSync(store('wild'))
        ? ['resume', 'wild', '--workers', '2']
        : ['start', '--name', 'wild', ...BUDGET];
      const { child, ended } = campaignLater([...begun, '--dir', dir]);
      const timer = kills < KILLS ? setTimeout(() => child.kill('SIGKILL'), 150 + 1600 * Math.random()) : undefined;
      const { status, stderr } = await ended;
      clearTimeout(timer);
      if (status === 'SIGKILL') {
        kills++;
        continue;
      }
      // Killed before it was written what it is: whoever begins it anew may.
      if (status === 2 && /never begun/.test(stderr)) {
        assert.equal(campaign(['prune', 'wild', '--remove', '--dir', dir]).status, 0);
        continue;
      }
      assert.equal(status, 1, stderr);
      break;
    }
    assert.ok(kills > 0);
    assert.deepEqual(dump(store('wild')), dump(store('calm')));
  });

  it('ends the same after Ctrl-C and SIGTERM, which tell that it can go on', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const name = signal.toLowerCase();
      const { child, ended } = campaignLater(['start', '--name', name, '--dir', dir, ...BUDGET]);
      // A signal before it is heard of ends any process.
      while (!/running/.test(campaign(['list', '--dir', dir]).stdout)) await wait(50);
      await wait(500);
      child.kill(signal);
      const first = await ended;
      assert.ok(first.status === 1 || first.status === 0, `${first.status}: ${first.stderr}`);
      assert.match(first.stdout, /: stopped, .*campaign resume/s);
      const second = campaign(['resume', name, '--dir', dir, '--workers', '1']);
      assert.equal(second.status, 1, second.stderr);
      assert.deepEqual(dump(store(name)), dump(store('calm')));
    }
  });

  it('is done then: there is nothing to resume', () => {
    const { status, stderr } = campaign(['resume', 'calm', '--dir', dir]);
    assert.equal(status, 2);
    assert.match(stderr, /is done/);
  });
});
