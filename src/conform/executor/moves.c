/* Ops that move pages to other addresses. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "executor.h"

/* What is mapped after a call that failed somewhere on its way. */
static void look_for_mappings(uint32_t mm, uint32_t pages) {
  struct victim *v = &ex.victims[mm];
  unsigned char *resident = (unsigned char *)box_of(mm, MAIN)->tokens;
  for (uint32_t page = 0; page < NR_PAGES; page++) {
    if (!(pages >> page & 1)) continue;
    long ret = call(mm, SYS_mincore, (long)address_of(page), (long)SMALL_PAGE, (long)resident, 0, 0, 0);
    v->mapped = ret == -ENOMEM ? v->mapped & ~(1u << page) : v->mapped | 1u << page;
  }
}

uint8_t do_mremap(uint32_t mm, uint32_t from, uint32_t to, int *error) {
  struct victim *v = &ex.victims[mm];
  uint32_t first = (uint32_t)__builtin_ctz(from), there = (uint32_t)__builtin_ctz(to);
  long bytes = (long)((uint32_t)__builtin_popcount(from) * ex.page_bytes);
  if (!(v->mapped >> first & 1)) return R_SKIP;
  long ret = call(mm, SYS_mremap, (long)address_of(first), bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                  (long)address_of(there), 0);
  if (ret < 0 && ret > -4096) {
    *error = (int)ret;
    look_for_mappings(mm, from | to);
    return ret == -EFAULT ? R_FAULT : ret == -ENOMEM ? R_NOMEM : R_REFUSED;
  }
  uint32_t moved = (v->mapped & from) >> first;
  v->mapped = (v->mapped & ~from) | moved << there;
  return R_OK_;
}

#ifndef UFFDIO_MOVE
struct uffdio_move {
  uint64_t dst, src, len, mode;
  int64_t move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

/* The process itself has to ask for it. */
uint8_t do_uffd_move(uint32_t mm, uint32_t from, uint32_t to, int *error) {
  struct victim *v = &ex.victims[mm];
  uint32_t first = (uint32_t)__builtin_ctz(from), there = (uint32_t)__builtin_ctz(to);
  if (!(v->mapped >> first & v->mapped >> there & 1)) return R_SKIP;
  *error = -EBADF;
  if (v->uffd < 0) return R_REFUSED;
  struct uffdio_move *move = (struct uffdio_move *)box_of(mm, MAIN)->tokens;
  *move = (struct uffdio_move){.dst = address_of(there), .src = address_of(first)};
  move->len = (uint64_t)__builtin_popcount(from) * ex.page_bytes;
  mark_woken(mm, to);
  *error = (int)call(mm, SYS_ioctl, v->uffd, (long)UFFDIO_MOVE, (long)move, 0, 0, 0);
  return *error == -ENOMEM ? R_NOMEM : *error < 0 ? R_REFUSED : R_OK_;
}
