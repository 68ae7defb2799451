/*
 * Claim: swapoff waits for a userfaultfd monitor. A thread that stores to a swapped, write-protected page takes its
 * event from inside do_swap_page, which holds a reference to the swap device (get_swap_device) while the thread
 * sleeps; swapoff waits, without a limit and deaf to signals, until the monitor answers. Without the sleeper the same
 * swapoff ends at once.
 *
 * Usage: swapoff-waits-for-uffd DEVICE   a swap device that is not in use, already mkswapped (a zram will do); root.
 * Exit: 0 swapoff ends while the thread sleeps, 1 it waits until the thread is woken, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static const char *device;
static volatile char *page;
static atomic_int ended;

static void *store_to_page(void *unused) {
  page[0] = 2;
  return unused;
}

static void *turn_swap_off(void *unused) {
  if (swapoff(device)) printf("# swapoff: %s\n", strerror(errno));
  ended = 1;
  return unused;
}

static void skip(const char *what) {
  printf("1..0 # SKIP %s: %s\n", what, strerror(errno));
  exit(4);
}

static void protect(int uffd, int on) {
  struct uffdio_writeprotect wp = {.range = {(unsigned long)page, 4096}};
  wp.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
  if (ioctl(uffd, UFFDIO_WRITEPROTECT, &wp)) printf("# UFFDIO_WRITEPROTECT: %s\n", strerror(errno));
}

/* Kilobytes in use on our device: another one may have taken the page. */
static long used(void) {
  char line[512], name[256];
  long size, kilobytes = 0;
  FILE *swaps = fopen("/proc/swaps", "r");
  while (swaps && fgets(line, sizeof line, swaps)) {
    if (sscanf(line, "%255s %*s %ld %ld", name, &size, &kilobytes) == 3 && !strcmp(name, device)) break;
    kilobytes = 0;
  }
  if (swaps) fclose(swaps);
  return kilobytes;
}

/* Has swapoff ended within `seconds`? */
static int ends_within(int seconds) {
  for (int i = 0; i < seconds * 20 && !ended; i++) usleep(50000);
  return ended;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s DEVICE\n", argv[0]);
    return 4;
  }
  device = argv[1];
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("KTAP version 1\n");
  int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
  if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api)) skip("userfaultfd");
  if (swapon(device, SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK)) skip("swapon");
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[0] = 1;
  unsigned char resident = 1;
  for (int i = 0; i < 100 && resident & 1; i++) {
    madvise((void *)page, 4096, MADV_PAGEOUT);
    if (mincore((void *)page, 4096, &resident)) break;
    usleep(1000);
  }
  if (used() == 0) {
    swapoff(device);
    printf("1..0 # SKIP another swap device took the page\n");
    return 4;
  }
  struct uffdio_register registered = {.range = {(unsigned long)page, 4096}, .mode = UFFDIO_REGISTER_MODE_WP};
  if (ioctl(uffd, UFFDIO_REGISTER, &registered)) skip("UFFDIO_REGISTER");
  protect(uffd, 1);

  pthread_t writer, switcher;
  struct pollfd event = {uffd, POLLIN, 0};
  pthread_create(&writer, NULL, store_to_page, NULL);
  if (poll(&event, 1, 5000) != 1) {
    printf("1..0 # SKIP the store took no event\n");
    swapoff(device);
    return 4;
  }
  printf("1..1\n# a thread sleeps in its event; swapoff begins\n");
  pthread_create(&switcher, NULL, turn_swap_off, NULL);
  int holds = ends_within(3);
  protect(uffd, 0);
  pthread_join(writer, NULL);
  printf("# the thread is woken; swapoff %s\n", ends_within(5) ? "has ended" : "still waits");
  printf("%s 1 swapoff ends although a thread sleeps in a uffd event\n", holds ? "ok" : "not ok");
  return holds ? 0 : 1;
}
