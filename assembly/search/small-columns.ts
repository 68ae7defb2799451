// Sixteen states of the small handler as columns: byte k of each v128 belongs to state k. The five columns are the five bytes
// of a state. A frame stays in the high three bits of its byte, where the state has it.
import { FRAMES, MMS } from './small-canon';

@inline
export function eq(a: v128, b: v128): v128 {
  return i8x16.eq(a, b);
}

@inline
export function sel(mask: v128, yes: v128, no: v128): v128 {
  return v128.bitselect(yes, no, mask);
}

@inline
export function or3(a: v128, b: v128, c: v128): v128 {
  return v128.or(v128.or(a, b), c);
}

@inline
export function frameBits(b: v128): v128 {
  return v128.and(b, i8x16.splat(-32));
}

/** The frame that mm 0 pins, of the last column, to where entries have theirs. */
@inline
export function slotA(b4: v128): v128 {
  return i16x8.shl(v128.and(b4, i8x16.splat(7)), 5);
}

@inline
export function slotB(b4: v128): v128 {
  return i16x8.shl(v128.and(b4, i8x16.splat(56)), 2);
}

@inline
export function joinSlots(a: v128, b: v128): v128 {
  return v128.or(i16x8.shr_u(a, 5), i16x8.shr_u(b, 2));
}

@inline
function lo8(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

@inline
function hi8(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

@inline
function lo16(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

@inline
function hi16(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

@inline
function lo32(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
}

@inline
function hi32(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
}

@inline
function lo64(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 0, 2);
}

@inline
function hi64(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 1, 3);
}

/** Bytes of two states, in pairs of one column each. */
@inline
function paired(from: usize): v128 {
  return i8x16.swizzle(v128.load(from), i8x16(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
}

/** Sixteen states, one u64 each, to five columns of sixteen bytes. */
export function toColumns(states: usize, columns: usize): void {
  const a = paired(states);
  const b = paired(states + 16);
  const c = paired(states + 32);
  const d = paired(states + 48);
  const e = paired(states + 64);
  const f = paired(states + 80);
  const g = paired(states + 96);
  const h = paired(states + 112);
  const ab = lo16(a, b);
  const cd = lo16(c, d);
  const ef = lo16(e, f);
  const gh = lo16(g, h);
  const low = lo32(ab, cd);
  const high = lo32(ef, gh);
  v128.store(columns, lo64(low, high));
  v128.store(columns, hi64(low, high), 16);
  const low2 = hi32(ab, cd);
  const high2 = hi32(ef, gh);
  v128.store(columns, lo64(low2, high2), 32);
  v128.store(columns, hi64(low2, high2), 48);
  const low4 = lo32(hi16(a, b), hi16(c, d));
  const high4 = lo32(hi16(e, f), hi16(g, h));
  v128.store(columns, lo64(low4, high4), 64);
}

/** The way back. */
@inline
export function toStates(b0: v128, b1: v128, b2: v128, b3: v128, b4: v128, states: usize): void {
  const zero = i8x16.splat(0);
  let ab = lo8(b0, b1);
  let cd = lo8(b2, b3);
  let slots = lo8(b4, zero);
  let entries = lo16(ab, cd);
  let wide = lo16(slots, zero);
  v128.store(states, lo32(entries, wide));
  v128.store(states, hi32(entries, wide), 16);
  entries = hi16(ab, cd);
  wide = hi16(slots, zero);
  v128.store(states, lo32(entries, wide), 32);
  v128.store(states, hi32(entries, wide), 48);
  ab = hi8(b0, b1);
  cd = hi8(b2, b3);
  slots = hi8(b4, zero);
  entries = lo16(ab, cd);
  wide = lo16(slots, zero);
  v128.store(states, lo32(entries, wide), 64);
  v128.store(states, hi32(entries, wide), 80);
  entries = hi16(ab, cd);
  wide = hi16(slots, zero);
  v128.store(states, lo32(entries, wide), 96);
  v128.store(states, hi32(entries, wide), 112);
}

/** The number that an earlier reference to the same frame got; 0 for a first one. */
@inline
function known(same: v128, name: v128): v128 {
  return v128.and(same, name);
}

/** Lanes whose frame has no name yet. */
@inline
function unnamed(f: v128, name: v128): v128 {
  const zero = i8x16.splat(0);
  return v128.andnot(eq(name, zero), eq(f, zero));
}

@inline
function flags(b: v128): v128 {
  return v128.and(b, i8x16.splat(31));
}

/** Lanes where the state in `at` comes after the one of these columns, as a number: the last byte decides first. */
@inline
function before(at: usize, b0: v128, b1: v128, b2: v128, b3: v128, b4: v128): v128 {
  const c0 = v128.load(at);
  const c1 = v128.load(at, 16);
  const c2 = v128.load(at, 32);
  const c3 = v128.load(at, 48);
  const c4 = v128.load(at, 64);
  let less = i8x16.lt_u(b0, c0);
  less = v128.or(i8x16.lt_u(b1, c1), v128.and(eq(b1, c1), less));
  less = v128.or(i8x16.lt_u(b2, c2), v128.and(eq(b2, c2), less));
  less = v128.or(i8x16.lt_u(b3, c3), v128.and(eq(b3, c3), less));
  return v128.or(i8x16.lt_u(b4, c4), v128.and(eq(b4, c4), less));
}

/** Renumbers frames by first reference; the result goes to `at`, or only where it is less than what is there. */
function renumber(b0: v128, b1: v128, b2: v128, b3: v128, sa: v128, sb: v128, at: usize, first: bool): void {
  const step = i8x16.splat(32);
  const f0 = frameBits(b0);
  const f1 = frameBits(b1);
  const f2 = frameBits(b2);
  const f3 = frameBits(b3);
  const n0 = v128.andnot(step, eq(f0, i8x16.splat(0)));
  let next = n0;
  let n1 = known(eq(f1, f0), n0);
  let fresh = unnamed(f1, n1);
  next = i8x16.add(next, v128.and(fresh, step));
  n1 = v128.or(n1, v128.and(fresh, next));
  let n2 = v128.or(known(eq(f2, f0), n0), known(eq(f2, f1), n1));
  fresh = unnamed(f2, n2);
  next = i8x16.add(next, v128.and(fresh, step));
  n2 = v128.or(n2, v128.and(fresh, next));
  let n3 = or3(known(eq(f3, f0), n0), known(eq(f3, f1), n1), known(eq(f3, f2), n2));
  fresh = unnamed(f3, n3);
  next = i8x16.add(next, v128.and(fresh, step));
  n3 = v128.or(n3, v128.and(fresh, next));
  let na = or3(known(eq(sa, f0), n0), known(eq(sa, f1), n1), v128.or(known(eq(sa, f2), n2), known(eq(sa, f3), n3)));
  fresh = unnamed(sa, na);
  next = i8x16.add(next, v128.and(fresh, step));
  na = v128.or(na, v128.and(fresh, next));
  let nb = or3(known(eq(sb, f0), n0), known(eq(sb, f1), n1), v128.or(known(eq(sb, f2), n2), known(eq(sb, f3), n3)));
  nb = v128.or(nb, known(eq(sb, sa), na));
  fresh = unnamed(sb, nb);
  next = i8x16.add(next, v128.and(fresh, step));
  nb = v128.or(nb, v128.and(fresh, next));

  const c0 = v128.or(flags(b0), n0);
  const c1 = v128.or(flags(b1), n1);
  const c2 = v128.or(flags(b2), n2);
  const c3 = v128.or(flags(b3), n3);
  const c4 = joinSlots(na, nb);
  const take = first ? i8x16.splat(-1) : before(at, c0, c1, c2, c3, c4);
  v128.store(at, sel(take, c0, v128.load(at)));
  v128.store(at, sel(take, c1, v128.load(at, 16)), 16);
  v128.store(at, sel(take, c2, v128.load(at, 32)), 32);
  v128.store(at, sel(take, c3, v128.load(at, 48)), 48);
  v128.store(at, sel(take, c4, v128.load(at, 64)), 64);
}

/** What `canonical` of small-canon.ts does, to sixteen states; the columns of the result go to `at`. */
export function canonicalColumns(b0: v128, b1: v128, b2: v128, b3: v128, b4: v128, symmetry: u32, at: usize): void {
  const sa = slotA(b4);
  const sb = slotB(b4);
  renumber(b0, b1, b2, b3, sa, sb, at, true);
  if (symmetry == FRAMES) return;
  renumber(b2, b3, b0, b1, sb, sa, at, false);
  if (symmetry == MMS) return;
  renumber(b1, b0, b3, b2, sa, sb, at, false);
  renumber(b3, b2, b1, b0, sb, sa, at, false);
}
