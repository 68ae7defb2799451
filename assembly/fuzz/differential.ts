// Differential runs (I15, and the half of I16 that compares): the program as it is drawn and a twin of it, step by step.
//
//   pmd         huge pages as the program asks for them; its twin runs where they are never given
//   residency   what an op is about to touch is paged out before each op that is no access; its twin stays resident
//   batch       each op over a range; its twin does the same page by page, ascending
//   permission  a leaf that got the write bit without a store, against a fresh write fault there
//
// The first run is what the trace tells and the reference memory follows; what the two may differ in is latitude.ts.
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { resume_tracing, suspend_tracing } from '../kernel/trace';
import { set_thp_never } from '../mm/huge_memory';
import {
  MAX_OPS, NR_HANDLES, NR_MMS, NR_PAGES, OBS, OBS_COUNT, OP_RESULT, PROGRAM, RESULTS, TOUCHED, VIOLATION, WORLD, WORLD_SIZE,
} from '../mm/layout';
import { Obs, obs_at, obs_flags, obs_handle, obs_index, obs_kind, obs_mm, obs_page, obs_version } from '../mm/observe';
import { pages_with, VM_READ } from '../mm/vma';
import { pageout } from '../mm/vmscan';
import { exec_step } from '../ops/exec';
import { arg_first, arg_mask, Op, op_code, op_mm, op_page, OP_PAIR, op_target, opRow, R } from '../ops/table';
import { op_valid } from '../ops/valid';
import { handle_page, mask, WP_MAYBE } from '../oracle/promises';
import { I } from '../oracle/invariants';
import { observed } from '../oracle/reference';
import { NONE, setViolationOp, violate } from '../oracle/report';
import {
  KEPT_VIOLATION, MAIN_RESULTS, MAIN_VIEW, MAIN_WORLD, MAIN_OBS, MAIN_OBS_COUNT, TWIN_RESULTS, TWIN_VIEW, TWIN_WORLD, VIOLATION_BYTES,
} from './area';
import { fresh_begin, fresh_judge } from './fresh';
import {
  content_latitude, ends_comparison, handle_latitude, is_access, perhaps_missing, result_latitude,
  soft_dirty_latitude, Verdict, vma_latitude, woken_latitude, wp_latitude,
} from './latitude';
import { equal_views, See, take_view, view_bits, view_content, view_held, view_shown } from './view';

export namespace Mode {
  export const NONE: u32 = 0;
  export const PMD: u32 = 1;
  export const RESIDENCY: u32 = 2;
  export const BATCH: u32 = 3;
  export const PERMISSION: u32 = 4;
}
/** What differs: detail of an I15 violation, bits 0..3; bits 4..7 are the mode. Expected is the twin's, got the first run's. */
export namespace Differs {
  /** Results of an op (R). */
  export const RESULT: u32 = 0;
  /** Versions that a load or GUP saw. */
  export const SEEN: u32 = 1;
  /** Contents of a page. */
  export const CONTENT: u32 = 2;
  /** What a handle shows. */
  export const HANDLE: u32 = 3;
  export const UFFD_WP: u32 = 4;
  export const SOFT_DIRTY: u32 = 5;
  /** The VMA: mapped, writable, registered. */
  export const VMA: u32 = 6;
  /** Flags of an event: which kind. */
  export const EVENT: u32 = 7;
}

let mode: u32 = Mode.NONE;
let parted: bool = false;
/** Handles that were taken of a page whose contents are nobody's promise, bit = handle. */
let open: u32 = 0;
/** Ops over a range, those of them that move it, and ops of a process, bit = code; read from the op table. */
let ranges: u64 = 0;
let moves: u64 = 0;
let processes: u64 = 0;

/** The mode asked for: the first of its knobs that is on. */
function asked(): u32 {
  if (knob(K.DIFFERENTIAL_PMD)) return Mode.PMD;
  if (knob(K.DIFFERENTIAL_RESIDENCY)) return Mode.RESIDENCY;
  if (knob(K.DIFFERENTIAL_BATCH)) return Mode.BATCH;
  return knob(K.DIFFERENTIAL_PERMISSION) ? Mode.PERMISSION : Mode.NONE;
}
function read_op_table(): void {
  for (let code: u32 = 0; code < Op.COUNT; code++) {
    const shape = opRow(code).split('\t')[1];
    const words = shape.split(' ');
    for (let i = 0; i < words.length; i++) {
      if (words[i].startsWith('R')) ranges |= (1 as u64) << code;
      if (words[i].includes('->Q')) moves |= (1 as u64) << code;
      if (words[i].includes('X')) processes |= (1 as u64) << code;
    }
  }
}

/** A new program in a fresh world. Returns whether it runs twice. */
export function twins_begin(): bool {
  mode = asked();
  if (mode == Mode.NONE) return false;
  if (ranges == 0) read_op_table();
  parted = false;
  open = 0;
  memory.copy(TWIN_WORLD, WORLD, WORLD_SIZE);
  memory.fill(TWIN_RESULTS, 0xff, MAX_OPS);
  return true;
}
// @ts-ignore: decorator
@inline export function twins(): bool {
  return mode != Mode.NONE;
}

// @ts-ignore: decorator
@inline function word_at(index: u32): u32 {
  return load<u32>(PROGRAM + ((index as usize) << 2));
}
// @ts-ignore: decorator
@inline function set_word(index: u32, word: u32): void {
  store<u32>(PROGRAM + ((index as usize) << 2), word);
}
// @ts-ignore: decorator
@inline function result_of(results: usize, index: u32): u32 {
  return load<u8>(results + (index as usize));
}

/** Runs op `index` in both worlds and compares them: in place of exec_step and judge_step. Returns 1, the op words used. */
export function twins_step(index: u32): u32 {
  const word = word_at(index) & (OP_PAIR - 1);
  store<u32>(TOUCHED, 0);
  setViolationOp(index);
  if (mode == Mode.PERMISSION) {
    fresh_begin();
    run(index, word);
    fresh_judge(index);
    return 1;
  }
  if (mode == Mode.RESIDENCY) page_out_for(word);
  run(index, word);
  if (parted) return 1;
  const touched = load<u32>(TOUCHED);
  const seen = load<u32>(OBS_COUNT);
  take_view(MAIN_VIEW);
  memory.copy(MAIN_WORLD, WORLD, WORLD_SIZE);
  memory.copy(MAIN_RESULTS, RESULTS, MAX_OPS);
  memory.copy(MAIN_OBS, OBS, (seen as usize) << 2);
  store<u32>(MAIN_OBS_COUNT, seen);
  run_twin(index, word);
  compare(index, word);
  memory.copy(OBS, MAIN_OBS, (seen as usize) << 2);
  store<u32>(OBS_COUNT, seen);
  store<u32>(TOUCHED, touched);
  store<u32>(OP_RESULT, result_of(RESULTS, index));
  return 1;
}
/** One op alone, whether or not its word says that it runs with the next. */
function run(index: u32, word: u32): void {
  const drawn = word_at(index);
  set_word(index, word);
  exec_step(index, index + 1);
  set_word(index, drawn);
}

/** Pages that the op is about to touch leave memory: those that it names, or all of its process, or all. */
function page_out_for(word: u32): void {
  const code = op_code(word);
  if (is_access(code)) return;
  switch (code) {
    case Op.MMAP:
    case Op.PAGEOUT:
    case Op.HREAD:
    case Op.HWRITE:
    case Op.PUT: return;
  }
  const all = ((processes >> code) & 1) == 0;
  const pages: u32 = ((ranges >> code) & 1) != 0 ? arg_mask(op_page(word)) : 0xff;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    if (!all && mm != op_mm(word)) continue;
    for (let m = pages_with(mm, pages, VM_READ, 0); m != 0; m &= m - 1) pageout(mm, ctz(m));
  }
}

/**
 * The op in the twin's world. Afterwards the twin's observations are in place, the first run's at MAIN_OBS; worlds and
 * results are back where they belong.
 */
function run_twin(index: u32, word: u32): void {
  const tracing = suspend_tracing();
  memory.copy(WORLD, TWIN_WORLD, WORLD_SIZE);
  memory.copy(RESULTS, TWIN_RESULTS, MAX_OPS);
  if (mode == Mode.BATCH && ((ranges >> op_code(word)) & 1) != 0 && op_page(word) >= 8) run_page_by_page(index, word);
  else {
    if (mode == Mode.PMD) set_thp_never(true);
    run(index, word);
    set_thp_never(false);
  }
  take_view(TWIN_VIEW);
  memory.copy(TWIN_WORLD, WORLD, WORLD_SIZE);
  memory.copy(TWIN_RESULTS, RESULTS, MAX_OPS);
  memory.copy(WORLD, MAIN_WORLD, WORLD_SIZE);
  memory.copy(RESULTS, MAIN_RESULTS, MAX_OPS);
  resume_tracing(tracing);
}
function is_part(o: u32): bool {
  return obs_kind(o) == Obs.WP_PARTIAL || obs_kind(o) == Obs.FILLED;
}
/** The observations of the first run, which stand at MAIN_OBS then, tell of a call that did part of its work. */
function did_part(): bool {
  const n = load<u32>(MAIN_OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) if (is_part(load<u32>(MAIN_OBS + ((i as usize) << 2)))) return true;
  return false;
}
function run_page_by_page(index: u32, word: u32): void {
  const code = op_code(word);
  const whole = result_of(MAIN_RESULTS, index);
  let result: u32 = whole;
  if (whole == R.SKIP || (whole == R.REFUSED && !did_part())) {
    // Refused as a whole: there is nothing to take apart.
    store<u32>(OBS_COUNT, 0);
  } else if (whole == R.FAULT || !op_valid(single(word, arg_first(op_page(word))))) {
    run(index, word);
    return;
  } else {
    result = R.OK;
    for (let m = arg_mask(op_page(word)); m != 0; m &= m - 1) {
      const page = ctz(m);
      const absent = pages_with(op_mm(word), 1 << page, VM_READ, 0) == 0;
      if (absent && code != Op.MMAP && code != Op.WAKE) continue;
      run(index, single(word, page));
      const one = result_of(RESULTS, index);
      if (one == R.SKIP || one == R.OK) continue;
      result = one;
      break;
    }
  }
  store<u8>(RESULTS + (index as usize), result);
}
/** The op for one page of its range; where it moves, to the page as far from the first of the target. */
function single(word: u32, page: u32): u32 {
  const one = (word & ~0xf00) | (page << 8);
  if (((moves >> op_code(word)) & 1) == 0) return one;
  return (one & ~0xf0000) | ((arg_first(op_target(word)) + page - arg_first(op_page(word))) << 16);
}

// ---- the comparison

function differs(what: u32, mm: u32, page: u32, h: u32, twin: u32, first: u32): void {
  violate(I.BATCH_DIFFERS, mm, page, h, twin, first, what | (mode << 4));
}

function part(): void {
  parted = true;
  count(N.PARTED);
}
function compare(index: u32, word: u32): void {
  const maybe = mask(0, WP_MAYBE) | (mask(1, WP_MAYBE) << 8) | (mask(2, WP_MAYBE) << 16);
  compare_results(index, maybe);
  if (parted) return;
  compare_seen();
  if (parted) return;
  take_in(index);
  if (equal_views(MAIN_VIEW, TWIN_VIEW)) return;
  if (compare_vmas(word)) return;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) for (let page: u32 = 0; page < NR_PAGES; page++) compare_page(mm, page);
  for (let h: u32 = 0; h < NR_HANDLES; h++) {
    if (!view_held(MAIN_VIEW, h) || !view_held(TWIN_VIEW, h)) continue;
    const a = view_shown(MAIN_VIEW, h);
    const b = view_shown(TWIN_VIEW, h);
    if (a != b && ((open >> h) & 1) == 0 && !handle_latitude(h, a, b)) differs(Differs.HANDLE, NONE, handle_page(h), h, b, a);
  }
}
/** This op's result, and those of the threads that it woke. */
function compare_results(index: u32, maybe: u32): void {
  if (ends_comparison(word_at(index), result_of(MAIN_RESULTS, index), result_of(TWIN_RESULTS, index))) {
    part();
    return;
  }
  for (let i: u32 = 0; i <= index; i++) {
    const a = result_of(MAIN_RESULTS, i);
    const b = result_of(TWIN_RESULTS, i);
    if (a == b) continue;
    const word = word_at(i);
    let verdict = result_latitude(word, a, b, (maybe >> (op_mm(word) << 3)) & 0xff);
    if (verdict == Verdict.DIFFERS && mode == Mode.BATCH && i != index) {
      verdict = woken_latitude(word, a, b, result_of(MAIN_RESULTS, index) == R.REFUSED);
    }
    if (verdict == Verdict.PART) {
      part();
      return;
    }
    if (verdict == Verdict.IGNORE) continue;
    differs(Differs.RESULT, op_mm(word), is_access(op_code(word)) ? op_page(word) : NONE, NONE, b, a);
  }
}
/** The versions that loads and GUP calls of the first run (at MAIN_OBS) and of the twin saw. */
function compare_seen(): void {
  const n = load<u32>(MAIN_OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const o = load<u32>(MAIN_OBS + ((i as usize) << 2));
    const kind = obs_kind(o);
    if (kind == Obs.EVENT && other_event(o)) return;
    if (kind != Obs.LOAD && kind != Obs.GUP) continue;
    const other = twin_version(kind, obs_index(o));
    const latitude = content_latitude(obs_mm(o), obs_page(o));
    if (kind == Obs.GUP) open = other != obs_version(o) && latitude ? open | (1 << obs_handle(o)) : open & ~(1 << obs_handle(o));
    if (other == obs_version(o) || other == NONE || latitude) continue;
    differs(Differs.SEEN, obs_mm(o), obs_page(o), kind == Obs.GUP ? obs_handle(o) : NONE, other, obs_version(o));
  }
}
/** Does the twin's thread wait for another event: for a missing page, not a protected one, say? Then the runs part, or differ. */
function other_event(o: u32): bool {
  const n = load<u32>(OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const other = obs_at(i);
    if (obs_kind(other) != Obs.EVENT || obs_index(other) != obs_index(o) || obs_flags(other) == obs_flags(o)) continue;
    if (perhaps_missing(obs_mm(o), obs_page(o))) part();
    else differs(Differs.EVENT, obs_mm(o), obs_page(o), NONE, obs_flags(other), obs_flags(o));
    return true;
  }
  return false;
}
function twin_version(kind: u32, index: u32): u32 {
  const n = load<u32>(OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const o = obs_at(i);
    if (obs_kind(o) == kind && obs_index(o) == index) return obs_version(o);
  }
  return NONE;
}
/** The reference memory follows the first run. What it finds broken is the plain judges' business. */
function take_in(index: u32): void {
  memory.copy(KEPT_VIOLATION, VIOLATION, VIOLATION_BYTES);
  const n = load<u32>(MAIN_OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const o = load<u32>(MAIN_OBS + ((i as usize) << 2));
    observed(o, word_at(obs_index(o)));
  }
  memory.copy(VIOLATION, KEPT_VIOLATION, VIOLATION_BYTES);
}
/** Returns whether the runs part here. */
function compare_vmas(word: u32): bool {
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const a = view_bits(MAIN_VIEW, mm, page) & See.VMA;
      const b = view_bits(TWIN_VIEW, mm, page) & See.VMA;
      if (a == b) continue;
      if (vma_latitude(word, a, b) == Verdict.PART) {
        part();
        return true;
      }
      differs(Differs.VMA, mm, page, NONE, b, a);
    }
  }
  return false;
}
function compare_page(mm: u32, page: u32): void {
  const a = view_bits(MAIN_VIEW, mm, page);
  const b = view_bits(TWIN_VIEW, mm, page);
  const left = view_content(MAIN_VIEW, mm, page);
  const right = view_content(TWIN_VIEW, mm, page);
  if (left != right && !content_latitude(mm, page)) differs(Differs.CONTENT, mm, page, NONE, right, left);
  if (((a ^ b) & See.UFFD_WP) != 0 && !wp_latitude(mm, page)) {
    differs(Differs.UFFD_WP, mm, page, NONE, (b & See.UFFD_WP) / See.UFFD_WP, (a & See.UFFD_WP) / See.UFFD_WP);
  }
  if (((a ^ b) & See.SOFT_DIRTY) != 0 && !soft_dirty_latitude(mm, page, MAIN_VIEW, TWIN_VIEW)) {
    differs(Differs.SOFT_DIRTY, mm, page, NONE, (b & See.SOFT_DIRTY) / See.SOFT_DIRTY, (a & See.SOFT_DIRTY) / See.SOFT_DIRTY);
  }
}
