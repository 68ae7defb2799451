/* ---- pages that are held: by a pipe (vmsplice), or as a registered buffer of io_uring ---- */

static uint64_t block[PAGE_STRIDE / sizeof(uint64_t)];
/* The last small page stands for all. */
static inline long token_of_block(void) {
  return (long)block[(PAGE_STRIDE - PAGE) / sizeof(uint64_t)];
}

#if USES_SPLICE
static int scratch[2];

static inline void do_pipe_read(int k, const char *text, int handle) {
  begin(k, text, -1, -1);
  long copied = tee(pipes[handle][0], scratch[1], PAGE_STRIDE, SPLICE_F_NONBLOCK);
  long got = 0;
  while (got < copied) {
    long n = read(scratch[0], (char *)block + got, copied - got);
    if (n <= 0) break;
    got += n;
  }
  done(k, got != PAGE_STRIDE, token_of_block());
  report(k);
}
static inline void do_pipe_drop(int k, const char *text, int handle) {
  begin(k, text, -1, -1);
  while (read(pipes[handle][0], block, sizeof(block)) > 0) continue;
  done(k, 0, 0);
  report(k);
}
#endif

#if USES_IO_URING
static struct ring {
  struct io_uring_params params;
  struct io_uring_sqe *entries;
  char *submissions;
  char *completions;
  char *buffer;
} ring_of[NR_HANDLES];
static int file;

static void open_ring(int handle) {
  struct ring *ring = &ring_of[handle];
  rings[handle] = (int)syscall(SYS_io_uring_setup, 1, &ring->params);
  if (rings[handle] < 0) not_here("no io_uring: %s; sysctl kernel.io_uring_disabled=0", strerror(errno));
  struct io_uring_params *p = &ring->params;
  int flags = MAP_SHARED | MAP_POPULATE, prot = PROT_READ | PROT_WRITE;
  size_t sqes = p->sq_entries * sizeof(struct io_uring_sqe);
  size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
  size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
  ring->entries = mmap(NULL, sqes, prot, flags, rings[handle], IORING_OFF_SQES);
  ring->submissions = mmap(NULL, sq, prot, flags, rings[handle], IORING_OFF_SQ_RING);
  ring->completions = mmap(NULL, cq, prot, flags, rings[handle], IORING_OFF_CQ_RING);
  if ((void *)ring->entries == MAP_FAILED || ring->submissions == MAP_FAILED || ring->completions == MAP_FAILED)
    not_here("io_uring: mmap: %s", strerror(errno));
}

static uint32_t *word_at(char *start, uint32_t offset) {
  return (uint32_t *)(start + offset);
}
/* Between the registered page and the file; 0, or -1 and errno. */
static int move_block(int handle, int operation) {
  struct ring *ring = &ring_of[handle];
  const struct io_sqring_offsets *sq = &ring->params.sq_off;
  const struct io_cqring_offsets *cq = &ring->params.cq_off;
  ring->entries[0] = (struct io_uring_sqe){
      .opcode = operation, .fd = file, .addr = (uintptr_t)ring->buffer, .len = PAGE_STRIDE, .buf_index = 0};
  *word_at(ring->submissions, sq->array) = 0;
  __atomic_add_fetch(word_at(ring->submissions, sq->tail), 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, rings[handle], 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -1;
  uint32_t head = *word_at(ring->completions, cq->head);
  uint32_t mask = *word_at(ring->completions, cq->ring_mask);
  struct io_uring_cqe *completed = (struct io_uring_cqe *)(ring->completions + cq->cqes) + (head & mask);
  int result = completed->res;
  __atomic_store_n(word_at(ring->completions, cq->head), head + 1, __ATOMIC_RELEASE);
  errno = result < 0 ? -result : EIO;
  return result == PAGE_STRIDE ? 0 : -1;
}

static inline void do_ring_register(int k, const char *text, int mm, int page, int handle) {
  ring_of[handle].buffer = address(page);
  tell(k, text, (struct command){.code = DO_REGISTER, .mm = mm, .pages = 1u << page, .handle = handle});
}
static inline void do_ring_read(int k, const char *text, int handle) {
  begin(k, text, -1, -1);
  int failed = move_block(handle, IORING_OP_WRITE_FIXED);
  if (!failed && pread(file, block, sizeof(block), 0) != (long)sizeof(block)) failed = 1;
  done(k, failed, token_of_block());
  report(k);
}
static inline void do_ring_write(int k, const char *text, int handle) {
  begin(k, text, -1, -1);
  for (size_t i = 0; i < sizeof(block) / sizeof(block[0]); i++) block[i] = (uint64_t)k + 1;
  int failed = pwrite(file, block, sizeof(block), 0) != (long)sizeof(block);
  done(k, failed || move_block(handle, IORING_OP_READ_FIXED), 0);
  report(k);
}
static inline void do_ring_drop(int k, const char *text, int handle) {
  begin(k, text, -1, -1);
  done(k, syscall(SYS_io_uring_register, rings[handle], IORING_UNREGISTER_BUFFERS, NULL, 0) != 0, 0);
  report(k);
}
#endif

static void open_handles(void) {
#if USES_SPLICE
  if (pipe2(scratch, O_CLOEXEC | O_NONBLOCK) != 0) not_here("pipe: %s", strerror(errno));
  fcntl(scratch[1], F_SETPIPE_SZ, 256 * PAGE);
  for (int handle = 0; handle < NR_HANDLES; handle++) {
    if (pipe2(pipes[handle], O_CLOEXEC | O_NONBLOCK) != 0) not_here("pipe: %s", strerror(errno));
    fcntl(pipes[handle][1], F_SETPIPE_SZ, 256 * PAGE);
  }
#endif
#if USES_IO_URING
  file = (int)syscall(SYS_memfd_create, "block", 0);
  if (file < 0) not_here("memfd_create: %s", strerror(errno));
  for (int handle = 0; handle < NR_HANDLES; handle++) open_ring(handle);
#endif
}
