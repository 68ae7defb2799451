/* Reads requests, runs programs op by op, writes responses. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

#include "executor.h"

enum { IN_BYTES = 1 << 16, OUT_BYTES = 1 << 18 };

static uint8_t in[IN_BYTES];
static size_t in_from, in_to;
static uint8_t out[OUT_BYTES];
static size_t out_used;
static uint8_t records[OUT_BYTES / 2];
static void *dummy; /* a range to drain the LRU batches by */

static bool flush(void) {
  for (size_t done = 0; done < out_used;) {
    ssize_t n = write(STDOUT_FILENO, out + done, out_used - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  out_used = 0;
  return true;
}

static bool put(const void *bytes, size_t n) {
  if (out_used + n > sizeof out && !flush()) return false;
  memcpy(out + out_used, bytes, n);
  out_used += n;
  return true;
}

/* Exactly n bytes; what is due goes out before we wait for more. False at the end of input. */
static bool get(void *bytes, size_t n) {
  uint8_t *to = bytes;
  while (n > 0) {
    if (in_from == in_to) {
      struct pollfd ready = {STDIN_FILENO, POLLIN, 0};
      if (poll(&ready, 1, 0) != 1 && !flush()) return false;
      ssize_t got = read(STDIN_FILENO, in, sizeof in);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      in_from = 0;
      in_to = (size_t)got;
    }
    size_t part = in_to - in_from < n ? in_to - in_from : n;
    memcpy(to, in + in_from, part);
    in_from += part;
    to += part;
    n -= part;
  }
  return true;
}

static bool hello(void) {
  struct hello h = {.magic = MAGIC_HELLO, .version = PROTOCOL_VERSION, .capabilities = ex.capabilities};
  struct utsname name;
  uname(&name);
  snprintf(h.release, sizeof h.release, "%.63s", name.release);
  snprintf(h.machine, sizeof h.machine, "%.63s", name.version);
  h.text_bytes = (uint32_t)strlen(ex.text);
  return put(&h, sizeof h) && put(ex.text, h.text_bytes) && flush();
}

/* The world as a program finds it: A with nothing mapped, nobody else, no handle. */
static void begin(uint8_t layout) {
  ex.failure = STATUS_OK;
  ex.layout = layout;
  ex.small = layout == LAYOUT_PMD ? NR_SMALL : 1;
  ex.page_bytes = ex.small * SMALL_PAGE;
  ex.deadline = nanoseconds() + ex.op_nanoseconds;
  if (victim_is_dead(0)) victim_kill(0);
  if (!ex.victims[0].alive) victim_new(0);
  observe_reset();
}

/* A is used again unless it may remember something. */
static void end(void) {
  struct victim *a = &ex.victims[0];
  ex.deadline = nanoseconds() + ex.op_nanoseconds;
  victim_kill(2);
  victim_kill(1);
  close_fd(&a->uffd);
  if (!a->tainted && !ex.failure && a->mapped) {
    call(0, SYS_munmap, (long)BASE, (long)(NR_PAGES * ex.page_bytes), 0, 0, 0, 0);
  }
  if (a->tainted || ex.failure) victim_kill(0);
  a->mapped = 0;
  handles_drop();
}

void drain_batches(void) { madvise(dummy, SMALL_PAGE, MADV_COLD); }

static void run_ops(const struct request *request, const uint32_t *words, struct response *response) {
  for (uint32_t i = 0; i < request->ops && !ex.failure; i++) {
    /* A page in a per-CPU batch has one more reference: reuse would become a copy. */
    drain_batches();
    run_op(words, request->ops, i);
    size_t more = ex.failure ? 0 : observe_op(request->observe, records + response->bytes);
    if (ex.failure) break;
    response->bytes += (uint32_t)more;
    response->reached++;
  }
}

static bool run_program(const struct request *request, const uint32_t *words) {
  struct response response = {.magic = MAGIC_RESPONSE, .tag = request->tag};
  turn_begin();
  begin(request->layout);
  run_ops(request, words, &response);
  response.status = ex.failure;
  if (ex.failure) fprintf(stderr, "executor: op %u: %s\n", response.reached, ex.why);
  if (ex.failure == STATUS_TROUBLE) {
    response.reached = 0;
    response.bytes = (uint32_t)strlen(ex.why);
    memcpy(records, ex.why, response.bytes);
  }
  end();
  turn_end();
  return put(&response, sizeof response) && put(records, response.bytes);
}

/* The kernel writes to the thread's rseq area whenever it likes: a stray fault in a victim that has inherited it. */
static void leave_rseq(void) {
#ifdef RSEQ_SIG
  if (__rseq_size == 0) return;
  char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
  if (syscall(SYS_rseq, area, 32, 1, RSEQ_SIG)) syscall(SYS_rseq, area, __rseq_size, 1, RSEQ_SIG);
#endif
}

static void choose_cpu(void) {
  cpu_set_t cpus;
  if (ex.cpu < 0 && sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
    for (int i = 0; i < CPU_SETSIZE; i++) if (CPU_ISSET(i, &cpus)) ex.cpu = i;
  }
  CPU_ZERO(&cpus);
  CPU_SET(ex.cpu, &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus)) fprintf(stderr, "executor: cannot run on CPU %d: %m\n", ex.cpu);
  struct sched_param priority = {.sched_priority = 10};
  if (ex.fifo && sched_setscheduler(0, SCHED_FIFO, &priority)) {
    ex.fifo = false;
    lacks(CAN_FIFO, "fifo", "SCHED_FIFO: %s: root or ulimit -r 20; observations may not repeat", strerror(errno));
  } else if (!ex.fifo) {
    lacks(CAN_FIFO, "fifo", "switched off by --no-fifo");
  } else {
    ex.capabilities |= CAN_FIFO;
  }
}

int controller(void) {
  leave_rseq();
  choose_cpu();
  dummy = mmap(NULL, SMALL_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ex.small = 1;
  ex.page_bytes = SMALL_PAGE;
  observe_open();
  threads_start();
  probe();
  handles_open();
  if (ex.failure) {
    fprintf(stderr, "executor: %s\n", ex.why);
    return 1;
  }
  if (ex.probe_only) {
    print_capabilities();
    return 0;
  }
  struct request request;
  uint32_t words[256];
  bool good = hello();
  while (good && get(&request, sizeof request)) {
    if (request.magic != MAGIC_REQUEST || request.ops > MAX_PROGRAM || !get(words, request.ops * sizeof *words)) {
      fprintf(stderr, "executor: this is no request\n");
      good = false;
      break;
    }
    good = run_program(&request, words);
  }
  for (uint32_t mm = 0; mm < NR_MMS; mm++) victim_kill(mm);
  return flush() && good ? 0 : 1;
}
