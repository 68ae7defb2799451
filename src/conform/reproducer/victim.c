/* ---- a process whose memory is tried: it does what it is told; what may sleep runs on a thread of its own ---- */

static struct command commands[MAX_OPS];
static __thread sigjmp_buf escape;

static void on_fault(int signal) {
  (void)signal;
  siglongjmp(escape, 1);
}

static void answer(int op, int failed, int error, long faults, long value) {
  enum result result = !failed ? OK : error == EFAULT ? FAULTED : error == ENOMEM ? NO_MEMORY : REFUSED;
  struct reply reply = {op, result, failed ? error : 0, faults, value};
  if (write(replies[1], &reply, sizeof(reply)) != sizeof(reply)) _exit(1);
}

static long faults_so_far(void) {
  struct rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

/* Loads or stores at every small page of the page; -1 after SIGSEGV or SIGBUS. */
static int touch(const struct command *c, long *value) {
  char *page = address(first_page(c->pages));
  if (sigsetjmp(escape, 1) != 0) return -1;
  for (long at = 0; at < PAGE_STRIDE; at += PAGE) {
    volatile uint64_t *word = (volatile uint64_t *)(page + at);
    if (c->code == DO_STORE) *word = c->token;
    else *value = (long)*word;
  }
  return 0;
}

#if USES_PROCESS_VM || USES_PROC_MEM
/* One transfer between the page and a buffer: get_user_pages for as long as the call takes. */
static long transfer(const struct command *c, long *value) {
  static __thread uint64_t buffer[PAGE_STRIDE / sizeof(uint64_t)];
  char *page = address(first_page(c->pages));
  for (size_t i = 0; i < PAGE_STRIDE / sizeof(uint64_t); i++) buffer[i] = c->token;
  long done = -1;
#if USES_PROCESS_VM
  struct iovec here = {buffer, PAGE_STRIDE}, there = {page, PAGE_STRIDE};
  if (c->code == DO_READV) done = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
  if (c->code == DO_WRITEV) done = process_vm_writev(getpid(), &here, 1, &there, 1, 0);
#endif
#if USES_PROC_MEM
  if (c->code == DO_MEM_READ || c->code == DO_MEM_WRITE) {
    int fd = open("/proc/self/mem", O_RDWR);
    if (c->code == DO_MEM_READ) done = pread(fd, buffer, PAGE_STRIDE, (off_t)(uintptr_t)page);
    else done = pwrite(fd, buffer, PAGE_STRIDE, (off_t)(uintptr_t)page);
    int error = errno == EIO ? EFAULT : errno; /* what it says where get_user_pages fails */
    close(fd);
    errno = error;
  }
#endif
  *value = (long)buffer[(PAGE_STRIDE - PAGE) / sizeof(uint64_t)];
  if (done >= 0 && done < PAGE_STRIDE) errno = EFAULT;
  return done == PAGE_STRIDE ? 0 : -1;
}
#endif

static void *on_thread(void *argument) {
  const struct command *c = argument;
  long value = 0, failed = 0;
  long before = faults_so_far();
  switch (c->code) {
    case DO_LOAD:
    case DO_STORE:
      failed = touch(c, &value);
      if (failed) errno = EFAULT;
      break;
#if USES_POPULATE
    case DO_POPULATE:
      failed = madvise(address(first_page(c->pages)), PAGE_STRIDE, c->argument);
      break;
#endif
#if USES_SPLICE
    case DO_SPLICE: {
      struct iovec vector = {address(first_page(c->pages)), PAGE_STRIDE};
      long spliced = vmsplice(pipes[c->handle][1], &vector, 1, 0);
      failed = spliced < 0 ? -1 : 0;
      break;
    }
#endif
#if USES_IO_URING
    case DO_REGISTER: {
      struct iovec vector = {address(first_page(c->pages)), PAGE_STRIDE};
      failed = syscall(SYS_io_uring_register, rings[c->handle], IORING_REGISTER_BUFFERS, &vector, 1);
      break;
    }
#endif
#if USES_PROCESS_VM || USES_PROC_MEM
    default:
      failed = transfer(c, &value);
      break;
#else
    default:
      break;
#endif
  }
  int error = errno;
  answer(c->op, failed != 0, error, faults_so_far() - before, value);
  return NULL;
}

/* One call for a run of pages. */
static long call(const struct command *c, char *start, size_t length) {
  switch (c->code) {
    case DO_MAP: {
      int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
      if (mmap(start, length, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) return -1;
      return madvise(start, length, c->argument);
    }
    case DO_UNMAP:
      return munmap(start, length);
    case DO_PROTECT:
      return mprotect(start, length, c->argument);
    default:
      return madvise(start, length, c->argument);
  }
}
static long on_runs(const struct command *c) {
  for (unsigned rest = c->pages; rest != 0;) {
    int first = first_page(rest), count = 0;
    while (rest >> (first + count) & 1) count++;
    if (call(c, address(first), (size_t)count * PAGE_STRIDE) != 0) return -1;
    rest &= ~(((1u << count) - 1) << first);
  }
  return 0;
}
#if USES_SPLIT
/* A boundary of VMAs inside a huge page makes the kernel map it by PTEs. */
static long split(unsigned pages) {
  for (int half = 0; half < 2; half++) {
    if (!(pages >> (4 * half) & 0xf)) continue;
    char *middle = address(4 * half + 2);
    if (madvise(middle, 2 * PAGE_STRIDE, MADV_DONTDUMP) != 0) return -1;
    if (madvise(middle, 2 * PAGE_STRIDE, MADV_DODUMP) != 0) return -1;
  }
  return 0;
}
#endif

static void serve(int mm);
#if USES_UFFD_MOVE
/* UFFDIO_MOVE is for the process itself, which keeps its userfaultfd for that. */
static int own_uffd = -1;
#ifndef UFFDIO_MOVE
struct uffdio_move {
  uint64_t dst, src, len, mode;
  int64_t move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif
static long move_pages_to(unsigned pages, int to) {
  struct uffdio_move request = {.dst = (uintptr_t)address(to), .src = (uintptr_t)address(first_page(pages))};
  request.len = (uint64_t)__builtin_popcount(pages) * PAGE_STRIDE;
  return ioctl(own_uffd, UFFDIO_MOVE, &request);
}
#endif
#if USES_FORK
static long make_child(int mm) {
  pid_t child = fork();
#if USES_UFFD_MOVE
  if (child == 0 && own_uffd >= 0) close(own_uffd);
  if (child == 0) own_uffd = -1;
#endif
  if (child == 0) serve(mm);
  return child;
}
#endif

static void serve_here(const struct command *c) {
  long done = 0, value = 0;
  switch (c->code) {
    case DO_EXIT:
      _exit(0);
#if USES_FORK
    case DO_FORK:
      value = done = make_child(c->argument);
      break;
#endif
#if USES_CLEAR_REFS
    case DO_CLEAR_REFS: {
      int fd = open("/proc/self/clear_refs", O_WRONLY);
      done = write(fd, "4", 1);
      close(fd);
      break;
    }
#endif
#if USES_MREMAP
    case DO_MOVE: {
      size_t length = (size_t)__builtin_popcount(c->pages) * PAGE_STRIDE;
      void *to = address(c->argument);
      done = mremap(address(first_page(c->pages)), length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to ? 0 : -1;
      break;
    }
#endif
#if USES_SPLIT
    case DO_SPLIT:
      done = split(c->pages);
      break;
#endif
#if USES_UFFD
    case DO_UFFD:
      value = done = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
#if USES_UFFD_MOVE
      own_uffd = (int)value;
#endif
      break;
    case DO_CLOSE:
      done = close(c->argument);
      break;
#if USES_UFFD_MOVE
    case DO_UFFD_MOVE:
      done = move_pages_to(c->pages, c->argument);
      break;
#endif
#endif
    default:
      done = on_runs(c);
  }
  answer(c->op, done < 0, errno, 0, value);
}

/* Until the controller is gone. */
static void serve(int mm) {
  struct command c;
  while (read(requests[mm][0], &c, sizeof(c)) == sizeof(c)) {
    commands[c.op] = c;
    if (c.code < DO_LOAD) {
      serve_here(&commands[c.op]);
      continue;
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, on_thread, &commands[c.op]) != 0) answer(c.op, 1, ENOMEM, 0, 0);
    else pthread_detach(thread);
  }
  _exit(0);
}
