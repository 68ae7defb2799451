import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadSmall, SMALL_MUTANTS, SmallSubject } from '../src/explore/small.js';
import type { Symmetry } from '../src/explore/types.js';

// Symmetry is sound if renaming before an op and after it comes to the same, and exact if two states have one canonical form
// only when a renaming leads from one to the other.

const SYMMETRIES: Symmetry[] = ['none', 'frames', 'mms', 'full'];
const OPS = 22;
const ALL_MUTANTS = (1 << SMALL_MUTANTS.length) - 1;

interface Renaming {
  readonly mms: boolean;
  readonly pages: boolean;
  /** New number of each frame; the zero page keeps 0. */
  readonly frames: readonly number[];
}

/** Entries as [flags, frame], then what the handles pin. */
interface Parts {
  readonly entries: readonly (readonly [number, number])[];
  readonly slots: readonly number[];
}

function parts(state: bigint): Parts {
  const bitsAt = (shift: number, mask: number) => Number(state >> BigInt(shift)) & mask;
  return {
    entries: [0, 8, 16, 24].map((shift) => [bitsAt(shift, 31), bitsAt(shift + 5, 7)] as const),
    slots: [bitsAt(32, 7), bitsAt(35, 7)],
  };
}

function packed({ entries, slots }: Parts): bigint {
  let state = 0n;
  for (const [i, [flags, frame]] of entries.entries()) state |= BigInt(flags | (frame << 5)) << BigInt(8 * i);
  for (const [mm, frame] of slots.entries()) state |= BigInt(frame) << BigInt(32 + 3 * mm);
  return state;
}

/** Written anew, so that it shares no error with the module. */
function renamed(state: bigint, { mms, pages, frames }: Renaming): bigint {
  const { entries, slots } = parts(state);
  const from = [0, 1, 2, 3].map((i) => i ^ (mms ? 2 : 0) ^ (pages ? 1 : 0));
  return packed({
    entries: from.map((i) => [entries[i]![0], frames[entries[i]![1]]!]),
    slots: (mms ? [1, 0] : [0, 1]).map((mm) => frames[slots[mm]!]!),
  });
}

function renamedOp(op: number, { mms, pages }: Renaming): number {
  if (op >= 20) return mms ? 41 - op : op;
  const entry = Math.floor(op / 5) ^ (mms ? 2 : 0) ^ (pages ? 1 : 0);
  return entry * 5 + (op % 5);
}

const IDENTITY = [0, 1, 2, 3, 4, 5, 6, 7];
const renaming = (symmetry: Symmetry): fc.Arbitrary<Renaming> =>
  fc.record({
    mms: symmetry === 'mms' || symmetry === 'full' ? fc.boolean() : fc.constant(false),
    pages: symmetry === 'full' ? fc.boolean() : fc.constant(false),
    frames:
      symmetry === 'none'
        ? fc.constant(IDENTITY)
        : fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7], { minLength: 7 }).map((order) => [0, ...order]),
  });

const frame = fc.integer({ min: 0, max: 7 });
/** Sound or not, reachable or not: few enough frames that a fault finds one. */
const anyState = fc
  .record({
    entries: fc.array(
      fc.oneof(
        fc.constant([0, 0] as const),
        fc.tuple(
          fc.integer({ min: 0, max: 15 }).map((bits) => bits * 2 + 1),
          frame,
        ),
      ),
      { minLength: 4, maxLength: 4 },
    ),
    slots: fc.array(frame, { minLength: 2, maxLength: 2 }),
  })
  .map(packed);
const walk = fc.array(fc.integer({ min: 0, max: OPS - 1 }), { maxLength: 60 });

describe('the canonical form of the small handler', () => {
  for (const [id, symmetry] of SYMMETRIES.entries()) {
    const wasm = loadSmall('none', 0);

    it(`${symmetry}: does not change under its renamings, and is one of them`, () => {
      fc.assert(
        fc.property(anyState, renaming(symmetry), (state, by) => {
          const form = wasm.canonical(state, id);
          assert.equal(wasm.canonical(renamed(state, by), id), form);
          assert.equal(wasm.canonical(form, id), form);
          const signatures = orbit(state, symmetry);
          assert.ok(
            signatures.has(signature(form, symmetry)),
            `${form.toString(16)} is no renaming of ${state.toString(16)}`,
          );
        }),
        { numRuns: 5000 },
      );
    });

    it(`${symmetry}: differs between states that no renaming joins`, () => {
      fc.assert(
        fc.property(anyState, anyState, fc.boolean(), (a, other, near) => {
          const b = near ? a ^ (other & (1n << (other % 38n))) : other;
          const joined = orbit(a, symmetry).has(signature(b, symmetry));
          assert.equal(wasm.canonical(a, id) === wasm.canonical(b, id), joined);
        }),
        { numRuns: 5000 },
      );
    });
  }

  it('commutes with every op of every handler, and with the promises', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyState, fc.constant(undefined)),
        walk,
        renaming('full'),
        fc.oneof(fc.constant(0), fc.integer({ min: 1, max: ALL_MUTANTS })),
        (start, ops, by, mutants) => {
          const wasm = loadSmall('none', mutants);
          let state = start ?? 0n;
          let image = renamed(state, by);
          for (const op of ops) {
            state = wasm.apply(state, op);
            // Frames are taken by number, so the images agree up to the names of frames.
            image = wasm.apply(image, renamedOp(op, by));
            assert.equal(wasm.canonical(image, 3), wasm.canonical(state, 3), `op ${op}`);
            assert.equal(wasm.renumbered(image), wasm.renumbered(renamed(state, by)), `op ${op}`);
            assert.equal(wasm.broken(image), wasm.broken(state), `op ${op}`);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});

/** The state without names of frames: which references are equal. */
function signature(state: bigint, symmetry: Symmetry): string {
  if (symmetry === 'none') return state.toString();
  const { entries, slots } = parts(state);
  const names = new Map([[0, 0]]);
  const name = (at: number) => {
    if (!names.has(at)) names.set(at, names.size);
    return names.get(at)!;
  };
  return JSON.stringify([entries.map(([flags, at]) => [flags, name(at)]), slots.map(name)]);
}

function orbit(state: bigint, symmetry: Symmetry): Set<string> {
  const found = new Set<string>();
  for (const mms of symmetry === 'mms' || symmetry === 'full' ? [false, true] : [false])
    for (const pages of symmetry === 'full' ? [false, true] : [false])
      found.add(signature(renamed(state, { mms, pages, frames: IDENTITY }), symmetry));
  return found;
}

describe('the lanes of the small handler', () => {
  it('give the successors that one state at a time gives, of right handlers and wrong ones', () => {
    fc.assert(
      fc.property(
        fc.array(anyState, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(...SYMMETRIES),
        fc.oneof(fc.constant(0), fc.integer({ min: 1, max: ALL_MUTANTS })),
        (states, symmetry, mutants) => {
          const [byLanes, plain] = [true, false].map((lanes) => {
            const subject = new SmallSubject({ kind: 'small', symmetry, mutants, lanes });
            subject.oneByOne();
            const forms = BigUint64Array.from(states, (state) =>
              loadSmall('none', 0).canonical(state, SYMMETRIES.indexOf(symmetry)),
            );
            const sent = [...subject.expand(new Uint8Array(forms.buffer), forms.length, 0)];
            const collected = subject.collect(new Uint8Array(sent.length).fill(1));
            const next = new BigUint64Array(collected.slice().buffer);
            return { sent: sent.toSorted(ascending), next: [...next].sort(ascending) };
          });
          assert.deepEqual(byLanes, plain);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('give back each state from its fingerprint, and no fingerprint is 0', () => {
    const wasm = loadSmall('none', 0);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 38n) - 1n }), (state) => {
        const print = BigInt.asUintN(64, wasm.fingerprint(state));
        assert.notEqual(print, 0n);
        assert.equal(wasm.stateOf(print), state);
      }),
    );
  });
});

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
