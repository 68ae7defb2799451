// The fuzzer's loop: generation, execution and judgement of one op after the other, program after program.
// (campaign seed, shard, index, strategy and, for guided runs, corpus) -> program is a pure function.
import { count, N } from '../kernel/counters';
import { FREE_MASK, MM_VMA, NR_MMS, OP_RESULT, PROGRAM, SCRATCH, TOUCHED } from '../mm/layout';
import { mm_at } from '../mm/pgtable';
import { exec_step, world_reset } from '../ops/exec';
import { OP_PAIR } from '../ops/table';
import { judge_reset, judge_step, judge_world } from '../oracle/judge';
import { clearViolations, violated } from '../oracle/report';
import { area_fits, areaRow, FRESH, NOVEL_COUNT, PLAN, Strategy } from './area';
import { twins_begin, twins_step } from './differential';
import { collect, collect_begin, know_key } from './collect';
import { focusRow, set_focus } from './focus';
import { draw_first, draw_op, generate_begin, program_begin, program_length } from './generate';
import { latitudeRow } from './latitude';
import { corpus_count, plan_mutant } from './mutate';
import { know_points, note_state, novelty_begin, novelty_end } from './novelty';
import { UNPAIRED } from './reduce';

const DIGEST_PRIME: u64 = 0x9fb21c651e98df25;

let seed: u64 = 0;
let shard: u32 = 0;
let strategy: u32 = Strategy.COUNT;
let collecting: bool = false;
let digest: u64 = 0;

/**
 * Begins a shard: its mixes are drawn; lists of novel programs, findings and keys, and the digest, are emptied; what
 * is at COVERAGE and STATES now counts as known. Returns false for an unknown strategy.
 * `collecting`: violations are reduced and listed at FOUND, and fuzz_run goes on; otherwise it stops at each.
 */
export function fuzz_begin(seedHi: u32, seedLo: u32, shardIndex: u32, how: u32, collects: bool): bool {
  if (how >= Strategy.COUNT || !area_fits()) return false;
  seed = ((seedHi as u64) << 32) | (seedLo as u64);
  shard = shardIndex;
  strategy = how;
  collecting = collects;
  digest = 0;
  generate_begin(seed, shard, how);
  collect_begin();
  store<u32>(NOVEL_COUNT, 0);
  know_points();
  return true;
}

/**
 * Runs programs first .. first + count - 1 of a shard until one breaks a promise. Returns the number of programs run;
 * the last one is the violating one if the mask at VIOLATION is not 0: PROGRAM holds its words, SCRATCH (u32) how many.
 * Begins the shard (not collecting) if another one was begun before.
 */
export function fuzz_run(seedHi: u32, seedLo: u32, shardIndex: u32, first: u32, programs: u32, how: u32): u32 {
  const wanted = ((seedHi as u64) << 32) | (seedLo as u64);
  if ((wanted != seed || shardIndex != shard || how != strategy) && !fuzz_begin(seedHi, seedLo, shardIndex, how, false)) return 0;
  clearViolations();
  for (let i: u32 = 0; i < programs; i++) {
    const index = first + i;
    const n = run_program_at(index);
    if (!violated()) continue;
    if (!collecting) {
      store<u32>(SCRATCH, n);
      return i + 1;
    }
    collect(index, n);
    clearViolations();
  }
  return programs;
}

/**
 * Begins program `index` of a shard for fuzz_draw. The caller runs each op, changed or not, before it draws the next:
 * what is drawn fits the world as it is then.
 */
export function fuzz_draw_begin(seedHi: u32, seedLo: u32, shardIndex: u32, index: u32): void {
  const wanted = ((seedHi as u64) << 32) | (seedLo as u64);
  if (wanted != seed || shardIndex != shard || strategy != Strategy.FRESH) {
    if (!fuzz_begin(seedHi, seedLo, shardIndex, Strategy.FRESH, false)) return;
  }
  program_begin(index);
}
/** The next op word (`first`: the one that opens a program), never one of a pair; FRESH if no process lives. */
export function fuzz_draw(first: bool): u32 {
  const word = first ? draw_first() : draw_op(false);
  return word == FRESH ? FRESH : word & UNPAIRED;
}

// @ts-ignore: decorator
@inline function program_word(i: u32): usize {
  return PROGRAM + ((i as usize) << 2);
}
// @ts-ignore: decorator
@inline function digest_add(value: u64): void {
  digest = (digest ^ value) * DIGEST_PRIME;
  digest ^= digest >> 32;
}

/** A sum over the page tables and the free frames: products that do not wait for each other. */
function world_sum(): u64 {
  let sum: u64 = load<u32>(FREE_MASK);
  let factor: u64 = DIGEST_PRIME;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    const at = mm_at(mm);
    for (let i: usize = 0; i < MM_VMA; i += 8) {
      sum += load<u64>(at + i) * factor;
      factor += 0x9e3779b97f4a7c16;
    }
  }
  return sum;
}

/** Generates, runs and judges a program. Returns its words, up to the violation where there is one. */
function run_program_at(index: u32): u32 {
  const guided = strategy == Strategy.GUIDED;
  const noting = strategy != Strategy.FRESH;
  world_reset();
  judge_reset();
  const twice = twins_begin();
  novelty_begin();
  const r = program_begin(index);
  const planned = guided && corpus_count() != 0 && (r & 1) != 0;
  const n = planned ? plan_mutant() : program_length(r >> 8);
  let i: u32 = 0;
  while (i < n) {
    let word: u32 = planned ? load<u32>(PLAN + ((i as usize) << 2)) : FRESH;
    if (word == FRESH) word = i == 0 ? draw_first() : draw_op(false);
    if (word == FRESH) break;
    if (twice) word &= UNPAIRED;
    if (word & OP_PAIR) word = second_of_pair(word, i + 1, n, planned);
    store<u32>(program_word(i), word);
    const used = twice ? twins_step(i) : exec_step(i, word & OP_PAIR ? i + 2 : i + 1);
    digest_add((word as u64) | ((load<u8>(OP_RESULT) as u64) << 32) | ((load<u32>(TOUCHED) as u64) << 40));
    if (noting) note_state(word, i + used);
    if (!twice) judge_step(i);
    i += used;
    if (violated()) break;
  }
  count(N.PROGRAMS);
  digest_add(world_sum());
  if (!violated() && !twice) judge_world(i);
  if (noting) novelty_end(PROGRAM, i, guided && !violated());
  return i;
}
/** Puts the other half of pair `word` at index `i`; `word` unpaired if there is none. */
function second_of_pair(word: u32, i: u32, n: u32, planned: bool): u32 {
  if (i >= n) return word & UNPAIRED;
  let second: u32 = planned ? load<u32>(PLAN + ((i as usize) << 2)) : FRESH;
  if (second == FRESH) second = draw_op(true);
  if (second == FRESH) return word & UNPAIRED;
  store<u32>(program_word(i), second & UNPAIRED);
  return word;
}

/** Digest over the random streams, the ops' results and the leaves they touched since fuzz_begin. */
export function fuzz_digest(): u64 {
  return digest;
}
/** Adds a key of an earlier finding (not 0): a collecting run will not report its like. False if it was known. */
export function fuzz_know(key: u32): bool {
  return key != 0 && know_key(key);
}
/** The focus of the shards begun from now on: an index of fuzz_focus_row. False if there is none such. */
export function fuzz_focus(focus: u32): bool {
  return set_focus(focus);
}
/** "name \t doc" of a focus, "" past the end. */
export function fuzz_focus_row(index: u32): string {
  return focusRow(index);
}
/** What two runs of a program may differ in: "name \t modes \t what may differ \t why", "" past the end. */
export function fuzz_latitude_row(index: u32): string {
  return latitudeRow(index);
}
/** Blocks of the work area that TypeScript fills or reads: "NAME \t value", "" past the end. */
export function fuzz_describe(index: u32): string {
  return areaRow(index);
}
