#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#if USES_UFFD
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#endif
#if USES_IO_URING
#include <linux/io_uring.h>
#endif
#if USES_PROCESS_VM || USES_SPLICE
#include <sys/uio.h>
#endif
#if USES_RECLAIM
#include <sys/stat.h>
#endif
#if USES_SWAPOFF
#include <sys/swap.h>
#endif
#if USES_UFFD_WP_BIT
#include <sys/utsname.h>
#endif

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

enum { PAGE = 4096, NR_PAGES = 8, NR_MMS = 3, A = 0, B = 1, C = 2, NR_HANDLES = 4, MAX_OPS = 64 };
#if USES_KTAP
/* What is printed beside the tests. */
#define REMARK "# "
#else
#define REMARK ""
#endif

enum { HOLDS = 0, BROKEN = 1, NOT_HERE = 4 };
enum result { OK, SLEEPS, SKIPPED, FAULTED, NO_MEMORY, REFUSED };

/* Where the pages lie, the same address in every process. */
static char *const base = (char *)(1UL << 40);

/* What the controller asks of a process. Pages are a mask; each run of them is one call. */
enum code {
  DO_MAP, DO_UNMAP, DO_PROTECT, DO_ADVISE, DO_SPLIT, DO_CLEAR_REFS, DO_FORK, DO_EXIT, DO_UFFD, DO_CLOSE, DO_MOVE, DO_UFFD_MOVE,
  DO_LOAD, DO_STORE, DO_SPLICE, DO_REGISTER, DO_READV, DO_WRITEV, DO_MEM_READ, DO_MEM_WRITE,
  DO_POPULATE,
};
struct command {
  int op;
  enum code code;
  int mm;
  unsigned pages;
  int argument;
  int handle;
  uint64_t token;
};
struct reply {
  int op;
  enum result result;
  int error;
  long faults;
  long value;
};

static int requests[NR_MMS][2]; /* pipes: the controller holds the only ends to write to */
static int replies[2];
#if USES_SPLICE
static int pipes[NR_HANDLES][2];
#endif
#if USES_IO_URING
static int rings[NR_HANDLES];
#endif

static void not_here(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
#if USES_KTAP
static int told, failures, skipped;

/* The rest of the plan. */
static void skip_rest(const char *reason) {
  if (told == 0) printf("1..0 # SKIP %s\n", reason);
  else
    while (told < NR_TESTS) printf("ok %d # SKIP %s\n", ++told, reason);
}
static void not_here(const char *format, ...) {
  char reason[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reason, sizeof(reason), format, arguments);
  va_end(arguments);
  skip_rest(reason);
  exit(failures ? BROKEN : NOT_HERE);
}
static void tell_test(int holds, const char *text, const char *skip) {
  if (told == 0) printf("1..%d\n", NR_TESTS);
  printf("%sok %d %s%s%s\n", holds || skip ? "" : "not ", ++told, text, skip ? " # SKIP " : "", skip ? skip : "");
  if (skip) skipped++;
  else if (!holds) failures++;
}
#else
static void not_here(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("cannot be tried here: ");
  vprintf(format, arguments);
  printf("\n");
  exit(NOT_HERE);
}
#endif

static char *address(int page) {
  return base + (size_t)page * PAGE_STRIDE;
}
static int first_page(unsigned pages) {
  return __builtin_ctz(pages);
}
