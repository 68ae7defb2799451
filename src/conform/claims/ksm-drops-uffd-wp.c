/*
 * Claim: KSM takes userfaultfd write-protection away. Two pages of equal contents are write-protected and mergeable;
 * ksmd maps both to one page. The entry that it replaces (replace_page) is built from vm_page_prot alone, without
 * uffd-wp and soft-dirty: the monitor hears nothing of the next store there. The page that ksmd keeps is protected as
 * before, so that one store of two goes unnoticed.
 *
 * Usage: ksm-drops-uffd-wp   root, and nobody else using ksmd meanwhile; its settings are put back.
 * Exit: 0 both stores raise their event, 1 one does not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define FRAME ((1ull << 55) - 1)
#define UFFD_WP (1ull << 57)

static const char *const settings[] = {"sleep_millisecs", "pages_to_scan", "smart_scan", "run"};
static const char *const hurried[] = {"0", "10000", "0", "1"};
static char before[4][32];
static volatile unsigned char *pages;
static int uffd;
static atomic_int events;

static void skip(const char *what) {
  printf("1..0 # SKIP %s: %s\n", what, strerror(errno));
  exit(4);
}

/* One of ksmd's settings; returns what was there. "" = this kernel does not have it. */
static void set_ksm(const char *name, const char *value, char *old) {
  char path[96];
  snprintf(path, sizeof path, "/sys/kernel/mm/ksm/%s", name);
  int fd = open(path, O_RDWR);
  if (old) old[0] = 0;
  if (fd < 0) return;
  if (old) {
    ssize_t n = read(fd, old, 31);
    old[n > 0 ? n : 0] = 0;
  }
  if (pwrite(fd, value, strlen(value), 0) < 0) printf("# %s: %s\n", path, strerror(errno));
  close(fd);
}

static uint64_t entry_of(int page) {
  uint64_t entry = 0;
  int fd = open("/proc/self/pagemap", O_RDONLY);
  if (fd < 0 || pread(fd, &entry, sizeof entry, (uintptr_t)(pages + page * PAGE) / PAGE * 8) != sizeof entry) skip("pagemap");
  close(fd);
  return entry;
}

static int protect(uint64_t at, uint64_t length, int on) {
  struct uffdio_writeprotect wp = {.range = {at, length}, .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0};
  return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}

static void *monitor(void *unused) {
  for (;;) {
    struct pollfd ready = {.fd = uffd, .events = POLLIN};
    struct uffd_msg message;
    poll(&ready, 1, -1);
    if (read(uffd, &message, sizeof message) != sizeof message) continue;
    events++;
    protect(message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), PAGE, 0);
  }
  return unused;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("TAP version 13\n");
  pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) skip("mmap");
  madvise((void *)pages, 2 * PAGE, MADV_NOHUGEPAGE);
  memset((void *)pages, 0x5a, 2 * PAGE);

  uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
  if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api)) skip("userfaultfd with write-protection");
  struct uffdio_register reg = {.range = {(uint64_t)pages, 2 * PAGE}, .mode = UFFDIO_REGISTER_MODE_WP};
  if (ioctl(uffd, UFFDIO_REGISTER, &reg) || protect((uint64_t)pages, 2 * PAGE, 1)) skip("write-protection");
  pthread_t thread;
  if (pthread_create(&thread, NULL, monitor, NULL)) skip("thread");

  if (access("/sys/kernel/mm/ksm/run", W_OK) || madvise((void *)pages, 2 * PAGE, MADV_MERGEABLE)) skip("KSM");
  for (int i = 0; i < 4; i++) set_ksm(settings[i], hurried[i], before[i]);
  int merged = 0;
  for (int i = 0; i < 500 && !merged; i++) {
    usleep(20000);
    merged = (entry_of(0) & FRAME) == (entry_of(1) & FRAME) && (entry_of(0) & FRAME) != 0;
  }
  for (int i = 3; i >= 0; i--) if (before[i][0]) set_ksm(settings[i], before[i], NULL);
  if (!merged) {
    errno = ETIMEDOUT;
    skip("ksmd did not merge the pages, or pagemap shows no frames");
  }

  /* Since v5.14 pagemap tells of uffd-wp. */
  for (int page = 0; page < 2; page++) printf("# page %d after the merge: uffd-wp %d\n", page, (entry_of(page) & UFFD_WP) != 0);
  pages[0] = 1;
  pages[PAGE] = 1;
  printf("# two stores to write-protected pages, %d events\n1..1\n", events);
  printf("%s 1 a merged page is write-protected as before\n", events == 2 ? "ok" : "not ok");
  return events == 2 ? 0 : 1;
}
