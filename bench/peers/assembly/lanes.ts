// Sixteen small handlers at once: machine k lives in byte k of every v128. No branch depends on a lane's op;
// each op computes for all lanes, and masks choose. A mask byte is 0xff or 0.
//
// Maps and pins are not counted but derived: with four entries and two handles, comparing is cheaper.

/** 10 x v128: the flags of the four entries, their frames (0 = zero page), the frame that each mm's handle pins. */
export const STATE: usize = 1024;
/** 4 x v128 of xoshiro128**: four 32-bit streams, sixteen random bytes a step. */
export const RNG: usize = 1280;
/** 3 x v128: lanes that broke an invariant, checksum, last random bytes (op in bits 0-3, entry in bits 4-5). */
export const OUT: usize = 1408;

@inline
function sel(mask: v128, yes: v128, no: v128): v128 {
  return v128.bitselect(yes, no, mask);
}

@inline
function eq(a: v128, b: v128): v128 {
  return i8x16.eq(a, b);
}

@inline
function below(a: v128, n: i8): v128 {
  return i8x16.lt_s(a, i8x16.splat(n));
}

@inline
function hasBit(entry: v128, flag: v128): v128 {
  return i8x16.eq(v128.and(entry, flag), flag);
}

@inline
function or3(a: v128, b: v128, c: v128): v128 {
  return v128.or(v128.or(a, b), c);
}

/** The byte of the entry that the masks name. */
@inline
function pick(m0: v128, a: v128, m1: v128, b: v128, m2: v128, c: v128, m3: v128, d: v128): v128 {
  return v128.or(v128.or(v128.and(a, m0), v128.and(b, m1)), v128.or(v128.and(c, m2), v128.and(d, m3)));
}

/** Minus the number of entries that map `frame`. */
@inline
function minusMaps(frame: v128, a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.add(i8x16.add(eq(a, frame), eq(b, frame)), i8x16.add(eq(c, frame), eq(d, frame)));
}

/** Index of the lowest clear bit: the bits below it are what `used + 1` carries through. */
@inline
function lowestFree(used: v128, one: v128): v128 {
  const low = v128.andnot(i8x16.add(used, one), used);
  return i8x16.popcnt(i8x16.sub(low, one));
}

@inline
function rotl32(x: v128, k: i32): v128 {
  return v128.or(i32x4.shl(x, k), i32x4.shr_u(x, 32 - k));
}

/** Runs so many steps: sixteen operations each. */
export function run(steps: u32): void {
  const zero = i8x16.splat(0);
  const one = i8x16.splat(1);
  const P = i8x16.splat(1);
  const W = i8x16.splat(2);
  const D = i8x16.splat(4);
  const A = i8x16.splat(8);
  const U = i8x16.splat(16);
  const PA = i8x16.splat(1 | 8);
  const PDA = i8x16.splat(1 | 4 | 8);
  const DA = i8x16.splat(4 | 8);
  const UA = i8x16.splat(16 | 8);
  const FRESH = i8x16.splat(1 | 2 | 4 | 8);
  const MINUS_ONE = i8x16.splat(-1);
  const c1 = one;
  const c2 = i8x16.splat(2);
  const c3 = i8x16.splat(3);
  const BITS = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);

  let e0 = v128.load(STATE);
  let e1 = v128.load(STATE, 16);
  let e2 = v128.load(STATE, 32);
  let e3 = v128.load(STATE, 48);
  let f0 = v128.load(STATE, 64);
  let f1 = v128.load(STATE, 80);
  let f2 = v128.load(STATE, 96);
  let f3 = v128.load(STATE, 112);
  let slot0 = v128.load(STATE, 128);
  let slot1 = v128.load(STATE, 144);
  let ra = v128.load(RNG);
  let rb = v128.load(RNG, 16);
  let rc = v128.load(RNG, 32);
  let rd = v128.load(RNG, 48);
  let broken = v128.load(OUT);
  let checksum = v128.load(OUT, 16);
  let random = zero;

  for (; steps; steps--) {
    const x5 = rotl32(i32x4.add(rb, i32x4.shl(rb, 2)), 7);
    random = i32x4.add(x5, i32x4.shl(x5, 3));
    const t = i32x4.shl(rb, 9);
    rc = v128.xor(rc, ra);
    rd = v128.xor(rd, rb);
    rb = v128.xor(rb, rc);
    ra = v128.xor(ra, rd);
    rc = v128.xor(rc, t);
    rd = rotl32(rd, 11);

    // Which op, which entry, which mm (set: the second).
    const op = v128.and(random, i8x16.splat(15));
    const i = v128.and(i8x16.shr_u(random, 4), c3);
    const m0 = eq(i, zero);
    const m1 = eq(i, c1);
    const m2 = eq(i, c2);
    const m3 = eq(i, c3);
    const second = v128.or(m2, m3);
    const isRead = below(op, 4);
    const to9 = below(op, 9);
    const to11 = below(op, 11);
    const to13 = below(op, 13);
    const to15 = below(op, 15);
    const isWrite = v128.andnot(to9, isRead);
    const isGup = v128.andnot(to11, to9);
    const isUffd = v128.andnot(to13, to11);
    const isZap = v128.andnot(to15, to13);
    const isFork = v128.not(to15);

    const e = pick(m0, e0, m1, e1, m2, e2, m3, e3);
    const f = pick(m0, f0, m1, f1, m2, f2, m3, f3);
    const slot = sel(second, slot1, slot0);
    const usedA = or3(i8x16.swizzle(BITS, f0), i8x16.swizzle(BITS, f1), i8x16.swizzle(BITS, f2));
    const usedB = or3(i8x16.swizzle(BITS, f3), i8x16.swizzle(BITS, slot0), i8x16.swizzle(BITS, slot1));
    const free = lowestFree(or3(usedA, usedB, one), one);
    const isP = hasBit(e, P);
    const isU = hasBit(e, U);

    // The fault. The last mask that applies wins: not present, writable, userfaultfd event, reuse, copy.
    const soleMap = eq(minusMaps(f, f0, f1, f2, f3), MINUS_ONE);
    const unpinned = v128.not(v128.or(eq(slot0, f), eq(slot1, f)));
    const reuse = v128.and(v128.and(soleMap, unpinned), i8x16.ne(f, zero));
    const writable = v128.andnot(W, isU);
    const event = v128.and(isU, isWrite);
    const isW = hasBit(e, W);
    let fe = sel(reuse, or3(e, DA, writable), or3(PDA, writable, v128.and(e, U)));
    let ff = sel(reuse, f, free);
    fe = sel(event, e, fe);
    ff = sel(event, f, ff);
    fe = sel(isW, or3(e, A, v128.and(D, isWrite)), fe);
    ff = sel(isW, f, ff);
    fe = sel(isP, fe, FRESH);
    ff = sel(isP, ff, free);

    // One op's result per lane. A gup of an mm that holds a pin only drops it.
    const holds = i8x16.ne(slot, zero);
    const faults = v128.or(isWrite, v128.andnot(isGup, holds));
    let ne = sel(isRead, sel(isP, v128.or(e, A), PA), e);
    let nf = sel(faults, ff, f);
    ne = sel(faults, fe, ne);
    ne = sel(v128.and(isUffd, isP), sel(isU, v128.andnot(e, U), v128.andnot(v128.or(e, U), W)), ne);
    ne = v128.andnot(ne, isZap);
    nf = v128.andnot(nf, isZap);
    const newSlot = sel(isGup, v128.andnot(ff, holds), slot);
    e0 = sel(m0, ne, e0);
    e1 = sel(m1, ne, e1);
    e2 = sel(m2, ne, e2);
    e3 = sel(m3, ne, e3);
    f0 = sel(m0, nf, f0);
    f1 = sel(m1, nf, f1);
    f2 = sel(m2, nf, f2);
    f3 = sel(m3, nf, f3);
    slot1 = sel(second, newSlot, slot1);
    slot0 = sel(second, slot0, newSlot);

    // Fork is the long one, and rare enough (one op in sixteen) that a step without any skips it.
    if (v128.any_true(isFork)) {
      let pa = sel(second, e2, e0);
      let pb = sel(second, e3, e1);
      const ga = sel(second, f2, f0);
      const gb = sel(second, f3, f1);
      const pinned = sel(second, slot1, slot0);
      // The child's frames and pin are given back before the child takes new ones.
      let used = v128.or(or3(i8x16.swizzle(BITS, ga), i8x16.swizzle(BITS, gb), i8x16.swizzle(BITS, pinned)), one);
      const aP = hasBit(pa, P);
      const aCopy = v128.and(v128.and(eq(ga, pinned), i8x16.ne(ga, zero)), aP);
      const aFrame = lowestFree(used, one);
      pa = sel(aCopy, pa, v128.andnot(pa, W));
      const ca = v128.and(sel(aCopy, FRESH, v128.andnot(pa, UA)), aP);
      const cga = v128.and(sel(aCopy, aFrame, ga), aP);
      used = v128.or(used, v128.and(i8x16.swizzle(BITS, aFrame), aCopy));
      const bP = hasBit(pb, P);
      const bCopy = v128.and(v128.and(eq(gb, pinned), i8x16.ne(gb, zero)), bP);
      const bFrame = lowestFree(used, one);
      pb = sel(bCopy, pb, v128.andnot(pb, W));
      const cb = v128.and(sel(bCopy, FRESH, v128.andnot(pb, UA)), bP);
      const cgb = v128.and(sel(bCopy, bFrame, gb), bP);
      const by1 = v128.and(isFork, second);
      const by0 = v128.andnot(isFork, second);
      e0 = sel(by1, ca, sel(by0, pa, e0));
      e1 = sel(by1, cb, sel(by0, pb, e1));
      e2 = sel(by0, ca, sel(by1, pa, e2));
      e3 = sel(by0, cb, sel(by1, pb, e3));
      f0 = sel(by1, cga, f0);
      f1 = sel(by1, cgb, f1);
      f2 = sel(by0, cga, f2);
      f3 = sel(by0, cgb, f3);
      slot0 = v128.andnot(slot0, by1);
      slot1 = v128.andnot(slot1, by0);
    }

    // The touched entry: writable excludes uffd-wp, the zero page and a second map.
    const ce = pick(m0, e0, m1, e1, m2, e2, m3, e3);
    const cf = pick(m0, f0, m1, f1, m2, f2, m3, f3);
    const cm = minusMaps(cf, f0, f1, f2, f3);
    broken = v128.or(broken, v128.and(hasBit(ce, W), or3(hasBit(ce, U), eq(cf, zero), i8x16.ne(cm, MINUS_ONE))));
    const rotated = v128.or(i8x16.shl(checksum, 3), i8x16.shr_u(checksum, 5));
    checksum = i8x16.add(i8x16.add(rotated, ce), i8x16.shl(cm, 5));
  }

  v128.store(STATE, e0);
  v128.store(STATE, e1, 16);
  v128.store(STATE, e2, 32);
  v128.store(STATE, e3, 48);
  v128.store(STATE, f0, 64);
  v128.store(STATE, f1, 80);
  v128.store(STATE, f2, 96);
  v128.store(STATE, f3, 112);
  v128.store(STATE, slot0, 128);
  v128.store(STATE, slot1, 144);
  v128.store(RNG, ra);
  v128.store(RNG, rb, 16);
  v128.store(RNG, rc, 32);
  v128.store(RNG, rd, 48);
  v128.store(OUT, broken);
  v128.store(OUT, checksum, 16);
  v128.store(OUT, random, 32);
}
