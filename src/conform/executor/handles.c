/*
 * References that outlive the call: pages in a pipe (vmsplice, FOLL_GET, reading) or in a ring's registered buffer
 * (FOLL_PIN, FOLL_LONGTERM, writing). User space cannot hold the other flavours; their whole transfer happens at the
 * gup op, which looks ahead at what the program does with the handle.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor.h"

/* One for each handle, and one for each thread that may sleep on its way to a handle. */
enum { NR_SOURCES = NR_HANDLES + MAX_SLEEPERS + 1 };

struct handle {
  uint8_t kind;
  uint8_t source;
  bool write;
  uint32_t value; /* of HANDLE_MOMENT */
  uint64_t address;
};
static struct handle handles[NR_HANDLES];
static int pipes[NR_SOURCES][2];
static bool pipe_used[NR_SOURCES];
static bool ring_used[NR_SOURCES];
static int tee_pipe[2];

void handles_open(void) {
  for (int i = 0; i <= NR_SOURCES; i++) {
    int *ends = i < NR_SOURCES ? pipes[i] : tee_pipe;
    if (pipe2(ends, O_CLOEXEC)) return fail(STATUS_TROUBLE, "pipe: %m");
    if (fcntl(ends[1], F_SETPIPE_SZ, NR_SMALL * SMALL_PAGE) < 0) lacks(0, "pipe", "F_SETPIPE_SZ: %s", strerror(errno));
  }
}

static int take(bool *used) {
  for (int i = 0; i < NR_SOURCES; i++) {
    if (used[i]) continue;
    used[i] = true;
    return i;
  }
  return -1;
}

static uint64_t gup_bytes(void) { return ex.small == 1 ? sizeof(uint64_t) : ex.page_bytes; }

/* Reads a pipe empty; the last token of `bytes`, or of fewer if there are no more. */
static uint32_t drain(int fd, uint64_t bytes) {
  static uint8_t buffer[NR_SMALL * SMALL_PAGE];
  uint64_t done = 0, token = 0;
  while (done < bytes) {
    ssize_t n = read(fd, buffer + done, bytes - done);
    if (n <= 0) break;
    done += (uint64_t)n;
  }
  if (done == bytes) memcpy(&token, buffer + (ex.small - 1) * SMALL_PAGE, sizeof token);
  return (uint32_t)token;
}

void source_release(uint8_t kind, uint8_t source) {
  if (kind == HANDLE_RING) {
    ring_unregister(source);
    ring_used[source] = false;
  }
  if (kind == HANDLE_PIPE) {
    int held = 0;
    if (ioctl(pipes[source][0], FIONREAD, &held) == 0 && held > 0) drain(pipes[source][0], (uint64_t)held);
    pipe_used[source] = false;
  }
}

/* The op that the transfer at op i stands for: the hwrite of the group; 0 = none. */
static uint32_t token_ahead(const uint32_t *words, uint32_t ops, uint32_t i) {
  for (uint32_t k = i + 1; k < ops && op_y(words[k]) == op_y(words[i]); k++) {
    if (op_code(words[k]) == OP_HWRITE) return k + 1;
    if (op_code(words[k]) != OP_HREAD) break;
  }
  return 0;
}

static void prepare(struct mailbox *box, long number, const long *args) {
  box->command = DO_CALL;
  box->number = number;
  memcpy(box->args, args, sizeof box->args);
  box->repeat = 1;
  box->stepped = 0;
  box->step = 0;
}

/* pread or pwrite of /proc/PID/mem, one token per small page. */
static void prepare_mem(struct mailbox *box, int fd, bool write, uint64_t address) {
  long args[6] = {fd, (long)box->tokens, sizeof(uint64_t), (long)address};
  prepare(box, write ? SYS_pwrite64 : SYS_pread64, args);
  box->repeat = ex.small;
  box->stepped = 3;
  box->step = (long)SMALL_PAGE;
}

static void prepare_process_vm(struct mailbox *box, pid_t pid, bool write, uint64_t address) {
  for (uint32_t k = 0; k < ex.small; k++) box->remote[k] = (struct iovec){(void *)(address + k * SMALL_PAGE), 8};
  box->local = (struct iovec){box->tokens, 8 * ex.small};
  long args[6] = {pid, (long)&box->local, 1, (long)box->remote, ex.small, 0};
  prepare(box, write ? SYS_process_vm_writev : SYS_process_vm_readv, args);
}

uint8_t do_gup(const uint32_t *words, uint32_t ops, uint32_t i, int *error) {
  uint32_t word = words[i], mm = op_mm(word), flags = op_flags(word) & ~(uint32_t)GUP_FAST;
  bool write = (flags & GUP_WRITE) != 0;
  struct victim *v = &ex.victims[mm];
  uint64_t address = address_of(op_page(word));
  uint32_t index, token = token_ahead(words, ops, i);
  if (handles[op_y(word)].kind != HANDLE_NONE) return R_SKIP;
  struct task *task = thread_for_access(mm, &index);
  if (task == NULL) return R_SKIP;
  struct mailbox *box = &ex.arena->boxes[mm][index];
  int source = 0, kind = HANDLE_MOMENT;
  box->local = (struct iovec){(void *)address, gup_bytes()};
  if (flags == 0) {
    kind = HANDLE_PIPE;
    source = take(pipe_used);
    long args[6] = {source < 0 ? -1 : pipes[source][1], (long)&box->local, 1, 0};
    prepare(box, SYS_vmsplice, args);
  } else if (flags == (GUP_WRITE | GUP_PIN | GUP_LONGTERM)) {
    kind = HANDLE_RING;
    source = take(ring_used);
    int ring = source < 0 ? -EMFILE : ring_open((uint32_t)source);
    if (ring < 0) {
      if (source >= 0) ring_used[source] = false;
      *error = ring;
      return R_REFUSED;
    }
    long args[6] = {ring, IORING_REGISTER_BUFFERS, (long)&box->local, 1};
    prepare(box, SYS_io_uring_register, args);
    v->tainted = true;
  } else if ((flags & ~GUP_WRITE) == GUP_FORCE && (token || !write)) {
    prepare_mem(box, v->mem, write, address);
  } else if ((flags & ~GUP_WRITE) == GUP_PIN && (token || !write)) {
    prepare_process_vm(box, v->pid, write, address);
    v->tainted = true;
  } else {
    *error = -EOPNOTSUPP;
    return R_REFUSED;
  }
  for (uint32_t k = 0; k < ex.small; k++) box->tokens[k] = token;
  *task = (struct task){TASK_BUSY, (uint8_t)i, OP_GUP, (uint8_t)op_page(word), (uint8_t)op_y(word), (uint8_t)kind,
                        (uint8_t)source};
  post(mm, index);
  return R_OK_;
}

void gup_ended(const struct task *task, const struct mailbox *box, struct outcome *outcome) {
  struct handle *handle = &handles[task->handle];
  long whole = (long)gup_bytes();
  if (task->kind == HANDLE_RING) whole = 0;
  if (task->kind == HANDLE_MOMENT) whole = box->number == SYS_pread64 || box->number == SYS_pwrite64 ? 8 : 8 * ex.small;
  bool granted = box->ret == whole;
  outcome->value = granted && task->kind == HANDLE_MOMENT ? (uint32_t)box->tokens[ex.small == 1 ? 0 : ex.small - 1] : 0;
  if (box->number == SYS_pread64) outcome->value = (uint32_t)box->tokens[0];
  if (!granted) {
    outcome->error = (int16_t)(box->ret < 0 ? box->ret : -EFAULT);
    bool fault = outcome->error == -EFAULT || outcome->error == -EIO;
    outcome->result = fault ? R_FAULT : outcome->error == -ENOMEM ? R_NOMEM : R_REFUSED;
    outcome->value = 0;
  } else if (handle->kind != HANDLE_NONE) {
    outcome->result = R_SKIP; /* another thread got there first */
  } else {
    bool write = box->number == SYS_process_vm_writev || box->number == SYS_pwrite64 || task->kind == HANDLE_RING;
    *handle = (struct handle){task->kind, task->source, write, outcome->value, address_of(task->page)};
    return;
  }
  source_release(task->kind, task->source);
}

uint8_t do_hread(uint32_t h, uint32_t *value) {
  struct handle *handle = &handles[h];
  uint64_t bytes = gup_bytes(), token = 0;
  if (handle->kind == HANDLE_NONE) return R_SKIP;
  if (handle->kind == HANDLE_MOMENT) {
    *value = handle->value;
    return R_OK_;
  }
  if (handle->kind == HANDLE_PIPE) {
    ssize_t n = tee(pipes[handle->source][0], tee_pipe[1], bytes, 0);
    if (n > 0) *value = drain(tee_pipe[0], (uint64_t)n);
    return n == (ssize_t)bytes ? R_OK_ : R_FAULT;
  }
  int error = ring_load(handle->source, handle->address, (uint32_t)bytes, &token);
  *value = (uint32_t)token;
  return error < 0 ? R_FAULT : R_OK_;
}

uint8_t do_hwrite(uint32_t h, uint32_t token) {
  struct handle *handle = &handles[h];
  if (handle->kind == HANDLE_NONE || !handle->write) return R_SKIP;
  if (handle->kind == HANDLE_MOMENT) return R_OK_;
  return ring_store(handle->source, handle->address, (uint32_t)gup_bytes(), token) < 0 ? R_FAULT : R_OK_;
}

uint8_t do_put(uint32_t h) {
  struct handle *handle = &handles[h];
  if (handle->kind == HANDLE_NONE) return R_SKIP;
  source_release(handle->kind, handle->source);
  *handle = (struct handle){0};
  return R_OK_;
}

void handles_drop(void) {
  for (uint32_t h = 0; h < NR_HANDLES; h++) do_put(h);
}
