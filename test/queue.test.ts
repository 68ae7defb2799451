import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { Learned } from '../src/campaign/knowledge.js';
import { shardPrograms } from '../src/campaign/plan.js';
import { type CanaryJob, Pulse, type ShardJob, type ShardResult, Shared } from '../src/campaign/task.js';
import runTask from '../src/campaign/worker.js';
import { loadEngine } from '../src/engine/engine.js';
import { UsageError } from '../src/errors.js';
import { Malformed } from '../src/queue/check.js';
import { packFrame } from '../src/queue/frame.js';
import { hashOf, packKnowledge, unpackKnowledge } from '../src/queue/knowledge.js';
import { Limits, MOST_BYTES } from '../src/queue/limits.js';
import { jobId, type Payload, parsePayload, payloadOf } from '../src/queue/payload.js';
import { packAnswer, splitAnswer, unpackAnswer } from '../src/queue/result.js';
import { checkQueueUrl, queueAddress, queuePlace } from '../src/queue/url.js';

const limits = new Limits();
const { catalogue } = loadEngine();
const vector = catalogue.vector({ kernel: 'seed', with: [], without: [] });
const learned = new Learned(limits.coverageSize, limits.statesSize);

function run(job: ShardJob): ShardResult {
  const result = runTask({ job, shared: new Shared().buffer, pulse: new Pulse().buffer });
  if (result.kind !== 'shard') throw new Error(`the shard ${result.kind}`);
  return result;
}

const first: ShardJob = {
  kind: 'shard',
  vector,
  seed: 0xffff_ffff_ffff_fff0n,
  shard: 3,
  epoch: 1,
  programs: 2000,
  strategy: 'guided',
  focus: 'all',
  knowledge: learned.snapshot(),
  counted: true,
};
const result = run(first);
learned.merge(result);
const job: ShardJob = { ...first, shard: 20, knowledge: learned.snapshot() };
const canary: CanaryJob = {
  kind: 'canary',
  vector,
  seed: 5n,
  shard: 16,
  programs: 20_000,
  strategy: 'random',
  focus: 'all',
  invariant: catalogue.invariants[0]!.id,
};
const HASH = 'a'.repeat(64);

describe('address of a queue', () => {
  it('takes Redis here, and elsewhere with a password', () => {
    for (const good of ['redis://localhost', 'redis://127.0.0.1:7000/3', 'redis://[::1]', 'rediss://:pw@queue.lab:1'])
      assert.ok(checkQueueUrl(good, false));
    assert.ok(checkQueueUrl('redis://queue.lab', true));
    const { host, port, db, username, password, tls } = queueAddress(checkQueueUrl('rediss://me:a%2Fb@q.lab/2', false));
    assert.deepEqual(
      [host, port, db, username, password, tls],
      ['q.lab', 6379, 2, 'me', 'a/b', { servername: 'q.lab' }],
    );
    assert.equal(queueAddress(checkQueueUrl('redis://[::1]:7', false)).host, '::1');
  });

  it('refuses what is none, and never tells the password', () => {
    const bad = [
      'nonsense secret',
      'http://:secret@localhost',
      'redis://user@queue.lab',
      'redis://10.0.0.1',
      'redis://:secret@h/path',
      'redis://:secret@h/?tls=no',
      'redis://:secret%@h',
      'redis:',
    ];
    for (const text of bad)
      assert.throws(
        () => checkQueueUrl(text, false),
        (error: unknown) =>
          error instanceof UsageError && !error.message.includes('secret') && error.message.startsWith('queue: '),
        text,
      );
    assert.equal(queuePlace(new URL('redis://:secret@h')), 'redis://h:6379');
  });
});

describe('a job in the queue', () => {
  const parse = (payload: Payload, changes: { id?: string; name?: unknown; faults?: boolean } = {}) => {
    const { id = jobId(payload, 0), name = payload.kind, faults = false } = changes;
    return parsePayload(id, name, JSON.parse(JSON.stringify(payload)), limits, faults);
  };

  it('comes back as it was', () => {
    const { knowledge: __, ...plain } = job;
    assert.deepEqual(parse(payloadOf('night-1', job, HASH)), { campaign: 'night-1', knowledge: HASH, job: plain });
    assert.deepEqual(parse(payloadOf('c', canary, '')), { campaign: 'c', knowledge: '', job: canary });
    assert.ok(JSON.stringify(payloadOf('c', job, HASH)).length < 400);
  });

  it('has an id of its own for each attempt, twin and content', () => {
    const ids = [
      jobId(payloadOf('c', job, HASH), 0),
      jobId(payloadOf('c', job, HASH), 1),
      jobId(payloadOf('c', { ...job, counted: false }, HASH), 0),
      jobId(payloadOf('c', { ...job, seed: 1n }, HASH), 0),
      jobId(payloadOf('c', job, 'b'.repeat(64)), 0),
      jobId(payloadOf('d', job, HASH), 0),
    ];
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(jobId(payloadOf('c', { ...job }, HASH), 0), ids[0]);
  });

  it('is refused if anything about it is not what this build runs', () => {
    const good = payloadOf('c', job, HASH);
    const most = shardPrograms(1000);
    const hostile: Payload[] = [
      { ...good, kind: 'rm -rf' },
      { ...good, campaign: '../x' },
      { ...good, campaign: 'x'.repeat(65) },
      { ...good, vector: ['ffffffffffffffff', 'ffffffffffffffff', 'ffffffffffffffff'] },
      { ...good, vector: ['0', '0'] },
      { ...good, vector: 'abc' },
      { ...good, seed: '10000000000000000' },
      { ...good, seed: 12 },
      { ...good, seed: '-1' },
      { ...good, shard: -1 },
      { ...good, shard: 1.5 },
      { ...good, shard: 2 ** 40 },
      { ...good, programs: most + 1 },
      { ...good, programs: 0 },
      { ...good, programs: '100' },
      { ...good, programs: null },
      { ...good, strategy: '__proto__' },
      { ...good, focus: 'nothing' },
      { ...good, focus: { toString: 'all' } },
      { ...good, epoch: -1 },
      { ...good, counted: 'yes' },
      { ...good, knowledge: '../../etc' },
      { ...good, fault: 'die' },
      { ...good, extra: 'x'.repeat(1000) },
      { ...payloadOf('c', canary, ''), invariant: 33 },
      { ...payloadOf('c', canary, ''), invariant: 31.5 },
    ];
    for (const payload of hostile)
      assert.throws(() => parse(payload), Malformed, JSON.stringify(payload).slice(0, 200));
    for (const data of [null, 7, [], 'x'])
      assert.throws(() => parsePayload(jobId(good, 0), 'shard', data, limits, false), Malformed);
    assert.throws(() => parse(good, { name: 'canary' }), Malformed);
    assert.throws(() => parse(good, { id: jobId({ ...good, shard: 21 }, 0) }), /id: not that of its job/);
    assert.throws(() => parse({ ...good, seed: '7' }, { id: jobId(good, 0) }), /id: not that of its job/);
    const faulty = payloadOf('c', { ...job, fault: 'hang' }, HASH);
    assert.throws(() => parse(faulty), /fault/);
    assert.equal((parse(faulty, { faults: true }).job as ShardJob).fault, 'hang');
  });
});

describe('knowledge in the queue', () => {
  it('comes back as it was, in memory that threads share', async () => {
    const packed = await packKnowledge(job.knowledge);
    const back = unpackKnowledge(packed, hashOf(packed), limits);
    assert.ok(job.knowledge.words.length > 100);
    assert.deepEqual(back, job.knowledge);
    for (const part of Object.values(back)) assert.ok(part.buffer instanceof SharedArrayBuffer);
    assert.deepEqual(run({ ...job, knowledge: back }), run(job));
  });

  it('is refused if it is not what a campaign learns', async () => {
    const { knowledge } = job;
    const hostile = [
      { ...knowledge, coverage: new Uint8Array(7) },
      { ...knowledge, states: new Uint8Array(limits.statesSize + 1) },
      { ...knowledge, lengths: knowledge.lengths.slice(1) },
      { ...knowledge, words: knowledge.words.slice(1) },
      { ...knowledge, words: knowledge.words.map(() => 0xffff_ffff) },
      { ...knowledge, lengths: Uint8Array.of(0), words: new Uint32Array() },
      { ...knowledge, lengths: Uint8Array.of(65), words: new Uint32Array(65) },
      { ...knowledge, keys: new Uint32Array(100_000) },
    ];
    for (const [i, bad] of hostile.entries()) {
      const packed = await packKnowledge(bad);
      assert.throws(() => unpackKnowledge(packed, hashOf(packed), limits), Malformed, `case ${i}`);
    }
    const bomb = deflateRawSync(Buffer.alloc(64 * MOST_BYTES));
    assert.ok(bomb.length < 100_000);
    assert.throws(() => unpackKnowledge(bomb, hashOf(bomb), limits), Malformed);
    const packed = await packKnowledge(knowledge);
    assert.throws(() => unpackKnowledge(packed, HASH, limits), /not the bytes of its hash/);
    for (const cut of [0, 1, 5, packed.length - 1]) {
      const short = packed.subarray(0, cut);
      assert.throws(() => unpackKnowledge(short, hashOf(short), limits), Malformed);
    }
  });
});

describe('a result in the queue', () => {
  const id = jobId(payloadOf('c', first, HASH), 0);

  it('comes back as it was', async () => {
    assert.ok(result.failures.length > 0 && result.novel.length > 0 && result.keys.length > 0);
    const { id: told, packed } = splitAnswer(await packAnswer(id, result, first));
    assert.equal(told, id);
    assert.deepEqual(unpackAnswer(packed, first, limits), result);
    const later = run(job);
    const again = splitAnswer(await packAnswer(id, later, job)).packed;
    assert.deepEqual(unpackAnswer(again, job, limits), later);
    const whole = await packAnswer(id, later, { ...job, knowledge: first.knowledge });
    assert.ok(again.length < whole.length - 500, `${again.length} bytes, not much less than ${whole.length}`);
    for (const answer of [
      { kind: 'canary', found: true, programs: 17 },
      { kind: 'trapped', message: 'unreachable' },
      { kind: 'unknowing' },
    ] as const)
      assert.deepEqual(unpackAnswer(splitAnswer(await packAnswer(id, answer)).packed, canary, limits), answer);
  });

  it('is refused if it cannot be that of its job', async () => {
    const [failure] = result.failures;
    const [novel] = result.novel;
    const hostile: ShardResult[] = [
      { ...result, work: { ...result.work, programs: 1999 } },
      { ...result, work: { ...result.work, ops: Number.NaN } },
      { ...result, work: { ...result.work, faults: -1 } },
      { ...result, digest: 1n << 64n },
      { ...result, coverage: new Uint8Array(3) },
      { ...result, states: new Uint8Array(limits.statesSize * 2) },
      { ...result, keys: new Uint32Array(20_000) },
      { ...result, failures: [{ ...failure!, index: 2000 }] },
      { ...result, failures: [{ ...failure!, mask: 0 }] },
      { ...result, failures: [{ ...failure!, words: new Uint32Array() }] },
      { ...result, failures: [{ ...failure!, reduced: Uint32Array.of(0xffff_ffff) }] },
      { ...result, failures: [{ ...failure!, words: new Uint32Array(65) }] },
      { ...result, failures: [{ ...failure!, violation: { ...failure!.violation, invariant: 200 } }] },
      { ...result, failures: [{ ...failure!, violation: { ...failure!.violation, got: 256 } }] },
      { ...result, failures: [{ ...failure!, faults: 2 ** 50 }] },
      { ...result, failures: Array.from({ length: 2000 }, () => failure!) },
      { ...result, novel: [{ ...novel!, news: Uint32Array.of(0xffff_ffff) }] },
      { ...result, novel: [{ ...novel!, words: Uint32Array.of(63) }] },
      { ...result, novel: Array.from({ length: 2000 }, () => novel!) },
    ];
    for (const [i, bad] of hostile.entries()) {
      const { packed } = splitAnswer(await packAnswer(id, bad, first));
      assert.throws(() => unpackAnswer(packed, first, limits), Malformed, `case ${i}`);
    }
    const { packed } = splitAnswer(await packAnswer(id, result, first));
    assert.throws(() => unpackAnswer(packed, canary, limits), Malformed);
    const nothing = [0, 0, 0, 0].map(() => new Uint8Array());
    for (const header of [
      {},
      { kind: 'shard' },
      { kind: 'trapped', message: {} },
      { kind: 'canary', found: 1, programs: 1 },
    ])
      await assert.rejects(async () => unpackAnswer(await packFrame(header, nothing), first, limits), Malformed);
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1), Buffer.from('\xff junk'), Buffer.alloc(5000, 0xff)])
      assert.throws(() => splitAnswer(bytes), Malformed);
  });

  it('cannot crash the driver, whatever its bytes are', async () => {
    const { packed } = splitAnswer(await packAnswer(id, result, first));
    let random = 1;
    const next = (n: number) => {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      return (random >>> 8) % n;
    };
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const bytes = Buffer.from(packed);
      for (let k = next(3); k >= 0; k--) bytes[next(bytes.length)] = next(256);
      try {
        unpackAnswer(bytes, first, limits);
      } catch (error) {
        assert.ok(error instanceof Malformed, `${error}`);
        refused++;
      }
    }
    assert.ok(refused > 1000, `${refused}`);
  });
});

it('the command line loads no client of Redis before it is needed', () => {
  const loaded = (...paths: string[]) => {
    const imports = paths
      .map((path) => `await import(${JSON.stringify(new URL(path, import.meta.url).href)});`)
      .join('');
    const code = `import Module from 'node:module'; ${imports}
      console.log(Object.keys(Module._cache).filter((path) => /bullmq|ioredis/.test(path)).length);`;
    return Number(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }));
  };
  assert.equal(loaded('../src/cli/worker.js', '../src/cli/bench.js', '../src/queue/url.js'), 0);
  assert.ok(loaded('../src/queue/runner.js') > 10);
});
