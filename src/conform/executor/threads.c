/* Victims and their threads, seen from the controller: create, post work, wait until each is done or sleeps. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static struct mailbox *box_of(uint32_t mm, uint32_t thread) { return &ex.arena->boxes[mm][thread]; }
static bool is_done(const struct mailbox *box) { return __atomic_load_n(&box->done, __ATOMIC_SEQ_CST) != 0; }

void threads_start(void) {
  int memory = memfd_create("breakcow", MFD_CLOEXEC);
  size_t bytes = sizeof(struct arena);
  if (memory < 0 || ftruncate(memory, (off_t)bytes)) return fail(STATUS_TROUBLE, "shared memory: %m");
  ex.arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
  close(memory);
  if (ex.arena == MAP_FAILED) return fail(STATUS_TROUBLE, "shared memory: %m");
  ex.arena->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  ex.arena->controller = getpid();
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    struct victim *v = &ex.victims[mm];
    v->pidfd = v->uffd = v->pagemap = v->mem = -1;
    for (uint32_t i = 0; i < NR_THREADS; i++) {
      box_of(mm, i)->mm = mm;
      box_of(mm, i)->index = i;
    }
  }
}

/* Sleeps until something can have changed: a bell, an event, a death, or `milliseconds`. */
static void wait_for_news(int milliseconds) {
  struct pollfd polled[1 + 2 * NR_MMS];
  nfds_t n = 0;
  uint64_t count;
  polled[n++] = (struct pollfd){ex.arena->bell, POLLIN, 0};
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    struct victim *v = &ex.victims[mm];
    if (v->uffd >= 0) polled[n++] = (struct pollfd){v->uffd, POLLIN, 0};
    if (v->alive && v->pidfd >= 0) polled[n++] = (struct pollfd){v->pidfd, POLLIN, 0};
  }
  poll(polled, n, milliseconds);
  if (read(ex.arena->bell, &count, sizeof count) < 0 && errno != EAGAIN) fail(STATUS_TROUBLE, "eventfd: %m");
}

/* Has a victim died that nobody sent away? */
static void look_for_dead(void) {
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    struct victim *v = &ex.victims[mm];
    int status;
    if (!v->alive || waitpid(v->pid, &status, WNOHANG | __WALL) != v->pid) continue;
    v->pid = 0;
    /* RLIMIT_RTTIME ends a thread that never leaves the CPU. */
    bool late = nanoseconds() + ex.op_nanoseconds / 4 > ex.deadline;
    fail(late ? STATUS_HANG : STATUS_DIED, "%c died: wait status %#x", 'A' + (int)mm, status);
  }
}

bool victim_is_dead(uint32_t mm) {
  struct victim *v = &ex.victims[mm];
  if (!v->alive || waitpid(v->pid, NULL, WNOHANG | __WALL) != v->pid) return false;
  v->pid = 0;
  return true;
}

static bool out_of_time(void) {
  uint64_t now = nanoseconds();
  if (now < ex.deadline) return false;
  fail(STATUS_HANG, "an op did not end in time");
  return true;
}

/* Until the thread is done; fork events are answered meanwhile. */
static bool wait_box(struct mailbox *box) {
  while (!is_done(box)) {
    read_events();
    __atomic_store_n(&ex.arena->waiting, 1, __ATOMIC_SEQ_CST);
    if (!is_done(box)) wait_for_news(100);
    __atomic_store_n(&ex.arena->waiting, 0, __ATOMIC_SEQ_CST);
    if (is_done(box)) break;
    look_for_dead();
    if (ex.failure || out_of_time()) return false;
  }
  return true;
}

void post(uint32_t mm, uint32_t thread) {
  struct mailbox *box = box_of(mm, thread);
  __atomic_store_n(&box->done, 0, __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&box->go, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &box->go, FUTEX_WAKE, 1, NULL, NULL, 0);
}

long call(uint32_t mm, long number, long a, long b, long c, long d, long e, long f) {
  struct mailbox *box = box_of(mm, MAIN);
  if (ex.failure) return -ESRCH;
  box->command = DO_CALL;
  box->number = number;
  box->repeat = 1;
  box->stepped = 0;
  box->step = 0;
  long args[6] = {a, b, c, d, e, f};
  memcpy(box->args, args, sizeof args);
  post(mm, MAIN);
  return wait_box(box) ? box->ret : -ESRCH;
}

/* Files of the new process; its main thread has said that it is ready. */
bool victim_adopt(uint32_t mm, pid_t pid) {
  struct victim *v = &ex.victims[mm];
  char path[64];
  v->alive = true;
  v->tainted = false;
  v->pid = pid;
  v->mapped = 0;
  v->uffd = v->pagemap = v->mem = -1;
  v->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  memset(v->tasks, 0, sizeof v->tasks);
  v->tasks[MAIN].state = TASK_IDLE;
  snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
  v->pagemap = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  v->mem = open(path, O_RDWR | O_CLOEXEC);
  return wait_box(box_of(mm, MAIN));
}

bool victim_new(uint32_t mm) {
  struct mailbox *box = box_of(mm, MAIN);
  __atomic_store_n(&box->done, 0, __ATOMIC_SEQ_CST);
  pid_t pid = (pid_t)victim_clone(CLONE_FILES | SIGCHLD, ex.arena->stacks[mm][MAIN] + STACK_BYTES, ex.arena, box);
  if (pid < 0) {
    errno = (int)-pid;
    fail(STATUS_TROUBLE, "no process for a victim: %m");
    return false;
  }
  struct rlimit cores = {0, 0};
  struct rlimit memory = {1ul << 30, 1ul << 30};
  prlimit(pid, RLIMIT_CORE, &cores, NULL);
  prlimit(pid, RLIMIT_AS, &memory, NULL);
  if (ex.fifo) {
    uint64_t microseconds = ex.op_nanoseconds / 1000;
    struct rlimit busy = {microseconds, microseconds};
    struct sched_param priority = {.sched_priority = 20};
    prlimit(pid, RLIMIT_RTTIME, &busy, NULL);
    sched_setscheduler(pid, SCHED_FIFO, &priority);
  }
  return victim_adopt(mm, pid);
}

long fork_victim(uint32_t mm, uint32_t child) {
  struct mailbox *box = box_of(mm, MAIN);
  struct mailbox *other = box_of(child, MAIN);
  __atomic_store_n(&other->done, 0, __ATOMIC_SEQ_CST);
  box->command = DO_FORK;
  box->args[0] = (long)other;
  box->args[1] = CLONE_FILES | CLONE_PARENT | SIGCHLD;
  post(mm, MAIN);
  if (!wait_box(box)) return -ESRCH;
  if (box->ret > 0 && !victim_adopt(child, (pid_t)box->ret)) return -ESRCH;
  return box->ret;
}

void victim_kill(uint32_t mm) {
  struct victim *v = &ex.victims[mm];
  if (!v->alive) return;
  if (v->pid > 0) {
    kill(v->pid, SIGKILL);
    while (waitpid(v->pid, NULL, __WALL) < 0 && errno == EINTR) continue;
    if (raw_forget) raw_forget(v->pid);
  }
  for (uint32_t i = 0; i < NR_THREADS; i++) {
    struct task *task = &v->tasks[i];
    if (task->state >= TASK_BUSY && task->code == OP_GUP) source_release(task->kind, task->source);
    task->state = TASK_NONE;
  }
  v->alive = false;
  v->mapped = 0;
  close_fd(&v->uffd);
  close_fd(&v->pidfd);
  close_fd(&v->pagemap);
  close_fd(&v->mem);
  observe_close(mm);
}

struct task *thread_for_access(uint32_t mm, uint32_t *index) {
  struct victim *v = &ex.victims[mm];
  *index = MAIN;
  if (v->uffd < 0) return &v->tasks[MAIN];
  for (*index = 1; *index < NR_THREADS; ++*index) {
    struct task *task = &v->tasks[*index];
    if (task->state == TASK_IDLE) return task;
    if (task->state != TASK_NONE) continue;
    struct mailbox *box = box_of(mm, MAIN);
    struct mailbox *other = box_of(mm, *index);
    __atomic_store_n(&other->done, 0, __ATOMIC_SEQ_CST);
    box->command = DO_THREAD;
    box->args[0] = (long)other;
    box->args[1] = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    post(mm, MAIN);
    if (!wait_box(box) || box->ret < 0 || !wait_box(other)) break;
    task->state = TASK_IDLE;
    return task;
  }
  fail(STATUS_TROUBLE, "no thread for an access");
  return NULL;
}

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

static void ended(struct task *task, const struct mailbox *box) {
  if (ex.seen.outcomes == sizeof ex.seen.outcome / sizeof *ex.seen.outcome) return;
  struct outcome *outcome = &ex.seen.outcome[ex.seen.outcomes++];
  long minor = box->after.ru_minflt - box->before.ru_minflt;
  long major = box->after.ru_majflt - box->before.ru_majflt;
  *outcome = (struct outcome){.op = task->op};
  outcome->faults = (uint16_t)((minor + major + ex.small - 1) / ex.small);
  outcome->major = (uint16_t)((major + ex.small - 1) / ex.small);
  if (task->code == OP_GUP) gup_ended(task, box, outcome);
  else if (box->ret < 0) outcome->result = R_FAULT;
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
