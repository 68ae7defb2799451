/* userfaultfd: created in a victim, used from the controller, which shares the table of open files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor.h"

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

/* Speaks UFFDIO_API; what the kernel lacks of `optional` is left out. 0, or a negative errno. */
static int agree(int fd, uint64_t needed, uint64_t optional, uint64_t *granted) {
  uint64_t remap = optional & UFFD_FEATURE_EVENT_REMAP;
  uint64_t wishes[] = {optional, remap | (optional & UFFD_FEATURE_EVENT_FORK), remap | (optional & UFFD_FEATURE_WP_UNPOPULATED), remap};
  int error = 0;
  for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
    struct uffdio_api api = {.api = UFFD_API, .features = needed | wishes[i]};
    if (ioctl(fd, UFFDIO_API, &api) == 0) {
      *granted = api.features;
      return 0;
    }
    error = -errno;
  }
  return error;
}

int uffd_open(uint64_t features, uint64_t *granted) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0) return -EPERM;
    fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
    close(device);
    if (fd < 0) return -errno;
  }
  int error = agree(fd, features, 0, granted);
  if (error) close(fd);
  return error ? error : fd;
}

/* A new uffd of the victim itself: whoever creates one is watched by it. */
static int create(uint32_t mm, uint32_t flags) {
  struct victim *v = &ex.victims[mm];
  uint64_t optional = 0, granted;
  long fd = call(mm, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0, 0);
  if (fd == -EPERM) {
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0) return -EPERM;
    fd = call(mm, SYS_ioctl, device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK, 0, 0, 0);
    close(device);
  }
  if (fd < 0) return (int)fd;
  if (flags & REG_EVENT_FORK) optional |= UFFD_FEATURE_EVENT_FORK;
  if (flags & REG_WP_UNPOPULATED) optional |= UFFD_FEATURE_WP_UNPOPULATED;
  if (flags & REG_EVENT_REMAP) optional |= UFFD_FEATURE_EVENT_REMAP;
  uint64_t needed = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_THREAD_ID;
  if (flags & REG_WP_ASYNC) needed |= UFFD_FEATURE_WP_ASYNC_;
  int error = agree((int)fd, needed, optional, &granted);
  if (error) close((int)fd);
  else v->uffd = (int)fd;
  return error;
}

static struct uffdio_range range_of(uint32_t first, uint32_t pages) {
  return (struct uffdio_range){address_of(first), pages * ex.page_bytes};
}
/* The pages of an op are always one range. */
static struct uffdio_range whole(uint32_t pages) {
  return range_of((uint32_t)__builtin_ctz(pages), (uint32_t)__builtin_popcount(pages));
}

static uint8_t refused(int number, int *error) {
  *error = -number;
  return number == ENOMEM ? R_NOMEM : R_REFUSED;
}

uint8_t do_uffd_reg(uint32_t mm, uint32_t pages, uint32_t flags, int *error) {
  struct victim *v = &ex.victims[mm];
  if ((v->mapped & pages) == 0) return R_SKIP;
  if (v->uffd < 0) {
    int created = create(mm, flags);
    if (created < 0) return refused(-created, error);
  }
  struct uffdio_register registered = {.range = whole(pages)};
  if (!(flags & REG_MISSING)) registered.mode |= UFFDIO_REGISTER_MODE_WP;
  if (flags & (REG_MISSING | REG_BOTH)) registered.mode |= UFFDIO_REGISTER_MODE_MISSING;
  return ioctl(v->uffd, UFFDIO_REGISTER, &registered) ? refused(errno, error) : R_OK_;
}

uint8_t do_uffd_unreg(uint32_t mm, uint32_t pages, int *error) {
  struct victim *v = &ex.victims[mm];
  uint32_t mapped = v->mapped & pages, first, count;
  uint8_t result = R_OK_;
  if (mapped == 0) return R_SKIP;
  if (v->uffd < 0) return refused(EBADF, error);
  mark_woken(mm, mapped);
  while (next_run(&mapped, &first, &count)) {
    struct uffdio_range range = range_of(first, count);
    if (ioctl(v->uffd, UFFDIO_UNREGISTER, &range)) result = refused(errno, error);
  }
  return result;
}

uint8_t do_uffd_close(uint32_t mm, int *error) {
  struct victim *v = &ex.victims[mm];
  if (v->uffd < 0) return refused(EBADF, error);
  mark_woken(mm, 0xff);
  close_fd(&v->uffd);
  return R_OK_;
}

uint8_t do_wp(uint32_t mm, uint32_t pages, bool protect, int *error) {
  struct victim *v = &ex.victims[mm];
  if ((v->mapped & pages) == 0) return R_SKIP;
  if (v->uffd < 0) return refused(EBADF, error);
  struct uffdio_writeprotect request = {.range = whole(pages), .mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0};
  if (!protect) mark_woken(mm, pages);
  return ioctl(v->uffd, UFFDIO_WRITEPROTECT, &request) ? refused(errno, error) : R_OK_;
}

/* What UFFDIO_COPY copies: pages that hold the token, each small one of them. */
static uint64_t source(uint64_t bytes, uint64_t token) {
  static char *pages;
  if (pages == NULL) {
    char *made = mmap(NULL, NR_PAGES * NR_SMALL * SMALL_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return 0;
    pages = made;
  }
  for (uint64_t at = 0; at < bytes; at += SMALL_PAGE) *(uint64_t *)(pages + at) = token;
  return (uint64_t)pages;
}

uint8_t do_uffd_fill(uint32_t mm, uint32_t pages, uint64_t token, bool protect, int *error) {
  struct victim *v = &ex.victims[mm];
  if ((v->mapped & pages) == 0) return R_SKIP;
  if (v->uffd < 0) return refused(EBADF, error);
  struct uffdio_range range = whole(pages);
  mark_woken(mm, pages);
  if (token == 0) {
    struct uffdio_zeropage zero = {.range = range};
    return ioctl(v->uffd, UFFDIO_ZEROPAGE, &zero) ? refused(errno, error) : R_OK_;
  }
  struct uffdio_copy copy = {.dst = range.start, .src = source(range.len, token), .len = range.len};
  if (copy.src == 0) return refused(ENOMEM, error);
  if (protect) copy.mode = UFFDIO_COPY_MODE_WP;
  return ioctl(v->uffd, UFFDIO_COPY, &copy) ? refused(errno, error) : R_OK_;
}

uint8_t do_wake(uint32_t mm, uint32_t pages, int *error) {
  struct victim *v = &ex.victims[mm];
  if (v->uffd < 0) return refused(EBADF, error);
  struct uffdio_range range = whole(pages);
  mark_woken(mm, pages);
  return ioctl(v->uffd, UFFDIO_WAKE, &range) ? refused(errno, error) : R_OK_;
}

uint64_t uffd_features(void) {
  uint64_t granted = 0;
  int fd = uffd_open(0, &granted);
  if (fd < 0) return 0;
  close(fd);
  return granted;
}
