// Every transition of a state, for whoever needs the graph itself: nothing is left out, and each tells where it leads.
import { MAX_OPS, VIOLATION } from '../mm/layout';
import { judge_world } from '../oracle/judge';
import { clearViolations, violated } from '../oracle/report';
import { RECENT, RECENT_LOG2 } from './area';
import { fingerprint } from './canon';
import {
  begin_level, candidate_count, entry_at, follow, give, length_at, restore, search_fresh, search_in, Step, step_count, take_step,
  try_step, write_step,
} from './subject';

/**
 * Takes every step of the alphabet that applies in each of `n` entries of `depth` steps at search_in(). Returns the transitions,
 * self-loops included, by entry and step: at search_fingerprints() the fingerprint of the next state, or the mask of the
 * promises that broke; at search_fresh() one byte each, 1 = broken; at search_origins() where it comes from. search_collect()
 * then gives the entries of those with a 1 at search_fresh(). Not to be mixed with search_expand after one search_begin.
 */
export function search_edges(n: u32, depth: u32): u32 {
  const taken = begin_level(n, depth);
  for (let i: u32 = 0; i < taken; i++) {
    follow(entry_at(i, depth), depth);
    edges_of(i, depth);
  }
  return candidate_count();
}
/**
 * Where the path of `depth` steps at search_in() leads, from the start: the fingerprint of its state, or the mask of the promises
 * that a step of it breaks; nothing is run past those.
 */
export function search_locate(depth: u32): u64 {
  restore(0);
  let index: u32 = 0;
  for (let k: u32 = 0; k < depth; k++) {
    const words = write_step(load<u16>(search_in() + ((k as usize) << 1)), index);
    take_step(index, words);
    index += words;
    if (!violated()) continue;
    const mask: u64 = load<u32>(VIOLATION);
    clearViolations();
    return mask;
  }
  return fingerprint();
}
function edges_of(entry: u32, depth: u32): void {
  const index = length_at(depth);
  // The end of what a program can be.
  if (index + 2 > MAX_OPS) return;
  const steps = step_count();
  for (let step: u32 = 0; step < steps; step++) {
    const words = write_step(step, index);
    const tried = try_step(index, words);
    if (tried == Step.NOTHING) continue;
    if (tried == Step.TAKEN) give_edge((entry << 16) | step, index + words);
    clearViolations();
    restore(depth);
  }
}
// @ts-ignore: decorator
@inline function give_edge(origin: u32, length: u32): void {
  const broken = search_fresh() + (candidate_count() as usize);
  store<u8>(broken, 0);
  if (!violated()) {
    const print = fingerprint();
    // What a state shows to the judges does not depend on the way to it.
    const fine = RECENT + (((print >> (64 - RECENT_LOG2)) as usize) << 3);
    if (load<u64>(fine) != print) judge_world(length);
    if (!violated()) {
      store<u64>(fine, print);
      give(print, origin);
      return;
    }
  }
  store<u8>(broken, 1);
  give(load<u32>(VIOLATION), origin);
}
