/* What the parts of the executor share. Supervisor -> controller -> victims A, B, C; see README.md. */
#ifndef BREAKCOW_EXECUTOR_H
#define BREAKCOW_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "protocol.h"
#include "raw.h"

#if !defined(__x86_64__) || !defined(__linux__)
#error "the executor knows Linux on x86-64 only"
#endif

#define BASE 0x100000000000ul /* the pages of a program; 1 GiB-aligned, nothing else is near */
#define SMALL_PAGE 4096ul
#define NR_SMALL 128 /* small pages of one page of the PMD layout */

enum { MAIN = 0, NR_THREADS = 1 + MAX_SLEEPERS };

/* ---- op words, as in assembly/ops/table.ts */

enum op_code {
  OP_MMAP, OP_MUNMAP, OP_READ, OP_WRITE, OP_FORK, OP_EXIT, OP_MPROTECT, OP_DONTNEED, OP_PAGEOUT, OP_SWAPOFF,
  OP_NUMA_HINT, OP_CLEAR_REFS, OP_THP_SPLIT, OP_UFFD_REG, OP_UFFD_UNREG, OP_UFFD_CLOSE, OP_WP, OP_UNWP, OP_WAKE,
  OP_GUP, OP_HREAD, OP_HWRITE, OP_PUT, OP_MADV_FREE, OP_MREMAP,
  OP_UFFD_COPY = 28, OP_UFFD_ZEROPAGE, OP_PAGEMAP_SCAN,
  OP_MADV_COLD = 34, OP_POPULATE, OP_GUARD_INSTALL, OP_GUARD_REMOVE,
  OP_UFFD_MOVE = 38, OP_COLLAPSE,
};
enum op_flag {
  MMAP_THP = 1,
  MPROTECT_RW = 1,
  POPULATE_WRITE = 1,
  REG_EVENT_FORK = 1,
  REG_WP_UNPOPULATED = 2,
  REG_MISSING = 4,
  REG_BOTH = 8,
  REG_WP_ASYNC = 16,
  COPY_WP = 1,
  SCAN_WP = 1,
  SCAN_FULL = 2,
  REG_EVENT_REMAP = 128,
  GUP_WRITE = 1,
  GUP_PIN = 2,
  GUP_LONGTERM = 4,
  GUP_FORCE = 8,
  GUP_FAST = 64,
};
enum result { R_OK_, R_SLEEP, R_SKIP, R_FAULT, R_NOMEM, R_REFUSED };

static inline uint32_t op_code(uint32_t w) { return w & 63; }
static inline uint32_t op_mm(uint32_t w) { return (w >> 6) & 3; }
static inline uint32_t op_page(uint32_t w) { return (w >> 8) & 15; }
static inline uint32_t op_y(uint32_t w) { return (w >> 12) & 3; }
static inline uint32_t op_flags(uint32_t w) { return (w >> 16) & 0x1ff; }
static inline uint32_t mask_of(uint32_t page) {
  return page < 8 ? 1u << page : page == 8 ? 0x0f : page == 9 ? 0xf0 : 0xff;
}
static inline uint32_t op_mask(uint32_t w) { return mask_of(op_page(w)); }
/* Of an op that moves pages: where to. */
static inline uint32_t op_target_mask(uint32_t w) { return mask_of(op_flags(w) & 15); }

/* ---- shared memory of controller and victims: mailboxes, stacks, buffers */

enum command { DO_CALL, DO_LOAD, DO_STORE, DO_FORK, DO_THREAD, DO_TOUCH };

/* One thread's mailbox. The controller fills it in, bumps `go` and wakes; the thread answers with `done`. */
struct mailbox {
  _Atomic uint32_t go;
  _Atomic uint32_t done;
  uint32_t command;
  int32_t tid;
  long number; /* of the system call */
  long args[6];
  uint32_t repeat; /* small pages to touch, or times to call with args[stepped] += step */
  uint32_t stepped;
  long step;
  uint64_t token;
  long ret;
  uint64_t value;
  uint32_t order; /* when it ended, among all threads */
  uint32_t mm;
  uint32_t index;
  struct rusage before;
  struct rusage after;
  struct iovec local;
  struct iovec remote[NR_SMALL];
  uint64_t tokens[NR_SMALL];
} __attribute__((aligned(4096)));

#define STACK_BYTES 8192
#define SIGNAL_STACK_BYTES 16384

struct arena {
  _Atomic uint32_t waiting; /* the controller polls: whoever is done writes to `bell` */
  _Atomic uint32_t order;
  int32_t bell;
  int32_t controller;
  struct mailbox boxes[NR_MMS][NR_THREADS];
  uint8_t stacks[NR_MMS][NR_THREADS][STACK_BYTES];
  uint8_t signal_stacks[NR_MMS][NR_THREADS][SIGNAL_STACK_BYTES];
} __attribute__((aligned(4096)));

/* victim.c: the only entry is a clone that starts with this; negative errno on failure. */
long victim_clone(unsigned long flags, void *stack_top, struct arena *arena, struct mailbox *box);

/* ---- controller */

enum task_state { TASK_NONE, TASK_IDLE, TASK_BUSY, TASK_ASLEEP, TASK_WOKEN };

/* What the controller knows of a victim's thread. */
struct task {
  uint8_t state;
  uint8_t op;     /* index of the op that it works on */
  uint8_t code;   /* OP_READ, OP_WRITE, OP_GUP or OP_POPULATE */
  uint8_t page;
  uint8_t handle; /* of OP_GUP */
  uint8_t kind;   /* enum handle_kind */
  uint8_t source; /* index of the pipe or ring */
};

struct victim {
  bool alive;
  bool tainted; /* pins, sleepers: not to be used for the next program */
  pid_t pid;
  int pidfd;
  int uffd;
  int pagemap;
  int mem;
  uint32_t mapped;
  struct task tasks[NR_THREADS];
};

/* What one op did, apart from cells. */
struct seen {
  uint8_t result;
  uint8_t events;
  uint8_t outcomes;
  struct event_record event[64];
  struct outcome outcome[1 + 2 * MAX_SLEEPERS];
};

struct executor {
  uint32_t capabilities;
  char text[4096]; /* lines "name: why it is missing" */
  int cpu;
  bool fifo;
  bool probe_only;
  uint64_t op_nanoseconds;
  uint32_t swap_mib;
  uint8_t layout;
  uint64_t page_bytes;
  uint32_t small; /* small pages per page */
  struct arena *arena;
  struct victim victims[NR_MMS];
  uint64_t deadline;
  uint8_t failure; /* enum status: the program cannot go on */
  char why[256];
  int forked_uffd; /* of the last fork event, -1 = taken */
  struct seen seen;
};
extern struct executor ex;

static inline struct mailbox *box_of(uint32_t mm, uint32_t thread) { return &ex.arena->boxes[mm][thread]; }
static inline bool is_done(const struct mailbox *box) { return __atomic_load_n(&box->done, __ATOMIC_SEQ_CST) != 0; }

static inline uint64_t address_of(uint32_t page) { return BASE + page * ex.page_bytes; }
/* The small page that stands for a page. */
static inline uint64_t shown_address(uint32_t page) { return BASE + (page + 1) * ex.page_bytes - SMALL_PAGE; }

/* Takes the lowest run of set bits out of *mask. False if none is left. */
static inline bool next_run(uint32_t *mask, uint32_t *first, uint32_t *pages) {
  if (*mask == 0) return false;
  *first = (uint32_t)__builtin_ctz(*mask);
  *pages = (uint32_t)__builtin_ctz(~(*mask >> *first));
  *mask &= ~(((1u << *pages) - 1) << *first);
  return true;
}

void lacks(uint32_t capability, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void fail(enum status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t nanoseconds(void);
void close_fd(int *fd);

/* main.c, controller.c */
bool asked_to_end(void);
int controller(void);
void drain_batches(void); /* the per-CPU LRU batches of this CPU */

/* settings.c: of the machine; everything is undone by settings_restore, which is safe in a signal handler. */
void settings_apply(void);
void settings_restore(void);
int swap_cycle(void); /* swapoff and on again; negative errno */
void turn_begin(void);  /* around each program: executors take turns */
void turn_end(void);

/* probe.c */
void probe(void);
void print_capabilities(void); /* for people: what there is, then what is missing and how to get it */

/* threads.c: running things in victims */
void threads_start(void);
bool victim_new(uint32_t mm);
bool victim_adopt(uint32_t mm, pid_t pid);
void victim_kill(uint32_t mm);
bool victim_is_dead(uint32_t mm);
void post(uint32_t mm, uint32_t thread);
long call(uint32_t mm, long number, long a, long b, long c, long d, long e, long f);
long fork_victim(uint32_t mm, uint32_t child);
void touch_victim(uint32_t mm); /* maps the shared memory of its threads, writable */
/* A thread of mm for an access: one that may sleep where it can come to that; NULL after a failure. */
struct task *thread_for_access(uint32_t mm, uint32_t *index);
void wait_for_news(int milliseconds);
void look_for_dead(void);
bool out_of_time(void);

/* settle.c */
uint32_t sleepers(void);
uint64_t asleep_mask(void);
void mark_woken(uint32_t mm, uint32_t pages);
void settle(void);
void read_events(void);

/* uffd.c */
#define UFFD_FEATURE_WP_ASYNC_ (1 << 15) /* which headers of many build machines lack */
int uffd_open(uint64_t features, uint64_t *granted);
uint64_t uffd_features(void);
uint8_t do_mremap(uint32_t mm, uint32_t from, uint32_t to, int *error);
uint8_t do_uffd_move(uint32_t mm, uint32_t from, uint32_t to, int *error);
uint8_t do_uffd_reg(uint32_t mm, uint32_t pages, uint32_t flags, int *error);
uint8_t do_uffd_unreg(uint32_t mm, uint32_t pages, int *error);
uint8_t do_uffd_close(uint32_t mm, int *error);
/* token 0: the zero page. */
uint8_t do_uffd_fill(uint32_t mm, uint32_t pages, uint64_t token, bool protect, int *error);
uint8_t do_wp(uint32_t mm, uint32_t pages, bool protect, int *error);
uint8_t do_wake(uint32_t mm, uint32_t pages, int *error);

/* handles.c, ring.c */
enum handle_kind { HANDLE_NONE, HANDLE_PIPE, HANDLE_RING, HANDLE_MOMENT };
void handles_open(void);
uint8_t do_gup(const uint32_t *words, uint32_t ops, uint32_t i, int *error);
void gup_ended(const struct task *task, const struct mailbox *box, struct outcome *outcome);
uint8_t do_hread(uint32_t h, uint32_t *value);
uint8_t do_hwrite(uint32_t h, uint32_t token);
uint8_t do_put(uint32_t h);
void handles_drop(void);
void source_release(uint8_t kind, uint8_t source); /* of a thread that died on its way to a handle */
int ring_open(uint32_t ring);
int ring_fd(uint32_t ring);
int ring_unregister(uint32_t ring);
/* Between the registered buffer and a file of our own: one token per small page; negative errno. */
int ring_load(uint32_t ring, uint64_t address, uint32_t bytes, uint64_t *token);
int ring_store(uint32_t ring, uint64_t address, uint32_t bytes, uint64_t token);

/* ops.c: an op to its end or to sleep; what it did is in ex.seen. */
void run_op(const uint32_t *words, uint32_t ops, uint32_t i);

/* observe.c */
void observe_open(void);
void observe_reset(void);
void observe_close(uint32_t mm);
/* Appends the record of the op in ex.seen to `out`; bytes, or 0 after a failure. */
size_t observe_op(uint8_t level, uint8_t *out);
uint64_t pagemap_word(int fd, uint64_t address);
/* PAGEMAP_SCAN categories of one small page; negative errno if the kernel has no such thing. */
int64_t scan_page(int fd, uint64_t address);
/* `reported`: the pages that it tells as written, bit = page. */
uint8_t do_pagemap_scan(uint32_t mm, uint32_t pages, uint32_t flags, uint32_t *reported, int *error);


#endif
