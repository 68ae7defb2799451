/*
 * Claim: MADV_FREE reaches a process that never called it. A page whose entries are clean everywhere is shared by fork;
 * the parent gives it up (MADV_FREE) and unmaps it. To reclaim the page is nobody's now: as the child has no dirty entry
 * either, its page is dropped, and the child reads zeroes. It asked for nothing but MADV_PAGEOUT, which keeps contents.
 * The clean entry comes from a read-only pin (process_vm_readv), for which the kernel copies a shared page.
 *
 * Usage: madv-free-reaches-the-child   needs neither root nor swap.
 * Exit: 0 the child keeps its data, 1 it loses them, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define PAGE 4096
#define TOKEN 0x5a

static volatile unsigned char *page;

static void skip(const char *what) {
  printf("1..0 # SKIP %s: %s\n", what, strerror(errno));
  exit(4);
}

static pid_t child(void) {
  pid_t pid = fork();
  if (pid < 0) skip("fork");
  return pid;
}

/* What a child reads that shared the page when its parent unmapped it, after MADV_FREE if `gives_up`. */
static int read_by_child(int gives_up) {
  page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) skip("mmap");
  *page = TOKEN;

  /* While somebody shares it, a read-only pin gets a copy, which is clean. */
  pid_t sharer = child();
  if (sharer == 0) for (;;) pause();
  unsigned char byte;
  struct iovec to = {&byte, 1}, from = {(void *)page, 1};
  ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
  kill(sharer, SIGKILL);
  waitpid(sharer, NULL, 0);
  if (n != 1) skip("process_vm_readv");

  int ready[2], status;
  if (pipe(ready)) skip("pipe");
  pid_t heir = child();
  if (heir == 0) {
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) _exit(0xff);
    _exit(madvise((void *)page, PAGE, MADV_PAGEOUT) ? 0xff : *page);
  }
  if (gives_up && madvise((void *)page, PAGE, MADV_FREE)) skip("MADV_FREE");
  munmap((void *)page, PAGE);
  if (write(ready[1], "", 1) != 1 || waitpid(heir, &status, 0) != heir || !WIFEXITED(status)) skip("the child");
  if (WEXITSTATUS(status) == 0xff) skip("MADV_PAGEOUT");
  close(ready[0]);
  close(ready[1]);
  return WEXITSTATUS(status);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("TAP version 13\n");
  /* Pages on their way to the LRU lists wait per CPU. */
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu() < 0 ? 0 : sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  int kept = read_by_child(0), lost = read_by_child(1);
  printf("# the child reads 0x%02x, and 0x%02x after its parent's MADV_FREE, where 0x%02x was stored\n", kept, lost, TOKEN);
  if (kept != TOKEN) {
    errno = ECANCELED;
    skip("the child loses its data in any case");
  }
  printf("1..1\n%s 1 a page that the parent gives up stays the child's\n", lost == TOKEN ? "ok" : "not ok");
  return lost == TOKEN ? 0 : 1;
}
