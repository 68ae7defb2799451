/*
 * What goes over standard input and output of the executor: little-endian, packed, the same on a pipe and on the serial
 * line of a guest. src/conform/protocol.ts is the other side.
 *
 * The executor writes one HELLO, then answers every REQUEST with one RESPONSE, in order. Requests may be queued ahead.
 * End of input ends it. Whatever people should read goes to standard error.
 *
 * A program is a list of op words as assembly/ops/table.ts defines them. Op i stores the token i + 1; 0 is "never
 * written". Results are the R codes of that table (OK 0, SLEEP 1, SKIP 2, FAULT 3, NOMEM 4, REFUSED 5).
 */
#ifndef BREAKCOW_PROTOCOL_H
#define BREAKCOW_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_VERSION 1
#define MAGIC_HELLO 0x31484342u    /* "BCH1" */
#define MAGIC_REQUEST 0x31514342u  /* "BCQ1" */
#define MAGIC_RESPONSE 0x31524342u /* "BCR1" */

enum { NR_MMS = 3, NR_PAGES = 8, NR_HANDLES = 4, MAX_SLEEPERS = 4, MAX_PROGRAM = 64 };

/* What this machine lets the executor do; the text after HELLO says, line by line, why a bit is missing. */
enum capability {
  CAN_UFFD_WP = 1 << 0,
  CAN_EVENT_FORK = 1 << 1,
  CAN_WP_UNPOPULATED = 1 << 2,
  CAN_SWAP = 1 << 3,
  CAN_THP = 1 << 4,
  CAN_SOFT_DIRTY = 1 << 5,
  CAN_PFN = 1 << 6,        /* pagemap shows page frame numbers */
  CAN_KPAGE = 1 << 7,      /* /proc/kpagecount and /proc/kpageflags */
  CAN_PAGEMAP_SCAN = 1 << 8,
  CAN_PAGEMAP_WP = 1 << 9, /* pagemap bit 57 */
  CAN_VMSPLICE = 1 << 10,  /* held R GET */
  CAN_IO_URING = 1 << 11,  /* held W PIN LONGTERM */
  CAN_PROCESS_VM = 1 << 12,
  CAN_PROC_MEM = 1 << 13,  /* FOLL_FORCE write through /proc/PID/mem */
  CAN_RAW = 1 << 14,       /* page tables and struct page through /proc/kcore */
  CAN_FIFO = 1 << 15,      /* pinned to one CPU under SCHED_FIFO: repeatable */
  CAN_HOLD_PIN = 1 << 16,  /* held R PIN (FUSE direct I/O) */
  CAN_UFFD_MOVE = 1 << 17,
  CAN_UFFD_MISSING = 1 << 18,
  CAN_WP_ASYNC = 1 << 19,
};

struct hello {
  uint32_t magic;
  uint32_t version;
  uint32_t capabilities;
  uint32_t text_bytes; /* of the text that follows: lines "name: why it is missing and how to get it" */
  char release[64];    /* uname -r */
  char machine[64];    /* uname -v */
} __attribute__((packed));

/* PTE: page k is the 4 KiB page at BASE + 4 KiB * k. PMD: page k is the 512 KiB at BASE + 512 KiB * k (p0..p3 one huge
 * page), touched from its first 4 KiB page to its last; the last one stands for it in every observation. */
enum layout { LAYOUT_PTE = 0, LAYOUT_PMD = 1 };

/* How much is observed after every op; each level includes the ones below. */
enum observe_level {
  OBSERVE_RESULTS = 0,
  OBSERVE_PAGEMAP = 1,
  OBSERVE_CONTENTS = 2,
  OBSERVE_PAGES = 3, /* kpagecount, kpageflags, PAGEMAP_SCAN */
  OBSERVE_RAW = 4,   /* entries, PageAnonExclusive, refs and pins, where CAN_RAW */
};

struct request {
  uint32_t magic;
  uint32_t tag; /* comes back in the response */
  uint8_t layout;
  uint8_t observe;
  uint8_t ops;
  uint8_t pad;
  /* uint32_t words[ops] */
} __attribute__((packed));

enum status {
  STATUS_OK = 0,
  STATUS_HANG = 1,    /* an op did not end in time and no event says why: op `reached` */
  STATUS_DIED = 2,    /* a victim died of something else than exit: op `reached` */
  STATUS_TROUBLE = 3, /* the executor could not go on (no memory, no process); text follows in place of records */
};

struct response {
  uint32_t magic;
  uint32_t tag;
  uint8_t status;
  uint8_t reached; /* op records that follow */
  uint16_t pad;
  uint32_t bytes;  /* of what follows */
} __attribute__((packed));

enum event_flag { EVENT_WRITE = 1, EVENT_WP = 2, EVENT_MINOR = 4 };

/* A page fault event read from a uffd; `op` is the op whose thread now sleeps. */
struct event_record {
  uint8_t mm;
  uint8_t page;
  uint8_t flags;
  uint8_t op;
} __attribute__((packed));

/* How the thread of op `op` ended: at once, or woken during a later one. */
struct outcome {
  uint8_t op;
  uint8_t result;
  int16_t error;   /* -errno, 0 */
  uint16_t faults; /* minor and major, of the thread since the op began; PMD: n > 1 is (n - 1) / 128, rounded up */
  uint16_t major;
  uint32_t value;  /* token read; of read, hread and a read through a handle of one op */
} __attribute__((packed));

/*
 * One op: this, then events, outcomes (its own first unless it sleeps, then woken ones in order), cells, raw cells.
 * All eight cells of an mm that was not alive after the last op (or before the first) follow.
 */
struct op_record {
  uint8_t result;
  uint8_t events;
  uint8_t outcomes;
  uint8_t alive;       /* bit = mm; an mm that is not alive has no cells and its old ones are void */
  uint64_t asleep;     /* bit = op whose thread sleeps after this op */
  uint32_t changed;    /* bit = 8 * mm + page: cells that follow, ascending; the others are as after the last op */
  uint32_t raw_changed;
} __attribute__((packed));

enum cell_flag {
  CELL_PRESENT = 1 << 0,
  CELL_SWAP = 1 << 1,     /* bit 62: a swap entry or a marker */
  CELL_UFFD_WP = 1 << 2,  /* bit 57 */
  CELL_FILE = 1 << 3,     /* bit 61 */
  CELL_ONCE = 1 << 4,     /* bit 56: mapped exclusively */
  CELL_SOFT_DIRTY = 1 << 5,
  CELL_ZERO = 1 << 6,     /* kpageflags ZERO_PAGE, or PFNZERO */
  CELL_ANON = 1 << 7,
  CELL_THP = 1 << 8,      /* kpageflags THP */
  CELL_SWAPCACHE = 1 << 9,
  CELL_HUGE = 1 << 10,    /* PAGEMAP_SCAN: mapped by a PMD */
  CELL_WRITTEN = 1 << 11, /* PAGEMAP_SCAN */
  CELL_KNOWS_PAGE = 1 << 12, /* mapcount and the kpageflags bits above are valid */
  CELL_KNOWS_SCAN = 1 << 13, /* the PAGEMAP_SCAN bits above are valid */
  CELL_KNOWS_VALUE = 1 << 14,
  CELL_MARKER = 1 << 15, /* with CELL_SWAP: a marker, not a page in a swap area */
};

struct cell {
  uint32_t value;    /* token, if present and read */
  uint32_t frame;    /* PFN of a present page; swap type and offset of a swapped one (bits 0..31 of pagemap 0..54) */
  uint16_t flags;
  uint16_t mapcount; /* kpagecount */
} __attribute__((packed));

struct raw_cell {
  uint64_t entry;    /* PMD entry where it maps a huge page, else the PTE, else 0 */
  uint8_t level;     /* 0 none, 1 PTE, 2 PMD */
  uint8_t exclusive; /* PageAnonExclusive */
  int16_t pins;      /* held by pins: of the folio for a large one, else refs / 1024 */
  int32_t refs;      /* of the folio, pins included as the kernel counts them */
  int32_t mapcount;  /* of the page, as stored + 1 */
} __attribute__((packed));

#endif
