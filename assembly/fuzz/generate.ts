// Draws the ops of a program, one at a time and between the ops' runs, so that an op can fit the state it will meet.
// The words drawn are the program: running them again needs no generator.
import { HANDLE_SIZE, HANDLES, MM_ALIVE, MM_SIZE, SLEEPER_SIZE, SLEEPERS, WORLD } from '../mm/layout';
import { pmd_at, pte_at, _PAGE_TABLE } from '../mm/pgtable';
import { pmd_vm_flags, vm_flags, VM_READ, VM_UFFD, VM_UFFD_WP, VM_WRITE } from '../mm/vma';
import {
  arg_first, F_GUP_FAST, F_GUP_FAST_ONLY, F_MMAP_DAX, F_MPROTECT_RW, F_UFFD_BOTH, F_UFFD_MISSING, Op, op_word, OP_PAIR,
  OP_SCHEDULE_SHIFT,
  PAGE_ARG_ALL, PAGE_ARG_COUNT, PAGE_ARG_PMD0, PAGE_ARG_PMD1, F_WRITE_SAME,
} from '../ops/table';
import { MIX_SIZE, MIXES, NR_MIXES, PICK_HANDLE, PICK_MM, Strategy } from './area';
import {
  AFTER_ACCESS, HABIT_DAX, HABIT_LONG, HABIT_THP, HABIT_WIDE, make_mixes, mix_families, MIX_ALL, MIX_FLAGS, MIX_GUP, MIX_HABITS,
  MIX_PAIRS, MIX_PMD, MIX_SECOND, MIX_THREAD2,
} from './mixes';
import { below, draw, seed_stream, shard_key } from './rng';

// Sets of op codes, bit = code.
const ONE: u64 = 1;
export const ONE_PAGE: u64 = (ONE << Op.READ) | (ONE << Op.WRITE) | (ONE << Op.GUP) | (ONE << Op.POPULATE);
export const RANGE: u64 = (ONE << Op.MMAP) | (ONE << Op.MUNMAP) | (ONE << Op.MPROTECT) | (ONE << Op.DONTNEED) |
  (ONE << Op.PAGEOUT) | (ONE << Op.NUMA_HINT) | (ONE << Op.THP_SPLIT) | (ONE << Op.UFFD_REG) | (ONE << Op.UFFD_UNREG) |
  (ONE << Op.WP) | (ONE << Op.UNWP) | (ONE << Op.WAKE) | (ONE << Op.MADV_FREE) |
  (ONE << Op.MREMAP) | (ONE << Op.UFFD_MOVE) |
  (ONE << Op.MIGRATE) | (ONE << Op.MIGRATE_BEGIN) | (ONE << Op.UFFD_COPY) | (ONE << Op.UFFD_ZEROPAGE) |
  (ONE << Op.PAGEMAP_SCAN) | (ONE << Op.MERGEABLE) | (ONE << Op.UNMERGEABLE) | (ONE << Op.MADV_COLD) | (ONE << Op.COLLAPSE) |
  (ONE << Op.GUARD_INSTALL) | (ONE << Op.GUARD_REMOVE);
/** Ops of shape X R->Q. */
export const MOVES: u64 = (ONE << Op.MREMAP) | (ONE << Op.UFFD_MOVE);
const NEEDS_UFFD: u64 = (ONE << Op.UFFD_UNREG) | (ONE << Op.UFFD_CLOSE) | (ONE << Op.WP) | (ONE << Op.UNWP) |
  (ONE << Op.WAKE) | (ONE << Op.UFFD_COPY) | (ONE << Op.UFFD_ZEROPAGE) | (ONE << Op.UFFD_MOVE);
const NEEDS_HANDLE: u64 = (ONE << Op.HREAD) | (ONE << Op.HWRITE) | (ONE << Op.PUT);
export const NO_MM: u64 = NEEDS_HANDLE | (ONE << Op.SWAPOFF) | (ONE << Op.MIGRATE_END) | (ONE << Op.KSM_MERGE);
/** Only these run on a CPU of their own and can be the first of a concurrent pair. */
export const ACCESSES: u64 = ONE_PAGE;

const MIXES_TRIED: u32 = 16;
const ONES: u64 = 0x1111111111111111;
let key: u64 = 0;
let random: bool = false;
let mix: usize = MIXES;
let one_page: u64 = 0;
let some_pages: u64 = 0;
let thread2: u32 = 0;
let pairs: u32 = 0;
let hot: u32 = 0;
let after_access: u32 = 0;

/** Draws the mixes of a shard and chooses how its programs are made. */
export function generate_begin(seed: u64, shard: u32, strategy: u32): void {
  key = shard_key(seed, shard);
  random = strategy == Strategy.RANDOM;
  make_mixes(key);
  for (let set: u32 = 0; set < 16; set++) {
    // Of the empty set anything may come: the executor skips what cannot be.
    const members = set & 7 ? set & 7 : 7;
    for (let i: u32 = 0; i < 16; i++) store<u8>(PICK_MM + (((set & 7) << 4) + i), member(members, i));
    for (let i: u32 = 0; i < 4; i++) store<u8>(PICK_HANDLE + ((set << 2) + i), member(set ? set : 15, i));
  }
}
/** The (i modulo size)-th member of a set of bits. */
function member(set: u32, i: u32): u32 {
  let rest = set;
  for (let skip = i % popcnt(set); skip != 0; skip--) rest &= rest - 1;
  return ctz(rest);
}

/** Page argument of hot page `page` repeated in all nibbles, with the second hot page where the mix wants it. */
function use_pages(page: u32): void {
  hot = page;
  const r = draw();
  const near = r & 3 ? page ^ 1 : (page + 3) & 7;
  const other = (((near ^ page) as u64) * ONES) & load<u64>(mix, MIX_SECOND);
  const mine = ((page as u64) * ONES) ^ other;
  // Two of the sixteen draws go anywhere.
  one_page = (mine & 0x00ffffffffffffff) | (((r >> 8) & 0x77) << 56);
  if (load<u8>(mix, MIX_HABITS) & HABIT_WIDE) one_page = draw() & 0x7777777777777777;
  const pmd = load<u64>(mix, MIX_PMD);
  const all = load<u64>(mix, MIX_ALL);
  const pmds = ((PAGE_ARG_PMD0 + (page >> 2)) as u64) * ONES;
  some_pages = (mine & ~(pmd | all)) | (pmds & pmd) | ((PAGE_ARG_ALL as u64) * ONES & all);
}

/** Starts the stream of program `index`. Returns its first draw, free for the caller. */
export function program_begin(index: u32): u64 {
  seed_stream(key, index);
  const r = draw();
  use_mix(((r >> 56) % NR_MIXES) as u32);
  after_access = 0;
  use_pages(((r >> 53) & 7) as u32);
  return r;
}
function use_mix(i: u32): void {
  mix = MIXES + (i as usize) * MIX_SIZE;
  thread2 = load<u16>(mix, MIX_THREAD2);
  pairs = load<u32>(mix, MIX_PAIRS);
}
/** Takes a mix that knows all of `families`, if one is near the one drawn. */
export function program_families(families: u32): void {
  const drawn = ((mix - MIXES) / MIX_SIZE) as u32;
  for (let k: u32 = 0; k < MIXES_TRIED; k++) {
    const i = (drawn + k) % NR_MIXES;
    if ((families & ~mix_families(i)) != 0) continue;
    use_mix(i);
    return;
  }
}
/** Takes the pages of another program as the hot ones. */
export function program_pages(page: u32): void {
  use_pages(page);
}
/** How many ops a program of this mix shall have. */
export function program_length(r: u64): u32 {
  const n = below(r, 29) + 12;
  return load<u8>(mix, MIX_HABITS) & HABIT_LONG ? n + below(r >> 16, 25) : n;
}

/** The first op maps something of A. */
export function draw_first(): u32 {
  const r = draw();
  if (random) return op_word(Op.MMAP, 0, below(r, PAGE_ARG_COUNT), 0, ((r >> 32) & 1) as u32);
  const habits: u32 = load<u8>(mix, MIX_HABITS);
  if (habits & HABIT_DAX) return op_word(Op.MMAP, 0, PAGE_ARG_ALL, 0, F_MMAP_DAX);
  const pmd = PAGE_ARG_PMD0 + (hot >> 2);
  if (habits & HABIT_WIDE) return op_word(Op.MMAP, 0, PAGE_ARG_ALL, 0, load<u16>(mix + (Op.MMAP << 3), MIX_FLAGS));
  if (habits & HABIT_THP) return op_word(Op.MMAP, 0, r & 3 ? pmd : PAGE_ARG_ALL, 0, load<u16>(mix + (Op.MMAP << 3), MIX_FLAGS));
  const alone = load<u64>(mix, MIX_SECOND) == 0;
  return op_word(Op.MMAP, 0, r & 3 ? (alone ? hot : pmd) : PAGE_ARG_ALL, 0, 0);
}

/** An op for the state as it is now; 0xffffffff if no process lives. `second`: it will run as the other half of a pair. */
export function draw_op(second: bool): u32 {
  if (random) return draw_uniform(second);
  const r = draw();
  const a = load<u32>(WORLD, MM_ALIVE);
  const b = load<u32>(WORLD + MM_SIZE, MM_ALIVE);
  const c = load<u32>(WORLD + 2 * MM_SIZE, MM_ALIVE);
  const alive = (a & 1) | ((b & 1) << 1) | ((c & 1) << 2);
  if (alive == 0) return 0xffffffff;
  const uffd = ((a >> 24) & 1) | ((b >> 23) & 2) | ((c >> 22) & 4);
  // Bit 0 of a handle: in use; bit 32: writable.
  const h0 = load<u64>(HANDLES);
  const h1 = load<u64>(HANDLES + HANDLE_SIZE);
  const h2 = load<u64>(HANDLES + 2 * HANDLE_SIZE);
  const h3 = load<u64>(HANDLES + 3 * HANDLE_SIZE);
  const handles = (h0 & 0x100000001) | ((h1 & 0x100000001) << 1) | ((h2 & 0x100000001) << 2) | ((h3 & 0x100000001) << 3);
  const used = (handles as u32) & 15;
  const writable = (handles >> 32) as u32;
  const asleep: u32 = (load<u8>(SLEEPERS, 4) | load<u8>(SLEEPERS + SLEEPER_SIZE, 4) | load<u8>(SLEEPERS + 2 * SLEEPER_SIZE, 4) |
    load<u8>(SLEEPERS + 3 * SLEEPER_SIZE, 4)) != 0 ? 1 : 0;
  const context = (used ? 1 : 0) + (uffd ? 2 + 2 * asleep : 0) + after_access;

  const drawn: u32 = load<u8>(mix + (((context as usize) << 6) | ((r & 63) as usize)));
  const impossible: u64 = (((alive == 7 ? 1 : 0) << Op.FORK) | ((alive & (alive - 1) ? 0 : 1) << Op.EXIT) |
    ((used == 15 ? 1 : 0) << Op.GUP) | ((writable ? 0 : 1) << Op.HWRITE)) as u64;
  let op = (impossible >> drawn) & 1 ? Op.WRITE : drawn;
  let is: u64 = ONE << op;
  after_access = is & ((ONE << Op.READ) | (ONE << Op.WRITE)) ? AFTER_ACCESS : 0;

  const set = is & NEEDS_UFFD ? uffd : alive;
  const mm: u32 = is & NO_MM ? 0 : load<u8>(PICK_MM + ((set << 4) | (((r >> 6) as u32) & 15)));
  const nibble = (r >> 10) & 15;
  const pages = is & RANGE ? some_pages : one_page;
  let page = is & (RANGE | ONE_PAGE) ? ((pages >> (nibble << 2)) as u32) & 15 : 0;
  // An access that can only fail is seldom worth a turn: map, read, or go where something is mapped.
  const spare = ((r >> 38) as u32) & 7;
  if (is & ONE_PAGE && spare) {
    if (!vm_flags(mm, page)) page = hot;
    const vma = vm_flags(mm, page);
    if (!vma) op = Op.MMAP;
    else if (op == Op.WRITE && !(vma & VM_WRITE)) op = spare & 1 ? Op.READ : Op.MPROTECT;
    is = ONE << op;
  }
  if (is & ((ONE << Op.UFFD_COPY) | (ONE << Op.UFFD_ZEROPAGE)) && spare && !(vm_flags(mm, arg_first(page)) & VM_UFFD)) page = hot;
  if (is & ((ONE << Op.WP) | (ONE << Op.UNWP) | (ONE << Op.UFFD_REG)) && spare) {
    const wanted = op == Op.UFFD_REG ? VM_READ : VM_UFFD_WP;
    if (!all_have(mm, page, wanted)) {
      page = hot;
      if (op == Op.WP && !(vm_flags(mm, page) & wanted)) op = Op.UFFD_REG;
    }
  }
  if (is & MOVES) return draw_move(op, mm, page, r >> 41);
  // Only whole huge pages collapse.
  if (op == Op.COLLAPSE && page < 8) page = PAGE_ARG_PMD0 + (page >> 2);
  const dead: u32 = load<u8>(PICK_MM + (((~alive & 7) << 4) | (((r >> 14) as u32) & 15)));
  const handle: u32 = load<u8>(PICK_HANDLE + (((op == Op.HWRITE ? writable : used) << 2) | (((r >> 14) as u32) & 3)));
  const y = is & NEEDS_HANDLE ? handle : op == Op.GUP ? ctz(~used) : op == Op.FORK ? dead : 0;
  const flavour = ((r >> 18) as u32) & 15;
  let flags: u32 = load<u16>(mix + (op == Op.GUP ? MIX_GUP + (flavour << 1) : MIX_FLAGS + ((op << 3) | ((flavour & 3) << 1))));
  if (op == Op.MMAP && flags & F_MMAP_DAX) page = PAGE_ARG_ALL;
  if (op == Op.MPROTECT && spare) flags = vm_flags(mm, arg_first(page)) & VM_WRITE ? 0 : F_MPROTECT_RW;
  const word = op_word(op, mm, page, y, flags) | (is & ACCESSES ? ((thread2 >> (((r >> 22) as u32) & 15)) & 1) << 14 : 0);
  if (second || !(is & ACCESSES) || !((pairs >> (((r >> 26) as u32) & 31)) & 1)) return word;
  return word | OP_PAIR | (((r >> 32) as u32) << OP_SCHEDULE_SHIFT);
}

/** A registered, writable page without an entry, the first from `start` on; `from` if there is none. */
function empty_page(mm: u32, from: u32, start: u32): u32 {
  for (let k: u32 = 0; k < 8; k++) {
    const page = (start + k) & 7;
    const pmd = pmd_at(mm, page >> 2);
    const vma = vm_flags(mm, page);
    if (page == from || !(vma & VM_UFFD) || !(vma & VM_WRITE) || (pmd != _PAGE_TABLE && pmd != 0)) continue;
    if (pmd == 0 || pte_at(mm, page) == 0) return page;
  }
  return from;
}
/** Is there an entry for some page of this argument? */
function has_entry(mm: u32, page: u32): bool {
  const pmd = pmd_at(mm, arg_first(page) >> 2);
  if (page < 8 && pmd == _PAGE_TABLE) return pte_at(mm, page) != 0;
  return pmd != 0;
}
/** A move of `page`, or of what is mapped; the program goes on where the pages went, as a rule. */
function draw_move(op: u32, mm: u32, page: u32, r: u64): u32 {
  let from = page == PAGE_ARG_ALL ? PAGE_ARG_PMD0 + (hot >> 2) : page;
  if (!vm_flags(mm, arg_first(from)) && r & 7) from = vm_flags(mm, hot) ? hot : from;
  const other = PAGE_ARG_PMD0 + PAGE_ARG_PMD1 - from;
  // What is filled must be empty and registered.
  if (op == Op.UFFD_MOVE && from >= 8 && r & 7 && !(vm_flags(mm, arg_first(other)) & VM_UFFD && pmd_at(mm, other & 1) == 0)) from = hot;
  // Where nothing is, nothing moves.
  if ((r >> 11) & 7 && !has_entry(mm, from)) return op_word(Op.WRITE, mm, arg_first(from), 0, 0);
  let to = other;
  if (from < 8) {
    // Next to it, in the same place of the other PMD, or anywhere.
    const way = ((r >> 3) & 7) as u32;
    to = way < 2 ? from ^ 1 : way < 5 ? from ^ 4 : ((r >> 6) & 7) as u32;
    if (to == from) to = from ^ 2;
    if (op == Op.UFFD_MOVE) {
      const there = empty_page(mm, from, to);
      if (there == from) {
        const flags: u32 = load<u16>(mix + ((Op.UFFD_REG << 3) | (((r >> 14) & 3) << 1) as u32), MIX_FLAGS);
        return op_word(Op.UFFD_REG, mm, vm_flags(mm, to) ? to : from ^ 1, 0, flags);
      }
      to = there;
    }
  }
  if ((r >> 9) & 3) use_pages(from < 8 ? to : hot ^ 4);
  return op_word(op, mm, from, 0, to);
}

function all_have(mm: u32, page: u32, flag: u32): bool {
  if (page < 8) return (vm_flags(mm, page) & flag) != 0;
  const four = (flag as u64) * 0x0001000100010001;
  const low = page == PAGE_ARG_PMD1 || (pmd_vm_flags(mm, 0) & four) == four;
  return low && (page == PAGE_ARG_PMD0 || (pmd_vm_flags(mm, 1) & four) == four);
}

/** Uniform over ops and arguments, blind to the state. */
function draw_uniform(second: bool): u32 {
  const r = draw();
  const s = draw();
  const op = below(r, Op.COUNT);
  const is = ONE << op;
  const mm = is & NO_MM ? 0 : below(s, 3);
  const page = is & RANGE ? below(r >> 32, PAGE_ARG_COUNT) : is & ONE_PAGE ? ((r >> 60) as u32) & 7 : 0;
  const y = op == Op.FORK ? (mm + 1 + (((s >> 16) & 1) as u32)) % 3 : op == Op.GUP || is & NEEDS_HANDLE ? ((s >> 60) as u32) & 3 : 0;
  if (is & MOVES) return draw_uniform_move(op, mm, r, s);
  const bits = ((s >> 40) & 0xff) as u32;
  const thread = is & ACCESSES ? (((s >> 50) & 1) as u32) << 14 : 0;
  const flags = uniform_flags(op, bits);
  const dax = op == Op.MMAP && (flags & F_MMAP_DAX) != 0;
  const word = op_word(op, mm, dax ? PAGE_ARG_ALL : page, y, flags) | thread;
  if (second || !(is & ACCESSES) || (s >> 51) & 15) return word;
  return word | OP_PAIR | (((s >> 32) as u32) << OP_SCHEDULE_SHIFT);
}
function draw_uniform_move(op: u32, mm: u32, r: u64, s: u64): u32 {
  const page = below(r >> 32, PAGE_ARG_ALL);
  if (page >= 8) return op_word(op, mm, page, 0, PAGE_ARG_PMD0 + PAGE_ARG_PMD1 - page);
  return op_word(op, mm, page, 0, (page + 1 + below(s << 24, 7)) & 7);
}
function uniform_flags(op: u32, bits: u32): u32 {
  switch (op) {
    case Op.MMAP: return bits & 15 ? bits >> 7 : F_MMAP_DAX;
    case Op.WRITE: return bits & 15 ? 0 : F_WRITE_SAME;
    case Op.MPROTECT:
    case Op.POPULATE:
    case Op.PAGEOUT: return bits & 1;
    case Op.UFFD_REG: {
      const mode = bits & (F_UFFD_MISSING | F_UFFD_BOTH);
      return (bits & 0xf3) | (mode == (F_UFFD_MISSING | F_UFFD_BOTH) ? 0 : mode);
    }
    case Op.UFFD_COPY: return bits & 1;
    case Op.PAGEMAP_SCAN: return bits & 3;
    case Op.GUP: {
      const both = F_GUP_FAST | F_GUP_FAST_ONLY;
      return (bits & both) == both ? bits & ~both : bits;
    }
  }
  return 0;
}
