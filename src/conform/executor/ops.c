/* One op of a program, performed for real. The shadow of what is mapped decides what is not applicable. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor.h"

/* Headers of many build machines lack them. */
enum {
  MADV_COLD_ = 20,
  MADV_POPULATE_READ_ = 22,
  MADV_POPULATE_WRITE_ = 23,
  MADV_COLLAPSE_ = 25,
  MADV_GUARD_INSTALL_ = 102,
  MADV_GUARD_REMOVE_ = 103,
};

/* A system call on each run of mapped pages: number(address, length, extra). */
static uint8_t each_run(uint32_t mm, uint32_t pages, long number, long extra, int *error) {
  uint32_t mapped = ex.victims[mm].mapped & pages, first, count;
  uint8_t result = R_OK_;
  if (mapped == 0) return R_SKIP;
  while (next_run(&mapped, &first, &count)) {
    long ret = call(mm, number, (long)address_of(first), (long)(count * ex.page_bytes), extra, 0, 0, 0);
    if (ret >= 0) continue;
    *error = (int)ret;
    result = ret == -ENOMEM ? R_NOMEM : R_REFUSED;
  }
  return result;
}

static uint8_t do_mmap(uint32_t mm, uint32_t pages, bool thp, int *error) {
  struct victim *v = &ex.victims[mm];
  if (v->mapped & pages) return R_SKIP;
  uint64_t at = address_of((uint32_t)__builtin_ctz(pages));
  uint64_t bytes = (uint64_t)__builtin_popcount(pages) * ex.page_bytes;
  long ret = call(mm, SYS_mmap, (long)at, (long)bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (ret >= 0) {
    v->mapped |= pages;
    ret = thp ? call(mm, SYS_madvise, (long)at, (long)bytes, MADV_HUGEPAGE, 0, 0, 0) : 0;
  }
  if (ret < 0) *error = (int)ret;
  return ret == -ENOMEM ? R_NOMEM : ret < 0 ? R_REFUSED : R_OK_;
}

static uint8_t do_munmap(uint32_t mm, uint32_t pages, int *error) {
  uint8_t result = each_run(mm, pages, SYS_munmap, 0, error);
  if (result == R_OK_) ex.victims[mm].mapped &= ~pages;
  return result;
}

static uint8_t do_fork(uint32_t mm, uint32_t child, int *error) {
  struct victim *v = &ex.victims[mm];
  if (child >= NR_MMS || ex.victims[child].alive) return R_SKIP;
  ex.forked_uffd = -1;
  long pid = fork_victim(mm, child);
  if (pid < 0) {
    close_fd(&ex.forked_uffd);
    *error = (int)pid;
    return R_NOMEM;
  }
  ex.victims[child].mapped = v->mapped;
  ex.victims[child].uffd = ex.forked_uffd;
  ex.forked_uffd = -1;
  return R_OK_;
}

static uint8_t do_clear_refs(uint32_t mm, int *error) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/clear_refs", ex.victims[mm].pid);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool good = fd >= 0 && write(fd, "4", 1) == 1;
  if (!good) *error = -errno;
  close_fd(&fd);
  /* It write-protects all of the process, what its threads work with as well. */
  if (good) touch_victim(mm);
  return good ? R_OK_ : R_REFUSED;
}

/* A VMA boundary in the middle of a huge page splits its mapping; taking it away again changes nothing. */
static uint8_t do_thp_split(uint32_t mm, uint32_t pages) {
  uint64_t half = 4 * ex.page_bytes;
  for (uint32_t k = 0; k < 2; k++) {
    if ((ex.victims[mm].mapped & pages & (0xfu << (4 * k))) == 0) continue;
    long middle = (long)(BASE + k * half + half / 2);
    call(mm, SYS_madvise, middle, (long)(half / 2), MADV_DONTDUMP, 0, 0, 0);
    call(mm, SYS_madvise, middle, (long)(half / 2), MADV_DODUMP, 0, 0, 0);
  }
  return R_OK_;
}

static uint8_t do_access(uint32_t mm, uint32_t word, uint32_t i) {
  uint32_t index;
  struct task *task = thread_for_access(mm, &index);
  if (task == NULL) return R_SKIP;
  struct mailbox *box = &ex.arena->boxes[mm][index];
  uint8_t code = (uint8_t)op_code(word);
  box->command = code == OP_READ ? DO_LOAD : DO_STORE;
  box->args[0] = (long)address_of(op_page(word));
  box->repeat = ex.small;
  box->token = i + 1;
  *task = (struct task){.state = TASK_BUSY, .op = (uint8_t)i, .code = code, .page = (uint8_t)op_page(word)};
  post(mm, index);
  return R_OK_;
}

/* Here a call may sleep on the way. */
static uint8_t do_populate(uint32_t mm, uint32_t word, uint32_t i) {
  uint32_t index, page = op_page(word);
  if (!(ex.victims[mm].mapped >> page & 1)) return R_SKIP;
  struct task *task = thread_for_access(mm, &index);
  if (task == NULL) return R_SKIP;
  struct mailbox *box = &ex.arena->boxes[mm][index];
  long advice = op_flags(word) & POPULATE_WRITE ? MADV_POPULATE_WRITE_ : MADV_POPULATE_READ_;
  long args[6] = {(long)address_of(page), (long)ex.page_bytes, advice};
  memcpy(box->args, args, sizeof box->args);
  box->command = DO_CALL;
  box->number = SYS_madvise;
  box->repeat = 1;
  box->stepped = 0;
  box->step = 0;
  *task = (struct task){.state = TASK_BUSY, .op = (uint8_t)i, .code = OP_POPULATE, .page = (uint8_t)page};
  post(mm, index);
  return R_OK_;
}

/* Ops that end within the call. */
static uint8_t run_simple(uint32_t word, uint32_t i, int *error, uint32_t *value) {
  uint32_t mm = op_mm(word), pages = op_mask(word), code = op_code(word);
  if (code == OP_SWAPOFF) {
    *error = swap_cycle();
    return *error ? R_NOMEM : R_OK_;
  }
  if (code == OP_HREAD) return do_hread(op_y(word), value);
  if (code == OP_HWRITE) return do_hwrite(op_y(word), i + 1);
  if (code == OP_PUT) return do_put(op_y(word));
  if (mm >= NR_MMS || !ex.victims[mm].alive) return R_SKIP;
  switch (code) {
    case OP_MMAP: return do_mmap(mm, pages, (op_flags(word) & MMAP_THP) != 0, error);
    case OP_MUNMAP: return do_munmap(mm, pages, error);
    case OP_FORK: return do_fork(mm, op_y(word), error);
    case OP_EXIT: victim_kill(mm); return R_OK_;
    case OP_MPROTECT: {
      long protection = op_flags(word) & MPROTECT_RW ? PROT_READ | PROT_WRITE : PROT_READ;
      return each_run(mm, pages, SYS_mprotect, protection, error);
    }
    case OP_DONTNEED: return each_run(mm, pages, SYS_madvise, MADV_DONTNEED, error);
    case OP_PAGEOUT: return each_run(mm, pages, SYS_madvise, MADV_PAGEOUT, error);
    case OP_MADV_FREE: return each_run(mm, pages, SYS_madvise, MADV_FREE, error);
    case OP_MADV_COLD: return each_run(mm, pages, SYS_madvise, MADV_COLD_, error);
    case OP_COLLAPSE: return each_run(mm, pages, SYS_madvise, MADV_COLLAPSE_, error);
    case OP_GUARD_INSTALL: return each_run(mm, pages, SYS_madvise, MADV_GUARD_INSTALL_, error);
    case OP_GUARD_REMOVE: return each_run(mm, pages, SYS_madvise, MADV_GUARD_REMOVE_, error);
    case OP_CLEAR_REFS: return do_clear_refs(mm, error);
    case OP_THP_SPLIT: return do_thp_split(mm, pages);
    case OP_UFFD_REG: return do_uffd_reg(mm, pages, op_flags(word), error);
    case OP_UFFD_UNREG: return do_uffd_unreg(mm, pages, error);
    case OP_UFFD_CLOSE: return do_uffd_close(mm, error);
    case OP_WP: return do_wp(mm, pages, true, error);
    case OP_UNWP: return do_wp(mm, pages, false, error);
    case OP_WAKE: return do_wake(mm, pages, error);
    case OP_UFFD_COPY: return do_uffd_fill(mm, pages, i + 1, (op_flags(word) & COPY_WP) != 0, error);
    case OP_UFFD_ZEROPAGE: return do_uffd_fill(mm, pages, 0, false, error);
    case OP_PAGEMAP_SCAN: return do_pagemap_scan(mm, pages, op_flags(word), value, error);
    case OP_MREMAP: return do_mremap(mm, pages, op_target_mask(word), error);
    case OP_UFFD_MOVE: return do_uffd_move(mm, pages, op_target_mask(word), error);
  }
  *error = -EOPNOTSUPP;
  return R_REFUSED;
}

void run_op(const uint32_t *words, uint32_t ops, uint32_t i) {
  uint32_t word = words[i], code = op_code(word), mm = op_mm(word), value = 0;
  int error = 0;
  bool thread = code == OP_READ || code == OP_WRITE || code == OP_GUP || code == OP_POPULATE;
  struct seen *seen = &ex.seen;
  seen->events = seen->outcomes = 0;
  ex.deadline = nanoseconds() + ex.op_nanoseconds;
  if (thread) {
    bool applicable = mm < NR_MMS && ex.victims[mm].alive && op_page(word) < 8 && sleepers() < MAX_SLEEPERS;
    if (!applicable) seen->result = R_SKIP;
    else if (code == OP_GUP) seen->result = do_gup(words, ops, i, &error);
    else if (code == OP_POPULATE) seen->result = do_populate(mm, word, (uint32_t)i);
    else seen->result = do_access(mm, word, (uint32_t)i);
    if (applicable && seen->result == R_OK_) {
      settle();
      bool ended = seen->outcomes > 0 && seen->outcome[0].op == i;
      seen->result = ended ? seen->outcome[0].result : R_SLEEP;
      return;
    }
  } else {
    seen->outcomes = 1; /* the op's own comes before those of the threads it wakes */
    seen->result = run_simple(word, i, &error, &value);
    struct outcome own = {.op = (uint8_t)i, .result = seen->result, .error = (int16_t)error, .value = value};
    seen->outcome[0] = own;
    settle();
    return;
  }
  seen->outcomes = 1;
  seen->outcome[0] = (struct outcome){.op = (uint8_t)i, .result = seen->result, .error = (int16_t)error};
}
