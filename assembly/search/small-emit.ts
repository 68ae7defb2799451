// Where successors go: to the candidates, unless nobody needs to ask for them.
import { canonicalColumns, eq, frameBits, or3, toStates } from './small-columns';
import { BROKEN, CANDIDATES, COLUMNS, ENTRIES, FORMS, NEXT, RECENT, RECENT_LOG } from './small-layout';
import { apply } from './small-op';
import { broken, fingerprint, U, W } from './small-state';

let symmetry: u32 = 0;
let filtered: bool = true;
let candidates: usize = CANDIDATES;
let brokenCount: u32 = 0;
/** Of the block under way: its first state, and the lanes that hold one. */
let block: usize = ENTRIES;
let lanes: u32 = 0;

export function setSymmetry(id: u32): void {
  symmetry = id;
  filtered = true;
  memory.fill(RECENT, 0, <usize>8 << RECENT_LOG);
}

/** From now on duplicates are sent like the rest. */
export function sendDuplicates(): void {
  filtered = false;
}

export function beginEmit(): void {
  candidates = CANDIDATES;
  brokenCount = 0;
}

export function beginBlock(states: usize, count: u32): void {
  block = states;
  lanes = (1 << count) - 1;
}

/** Candidates since `beginEmit`. */
export function emitted(): u32 {
  return <u32>((candidates - CANDIDATES) >> 3);
}

export function brokenSteps(): u32 {
  return brokenCount;
}

export function noteBroken(state: u64, mask: u32): void {
  store<u64>(BROKEN + (<usize>brokenCount << 3), state | (<u64>mask << 48));
  brokenCount++;
}

/** A fingerprint sent lately is in the visited set by now, or on its way there: it need not go again. */
@inline
export function send(print: u64): void {
  store<u64>(candidates, print);
  const at = RECENT + (<usize>(print >> <u64>(64 - RECENT_LOG)) << 3);
  const known = <usize>(load<u64>(at) == print) & <usize>filtered;
  store<u64>(at, print);
  candidates += (known ^ 1) << 3;
}

/** Lanes where entry `b` is writable and should not be; `f`, `g`, `h`: equal frames elsewhere. */
@inline
function wrong(b: v128, f: v128, g: v128, h: v128): v128 {
  const uffd = eq(v128.and(b, i8x16.splat(<i8>U)), i8x16.splat(<i8>U));
  const bad = v128.or(or3(f, g, h), v128.or(uffd, eq(frameBits(b), i8x16.splat(0))));
  return v128.and(bad, eq(v128.and(b, i8x16.splat(<i8>W)), i8x16.splat(<i8>W)));
}

/** Sixteen successors by one op: all but those equal to what they come from, to the initial state, and those that are wrong. */
export function emit(op: u32, b0: v128, b1: v128, b2: v128, b3: v128, b4: v128): void {
  const f0 = frameBits(b0);
  const f1 = frameBits(b1);
  const f2 = frameBits(b2);
  const f3 = frameBits(b3);
  const m01 = eq(f0, f1);
  const m02 = eq(f0, f2);
  const m03 = eq(f0, f3);
  const m12 = eq(f1, f2);
  const m13 = eq(f1, f3);
  const m23 = eq(f2, f3);
  const bad = v128.or(
    v128.or(wrong(b0, m01, m02, m03), wrong(b1, m01, m12, m13)),
    v128.or(wrong(b2, m02, m12, m23), wrong(b3, m03, m13, m23)),
  );
  if (v128.any_true(bad)) noteLanes(op, i8x16.bitmask(bad) & lanes);
  if (symmetry) {
    canonicalColumns(b0, b1, b2, b3, b4, symmetry, FORMS);
    b0 = v128.load(FORMS);
    b1 = v128.load(FORMS, 16);
    b2 = v128.load(FORMS, 32);
    b3 = v128.load(FORMS, 48);
    b4 = v128.load(FORMS, 64);
  }
  const root = eq(v128.or(v128.or(b0, b1), or3(b2, b3, b4)), i8x16.splat(0));
  const moved = v128.or(
    or3(v128.xor(b0, v128.load(COLUMNS)), v128.xor(b1, v128.load(COLUMNS, 16)), v128.xor(b2, v128.load(COLUMNS, 32))),
    v128.or(v128.xor(b3, v128.load(COLUMNS, 48)), v128.xor(b4, v128.load(COLUMNS, 64))),
  );
  const dropped = or3(bad, root, eq(moved, i8x16.splat(0)));
  let kept = lanes & ~i8x16.bitmask(dropped);
  if (!kept) return;
  toStates(b0, b1, b2, b3, b4, NEXT);
  do {
    send(fingerprint(load<u64>(NEXT + (<usize>ctz(kept) << 3))));
    kept &= kept - 1;
  } while (kept);
}

/** Rare enough that the plain form may say which promises broke. */
function noteLanes(op: u32, bad: u32): void {
  for (; bad; bad &= bad - 1) {
    const state = load<u64>(block + (<usize>ctz(bad) << 3));
    noteBroken(state, broken(apply(state, op)));
  }
}
