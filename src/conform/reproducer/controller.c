/* ---- the controller: one op after the other, and whoever sleeps stays asleep until the program wakes it ---- */

enum state { NOT_YET, RUNNING, ASLEEP, ENDED };
struct op {
  const char *text;
  enum state state;
  int mm;
  int page;
  int events;
  int ended_in; /* op during which it ended */
  enum result result;
  int error;
  long faults;
  long value;
};
static struct op ops[MAX_OPS];
static int now;
static pid_t pids[NR_MMS];
static int pidfds[NR_MMS] = {-1, -1, -1};
static int uffds[NR_MMS] = {-1, -1, -1};
#if USES_FORK
static int child_to_be;
#endif
#if !USES_KTAP
static const char *verdict;
#endif

/* A page that waits in a per-CPU list has one more reference than it should: empty the list. */
static void drain(void) {
  static char *page;
  if (!page) page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(page, PAGE, MADV_COLD);
}

static void note(const struct reply *reply) {
  struct op *op = &ops[reply->op];
  op->state = ENDED;
  op->ended_in = now;
  op->result = reply->result;
  op->error = reply->error;
  op->faults = (reply->faults + PAGE_STRIDE / PAGE - 1) / (PAGE_STRIDE / PAGE);
  op->value = reply->value;
}

#if USES_UFFD
static void note_event(int mm) {
  struct uffd_msg message;
  if (read(uffds[mm], &message, sizeof(message)) != sizeof(message)) return;
#if USES_FORK
  if (message.event == UFFD_EVENT_FORK) uffds[child_to_be] = (int)message.arg.fork.ufd;
#endif
  if (message.event != UFFD_EVENT_PAGEFAULT) return;
  int page = (int)((message.arg.pagefault.address - (uintptr_t)base) / PAGE_STRIDE);
  for (int k = 0; k < MAX_OPS; k++) {
    struct op *op = &ops[k];
    if (op->state != RUNNING || op->mm != mm || op->page != page) continue;
    op->state = ASLEEP;
    op->events++;
    return;
  }
}
#endif

/* Takes in one reply or event; 0 if none came within `milliseconds`. */
static int take_one(int milliseconds) {
  struct pollfd fds[1 + NR_MMS] = {{.fd = replies[0], .events = POLLIN}};
  for (int mm = 0; mm < NR_MMS; mm++) fds[1 + mm] = (struct pollfd){.fd = uffds[mm], .events = POLLIN};
  if (poll(fds, 1 + NR_MMS, milliseconds) <= 0) return 0;
  if (fds[0].revents & POLLIN) {
    struct reply reply;
    if (read(replies[0], &reply, sizeof(reply)) == sizeof(reply)) note(&reply);
  }
#if USES_UFFD
  for (int mm = 0; mm < NR_MMS; mm++)
    if (fds[1 + mm].revents & POLLIN) note_event(mm);
#endif
  return 1;
}

static void begin(int k, const char *text, int mm, int page) {
  now = k;
  ops[k] = (struct op){.text = text, .state = RUNNING, .mm = mm, .page = page, .ended_in = -1};
  drain();
}
static void post(const struct command *c) {
  if (write(requests[c->mm][1], c, sizeof(*c)) != sizeof(*c)) not_here("process %c is gone", 'A' + c->mm);
}
static void stuck(int k) __attribute__((noreturn));
static void stuck(int k) {
#if USES_KTAP
  char text[256];
  snprintf(text, sizeof(text), "op %d (%s) ends or raises an event", k + 1, ops[k].text);
  tell_test(0, text, NULL);
  skip_rest("the op before it never ends");
  exit(BROKEN);
#else
  not_here("op %d (%s) neither ends nor raises an event", k + 1, ops[k].text);
#endif
}
/* Waits until op k has ended or sleeps. */
static void settle(int k) {
  while (ops[k].state == RUNNING)
    if (!take_one(10000)) stuck(k);
}

static const char *outcome(const struct op *op) {
  static const char *const names[] = {"ok", "sleeps", "not applicable", "fault", "no memory", "refused"};
  return op->state == ASLEEP ? "sleeps" : names[op->result];
}
static void print_value(const struct op *op) {
  int shows = strncmp(op->text, "read", 4) == 0 || strncmp(op->text, "hread", 5) == 0;
  if (op->state != ENDED || op->result != OK || !shows) return;
  if (op->value == 0) printf(", shows zeroes");
  else printf(", shows what op %ld wrote", op->value);
}
/* The rest of the program means nothing if this op failed, unless that is what is claimed. */
static void need(int k) {
  struct op *op = &ops[k];
  if (op->state == ENDED && op->result != OK && !(MAY_FAIL >> k & 1))
    not_here("op %d (%s): %s (%s)", k + 1, op->text, outcome(op), op->error ? strerror(op->error) : "no reason given");
}

static void report(int k) {
  struct op *op = &ops[k];
  printf(REMARK "%2d  %-32s %s", k + 1, op->text, outcome(op));
  print_value(op);
  if (op->error) printf(" (%s)", strerror(op->error));
  printf("\n");
  for (int other = 0; other < k; other++) {
    if (ops[other].ended_in != k) continue;
    printf(REMARK "    %-32s wakes: %s", "", ops[other].text);
    print_value(&ops[other]);
    printf("\n");
  }
  need(k);
}
#if USES_RECLAIM
static int group_of[NR_MMS] = {-1, -1, -1}; /* of whose page memory is charged to */
static void charge_to_page(int mm, int page);
static void find_groups(void);
#endif
static void perform(int k, const char *text, struct command c) {
  c.op = k;
  begin(k, text, c.mm, c.pages ? first_page(c.pages) : -1);
#if USES_RECLAIM
  if (c.pages) charge_to_page(c.mm, first_page(c.pages));
#endif
  post(&c);
  settle(k);
}
static void tell(int k, const char *text, struct command c) {
  perform(k, text, c);
  report(k);
}
/* For what the controller did itself. */
static inline void done(int k, int failed, long value) {
  struct reply reply = {k, failed ? REFUSED : OK, failed ? errno : 0, 0, value};
  note(&reply);
}

#if USES_WAKING
/* Threads asleep on the pages may end now, or sleep again; one that does neither in a second was not woken. */
static void settle_sleepers(int mm, unsigned pages) {
  int due[MAX_OPS], count = 0;
  for (int k = 0; k < MAX_OPS; k++) {
    if (ops[k].state != ASLEEP || ops[k].mm != mm || !(pages >> ops[k].page & 1)) continue;
    ops[k].state = RUNNING;
    due[count++] = k;
  }
  for (int i = 0; i < count; i++)
    while (ops[due[i]].state == RUNNING)
      if (!take_one(1000)) ops[due[i]].state = ASLEEP;
}
#endif

static int pidfd_of(pid_t pid) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) not_here("pidfd_open: %s", strerror(errno));
  return fd;
}
#if USES_FORK
static void do_fork(int k, const char *text, int mm, int child) {
  child_to_be = child;
  tell(k, text, (struct command){.code = DO_FORK, .mm = mm, .argument = child});
  pids[child] = (pid_t)ops[k].value;
  pidfds[child] = pidfd_of(pids[child]);
#if USES_RECLAIM
  group_of[child] = group_of[mm];
#endif
}
#endif
#if USES_EXIT
static void do_exit(int k, const char *text, int mm) {
  begin(k, text, mm, -1);
  post(&(struct command){.op = k, .code = DO_EXIT, .mm = mm});
  struct pollfd gone = {.fd = pidfds[mm], .events = POLLIN};
  if (poll(&gone, 1, 10000) != 1) not_here("process %c does not end", 'A' + mm);
  close(pidfds[mm]);
  if (uffds[mm] >= 0) close(uffds[mm]);
  pidfds[mm] = uffds[mm] = -1;
  for (int other = 0; other < MAX_OPS; other++)
    if (ops[other].mm == mm && ops[other].state == ASLEEP) ops[other].state = NOT_YET;
  done(k, 0, 0);
  report(k);
}
#endif
#if USES_SWAPOFF
/* The program's argument; NULL = the first one there is. */
static const char *swap_device;

static void do_swapoff(int k, const char *text) {
  begin(k, text, -1, -1);
  char device[256] = "";
  FILE *swaps = fopen("/proc/swaps", "r");
  if (!swaps || fscanf(swaps, "%*[^\n] %255s", device) != 1) not_here("no swap");
  fclose(swaps);
  if (swap_device) snprintf(device, sizeof(device), "%s", swap_device);
  done(k, swapoff(device) != 0 || swapon(device, 0) != 0, 0);
  report(k);
}
#endif

static void start(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
#if USES_RECLAIM
  find_groups();
#endif
#if USES_KTAP
  printf("KTAP version 1\n");
#endif
#if USES_SWAP
  char line[256];
  FILE *swaps = fopen("/proc/swaps", "r");
  int entries = 0;
  while (swaps && fgets(line, sizeof(line), swaps)) entries++;
  if (entries < 2) not_here("no swap: modprobe zram; echo 64M > /sys/block/zram0/disksize; mkswap and swapon /dev/zram0");
  fclose(swaps);
#endif
#if USES_THP
  char mode[64] = "";
  FILE *enabled = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
  if (!enabled || !fgets(mode, sizeof(mode), enabled)) not_here("this kernel has no transparent huge pages");
  fclose(enabled);
  if (strstr(mode, "[never]")) not_here("THP is off: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
#endif
  cpu_set_t cpus;
  int cpu = sched_getcpu();
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  sched_setaffinity(0, sizeof(cpus), &cpus);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGSEGV, on_fault);
  signal(SIGBUS, on_fault);
  for (int mm = 0; mm < NR_MMS; mm++)
    if (pipe2(requests[mm], O_CLOEXEC) != 0) not_here("pipe: %s", strerror(errno));
  if (pipe2(replies, O_CLOEXEC) != 0) not_here("pipe: %s", strerror(errno));
#if USES_SPLICE || USES_IO_URING
  open_handles();
#endif
  pids[A] = fork();
  if (pids[A] < 0) not_here("fork: %s", strerror(errno));
  if (pids[A] == 0) {
    for (int mm = 0; mm < NR_MMS; mm++) close(requests[mm][1]);
    serve(A);
  }
  pidfds[A] = pidfd_of(pids[A]);
}

/* ---- the claim ---- */

#if USES_KTAP
static inline void claim(int holds, const char *text) {
  tell_test(holds, text, NULL);
}
/* `unknown`: why this kernel cannot tell, or NULL. */
static inline void claim_known(const char *unknown, int holds, const char *text) {
  tell_test(holds, text, unknown);
}
static int finish(void) {
  if (told == 0) printf("1..0 # SKIP nothing that user space could see is promised\n");
  printf("# Totals: pass:%d fail:%d xfail:0 xpass:0 skip:%d error:0\n", told - failures - skipped, failures, skipped);
  return failures ? BROKEN : told > skipped ? HOLDS : NOT_HERE;
}
#else
static void claim(int holds, const char *text) {
  printf("claim: %s: %s\n", text, holds ? "holds" : "BROKEN");
  if (!holds) verdict = text;
}
static int finish(void) {
  printf(verdict ? "broken\n" : "holds\n");
  return verdict ? BROKEN : HOLDS;
}
#endif
