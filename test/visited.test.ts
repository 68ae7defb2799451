import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { Control } from '../src/explore/control.js';
import { omission } from '../src/explore/omission.js';
import { makeVisited } from '../src/explore/table.js';
import { Visited } from '../src/explore/visited.js';
import { fingerprintOf, type Stretch } from './visited-thread.js';

const EXACT = { kind: 'exact' } as const;
const MIB = 1 << 20;
const THREAD = new URL('./visited-thread.js', import.meta.url);

function single(budget = 64 * MIB, kind: Parameters<typeof makeVisited>[0] = EXACT) {
  const control = new Control();
  const visited = new Visited(makeVisited(kind, 1, budget, control, 1), 0);
  visited.gate.enter();
  return { control, visited };
}

/** Runs the stretches, one a thread; returns what each says is new. */
async function together(
  kind: Parameters<typeof makeVisited>[0],
  budget: number,
  stretches: readonly Omit<Stretch, 'setup' | 'thread'>[],
): Promise<{ control: Control; fresh: Uint8Array[]; visited: Visited }> {
  const control = new Control();
  // One hand more, to look at the set in the end.
  const setup = makeVisited(kind, stretches.length + 1, budget, control, 1);
  control.set('done', stretches.length);
  const fresh = await Promise.all(
    stretches.map(async (stretch, thread) => {
      const worker = new Worker(THREAD, { workerData: { setup, thread, ...stretch } });
      const [answer] = await once(worker, 'message');
      await worker.terminate();
      return answer as Uint8Array;
    }),
  );
  const visited = new Visited(setup, stretches.length);
  visited.gate.enter();
  return { control, fresh, visited };
}

/** How often each number of the sequence was told to be new. */
function tally(stretches: readonly { first: number }[], fresh: readonly Uint8Array[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const [t, answer] of fresh.entries()) {
    for (const [i, one] of answer.entries()) {
      const n = stretches[t]!.first + i;
      times.set(n, (times.get(n) ?? 0) + one);
    }
  }
  return times;
}

describe('visited set', () => {
  it('one thread: says of each fingerprint what a Set says, while the table grows', () => {
    // Places that differ, that are few, and that are the last of the table.
    const place = fc.oneof(fc.bigInt({ min: 0n, max: 0xffffffffn }), fc.constantFrom(0n, 1n, 0x80000000n, 0xffffffffn));
    const print = fc.tuple(place, fc.bigInt({ min: 1n, max: 40n })).map(([high, low]) => (high << 32n) | low);
    const batches = fc.array(fc.array(print, { maxLength: 400, size: 'max' }), { maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(batches, (all) => {
        const { visited } = single();
        const seen = new Set<bigint>();
        for (const batch of all) {
          const expected = batch.map((one) => Number(!seen.has(one)));
          const missing = visited.missing(BigUint64Array.from(batch)).slice(0, batch.length);
          assert.deepEqual([...missing], expected);
          const fresh = batch.map((one) => Number(!seen.has(one) && !!seen.add(one)));
          assert.deepEqual([...visited.insert(BigUint64Array.from(batch))!.subarray(0, batch.length)], fresh);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('one thread: grows many times and keeps every fingerprint', () => {
    const { visited, control } = single();
    const count = 1_500_000;
    const prints = BigUint64Array.from({ length: count }, (_, i) => fingerprintOf(i + 1));
    const before = control.get('lines');
    for (let from = 0, batch = 1; from < count; from += batch, batch = 1 + ((batch * 7) % 65_536)) {
      const slice = prints.subarray(from, from + batch);
      assert.ok(
        visited
          .insert(slice)!
          .subarray(0, slice.length)
          .every((one) => one === 1),
      );
    }
    assert.ok(control.get('lines') > 64 * before);
    assert.equal(control.get('count'), count);
    assert.ok(
      visited
        .insert(prints)!
        .subarray(0, count)
        .every((one) => one === 0),
    );
    assert.equal(control.get('count'), count);
    const others = BigUint64Array.from({ length: 100_000 }, (_, i) => fingerprintOf(count + i + 1));
    assert.ok(
      visited
        .missing(others)
        .subarray(0, others.length)
        .every((one) => one === 1),
    );
  });

  it('thousands of fingerprints of one home line, at the start and at the end of the table', () => {
    for (const high of [0n, 0xffffffffn]) {
      const { visited, control } = single();
      const prints = BigUint64Array.from({ length: 6000 }, (_, i) => (high << 32n) | BigInt(i + 1));
      assert.ok(
        visited
          .insert(prints)!
          .subarray(0, 6000)
          .every((one) => one === 1),
      );
      const rest = BigUint64Array.from({ length: 100_000 }, (_, i) => fingerprintOf(i + 1));
      const before = control.get('lines');
      visited.insert(rest);
      assert.ok(control.get('lines') > before);
      assert.ok(
        visited
          .insert(prints)!
          .subarray(0, 6000)
          .every((one) => one === 0),
      );
      assert.ok(
        visited
          .missing(rest)
          .subarray(0, rest.length)
          .every((one) => one === 0),
      );
    }
  });

  it('more of one home line than the table can hold are an error', () => {
    const { visited } = single();
    const prints = BigUint64Array.from({ length: 60_000 }, (_, i) => (0xffffffffn << 32n) | BigInt(i + 1));
    assert.throws(() => visited.insert(prints), /not well mixed/);
  });

  it('fills what memory there is, then says so and still knows everything', () => {
    const budget = 4 * MIB;
    const { visited, control } = single(budget);
    const told: bigint[] = [];
    for (let n = 1; ; n += 1000) {
      const prints = BigUint64Array.from({ length: 1000 }, (_, i) => fingerprintOf(n + i));
      if (!visited.insert(prints)) break;
      told.push(...prints);
    }
    assert.equal(control.stopped, 'memory');
    assert.ok(control.long('visitedBytes') <= budget);
    const share = (8 * told.length) / budget;
    assert.ok(share > 0.7, `${share} of the memory is fingerprints`);
    const all = BigUint64Array.from(told);
    assert.ok(
      visited
        .missing(all)
        .subarray(0, all.length)
        .every((one) => one === 0),
    );
  });

  for (const kind of [EXACT, { kind: 'bits', log2: 30, hashes: 3 } as const]) {
    it(`${kind.kind}: of threads that enter the same, exactly one is told it is new`, async () => {
      for (const [batch, threads, pace, apart] of [
        [64, 2, 0, 1000],
        [4096, 3, 0, 1000],
        [65_536, 2, 0, 1000],
        [1000, 2, 2, 0],
      ] as const) {
        // All threads at the same time over the same numbers, and each some of its own; or in step over the same.
        const stretches = Array.from({ length: threads }, (_, t) => ({
          first: 1 + apart * t,
          count: 300_000,
          batch,
          pace,
        }));
        const { fresh, control, visited } = await together(kind, 256 * MIB, stretches);
        const times = tally(stretches, fresh);
        const wrong = [...times].filter(([, count]) => count !== 1);
        // In a filter another fingerprint may have set the same bits.
        assert.ok(wrong.length <= (kind.kind === 'exact' ? 0 : 2), `${wrong.length} wrong, ${wrong.slice(0, 5)}`);
        assert.ok(wrong.every(([, count]) => count === 0));
        if (kind.kind === 'exact') assert.equal(control.get('count'), times.size);
        const all = BigUint64Array.from([...times.keys()], fingerprintOf);
        assert.ok(
          visited
            .missing(all)
            .subarray(0, all.length)
            .every((one) => one === 0),
        );
      }
    });
  }

  it('a filter never forgets, and takes new ones for old about as often as it says', () => {
    for (const [log2, hashes] of [
      [22, 2],
      [22, 3],
      [20, 4],
    ] as const) {
      const { visited } = single(64 * MIB, { kind: 'bits', log2, hashes });
      const count = 200_000;
      const prints = BigUint64Array.from({ length: count }, (_, i) => fingerprintOf(i + 1));
      const fresh = visited.insert(prints)!.slice(0, count);
      assert.ok(
        visited
          .missing(prints)
          .subarray(0, count)
          .every((one) => one === 0),
      );
      const states = fresh.reduce((sum, one) => sum + one, 0);
      const omitted = 1 - states / count;
      const said = omission({ kind: 'bits', log2, hashes }, states);
      assert.ok(
        omitted > 0.8 * said - 1e-5 && omitted < 1.25 * said + 1e-5,
        `2^${log2}, ${hashes}: ${omitted}, ${said}`,
      );
    }
  });

  it('the probability that two states share a fingerprint', () => {
    assert.equal(omission(EXACT, 0), 0);
    assert.equal(omission(EXACT, 1), 0);
    // Birthday: n^2 / 2 of 2^64.
    assert.ok(Math.abs(omission(EXACT, 1e7) / (1e14 / 2 / 2 ** 64) - 1) < 1e-3);
    assert.ok(omission(EXACT, 1e11) === 1);
  });
});
