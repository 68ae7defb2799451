/*
 * Claim: soft-dirty loses stores to pages that are being migrated. clear_refs takes soft-dirty off a migration entry but
 * leaves the entry writable; the page comes back writable and clean, and the next store to it takes no fault that would
 * mark it. One thread moves pages between two NUMA nodes, the other stores to all of them, resets soft-dirty, stores
 * again and asks pagemap: every page must be soft-dirty.
 *
 * Usage: clear-refs-misses-migrating-pages [SECONDS]   two NUMA nodes with memory, CONFIG_MEM_SOFT_DIRTY, two CPUs.
 * Exit: 0 every store is reported, 1 some are not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGES 256
#define PAGE 4096
#define SOFT_DIRTY (1ull << 55)

static volatile unsigned char *memory;
static atomic_int stop;
static atomic_long moves;

static void skip(const char *what) {
  printf("1..0 # SKIP %s: %s\n", what, strerror(errno));
  exit(4);
}

static void *move(void *unused) {
  static void *pages[PAGES];
  static int nodes[PAGES], status[PAGES];
  for (int to = 1; !stop; to = !to) {
    for (int i = 0; i < PAGES; i++) {
      pages[i] = (void *)(memory + i * PAGE);
      nodes[i] = to;
    }
    syscall(SYS_move_pages, 0, (long)PAGES, pages, nodes, status, MPOL_MF_MOVE);
    if (status[0] == to) moves++;
  }
  return unused;
}

/* Stores after clear_refs that pagemap does not tell of, in that many seconds. */
static long unreported(int seconds, int clear_refs, int pagemap, long *rounds) {
  static uint64_t entries[PAGES];
  long missing = 0;
  *rounds = 0;
  for (time_t end = time(NULL) + seconds; time(NULL) < end; ++*rounds) {
    for (int i = 0; i < PAGES; i++) memory[i * PAGE]++;
    if (write(clear_refs, "4", 1) != 1) skip("clear_refs");
    for (int i = 0; i < PAGES; i++) memory[i * PAGE]++;
    if (pread(pagemap, entries, sizeof entries, (uintptr_t)memory / PAGE * 8) != sizeof entries) skip("pagemap");
    for (int i = 0; i < PAGES; i++) missing += !(entries[i] & SOFT_DIRTY);
  }
  return missing;
}

int main(int argc, char **argv) {
  int seconds = argc > 1 ? atoi(argv[1]) : 20;
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("TAP version 13\n");
  if (access("/sys/devices/system/node/node1", F_OK)) skip("a second NUMA node");
  memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) skip("mmap");
  madvise((void *)memory, PAGES * PAGE, MADV_NOHUGEPAGE);
  memset((void *)memory, 1, PAGES * PAGE);
  int clear_refs = open("/proc/self/clear_refs", O_WRONLY), pagemap = open("/proc/self/pagemap", O_RDONLY);
  if (clear_refs < 0 || pagemap < 0) skip("clear_refs and pagemap");

  long rounds, missing = unreported(2, clear_refs, pagemap, &rounds);
  if (missing) {
    errno = ENOSYS;
    skip("soft-dirty");
  }
  printf("# nothing moves: %ld rounds, every store is reported\n", rounds);
  pthread_t thread;
  if (pthread_create(&thread, NULL, move, NULL)) skip("thread");
  missing = unreported(seconds, clear_refs, pagemap, &rounds);
  stop = 1;
  pthread_join(thread, NULL);
  if (moves == 0) {
    errno = ENODEV;
    skip("move_pages");
  }
  printf("# %ld rounds, %ld moves of all pages: %ld of %ld stores are not reported\n1..1\n", rounds, moves, missing, rounds * PAGES);
  printf("%s 1 a store since clear_refs is reported as soft-dirty\n", missing ? "not ok" : "ok");
  return missing != 0;
}
