// A quick reduction of a failing program, so that a thousand failures of one cause become one finding before they
// leave the module. The careful work (1-minimal, all arguments) is done in src/findings.
import { MAX_OPS, PROGRAM, VIOLATION } from '../mm/layout';
import { exec_step, world_reset } from '../ops/exec';
import { Op, op_code, op_flags, op_mm, op_page, OP_PAIR, op_target, op_word, op_y } from '../ops/table';
import { judge_reset, judge_step, judge_world } from '../oracle/judge';
import { violated } from '../oracle/report';
import { BEST } from './area';
import { twins_begin, twins_step } from './differential';
import { MOVES, NO_MM, ONE_PAGE, RANGE } from './generate';
import { mix64 } from './rng';

/** Clears the pair bit and its schedule. */
export const UNPAIRED: u32 = OP_PAIR - 1;
/** Thread, flags: the bits of a word that a simpler program may do without. */
const OPTIONAL_BITS: u32 = 0x1ff4000;
const ROUNDS: u32 = 4;

// @ts-ignore: decorator
@inline function word_at(base: usize, i: u32): u32 {
  return load<u32>(base + ((i as usize) << 2));
}
// @ts-ignore: decorator
@inline function set_word(base: usize, i: u32, word: u32): void {
  store<u32>(base + ((i as usize) << 2), word);
}
/** Invariant of the first violation record. */
// @ts-ignore: decorator
@inline export function first_invariant(): u32 {
  return load<u8>(VIOLATION, 8);
}

/** Runs PROGRAM[0..n) with all judges. Returns the words up to the first violation if it breaks `invariant`, else 0. */
export function fails(n: u32, invariant: u32): u32 {
  world_reset();
  judge_reset();
  const twice = twins_begin();
  let i: u32 = 0;
  while (i < n && !violated()) {
    const used = twice ? twins_step(i) : exec_step(i, n);
    if (!twice) judge_step(i);
    i += used;
  }
  if (!violated() && !twice) judge_world(i);
  return violated() && first_invariant() == invariant ? i : 0;
}

function take_best(n: u32): u32 {
  memory.copy(BEST, PROGRAM, (n as usize) << 2);
  return n;
}
/** PROGRAM = BEST without word `skip`; a pair that loses its partner becomes a plain op. */
function without(n: u32, skip: u32): void {
  memory.copy(PROGRAM, BEST, (skip as usize) << 2);
  memory.copy(PROGRAM + ((skip as usize) << 2), BEST + (((skip + 1) as usize) << 2), ((n - 1 - skip) as usize) << 2);
  if (skip == 0) return;
  const before = word_at(BEST, skip - 1);
  set_word(PROGRAM, skip - 1, before & OP_PAIR ? before & UNPAIRED : before);
}

/**
 * Reduces PROGRAM[0..n), which breaks `invariant`: drops ops, then flags, threads and pairs, while the same invariant
 * breaks first. The result is at BEST; returns its length. Uses PROGRAM.
 */
export function reduce(n: u32, invariant: u32): u32 {
  const fewer = without_ops(take_best(n), invariant);
  // A simpler op may make another one superfluous.
  return without_ops(simpler(fewer, invariant), invariant);
}
function without_ops(n: u32, invariant: u32): u32 {
  let length = n;
  let round: u32 = 0;
  let changed = true;
  while (changed && round < ROUNDS) {
    changed = false;
    round++;
    let i = length;
    while (i > 0) {
      i--;
      if (length == 1) break;
      without(length, i);
      const k = fails(length - 1, invariant);
      if (k == 0) continue;
      length = take_best(k);
      changed = true;
      if (i > length) i = length;
    }
  }
  return length;
}
function simpler(n: u32, invariant: u32): u32 {
  let length = without_ranges(n, invariant);
  for (let i: u32 = 0; i < length; i++) {
    // Where any access will do, let it be a write.
    const code = op_code(word_at(BEST, i));
    const access = code == Op.READ || code == Op.GUP || code == Op.POPULATE;
    if (access) length = try_word(length, i, (word_at(BEST, i) & 0xfc0) | Op.WRITE, invariant);
    if (i < length && word_at(BEST, i) & OP_PAIR) length = try_word(length, i, word_at(BEST, i) & UNPAIRED, invariant);
    if (i < length && is_move(word_at(BEST, i))) continue;
    for (let bits = i < length ? word_at(BEST, i) & OPTIONAL_BITS : 0; bits != 0 && i < length; bits &= bits - 1)
      length = try_word(length, i, word_at(BEST, i) & ~(bits & -bits), invariant);
  }
  return length;
}
/** Ranges become the page of the first access: all at once, as a range must be mapped to be registered, then each. */
function without_ranges(n: u32, invariant: u32): u32 {
  const page = hot_page(n);
  memory.copy(PROGRAM, BEST, (n as usize) << 2);
  for (let i: u32 = 0; i < n; i++) if (op_page(word_at(PROGRAM, i)) >= 8) set_word(PROGRAM, i, with_page(word_at(PROGRAM, i), page));
  const k = fails(n, invariant);
  let length = k ? take_best(k) : n;
  for (let i = length; i > 0; i--) {
    if (i > length) continue;
    const word = word_at(BEST, i - 1);
    if (op_page(word) >= 8) length = try_word(length, i - 1, with_page(word, page), invariant);
  }
  return length;
}
// @ts-ignore: decorator
@inline function is_move(word: u32): bool {
  return ((MOVES >> op_code(word)) & 1) != 0;
}
// A move of a PMD keeps its distance.
function with_page(word: u32, page: u32): u32 {
  if (is_move(word)) return op_word(op_code(word), op_mm(word), page, 0, page ^ 4);
  return (word & ~0xf00) | (page << 8);
}
/** The page that the accesses of BEST[0..n) use first. */
function hot_page(n: u32): u32 {
  for (let i: u32 = 0; i < n; i++) {
    const code = op_code(word_at(BEST, i));
    if (code == Op.READ || code == Op.WRITE || code == Op.GUP) return op_page(word_at(BEST, i));
  }
  return 0;
}
function try_word(length: u32, i: u32, word: u32, invariant: u32): u32 {
  memory.copy(PROGRAM, BEST, (length as usize) << 2);
  set_word(PROGRAM, i, word);
  const k = fails(length, invariant);
  return k ? take_best(k) : length;
}

/** Hash of BEST[0..n) and the invariant in which pages, processes and handles count by order of appearance. */
export function shape_key(n: u32, invariant: u32): u32 {
  let h: u64 = invariant;
  // Nibble tables: name + 1 of each page, mm, handle; 0 = not seen yet.
  let pages: u64 = 0;
  let mms: u64 = 0;
  let handles: u64 = 0;
  const end = n < MAX_OPS ? n : MAX_OPS;
  for (let i: u32 = 0; i < end; i++) {
    const word = word_at(BEST, i);
    const code = op_code(word);
    const is = (1 as u64) << code;
    const paged = (is & (ONE_PAGE | RANGE)) != 0;
    if (paged) pages = named(pages, op_page(word));
    if (!(is & NO_MM)) mms = named(mms, op_mm(word));
    let y: u64 = 0;
    if (code == Op.FORK) {
      mms = named(mms, op_y(word));
      y = name_of(mms, op_y(word));
    } else if (code >= Op.GUP && code <= Op.PUT) {
      handles = named(handles, op_y(word));
      y = name_of(handles, op_y(word));
    }
    let flags: u64 = op_flags(word);
    if ((is & MOVES) != 0) {
      pages = named(pages, op_target(word));
      flags = name_of(pages, op_target(word));
    }
    const page: u64 = paged ? name_of(pages, op_page(word)) : 0;
    const mm: u64 = is & NO_MM ? 0 : name_of(mms, op_mm(word));
    const shape = (code as u64) | (page << 6) | (mm << 12) | (y << 16) | (flags << 20) | ((word & OP_PAIR ? 1 : 0) << 30);
    h = mix64(h ^ shape);
  }
  return ((h >> 32) as u32) | 1;
}
// @ts-ignore: decorator
@inline function name_of(table: u64, thing: u32): u64 {
  return (table >> ((thing as u64) << 2)) & 15;
}
/** Gives `thing` the next free name if it has none. Ranges (8..10) keep one name each. */
function named(table: u64, thing: u32): u64 {
  if (name_of(table, thing) != 0) return table;
  let names: u64 = 1;
  if (thing >= 8) names = thing as u64;
  else for (let i: u32 = 0; i < 8; i++) if (name_of(table, i) != 0) names++;
  return table | (names << ((thing as u64) << 2));
}
