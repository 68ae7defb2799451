/* Victims and their threads, seen from the controller: create them, post work, end them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
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
void wait_for_news(int milliseconds) {
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

/* It is reaped: its pid may come back. */
static void forget(struct victim *v) {
  if (ex.capabilities & CAN_RAW) raw_forget(v->pid);
  v->pid = 0;
}

/* Has a victim died that nobody sent away? */
void look_for_dead(void) {
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    struct victim *v = &ex.victims[mm];
    int status;
    if (!v->alive || waitpid(v->pid, &status, WNOHANG | __WALL) != v->pid) continue;
    forget(v);
    /* RLIMIT_RTTIME ends a thread that never leaves the CPU. */
    bool late = nanoseconds() + ex.op_nanoseconds / 4 > ex.deadline;
    fail(late ? STATUS_HANG : STATUS_DIED, "%c died: wait status %#x", 'A' + (int)mm, status);
  }
}

bool victim_is_dead(uint32_t mm) {
  struct victim *v = &ex.victims[mm];
  if (!v->alive || waitpid(v->pid, NULL, WNOHANG | __WALL) != v->pid) return false;
  forget(v);
  return true;
}

bool out_of_time(void) {
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

void touch_victim(uint32_t mm) {
  box_of(mm, MAIN)->command = DO_TOUCH;
  post(mm, MAIN);
  wait_box(box_of(mm, MAIN));
}

void victim_kill(uint32_t mm) {
  struct victim *v = &ex.victims[mm];
  if (!v->alive) return;
  if (v->pid > 0) {
    kill(v->pid, SIGKILL);
    while (waitpid(v->pid, NULL, __WALL) < 0 && errno == EINTR) continue;
    forget(v);
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
