/* Finds out what this kernel lets us do, by doing it once to the controller's own memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "executor.h"

#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif

static volatile uint64_t *page; /* a written one */
static int pagemap;

static void probe_pagemap(void) {
  pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  uint64_t word = pagemap_word(pagemap, (uint64_t)page);
  if (word & ((1ull << 55) - 1)) ex.capabilities |= CAN_PFN;
  else lacks(CAN_PFN, "frames", "/proc/PID/pagemap shows no page frames: needs CAP_SYS_ADMIN, run as root");
  int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) ex.capabilities |= CAN_KPAGE;
  else lacks(CAN_KPAGE, "kpageflags", "/proc/kpageflags: %s (root, CONFIG_PROC_PAGE_MONITOR)", strerror(errno));
  close_fd(&fd);
  int64_t scanned = scan_page(pagemap, (uint64_t)page);
  if (scanned >= 0) ex.capabilities |= CAN_PAGEMAP_SCAN;
  else lacks(CAN_PAGEMAP_SCAN, "pagemap-scan", "PAGEMAP_SCAN: %s (Linux 6.7 or later)", strerror((int)-scanned));

  int clear = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  bool dirty = word >> 55 & 1;
  bool cleared = clear >= 0 && write(clear, "4", 1) == 1;
  word = pagemap_word(pagemap, (uint64_t)page);
  if (dirty && cleared && !(word >> 55 & 1)) ex.capabilities |= CAN_SOFT_DIRTY;
  else lacks(CAN_SOFT_DIRTY, "soft-dirty", "this kernel does not track it (CONFIG_MEM_SOFT_DIRTY)");
  close_fd(&clear);
  *page = 1;
}

static void probe_uffd(void) {
  uint64_t granted = 0, features = uffd_features();
  int fd = -1;
  if (!(features & UFFD_FEATURE_PAGEFAULT_FLAG_WP) || !(features & UFFD_FEATURE_THREAD_ID)) {
    bool root = geteuid() == 0;
    const char *how = root ? "CONFIG_USERFAULTFD, Linux 5.7 or later" : "root, or vm.unprivileged_userfaultfd=1";
    return lacks(CAN_UFFD_WP, "userfaultfd", "no write-protect faults: needs %s", how);
  }
  ex.capabilities |= CAN_UFFD_WP | CAN_UFFD_MISSING;
  if (features & UFFD_FEATURE_WP_ASYNC_) ex.capabilities |= CAN_WP_ASYNC;
  else lacks(CAN_WP_ASYNC, "wp-async", "UFFD_FEATURE_WP_ASYNC: Linux 6.7 or later");
  if (features & UFFD_FEATURE_EVENT_FORK) fd = uffd_open(UFFD_FEATURE_EVENT_FORK, &granted);
  if (fd >= 0) ex.capabilities |= CAN_EVENT_FORK;
  else lacks(CAN_EVENT_FORK, "event-fork", "fork events are refused: needs CAP_SYS_PTRACE, run as root");
  close_fd(&fd);
  if (features & UFFD_FEATURE_WP_UNPOPULATED) ex.capabilities |= CAN_WP_UNPOPULATED;
  else lacks(CAN_WP_UNPOPULATED, "wp-unpopulated", "UFFD_FEATURE_WP_UNPOPULATED: Linux 6.4 or later");

  if (features & UFFD_FEATURE_MOVE) ex.capabilities |= CAN_UFFD_MOVE;
  else lacks(CAN_UFFD_MOVE, "uffd-move", "UFFDIO_MOVE: Linux 6.8 or later");

  fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP, &granted);
  struct uffdio_range range = {(uint64_t)page, SMALL_PAGE};
  struct uffdio_register registered = {.range = range, .mode = UFFDIO_REGISTER_MODE_WP};
  struct uffdio_writeprotect protect = {.range = range, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
  *page = 1;
  bool shown = fd >= 0 && !ioctl(fd, UFFDIO_REGISTER, &registered) && !ioctl(fd, UFFDIO_WRITEPROTECT, &protect) &&
               pagemap_word(pagemap, (uint64_t)page) >> 57 & 1;
  close_fd(&fd);
  if (shown) ex.capabilities |= CAN_PAGEMAP_WP;
  else lacks(CAN_PAGEMAP_WP, "pagemap-wp", "pagemap does not show uffd-wp (Linux 5.14 or later)");
}

static void probe_gup(void) {
  int ends[2] = {-1, -1};
  uint64_t token = 0;
  struct iovec local = {&token, sizeof token}, remote = {(void *)page, sizeof token};
  if (pipe2(ends, O_CLOEXEC) == 0 && vmsplice(ends[1], &remote, 1, 0) == sizeof token) ex.capabilities |= CAN_VMSPLICE;
  else lacks(CAN_VMSPLICE, "vmsplice", "%s", strerror(errno));
  close_fd(&ends[0]);
  close_fd(&ends[1]);

  int ring = ring_open(0);
  if (ring >= 0 && syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &remote, 1) == 0) {
    ex.capabilities |= CAN_IO_URING;
    ring_unregister(0);
  } else {
    const char *error = strerror(ring < 0 ? -ring : errno);
    lacks(CAN_IO_URING, "io_uring", "registered buffers: %s (kernel.io_uring_disabled=0, ulimit -l)", error);
  }
  if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof token) ex.capabilities |= CAN_PROCESS_VM;
  else lacks(CAN_PROCESS_VM, "process_vm", "process_vm_readv: %s", strerror(errno));

  int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  if (pread(mem, &token, sizeof token, (off_t)(uintptr_t)page) != sizeof token) {
    lacks(0, "contents", "/proc/PID/mem cannot be read: %s", strerror(errno));
  }
  mprotect((void *)page, SMALL_PAGE, PROT_READ);
  if (pwrite(mem, &token, sizeof token, (off_t)(uintptr_t)page) == sizeof token) ex.capabilities |= CAN_PROC_MEM;
  else lacks(CAN_PROC_MEM, "proc-mem", "forced write: %s (boot with proc_mem.force_override=always)", strerror(errno));
  mprotect((void *)page, SMALL_PAGE, PROT_READ | PROT_WRITE);
  close_fd(&mem);
}

/* Does a first write map a whole huge page? Its neighbour's frame shows it, or, without frames, the fault count. */
static void probe_thp(void) {
  uint64_t huge = 2ul << 20;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  volatile uint8_t *at = mmap((void *)BASE, huge, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at != MAP_FAILED && madvise((void *)at, huge, MADV_HUGEPAGE) == 0) {
    at[0] = 1;
    if (pagemap_word(pagemap, BASE + huge - SMALL_PAGE) >> 63) ex.capabilities |= CAN_THP;
  }
  if (!(ex.capabilities & CAN_THP)) {
    lacks(CAN_THP, "thp", "no huge page here: needs transparent_hugepage/enabled=madvise and free memory");
  }
  if (at != MAP_FAILED) munmap((void *)at, huge);
}

void probe(void) {
  page = mmap(NULL, SMALL_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if ((void *)page == MAP_FAILED) return fail(STATUS_TROUBLE, "memory: %m");
  *page = 1;
  probe_pagemap();
  probe_uffd();
  probe_gup();
  probe_thp();
  munmap((void *)page, SMALL_PAGE);
  close_fd(&pagemap);
  char why[256] = "";
  if (raw_open(why, sizeof why) == 0) ex.capabilities |= CAN_RAW;
  else lacks(CAN_RAW, "raw", "%s", why);
  lacks(CAN_HOLD_PIN, "hold-pin", "a held read-only short-term pin is not implemented");
}

void print_capabilities(void) {
  static const char *const names[] = {
      "userfaultfd", "event-fork",   "wp-unpopulated", "swap",     "thp",      "soft-dirty", "frames",   "kpageflags",
      "pagemap-scan", "pagemap-wp", "vmsplice",       "io_uring", "process_vm", "proc-mem", "raw",      "fifo",
      "hold-pin", "uffd-missing", "wp-async"};
  printf("can:");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) if (ex.capabilities >> i & 1) printf(" %s", names[i]);
  printf("\n%s", ex.text);
}
