// Paths that break a promise, kept until they are asked for; on request only those that another kernel does not break.
import { configure } from '../kernel/knobs';
import { KVEC, KVEC_SIZE, PROGRAM, VIOLATION } from '../mm/layout';
import { exec_step, world_reset } from '../ops/exec';
import { judge_reset, judge_step, judge_world } from '../oracle/judge';
import { clearViolations, violated } from '../oracle/report';
import { BROKEN, BROKEN_COUNTS, BROKEN_SIZE, MAX_BROKEN, OTHER_KNOBS, OWN_KNOBS } from './area';

let broken: u32 = 0;
/** Is there a kernel to hold broken paths against? */
let against: bool = false;

/** Nothing is broken yet; the vector in use is that at KVEC. */
export function broken_begin(): void {
  memory.copy(OWN_KNOBS, KVEC, KVEC_SIZE);
  memory.fill(BROKEN_COUNTS, 0, 32);
  against = false;
  broken = 0;
}
/**
 * From now on a broken promise is noted only if the same program does not break it on the kernel of KVEC; the search goes on with
 * the kernel that is configured now. After search_begin.
 */
export function search_against(): void {
  memory.copy(OTHER_KNOBS, KVEC, KVEC_SIZE);
  against = true;
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
  memory.copy(KVEC, from, KVEC_SIZE);
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
/** Keeps the program of `length` words that broke a promise, and forgets the violation. */
export function note_broken(length: u32): void {
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
