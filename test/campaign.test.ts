import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CampaignOptions,
  type CampaignResult,
  NotDeterministicError,
  runCampaign,
} from '../src/campaign/index.js';
import { Kinds } from '../src/campaign/kinds.js';
import { Learned } from '../src/campaign/knowledge.js';
import { EPOCH_SHARDS, shardPrograms, shardsOf } from '../src/campaign/plan.js';
import { Rotation } from '../src/campaign/rotation.js';
import { type Failure, NEWS_POINT } from '../src/engine/fuzzer.js';
import type { KernelSpec } from '../src/engine/types.js';
import { UsageError } from '../src/errors.js';

function kernel(name: string): KernelSpec {
  return { kernel: name, with: [], without: [] };
}

function options(changes: Partial<CampaignOptions> = {}): CampaignOptions {
  return {
    spec: kernel('seed'),
    seed: 1n,
    workers: 2,
    strategy: 'guided',
    keepGoing: true,
    signal: new AbortController().signal,
    onProgress() {},
    ...changes,
  };
}

/** All of a result that must not depend on threads or time. */
function lasting(result: CampaignResult) {
  const { programs, ops, faults, coverage, digest, valid, quarantined } = result;
  return { programs, ops, faults, coverage, digest, valid, quarantined, raw: result.raw };
}

describe('campaign', () => {
  it('finds the same on 1, 2 and 3 workers', async () => {
    const [one, two, three] = await Promise.all(
      [1, 2, 3].map((workers) => runCampaign(options({ programs: 30_000, workers }))),
    );
    assert.ok(one!.raw.length > 20, `${one!.raw.length} raw findings`);
    assert.ok(one!.raw.some(({ shard }) => shard >= 3 * EPOCH_SHARDS) || one!.programs > 24_000);
    assert.deepEqual(lasting(two!), lasting(one!));
    assert.deepEqual(lasting(three!), lasting(one!));
    assert.equal(one!.programs, 30_000);
    assert.equal(three!.workers, 3);
  });

  it('reports the raw findings in the order of the result, each kind early', async () => {
    const told: unknown[] = [];
    const result = await runCampaign(options({ programs: 8000, onRawFinding: (finding) => void told.push(finding) }));
    assert.deepEqual(told, result.raw);
    const at = result.raw.map(({ firstAt }) => firstAt.programs);
    assert.deepEqual(
      at,
      at.toSorted((a, b) => a - b),
    );
    assert.ok(result.raw.every(({ words, reduced }) => reduced!.length <= words.length));
  });

  it('depends on seed and strategy', async () => {
    const digests = await Promise.all(
      [{}, { seed: 2 }, { strategy: 'random' as const }].map(async (changes) => {
        const { digest } = await runCampaign(options({ programs: 1000, ...changes }));
        return digest;
      }),
    );
    assert.equal(new Set(digests).size, 3);
  });

  it('stops after the first epoch with findings unless told to keep going', async () => {
    const [one, three] = await Promise.all(
      [1, 3].map((workers) => runCampaign(options({ programs: 10_000_000, keepGoing: false, workers }))),
    );
    assert.deepEqual(lasting(three!), lasting(one!));
    assert.ok(one!.raw.length > 0);
    assert.ok(one!.raw.every(({ shard }) => shard < EPOCH_SHARDS));
    assert.ok(one!.valid);
    assert.equal(one!.interrupted, false);
  });

  it('counts an unbroken row of shards when time ends it', async () => {
    const timed = await runCampaign(options({ spec: kernel('repaired'), timeMs: 500 }));
    assert.ok(timed.programs > 0);
    assert.ok(timed.seconds < 2, `${timed.seconds} s`);
    const counted = await runCampaign(options({ spec: kernel('repaired'), programs: timed.programs, workers: 1 }));
    assert.deepEqual(lasting(counted), lasting(timed));
  });

  it('ends soon and cleanly when interrupted', async () => {
    const controller = new AbortController();
    let asked = 0;
    setTimeout(() => {
      asked = performance.now();
      controller.abort();
    }, 400);
    const result = await runCampaign(options({ timeMs: 60_000, signal: controller.signal }));
    const took = performance.now() - asked;
    assert.ok(result.interrupted);
    assert.ok(took < 1000, `${took} ms`);
    const early = await runCampaign(options({ timeMs: 60_000, signal: AbortSignal.abort() }));
    assert.ok(early.interrupted && early.programs === 0 && !early.valid);
  });

  it('is invalid, never clean, if a canary stays silent', async () => {
    const dead = { spec: kernel('repaired'), breaks: 'cow-leak' };
    const silent = options({ spec: kernel('repaired'), programs: 2000 });
    const result = await runCampaign(silent, { canaries: [dead] });
    assert.equal(result.valid, false);
    assert.equal(result.canary.found, false);
    assert.equal(result.canary.kernel, 'repaired');
    assert.ok(result.canary.programs >= 20_000);
    const alive = await runCampaign(silent);
    assert.ok(alive.valid && alive.canary.found && alive.canary.programs > 0);
    const half = await runCampaign(silent, { canaries: [{ spec: kernel('v5.7'), breaks: 'cow-leak' }, dead] });
    assert.equal(half.valid, false);
  });

  it('stops with an error if a shard run twice differs', async () => {
    await assert.rejects(runCampaign(options({ programs: 20_000 }), { wrongDigest: 16 }), (error: unknown) => {
      assert.ok(error instanceof NotDeterministicError);
      assert.equal(error.shard, 16);
      assert.match(error.message, /not deterministic/);
      return true;
    });
  });

  it('retries a shard that traps, then quarantines it and goes on', async () => {
    const asked = options({ programs: 5000 });
    const sound = await runCampaign(asked);
    const once = await runCampaign(asked, { fault: { shard: 3, times: 1, kind: 'trap' } });
    assert.deepEqual(lasting(once), lasting(sound));
    const twice = await runCampaign(asked, { fault: { shard: 3, times: 2, kind: 'trap' } });
    assert.deepEqual(
      twice.quarantined.map(({ shard }) => shard),
      [3],
    );
    assert.match(twice.quarantined[0]!.message, /trap in the engine/);
    assert.equal(twice.programs, sound.programs - 500);
    assert.ok(twice.raw.some(({ shard }) => shard > 3));
  });

  it('replaces a thread that hangs or dies, and loses nothing but time', async () => {
    const asked = options({ programs: 5000 });
    const sound = await runCampaign(asked);
    for (const kind of ['hang', 'die'] as const) {
      const once = await runCampaign(asked, { fault: { shard: 5, times: 1, kind }, hungMs: 1000 });
      assert.deepEqual(lasting(once), lasting(sound), kind);
      const twice = await runCampaign(asked, { fault: { shard: 5, times: 2, kind }, hungMs: 1000 });
      assert.equal(twice.quarantined.length, 1);
      assert.match(twice.quarantined[0]!.message, kind === 'hang' ? /did not come back/ : /thread failed/);
      assert.equal(twice.programs, sound.programs - 500);
    }
  });

  it('passes on what a callback throws', async () => {
    const onRawFinding = async () => {
      throw new Error('disk full');
    };
    await assert.rejects(runCampaign(options({ programs: 5000, onRawFinding })), /disk full/);
  });

  it('refuses options that make no sense', async () => {
    const wrong: Partial<CampaignOptions>[] = [
      {},
      { programs: 0 },
      { programs: 1.5 },
      { timeMs: -1 },
      { timeMs: Number.NaN },
      { programs: 1, workers: 0 },
      { programs: 1, seed: -1 },
      { programs: 1, seed: 0.5 },
      { programs: 1, seed: 1n << 64n },
      { programs: 1, spec: kernel('v4.4') },
    ];
    for (const changes of wrong) await assert.rejects(runCampaign(options(changes)), UsageError);
  });
});

describe('plan', () => {
  const style = { strategy: 'guided', focus: 'all' } as const;
  const plan = { epoch: 2, arm: 0, lane: 0, style, first: 32, shards: EPOCH_SHARDS, size: 2000 };

  it('gives an epoch shards of one size, the budget being the limit', () => {
    const whole = shardsOf({ ...plan, programs: EPOCH_SHARDS * 2000 });
    assert.equal(whole.length, EPOCH_SHARDS);
    assert.deepEqual(
      whole.map(({ index, closesEpoch }) => ({ index, closesEpoch })),
      whole.map((_, i) => ({ index: 32 + i, closesEpoch: i === EPOCH_SHARDS - 1 })),
    );
    assert.ok(whole[0]!.twin && whole[0]!.canary && !whole[1]!.twin);
    const short = shardsOf({ ...plan, programs: 4500 });
    assert.deepEqual(
      short.map(({ programs }) => programs),
      [2000, 2000, 500],
    );
    assert.ok(!short.some(({ closesEpoch }) => closesEpoch));
  });

  it('grows the shards of a kernel up to a million ops', () => {
    assert.deepEqual([0, 1, 5, 6, 7, 1000].map(shardPrograms), [500, 1000, 16_000, 32_000, 32_000, 32_000]);
  });
});

describe('rotation', () => {
  const arms = [0, 1, 2].map((lane) => ({ lane, style: { strategy: 'guided', focus: 'all' } as const }));
  const turns = (rotation: Rotation, n: number) => Array.from({ length: n }, () => rotation.next());

  it('gives everybody a turn, then more to those that bring news, and starves nobody', () => {
    const rotation = new Rotation(arms);
    assert.deepEqual(turns(rotation, 6), [0, 1, 2, 0, 1, 2]);
    for (const [arm, news] of [100, 0, 0].entries()) rotation.brought(arm, news);
    const counts = [0, 0, 0];
    for (const arm of turns(rotation, 1000)) counts[arm]!++;
    assert.ok(counts[0]! > 790 && counts[0]! < 810, `${counts}`);
    assert.ok(counts[1]! > 95 && counts[2]! > 95, `${counts}`);
  });

  it('goes on from its state as if nothing had happened', () => {
    const rotation = new Rotation(arms);
    turns(rotation, 5);
    rotation.brought(1, 3);
    const again = new Rotation(arms, structuredClone(rotation.state));
    assert.deepEqual(turns(again, 50), turns(rotation, 50));
  });
});

describe('what a campaign has learned', () => {
  const nothing = { coverage: new Uint8Array(8), states: new Uint8Array(8), novel: [], keys: new Uint32Array() };

  it('keeps a program only for what nobody reached before', () => {
    const learned = new Learned(8, 8);
    const [first, second, third] = [1, 2, 3].map((word) => Uint32Array.of(word, word));
    const novel = [
      { words: first!, news: Uint32Array.of(5, NEWS_POINT + 1) },
      { words: second!, news: Uint32Array.of(5) },
    ];
    learned.merge({ ...nothing, novel });
    learned.merge({ ...nothing, novel: [{ words: third!, news: Uint32Array.of(5, 6) }], keys: Uint32Array.of(9, 9) });
    const { lengths, words, keys } = learned.snapshot();
    assert.deepEqual([...lengths], [2, 2]);
    assert.deepEqual([...words], [1, 1, 3, 3]);
    assert.deepEqual([...keys], [9]);
  });

  it('drops the oldest that reached no point when it is full', () => {
    const learned = new Learned(8, 8);
    const program = (i: number) => ({ words: Uint32Array.of(i), news: Uint32Array.of(i === 0 ? NEWS_POINT : i) });
    learned.merge({ ...nothing, novel: Array.from({ length: 600 }, (_, i) => program(i)) });
    const { words } = learned.snapshot();
    assert.equal(words.length, 512);
    assert.deepEqual([...words.slice(0, 2)], [0, 89]);
    assert.equal(words.at(-1), 599);
  });

  it('adds up what shards reached', () => {
    const learned = new Learned(8, 8);
    learned.merge({ ...nothing, coverage: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) });
    learned.merge({ ...nothing, states: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0x80) });
    assert.deepEqual(
      [0, 1].map((point) => learned.reached(point)),
      [true, false],
    );
    assert.equal(learned.states(), 3);
  });
});

describe('crude deduplication', () => {
  const failure = (key: number, invariant: number, codes: number[]): Failure => ({
    index: key,
    words: Uint32Array.from(codes),
    reduced: Uint32Array.from(codes),
    mask: 1 << invariant,
    violation: { invariant, expected: 0, got: 0, op: 0, detail: 0 },
    key,
    programs: 1,
    faults: 0,
  });

  it('keeps two of a kind, then only shorter ones, and no shape twice', () => {
    const kinds = new Kinds();
    const told = [
      failure(1, 3, [0, 3, 3, 3]),
      failure(1, 3, [0, 3, 3, 3]),
      failure(2, 3, [3, 0, 3, 0]),
      failure(3, 3, [0, 3, 3, 0]),
      failure(4, 3, [0, 3]),
      failure(5, 3, [3, 0]),
      failure(6, 4, [3, 0]),
      failure(7, 3, [3, 0, 2]),
    ].map((one) => kinds.adds(one));
    assert.deepEqual(told, [true, false, true, false, true, false, true, true]);
  });

  it('lets no invariant crowd out the others', () => {
    const kinds = new Kinds();
    const all = Array.from({ length: 500 }, (_, i) => kinds.adds(failure(i + 1, 3, [i & 15, 16 + (i >> 4)])));
    assert.equal(all.filter(Boolean).length, 96);
    assert.ok(kinds.adds(failure(1000, 5, [0])));
  });
});
