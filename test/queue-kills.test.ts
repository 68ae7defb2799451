import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { RedisServer } from '../bench/redis-server.js';
import { queueRunner, runInPool, runOn, setupOf, startWorkers, WorkerProcess } from './queue-processes.js';
import { noRedis } from './redis-needs.js';

/** Of each kind; more by hand. */
const KILLS = Number(process.env.BREAKCOW_KILLS ?? 2);
const WORKERS = 2;
const LONGEST_MS = 2000;

/** Campaigns, one after the other, until `kill` was called often enough at random moments; each must give the same. */
async function endure(server: RedisServer, kill: () => Promise<void>): Promise<string[]> {
  const setup = setupOf(30_000);
  const expected = await runInPool(setup);
  const notices: string[] = [];
  let campaigns = 0;
  for (let kills = 0; kills < KILLS; campaigns++) {
    let running = true;
    const killing = (async () => {
      while (running && kills < KILLS) {
        await wait(Math.random() * LONGEST_MS);
        if (!running) return;
        await kill();
        kills++;
      }
    })();
    const result = await runOn(queueRunner(server.url, notices), setup);
    running = false;
    await killing;
    assert.deepEqual(result, expected, `campaign ${campaigns} after ${kills} kills`);
  }
  return notices;
}

describe('a queue under kill -9', { skip: noRedis, concurrency: false }, () => {
  it('loses nothing with a worker', async () => {
    const server = await RedisServer.start();
    const workers = await startWorkers(server.url, WORKERS);
    try {
      await endure(server, async () => {
        const victim = Math.floor(Math.random() * WORKERS);
        await workers[victim]!.end('SIGKILL');
        workers[victim] = new WorkerProcess(server.url);
        await workers[victim].event('start');
      });
    } finally {
      for (const worker of workers) await worker.end();
      await server.end();
    }
  });

  it('loses nothing with a Redis that is emptied, its scripts included', async () => {
    const server = await RedisServer.start();
    const workers = await startWorkers(server.url, WORKERS);
    const client = server.client();
    try {
      await endure(server, async () => {
        await client.flushall();
        await client.script('FLUSH');
      });
    } finally {
      client.disconnect();
      for (const worker of workers) await worker.end();
      await server.end();
    }
  });

  for (const [how, args] of [
    ['that keeps a log', ['--appendonly', 'yes', '--appendfsync', 'everysec']],
    ['that keeps nothing', ['--appendonly', 'no', '--save', '']],
  ] as const)
    it(`loses nothing with a Redis ${how}`, async () => {
      const server = await RedisServer.start({ args });
      const workers = await startWorkers(server.url, WORKERS);
      try {
        const notices = await endure(server, async () => {
          await server.kill();
          await wait(Math.random() * LONGEST_MS);
          await server.up();
        });
        assert.ok(notices.some((text) => text.includes('is away')));
        assert.ok(notices.some((text) => text.includes('is back')));
        for (const worker of workers) assert.equal(await worker.end('SIGTERM'), 0);
      } finally {
        for (const worker of workers) await worker.end();
        await server.end();
      }
    });
});
