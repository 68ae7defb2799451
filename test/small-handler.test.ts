import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileC } from '../bench/peers/c.js';
import { type FastCheckStyle, runFastCheck } from '../bench/peers/fastcheck.js';
import { Machine, objectWalk } from '../bench/peers/objects.js';
import { applyOp, emptyState, type SmallState } from '../bench/peers/transition.js';
import { typedWalk } from '../bench/peers/typed.js';
import type { Seed, Walk } from '../bench/peers/walk.js';
import { assemblyWalk, LANES, lanes } from '../bench/peers/wasm.js';
import { formatPeers, runPeers } from '../bench/peers.js';
import { spread } from '../bench/rounds.js';

const STEPS = 3_000_000;
const SEEDS: Seed[] = [
  [1, 2, 3, 4],
  [0xdeadbeef, 0x12345678, 0x9abcdef0, 0x80000001],
];

// A machine of continuous integration has a compiler, or the C peer would silently go unchecked there.
const c = compileC();
const noCompiler = 'unavailable' in c && !process.env.CI ? c.unavailable : false;

function outcome(walk: Walk, seed: Seed, calls: number) {
  walk.reset(seed);
  let checksum = 0;
  for (let i = 0; i < calls; i++) checksum = walk.run(STEPS / calls, checksum);
  return { checksum, ...walk.stats() };
}

describe('the walks of one seed', () => {
  for (const seed of SEEDS) {
    it(`give one checksum in JavaScript and AssemblyScript: ${seed.join(' ')}`, () => {
      const objects = outcome(objectWalk(), seed, 3);
      assert.deepEqual(outcome(typedWalk(), seed, 3), objects);
      assert.deepEqual(outcome(assemblyWalk(), seed, 3), objects);
      assert.equal(objects.violations, 0);
      assert.ok(objects.events > STEPS / 100, `only ${objects.events} uffd-wp events`);
    });

    it(`give that checksum in C: ${seed.join(' ')}`, { skip: noCompiler }, async () => {
      if ('unavailable' in c) assert.fail(c.unavailable);
      const { seconds, ...rest } = await c.run(STEPS / 3, (STEPS / 3) * 2, seed);
      assert.deepEqual(rest, outcome(assemblyWalk(), seed, 1));
      assert.ok(seconds > 0);
    });
  }

  it('depends on the seed', () => {
    const [a, b] = SEEDS.map((seed) => outcome(assemblyWalk(), seed, 1).checksum);
    assert.notEqual(a, b);
  });
});

describe('the lanes', () => {
  const SINGLE_STEPS = 20_000;
  const column = (rows: Uint8Array, lane: number, first: number, count: number) =>
    Array.from({ length: count }, (_, row) => rows[(first + row) * LANES + lane]!);
  const readLane = (state: Uint8Array, lane: number): SmallState => ({
    flags: column(state, lane, 0, 4),
    frames: column(state, lane, 4, 4),
    slots: column(state, lane, 8, 2),
  });

  it(`move as the transition function does, lane by lane, for ${SINGLE_STEPS} steps`, () => {
    const machines = lanes();
    machines.reset(7);
    const expected = Array.from({ length: LANES }, emptyState);
    const opsSeen = new Set<number>();
    for (let step = 0; step < SINGLE_STEPS; step++) {
      machines.run(1);
      for (let lane = 0; lane < LANES; lane++) {
        const random = machines.random[lane]!;
        opsSeen.add(random & 0x3f);
        const broken = applyOp(expected[lane]!, random);
        assert.ok(!broken, `step ${step} lane ${lane}: the transition function breaks an invariant`);
        assert.deepEqual(
          readLane(machines.state, lane),
          expected[lane],
          `step ${step} lane ${lane} op ${random & 0x3f}`,
        );
      }
    }
    assert.equal(opsSeen.size, 64, 'every op on every entry');
    assert.ok(machines.broken.every((byte) => byte === 0));
  });

  it('do in one call of many steps what they do in many calls of one', () => {
    const once = lanes();
    const often = lanes();
    once.reset(11);
    often.reset(11);
    once.run(SINGLE_STEPS);
    for (let step = 0; step < SINGLE_STEPS; step++) often.run(1);
    assert.deepEqual(once.state, often.state);
    assert.deepEqual(once.checksum, often.checksum);
    assert.ok(new Set(once.checksum).size > 4, 'lanes run on streams of their own');
  });

  it('flag the lane, and only the lane, whose entry is writable and uffd-wp', () => {
    const machines = lanes();
    machines.reset(3);
    const guilty = 5;
    // P W U, frame 1, on all four entries: whichever the step touches, a read keeps it broken.
    for (let entry = 0; entry < 4; entry++) {
      machines.state[entry * LANES + guilty] = 1 | 2 | 16;
      machines.state[(4 + entry) * LANES + guilty] = 1;
    }
    for (let step = 0; step < 64 && machines.broken[guilty] === 0; step++) machines.run(1);
    assert.deepEqual(
      [...machines.broken],
      Array.from({ length: LANES }, (_, lane) => (lane === guilty ? 0xff : 0)),
    );
  });
});

/** Keeps the entry writable where the forced copy must leave a uffd-wp entry read-only. */
class KeepsWrite extends Machine {
  protected override fault(pte: Parameters<Machine['fault']>[0], write: boolean): void {
    const enforced = pte.page !== null && !pte.write && !write;
    super.fault(pte, write);
    if (enforced) pte.write = true;
  }
}

describe('fast-check on the small handler', () => {
  for (const style of ['commands', 'array'] satisfies FastCheckStyle[]) {
    it(`${style}: counts the operations it executes`, () => {
      const ops = runFastCheck(style, { runs: 50, length: 40, seed: 1 });
      assert.ok(ops > 50 && ops <= 50 * 40, `${ops} operations`);
    });

    it(`${style}: finds a machine that keeps the write bit`, () => {
      const options = { runs: 1000, length: 40, seed: 1, machine: KeepsWrite };
      assert.throws(() => runFastCheck(style, options), /Property failed/);
    });
  }
});

describe('the peer table', () => {
  it('times the peers in turn and relates each to the reference', async () => {
    const order: string[] = [];
    const table = await runPeers({
      ops: 200_000,
      samples: 2,
      onSample: ({ id, round }) => order.push(`${round} ${id}`),
    });
    const ids = ['as-walk', 'as-lanes', 'typed', 'objects', 'fast-check-array', 'fast-check-commands'];
    const expected = 'unavailable' in c ? ids : ['c', ...ids];
    assert.deepEqual(
      order,
      [1, 2].flatMap((round) => expected.map((id) => `${round} ${id}`)),
    );
    assert.equal(table.reference, expected[0]);
    assert.deepEqual(table.rows.map(({ id }) => id).sort(), expected.toSorted());
    assert.equal(table.notes.length, 'unavailable' in c ? 1 : 0);
    for (const { id, mops, ratio } of table.rows) {
      assert.ok(mops.min > 0 && mops.min <= mops.median && mops.median <= mops.max, id);
      assert.ok(ratio.min > 0 && ratio.max < Number.POSITIVE_INFINITY, id);
    }
    const reference = table.rows.find(({ id }) => id === table.reference);
    assert.deepEqual(reference?.ratio, { median: 1, min: 1, max: 1 });
    const lines = formatPeers(table).split('\n');
    assert.equal(lines.length, 2 + table.rows.length + table.notes.length);
    assert.equal(
      new Set(lines.slice(0, 1 + table.rows.length).map(({ length }) => length)).size,
      1,
      'columns are aligned',
    );
  });

  it('rejects what is not a positive whole number', async () => {
    await assert.rejects(runPeers({ ops: 0 }), RangeError);
    await assert.rejects(runPeers({ samples: 1.5 }), RangeError);
  });

  it('takes the median of an even and of an odd number of samples', () => {
    assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
    assert.deepEqual(spread([10, 9, 100]), { median: 10, min: 9, max: 100 });
    assert.throws(() => spread([]), RangeError);
  });
});
