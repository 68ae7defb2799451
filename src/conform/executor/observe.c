/* What can be seen of all victims after an op, without changing it; only cells that changed go out. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "executor.h"

/* The interface of PAGEMAP_SCAN (Linux 6.7), which headers of many build machines lack. */
struct scan_region {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct scan_request {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_ _IOWR('f', 16, struct scan_request)
enum { SCAN_WRITTEN = 1 << 1, SCAN_PFNZERO = 1 << 5, SCAN_HUGE = 1 << 6, SCAN_ALL = 0x7f };

#define PM_PRESENT (1ull << 63)
#define PM_SWAP (1ull << 62)
#define PM_FILE (1ull << 61)
#define PM_UFFD_WP (1ull << 57)
#define PM_ONCE (1ull << 56)
#define PM_SOFT_DIRTY (1ull << 55)
#define PM_FRAME ((1ull << 55) - 1)
enum { KPF_ANON = 12, KPF_SWAPCACHE = 13, KPF_THP = 22, KPF_ZERO_PAGE = 24 };

enum { NR_CELLS = NR_MMS * NR_PAGES, FIRST_MARKER_TYPE = 22 };

static struct cell last[NR_CELLS];
static struct raw_cell last_raw[NR_CELLS];
static bool known[NR_MMS]; /* have all cells of this mm gone out since it was born? */
static int counts_fd = -1, flags_fd = -1;

void observe_open(void) {
  counts_fd = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
  flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
}
void observe_reset(void) { memset(known, 0, sizeof known); }
void observe_close(uint32_t mm) { known[mm] = false; }

uint64_t pagemap_word(int fd, uint64_t address) {
  uint64_t word = 0;
  return pread(fd, &word, sizeof word, (off_t)(address / SMALL_PAGE * sizeof word)) == sizeof word ? word : 0;
}

uint8_t do_pagemap_scan(uint32_t mm, uint32_t pages, uint32_t flags, uint32_t *reported, int *error) {
  static struct scan_region regions[NR_PAGES * NR_SMALL];
  struct victim *v = &ex.victims[mm];
  if ((v->mapped & pages) == 0) return R_SKIP;
  uint64_t start = address_of((uint32_t)__builtin_ctz(pages));
  struct scan_request request = {.size = sizeof request, .start = start, .category_mask = SCAN_WRITTEN};
  request.end = start + (uint64_t)__builtin_popcount(pages) * ex.page_bytes;
  request.flags = flags & SCAN_WP ? 1 : 0;
  request.return_mask = flags & SCAN_FULL ? SCAN_ALL : SCAN_WRITTEN;
  request.vec = (uint64_t)regions;
  request.vec_len = sizeof regions / sizeof *regions;
  int n = ioctl(v->pagemap, PAGEMAP_SCAN_, &request);
  if (n < 0) {
    *error = -errno;
    return R_REFUSED;
  }
  for (int i = 0; i < n; i++) {
    for (uint32_t page = 0; page < NR_PAGES; page++) {
      if (regions[i].start < address_of(page + 1) && regions[i].end > address_of(page)) *reported |= 1u << page;
    }
  }
  return R_OK_;
}

/* Categories of a run of small pages of which each stands for itself; -errno if the kernel cannot. */
static int scan(int fd, uint64_t start, uint32_t pages, uint16_t *categories) {
  struct scan_region regions[NR_PAGES];
  struct scan_request request = {.size = sizeof request, .start = start, .end = start + pages * SMALL_PAGE};
  request.vec = (uint64_t)regions;
  request.vec_len = NR_PAGES;
  request.category_anyof_mask = SCAN_ALL;
  request.return_mask = SCAN_ALL;
  memset(categories, 0, pages * sizeof *categories);
  int n = ioctl(fd, PAGEMAP_SCAN_, &request);
  if (n < 0) return -errno;
  for (int i = 0; i < n; i++) {
    for (uint64_t at = regions[i].start; at < regions[i].end; at += SMALL_PAGE) {
      categories[(at - start) / SMALL_PAGE] = (uint16_t)regions[i].categories;
    }
  }
  return 0;
}

int64_t scan_page(int fd, uint64_t address) {
  uint16_t categories;
  int error = scan(fd, address, 1, &categories);
  return error ? error : categories;
}

static struct cell from_pagemap(uint64_t word) {
  struct cell cell = {0};
  if (word & PM_PRESENT) cell.flags |= CELL_PRESENT;
  if (word & PM_SWAP) cell.flags |= CELL_SWAP;
  if (word & PM_FILE) cell.flags |= CELL_FILE;
  if (word & PM_UFFD_WP) cell.flags |= CELL_UFFD_WP;
  if (word & PM_ONCE) cell.flags |= CELL_ONCE;
  if (word & PM_SOFT_DIRTY) cell.flags |= CELL_SOFT_DIRTY;
  if (word & (PM_PRESENT | PM_SWAP)) cell.frame = (uint32_t)(word & PM_FRAME);
  /* Swap areas have the low types; the high ones are for entries that stand for something else. */
  if ((word & PM_SWAP) && (word & 31) >= FIRST_MARKER_TYPE) cell.flags |= CELL_MARKER;
  return cell;
}

static void look_at_page(struct cell *cell) {
  uint64_t count, flags;
  off_t at = (off_t)cell->frame * 8;
  if (pread(counts_fd, &count, 8, at) != 8 || pread(flags_fd, &flags, 8, at) != 8) return;
  cell->flags |= CELL_KNOWS_PAGE;
  cell->mapcount = count > 0xffff ? 0xffff : (uint16_t)count;
  if (flags >> KPF_ANON & 1) cell->flags |= CELL_ANON;
  if (flags >> KPF_SWAPCACHE & 1) cell->flags |= CELL_SWAPCACHE;
  if (flags >> KPF_THP & 1) cell->flags |= CELL_THP;
  if (flags >> KPF_ZERO_PAGE & 1) cell->flags |= CELL_ZERO;
}

static void look_at_scan(const struct victim *v, struct cell *cells) {
  uint16_t categories[NR_PAGES];
  int error = 0;
  if (ex.small == 1) error = scan(v->pagemap, BASE, NR_PAGES, categories);
  for (uint32_t page = 0; page < NR_PAGES && !error; page++) {
    if (ex.small != 1) error = scan(v->pagemap, shown_address(page), 1, &categories[page]);
    if (error) break;
    cells[page].flags |= CELL_KNOWS_SCAN;
    if (categories[page] & SCAN_WRITTEN) cells[page].flags |= CELL_WRITTEN;
    if (categories[page] & SCAN_PFNZERO) cells[page].flags |= CELL_ZERO;
    if (categories[page] & SCAN_HUGE) cells[page].flags |= CELL_HUGE;
  }
}

/* What one frame holds is read once per snapshot, however many processes map it. */
static void look_into(struct cell *cells, uint32_t i, uint32_t first_of_snapshot, uint8_t level) {
  const uint16_t of_frame = CELL_KNOWS_PAGE | CELL_ANON | CELL_SWAPCACHE | CELL_THP | CELL_ZERO | CELL_KNOWS_VALUE;
  struct cell *cell = &cells[i];
  bool named = (ex.capabilities & CAN_PFN) != 0;
  for (uint32_t k = first_of_snapshot; k < i && named; k++) {
    if (!(cells[k].flags & CELL_PRESENT) || cells[k].frame != cell->frame || !ex.victims[k / NR_PAGES].alive) continue;
    cell->flags |= cells[k].flags & of_frame;
    cell->value = cells[k].value;
    cell->mapcount = cells[k].mapcount;
    return;
  }
  uint64_t token = 0;
  uint64_t address = shown_address(i % NR_PAGES);
  if (pread(ex.victims[i / NR_PAGES].mem, &token, sizeof token, (off_t)address) == sizeof token) {
    cell->value = (uint32_t)token;
    cell->flags |= CELL_KNOWS_VALUE;
  }
  if (level >= OBSERVE_PAGES && named) look_at_page(cell);
}

/* The eight cells of mm into cells[8 * mm...]. */
static void look(uint32_t mm, uint8_t level, struct cell *cells) {
  struct victim *v = &ex.victims[mm];
  struct cell *own = &cells[mm * NR_PAGES];
  uint64_t words[NR_PAGES] = {0};
  if (ex.small == 1) {
    if (pread(v->pagemap, words, sizeof words, (off_t)(BASE / SMALL_PAGE * 8)) != sizeof words) {
      return fail(STATUS_DIED, "%c cannot be observed: its memory is gone", 'A' + (int)mm);
    }
  } else {
    for (uint32_t page = 0; page < NR_PAGES; page++) {
      if (v->mapped >> page & 1) words[page] = pagemap_word(v->pagemap, shown_address(page));
    }
  }
  for (uint32_t page = 0; page < NR_PAGES; page++) {
    own[page] = from_pagemap(words[page]);
    if (level >= OBSERVE_CONTENTS && words[page] & PM_PRESENT) look_into(cells, mm * NR_PAGES + page, 0, level);
  }
  if (level >= OBSERVE_PAGES && (ex.capabilities & CAN_PAGEMAP_SCAN)) look_at_scan(v, own);
}

static void look_raw(uint32_t mm, struct raw_cell *raw) {
  uint64_t addresses[NR_PAGES];
  for (uint32_t page = 0; page < NR_PAGES; page++) addresses[page] = shown_address(page);
  memset(&raw[mm * NR_PAGES], 0, NR_PAGES * sizeof *raw);
  if (raw_read(ex.victims[mm].pid, addresses, &raw[mm * NR_PAGES])) fail(STATUS_TROUBLE, "page tables: %m");
}

size_t observe_op(uint8_t level, uint8_t *out) {
  static struct cell cells[NR_CELLS];
  static struct raw_cell raw[NR_CELLS];
  const struct seen *seen = &ex.seen;
  struct op_record record = {.result = seen->result, .events = seen->events, .outcomes = seen->outcomes};
  bool raw_too = level >= OBSERVE_RAW && (ex.capabilities & CAN_RAW);
  uint8_t *at = out + sizeof record;
  record.asleep = asleep_mask();
  memcpy(at, seen->event, seen->events * sizeof *seen->event);
  at += seen->events * sizeof *seen->event;
  memcpy(at, seen->outcome, seen->outcomes * sizeof *seen->outcome);
  at += seen->outcomes * sizeof *seen->outcome;
  for (uint32_t mm = 0; mm < NR_MMS; mm++) {
    if (ex.victims[mm].alive) record.alive |= (uint8_t)(1 << mm);
  }
  /* References are counted first: to read contents marks pages as used, which may take one for a while. */
  if (raw_too) {
    drain_batches();
    for (uint32_t mm = 0; mm < NR_MMS; mm++) if (record.alive >> mm & 1) look_raw(mm, raw);
  }
  for (uint32_t mm = 0; mm < NR_MMS && level >= OBSERVE_PAGEMAP; mm++) {
    if (record.alive >> mm & 1) look(mm, level, cells);
  }
  if (ex.failure) return 0;
  for (uint32_t i = 0; i < NR_CELLS && level >= OBSERVE_PAGEMAP; i++) {
    uint32_t mm = i / NR_PAGES;
    if (!(record.alive >> mm & 1) || (known[mm] && !memcmp(&cells[i], &last[i], sizeof *cells))) continue;
    record.changed |= 1u << i;
    last[i] = cells[i];
    memcpy(at, &cells[i], sizeof *cells);
    at += sizeof *cells;
  }
  for (uint32_t i = 0; i < NR_CELLS && raw_too; i++) {
    uint32_t mm = i / NR_PAGES;
    if (!(record.alive >> mm & 1) || (known[mm] && !memcmp(&raw[i], &last_raw[i], sizeof *raw))) continue;
    record.raw_changed |= 1u << i;
    last_raw[i] = raw[i];
    memcpy(at, &raw[i], sizeof *raw);
    at += sizeof *raw;
  }
  for (uint32_t mm = 0; mm < NR_MMS; mm++) known[mm] = record.alive >> mm & 1;
  memcpy(out, &record, sizeof record);
  return (size_t)(at - out);
}
