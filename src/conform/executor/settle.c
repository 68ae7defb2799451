/* Until every thread that works on an op has ended or sleeps: nothing is timed and nothing is guessed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "executor.h"

uint32_t sleepers(void) { return (uint32_t)__builtin_popcountll(asleep_mask()); }

uint64_t asleep_mask(void) {
  uint64_t mask = 0;
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    for (uint32_t i = 0; i < NR_THREADS; i++) {
      struct task *task = &ex.victims[mm].tasks[i];
      if (task->state == TASK_ASLEEP) mask |= 1ull << task->op;
    }
  }
  return mask;
}

/* A call that can wake threads is about to be made: first all of them count as woken, then each settles. */
void mark_woken(uint32_t mm, uint32_t pages) {
  for (uint32_t i = 0; i < NR_THREADS; i++) {
    struct task *task = &ex.victims[mm].tasks[i];
    if (task->state == TASK_ASLEEP && (pages >> task->page) & 1) task->state = TASK_WOKEN;
  }
}

static void event(uint32_t mm, const struct uffd_msg *message) {
  uint32_t page = (uint32_t)((message->arg.pagefault.address - BASE) / ex.page_bytes);
  uint64_t flags = message->arg.pagefault.flags;
  uint8_t op = 0xff;
  for (uint32_t i = 0; i < NR_THREADS; i++) {
    struct task *task = &ex.victims[mm].tasks[i];
    if (task->state < TASK_BUSY || box_of(mm, i)->tid != (int32_t)message->arg.pagefault.feat.ptid) continue;
    task->state = TASK_ASLEEP;
    task->page = (uint8_t)page;
    op = task->op;
    ex.victims[mm].tainted = true;
  }
  uint8_t shown = (uint8_t)flags & (EVENT_WRITE | EVENT_WP | EVENT_MINOR); /* the kernel's own bits */
  if (ex.seen.events == sizeof ex.seen.event / sizeof *ex.seen.event) return;
  ex.seen.event[ex.seen.events++] = (struct event_record){(uint8_t)mm, (uint8_t)page, shown, op};
}

void read_events(void) {
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    struct uffd_msg message;
    while (ex.victims[mm].uffd >= 0 && read(ex.victims[mm].uffd, &message, sizeof message) == sizeof message) {
      if (message.event == UFFD_EVENT_PAGEFAULT) event(mm, &message);
      if (message.event == UFFD_EVENT_FORK) ex.forked_uffd = (int)message.arg.fork.ufd;
    }
  }
}

/* Of a page of many small ones, rounded up. One fault in some 10^5 is nobody's: a single one above does not count. */
static uint16_t per_page(long faults) {
  if (ex.small == 1 || faults <= 1) return (uint16_t)faults;
  return (uint16_t)((faults - 1 + ex.small - 1) / ex.small);
}

static void ended(struct task *task, const struct mailbox *box) {
  if (ex.seen.outcomes == sizeof ex.seen.outcome / sizeof *ex.seen.outcome) return;
  struct outcome *outcome = &ex.seen.outcome[ex.seen.outcomes++];
  long minor = box->after.ru_minflt - box->before.ru_minflt;
  long major = box->after.ru_majflt - box->before.ru_majflt;
  *outcome = (struct outcome){.op = task->op};
  outcome->faults = per_page(minor + major);
  outcome->major = per_page(major);
  if (task->code == OP_GUP) gup_ended(task, box, outcome);
  else if (task->code == OP_POPULATE && box->ret < 0) {
    outcome->error = (int16_t)box->ret;
    // ENOMEM: its VMA went while it slept.
    outcome->result = box->ret == -EFAULT || box->ret == -ENOMEM ? R_FAULT : R_REFUSED;
  } else if (box->ret < 0) outcome->result = R_FAULT;
  else if (task->code == OP_READ) outcome->value = (uint32_t)box->value;
  task->state = TASK_IDLE;
}

/* Takes what has ended, in the order in which it did. Returns how many threads are still between the two states. */
static uint32_t collect(void) {
  for (;;) {
    uint32_t open = 0;
    struct task *first = NULL;
    struct mailbox *first_box = NULL;
    for (uint32_t mm = 0; mm < NR_MMS; mm++) {
      for (uint32_t i = 0; i < NR_THREADS; i++) {
        struct task *task = &ex.victims[mm].tasks[i];
        struct mailbox *box = box_of(mm, i);
        if (task->state < TASK_BUSY) continue;
        if (task->state != TASK_ASLEEP) open++;
        if (!is_done(box)) continue;
        if (first == NULL || (int32_t)(box->order - first_box->order) < 0) {
          first = task;
          first_box = box;
        }
      }
    }
    if (first == NULL) return open;
    ended(first, first_box);
  }
}

/* Those that a call might have woken and that sleep as before. */
static void find_unwoken(void) {
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    for (uint32_t i = 0; i < NR_THREADS; i++) {
      struct task *task = &ex.victims[mm].tasks[i];
      if (task->state != TASK_WOKEN || is_done(box_of(mm, i))) continue;
      char path[64], where[64] = "";
      snprintf(path, sizeof path, "/proc/%d/task/%d/wchan", ex.victims[mm].pid, box_of(mm, i)->tid);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      ssize_t n = fd < 0 ? -1 : read(fd, where, sizeof where - 1);
      close_fd(&fd);
      /* Old kernels print 0; under SCHED_FIFO whoever could run would have run before us. */
      bool hidden = n <= 0 || !strcmp(where, "0");
      if (!strncmp(where, "handle_userfault", 16) || (hidden && ex.fifo)) task->state = TASK_ASLEEP;
      else if (hidden && nanoseconds() > ex.deadline - ex.op_nanoseconds / 2) task->state = TASK_ASLEEP;
    }
  }
}

void settle(void) {
  while (!ex.failure) {
    read_events();
    if (collect() == 0) return;
    find_unwoken();
    read_events();
    if (collect() == 0) return;
    __atomic_store_n(&ex.arena->waiting, 1, __ATOMIC_SEQ_CST);
    read_events();
    if (collect() != 0) wait_for_news(ex.fifo ? 100 : 5);
    __atomic_store_n(&ex.arena->waiting, 0, __ATOMIC_SEQ_CST);
    if (collect() == 0) return;
    look_for_dead();
    if (ex.failure || out_of_time()) return;
  }
}
