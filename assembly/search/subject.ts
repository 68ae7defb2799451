// The fault handler as a transition system: a state is the program that leads to it. For each state of a batch, every step
// of the alphabet is tried; what comes out new by its fingerprint is the next level.
import {
  FOLIO_MMS, MAX_OPS, NR_SLEEPERS, OP_RESULT, PROGRAM, REFERENCE, SLEEPER_SIZE, SLEEPERS, VIOLATION, VMF, WORLD,
} from '../mm/layout';
import { free_groups } from '../mm/page';
import { exec_step, world_reset } from '../ops/exec';
import { op_valid } from '../ops/valid';
import { R } from '../ops/table';
import { judge_reset, judge_step, judge_world } from '../oracle/judge';
import { clearViolations, violated } from '../oracle/report';
import {
  ALPHABET, MAX_PAGE_ORDERS, MAX_WORDS, PAGE_ORDERS, RECENT, RECENT_LOG2, SAVED, SAVED_LENGTH, SAVED_SIZE,
} from './area';
import { broken_begin, note_broken } from './broken';
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
let transitions: u64 = 0;
let given: u64 = 0;
let exhausted: u64 = 0;
/** Threads that may be asleep at once; a step beyond is outside the scope. */
let mostAsleep: u32 = NR_SLEEPERS;

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
  canon_begin(symmetry, mms, pages, orders, nrSingles + 2 * nrPairs);
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
  broken_begin();
  transitions = given = exhausted = 0;
  candidates = 0;
  mostAsleep = NR_SLEEPERS;
  world_reset();
  judge_reset();
  clearViolations();
  save(0, 0);
  savedSteps = 0;
  return batch;
}
/** Bounds the threads asleep at once, after search_begin. */
export function search_most_asleep(n: u32): void {
  mostAsleep = n;
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
/** u32 per candidate: number of its entry << 16 | step. */
export function search_origins(): usize {
  return origins;
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
export function restore(depth: u32): void {
  const from = saved_at(depth);
  memory.copy(WORLD, from, CORE_SIZE);
  memory.copy(FOLIO_MMS, from + CORE_SIZE, FOLIO_SIZE);
  memory.copy(REFERENCE, from + CORE_SIZE + FOLIO_SIZE, PROMISES_SIZE);
}
// @ts-ignore: decorator
@inline export function length_at(depth: u32): u32 {
  return load<u8>(SAVED_LENGTH + (depth as usize));
}
/** Writes the words of a step at op `index`; returns how many. */
// @ts-ignore: decorator
@inline export function write_step(step: u32, index: u32): u32 {
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
@inline export function take_step(index: u32, words: u32): void {
  exec_step(index, index + words);
  judge_step(index);
}
// @ts-ignore: decorator
@inline function asleep(): u32 {
  let n: u32 = 0;
  for (let i: usize = 0; i < NR_SLEEPERS; i++) n += (load<u8>(SLEEPERS + i * SLEEPER_SIZE, 4) != 0) as u32;
  return n;
}
/** Whether the step, taken, was one: an op that did not apply changed nothing, and a state out of scope is none. */
export namespace Step {
  export const NOTHING: u32 = 0;
  export const OUTSIDE: u32 = 1;
  export const TAKEN: u32 = 2;
}
/** Tries the step in the state saved at `depth`, at op `index`. Unless NOTHING came of it, `restore` has to follow. */
// @ts-ignore: decorator
@inline export function try_step(index: u32, words: u32): u32 {
  take_step(index, words);
  if (words == 1 && load<u32>(OP_RESULT) == R.SKIP) return Step.NOTHING;
  return asleep() > mostAsleep ? Step.OUTSIDE : Step.TAKEN;
}

/** Brings the world to the end of the path at `entry`, from where it parts from the last one. */
export function follow(entry: usize, depth: u32): void {
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
/** Could the next allocation fail, or depend on where pages happen to lie? */
// @ts-ignore: decorator
@inline function scarce(): bool {
  return free_groups() == 0;
}

// @ts-ignore: decorator
@inline export function entry_at(i: u32, depth: u32): usize {
  return entriesIn + (((i * max<u32>(depth, 1)) as usize) << 1);
}
/** No candidates yet. Returns how many of `n` entries one call takes. */
export function begin_level(n: u32, depth: u32): u32 {
  candidates = 0;
  levelDepth = depth;
  return min(n, batch);
}
export function candidate_count(): u32 {
  return candidates;
}
export function step_count(): u32 {
  return steps;
}
/** Expands `n` entries of `depth` steps at search_in(). Returns the candidates, at search_fingerprints(). */
export function search_expand(n: u32, depth: u32): u32 {
  const taken = begin_level(n, depth);
  for (let i: u32 = 0; i < taken; i++) {
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
    const tried = try_step(index, words);
    if (tried == Step.NOTHING) continue;
    if (tried == Step.TAKEN) arrive(self, (entry << 16) | step, index + words);
    else clearViolations();
    restore(depth);
  }
}
/** One more candidate of this call. */
// @ts-ignore: decorator
@inline export function give(print: u64, origin: u32): void {
  store<u64>(fingerprints + ((candidates as usize) << 3), print);
  store<u32>(origins + ((candidates as usize) << 2), origin);
  candidates++;
}
/** A transition from the state `self` by the step `origin` to where the world is now, after `length` words. */
// @ts-ignore: decorator
@inline function arrive(self: u64, origin: u32, length: u32): void {
  transitions++;
  if (load<u32>(OP_RESULT) == R.NOMEM) exhausted++;
  if (violated()) {
    note_broken(length);
    return;
  }
  const print = fingerprint();
  if (print == self || seen_lately(print)) return;
  judge_world(length);
  if (violated()) {
    note_broken(length);
    return;
  }
  if (scarce()) exhausted++;
  give(print, origin);
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
  if (index + 2 > MAX_OPS) return sum;
  for (let step: u32 = 0; step < steps; step++) {
    const words = write_step(step, index);
    const tried = try_step(index, words);
    if (tried == Step.NOTHING) continue;
    if (tried == Step.TAKEN) {
      if (!violated()) judge_world(index + words);
      const what = violated() ? (load<u32>(VIOLATION) as u64) : fingerprint();
      sum += (rotl<u64>(what, 17) ^ (load<u32>(OP_RESULT) as u64)) * 0x9e3779b97f4a7c15;
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
