// Mutants of the corpus: a program that once showed something new, edited a little. The result is a plan: words to
// run as they stand, and FRESH slots that are drawn when their turn comes, in the state that the program has by then.
import { MAX_OPS, NR_MMS } from '../mm/layout';
import {
  arg_first, F_MMAP_DAX, Op, op_code, op_flags, op_mm, op_page, op_target, op_word, op_y, PAGE_ARG_ALL, PAGE_ARG_PMD0,
} from '../ops/table';
import { CORPUS_COUNT, CORPUS_LENGTHS, CORPUS_WORDS, FRESH, PLAN, PROGRAM_BYTES } from './area';
import { family, Family } from './families';
import { ACCESSES, MOVES, NO_MM, ONE_PAGE, program_families, program_pages, RANGE } from './generate';
import { below, draw } from './rng';

const LONGEST: u32 = MAX_OPS;

// @ts-ignore: decorator
@inline function slot(i: u32): usize {
  return PLAN + ((i as usize) << 2);
}
// @ts-ignore: decorator
@inline function corpus_word(program: u32, i: u32): u32 {
  return load<u32>(CORPUS_WORDS + (program as usize) * PROGRAM_BYTES + ((i as usize) << 2));
}
// @ts-ignore: decorator
@inline function corpus_length(program: u32): u32 {
  return load<u8>(CORPUS_LENGTHS + (program as usize));
}
export function corpus_count(): u32 {
  return load<u32>(CORPUS_COUNT);
}

/** Makes room for one word at `at`. Returns the new length. */
function open_slot(n: u32, at: u32): u32 {
  if (n >= LONGEST) return n;
  memory.copy(slot(at + 1), slot(at), ((n - at) as usize) << 2);
  return n + 1;
}
/** Fills with FRESH up to `n`. */
function extend(from: u32, n: u32): u32 {
  const end = n < LONGEST ? n : LONGEST;
  for (let i = from; i < end; i++) store<u32>(slot(i), FRESH);
  return end > from ? end : from;
}

/** The same move the other way round, from the page next to it, or to that one. */
function change_move(word: u32, which: u32): u32 {
  const from = op_page(word);
  const to = op_target(word);
  if (which == 0 || from >= 8) return op_word(op_code(word), op_mm(word), to, 0, from);
  if (which == 2) return (from ^ 1) == to ? word : (word & ~0xf00) | ((from ^ 1) << 8);
  return (to ^ 1) == from ? word : op_word(op_code(word), op_mm(word), from, 0, to ^ 1);
}
/** The same op on another thread, process or page; the executor skips what makes no sense. */
function change_argument(word: u32, r: u64): u32 {
  const is = (1 as u64) << op_code(word);
  const which = (r & 3) as u32;
  if (which == 0 && is & ACCESSES) return word ^ (1 << 14);
  if (which == 1 && op_code(word) == Op.FORK) return word ^ op_word(0, op_mm(word) ^ op_y(word), 0, op_mm(word) ^ op_y(word), 0);
  if (which == 1 && !(is & NO_MM)) return (word & ~0xc0) | (below(r >> 2, NR_MMS) << 6);
  if (op_code(word) == Op.MMAP && op_flags(word) & F_MMAP_DAX) return word;
  if (!(is & (ONE_PAGE | RANGE))) return word;
  if (is & MOVES) return change_move(word, which);
  const page = op_page(word);
  let other = page < PAGE_ARG_ALL ? page ^ 1 : page;
  if (which == 2 && is & RANGE) other = page < 8 ? PAGE_ARG_PMD0 + (page >> 2) : arg_first(page);
  return (word & ~0xf00) | (other << 8);
}

/** One edit of a plan of n >= 1 words; word 0 (the first mapping) stays. Returns the new length. */
function edit(n: u32): u32 {
  const r = draw();
  const at = below(r >> 8, n) + 1;
  switch ((r & 7) as u32) {
    case 0: case 1: {
      const grown = open_slot(n, at);
      if (at < grown) store<u32>(slot(at), FRESH);
      return grown;
    }
    case 2:
      if (at >= n) return n;
      memory.copy(slot(at), slot(at + 1), ((n - at - 1) as usize) << 2);
      return n - 1;
    case 3:
      if (at < n) store<u32>(slot(at), FRESH);
      return n;
    case 4: {
      if (at < n && load<u32>(slot(at)) != FRESH) store<u32>(slot(at), change_argument(load<u32>(slot(at)), r >> 40));
      return n;
    }
    case 5:
      return extend(at, at + 4 + below(r >> 40, 12));
    case 6: {
      // The head of this one, the tail of another.
      const other = below(draw(), corpus_count());
      const length = corpus_length(other);
      let to = at;
      for (let i = below(r >> 40, length) + 1; i < length && to < LONGEST; i++) store<u32>(slot(to++), corpus_word(other, i));
      return to;
    }
  }
  // An op once more, later.
  if (at < 2) return n;
  const word = load<u32>(slot(below(r >> 40, at - 1) + 1));
  const grown = open_slot(n, at);
  if (at < grown) store<u32>(slot(at), word);
  return grown;
}

/** Families of the first n ops of the plan, but for the core. */
function families_of(n: u32): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < n; i++) found |= 1 << family(op_code(load<u32>(slot(i))));
  return found & ~(1 << Family.CORE);
}

/** Plans a mutant. The corpus must not be empty. Returns the number of slots. */
export function plan_mutant(): u32 {
  const r = draw();
  const base = below(r, corpus_count());
  let n = corpus_length(base);
  memory.copy(PLAN, CORPUS_WORDS + (base as usize) * PROGRAM_BYTES, (n as usize) << 2);
  if (r >> 61 & 1) program_families(families_of(n));
  program_pages(arg_first(op_page(corpus_word(base, below(r >> 32, n)))));
  // Most only go on where the base reached something new, the others change how it got there.
  if ((r >> 62) != 0) {
    const cut = n - below(r >> 20, n >> 1);
    return extend(cut, cut + below(r >> 8, 17) + 8);
  }
  for (let edits = 1 + below(r >> 16, 4); edits != 0; edits--) n = edit(n);
  return n;
}
