// Executes one op word on the world: results in OP_RESULT and RESULTS, what was seen in the observation log.
import { count, N } from '../kernel/counters';
import { traceOp, traceSection } from '../kernel/trace';
import {
  FREE_MASK, MAX_OPS, MM_ALIVE, MM_GEN, NR_FRAMES, OBS_COUNT, OP_RESULT, PRISTINE, PROGRAM, RESULTS, THREADS, TOUCHED, VMF,
  VMF_SIZE, WORLD, WORLD_SIZE,
} from '../mm/layout';
import { ksm_do_scan } from '../mm/ksm';
import { unmap_region, zap_page_range } from '../mm/madvise';
import { change_protection, CP_PROT_NUMA, mprotect_fixup } from '../mm/mprotect';
import { migrate_folios_move } from '../mm/migrate';
import { lru_add_drain } from '../mm/page';
import { mm_at } from '../mm/pgtable';
import { swapoff } from '../mm/swapfile';
import { clear_refs_write } from '../mm/task_mmu';
import { mm_alive, mm_uffd, pages_with, UFFD_OPEN, VM_DAX } from '../mm/vma';
import { setInterleaved, vmf_start } from '../mm/vmf';
import {
  done, exit_mmap, mapped_pages, op_fork, op_hread, op_hwrite, op_mmap, op_pageout, op_put, op_thp_split,
} from './calls';
import { op_collapse, op_guard_install, op_guard_remove, op_madv_cold, op_madv_free } from './calls-advice';
import { op_mremap, op_uffd_move } from './calls-moves';
import { op_ksm_madvise, op_migrate, op_migrate_end, waits_for_migrations } from './calls-rmap';
import { op_pagemap_scan, op_uffd_close, op_uffd_fill, op_uffd_reg, op_uffd_unreg, op_wp, wake } from './calls-uffd';
import {
  arg_mask, F_MPROTECT_RW, Op, op_code, op_flags, op_mm, op_page, OP_PAIR, OP_SCHEDULE_BITS, OP_SCHEDULE_SHIFT, op_y, R,
} from './table';
import { can_sleep, run_thread, set_now } from './threads';

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

/** One op, to its end; threads (read, write, gup) may return R.YIELD in interleaved mode. One jump decides. */
function exec_op(word: u32, index: u32): u32 {
  if (op_code(word) > Op.PUT && waits_for_migrations(op_code(word))) migrate_folios_move();
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
      return run_thread();
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
      zap_page_range(mm, mask, false);
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
      return run_thread();
    case Op.HREAD: return op_hread(op_y(word), index);
    case Op.HWRITE: return op_hwrite(op_y(word), index);
    case Op.PUT: return op_put(op_y(word), index);
    case Op.MADV_FREE: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_madv_free(mm, mask, index) : R.SKIP;
    }
    case Op.MREMAP: return alive ? op_mremap(mm, word, index) : R.SKIP;
    case Op.UFFD_MOVE: return alive ? op_uffd_move(mm, word, index) : R.SKIP;
    case Op.MIGRATE:
    case Op.MIGRATE_BEGIN: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_migrate(mm, mask, op_code(word) == Op.MIGRATE, index) : R.SKIP;
    }
    case Op.MIGRATE_END: return op_migrate_end(index);
    case Op.PAGEMAP_SCAN: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_pagemap_scan(mm, mask, op_flags(word), index) : R.SKIP;
    }
    case Op.UFFD_COPY:
    case Op.UFFD_ZEROPAGE: return alive ? op_uffd_fill(mm, word, index) : R.SKIP;
    case Op.MERGEABLE:
    case Op.UNMERGEABLE: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_ksm_madvise(mm, mask, op_code(word) == Op.MERGEABLE, index) : R.SKIP;
    }
    case Op.KSM_MERGE:
      ksm_do_scan();
      return done(index);
    case Op.MADV_COLD: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_madv_cold(mm, mask, index) : R.SKIP;
    }
    case Op.POPULATE:
      if (!alive || !can_sleep() || mapped_pages(mm, word) == 0) return R.SKIP;
      vmf_start(word, index);
      return run_thread();
    case Op.COLLAPSE: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_collapse(mm, mask, index) : R.SKIP;
    }
    case Op.GUARD_INSTALL: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_guard_install(mm, mask, index) : R.SKIP;
    }
    case Op.GUARD_REMOVE: {
      const mask = mapped_pages(mm, word);
      return alive && mask != 0 ? op_guard_remove(mm, mask, index) : R.SKIP;
    }
  }
  return R.SKIP;
}

// ---- pairs

function is_thread(word: u32): bool {
  const code = op_code(word);
  return code == Op.READ || code == Op.WRITE || code == Op.GUP || code == Op.POPULATE;
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
    case Op.MERGEABLE:
    case Op.UNMERGEABLE:
    case Op.COLLAPSE:
    case Op.MREMAP:
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
