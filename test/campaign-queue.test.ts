import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { RedisServer } from '../bench/redis-server.js';
import { campaign, campaignLater, scratch } from './campaign-runs.js';
import { startWorkers, WorkerProcess } from './queue-processes.js';
import { noRedis } from './redis-needs.js';
import { dump } from './store-dump.js';

// Everything dies, by turns: the driver, a worker, Redis. BREAKCOW_KILLS=200 is the long form.
const KILLS = Number(process.env.BREAKCOW_KILLS ?? 9);
const BUDGET = ['--programs', '40000', '--epoch-shards', '16'];

describe('a kept campaign over a queue', { skip: noRedis, concurrency: false }, () => {
  const dir = scratch();
  const store = (name: string) => join(dir, `${name}.db`);

  it(`finds what one process finds, after ${KILLS} times kill -9 of driver, workers and Redis`, async () => {
    const calm = campaign(['start', '--dir', dir, '--name', 'calm', ...BUDGET, '--workers', '2']);
    assert.equal(calm.status, 1, calm.stderr);
    const server = await RedisServer.start();
    const workers = await startWorkers(server.url, 2);
    const queue = ['--dir', dir, '--queue', server.url.href];
    let kills = 0;
    try {
      for (;;) {
        const begun = existsSync(store('wild')) ? ['resume', 'wild'] : ['start', '--name', 'wild', ...BUDGET];
        const { child, ended } = campaignLater([...begun, ...queue]);
        let driving = true;
        const killing = (async () => {
          while (driving && kills < KILLS) {
            await wait(300 + 900 * Math.random());
            if (!driving) return;
            const turn = kills++ % 3;
            if (turn === 0) child.kill('SIGKILL');
            else if (turn === 1) {
              const victim = Math.floor(2 * Math.random());
              await workers[victim]!.end('SIGKILL');
              workers[victim] = new WorkerProcess(server.url);
            } else {
              await server.kill();
              await server.up();
            }
          }
        })();
        const { status, stderr } = await ended;
        driving = false;
        await killing;
        if (status === 'SIGKILL') continue;
        if (status === 2 && /never begun/.test(stderr)) {
          assert.equal(campaign(['prune', 'wild', '--remove', '--dir', dir]).status, 0);
          continue;
        }
        assert.equal(status, 1, stderr);
        break;
      }
    } finally {
      for (const worker of workers) await worker.end();
      await server.end();
    }
    assert.deepEqual(dump(store('wild')), dump(store('calm')));
  });

  it('refuses a Redis on another machine that has no password, before anything is made', () => {
    const { status, stderr } = campaign(['start', '--dir', dir, '--name', 'far', '--queue', 'redis://queue.example']);
    assert.equal(status, 2);
    assert.match(stderr, /another machine and the URL has no password/);
    assert.ok(!existsSync(store('far')));
  });
});
