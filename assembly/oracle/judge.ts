// The judges at work: after each op its observations and the leaves it wrote, at the end the whole world.
import {
  COUNTERS, HANDLE_SIZE, HANDLES, HPAGE_PMD_NR, NR_MMS, NR_PAGES, NR_SLEEPERS, OBS_COUNT, PROGRAM, RESULTS, SLEEPER_SIZE,
  SLEEPERS, TOUCHED,
} from '../mm/layout';
import { Obs, obs_at, obs_handle, obs_index, obs_kind, obs_mm, obs_page } from '../mm/observe';
import { page_version } from '../mm/page';
import { _PAGE_TABLE, is_guard_pte_marker, pmd_at, pmd_trans_huge, pte_at, pud_at } from '../mm/pgtable';
import {
  arg_mask, F_GUP_BREAK_COW, F_GUP_LONGTERM, F_GUP_PIN, F_GUP_WRITE, Op, op_code, op_flags, op_mm, op_page, OP_PAIR, op_target, R,
} from '../ops/table';
import { N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { check_counts, check_page_bugs, recount_begin, recount_huge_pmd, recount_pte } from './accounting';
import { before_reset, note_before } from './before';
import { check_economy, economy_reset, note_users } from './economy';
import { check_faults } from './faults';
import { hread } from './handles';
import { I } from './invariants';
import {
  DIRTY, GUARDED, has, held, MAPPED, mask, promises_reset, TRACKING, UNPROTECTED, WP_YES, WRITE_SEEN,
} from './promises';
import { observed, read } from './reference';
import { fork_failed } from './syscalls';
import { clearViolations, NONE, setViolationOp, violate } from './report';
import {
  carries_uffd_wp, check_leaf, check_pinned, check_tlb, check_tlbs, contents, fast_gup_must_find, leaf_of,
  reports_soft_dirty, residency,
} from './structure';
import { check_vain } from './vain';

/** 0 off, 1 leaves written by each op and the world at the end, 2 the world after each op; + 4: warnings too. */
let mode: u32 = 1;
let warnings: bool = false;
/** As asked for with set_judges, or by the kernel's own knob; of the program. */
let costs: bool = false;
let copies: u64 = 0;
let faults: u64 = 0;
export function set_judges(value: u32): void {
  mode = min<u32>(value & 3, 2);
  warnings = (value & 4) != 0;
}

/** A new program: no violations, nothing promised but that process A lives. */
export function judge_reset(): void {
  clearViolations();
  promises_reset();
  costs = warnings || knob(K.JUDGE_WARNINGS);
  if (costs) {
    economy_reset();
    before_reset();
    copies = copies_made();
    faults = faults_taken();
  }
  store<u32>(TOUCHED, 0);
}

/** Judges program op `index` (with the next one, if they ran as a pair): call it after each exec_step. */
export function judge_step(index: u32): void {
  if (mode == 0) return;
  setViolationOp(index);
  note_failed_fork(index);
  if (is_pair(index)) note_failed_fork(index + 1);
  const n = load<u32>(OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const o = obs_at(i);
    const word = op_at(obs_index(o));
    observed(o, word);
    switch (obs_kind(o)) {
      case Obs.GUP:
        if ((op_flags(word) & F_GUP_PIN) != 0) check_pinned(obs_mm(o), obs_page(o), obs_handle(o));
        break;
      case Obs.SYSCALL:
        if (wakes(op_code(word))) check_sleepers(word, index);
        break;
      case Obs.FAST_REFUSED:
        check_refusal(o, word, index);
        break;
    }
  }
  check_touched();
  check_page_bugs();
  if (costs) judge_costs(index);
  if (mode == 2) check_world();
}
// @ts-ignore: decorator
@inline function copies_made(): u64 {
  return load<u64>(COUNTERS, N.COPIES << 3);
}
// @ts-ignore: decorator
@inline function faults_taken(): u64 {
  return load<u64>(COUNTERS, N.FAULTS << 3);
}
function judge_costs(index: u32): void {
  const copied = copies_made();
  const taken = faults_taken();
  if (!is_pair(index)) {
    const result: u32 = load<u8>(RESULTS + (index as usize));
    check_economy(copied != copies);
    check_vain(op_at(index), result);
    check_faults(op_at(index), result, (taken - faults) as u32);
  }
  copies = copied;
  faults = taken;
  note_users();
  note_before();
}

/** Judges everything at the end of a program of `n` ops. */
export function judge_world(n: u32): void {
  if (mode == 0) return;
  setViolationOp(n == 0 ? 0 : n - 1);
  check_world();
}

function check_touched(): void {
  let touched = load<u32>(TOUCHED);
  store<u32>(TOUCHED, 0);
  while (touched != 0) {
    const bit = ctz(touched);
    const mm = bit >> 3;
    const page = bit & 7;
    if (is_leaf(pmd_at(mm, page / HPAGE_PMD_NR))) {
      const first = page & ~(HPAGE_PMD_NR - 1);
      touched &= ~(0xf << ((mm << 3) + first));
      check_huge(mm, first);
    } else {
      touched &= touched - 1;
      const e = leaf_of(mm, page);
      check_small(mm, page, e);
      check_tlb(mm, page, e);
    }
  }
}

/** Does the PMD stand for four pages itself, as a huge leaf or its migration entry? */
// @ts-ignore: decorator
@inline function is_leaf(pmd: u64): bool {
  return pmd != 0 && pmd != _PAGE_TABLE;
}
// @ts-ignore: decorator
@inline function check_small(mm: u32, page: u32, e: u64): void {
  if (e != 0) check_leaf(mm, page, e);
  check_promises(mm, page, e);
}
/** A huge PMD with its four pages. */
function check_huge(mm: u32, first: u32): void {
  const e = leaf_of(mm, first);
  check_leaf(mm, first, e);
  for (let page = first; page < first + HPAGE_PMD_NR; page++) {
    check_tlb(mm, page, e);
    check_promises(mm, page, e);
  }
}

/** The leaf against the reference memory: contents (I3, I4, I10), uffd-wp (I6), soft-dirty (I11). */
// @ts-ignore: decorator
@inline function check_promises(mm: u32, page: u32, e: u64): void {
  if (!has(mm, MAPPED, page)) return;
  read(mm, page, contents(mm, page, e), NONE);
  const judged = mask(mm, WP_YES) | mask(mm, DIRTY) | mask(mm, UNPROTECTED) | mask(mm, GUARDED);
  if (((judged >> page) & 1) != 0) check_bits(mm, page, e);
  else if (is_guard_pte_marker(e)) violate(I.GUARD_LOST, mm, page, NONE, 0, 1, residency(e));
  if (costs) check_warnings(mm, page, e);
}
/** I11's second half: soft-dirty needs a write, or a fork that copied. */
function check_warnings(mm: u32, page: u32, e: u64): void {
  if (!has(mm, TRACKING, page) || has(mm, WRITE_SEEN, page) || !reports_soft_dirty(mm, page, e)) return;
  violate(I.SOFTDIRTY_SPURIOUS, mm, page, NONE, 0, 1, residency(e));
}
function check_bits(mm: u32, page: u32, e: u64): void {
  // detail of all: structure.Residency.
  if (has(mm, GUARDED, page) != is_guard_pte_marker(e)) {
    violate(I.GUARD_LOST, mm, page, NONE, has(mm, GUARDED, page) ? 1 : 0, is_guard_pte_marker(e) ? 1 : 0, residency(e));
  }
  if (has(mm, WP_YES, page) && !carries_uffd_wp(e)) violate(I.WP_LOST, mm, page, NONE, 1, 0, residency(e));
  // detail 2: asynchronously protected, stored to, and still protected.
  if (has(mm, UNPROTECTED, page) && carries_uffd_wp(e)) violate(I.WP_SILENT_WRITE, mm, page, NONE, 0, 1, 2);
  if (has(mm, DIRTY, page) && !reports_soft_dirty(mm, page, e)) violate(I.SOFTDIRTY_LOST, mm, page, NONE, 1, 0, residency(e));
}

function check_world(): void {
  recount_begin();
  for (let mm: u32 = 0; mm < NR_MMS; mm++) check_mm(mm);
  check_counts();
  check_tlbs();
  for (let m = held(); m != 0; m &= m - 1) {
    const h = ctz(m);
    const f: u32 = load<u8>(HANDLES + (h as usize) * HANDLE_SIZE, 3);
    hread(h, page_version(f));
  }
}
function check_mm(mm: u32): void {
  // Pages that are promised, or that a huge PUD maps.
  const pages = pmd_trans_huge(pud_at(mm)) ? 0xff : mask(mm, MAPPED);
  for (let first: u32 = 0; first < NR_PAGES; first += HPAGE_PMD_NR) {
    const pmd = pmd_at(mm, first / HPAGE_PMD_NR);
    if (is_leaf(pmd)) {
      if (pmd_trans_huge(pmd)) recount_huge_pmd(pmd);
      check_huge(mm, first);
    } else if (pmd != 0) {
      for (let page = first; page < first + HPAGE_PMD_NR; page++) {
        const e = pte_at(mm, page);
        recount_pte(e);
        check_small(mm, page, e);
      }
    } else if (((pages >> first) & 0xf) != 0) {
      for (let page = first; page < first + HPAGE_PMD_NR; page++) check_small(mm, page, leaf_of(mm, page));
    }
  }
}

// @ts-ignore: decorator
@inline function op_at(index: u32): u32 {
  return load<u32>(PROGRAM + ((index as usize) << 2));
}
/** Did op `index` run with the next one? */
// @ts-ignore: decorator
@inline function is_pair(index: u32): bool {
  const word = op_at(index);
  const code = op_code(word);
  return (word & OP_PAIR) != 0 && (code == Op.READ || code == Op.WRITE || code == Op.GUP || code == Op.POPULATE);
}

/** Only the op's result tells of a fork that failed midway. */
// @ts-ignore: decorator
@inline function note_failed_fork(index: u32): void {
  if (load<u8>(RESULTS + (index as usize)) != R.NOMEM) return;
  const word = op_at(index);
  if (op_code(word) == Op.FORK) fork_failed(op_mm(word));
}

/** Ops that owe a wake-up to whoever sleeps in their range. */
// @ts-ignore: decorator
@inline function wakes(code: u32): bool {
  switch (code) {
    case Op.UNWP:
    case Op.WAKE:
    case Op.UFFD_UNREG:
    case Op.UFFD_CLOSE:
    case Op.UFFD_COPY:
    case Op.UFFD_ZEROPAGE:
    case Op.UFFD_MOVE: return true;
  }
  return false;
}
/** I9: a thread that fell asleep before this op still does. detail 1: nobody will wake it. */
function check_sleepers(word: u32, index: u32): void {
  const mm = op_mm(word);
  const code = op_code(word);
  const range: u32 = code == Op.UFFD_CLOSE ? 0xff : arg_mask(code == Op.UFFD_MOVE ? op_target(word) : op_page(word));
  const pages = range & mask(mm, MAPPED);
  for (let i: u32 = 0; i < NR_SLEEPERS; i++) {
    const sleeper = SLEEPERS + (i as usize) * SLEEPER_SIZE;
    if (load<u8>(sleeper, 4) == 0 || (load<u8>(sleeper, 6) as u32) >= index) continue;
    const where: u32 = load<u8>(sleeper, 7);
    if (where >> 4 == mm && ((pages >> (where & 7)) & 1) != 0) violate(I.NO_PROGRESS, mm, where & 7, NONE, 0, 0, 1);
  }
}

/** I19. In a pair the other thread may have changed the leaf in between, so nothing is judged there. */
function check_refusal(o: u32, word: u32, index: u32): void {
  if ((op_flags(word) & (F_GUP_WRITE | F_GUP_PIN | F_GUP_LONGTERM | F_GUP_BREAK_COW)) != 0) return;
  if (is_pair(index)) return;
  if (fast_gup_must_find(obs_mm(o), obs_page(o))) violate(I.FAST_ONLY_REFUSED, obs_mm(o), obs_page(o), NONE, 0, 0, 0);
}
