// Threads: CPU accesses and GUP calls as resumable programs, sleepers, and the scheduler of an interleaved pair.
// The locals of a running thread are in VMF; a section that drops a lock ends with R.YIELD (only in interleaved mode).
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at } from '../kernel/trace';
import { faultin_page, foll_after_fault, gup_fast, gup_flags, gup_lookup, gup_wish, is_buffer, NO_FRAME } from '../mm/gup';
import {
  FAULTS_TAKEN, HANDLE_SIZE, HANDLES, MM_HAS_PINNED, NR_SLEEPERS, PG_PINS, SLEEPER_SIZE, SLEEPERS,
} from '../mm/layout';
import { handle_mm_fault, wp_page_copy_install } from '../mm/memory';
import { COMMON_VERSION, Obs, observe } from '../mm/observe';
import {
  compound_head, DAX_PFN, get_page, is_special_pfn, page_flags, page_ref, page_version, set_page_version,
} from '../mm/page';
import {
  mm_at, pmd_at, pmd_none, pmd_trans_huge, pte_at, pte_pfn, pte_present, pud_at, set_pmd_at, set_pte_at, _PAGE_ACCESSED,
  _PAGE_DIRTY, _PAGE_PRESENT, _PAGE_PSE, _PAGE_RW,
} from '../mm/pgtable';
import { tlb_entry, tlb_fill, tlb_forget, TLB_FRAME, TLB_RW, TLB_VALID, TLB_WRITE } from '../mm/tlb';
import { is_cow_mapping, vm_flags, VM_MAYWRITE, VM_READ, VM_WRITE } from '../mm/vma';
import {
  FAULT_FLAG_WRITE, interleaved, set_vmf_foll, set_vmf_stage, vmf_copy, vmf_faulted, vmf_flags, vmf_foll, vmf_index, vmf_mm, vmf_old,
  vmf_orig, vmf_page, vmf_stage, vmf_start, vmf_turn, vmf_word, VMF_COPYING, VMF_RUNS, VMF_WOKEN,
  VM_FAULT_MISSING, VM_FAULT_OOM, VM_FAULT_SIGBUS, VM_FAULT_SIGSEGV, VM_FAULT_SLEEP, VM_FAULT_YIELD,
} from '../mm/vmf';
import {
  F_GUP_FAST, F_GUP_FAST_ONLY, F_GUP_FORCE, F_GUP_PIN, F_GUP_WRITE, F_POPULATE_WRITE, F_WRITE_SAME, Op, op_code, op_cpu, op_flags, op_mm,
  op_page, op_y, R,
} from './table';

/** More turns than any loop that still gets somewhere takes, also against a hostile second thread. */
const MAX_TURNS: u32 = 32;
/** Internal FOLL bit: the flags of this call are set up. */
const FOLL_STARTED: u32 = 0x80000000;

/** Index of the op being executed; sleepers remember when they fell asleep. */
let now: u32 = 0;
export function set_now(index: u32): void {
  now = index;
}

// ---- sleepers

// @ts-ignore: decorator
@inline function sleeper(i: u32): usize {
  return SLEEPERS + (i as usize) * SLEEPER_SIZE;
}
/** Is there room for one more thread that sleeps? */
export function can_sleep(): bool {
  for (let i: u32 = 0; i < NR_SLEEPERS; i++) if (load<u8>(sleeper(i), 4) == 0) return true;
  return false;
}
function fall_asleep(word: u32, index: u32, mm: u32, page: u32): void {
  let last: u32 = 0;
  for (let i: u32 = 0; i < NR_SLEEPERS; i++) last = max<u32>(last, load<u8>(sleeper(i), 4));
  for (let i: u32 = 0; i < NR_SLEEPERS; i++) {
    const s = sleeper(i);
    if (load<u8>(s, 4)) continue;
    store<u32>(s, word);
    store<u8>(s, last + 1, 4);
    store<u8>(s, index, 5);
    store<u8>(s, now, 6);
    store<u8>(s, (mm << 4) | page, 7);
    return;
  }
}
/** The threads of mm die. */
export function kill_sleepers(mm: u32): void {
  for (let i: u32 = 0; i < NR_SLEEPERS; i++) {
    if (load<u8>(sleeper(i), 4) && ((load<u8>(sleeper(i), 7) as u32) >> 4) == mm) store<u64>(sleeper(i), 0);
  }
}
/** The sleeper of `due` whose event was read last: the wait queue is a stack. */
function newest(due: u32): u32 {
  let found = ctz(due);
  for (let rest = due; rest != 0; rest &= rest - 1) {
    if (load<u8>(sleeper(ctz(rest)), 4) > load<u8>(sleeper(found), 4)) found = ctz(rest);
  }
  return found;
}
/** Wakes the threads that sleep on pages of `mask`: each runs its access again, to its end or back to sleep. */
export function wake_sleepers(mm: u32, mask: u32, results: usize): void {
  let due: u32 = 0;
  for (let i: u32 = 0; i < NR_SLEEPERS; i++) {
    const where: u32 = load<u8>(sleeper(i), 7);
    if (load<u8>(sleeper(i), 4) && where >> 4 == mm && (mask >> (where & 15)) & 1) due |= 1 << i;
  }
  while (due != 0) {
    const i = newest(due);
    due &= ~(1 << i);
    const s = sleeper(i);
    const word = load<u32>(s);
    const index: u32 = load<u8>(s, 5);
    store<u64>(s, 0);
    at(P.WAKE);
    vmf_start(word, index);
    set_vmf_stage(VMF_WOKEN);
    store<u8>(results + (index as usize), run_thread());
  }
}

// ---- running

/** Runs the thread in VMF until its op ends (R.*) or, interleaved, its section does (R.YIELD). */
export function run_thread(): u32 {
  const word = vmf_word();
  const code = op_code(word);
  const ret = code == Op.GUP ? run_gup() : code == Op.POPULATE ? run_populate() : run_access();
  if (ret > R.SLEEP && ret != R.YIELD && vmf_faulted()) observe(Obs.GAVE_UP, op_mm(word), op_page(word), 0, 0, vmf_index(), 0);
  return ret;
}

/** What a loop turn depends on; equal on two turns in a row = it will never end. */
function loop_state(mm: u32, page: u32, foll: u32): u64 {
  const pmd = pmd_at(mm, page >> 2);
  const leaf = pmd_trans_huge(pmd) ? pmd : pte_at(mm, page);
  let state = pmd * 0x9e3779b97f4a7c15 + rotl<u64>(leaf, 23) + pud_at(mm) + (foll as u64) * 0x100000001b3 + 1;
  if (pte_present(leaf)) {
    const f = pte_pfn(leaf);
    if (!is_special_pfn(f)) state += ((page_flags(f) | (page_ref(compound_head(f)) << 8)) as u64) << 40;
  }
  return state;
}

function resume_copy(): u32 {
  set_vmf_stage(VMF_RUNS);
  const mm = vmf_mm();
  const page = vmf_page();
  return wp_page_copy_install(mm, page, vmf_flags(), vm_flags(mm, page), vmf_orig(), vmf_old(), vmf_copy());
}
function sleep_on_event(write: bool, missing: bool): u32 {
  const word = vmf_word();
  const mm = op_mm(word);
  const page = op_page(word);
  observe(Obs.EVENT, mm, page, 0, 0, vmf_index(), (write ? 1 : 0) | (missing ? 2 : 0));
  fall_asleep(word, vmf_index(), mm, page);
  return R.SLEEP;
}
/** mm_account_fault: a fault that ended (not in sleep, nor in an error) counts for the thread, also one that GUP took. */
// @ts-ignore: decorator
@inline function mm_account_fault(): void {
  const taken = FAULTS_TAKEN + (vmf_index() as usize);
  store<u8>(taken, load<u8>(taken) + 1);
}
function livelock(mm: u32, page: u32): u32 {
  at(P.LIVELOCK);
  observe(Obs.NO_PROGRESS, mm, page, 0, 0, vmf_index(), 0);
  return R.LIVELOCK;
}

/** The hardware's page walk: the frame if the access may go ahead (sets A and D), or NO_FRAME. */
function walk(mm: u32, page: u32, write: bool, cpu: u32): u32 {
  const pud = pud_at(mm);
  if (pud & _PAGE_PSE) return write && !(pud & _PAGE_RW) ? NO_FRAME : DAX_PFN;
  const pmd = pmd_at(mm, page >> 2);
  if (pmd_none(pmd)) return NO_FRAME;
  const huge = pmd_trans_huge(pmd);
  const e = huge ? pmd : pte_at(mm, page);
  const need: u64 = write ? _PAGE_PRESENT | _PAGE_RW : _PAGE_PRESENT;
  if ((e & need) != need) return NO_FRAME;
  const walked = e | (write ? _PAGE_ACCESSED | _PAGE_DIRTY : _PAGE_ACCESSED);
  if (walked != e) {
    if (huge) set_pmd_at(mm, page >> 2, walked);
    else set_pte_at(mm, page, walked);
  }
  const f = huge ? pte_pfn(e) + (page & 3) : pte_pfn(e);
  tlb_fill(cpu, mm, page, f, (walked & _PAGE_RW) != 0, (walked & _PAGE_DIRTY) != 0);
  return f;
}

/** A CPU access: TLB, page walk, fault, again. */
function run_access(): u32 {
  const word = vmf_word();
  const mm = op_mm(word);
  const page = op_page(word);
  const cpu = op_cpu(word);
  const write = op_code(word) == Op.WRITE;
  const need: u32 = write ? TLB_VALID | TLB_WRITE : TLB_VALID;
  let before: u64 = 0;
  while (true) {
    let ret: u32;
    if (vmf_stage() == VMF_COPYING) {
      ret = resume_copy();
    } else {
      const cached = tlb_entry(cpu, mm, page);
      let f = NO_FRAME;
      // The fault that slept is retried as such, whatever the entry allows by now.
      if (vmf_stage() == VMF_WOKEN) set_vmf_stage(VMF_RUNS);
      else if ((cached & need) == need) f = cached & TLB_FRAME;
      else if (write && knob(K.TLB_READONLY_FAULTS) && (cached & (TLB_VALID | TLB_RW)) == TLB_VALID) {
        tlb_forget(cpu, mm, page);
      } else f = walk(mm, page, write, cpu);
      if (f != NO_FRAME) {
        if (write) {
          const version = op_flags(word) & F_WRITE_SAME ? COMMON_VERSION : vmf_index() + 1;
          set_page_version(f, version);
          observe(Obs.STORE, mm, page, 0, version, vmf_index(), 0);
        } else observe(Obs.LOAD, mm, page, 0, page_version(f), vmf_index(), 0);
        return R.OK;
      }
      const vma = vm_flags(mm, page);
      if (!(vma & VM_READ) || (write && !(vma & VM_WRITE))) return R.FAULT;
      const state = interleaved ? 0 : loop_state(mm, page, 0);
      if ((state != 0 && state == before) || vmf_turn() > MAX_TURNS) return livelock(mm, page);
      before = state;
      ret = handle_mm_fault(mm, page, write ? FAULT_FLAG_WRITE : 0);
    }
    if (ret & VM_FAULT_YIELD) return R.YIELD;
    if (ret & VM_FAULT_SLEEP) return sleep_on_event(write, (ret & VM_FAULT_MISSING) != 0);
    if (ret & VM_FAULT_OOM) return R.NOMEM;
    if (ret & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)) return R.FAULT;
    mm_account_fault();
  }
}

/** The page is found: take the reference and fill the handle. */
function grant(mm: u32, page: u32, h: u32, flags: u32, f: u32): u32 {
  const handle = HANDLES + (h as usize) * HANDLE_SIZE;
  // The other thread of a pair, or a call made while this one slept, may have taken it.
  if (load<u8>(handle)) return R.SKIP;
  get_page(f);
  if (flags & F_GUP_PIN) {
    store<u8>(mm_at(mm), 1, MM_HAS_PINNED);
    const pins = PG_PINS + (compound_head(f) as usize);
    if (!is_special_pfn(f)) store<u8>(pins, load<u8>(pins) + 1);
  }
  store<u8>(handle, 1);
  store<u8>(handle, mm, 1);
  store<u8>(handle, page, 2);
  store<u8>(handle, f, 3);
  store<u16>(handle, flags, 4);
  store<u8>(handle, vmf_index() + 1, 6);
  observe(Obs.GUP, mm, page, h, page_version(f), vmf_index(), 0);
  return R.OK;
}

function populated(): u32 {
  observe(Obs.SYSCALL, 0, 0, 0, 0, vmf_index(), 0);
  return R.OK;
}

/** May the call drop mmap_lock to wait for a uffd event? Not ptrace and /proc/PID/mem, which use FOLL_FORCE. */
// @ts-ignore: decorator
@inline function may_wait(flags: u32): bool {
  return !(flags & F_GUP_FORCE) && (knob(K.GUP_LONGTERM_FAST) || !is_buffer(flags));
}

/** A GUP call: fast walk, then lookup and fault in turn. */
function run_gup(): u32 {
  const word = vmf_word();
  const mm = op_mm(word);
  const page = op_page(word);
  const flags = op_flags(word);
  const vma = vm_flags(mm, page);
  let foll = vmf_foll();
  if (!(foll & FOLL_STARTED)) {
    if (load<u8>(HANDLES + (op_y(word) as usize) * HANDLE_SIZE)) return R.SKIP;
    if (!(vma & VM_READ)) return R.FAULT;
    if (flags & (F_GUP_FAST | F_GUP_FAST_ONLY) || (knob(K.GUP_LONGTERM_FAST) && is_buffer(flags))) {
      const f = gup_fast(mm, page, flags);
      if (f != NO_FRAME) return grant(mm, page, op_y(word), flags, f);
      if (flags & F_GUP_FAST_ONLY) {
        if (!(flags & (F_GUP_WRITE | F_GUP_PIN))) observe(Obs.FAST_REFUSED, mm, page, 0, 0, vmf_index(), 0);
        return R.REFUSED;
      }
    }
    if (flags & F_GUP_WRITE && !(vma & VM_WRITE) && !(flags & F_GUP_FORCE && vma & VM_MAYWRITE && is_cow_mapping(vma))) return R.FAULT;
    foll = gup_flags(vma, flags) | FOLL_STARTED;
    set_vmf_foll(foll);
  }
  return gup_loop(mm, page, foll);
}
/** MADV_POPULATE_READ or _WRITE: the same loop, to see to it that the page is there. */
function run_populate(): u32 {
  const word = vmf_word();
  const mm = op_mm(word);
  const page = op_page(word);
  const flags = op_flags(word);
  if (!(vmf_foll() & FOLL_STARTED)) {
    if (!knob(K.MADV_POPULATE)) return R.REFUSED;
    // Its VMA may have gone while it slept.
    const vma = vm_flags(mm, page);
    if (!(vma & VM_READ)) return R.FAULT;
    if (flags & F_POPULATE_WRITE && !(vma & VM_WRITE)) return R.REFUSED;
    set_vmf_foll((flags & F_POPULATE_WRITE ? F_GUP_WRITE : 0) | FOLL_STARTED);
  }
  return gup_loop(mm, page, vmf_foll());
}
/** Lookup and fault in turn, to the end of the op. */
function gup_loop(mm: u32, page: u32, started: u32): u32 {
  const word = vmf_word();
  const populate = op_code(word) == Op.POPULATE;
  const flags = op_flags(word);
  let foll = started;
  let before: u64 = 0;
  while (true) {
    let ret: u32;
    if (vmf_stage() == VMF_COPYING) {
      ret = resume_copy();
    } else {
      // The VMA may have gone while the lock was dropped.
      if (!(vm_flags(mm, page) & VM_READ)) return R.FAULT;
      const f = gup_lookup(mm, page, foll);
      if (f != NO_FRAME) return populate ? populated() : grant(mm, page, op_y(word), flags, f);
      if (populate) at(P.POPULATE_FAULT);
      const state = interleaved ? 0 : loop_state(mm, page, gup_wish);
      if ((state != 0 && state == before) || vmf_turn() > MAX_TURNS) return livelock(mm, page);
      before = state;
      ret = faultin_page(mm, page, gup_wish);
    }
    if (ret & VM_FAULT_YIELD) return R.YIELD;
    if (ret & VM_FAULT_SLEEP) {
      if (!populate && !may_wait(flags)) return R.FAULT;
      return sleep_on_event((flags & F_GUP_WRITE) != 0, (ret & VM_FAULT_MISSING) != 0);
    }
    if (ret & VM_FAULT_OOM) return R.NOMEM;
    if (ret & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)) return R.FAULT;
    mm_account_fault();
    foll = foll_after_fault(mm, page, foll, ret);
    if (interleaved) {
      at(P.GUP_UNLOCKED);
      set_vmf_foll(foll);
      return R.YIELD;
    }
  }
}
