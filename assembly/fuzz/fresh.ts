// I16, the half that compares: a leaf that got the write bit although nobody stored or asked to, against what a fresh
// write fault would do at the same place: raise an event, copy, or record soft-dirty. If it would, the write bit lets
// later stores go past that.
import { COUNTERS, HPAGE_PMD_NR, NR_MMS, NR_PAGES, OBS_COUNT, PROGRAM, WORLD, WORLD_SIZE } from '../mm/layout';
import { N } from '../kernel/counters';
import { resume_tracing, suspend_tracing } from '../kernel/trace';
import { handle_mm_fault } from '../mm/memory';
import { Obs, obs_at, obs_index, obs_kind, obs_mm, obs_page } from '../mm/observe';
import { is_special_pfn, lru_add_drain, NO_PAGE } from '../mm/page';
import {
  pmd_at, pmd_none, pmd_trans_huge, pte_pfn, pte_present, pte_write, pte_wrprotect, set_pmd_at, set_pte_at,
} from '../mm/pgtable';
import { flush_tlb_mm } from '../mm/tlb';
import { mm_alive, VM_SOFTDIRTY, vm_flags, VM_WRITE } from '../mm/vma';
import { FAULT_FLAG_WRITE, VM_FAULT_OOM, VM_FAULT_SLEEP } from '../mm/vmf';
import { F_GUP_WRITE, F_POPULATE_WRITE, Op, op_code, op_flags, op_mm, op_page } from '../ops/table';
import { I } from '../oracle/invariants';
import { NONE, violate } from '../oracle/report';
import { leaf_of, reports_soft_dirty } from '../oracle/structure';
import { MAIN_WORLD, SAVED_COUNTERS } from './area';

/** Details of an I16 violation found here (0 to 2: a plain judge's): what the fresh fault would have done. */
export namespace Fresh {
  export const EVENT: u32 = 4;
  export const COPY: u32 = 5;
  export const SOFT_DIRTY: u32 = 6;
}

/** Faults that a store needs at most: split a huge page, leave protnone, copy. */
const TURNS: u32 = 6;
/** Before the op: pages that were writable, bit = mm * 8 + page, and frames that each process could write to, bit = frame. */
let before: u32 = 0;
let before0: u32 = 0;
let before1: u32 = 0;
let before2: u32 = 0;

// @ts-ignore: decorator
@inline function writable_frame(mm: u32, page: u32): u32 {
  const e = leaf_of(mm, page);
  if (!pte_present(e) || !pte_write(e) || (vm_flags(mm, page) & VM_WRITE) == 0) return NO_PAGE;
  const f = pte_pfn(e);
  return is_special_pfn(f) ? NO_PAGE : pmd_trans_huge(e) ? f + (page & (HPAGE_PMD_NR - 1)) : f;
}
function writable_frames(mm: u32): u32 {
  let found: u32 = 0;
  if (!mm_alive(mm)) return 0;
  for (let page: u32 = 0; page < NR_PAGES; page++) {
    const f = writable_frame(mm, page);
    if (f != NO_PAGE) found |= 1 << f;
  }
  return found;
}
function writable_pages(): u32 {
  let found: u32 = 0;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    if (!mm_alive(mm)) continue;
    for (let page: u32 = 0; page < NR_PAGES; page++) if (writable_frame(mm, page) != NO_PAGE) found |= 1 << ((mm << 3) + page);
  }
  return found;
}
/**
 * Writable pages that were not before, bit = mm * 8 + page. A page that goes to another address with its write bit, or to
 * another frame, gains nothing.
 */
function gained_pages(): u32 {
  let found: u32 = 0;
  for (let mm: u32 = 0; mm < NR_MMS; mm++) {
    if (!mm_alive(mm)) continue;
    const frames = mm == 0 ? before0 : mm == 1 ? before1 : before2;
    for (let page: u32 = 0; page < NR_PAGES; page++) {
      const f = writable_frame(mm, page);
      if (f != NO_PAGE && ((frames >> f) & 1) == 0) found |= 1 << ((mm << 3) + page);
    }
  }
  return found & ~before;
}
/** Pages whose leaf may become writable by what op `word` does at (mm, page). */
function leaf_pages(mm: u32, page: u32): u32 {
  const huge = pmd_trans_huge(pmd_at(mm, page / HPAGE_PMD_NR));
  return (huge ? 0xf << (page & ~(HPAGE_PMD_NR - 1)) : 1 << page) << (mm << 3);
}
function asks_to_write(word: u32): bool {
  const code = op_code(word);
  if (code == Op.POPULATE) return (op_flags(word) & F_POPULATE_WRITE) != 0;
  return code == Op.WRITE || (code == Op.GUP && (op_flags(word) & F_GUP_WRITE) != 0);
}
/** What this op, and the threads that it woke, wrote or meant to. */
function written(index: u32): u32 {
  const word = load<u32>(PROGRAM + ((index as usize) << 2));
  let found: u32 = asks_to_write(word) ? leaf_pages(op_mm(word), op_page(word)) : 0;
  const n = load<u32>(OBS_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const o = obs_at(i);
    const kind = obs_kind(o);
    const by = load<u32>(PROGRAM + ((obs_index(o) as usize) << 2));
    if (kind == Obs.STORE || kind == Obs.EVENT || (kind == Obs.GUP && asks_to_write(by))) found |= leaf_pages(obs_mm(o), obs_page(o));
  }
  return found;
}

export function fresh_begin(): void {
  before = writable_pages();
  before0 = writable_frames(0);
  before1 = writable_frames(1);
  before2 = writable_frames(2);
}
/** Judges the leaves that op `index` made writable. */
export function fresh_judge(index: u32): void {
  let gained = gained_pages();
  if (gained == 0) return;
  gained &= ~written(index);
  while (gained != 0) {
    const bit = ctz(gained);
    const mm = bit >> 3;
    const page = bit & 7;
    gained &= ~leaf_pages(mm, page);
    gained &= ~(1 << bit);
    const tracing = suspend_tracing();
    const detail = store_afresh(mm, page);
    resume_tracing(tracing);
    if (detail != 0) violate(I.PERMISSION_GAINED, mm, page, NONE, 0, 1, detail);
  }
}

/** What a write fault would do if the leaf had not got its write bit: a detail, or 0. Leaves the world as it is. */
function store_afresh(mm: u32, page: u32): u32 {
  lru_add_drain();
  memory.copy(MAIN_WORLD, WORLD, WORLD_SIZE);
  memory.copy(SAVED_COUNTERS, COUNTERS, N.COUNT << 3);
  const e = leaf_of(mm, page);
  const pmd = pmd_at(mm, page / HPAGE_PMD_NR);
  if (!pmd_none(pmd) && pmd_trans_huge(pmd)) set_pmd_at(mm, page / HPAGE_PMD_NR, pte_wrprotect(e));
  else set_pte_at(mm, page, pte_wrprotect(e));
  flush_tlb_mm(mm);
  const tracked = (vm_flags(mm, page) & VM_SOFTDIRTY) == 0 && !reports_soft_dirty(mm, page, e);
  const copies = load<u64>(COUNTERS, N.COPIES << 3);
  let detail: u32 = 0;
  for (let turn: u32 = 0; turn < TURNS; turn++) {
    const now = leaf_of(mm, page);
    if (pte_present(now) && pte_write(now)) break;
    const ret = handle_mm_fault(mm, page, FAULT_FLAG_WRITE);
    if ((ret & VM_FAULT_SLEEP) != 0) detail = Fresh.EVENT;
    if ((ret & (VM_FAULT_SLEEP | VM_FAULT_OOM)) != 0) break;
  }
  if (detail == 0 && load<u64>(COUNTERS, N.COPIES << 3) != copies) detail = Fresh.COPY;
  if (detail == 0 && tracked && reports_soft_dirty(mm, page, leaf_of(mm, page))) detail = Fresh.SOFT_DIRTY;
  memory.copy(COUNTERS, SAVED_COUNTERS, N.COUNT << 3);
  memory.copy(WORLD, MAIN_WORLD, WORLD_SIZE);
  return detail;
}
