// The fault handler as a transition system: a state is the program that leads to it. For each state of a batch, every step
// of the alphabet is tried; what comes out new by its fingerprint is the next level.
import { configure } from '../kernel/knobs';
import {
  FOLIO_MMS, FREE_MASK, HPAGE_PMD_NR, KVEC, MAX_OPS, NR_FRAMES, OP_RESULT, PROGRAM, REFERENCE, RESULTS, VIOLATION, VMF, WORLD,
} from '../mm/layout';
import { exec_step, op_valid, world_reset } from '../ops/exec';
import { OP_PAIR, R } from '../ops/table';
import { judge_reset, judge_step, judge_world } from '../oracle/judge';
import { clearViolations, violated } from '../oracle/report';
import {
  ALPHABET, BROKEN, BROKEN_COUNTS, BROKEN_SIZE, MAX_BROKEN, MAX_PAGE_ORDERS, MAX_WORDS, OTHER_KNOBS, OWN_KNOBS,
  PAGE_ORDERS, RECENT, RECENT_LOG2, SAVED, SAVED_LENGTH, SAVED_SIZE,
} from './area';
import { canon_begin, fingerprint } from './canon';

/** The world without a running thread's locals. */
const CORE_SIZE: usize = VMF - WORLD;
const FOLIO_SIZE: usize = 48;
/** Promises, handles, authors and parents; not the scratch of the recount. */
const PROMISES_SIZE: usize = 672;
/** A path: a step of the alphabet per u16. An entry of depth 0 has the room of one step, unused. */
const ENTRY_SIZE: usize = 2 * (MAX_OPS as usize);
/** Candidates of one batch at most. */
const MAX_CANDIDATES: u32 = 0x10000;

// Behind everything else: candidates, where they come from, entries in and out.
let fingerprints: usize = 0;
let origins: usize = 0;
let fresh: usize = 0;
let entriesIn: usize = 0;
let entriesOut: usize = 0;

let singles: u32 = 0;
let steps: u32 = 0;
let batch: u32 = 0;
let candidates: u32 = 0;
let levelDepth: u32 = 0;
/** Steps of the path whose states are saved. */
let savedSteps: u32 = 0;
let broken: u32 = 0;
let transitions: u64 = 0;
let given: u64 = 0;
let exhausted: u64 = 0;
/** Is there a kernel to hold broken paths against? */
let against: bool = false;

export function search_alphabet(): usize {
  return ALPHABET;
}
export function search_page_orders(): usize {
  return PAGE_ORDERS;
}
/**
 * Before: the vector is configured, `nrSingles` words and `nrPairs` pairs of words lie at search_alphabet(), `orders`
 * page orders of 16 bytes at search_page_orders(). Returns the entries of a batch, 0 for bad arguments.
 */
export function search_begin(symmetry: u32, mms: u32, pages: u32, orders: u32, nrSingles: u32, nrPairs: u32): u32 {
  if (nrSingles + 2 * nrPairs > MAX_WORDS || nrSingles + nrPairs == 0 || orders == 0 || orders > MAX_PAGE_ORDERS) return 0;
  if (mms == 0 || mms > 3 || pages > 8) return 0;
  for (let i: u32 = 0; i < nrSingles + 2 * nrPairs; i++) if (!op_valid(load<u32>(ALPHABET + ((i as usize) << 2)))) return 0;
  canon_begin(symmetry, mms, pages, orders);
  singles = nrSingles;
  steps = nrSingles + nrPairs;
  if (steps > MAX_CANDIDATES) return 0;
  batch = min<u32>(MAX_CANDIDATES / steps, 2048);
  fingerprints = (__heap_base + 63) & ~63;
  origins = fingerprints + 8 * MAX_CANDIDATES;
  fresh = origins + 4 * MAX_CANDIDATES;
  entriesIn = fresh + MAX_CANDIDATES;
  entriesOut = entriesIn + (batch as usize) * ENTRY_SIZE;
  const need = entriesOut + (MAX_CANDIDATES as usize) * ENTRY_SIZE;
  const pages64 = ((need + 0xffff) >> 16) as i32;
  if (pages64 > memory.size() && memory.grow(pages64 - memory.size()) < 0) return 0;
  memory.fill(RECENT, 0, 8 << RECENT_LOG2);
  memory.copy(OWN_KNOBS, KVEC, 24);
  against = false;
  transitions = given = exhausted = 0;
  broken = candidates = 0;
  world_reset();
  judge_reset();
  clearViolations();
  save(0, 0);
  savedSteps = 0;
  return batch;
}
/**
 * From now on a broken promise is noted only if the same program does not break it on the kernel of KVEC; the search goes on with
 * the kernel that is configured now. After search_begin.
 */
export function search_against(): void {
  memory.copy(OTHER_KNOBS, KVEC, 24);
  against = true;
}
export function search_in(): usize {
  return entriesIn;
}
/** One byte per candidate: the driver's answer. */
export function search_fresh(): usize {
  return fresh;
}
export function search_out(): usize {
  return entriesOut;
}
export function search_fingerprints(): usize {
  return fingerprints;
}
export function search_transitions(): u64 {
  return transitions;
}
export function search_given(): u64 {
  return given;
}
export function search_exhausted(): u64 {
  return exhausted;
}
/** Records of broken promises since the last call, at search_broken_at(). */
export function search_broken(): u32 {
  const n = broken;
  broken = 0;
  memory.fill(BROKEN_COUNTS, 0, 32);
  return n;
}
export function search_broken_at(): usize {
  return BROKEN;
}
/** Fingerprint of the state that the last program or step left. */
export function search_fingerprint(): u64 {
  return fingerprint();
}

// @ts-ignore: decorator
@inline function saved_at(depth: u32): usize {
  return SAVED + (depth as usize) * SAVED_SIZE;
}
function save(depth: u32, length: u32): void {
  const to = saved_at(depth);
  memory.copy(to, WORLD, CORE_SIZE);
  memory.copy(to + CORE_SIZE, FOLIO_MMS, FOLIO_SIZE);
  memory.copy(to + CORE_SIZE + FOLIO_SIZE, REFERENCE, PROMISES_SIZE);
  store<u8>(SAVED_LENGTH + (depth as usize), length);
}
function restore(depth: u32): void {
  const from = saved_at(depth);
  memory.copy(WORLD, from, CORE_SIZE);
  memory.copy(FOLIO_MMS, from + CORE_SIZE, FOLIO_SIZE);
  memory.copy(REFERENCE, from + CORE_SIZE + FOLIO_SIZE, PROMISES_SIZE);
}
// @ts-ignore: decorator
@inline function length_at(depth: u32): u32 {
  return load<u8>(SAVED_LENGTH + (depth as usize));
}
/** Writes the words of a step at op `index`; returns how many. */
// @ts-ignore: decorator
@inline function write_step(step: u32, index: u32): u32 {
  const to = PROGRAM + ((index as usize) << 2);
  if (step < singles) {
    store<u32>(to, load<u32>(ALPHABET + ((step as usize) << 2)));
    return 1;
  }
  store<u64>(to, load<u64>(ALPHABET + ((singles as usize) << 2) + (((step - singles) as usize) << 3)));
  return 2;
}
/** Runs the step at op `index` and judges it. */
// @ts-ignore: decorator
@inline function take_step(index: u32, words: u32): void {
  exec_step(index, index + words);
  judge_step(index);
}

/** Brings the world to the end of the path at `entry`, from where it parts from the last one. */
function follow(entry: usize, depth: u32): void {
  let k: u32 = 0;
  while (k < min(depth, savedSteps) && load<u16>(entry + ((k as usize) << 1)) == load<u16>(pathAt + ((k as usize) << 1))) k++;
  restore(k);
  for (; k < depth; k++) {
    const index = length_at(k);
    const words = write_step(load<u16>(entry + ((k as usize) << 1)), index);
    take_step(index, words);
    save(k + 1, index + words);
  }
  memory.copy(pathAt, entry, (depth as usize) << 1);
  savedSteps = depth;
}
const pathAt: usize = SAVED_LENGTH + 0x80;

/** Has the fingerprint been given out lately? */
// @ts-ignore: decorator
@inline function seen_lately(print: u64): bool {
  const at = RECENT + (((print >> (64 - RECENT_LOG2)) as usize) << 3);
  if (load<u64>(at) == print) return true;
  store<u64>(at, print);
  return false;
}
/** What breaks often leaves room for what breaks for the first time: so many records of each promise, and no more. */
function has_room(mask: u32): bool {
  let room = false;
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    const at = BROKEN_COUNTS + (ctz(rest) as usize);
    const noted: u32 = load<u8>(at);
    if (noted == MAX_BROKEN / 32) continue;
    store<u8>(at, noted + 1);
    room = true;
  }
  return room;
}
function use_knobs(from: usize): void {
  memory.copy(KVEC, from, 24);
  configure();
}
/** Promises that the path breaks on the other kernel. Leaves the world as it may be: the caller restores it. */
function broken_there(length: u32): u32 {
  const first = load<u64>(VIOLATION);
  const record = load<u64>(VIOLATION, 8);
  use_knobs(OTHER_KNOBS);
  world_reset();
  judge_reset();
  clearViolations();
  for (let i: u32 = 0; i < length && !violated(); ) {
    const words = exec_step(i, length);
    judge_step(i);
    i += words;
  }
  if (!violated()) judge_world(length);
  const mask = load<u32>(VIOLATION);
  use_knobs(OWN_KNOBS);
  store<u64>(VIOLATION, first);
  store<u64>(VIOLATION, record, 8);
  return mask;
}
function note_broken(length: u32): void {
  if (against) store<u32>(VIOLATION, load<u32>(VIOLATION) & ~broken_there(length));
  if (violated() && broken < MAX_BROKEN && has_room(load<u32>(VIOLATION))) {
    const at = BROKEN + (broken as usize) * BROKEN_SIZE;
    store<u32>(at, load<u32>(VIOLATION));
    store<u32>(at, length, 4);
    store<u64>(at, load<u64>(VIOLATION, 8), 8);
    memory.copy(at + 16, PROGRAM, (length as usize) << 2);
    broken++;
  }
  clearViolations();
}
/** Could the next allocation fail, or depend on where pages happen to lie? */
// @ts-ignore: decorator
@inline function scarce(): bool {
  const free = load<u32>(FREE_MASK);
  return (free & (free >> 1) & (free >> 2) & (free >> 3) & 0x111111 & ((1 << (NR_FRAMES - HPAGE_PMD_NR + 1)) - 1)) == 0;
}

// @ts-ignore: decorator
@inline function entry_at(i: u32, depth: u32): usize {
  return entriesIn + (((i * max<u32>(depth, 1)) as usize) << 1);
}
/** Expands `n` entries of `depth` steps at search_in(). Returns the candidates, at search_fingerprints(). */
export function search_expand(n: u32, depth: u32): u32 {
  candidates = 0;
  levelDepth = depth;
  for (let i: u32 = 0; i < min(n, batch); i++) {
    follow(entry_at(i, depth), depth);
    expand_one(i, depth);
  }
  given += candidates;
  return candidates;
}
function expand_one(entry: u32, depth: u32): void {
  const index = length_at(depth);
  const self = fingerprint();
  // The end of what a program can be.
  if (index + 2 > MAX_OPS) {
    exhausted++;
    return;
  }
  for (let step: u32 = 0; step < steps; step++) {
    const words = write_step(step, index);
    take_step(index, words);
    // Nothing happened, so there is nothing to take back.
    if (words == 1 && load<u32>(OP_RESULT) == R.SKIP) continue;
    transitions++;
    if (load<u32>(OP_RESULT) == R.NOMEM) exhausted++;
    if (violated()) note_broken(index + words);
    else {
      const print = fingerprint();
      if (print != self && !seen_lately(print)) {
        judge_world(index + words);
        if (violated()) note_broken(index + words);
        else {
          if (scarce()) exhausted++;
          store<u64>(fingerprints + ((candidates as usize) << 3), print);
          store<u32>(origins + ((candidates as usize) << 2), (entry << 16) | step);
          candidates++;
        }
      }
    }
    restore(depth);
  }
}
/**
 * What can come next in the state of the entry of `depth` steps at search_in(), whatever things are called: a digest of the
 * results, broken promises and fingerprints of all steps. Leaves the world in that state. For checking the fingerprint:
 * states that have the same one must have the same digest.
 */
export function search_digest(depth: u32): u64 {
  follow(entriesIn, depth);
  const index = length_at(depth);
  let sum: u64 = 0;
  for (let step: u32 = 0; step < steps; step++) {
    const words = write_step(step, index);
    take_step(index, words);
    const result: u64 = load<u32>(OP_RESULT);
    if (!violated()) judge_world(index + words);
    if (result != R.SKIP || words == 2) {
      const what = violated() ? (load<u32>(VIOLATION) as u64) : fingerprint();
      sum += (rotl<u64>(what, 17) ^ result) * 0x9e3779b97f4a7c15;
    }
    clearViolations();
    restore(depth);
  }
  return sum;
}
/** Writes the entries of the candidates that are fresh at search_out(); returns how many. */
export function search_collect(): u32 {
  let to = entriesOut;
  const path = (levelDepth as usize) << 1;
  for (let i: u32 = 0; i < candidates; i++) {
    if (!load<u8>(fresh + (i as usize))) continue;
    const origin = load<u32>(origins + ((i as usize) << 2));
    memory.copy(to, entry_at(origin >> 16, levelDepth), path);
    store<u16>(to + path, origin & 0xffff);
    to += path + 2;
  }
  return ((to - entriesOut) / (path + 2)) as u32;
}
