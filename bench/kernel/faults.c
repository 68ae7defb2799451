/*
 * Raw fault rates of the running kernel: what one page fault costs when nobody checks anything.
 *
 *   faults PATH [PAGES]   one sample: prints "PAGES NANOSECONDS" of the timed accesses
 *
 * The thread that faults stays on one CPU. Exit codes: 0, 2 usage, 4 not available here (one line on stderr says why).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define FEATURE_WP_UNPOPULATED (1u << 13)
#define FEATURE_WP_ASYNC (1u << 15)

enum { PAGE = 4096, MAX_PAGES = 1 << 20 };

static void unavailable(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(4);
}

static long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* The k-th CPU this process may run on, or -1. */
static int allowed_cpu(int k) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &allowed) && k-- == 0) return cpu;
  return -1;
}

static void run_on(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  sched_setaffinity(0, sizeof(only), &only);
}

static char *map(long pages) {
  char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) unavailable("no memory: mmap: %s", strerror(errno));
  madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
  return memory;
}

static void touch(volatile char *memory, long pages, char value) {
  for (long page = 0; page < pages; page++) memory[page * PAGE] = value;
}

static long timed_touch(char *memory, long pages) {
  long start = nanoseconds();
  touch(memory, pages, 2);
  return nanoseconds() - start;
}

static long measure_syscall(long calls) {
  long start = nanoseconds();
  for (long call = 0; call < calls; call++) syscall(SYS_getppid);
  return nanoseconds() - start;
}

static long measure_anon_write(long pages) {
  return timed_touch(map(pages), pages);
}

/* The child keeps every page shared until the last store is done. */
static long measure_cow(long pages) {
  char *memory = map(pages);
  touch(memory, pages, 1);
  pid_t child = fork();
  if (child < 0) unavailable("no process: fork: %s", strerror(errno));
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  long duration = timed_touch(memory, pages);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return duration;
}

static int open_uffd(unsigned long features) {
  int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
  if (fd < 0) fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  if (fd < 0) unavailable("no userfaultfd: %s; run as root or set vm.unprivileged_userfaultfd=1", strerror(errno));
  struct uffdio_api api = {.api = UFFD_API, .features = features};
  if (ioctl(fd, UFFDIO_API, &api) != 0) unavailable("this kernel's userfaultfd lacks a feature (%s)", strerror(errno));
  return fd;
}

static void protect(int fd, char *memory, long pages, int on) {
  struct uffdio_writeprotect request = {
      .range = {.start = (unsigned long)memory, .len = pages * PAGE},
      .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
  };
  if (ioctl(fd, UFFDIO_WRITEPROTECT, &request) != 0) unavailable("UFFDIO_WRITEPROTECT: %s", strerror(errno));
}

static char *map_protected(int fd, long pages) {
  char *memory = map(pages);
  touch(memory, pages, 1);
  struct uffdio_register request = {
      .range = {.start = (unsigned long)memory, .len = pages * PAGE},
      .mode = UFFDIO_REGISTER_MODE_WP,
  };
  if (ioctl(fd, UFFDIO_REGISTER, &request) != 0) unavailable("no uffd-wp: UFFDIO_REGISTER: %s", strerror(errno));
  protect(fd, memory, pages, 1);
  return memory;
}

struct monitor {
  int fd;
  int cpu;
  long events;
};

/* Takes the protection off each page that somebody wants to write to. */
static void *serve(void *argument) {
  struct monitor *monitor = argument;
  run_on(monitor->cpu);
  for (long left = monitor->events; left > 0; left--) {
    struct uffd_msg message;
    if (read(monitor->fd, &message, sizeof(message)) != sizeof(message)) unavailable("no event: %s", strerror(errno));
    protect(monitor->fd, (char *)(message.arg.pagefault.address & ~(PAGE - 1UL)), 1, 0);
  }
  return NULL;
}

static long measure_uffd_wp(long pages, int monitor_cpu) {
  if (monitor_cpu < 0) unavailable("one CPU only: no other one for the monitor");
  int fd = open_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
  char *memory = map_protected(fd, pages);
  struct monitor monitor = {.fd = fd, .cpu = monitor_cpu, .events = pages};
  pthread_t thread;
  if (pthread_create(&thread, NULL, serve, &monitor) != 0) unavailable("no thread for the monitor");
  long duration = timed_touch(memory, pages);
  pthread_join(thread, NULL);
  return duration;
}

static long measure_wp_async(long pages) {
  int fd = open_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP | FEATURE_WP_UNPOPULATED | FEATURE_WP_ASYNC);
  return timed_touch(map_protected(fd, pages), pages);
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "";
  long pages = argc > 2 ? atol(argv[2]) : 4096;
  if (argc > 3 || pages < 1 || pages > MAX_PAGES) {
    fprintf(stderr, "usage: faults syscall|anon-write|cow|uffd-wp|uffd-wp-other-cpu|uffd-wp-async [PAGES]\n");
    return 2;
  }
  int other = allowed_cpu(1);
  int here = allowed_cpu(0);
  run_on(here);
  long duration;
  if (strcmp(path, "syscall") == 0) duration = measure_syscall(pages);
  else if (strcmp(path, "anon-write") == 0) duration = measure_anon_write(pages);
  else if (strcmp(path, "cow") == 0) duration = measure_cow(pages);
  else if (strcmp(path, "uffd-wp") == 0) duration = measure_uffd_wp(pages, here);
  else if (strcmp(path, "uffd-wp-other-cpu") == 0) duration = measure_uffd_wp(pages, other);
  else if (strcmp(path, "uffd-wp-async") == 0) duration = measure_wp_async(pages);
  else {
    fprintf(stderr, "faults: no path %s\n", path);
    return 2;
  }
  printf("%ld %ld\n", pages, duration);
  return 0;
}
