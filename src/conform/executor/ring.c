/* Rings of io_uring, used for one thing: a registered buffer is a long-term pin that any sharer of the ring can use. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor.h"

enum { NR_RINGS = 16 };

struct ring {
  int fd;
  bool open;
  struct io_uring_params params;
  uint8_t *submission, *completion;
  struct io_uring_sqe *entries;
};
static struct ring rings[NR_RINGS];
static int file = -1; /* the other end of every transfer */

static void *map(int fd, size_t bytes, uint64_t offset) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);
  if (at != MAP_FAILED) madvise(at, bytes, MADV_DONTFORK);
  return at;
}

int ring_open(uint32_t i) {
  struct ring *ring = &rings[i];
  if (ring->open) return ring->fd;
  if (file < 0) file = memfd_create("breakcow-transfer", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, NR_SMALL * SMALL_PAGE)) return -errno;
  memset(&ring->params, 0, sizeof ring->params);
  ring->fd = (int)syscall(SYS_io_uring_setup, 2, &ring->params);
  if (ring->fd < 0) return -errno;
  const struct io_uring_params *p = &ring->params;
  ring->submission = map(ring->fd, p->sq_off.array + p->sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
  ring->completion = map(ring->fd, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
  ring->entries = map(ring->fd, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
  if (ring->submission == MAP_FAILED || ring->completion == MAP_FAILED || ring->entries == MAP_FAILED) {
    close(ring->fd);
    return -ENOMEM;
  }
  ring->open = true;
  return ring->fd;
}

int ring_unregister(uint32_t i) {
  if (!rings[i].open) return 0;
  return (int)syscall(SYS_io_uring_register, rings[i].fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

/* Submits one request and waits for it; what it returns. */
static int transfer(struct ring *ring, uint8_t code, uint64_t address, uint32_t bytes) {
  const struct io_uring_params *p = &ring->params;
  uint32_t *tail = (uint32_t *)(ring->submission + p->sq_off.tail);
  uint32_t mask = *(uint32_t *)(ring->submission + p->sq_off.ring_mask);
  uint32_t *array = (uint32_t *)(ring->submission + p->sq_off.array);
  uint32_t at = *tail & mask;
  struct io_uring_sqe *entry = &ring->entries[at];
  memset(entry, 0, sizeof *entry);
  entry->opcode = code;
  entry->fd = file;
  entry->addr = address;
  entry->len = bytes;
  array[at] = at;
  __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
  long n;
  do n = syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) return -errno;
  uint32_t *head = (uint32_t *)(ring->completion + p->cq_off.head);
  uint32_t *end = (uint32_t *)(ring->completion + p->cq_off.tail);
  if (__atomic_load_n(end, __ATOMIC_ACQUIRE) == *head) return -EIO;
  uint32_t cq_mask = *(uint32_t *)(ring->completion + p->cq_off.ring_mask);
  struct io_uring_cqe *done = &((struct io_uring_cqe *)(ring->completion + p->cq_off.cqes))[*head & cq_mask];
  int result = done->res;
  __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
  return result < 0 ? result : result == (int)bytes ? 0 : -EIO;
}

int ring_load(uint32_t i, uint64_t address, uint32_t bytes, uint64_t *token) {
  int error = transfer(&rings[i], IORING_OP_WRITE_FIXED, address, bytes);
  if (error < 0) return error;
  return pread(file, token, sizeof *token, (ex.small - 1) * SMALL_PAGE) == sizeof *token ? 0 : -EIO;
}

int ring_store(uint32_t i, uint64_t address, uint32_t bytes, uint64_t token) {
  for (uint32_t k = 0; k < ex.small; k++) {
    if (pwrite(file, &token, sizeof token, k * SMALL_PAGE) != sizeof token) return -EIO;
  }
  return transfer(&rings[i], IORING_OP_READ_FIXED, address, bytes);
}
