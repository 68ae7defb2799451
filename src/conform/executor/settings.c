/*
 * What the machine must be like for programs to repeat: swap on zram, huge pages only where asked for, and nobody who
 * moves pages behind our back. Undone at the end by whoever of supervisor and controller outlives the other; if both
 * are killed, the next start finds the state file. Restoring makes system calls only, so that a signal handler may.
 *
 * Several executors share settings and swap: the first applies them, the last undoes them, and their programs take
 * turns, since one's swapoff would bring back the other's pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "executor.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"

struct setting {
  const char *path;
  const char *wanted;
  char saved[16];
  bool changed;
};
static struct setting settings[] = {
    {THP "enabled", "madvise", "", false},
    {THP "defrag", "madvise", "", false},
    {THP "use_zero_page", "1", "", false},
    {THP "khugepaged/scan_sleep_millisecs", "4000000000", "", false},
    {THP "shrink_underused", "0", "", false},
    {THP "hugepages-16kB/enabled", "never", "", false},
    {THP "hugepages-32kB/enabled", "never", "", false},
    {THP "hugepages-64kB/enabled", "never", "", false},
    {THP "hugepages-128kB/enabled", "never", "", false},
    {THP "hugepages-256kB/enabled", "never", "", false},
    {THP "hugepages-512kB/enabled", "never", "", false},
    {THP "hugepages-1024kB/enabled", "never", "", false},
    {THP "hugepages-2048kB/enabled", "inherit", "", false},
    {"/sys/kernel/mm/ksm/run", "0", "", false},
    {"/proc/sys/kernel/numa_balancing", "0", "", false},
    {"/proc/sys/kernel/sched_rt_runtime_us", "-1", "", false},
    {"/proc/sys/vm/page-cluster", "0", "", false}, /* swap-in brings nothing else along */
    {"/proc/sys/vm/compaction_proactiveness", "0", "", false},
    {"/sys/module/zswap/parameters/enabled", "N", "", false},
};
enum { NR_SETTINGS = sizeof settings / sizeof *settings };

static char state_path[64];
static int members = -1; /* locked, shared: those who need the settings; exclusive: whoever changes them */
static int turn = -1;
static char zram_id[16]; /* "" = none of ours */
static char swap_device[32];
static bool swap_on;

/* The value of a one-line file; of "a [b] c" the chosen one. */
static bool read_value(const char *path, char *value, size_t size) {
  char text[256];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  char *from = strchr(text, '[');
  from = from ? from + 1 : text;
  size_t length = strcspn(from, "] \n");
  if (length >= size) return false;
  memcpy(value, from, length);
  value[length] = 0;
  return true;
}

static bool write_value(const char *path, const char *value) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool good = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
  close(fd);
  return good;
}

static void zram_path(char *path, size_t size, const char *id, const char *file) {
  strncpy(path, "/sys/block/zram", size - 1);
  path[size - 1] = 0;
  strncat(path, id, size - strlen(path) - 1);
  strncat(path, file, size - strlen(path) - 1);
}

static void zram_drop(const char *id) {
  char path[64];
  zram_path(path, sizeof path, id, "/reset");
  /* Somebody may look at the new device for a moment (udev). */
  for (int i = 0; i < 50 && !write_value(path, "1"); i++) usleep(20000);
  for (int i = 0; i < 50 && !write_value("/sys/class/zram-control/hot_remove", id); i++) usleep(20000);
}

void settings_restore(void) {
  if (members < 0 || flock(members, LOCK_EX | LOCK_NB)) return;
  if (swap_on) swapoff(swap_device);
  swap_on = false;
  if (*zram_id) zram_drop(zram_id);
  *zram_id = 0;
  for (int i = NR_SETTINGS - 1; i >= 0; i--) {
    if (settings[i].changed) write_value(settings[i].path, settings[i].saved);
    settings[i].changed = false;
  }
  if (*state_path) unlink(state_path);
}

static void name_swap(const char *id) {
  snprintf(zram_id, sizeof zram_id, "%s", id);
  snprintf(swap_device, sizeof swap_device, "/dev/zram%s", zram_id);
}

/* What the first executor found: lines "path value", or "zram id". */
static bool read_state(void) {
  char path[128], value[16];
  FILE *file = fopen(state_path, "re");
  if (file == NULL) return false;
  while (fscanf(file, "%127s %15s", path, value) == 2) {
    if (!strcmp(path, "zram")) name_swap(value);
    for (int i = 0; i < NR_SETTINGS; i++) {
      if (strcmp(path, settings[i].path)) continue;
      settings[i].changed = true;
      snprintf(settings[i].saved, sizeof settings[i].saved, "%s", value);
    }
  }
  fclose(file);
  swap_on = *zram_id != 0;
  return true;
}

static void write_state(void) {
  FILE *file = fopen(state_path, "we");
  if (file == NULL) return;
  for (int i = 0; i < NR_SETTINGS; i++) {
    if (settings[i].changed) fprintf(file, "%s %s\n", settings[i].path, settings[i].saved);
  }
  if (*zram_id) fprintf(file, "zram %s\n", zram_id);
  fclose(file);
}

/* An executor that was killed left the settings as it wanted them. */
static void recover(void) {
  if (!read_state()) return;
  fprintf(stderr, "executor: restoring the settings that a killed executor left\n");
  settings_restore();
  memset(zram_id, 0, sizeof zram_id);
}

static int open_lock(const char *folder, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "%s/breakcow-executor.%s", folder, name);
  return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void lock(int fd, int how) {
  while (flock(fd, how) && errno == EINTR) {
    if (asked_to_end()) _exit(1); /* nothing is applied yet; the controller is not asked */
  }
}

/* True: alone, and to apply the settings. False: they are applied, or cannot be. */
static bool join(void) {
  const char *folder = access("/run", W_OK) == 0 ? "/run" : "/tmp";
  snprintf(state_path, sizeof state_path, "%s/breakcow-executor.state", folder);
  members = open_lock(folder, "lock");
  turn = open_lock(folder, "turn");
  if (members < 0) return false;
  while (flock(members, LOCK_EX | LOCK_NB)) {
    lock(members, LOCK_SH);
    if (read_state()) return false;
    lock(members, LOCK_UN); /* the last one left while we waited */
  }
  recover();
  return true;
}

void turn_begin(void) {
  if (turn >= 0) lock(turn, LOCK_EX);
}
void turn_end(void) {
  if (turn >= 0) lock(turn, LOCK_UN);
}

static bool make_swap_header(const char *device, uint64_t bytes) {
  static union {
    uint8_t bytes[SMALL_PAGE];
    struct {
      uint8_t boot[1024];
      uint32_t version, last_page, bad_pages;
    } info;
  } header;
  memset(&header, 0, sizeof header);
  header.info.version = 1;
  header.info.last_page = (uint32_t)(bytes / SMALL_PAGE - 1);
  memcpy(header.bytes + SMALL_PAGE - 10, "SWAPSPACE2", 10);
  int fd = open(device, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool good = write(fd, &header, sizeof header) == sizeof header && fsync(fd) == 0;
  close(fd);
  return good;
}

static int switch_on(void) { return swapon(swap_device, SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK); }

static void swap_start(void) {
  char path[64], size[32], number[32], id[16];
  unsigned major, minor;
  if (!read_value("/sys/class/zram-control/hot_add", id, sizeof id)) {
    return lacks(CAN_SWAP, "swap", "no zram (modprobe zram): pages cannot be swapped out");
  }
  name_swap(id);
  write_state();
  snprintf(size, sizeof size, "%uM", ex.swap_mib);
  zram_path(path, sizeof path, zram_id, "/disksize");
  if (!write_value(path, size)) return lacks(CAN_SWAP, "swap", "%s: %s", path, strerror(errno));
  zram_path(path, sizeof path, zram_id, "/dev");
  if (access(swap_device, F_OK) && read_value(path, number, sizeof number) &&
      sscanf(number, "%u:%u", &major, &minor) == 2) {
    mknod(swap_device, S_IFBLK | 0600, makedev(major, minor));
  }
  for (int i = 0; i < 50 && !swap_on; i++) {
    swap_on = make_swap_header(swap_device, (uint64_t)ex.swap_mib << 20) && switch_on() == 0;
    if (!swap_on) usleep(20000);
  }
  if (swap_on) return;
  lacks(CAN_SWAP, "swap", "swapon %s: %s", swap_device, strerror(errno));
  zram_drop(zram_id);
  name_swap("");
  write_state();
}

static void apply(void) {
  for (int i = 0; i < NR_SETTINGS; i++) {
    struct setting *s = &settings[i];
    s->changed = read_value(s->path, s->saved, sizeof s->saved) && strcmp(s->saved, s->wanted) != 0;
  }
  write_state();
  for (int i = 0; i < NR_SETTINGS; i++) {
    struct setting *s = &settings[i];
    if (s->changed && !write_value(s->path, s->wanted)) s->changed = false;
  }
  if (ex.swap_mib > 0) swap_start();
  else lacks(CAN_SWAP, "swap", "switched off by --swap-mib 0");
}

void settings_apply(void) {
  if (geteuid() != 0) return lacks(CAN_SWAP, "swap", "settings and swap need root: run as root");
  if (join()) {
    apply();
    lock(members, LOCK_SH);
  } else if (!swap_on) {
    lacks(CAN_SWAP, "swap", "the executor that started first has none");
  }
  if (swap_on) ex.capabilities |= CAN_SWAP;
}

int swap_cycle(void) {
  struct sysinfo info;
  if (!swap_on) return 0;
  /* Costs milliseconds; it changes nothing while no slot is in use. */
  if (sysinfo(&info) == 0 && info.freeswap == info.totalswap) return 0;
  if (swapoff(swap_device)) return -errno;
  return switch_on() ? -errno : 0;
}
