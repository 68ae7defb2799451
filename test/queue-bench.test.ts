import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runQueue } from '../bench/queue.js';
import { estimate, formatQueue } from '../bench/queue-text.js';
import { noRedis } from './redis-needs.js';

describe('bench of the queue', () => {
  it('tells what many cores need from what a job costs', () => {
    const cost = { driverMs: 0.5, redisMs: 0.25, scripts: 4, commands: 40, bytesIn: 4000, bytesOut: 6000 };
    const few = estimate({ shardMs: 200, cost }, 100);
    assert.deepEqual(few, {
      cores: 100,
      jobsPerSecond: 500,
      redisCores: 0.125,
      driverCores: 0.25,
      megabytes: 5,
      factor: 0.5,
    });
    assert.equal(estimate({ shardMs: 200, cost }, 10_000).factor, 50);
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
