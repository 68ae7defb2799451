import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runQueue } from '../bench/queue.js';
import { estimate, formatQueue } from '../bench/queue-text.js';
import { noRedis } from './redis-needs.js';

describe('bench of the queue', () => {
  it('tells what many cores need from what a job costs', () => {
    // A job costs the driver 0.5 ms and Redis 0.25; idle they take 0.1 and 0.02 of a core.
    const row = (size: number, shardMs: number) => {
      const wallMs = shardMs / 2;
      const once = { scripts: 4, commands: 40, bytesIn: 4000, bytesOut: 6000 };
      const cost = { driverMs: 0.5 + 0.1 * wallMs, redisMs: 0.25 + 0.02 * wallMs, ...once };
      const rate = size / wallMs;
      return { size, shardMs, queue: { median: rate, min: rate, max: rate }, cost };
    };
    const rows = [row(500, 4), row(32_000, 200)];
    const rounded = Object.fromEntries(
      Object.entries(estimate(rows, 100)).map(([name, n]) => [name, Number(n.toFixed(6))]),
    );
    assert.deepEqual(rounded, {
      cores: 100,
      jobsPerSecond: 500,
      redisCores: 0.145,
      driverCores: 0.35,
      megabytes: 5,
      factor: 0.625,
    });
    assert.ok(Math.abs(estimate(rows, 10_000).factor - 62.5) < 1e-6);
  });

  it('measures a queue beside a pool', { skip: noRedis }, async () => {
    const table = await runQueue({ programs: 4000, samples: 1, threads: 1 });
    assert.ok(!('unavailable' in table));
    assert.deepEqual(
      table.rows.map(({ size }) => size),
      [500, 2000, 8000, 32_000],
    );
    for (const { shardMs, pool, queue, cost } of table.rows) {
      assert.ok(shardMs > 0 && pool.median > 0 && queue.median > 0);
      assert.ok(cost.scripts >= 3 && cost.commands > cost.scripts, JSON.stringify(cost));
      assert.ok(cost.bytesIn > 500 && cost.bytesOut > 500 && cost.driverMs > 0);
    }
    assert.match(formatQueue(table), /^estimate, 10000 cores, shards of 32000: .* jobs\/s/m);
  });

  it('refuses options that make no sense', async () => {
    await assert.rejects(runQueue({ samples: 0 }), RangeError);
  });
});
