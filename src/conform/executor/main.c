/*
 * The supervisor: changes the machine's settings, runs the controller, and puts the settings back whatever ends it.
 * It never restarts anything.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor.h"

struct executor ex = {.cpu = -1, .fifo = true, .op_nanoseconds = 2000000000ull, .swap_mib = 64, .forked_uffd = -1};
static volatile sig_atomic_t ended_by; /* signal */
static volatile pid_t controller_pid;

void lacks(uint32_t capability, const char *name, const char *format, ...) {
  char why[512];
  va_list list;
  va_start(list, format);
  vsnprintf(why, sizeof why, format, list);
  va_end(list);
  ex.capabilities &= ~capability;
  size_t used = strlen(ex.text);
  snprintf(ex.text + used, sizeof ex.text - used, "%s: %s\n", name, why);
}

/* The first failure counts; the rest follows from it. */
void fail(enum status status, const char *format, ...) {
  if (ex.failure) return;
  va_list list;
  va_start(list, format);
  vsnprintf(ex.why, sizeof ex.why, format, list);
  va_end(list);
  ex.failure = (uint8_t)status;
}

uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static const char HELP[] =
    "Usage: executor [options] < requests > responses\n"
    "Runs programs of memory operations for real (protocol.h) and tells what it saw after each.\n"
    "\n"
    "  --probe           print what this machine can do and what it lacks, and end\n"
    "  --swap-mib N      size of the zram swap area, 0 = none (64)\n"
    "  --cpu N           run on this CPU (the last one allowed)\n"
    "  --op-seconds S    an op that takes longer hangs (2)\n"
    "  --no-fifo         do not use SCHED_FIFO\n"
    "  --help\n";

static void options(int argc, char **argv) {
  static const struct option known[] = {
      {"probe", no_argument, NULL, 'p'},        {"swap-mib", required_argument, NULL, 's'},
      {"cpu", required_argument, NULL, 'c'},    {"op-seconds", required_argument, NULL, 't'},
      {"no-fifo", no_argument, NULL, 'n'},      {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0},
  };
  int option;
  while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
    char *end = NULL;
    double number = optarg ? strtod(optarg, &end) : 0;
    if (optarg && (*end || end == optarg || number < 0 || number > 1e6)) option = '?';
    switch (option) {
      case 'p': ex.probe_only = true; break;
      case 's': ex.swap_mib = (uint32_t)number; break;
      case 'c': ex.cpu = (int)number; break;
      case 't': ex.op_nanoseconds = (uint64_t)(number * 1e9); break;
      case 'n': ex.fifo = false; break;
      case 'h': fputs(HELP, stdout); exit(0);
      default: fputs(HELP, stderr); exit(2);
    }
  }
  if (optind < argc || ex.op_nanoseconds == 0) {
    fputs(HELP, stderr);
    exit(2);
  }
}

static void on_end(int signal) {
  ended_by = signal;
  if (controller_pid > 0) kill(controller_pid, SIGKILL);
}

bool asked_to_end(void) { return ended_by != 0; }

/* In the controller: the supervisor was killed. */
static void on_orphaned(int signal) {
  (void)signal;
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    pid_t pid = ex.victims[mm].pid;
    if (ex.victims[mm].alive && pid > 0 && kill(pid, SIGKILL) == 0) waitpid(pid, NULL, __WALL);
  }
  settings_restore();
  _exit(1);
}

static void on(int signal, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigfillset(&action.sa_mask);
  sigaction(signal, &action, NULL);
}

static pid_t child_of(pid_t parent, int death_signal) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, death_signal);
  if (getppid() != parent) _exit(1);
  return 0;
}

/* khugepaged sleeps on as long as somebody else than a victim is on its list. */
static pid_t keep_khugepaged_asleep(void) {
  int ready[2];
  char byte;
  if (pipe(ready)) return -1;
  pid_t pid = child_of(getpid(), SIGKILL);
  if (pid == 0) {
    void *at = mmap(NULL, 4ul << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) madvise(at, 4ul << 20, MADV_HUGEPAGE);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(ready[0]);
    close(ready[1]);
    for (;;) pause();
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 0) fprintf(stderr, "executor: pipe: %m\n");
  close(ready[0]);
  return pid;
}

static void confine(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  /* No pid namespace: pids must mean the same to us and to whoever reads the kernel's tables. */
  if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0) mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

int main(int argc, char **argv) {
  options(argc, argv);
  on(SIGINT, on_end);
  on(SIGTERM, on_end);
  on(SIGHUP, on_end);
  signal(SIGPIPE, SIG_IGN);
  confine();
  settings_apply();
  pid_t dummy = keep_khugepaged_asleep();
  pid_t supervisor = getpid();
  on(SIGUSR1, on_orphaned);
  pid_t pid = child_of(supervisor, SIGUSR1);
  if (pid == 0) {
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    int code = controller();
    fflush(stdout);
    _exit(code);
  }
  signal(SIGUSR1, SIG_IGN);
  controller_pid = pid;
  if (ended_by) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  controller_pid = 0;
  if (dummy > 0) kill(dummy, SIGKILL);
  while (wait(NULL) > 0 || errno == EINTR) continue;
  settings_restore();
  if (ended_by) return 128 + ended_by;
  if (WIFSIGNALED(status)) fprintf(stderr, "executor: the controller died of signal %d\n", WTERMSIG(status));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
