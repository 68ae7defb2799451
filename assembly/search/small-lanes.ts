// All ops of the small handler on sixteen states at once, one state per byte lane. No branch depends on a state: each case of an
// op is computed for all lanes and masks choose. A mask byte is 0xff or 0.
import { eq, frameBits, joinSlots, or3, sel, slotA, slotB } from './small-columns';
import { emit } from './small-emit';
import { mutants } from './small-op';
import * as S from './small-state';

const P: i8 = <i8>S.P;
const W: i8 = <i8>S.W;
const D: i8 = <i8>S.D;
const A: i8 = <i8>S.A;
const U: i8 = <i8>S.U;

@inline
function all(b: i8): v128 {
  return i8x16.splat(b);
}

@inline
function has(b: v128, flag: i8): v128 {
  return eq(v128.and(b, all(flag)), all(flag));
}

/** All lanes, if the handler deviates so. */
@inline
function is(mutant: u32): v128 {
  return all(mutants & mutant ? -1 : 0);
}

/** One bit for each lane's frame. */
@inline
function frameSet(f: v128): v128 {
  return i8x16.swizzle(i8x16(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0), v128.and(i16x8.shr_u(f, 5), all(7)));
}

/** The lowest frame not in the set, in the high three bits: what `set + 1` carries to, looked up by halves. */
@inline
function lowestFree(set: v128): v128 {
  const bit = v128.andnot(i8x16.add(set, all(1)), set);
  const low = i8x16.swizzle(i8x16(0, 0, 1 << 5, 0, 2 << 5, 0, 0, 0, 3 << 5, 0, 0, 0, 0, 0, 0, 0), v128.and(bit, all(15)));
  const high = i8x16.swizzle(
    i8x16(0, -128, -96, 0, -64, 0, 0, 0, -32, 0, 0, 0, 0, 0, 0, 0),
    v128.and(i16x8.shr_u(bit, 4), all(15)),
  );
  return v128.or(low, high);
}

/** May the page of frame `f` be made writable in place? `g`, `h`, `k`: the frames of the other entries. */
@inline
function reusable(f: v128, g: v128, h: v128, k: v128, sa: v128, sb: v128, deviant: bool): v128 {
  const zero = eq(f, all(0));
  const atA = eq(sa, f);
  const atB = eq(sb, f);
  let sole = v128.not(or3(eq(f, g), eq(f, h), eq(f, k)));
  let unpinned = v128.not(v128.or(atA, atB));
  if (deviant) {
    const countsPins = is(S.REUSE_COUNTS_PIN_AS_MAP);
    const others = i8x16.add(i8x16.add(eq(f, g), eq(f, h)), eq(f, k));
    sole = v128.or(sel(countsPins, eq(others, i8x16.add(atA, atB)), sole), is(S.REUSE_IGNORES_MAPS));
    unpinned = or3(unpinned, countsPins, is(S.REUSE_IGNORES_PINS));
  }
  const reuse = v128.andnot(v128.and(sole, unpinned), zero);
  return deviant ? v128.or(reuse, v128.and(zero, is(S.REUSE_TAKES_ZERO))) : reuse;
}

@inline
function fault(b: v128, reuse: v128, free: v128, write: bool, deviant: bool): v128 {
  const isU = has(b, U);
  const writable = v128.andnot(all(W), isU);
  let copied = or3(v128.or(all(P | D | A), free), writable, v128.and(b, all(U)));
  if (deviant) {
    copied = v128.or(copied, v128.and(all(W), is(S.COPY_KEEPS_WRITE)));
    copied = v128.andnot(copied, v128.and(all(U), is(S.COPY_DROPS_UFFD)));
  }
  let next = sel(reuse, or3(b, all(D | A), writable), copied);
  if (write) next = sel(deviant ? v128.andnot(isU, is(S.WRITE_IGNORES_UFFD)) : isU, b, next);
  next = sel(has(b, W), v128.or(b, all(write ? A | D : A)), next);
  return sel(has(b, P), next, v128.or(all(<i8>S.FRESH), free));
}

@inline
function uffd(b: v128, holds: v128, deviant: bool): v128 {
  let protect = v128.andnot(v128.or(b, all(U)), all(W));
  let lift = v128.andnot(b, all(U));
  if (deviant) {
    protect = sel(is(S.UFFD_KEEPS_WRITE), v128.or(b, all(U)), protect);
    const mapped = v128.not(eq(frameBits(b), all(0)));
    lift = v128.or(lift, v128.and(v128.and(all(W), holds), v128.and(mapped, is(S.UNWP_RESTORES_WRITE))));
  }
  return sel(has(b, P), sel(has(b, U), lift, protect), b);
}

/** Sends what comes of the block once entry `i` is `next`. */
@inline
function emitEntry(op: u32, i: u32, next: v128, b0: v128, b1: v128, b2: v128, b3: v128, b4: v128): void {
  emit(op, i == 0 ? next : b0, i == 1 ? next : b1, i == 2 ? next : b2, i == 3 ? next : b3, b4);
}

/** The five ops on entry `i`. */
@inline
function onEntry(i: u32, b0: v128, b1: v128, b2: v128, b3: v128, b4: v128, free: v128, deviant: bool): void {
  const b = i == 0 ? b0 : i == 1 ? b1 : i == 2 ? b2 : b3;
  const sa = slotA(b4);
  const sb = slotB(b4);
  const holds = v128.not(eq(i < 2 ? sa : sb, all(0)));
  const g = frameBits(i == 0 ? b1 : b0);
  const h = frameBits(i < 2 ? b2 : b1);
  const k = frameBits(i == 3 ? b2 : b3);
  const reuse = reusable(frameBits(b), g, h, k, sa, sb, deviant);
  emitEntry(i * 5, i, sel(has(b, P), v128.or(b, all(A)), all(P | A)), b0, b1, b2, b3, b4);
  emitEntry(i * 5 + 1, i, fault(b, reuse, free, true, deviant), b0, b1, b2, b3, b4);
  // A gup of an mm that holds a pin only drops it.
  const gup = sel(holds, b, fault(b, reuse, free, false, deviant));
  const pin = v128.andnot(frameBits(gup), holds);
  emitEntry(i * 5 + 2, i, gup, b0, b1, b2, b3, i < 2 ? joinSlots(pin, sb) : joinSlots(sa, pin));
  emitEntry(i * 5 + 3, i, uffd(b, holds, deviant), b0, b1, b2, b3, b4);
  emitEntry(i * 5 + 4, i, all(0), b0, b1, b2, b3, b4);
}

@inline
function forkCopies(b: v128, pinned: v128, deviant: bool): v128 {
  const f = frameBits(b);
  const copies = v128.andnot(eq(f, pinned), eq(f, all(0)));
  return deviant ? v128.andnot(copies, is(S.FORK_SHARES_PINNED)) : copies;
}

@inline
function forkParent(b: v128, copies: v128, deviant: bool): v128 {
  const drop = v128.andnot(all(W), copies);
  return v128.andnot(b, deviant ? v128.andnot(drop, is(S.FORK_KEEPS_WRITE)) : drop);
}

@inline
function forkChild(b: v128, copies: v128, free: v128, deviant: bool): v128 {
  let copied = v128.or(all(<i8>S.FRESH), free);
  let shared = v128.andnot(b, all(W | A | U));
  if (deviant) {
    copied = v128.or(copied, v128.and(v128.and(b, all(U)), is(S.FORK_COPY_KEEPS_UFFD)));
    shared = v128.or(shared, v128.and(v128.and(b, all(U)), is(S.FORK_KEEPS_UFFD)));
  }
  return v128.and(sel(copies, copied, shared), has(b, P));
}

/** Entries `a` and `b` of the parent, which pins `pinned`. The child gives up all it has before it takes new frames. */
@inline
function fork(op: u32, a: v128, b: v128, pinned: v128, deviant: bool): void {
  const copiesA = forkCopies(a, pinned, deviant);
  const copiesB = forkCopies(b, pinned, deviant);
  const used = v128.or(or3(frameSet(frameBits(a)), frameSet(frameBits(b)), frameSet(pinned)), all(1));
  const childA = forkChild(a, copiesA, lowestFree(used), deviant);
  const childB = forkChild(b, copiesB, lowestFree(v128.or(used, frameSet(frameBits(childA)))), deviant);
  const parentA = forkParent(a, copiesA, deviant);
  const parentB = forkParent(b, copiesB, deviant);
  if (op == S.FORK) emit(op, parentA, parentB, childA, childB, joinSlots(pinned, all(0)));
  else emit(op, childA, childB, parentA, parentB, joinSlots(all(0), pinned));
}

@inline
function expandBlock(columns: usize, deviant: bool): void {
  const b0 = v128.load(columns);
  const b1 = v128.load(columns, 16);
  const b2 = v128.load(columns, 32);
  const b3 = v128.load(columns, 48);
  const b4 = v128.load(columns, 64);
  const entries = v128.or(
    v128.or(frameSet(frameBits(b0)), frameSet(frameBits(b1))),
    v128.or(frameSet(frameBits(b2)), frameSet(frameBits(b3))),
  );
  const free = lowestFree(v128.or(or3(entries, frameSet(slotA(b4)), frameSet(slotB(b4))), all(1)));
  onEntry(0, b0, b1, b2, b3, b4, free, deviant);
  onEntry(1, b0, b1, b2, b3, b4, free, deviant);
  onEntry(2, b0, b1, b2, b3, b4, free, deviant);
  onEntry(3, b0, b1, b2, b3, b4, free, deviant);
  fork(S.FORK, b0, b1, slotA(b4), deviant);
  fork(S.FORK + 1, b2, b3, slotB(b4), deviant);
}

/** Emits all successors of the sixteen states whose columns are in memory: of the right handler, without a thought of others. */
export function expandRight(columns: usize): void {
  expandBlock(columns, false);
}

/** The same of the handler that `mutants` makes. */
export function expandDeviant(columns: usize): void {
  expandBlock(columns, true);
}
