// The module's exports: the only binary interface. Hostile arguments give an error value, never a trap.
import { twins, twins_begin, twins_step } from './fuzz/differential';
import { count, N } from './kernel/counters';
import { configure as configureKnobs } from './kernel/knobs';
import { kernelVector } from './kernel/kernels';
import { setTracing, traceCount } from './kernel/trace';
import { MAX_OPS, NR_MMS, NR_PAGES, PROGRAM, RESULTS, VIOLATION } from './mm/layout';
import { handle_mm_fault } from './mm/memory';
import { mm_alive, vm_flags, VM_READ } from './mm/vma';
import { exec_step, world_init, world_reset } from './ops/exec';
import { op_valid } from './ops/valid';
import { judge_reset, judge_step, judge_world } from './oracle/judge';
import { clearViolations, violated } from './oracle/report';

export {
  fuzz_begin, fuzz_describe, fuzz_digest, fuzz_draw, fuzz_draw_begin, fuzz_focus, fuzz_focus_row, fuzz_know,
  fuzz_latitude_row, fuzz_run,
} from './fuzz/run';
export { describe, describe_count } from './kernel/describe';
export { foreign_begin, foreign_cell, foreign_step } from './oracle/foreign';
export { set_judges } from './oracle/judge';
export { search_against, search_broken, search_broken_at } from './search/broken';
export { search_edges, search_locate } from './search/edges';
export {
  search_alphabet, search_begin, search_collect, search_digest, search_exhausted, search_expand, search_fingerprint,
  search_fingerprints, search_fresh, search_given, search_in, search_most_asleep, search_origins, search_out,
  search_page_orders, search_transitions,
} from './search/subject';

/** run_program: the program is too long or has a word the table does not allow. */
const INVALID: u32 = 0x80000000;

world_init();
judge_reset();

/** Writes the vector of kernel `id` to KVEC. False: no such kernel. */
export function kernel_vector(id: u32): bool {
  return kernelVector(id);
}
/** Takes the vector in KVEC into use. */
export function configure(): void {
  configureKnobs();
}
export function set_tracing(on: bool): void {
  setTracing(on);
}
export function trace_count(): u32 {
  return traceCount();
}

function program_valid(n: u32): bool {
  if (n > MAX_OPS) return false;
  for (let i: u32 = 0; i < n; i++) if (!op_valid(load<u32>(PROGRAM + ((i as usize) << 2)))) return false;
  return true;
}

/** Fresh world and reference, no violations. */
export function begin_program(): void {
  world_reset();
  judge_reset();
  clearViolations();
  memory.fill(RESULTS, 0xff, MAX_OPS);
  twins_begin();
}
/** Runs op `index` of n (or the pair that starts there) and judges it. Returns the op words used, 0 if invalid. */
export function step_program(index: u32, n: u32): u32 {
  if (index >= n || n > MAX_OPS || !op_valid(load<u32>(PROGRAM + ((index as usize) << 2)))) return 0;
  if (index + 1 < n && !op_valid(load<u32>(PROGRAM + ((index as usize) << 2), 4))) return 0;
  if (twins()) return twins_step(index);
  const used = exec_step(index, n);
  judge_step(index);
  return used;
}
/** Judges the whole world at the end of an n-op program. Returns the mask of broken invariants. */
export function finish_program(n: u32): u32 {
  if (!twins()) judge_world(n > MAX_OPS ? MAX_OPS : n);
  return load<u32>(VIOLATION);
}
/** Runs the n words at PROGRAM from a fresh world to the first violation. Returns the mask of broken invariants. */
export function run_program(n: u32): u32 {
  if (!program_valid(n)) return INVALID;
  begin_program();
  count(N.PROGRAMS);
  for (let i: u32 = 0; i < n; ) {
    const used = twins() ? twins_step(i) : exec_step(i, n);
    if (!twins()) judge_step(i);
    if (violated()) return load<u32>(VIOLATION);
    i += used;
  }
  return finish_program(n);
}

/** Bare handle_mm_fault with FAULT_FLAG_* flags, for table tests. Returns VM_FAULT_*, or -1 for bad arguments. */
export function fault(mm: u32, page: u32, flags: u32): i32 {
  if (mm >= NR_MMS || page >= NR_PAGES || flags > 7 || !mm_alive(mm) || !(vm_flags(mm, page) & VM_READ)) return -1;
  return handle_mm_fault(mm, page, flags) as i32;
}
