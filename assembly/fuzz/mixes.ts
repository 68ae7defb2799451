// Swarm testing: a program is drawn from one of NR_MIXES mixes, each a random subset of the ops with weights, flavours
// and argument habits of its own. What two ops do together shows up sooner where the other twenty stay away.
// A shard draws its mixes once, so that drawing an op is a handful of loads.
//
// Mix, MIX_SIZE bytes: CONTEXTS tables of 64 op codes; flags, 4 x u16 per op; 16 x u16 GUP flags; u64 nibble masks
// (which of the 16 draws of a page argument take the second hot page; of a range argument the PMD; everything);
// u16 draws that run on thread 2; u32 draws that start a concurrent pair; u8 habits.
import {
  F_COPY_WP, F_GUP_BREAK_COW, F_GUP_DONT_COW, F_GUP_FAST, F_GUP_FAST_ONLY, F_GUP_FORCE, F_GUP_LONGTERM, F_GUP_PIN, F_GUP_WRITE,
  F_MMAP_DAX, F_MMAP_THP, F_MPROTECT_RW, F_PAGEOUT_MADV, F_POPULATE_WRITE, F_SCAN_FULL, F_SCAN_WP, F_UFFD_BOTH,
  F_UFFD_EVENT_FORK, F_WRITE_SAME,
  F_UFFD_EVENT_REMAP, F_UFFD_EVENT_REMOVE, F_UFFD_EVENT_UNMAP, F_UFFD_MISSING, F_UFFD_WP_ASYNC, F_UFFD_WP_UNPOPULATED, Op,
} from '../ops/table';
import { MIX_SIZE, MIXES, NR_MIXES } from './area';
import { BESIDE_SOFT_DIRTY, companions, CORE_OPS, draw_families, Family } from './families';
import { Focus, focus_groups, focused } from './focus';
import { below, draw, seed_stream } from './rng';

/** Context = 1 if a handle is in use, + 2 if a uffd is open, + 2 more if a thread sleeps; + 6 after an access. */
const CONTEXTS: u32 = 12;
export const AFTER_ACCESS: u32 = 6;
export const MIX_FLAGS: usize = 768;
/** Ops whose flags there is room for. */
const MIX_OPS: usize = 48;
export const MIX_GUP: usize = MIX_FLAGS + (MIX_OPS << 3);
export const MIX_SECOND: usize = MIX_GUP + 32;
export const MIX_PMD: usize = MIX_SECOND + 8;
export const MIX_ALL: usize = MIX_PMD + 8;
export const MIX_THREAD2: usize = MIX_ALL + 8;
export const MIX_PAIRS: usize = MIX_THREAD2 + 4;
export const MIX_HABITS: usize = MIX_PAIRS + 4;
/** What the mix knows beside the core, and of the core because of it. */
const MIX_FAMILIES: usize = MIX_HABITS + 1;
const MIX_BESIDE: usize = MIX_HABITS + 2;
/** Weights of the ops, the tables' origin. */
const MIX_WEIGHTS: usize = MIX_HABITS + 8;
/** Habits: the first mapping is THP-enabled, is DAX; programs may be long; they use all pages, until memory is short. */
export const HABIT_THP: u32 = 1;
export const HABIT_DAX: u32 = 2;
export const HABIT_LONG: u32 = 4;
export const HABIT_WIDE: u32 = 8;

/** Usual weight of an op, and in how many of 16 mixes it is enabled (where its group is). */
function usual(op: u32): u32 {
  switch (op) {
    case Op.WRITE: return 6;
    case Op.READ: case Op.GUP: case Op.WP: return 4;
    case Op.FORK: case Op.PAGEOUT: case Op.UFFD_REG: case Op.HREAD: case Op.HWRITE: return 3;
    case Op.MPROTECT: case Op.UNWP: return 2;
  }
  return 1;
}
function presence(op: u32): u32 {
  switch (op) {
    case Op.WRITE: return 16;
    case Op.READ: return 14;
    case Op.GUP: case Op.WP: case Op.UFFD_REG: case Op.FORK: case Op.PAGEOUT: return 15;
    case Op.HREAD: case Op.HWRITE: return 12;
    case Op.EXIT: case Op.MUNMAP: case Op.DONTNEED: case Op.SWAPOFF: case Op.MPROTECT: case Op.UNWP: return 8;
    case Op.PUT: case Op.CLEAR_REFS: case Op.UFFD_UNREG: case Op.UFFD_CLOSE: case Op.WAKE: return 6;
  }
  return 4;
}
/** Groups are left out as a whole: 1 fork, 2 uffd, 3 GUP, 4 swap, 5 what needs a THP. */
function group(op: u32): u32 {
  if (op == Op.FORK || op == Op.EXIT) return 1;
  if (op >= Op.UFFD_REG && op <= Op.WAKE) return 2;
  if (op >= Op.GUP && op <= Op.PUT) return 3;
  if (op == Op.PAGEOUT || op == Op.SWAPOFF) return 4;
  return op == Op.THP_SPLIT ? 5 : 0;
}
/** Does an op come with groups that families want? Sharers that leave and huge pages in pieces are what most of it is about. */
function brought(op: u32, beside: u32): bool {
  if (op == Op.EXIT) return ((beside >> 1) & 1) != 0;
  if (op == Op.THP_SPLIT) return ((beside >> 5) & 1) != 0 && !focused(Focus.SMALL);
  return op == Op.CLEAR_REFS && (beside & BESIDE_SOFT_DIRTY) != 0;
}
/** How much likelier an op is in a context: an access right after an access seldom faults. */
function fitting(op: u32, context: u32): u32 {
  const access = op == Op.READ || op == Op.WRITE;
  return context >= AFTER_ACCESS ? suiting(op, context - AFTER_ACCESS) * (access ? 1 : 2) : suiting(op, context) * 2;
}
function suiting(op: u32, context: u32): u32 {
  const handles = (context & 1) != 0;
  const uffd = context >> 1;
  switch (op) {
    case Op.HREAD: case Op.HWRITE: case Op.PUT: return handles ? 1 : 0;
    case Op.GUP: return handles ? 1 : 2;
    case Op.UFFD_REG: return uffd == 0 ? 2 : 1;
    case Op.WP: return uffd == 0 ? 0 : 2;
    case Op.UNWP: return uffd == 0 ? 0 : uffd == 2 ? 3 : 1;
    case Op.WAKE: return uffd == 2 ? 3 : 0;
    case Op.UFFD_MOVE: return uffd == 0 ? 0 : 2;
    case Op.MREMAP: return uffd == 0 ? 1 : 2;
    case Op.UFFD_UNREG: case Op.UFFD_CLOSE: return uffd == 0 ? 0 : uffd;
    case Op.PAGEMAP_SCAN: return uffd == 0 ? 1 : 3;
    case Op.UFFD_COPY: case Op.UFFD_ZEROPAGE: return uffd == 0 ? 0 : uffd == 2 ? 4 : 1;
  }
  return 1;
}

function gup_flavour(n: u32): u32 {
  switch (n) {
    case 0: return 0;
    case 1: return F_GUP_WRITE;
    case 2: return F_GUP_PIN;
    case 3: return F_GUP_PIN | F_GUP_WRITE;
    case 4: return F_GUP_PIN | F_GUP_LONGTERM;
    case 5: return F_GUP_WRITE | F_GUP_FORCE;
    case 6: return F_GUP_FAST;
    case 7: return F_GUP_PIN | F_GUP_FAST;
    case 8: return F_GUP_PIN | F_GUP_LONGTERM | F_GUP_WRITE;
    case 9: return F_GUP_WRITE | F_GUP_FAST;
    case 10: return F_GUP_PIN | F_GUP_WRITE | F_GUP_FAST;
    case 11: return F_GUP_FAST_ONLY;
    case 12: return F_GUP_PIN | F_GUP_FAST_ONLY;
    case 13: return F_GUP_PIN | F_GUP_WRITE | F_GUP_FORCE;
    case 14: return F_GUP_FORCE;
    case 15: return F_GUP_BREAK_COW;
    case 16: return F_GUP_DONT_COW;
    case 17: return F_GUP_PIN | F_GUP_BREAK_COW;
    case 18: return F_GUP_PIN | F_GUP_LONGTERM | F_GUP_FAST;
  }
  return F_GUP_WRITE | F_GUP_FAST_ONLY;
}
const GUP_COMMON: u32 = 8;
const GUP_FLAVOURS: u32 = 20;

/** 16 nibbles, each 0xf with a chance of `share` in 16. */
function nibbles(share: u32): u64 {
  const r = draw();
  let mask: u64 = 0;
  for (let i: u64 = 0; i < 16; i++) if (((r >> (i << 2)) & 15) < share) mask |= 0xf << (i << 2);
  return mask;
}

function fill_context(to: usize, context: u32, weights: usize): void {
  let total: u32 = 0;
  for (let op: u32 = 0; op < Op.COUNT; op++) total += (load<u8>(weights + (op as usize)) as u32) * fitting(op, context);
  let op: u32 = 0;
  let sum = (load<u8>(weights) as u32) * fitting(0, context);
  for (let i: u32 = 0; i < 64; i++) {
    const point = (i * 2 + 1) * total;
    while (sum * 128 <= point && op < Op.COUNT - 1) {
      op++;
      sum += (load<u8>(weights + (op as usize)) as u32) * fitting(op, context);
    }
    store<u8>(to + (context << 6) + i, op);
  }
}

// @ts-ignore: decorator
@inline function set_flags(mix: usize, op: u32, a: u32, b: u32, c: u32, d: u32): void {
  store<u64>(mix + (op << 3), (a as u64) | ((b as u64) << 16) | ((c as u64) << 32) | ((d as u64) << 48), MIX_FLAGS);
}

/** The core of a mix; `beside`: groups that its families want, whatever is drawn. */
function make_mix(mix: usize, weights: usize, beside: u32): void {
  const r = draw();
  // Left out: fork 1/4, uffd 3/8, GUP 1/4, swap 1/2.
  let groups: u32 = 1;
  if (r & 3) groups |= 1 << 1;
  if (((r >> 2) & 7) >= 3) groups |= 1 << 2;
  if ((r >> 5) & 3) groups |= 1 << 3;
  if ((r >> 7) & 1) groups |= 1 << 4;
  groups |= beside;
  const thp = focused(Focus.HUGE) || ((((r >> 8) & 7) < 3 || (beside >> 5) & 1) && !focused(Focus.SMALL));
  groups = thp ? groups | (1 << 5) : groups & ~(1 << 5);
  groups |= focus_groups();
  for (let op: u32 = 0; op < CORE_OPS; op++) {
    const s = draw();
    const enabled = brought(op, beside) || (((groups >> group(op)) & 1) != 0 && (s & 15) < (presence(op) as u64));
    store<u8>(weights + (op as usize), enabled ? usual(op) * (1 + (((s >> 4) & 3) as u32)) : 0);
  }
  const dax = ((r >> 11) & 31) == 0;
  const huge: u32 = thp ? F_MMAP_THP : 0;
  set_flags(mix, Op.MMAP, huge, huge, 0, dax ? F_MMAP_DAX : huge);
  const madv: u32 = ((r >> 40) & 7) < 3 ? F_PAGEOUT_MADV : 0;
  set_flags(mix, Op.PAGEOUT, madv, 0, madv, (r >> 43) & 1 ? madv : 0);
  set_flags(mix, Op.POPULATE, F_POPULATE_WRITE, 0, F_POPULATE_WRITE, 0);
  set_flags(mix, Op.MPROTECT, 0, F_MPROTECT_RW, 0, F_MPROTECT_RW);
  const features = (((r >> 16) & 1) ? F_UFFD_EVENT_FORK : 0) | (((r >> 17) & 3) == 0 ? F_UFFD_WP_UNPOPULATED : 0);
  set_flags(mix, Op.UFFD_REG, features, features, features, features & F_UFFD_EVENT_FORK);

  const first = draw();
  for (let i: u32 = 0; i < 16; i++) {
    const pick = first >> (((i & 3) as u64) << 4);
    const n = below((pick & 0xfff) << 20, pick & 0xf000 ? GUP_COMMON : GUP_FLAVOURS);
    store<u16>(mix + ((i as usize) << 1), gup_flavour(n), MIX_GUP);
  }

  store<u64>(mix, (r >> 20) & 1 ? nibbles(6) : 0, MIX_SECOND);
  // Most ops on ranges take the same one, so that what one of them registers the next can protect.
  const usually = ((r >> 32) & 7) as u32;
  const pmds = thp ? usually < 6 : usually < 2;
  const all = !pmds && usually == 7 ? nibbles(12) : nibbles(1);
  store<u64>(mix, all, MIX_ALL);
  store<u64>(mix, nibbles(pmds ? 12 : 2) & ~all, MIX_PMD);
  const s = draw();
  const thread2 = (s & 3) < 2 ? 0 : (s >> 2) & 1 ? (s >> 16) & (s >> 32) : s >> 16;
  store<u16>(mix, thread2 as u32, MIX_THREAD2);
  const paired = focused(Focus.THREADS) || ((s >> 3) & 7) == 0;
  store<u32>(mix, paired ? ((s >> 40) & (s >> 8)) as u32 : 0, MIX_PAIRS);
  const wide = focused(Focus.WIDE) || ((r >> 36) & 15) == 0 ? HABIT_WIDE | HABIT_LONG : 0;
  store<u8>(mix, (thp ? HABIT_THP : 0) | (dax ? HABIT_DAX : 0) | ((s >> 6) & 3 ? 0 : HABIT_LONG) | wide, MIX_HABITS);
}

/** The uffds of this mix are created with more features. */
function add_uffd_features(mix: usize, features: u64): void {
  const flags = mix + (Op.UFFD_REG << 3);
  store<u64>(flags, load<u64>(flags, MIX_FLAGS) | (features * 0x0001000100010001), MIX_FLAGS);
}
/** What fills or scans a uffd's pages needs registered ones, in modes of their own. */
function register_otherwise(mix: usize, weights: usize): void {
  const r = draw();
  if (load<u8>(weights + Op.UFFD_REG) == 0) store<u8>(weights + Op.UFFD_REG, 3);
  // The first registration decides about the features, so all say the same.
  let features: u32 = load<u16>(mix + (Op.UFFD_REG << 3), MIX_FLAGS);
  if ((r & 3) < 2) features |= F_UFFD_WP_ASYNC;
  if (((r >> 2) & 7) == 0) features |= F_UFFD_EVENT_REMOVE | F_UFFD_EVENT_UNMAP;
  const a = register_mode(r >> 8) | features;
  const b = register_mode(r >> 16) | features;
  set_flags(mix, Op.UFFD_REG, a, a, b, register_mode(r >> 24) | features);
  set_flags(mix, Op.PAGEMAP_SCAN, F_SCAN_WP, F_SCAN_WP, (r >> 6) & 1 ? F_SCAN_FULL : 0, (r >> 7) & 1 ? F_SCAN_WP | F_SCAN_FULL : 0);
  set_flags(mix, Op.UFFD_COPY, 0, F_COPY_WP, (r >> 5) & 1 ? F_COPY_WP : 0, 0);
}
/** What UFFDIO_MOVE takes from memory of one mode goes to memory of the other, too. */
function register_for_moves(mix: usize, weights: usize): void {
  if (load<u8>(weights + Op.UFFD_REG) == 0) store<u8>(weights + Op.UFFD_REG, 3);
  const wp: u32 = load<u16>(mix + (Op.UFFD_REG << 3), MIX_FLAGS);
  set_flags(mix, Op.UFFD_REG, wp, wp, wp | F_UFFD_MISSING, wp);
}
function register_mode(r: u64): u32 {
  const n = (r & 7) as u32;
  return n < 3 ? 0 : n < 6 ? F_UFFD_MISSING : F_UFFD_BOTH;
}

/** Families that a mix knows, bit = family. */
export function mix_families(i: u32): u32 {
  return load<u8>(MIXES + (i as usize) * MIX_SIZE, MIX_FAMILIES);
}
/** Draws all mixes of a shard: a pure function of its key. */
export function make_mixes(key: u64): void {
  // Streams of their own: the core of a mix is the same with and without families that want nothing of it.
  memory.fill(MIXES, 0, (NR_MIXES as usize) * MIX_SIZE);
  seed_stream(~key, 1);
  for (let i: u32 = 0; i < NR_MIXES; i++) {
    const mix = MIXES + (i as usize) * MIX_SIZE;
    const known = draw_families(mix + MIX_WEIGHTS);
    store<u8>(mix, known, MIX_FAMILIES);
    store<u8>(mix, companions(known), MIX_BESIDE);
  }
  seed_stream(~key, 0);
  for (let i: u32 = 0; i < NR_MIXES; i++) {
    const mix = MIXES + (i as usize) * MIX_SIZE;
    make_mix(mix, mix + MIX_WEIGHTS, load<u8>(mix, MIX_BESIDE));
  }
  seed_stream(~key, 2);
  for (let i: u32 = 0; i < NR_MIXES; i++) {
    const mix = MIXES + (i as usize) * MIX_SIZE;
    if ((load<u8>(mix, MIX_FAMILIES) >> Family.FILLING) & 1) register_otherwise(mix, mix + MIX_WEIGHTS);
    else if (load<u8>(mix + MIX_WEIGHTS + (Op.UFFD_MOVE as usize)) && draw() & 1) register_for_moves(mix, mix + MIX_WEIGHTS);
    if (load<u8>(mix + MIX_WEIGHTS + (Op.MREMAP as usize)) && (draw() & 3) == 0) add_uffd_features(mix, F_UFFD_EVENT_REMAP);
    for (let context: u32 = 0; context < CONTEXTS; context++) fill_context(mix, context, mix + MIX_WEIGHTS);
  }
}
