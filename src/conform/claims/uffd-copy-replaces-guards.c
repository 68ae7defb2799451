/*
 * Claim: UFFDIO_COPY replaces a guard. It takes the marker of a guard region for one of its own, which stands for "nothing
 * here", and puts a page in its place: an access that has to fail goes ahead, until v6.19 (c093cf451094).
 *
 * Usage: uffd-copy-replaces-guards   root, or vm.unprivileged_userfaultfd.
 * Exit: 0 the guard stands, 1 it is gone, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define PAGE 4096

static unsigned char source[PAGE] __attribute__((aligned(PAGE))) = {0x5a};
static sigjmp_buf back;

static void skip(const char *what) {
  printf("1..0 # SKIP %s: %s\n", what, strerror(errno));
  exit(4);
}

static void refused(int signal) {
  (void)signal;
  siglongjmp(back, 1);
}

/* The byte there, or -1 if it cannot be read. */
static int byte_at(const volatile unsigned char *page) {
  return sigsetjmp(back, 1) ? -1 : *page;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("TAP version 13\n");
  struct sigaction action = {.sa_handler = refused};
  sigaction(SIGSEGV, &action, NULL);
  unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) skip("mmap");
  if (madvise(page, PAGE, MADV_GUARD_INSTALL)) skip("MADV_GUARD_INSTALL (Linux 6.13 or later)");
  int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  struct uffdio_api api = {.api = UFFD_API};
  if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api)) skip("userfaultfd");
  struct uffdio_register reg = {.range = {(uintptr_t)page, PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (ioctl(uffd, UFFDIO_REGISTER, &reg)) skip("registering for missing pages");
  if (byte_at(page) >= 0) {
    errno = 0;
    skip("no guard before UFFDIO_COPY");
  }

  struct uffdio_copy copy = {.dst = (uintptr_t)page, .src = (uintptr_t)source, .len = PAGE};
  int failed = ioctl(uffd, UFFDIO_COPY, &copy);
  printf("# UFFDIO_COPY onto the guard: %s\n", failed ? strerror(errno) : "done");
  int byte = byte_at(page);
  if (byte < 0) printf("# a load fails\n");
  else printf("# a load reads 0x%02x\n", byte);
  printf("1..1\n%s 1 a guard stands until it is removed\n", byte < 0 ? "ok" : "not ok");
  return byte < 0 ? 0 : 1;
}
