#include "raw.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf.h"
#include "kcore.h"
#include "kpage.h"

enum { PAGE_SHIFT = 12, PMD_SHIFT = 21, P4D_SHIFT = 39, P5D_SHIFT = 48 };
enum { TABLE_SHIFT = 9, TABLE_ENTRIES = 512, TABLE_MASK = 511 };
enum { MAX_TASKS = 1 << 16, NR_KNOWN = 64 };

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_HUGE (1ull << 7)
#define FRAME_MASK 0x000ffffffffff000ull

/* Offsets in bytes. */
static struct {
  long task_tasks, task_tgid, task_mm, mm_pgd;
} at;

static uint64_t init_task, page_offset;
static int top_shift;

/* Where the page tables of the processes lie that were asked for. */
static struct {
  pid_t pid;
  uint64_t pgd;
} known[NR_KNOWN];

/* The flag is there only if the kernel uses it. */
static int five_levels(void) {
  char line[8192];
  int found = 0;
  FILE *info = fopen("/proc/cpuinfo", "re");
  while (info && !found && fgets(line, sizeof line, info))
    found = strstr(line, " la57") != NULL;
  if (info)
    fclose(info);
  return found;
}

static const char *find_members(const struct btf *btf) {
  at.task_tasks = btf_offset(btf, "task_struct", "tasks");
  at.task_tgid = btf_offset(btf, "task_struct", "tgid");
  at.task_mm = btf_offset(btf, "task_struct", "mm");
  at.mm_pgd = btf_offset(btf, "mm_struct", "pgd");
  return at.task_tasks < 0 || at.task_tgid < 0 || at.task_mm < 0 || at.mm_pgd < 0 ? "task_struct" : NULL;
}

int raw_open(char *why, size_t n) {
  static const char *const names[] = {"init_task", "page_offset_base", "vmemmap_base"};
  uint64_t symbols[3], vmemmap;
  struct btf btf;
  if (kcore_open(why, n) || kernel_symbols(names, symbols, 3, why, n))
    return -1;
  init_task = symbols[0];
  top_shift = five_levels() ? P5D_SHIFT : P4D_SHIFT;
  if (kcore_read(symbols[1], &page_offset, 8) || kcore_read(symbols[2], &vmemmap, 8)) {
    snprintf(why, n, "/proc/kcore: %s", strerror(errno));
    return -1;
  }
  if (btf_load(&btf, "/sys/kernel/btf/vmlinux", why, n))
    return -1;
  const char *missing = find_members(&btf);
  if (!missing)
    missing = kpage_open(&btf, vmemmap);
  btf_free(&btf);
  if (missing)
    snprintf(why, n, "this kernel has no %s of a form that is known here", missing);
  return missing ? -1 : 0;
}

/* The youngest task comes last, so the search goes backwards. */
static uint64_t find_pgd(pid_t pid) {
  uint64_t list = init_task + (uint64_t)at.task_tasks;
  for (int i = 0; i < MAX_TASKS; i++) {
    if (kcore_read(list + 8, &list, 8))
      return 0;
    uint64_t task = list - (uint64_t)at.task_tasks, mm, pgd;
    int32_t tgid;
    if (task == init_task)
      break;
    if (kcore_read(task + (uint64_t)at.task_tgid, &tgid, 4))
      return 0;
    if (tgid != pid)
      continue;
    if (kcore_read(task + (uint64_t)at.task_mm, &mm, 8))
      return 0;
    if (!mm)
      break;
    return kcore_read(mm + (uint64_t)at.mm_pgd, &pgd, 8) ? 0 : pgd;
  }
  errno = ESRCH;
  return 0;
}

static uint64_t pgd_of(pid_t pid) {
  int place = (int)((unsigned)pid % NR_KNOWN);
  if (known[place].pid != pid) {
    uint64_t pgd = find_pgd(pid);
    if (!pgd)
      return 0;
    known[place].pid = pid;
    known[place].pgd = pgd;
  }
  return known[place].pgd;
}

void raw_forget(pid_t pid) {
  int place = (int)((unsigned)pid % NR_KNOWN);
  if (known[place].pid == pid)
    known[place].pid = 0;
}

/* The PMD entry of an address, 0 if there is none. Tables come and go with mappings, so nothing of this is kept. */
static int walk_to_pmd(uint64_t table, uint64_t address, uint64_t *entry) {
  for (int shift = top_shift;; shift -= TABLE_SHIFT) {
    if (kcore_read(table + 8 * (address >> shift & TABLE_MASK), entry, 8))
      return -1;
    if (shift == PMD_SHIFT)
      return 0;
    if (!(*entry & ENTRY_PRESENT) || *entry & ENTRY_HUGE) {
      *entry = 0;
      return 0;
    }
    table = page_offset + (*entry & FRAME_MASK);
  }
}

int raw_read(pid_t pid, const uint64_t addresses[NR_PAGES], struct raw_cell out[NR_PAGES]) {
  uint64_t pgd = pgd_of(pid), pmd = 0, ptes[TABLE_ENTRIES];
  if (!pgd)
    return -1;
  memset(out, 0, NR_PAGES * sizeof *out);
  kpage_start();
  for (int i = 0; i < NR_PAGES; i++) {
    uint64_t address = addresses[i];
    if (!i || address >> PMD_SHIFT != addresses[i - 1] >> PMD_SHIFT) {
      if (walk_to_pmd(pgd, address, &pmd))
        return -1;
      int table = pmd & ENTRY_PRESENT && !(pmd & ENTRY_HUGE);
      if (table && kcore_read(page_offset + (pmd & FRAME_MASK), ptes, sizeof ptes))
        return -1;
    }
    uint64_t frame;
    if (pmd & ENTRY_HUGE || !(pmd & ENTRY_PRESENT)) {
      out[i].entry = pmd;
      out[i].level = pmd ? 2 : 0;
      frame = (pmd & FRAME_MASK) >> PAGE_SHIFT & ~(uint64_t)TABLE_MASK; /* bit 12 is no part of a huge frame */
    } else {
      out[i].entry = ptes[address >> PAGE_SHIFT & TABLE_MASK];
      out[i].level = out[i].entry ? 1 : 0;
      frame = (out[i].entry & FRAME_MASK) >> PAGE_SHIFT;
    }
    if (out[i].entry & ENTRY_PRESENT && kpage_describe(frame, &out[i]))
      return -1;
  }
  return 0;
}
