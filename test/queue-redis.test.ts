import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { RedisServer } from '../bench/redis-server.js';
import { loadEngine } from '../src/engine/engine.js';
import { buildHash } from '../src/engine/load.js';
import { UsageError } from '../src/errors.js';
import { jobKey, PREFIX, queueName, resultsKey } from '../src/queue/keys.js';
import { jobId, payloadOf } from '../src/queue/payload.js';
import { packAnswer } from '../src/queue/result.js';
import {
  campaignOn,
  lasting,
  queueRunner,
  runInPool,
  runOn,
  setupOf,
  startWorkers,
  WorkerProcess,
} from './queue-processes.js';
import { noOpenssl, noRedis } from './redis-needs.js';

const setup = setupOf(12_000);
const expected = noRedis ? undefined : runInPool(setup);
const CLI = fileURLToPath(new URL('../../bin/breakcow.js', import.meta.url));
const DRIVER = fileURLToPath(new URL('./queue-driver.js', import.meta.url));

/** Waits until it is so. */
async function until(what: string, so: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await so())) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await wait(20);
  }
}

describe('a campaign over a queue', { skip: noRedis }, () => {
  let server: RedisServer;
  const workers: WorkerProcess[] = [];
  before(async () => {
    server = await RedisServer.start();
  });
  after(async () => {
    for (const worker of workers) await worker.end();
    await server.end();
  });
  const more = async (count: number) => workers.push(...(await startWorkers(server.url, count)));

  it('gives the same on 1, 2 and 4 worker processes as in one', async () => {
    const sound = await expected!;
    assert.ok(sound.raw.length > 20 && sound.valid, `${sound.raw.length} raw findings`);
    for (const count of [1, 1, 2]) {
      await more(count);
      const notices: string[] = [];
      assert.deepEqual(await runOn(queueRunner(server.url, notices), setup), sound, `${workers.length} workers`);
      assert.deepEqual(notices, []);
    }
  });

  it('tells who works, and leaves nothing behind', async () => {
    const runner = queueRunner(server.url);
    const campaign = campaignOn(runner, setup);
    const done = campaign.run();
    await until('workers', () => runner.workers().length === workers.length);
    const [one] = runner.workers();
    assert.match(one!.name, /^[\w.-]+:\d+$/);
    assert.equal(one!.threads, 1);
    assert.ok(runner.workers().some(({ jobs }) => jobs > 5));
    await done;
    assert.equal(runner.work().programs, setup.programs);
    await runner.destroy();
    const client = server.client();
    try {
      const left = await client.keys(`${PREFIX}:*`);
      assert.deepEqual(
        left.filter((key) => /campaign:|\.shard-|\.canary-/.test(key)),
        [],
      );
    } finally {
      client.disconnect();
    }
  });

  it('ends soon when interrupted, and takes its jobs out of the queue', async () => {
    const runner = queueRunner(server.url);
    const campaign = campaignOn(runner, setupOf(10_000_000));
    const done = campaign.run();
    await until('progress', () => runner.work().programs > 2000);
    const asked = performance.now();
    campaign.interrupt();
    await done;
    await runner.destroy();
    assert.ok(performance.now() - asked < 1000, `${performance.now() - asked} ms`);
    assert.ok(campaign.result().interrupted && campaign.result().programs > 0);
    const client = server.client();
    const queue = new Queue(queueName(buildHash()), { connection: client, prefix: PREFIX });
    try {
      assert.equal(await queue.getWaitingCount(), 0);
      await until('end of the jobs in hand', async () => (await queue.getActiveCount()) === 0);
      assert.equal(await queue.getFailedCount(), 0);
    } finally {
      client.disconnect();
    }
  });

  it('takes what a driver that was killed left, and has none of it done again', async () => {
    const long = setupOf(20_000);
    const driver = spawn(process.execPath, [DRIVER, 'killed', '20000'], {
      env: { ...process.env, BREAKCOW_QUEUE: server.url.href },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let programs = 0;
    driver.stdout.on('data', (text: Buffer) => {
      programs = Number(text.toString().trim().split('\n').at(-1));
    });
    await until('progress of the driver', () => programs >= 4000);
    driver.kill('SIGKILL');
    await once(driver, 'exit');
    const client = server.client();
    await until('results left behind', async () => (await client.llen(resultsKey('killed'))) > 0);
    const ids = new Set<string>();
    const left = await client.lrangeBuffer(resultsKey('killed'), 0, -1);
    for (const bytes of left) ids.add(bytes.toString('latin1', 1, 1 + bytes[0]!));
    assert.ok(ids.size > 0);
    const sound = await runInPool(long);
    const made = new Set<string>();
    const monitor = await client.monitor();
    monitor.on('monitor', (_time: string, [command, key]: string[]) => {
      if (/^hm?set$/i.test(command!)) made.add(key!);
    });
    assert.deepEqual(await runOn(queueRunner(server.url, [], 'killed'), long), sound);
    monitor.disconnect();
    client.disconnect();
    assert.ok(made.size > 10, 'other jobs are seen to be made');
    for (const id of ids) assert.ok(!made.has(jobKey(buildHash(), id)), `${id} is made again`);
  });

  it('gives jobs to workers of its own build alone, and says so', async () => {
    const other = await RedisServer.start();
    const strange = new WorkerProcess(other.url, [], {}, { build: 'deadbeef' });
    const notices: string[] = [];
    const runner = queueRunner(other.url, notices);
    try {
      await strange.event('start');
      const running = campaignOn(runner, setup);
      const done = running.run();
      const { text } = await strange.event('foreign');
      assert.match(text, new RegExp(`needs build ${buildHash()}, this worker has deadbeef`));
      await until('the notice', () =>
        notices.some((notice) => /no worker of this build .*deadbeef: jobs wait/.test(notice)),
      );
      assert.equal(runner.work().programs, 0);
      assert.deepEqual(runner.workers(), []);
      const right = new WorkerProcess(other.url);
      await done;
      assert.deepEqual(lasting(running.result()), await expected);
      assert.equal(await right.end('SIGTERM'), 0);
    } finally {
      await runner.destroy();
      await strange.end();
      await other.end();
    }
  });

  it('a worker told to leave ends its jobs first', async () => {
    const other = await RedisServer.start();
    const [leaving] = await startWorkers(other.url, 1);
    const runner = queueRunner(other.url);
    const campaign = campaignOn(runner, setup);
    const client = other.client();
    try {
      const done = campaign.run();
      await until('progress', () => runner.work().programs > 500);
      assert.equal(await leaving!.end('SIGTERM'), 0);
      const active = `${PREFIX}:${queueName(buildHash())}:active`;
      assert.equal(await client.llen(active), 0, 'nothing is left in its hands');
      assert.ok(runner.work().programs < setup.programs!);
      await leaving!.event('end');
      await startWorkers(other.url, 1).then(([next]) => workers.push(next!));
      await done;
      assert.deepEqual(lasting(campaign.result()), await expected);
    } finally {
      client.disconnect();
      await runner.destroy();
      await other.end();
    }
  });

  it('a thread that hangs on a worker is replaced, and a shard that does it twice is left out', async () => {
    const other = await RedisServer.start();
    const worker = new WorkerProcess(other.url, [], {}, { faults: true, hungMs: 1000 });
    try {
      await worker.event('start');
      for (const kind of ['hang', 'die'] as const) {
        const once = await runOn(queueRunner(other.url), setup, { fault: { shard: 5, times: 1, kind } });
        assert.deepEqual(once, await expected, kind);
      }
      const twice = await runOn(queueRunner(other.url), setup, { fault: { shard: 5, times: 2, kind: 'trap' } });
      assert.deepEqual(twice.quarantined, [{ shard: 5, message: twice.quarantined[0]!.message }]);
      assert.match(twice.quarantined[0]!.message, /trap in the engine/);
    } finally {
      await worker.end();
      await other.end();
    }
  });

  it('jobs that nobody should run are refused in one line each, and harm nothing', async () => {
    const other = await RedisServer.start();
    const [worker] = await startWorkers(other.url, 1);
    const client = other.client();
    const queue = new Queue(queueName(buildHash()), { connection: client, prefix: PREFIX });
    try {
      const vector = loadEngine().catalogue.vector({ kernel: 'seed', with: [], without: [] });
      const base = { vector, seed: 1n, shard: 1, programs: 500, strategy: 'guided', focus: 'all' } as const;
      const job = { kind: 'shard', ...base, epoch: 0, counted: true, fault: 'die' } as const;
      const huge = { ...payloadOf('x', { ...job, programs: 2 ** 40 }, 'a'.repeat(64)) };
      const bad: [name: string, data: unknown, id?: string][] = [
        ['shard', { rm: '-rf' }],
        ['shard', null],
        ['eval', 'process.exit()'],
        ['shard', huge, jobId(huge, 0)],
        ['shard', payloadOf('x', job, 'a'.repeat(64)), jobId(payloadOf('x', job, 'a'.repeat(64)), 0)],
      ];
      for (const [name, data, id] of bad)
        await queue.add(name, data, { attempts: 1000, ...(id !== undefined && { jobId: id }) });
      const broken = await queue.add('shard', {}, { jobId: 'broken', delay: 100_000 });
      await client.hset(`${PREFIX}:${queueName(buildHash())}:broken`, 'data', '{{{');
      await broken.promote();
      const { fault: _, ...plain } = job;
      const poisoned = payloadOf('x', plain, 'b'.repeat(64));
      await client.set(`${PREFIX}:campaign:x:knowledge:${'b'.repeat(64)}`, Buffer.alloc(3_000_000, 7));
      await queue.add('shard', poisoned, { jobId: jobId(poisoned, 0) });
      const refused = () => worker!.logged.filter(({ event }) => event === 'refused');
      await until('refusals', () => refused().length === 7);
      assert.equal(await queue.getFailedCount(), 7);
      for (const { text } of refused()) assert.match(text, /refused: /);
      assert.ok(!refused().some(({ text }) => text.includes('\n') || text.length > 350));
      assert.deepEqual(await runOn(queueRunner(other.url), setup), await expected);
      assert.equal(refused().length, 7);
    } finally {
      client.disconnect();
      await worker!.end();
      await other.end();
    }
  });

  it('results that nobody computed are told and count as failed attempts', async () => {
    const other = await RedisServer.start();
    const notices: string[] = [];
    const runner = queueRunner(other.url, notices, 'fooled');
    const campaign = campaignOn(runner, setup);
    const client = other.client();
    let worker: WorkerProcess | undefined;
    try {
      const done = campaign.run();
      const wait = `${PREFIX}:${queueName(buildHash())}:wait`;
      await until('jobs', async () => (await client.llen(wait)) >= 8);
      const ids = (await client.lrange(wait, 0, -1)).filter((id) => id.includes('.shard-')).slice(0, 3);
      const push = (bytes: Buffer) => client.rpush(resultsKey('fooled'), bytes);
      for (const junk of [Buffer.alloc(0), Buffer.from('{"kind":"shard"}'), Buffer.alloc(3_000_000, 1)])
        await push(junk);
      const [bytes, canary, lie] = ids;
      await push(Buffer.concat([Uint8Array.of(bytes!.length), Buffer.from(`${bytes} junk`)]));
      await push(await packAnswer(canary!, { kind: 'canary', found: true, programs: 1 }));
      await push(await packAnswer(lie!, { kind: 'unknowing' }));
      await push(await packAnswer('fooled.shard-1.0.0123456789abcdef', { kind: 'trapped', message: 'not asked for' }));
      await until('complaints', () => notices.filter((text) => text.includes('is not valid')).length === 2);
      worker = new WorkerProcess(other.url);
      await done;
      assert.deepEqual(lasting(campaign.result()), await expected);
    } finally {
      client.disconnect();
      await runner.destroy();
      await worker?.end();
      await other.end();
    }
  });

  it('a wrong password ends both sides at once, and is told to nobody', async () => {
    const other = await RedisServer.start({ password: 'right' });
    try {
      for (const password of ['', ':geheim@']) {
        const url = new URL(`redis://${password}127.0.0.1:${other.port}`);
        const runner = queueRunner(url);
        await assert.rejects(runner.room(), (error: unknown) => {
          assert.ok(error instanceof UsageError);
          assert.match(error.message, /refuses us: (?:WRONGPASS|NOAUTH)/);
          return !error.message.includes('geheim');
        });
        await assert.rejects(runOn(queueRunner(url), setup), UsageError);
        await runner.destroy();
        const worker = new WorkerProcess(url);
        assert.equal(await worker.exited(), 2);
        assert.match(worker.stderr, /^breakcow: queue: redis:.* refuses us/);
        assert.ok(!worker.stderr.includes('geheim'));
      }
      const [worker] = await startWorkers(other.url, 1);
      assert.deepEqual(await runOn(queueRunner(other.url), setup), await expected);
      assert.ok(!JSON.stringify(worker!.logged).includes('right'));
      await worker!.end();
    } finally {
      await other.end();
    }
  });

  it('the command line refuses a queue that anybody could write to', () => {
    const { BREAKCOW_QUEUE: _, ...env } = process.env;
    const tried = (...args: string[]) => {
      try {
        execFileSync(process.execPath, [CLI, 'worker', ...args], {
          stdio: 'pipe',
          env,
        });
        return '';
      } catch (error) {
        const { status, stderr } = error as { status: number; stderr: Buffer };
        return `${status} ${stderr}`;
      }
    };
    assert.match(tried('--queue', 'redis://192.0.2.1'), /^2 breakcow: queue: .* has no password/);
    assert.match(tried('--queue', 'amqp://x'), /^2 breakcow: queue: amqp:/);
    assert.match(tried(), /^2 .*--queue/s);
    assert.match(tried('--queue', 'redis://localhost', '--workers', '0'), /^2 .*workers "0"/s);
  });

  it('waits for a server that is not there yet', async () => {
    const other = await RedisServer.start();
    await other.kill();
    const notices: string[] = [];
    const runner = queueRunner(other.url, notices);
    const worker = new WorkerProcess(other.url);
    try {
      const running = campaignOn(runner, setup);
      const done = running.run();
      await worker.event('away');
      const leaving = new WorkerProcess(other.url);
      await leaving.event('away');
      const told = performance.now();
      assert.equal(await leaving.end('SIGTERM'), 0);
      assert.ok(performance.now() - told < 3000, 'leaves without a server, too');
      await until('the notice', () => notices.length > 0);
      await wait(1000);
      assert.match(notices.join('\n'), /^redis:\S+ is away \(ECONNREFUSED\): trying again$/);
      await other.up();
      await done;
      assert.deepEqual(lasting(running.result()), await expected);
      assert.match(notices[1]!, /is back after \d+ s/);
      assert.equal(worker.logged.filter(({ event }) => event === 'away').length, 1);
    } finally {
      await runner.destroy();
      await worker.end();
      await other.end();
    }
  });
});

describe('a queue over TLS', { skip: noOpenssl }, () => {
  it('runs a campaign with a certificate that is trusted, and refuses any other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'breakcow-tls-'));
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key!, '-out', cert!];
    execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' });
    const args = ['--tls-cert-file', cert!, '--tls-key-file', key!, '--tls-auth-clients', 'no'];
    const server = await RedisServer.start({ tls: true, password: 'pw', folder, args });
    const env = { NODE_EXTRA_CA_CERTS: cert! };
    const worker = new WorkerProcess(server.url, [], env);
    try {
      await worker.event('start');
      const driver = spawn(process.execPath, [DRIVER, 'tls', '2000'], {
        env: { ...process.env, ...env, BREAKCOW_QUEUE: server.url.href },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      driver.stdout.on('data', (text: Buffer) => {
        said += text.toString();
      });
      const [code] = await once(driver, 'exit');
      assert.equal(code, 0);
      assert.match(said, /end\n$/);
      const wary = new WorkerProcess(server.url);
      assert.equal(await wary.exited(), 2);
      assert.match(wary.stderr, /self-signed certificate.*NODE_EXTRA_CA_CERTS/);
      const runner = queueRunner(server.url);
      await assert.rejects(runner.room(), UsageError);
      await runner.destroy();
    } finally {
      await worker.end();
      await server.end();
    }
  });
});
