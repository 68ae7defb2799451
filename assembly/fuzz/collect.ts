// Violations of a long run: reduced, deduplicated crudely, and listed at FOUND. A broken kernel fails every few
// programs; what matters is one program of each shape, and the same ones on every machine.
import { N } from '../kernel/counters';
import { COUNTERS, PROGRAM, VIOLATION } from '../mm/layout';
import { op_code, op_flags, op_mm, op_page, arg_first } from '../ops/table';
import { NONE } from '../oracle/report';
import {
  BEST, FOUND, FOUND_COUNT, FOUND_HEADER, FOUND_MAX, FOUND_RECORD, KEYS, KEYS_SLOTS, NEW_KEYS, NEW_KEYS_COUNT,
  NEW_KEYS_MAX, PROGRAM_BYTES, SAVED_COUNTERS,
} from './area';
import { abstract_state, forget_points } from './novelty';
import { first_invariant, reduce, shape_key } from './reduce';
import { draw, mix64 } from './rng';

/** Reductions of one run, and how many of them go to failures whose circumstances are known (1 in SAMPLE of those). */
const REDUCTIONS_MAX: u32 = 256;
const SAMPLES_MAX: u32 = 32;
const SAMPLE: u64 = 64;
/** At most this many keys in the table: it must stay sparse. */
const KEYS_MAX: u32 = KEYS_SLOTS / 2;

let reductions: u32 = 0;
let samples: u32 = 0;
let keys: u32 = 0;

export function collect_begin(): void {
  store<u32>(FOUND_COUNT, 0);
  store<u32>(NEW_KEYS_COUNT, 0);
  memory.fill(KEYS, 0, (KEYS_SLOTS as usize) << 2);
  reductions = 0;
  samples = 0;
  keys = 0;
}
/** Adds a key (not 0) to the known ones. False: it is there already, or there is no room. */
export function know_key(key: u32): bool {
  let slot = key & (KEYS_SLOTS - 1);
  while (true) {
    const at = KEYS + ((slot as usize) << 2);
    const found = load<u32>(at);
    if (found == key) return false;
    if (found == 0) {
      if (keys >= KEYS_MAX) return false;
      keys++;
      store<u32>(at, key);
      return true;
    }
    slot = (slot + 1) & (KEYS_SLOTS - 1);
  }
}
function learn_key(key: u32): bool {
  const n = load<u32>(NEW_KEYS_COUNT);
  if (n >= NEW_KEYS_MAX || !know_key(key)) return false;
  store<u32>(NEW_KEYS + ((n as usize) << 2), key);
  store<u32>(NEW_KEYS_COUNT, n + 1);
  return true;
}

/** Circumstances of a violation: what broke, the op that showed it, the state of the leaf it is about. */
function circumstances(n: u32): u32 {
  const word = load<u32>(PROGRAM + (((n - 1) as usize) << 2));
  const mm: u32 = load<u8>(VIOLATION, 9);
  const page: u32 = load<u8>(VIOLATION, 10);
  const state = mm != NONE && page != NONE ? abstract_state(mm, page) : abstract_state(op_mm(word), arg_first(op_page(word)));
  const what = (load<u32>(VIOLATION) as u64) | ((load<u8>(VIOLATION, 15) as u64) << 20) |
    ((op_code(word) as u64) << 28) | ((op_flags(word) as u64) << 34);
  return ((mix64(mix64(what) ^ (state as u64)) >> 32) as u32) & ~1 | 2;
}

/** Program `index` ended in a violation after `n` words, n >= 1. Leaves PROGRAM and VIOLATION undefined. */
export function collect(index: u32, n: u32): void {
  if (load<u32>(FOUND_COUNT) >= FOUND_MAX || reductions >= REDUCTIONS_MAX) return;
  const key = circumstances(n);
  if (!learn_key(key)) {
    if (draw() % SAMPLE != 0 || samples >= SAMPLES_MAX) return;
    samples++;
  }
  reductions++;
  const to = FOUND + (load<u32>(FOUND_COUNT) as usize) * FOUND_RECORD;
  store<u32>(to, index);
  store<u32>(to, n, 4);
  store<u32>(to, load<u32>(VIOLATION), 12);
  store<u64>(to, load<u64>(COUNTERS, N.PROGRAMS << 3), 16);
  store<u64>(to, load<u64>(COUNTERS, N.FAULTS << 3), 24);
  store<u64>(to, load<u64>(VIOLATION, 8), 32);
  memory.copy(to + FOUND_HEADER, PROGRAM, PROGRAM_BYTES);

  const invariant = first_invariant();
  memory.copy(SAVED_COUNTERS, COUNTERS, N.COUNT << 3);
  const length = reduce(n, invariant);
  memory.copy(COUNTERS, SAVED_COUNTERS, N.COUNT << 3);
  forget_points();

  const shape = shape_key(length, invariant);
  if (!learn_key(shape)) return;
  store<u32>(to, length, 8);
  store<u32>(to, key, 40);
  store<u32>(to, shape, 44);
  memory.copy(to + FOUND_HEADER + PROGRAM_BYTES, BEST, PROGRAM_BYTES);
  store<u32>(FOUND_COUNT, load<u32>(FOUND_COUNT) + 1);
}
