/* ---- userfaultfd: made by the process whose memory it watches, held by the controller ---- */

#if USES_UFFD_MOVE
/* .. and kept by the process, under this number, while it may have to move pages. */
static int kept_as[NR_MMS] = {-1, -1, -1};
#endif

#define WP_UNPOPULATED (1UL << 13)
#define WP_ASYNC (1UL << 15)

static void open_uffd(int k, int mm, unsigned long features) {
  post(&(struct command){.op = k, .code = DO_UFFD, .mm = mm});
  settle(k);
  if (ops[k].result != OK) not_here("no userfaultfd: %s; run as root", strerror(ops[k].error));
  int theirs = (int)ops[k].value;
  uffds[mm] = (int)syscall(SYS_pidfd_getfd, pidfds[mm], theirs, 0);
  if (uffds[mm] < 0) not_here("pidfd_getfd: %s", strerror(errno));
#if USES_UFFD_MOVE
  kept_as[mm] = theirs;
#else
  ops[k].state = RUNNING;
  post(&(struct command){.op = k, .code = DO_CLOSE, .mm = mm, .argument = theirs});
  settle(k);
#endif
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | features};
  if (ioctl(uffds[mm], UFFDIO_API, &api) != 0) not_here("no such feature of userfaultfd: %s", strerror(errno));
}
static struct uffdio_range range_of(unsigned pages) {
  int count = __builtin_popcount(pages);
  return (struct uffdio_range){(uintptr_t)address(first_page(pages)), (size_t)count * PAGE_STRIDE};
}

static inline void do_register(int k, const char *text, int mm, unsigned pages, unsigned long features) {
  begin(k, text, mm, -1);
  if (uffds[mm] < 0) open_uffd(k, mm, features);
  struct uffdio_register request = {.range = range_of(pages), .mode = UFFDIO_REGISTER_MODE_WP};
  done(k, ioctl(uffds[mm], UFFDIO_REGISTER, &request) != 0, 0);
  report(k);
}
#if USES_MODES
static inline void do_register_as(int k, const char *text, int mm, unsigned pages, int mode, unsigned long features) {
  begin(k, text, mm, -1);
  if (uffds[mm] < 0) open_uffd(k, mm, features);
  struct uffdio_register request = {.range = range_of(pages), .mode = mode};
  done(k, ioctl(uffds[mm], UFFDIO_REGISTER, &request) != 0, 0);
  report(k);
}
#endif
static inline void do_protect(int k, const char *text, int mm, unsigned pages, int protect) {
  begin(k, text, mm, -1);
  struct uffdio_writeprotect request = {range_of(pages), protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0};
  done(k, ioctl(uffds[mm], UFFDIO_WRITEPROTECT, &request) != 0, 0);
#if USES_WAKING
  if (!protect && ops[k].result == OK) settle_sleepers(mm, pages);
#endif
  report(k);
}
#if USES_WAKING
static inline void do_unregister(int k, const char *text, int mm, unsigned pages) {
  begin(k, text, mm, -1);
  int failed = 0;
  for (unsigned rest = pages; rest != 0 && !failed;) {
    unsigned run = rest & -rest;
    while (rest & run << 1 & ~run) run |= run << 1;
    struct uffdio_range range = range_of(run);
    failed = ioctl(uffds[mm], UFFDIO_UNREGISTER, &range) != 0;
    rest &= ~run;
  }
  done(k, failed, 0);
  settle_sleepers(mm, pages);
  report(k);
}
#if USES_FILL
/* New contents where nothing is: pages that hold k + 1 throughout, or the zero page. */
static inline void do_fill(int k, const char *text, int mm, unsigned pages, int zero, int protect) {
  static char source[8 * PAGE_STRIDE] __attribute__((aligned(4096)));
  begin(k, text, mm, -1);
  for (size_t at = 0; at < sizeof(source); at += PAGE) *(uint64_t *)(source + at) = (uint64_t)k + 1;
  struct uffdio_range range = range_of(pages);
  struct uffdio_zeropage nothing = {.range = range};
  struct uffdio_copy copy = {.dst = range.start, .src = (uintptr_t)source, .len = range.len};
  if (protect) copy.mode = UFFDIO_COPY_MODE_WP;
  done(k, (zero ? ioctl(uffds[mm], UFFDIO_ZEROPAGE, &nothing) : ioctl(uffds[mm], UFFDIO_COPY, &copy)) != 0, 0);
  settle_sleepers(mm, pages);
  report(k);
}
#endif
static inline void do_wake(int k, const char *text, int mm, unsigned pages) {
  begin(k, text, mm, -1);
  struct uffdio_range range = range_of(pages);
  done(k, ioctl(uffds[mm], UFFDIO_WAKE, &range) != 0, 0);
  if (ops[k].result == OK) settle_sleepers(mm, pages);
  report(k);
}
#if USES_UFFD_MOVE
static inline void do_uffd_move(int k, const char *text, int mm, unsigned pages, int to) {
  begin(k, text, mm, -1);
  if (uffds[mm] >= 0 && kept_as[mm] < 0) not_here("process %c does not hold the userfaultfd that fork made", 'A' + mm);
  post(&(struct command){.op = k, .code = DO_UFFD_MOVE, .mm = mm, .pages = pages, .argument = to});
  settle(k);
  settle_sleepers(mm, ((1u << __builtin_popcount(pages)) - 1) << to);
  report(k);
}
#endif
static inline void do_close(int k, const char *text, int mm) {
  begin(k, text, mm, -1);
#if USES_UFFD_MOVE
  if (kept_as[mm] >= 0) {
    post(&(struct command){.op = k, .code = DO_CLOSE, .mm = mm, .argument = kept_as[mm]});
    settle(k);
    kept_as[mm] = -1;
  }
#endif
  done(k, close(uffds[mm]) != 0, 0);
  uffds[mm] = -1;
  settle_sleepers(mm, 0xff);
  report(k);
}
#endif
