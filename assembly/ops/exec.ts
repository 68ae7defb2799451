// Executes one op word on the world: results in OP_RESULT and RESULTS, what was seen in the observation log.
import { count, N } from '../kernel/counters';
import { K, knob } from '../kernel/knobs';
import { P } from '../kernel/points';
import { at, traceOp, traceSection } from '../kernel/trace';
import { dup_mmap } from '../mm/fork';
import {
  FREE_MASK, HANDLE_SIZE, HANDLES, MAX_OPS, MM_ALIVE, MM_GEN, MM_HAS_PINNED, MM_SIZE, NR_FRAMES, NR_MMS, OBS_COUNT,
  OP_RESULT, PG_PINS, PRISTINE, PROGRAM, RESULTS, THREADS, VMF, VMF_SIZE, WORLD, WORLD_SIZE, TOUCHED,
} from '../mm/layout';
import { madvise_pageout, unmap_region, zap_page_range } from '../mm/madvise';
import { mmap_region, vma_modify } from '../mm/mmap';
import { change_protection, CP_PROT_NUMA, mprotect_fixup } from '../mm/mprotect';
import { Obs, observe } from '../mm/observe';
import { compound_head, is_special_pfn, lru_add_drain, page_version, put_page, set_page_dirty, set_page_version } from '../mm/page';
import { mm_at, pmd_at, pmd_none, pmd_trans_huge } from '../mm/pgtable';
import { swapoff } from '../mm/swapfile';
import { clear_refs_write } from '../mm/task_mmu';
import { flush_tlb_mm } from '../mm/tlb';
import {
  mwriteprotect_range, userfaultfd_register, userfaultfd_release, userfaultfd_unregister, WP_ENOENT,
} from '../mm/userfaultfd';
import {
  mm_alive, mm_uffd, pages_with, set_mm_uffd, UFFD_EVENT_FORK, UFFD_OPEN, UFFD_WP_UNPOPULATED, VM_DAX, VM_DONTDUMP,
  VM_HUGEPAGE, VM_READ, VM_UFFD_WP,
} from '../mm/vma';
import { interleaved, setInterleaved, vmf_start } from '../mm/vmf';
import { pageout } from '../mm/vmscan';
import {
  arg_mask, F_GUP_FAST, F_GUP_FAST_ONLY, F_GUP_PIN, F_GUP_WRITE, F_MMAP_DAX, F_MMAP_THP, F_MPROTECT_RW,
  F_PAGEOUT_MADV, F_UFFD_EVENT_FORK, F_UFFD_WP_UNPOPULATED, Op, op_code, op_flags, op_mm, op_page, OP_PAIR, OP_SCHEDULE_BITS,
  OP_SCHEDULE_SHIFT, op_y, PAGE_ARG_ALL, PAGE_ARG_COUNT, R,
} from './table';
import { can_sleep, kill_sleepers, run_access, run_gup, run_thread, set_now, wake_sleepers } from './threads';

/** Builds the pristine world: process A with nothing mapped. Call once. */
export function world_init(): void {
  memory.fill(WORLD, 0, WORLD_SIZE);
  store<u32>(FREE_MASK, ((1 << NR_FRAMES) - 1) as u32);
  store<u8>(mm_at(0), 1, MM_ALIVE);
  store<u8>(mm_at(0), 1, MM_GEN);
  memory.copy(PRISTINE, WORLD, WORLD_SIZE);
}
// @ts-ignore: decorator
@inline export function world_reset(): void {
  memory.copy(WORLD, PRISTINE, WORLD_SIZE);
  store<u32>(TOUCHED, 0);
  store<u32>(OBS_COUNT, 0);
}

/** Flags an op takes, as a mask. */
function op_flag_mask(code: u32): u32 {
  switch (code) {
    case Op.MMAP: return F_MMAP_THP | F_MMAP_DAX;
    case Op.MPROTECT: return F_MPROTECT_RW;
    case Op.PAGEOUT: return F_PAGEOUT_MADV;
    case Op.UFFD_REG: return F_UFFD_EVENT_FORK | F_UFFD_WP_UNPOPULATED;
    case Op.GUP: return 0xff;
  }
  return 0;
}
/** Is the word one that the table allows? Unused fields are ignored. */
export function op_valid(word: u32): bool {
  const code = op_code(word);
  if (code >= Op.COUNT || op_mm(word) >= NR_MMS || op_page(word) >= PAGE_ARG_COUNT) return false;
  const flags = op_flags(word);
  if (flags & ~op_flag_mask(code)) return false;
  switch (code) {
    case Op.READ:
    case Op.WRITE: return op_page(word) < 8;
    case Op.GUP: return op_page(word) < 8 && (flags & (F_GUP_FAST | F_GUP_FAST_ONLY)) != (F_GUP_FAST | F_GUP_FAST_ONLY);
    case Op.MMAP: return !(flags & F_MMAP_DAX) || (op_page(word) == PAGE_ARG_ALL && !(flags & F_MMAP_THP));
    case Op.FORK: return op_y(word) < NR_MMS && op_y(word) != op_mm(word);
  }
  return true;
}

// @ts-ignore: decorator
@inline function done(index: u32): u32 {
  observe(Obs.SYSCALL, 0, 0, 0, 0, index, 0);
  return R.OK;
}
// @ts-ignore: decorator
@inline function handle_at(h: u32): usize {
  return HANDLES + (h as usize) * HANDLE_SIZE;
}

function op_mmap(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  if (pages_with(mm, mask, 0, VM_READ) != mask) return R.SKIP;
  mmap_region(mm, mask, flags & F_MMAP_DAX ? VM_DAX : flags & F_MMAP_THP ? VM_HUGEPAGE : 0);
  return done(index);
}
function op_fork(mm: u32, child: u32, index: u32): u32 {
  if (mm_alive(child)) return R.SKIP;
  const at_child = mm_at(child);
  const gen = load<u8>(at_child, MM_GEN);
  memory.fill(at_child, 0, MM_SIZE);
  store<u8>(at_child, gen + 1, MM_GEN);
  store<u8>(at_child, 1, MM_ALIVE);
  const uffd = mm_uffd(mm);
  // dup_userfaultfd goes by VMA: without a registered one there is nothing to inherit.
  const inherit = (uffd & (UFFD_OPEN | UFFD_EVENT_FORK)) == (UFFD_OPEN | UFFD_EVENT_FORK) &&
    pages_with(mm, 0xff, VM_UFFD_WP, 0) != 0;
  if (inherit) set_mm_uffd(child, uffd);
  if (!dup_mmap(child, mm, inherit)) {
    at(P.FORK_FAILS);
    exit_mmap(child);
    return R.NOMEM;
  }
  return done(index);
}
function exit_mmap(mm: u32): void {
  unmap_region(mm, 0xff);
  flush_tlb_mm(mm);
  kill_sleepers(mm);
  set_mm_uffd(mm, 0);
  store<u8>(mm_at(mm), 0, MM_HAS_PINNED);
  store<u8>(mm_at(mm), 0, MM_ALIVE);
}
function op_put(h: u32, index: u32): u32 {
  const handle = handle_at(h);
  if (load<u8>(handle) == 0) return R.SKIP;
  const f: u32 = load<u8>(handle, 3);
  const flags: u32 = load<u16>(handle, 4);
  store<u64>(handle, 0);
  if (!is_special_pfn(f)) {
    const pins = PG_PINS + (compound_head(f) as usize);
    if (flags & F_GUP_PIN) store<u8>(pins, load<u8>(pins) - 1);
    if (flags & F_GUP_WRITE) set_page_dirty(f);
    put_page(f);
  }
  return done(index);
}
function op_hread(h: u32, index: u32): u32 {
  const handle = handle_at(h);
  if (load<u8>(handle) == 0) return R.SKIP;
  observe(Obs.HREAD, 0, 0, h, page_version(load<u8>(handle, 3)), index, 0);
  return R.OK;
}
function op_hwrite(h: u32, index: u32): u32 {
  const handle = handle_at(h);
  if (load<u8>(handle) == 0 || !((load<u16>(handle, 4) as u32) & F_GUP_WRITE)) return R.SKIP;
  const f: u32 = load<u8>(handle, 3);
  set_page_version(f, index + 1);
  if (!is_special_pfn(f)) set_page_dirty(f);
  observe(Obs.HWRITE, 0, 0, h, index + 1, index, 0);
  return R.OK;
}
/** As user space does it: a VMA boundary in the middle of the huge page, for a moment. */
function op_thp_split(mm: u32, mask: u32, index: u32): u32 {
  let split = false;
  for (let pmd: u32 = 0; pmd < 2; pmd++) {
    const e = pmd_at(mm, pmd);
    if (!((mask >> (pmd << 2)) & 0xf)) continue;
    if (!pmd_none(e) && pmd_trans_huge(e)) split = true;
    const half = pages_with(mm, 0xc << (pmd << 2), VM_READ, 0);
    vma_modify(mm, half, VM_DONTDUMP, 0);
    vma_modify(mm, half, 0, VM_DONTDUMP);
  }
  return split ? done(index) : R.SKIP;
}
function op_uffd_reg(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  let features: u32 = flags & F_UFFD_EVENT_FORK ? UFFD_EVENT_FORK : 0;
  if (flags & F_UFFD_WP_UNPOPULATED) features |= UFFD_WP_UNPOPULATED;
  if (!userfaultfd_register(mm, mask, features)) return R.REFUSED;
  const granted = mm_uffd(mm);
  observe(Obs.SYSCALL, 0, 0, 0, 0, index, (granted & UFFD_WP_UNPOPULATED ? 1 : 0) | (granted & UFFD_EVENT_FORK ? 2 : 0));
  return R.OK;
}

/** Wakes with a non-interleaved scheduler: a woken thread runs to its end inside the waking op. */
function wake(mm: u32, mask: u32): void {
  const mode = interleaved;
  setInterleaved(false);
  wake_sleepers(mm, mask, RESULTS);
  setInterleaved(mode);
}

/** Mapped pages among those the op names. */
// @ts-ignore: decorator
@inline function mapped_pages(mm: u32, word: u32): u32 {
  return pages_with(mm, arg_mask(op_page(word)), VM_READ, 0);
}
function op_pageout(mm: u32, mask: u32, flags: u32, index: u32): u32 {
  if (flags & F_PAGEOUT_MADV) madvise_pageout(mm, mask);
  else for (let rest = mask; rest != 0; rest &= rest - 1) pageout(mm, ctz(rest));
  return done(index);
}
function op_uffd_unreg(mm: u32, mask: u32, index: u32): u32 {
  if (!userfaultfd_unregister(mm, mask)) return R.REFUSED;
  done(index);
  if (knob(K.UFFD_UNREGISTER_WAKES_WP)) wake(mm, mask);
  return R.OK;
}
function op_uffd_close(mm: u32, index: u32): u32 {
  if (!userfaultfd_release(mm)) return R.REFUSED;
  done(index);
  wake(mm, 0xff);
  return R.OK;
}
/** wp (protect) or unwp. It may fail midway; then nobody is woken. */
function op_wp(mm: u32, word: u32, protect: bool, index: u32): u32 {
  const asked = arg_mask(op_page(word));
  if (mapped_pages(mm, word) == 0) return R.SKIP;
  const result = mwriteprotect_range(mm, asked, protect);
  if (result & WP_ENOENT) {
    if (result != WP_ENOENT) observe(Obs.WP_PARTIAL, mm, 0, 0, 0, index, 0);
    return R.REFUSED;
  }
  done(index);
  if (!protect && !knob(K.MUTANT_UNWP_FORGETS_WAKE)) wake(mm, asked);
  return R.OK;
}

/** One op, to its end; threads (read, write, gup) may return R.YIELD in interleaved mode. One jump decides. */
function exec_op(word: u32, index: u32): u32 {
  const mm = op_mm(word);
  const alive = mm_alive(mm);
  switch (op_code(word)) {
    case Op.MMAP: return alive ? op_mmap(mm, arg_mask(op_page(word)), op_flags(word), index) : R.SKIP;
    case Op.MUNMAP: {
      const mask = mapped_pages(mm, word);
      if (!alive || mask == 0) return R.SKIP;
      unmap_region(mm, mask);
      return done(index);
    }
    case Op.READ:
    case Op.WRITE:
      if (!alive || !can_sleep()) return R.SKIP;
      vmf_start(word, index);
      return run_access();
    case Op.FORK: return alive ? op_fork(mm, op_y(word), index) : R.SKIP;
    case Op.EXIT:
      if (!alive) return R.SKIP;
      exit_mmap(mm);
      return done(index);
    case Op.MPROTECT: {
      const mask = mapped_pages(mm, word);
      if (!alive || mask == 0) return R.SKIP;
      mprotect_fixup(mm, mask, (op_flags(word) & F_MPROTECT_RW) != 0);
      return done(index);
    }
    case Op.DONTNEED: {
      const mask = mapped_pages(mm, word);
      if (!alive || mask == 0) return R.SKIP;
      zap_page_range(mm, mask);
      return done(index);
    }
    case Op.PAGEOUT: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_pageout(mm, mask, op_flags(word), index) : R.SKIP;
    }
    case Op.SWAPOFF: return swapoff() ? done(index) : R.NOMEM;
    case Op.NUMA_HINT: {
      const mask = mapped_pages(mm, word);
      if (!alive || mask == 0) return R.SKIP;
      change_protection(mm, pages_with(mm, mask, 0, VM_DAX), CP_PROT_NUMA);
      return done(index);
    }
    case Op.CLEAR_REFS:
      if (!alive) return R.SKIP;
      clear_refs_write(mm);
      return done(index);
    case Op.THP_SPLIT: return alive ? op_thp_split(mm, mapped_pages(mm, word), index) : R.SKIP;
    case Op.UFFD_REG: {
      const mask = mapped_pages(mm, word);
      if (!alive || mask == 0) return R.SKIP;
      return op_uffd_reg(mm, mask, op_flags(word), index);
    }
    case Op.UFFD_UNREG: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_uffd_unreg(mm, mask, index) : R.SKIP;
    }
    case Op.UFFD_CLOSE: return alive ? op_uffd_close(mm, index) : R.SKIP;
    case Op.WP: return alive ? op_wp(mm, word, true, index) : R.SKIP;
    case Op.UNWP: return alive ? op_wp(mm, word, false, index) : R.SKIP;
    case Op.WAKE:
      // By address: the pages need not be mapped any more.
      if (!alive) return R.SKIP;
      if (!(mm_uffd(mm) & UFFD_OPEN)) return R.REFUSED;
      done(index);
      wake(mm, arg_mask(op_page(word)));
      return R.OK;
    case Op.GUP:
      if (!alive || !can_sleep()) return R.SKIP;
      vmf_start(word, index);
      return run_gup();
    case Op.HREAD: return op_hread(op_y(word), index);
    case Op.HWRITE: return op_hwrite(op_y(word), index);
    case Op.PUT: return op_put(op_y(word), index);
  }
  return R.SKIP;
}

// ---- pairs

function is_thread(word: u32): bool {
  const code = op_code(word);
  return code == Op.READ || code == Op.WRITE || code == Op.GUP;
}
/** Does the op take mmap_lock for writing? Then it waits for faults and GUP calls of that mm that are under way. */
function takes_mmap_lock(word: u32): bool {
  switch (op_code(word)) {
    case Op.MMAP:
    case Op.MUNMAP:
    case Op.FORK:
    case Op.EXIT:
    case Op.MPROTECT:
    case Op.CLEAR_REFS:
    case Op.UFFD_REG:
    case Op.UFFD_UNREG:
    case Op.UFFD_CLOSE: return true;
  }
  return false;
}
// @ts-ignore: decorator
@inline function thread_at(t: u32): usize {
  return THREADS + (t as usize) * VMF_SIZE;
}
/** One section of thread t (op `word`), its locals swapped in and out. */
function step_thread(t: u32, word: u32, index: u32, started: bool): u32 {
  if (!is_thread(word)) {
    setInterleaved(false);
    const ret = exec_op(word, index);
    setInterleaved(true);
    return ret;
  }
  let ret: u32;
  if (!started) ret = exec_op(word, index);
  else {
    memory.copy(VMF, thread_at(t), VMF_SIZE);
    ret = run_thread();
  }
  memory.copy(thread_at(t), VMF, VMF_SIZE);
  return ret;
}
/** Two ops at once: the schedule of the first word says who takes each step; when it is used up, first come first served. */
function exec_pair(first: u32, second: u32, index: u32): void {
  const schedule = first >> OP_SCHEDULE_SHIFT;
  let running: u32 = 3;
  let started: u32 = 0;
  setInterleaved(true);
  for (let k: u32 = 0; running != 0; k++) {
    let t = k < OP_SCHEDULE_BITS ? (schedule >> k) & 1 : 0;
    if (!((running >> t) & 1)) t ^= 1;
    // The first op is a thread, so only the second can have to wait.
    const waits = t == 1 && (started & running & 1) != 0 && takes_mmap_lock(second) && op_mm(second) == op_mm(first);
    if (waits) t = 0;
    traceSection(t, waits);
    const word = t ? second : first;
    const ret = step_thread(t, word, index + t, ((started >> t) & 1) != 0);
    started |= 1 << t;
    if (ret == R.YIELD) continue;
    running &= ~(1 << t);
    store<u8>(RESULTS + ((index + t) as usize), ret);
  }
  setInterleaved(false);
}

/** Executes op `index` of an n-op program, or the pair that starts there. Returns the number of op words used. */
export function exec_step(index: u32, n: u32): u32 {
  const word = load<u32>(PROGRAM + ((index as usize) << 2));
  store<u32>(OBS_COUNT, 0);
  lru_add_drain();
  set_now(index);
  traceOp(index);
  count(N.OPS);
  if (word & OP_PAIR && index + 1 < n && index + 1 < MAX_OPS && is_thread(word)) {
    count(N.OPS);
    exec_pair(word, load<u32>(PROGRAM + ((index as usize) << 2), 4), index);
    store<u32>(OP_RESULT, load<u8>(RESULTS + (index as usize)));
    return 2;
  }
  const ret = exec_op(word, index);
  if (ret == R.SKIP) count(N.SKIPPED);
  store<u8>(RESULTS + (index as usize), ret);
  store<u32>(OP_RESULT, ret);
  return 1;
}
