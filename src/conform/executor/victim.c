/*
 * The code that victims run. All of it lies in one section, makes raw system calls only and touches no memory but the
 * shared arena, so that between two getrusage calls nothing faults but what is being measured. It never returns into
 * libc: a victim is a fork of the controller in name only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "executor.h"

#define VICTIM __attribute__((section("victim_text"), noinline, used, optimize("no-stack-protector")))

void victim_start(struct arena *arena, struct mailbox *box);
long victim_call(long number, const long *args);
long victim_load(uint64_t address, uint32_t pages, uint64_t *value);
long victim_store(uint64_t address, uint32_t pages, uint64_t token);
void victim_fault(void);
void victim_return(void);

/* An access that gets SIGSEGV or SIGBUS goes on at victim_fault: on_fault sends it there. */
__asm__(
    ".section victim_text, \"ax\", @progbits\n"
    ".balign 4096\n"
    ".globl victim_load, victim_store, victim_fault, victim_return, victim_clone, victim_call\n"
    "victim_load:\n"
    "1: mov (%rdi), %rax\n"
    "  add $4096, %rdi\n"
    "  dec %esi\n"
    "  jnz 1b\n"
    "  mov %rax, (%rdx)\n"
    "  xor %eax, %eax\n"
    "  ret\n"
    "victim_store:\n"
    "1: mov %rdx, (%rdi)\n"
    "  add $4096, %rdi\n"
    "  dec %esi\n"
    "  jnz 1b\n"
    "  xor %eax, %eax\n"
    "  ret\n"
    "victim_fault:\n"
    "  mov $-14, %rax\n"
    "  ret\n"
    "victim_return:\n"
    "  mov $15, %eax\n"
    "  syscall\n"
    "victim_call:\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %r11\n"
    "  mov 0(%r11), %rdi\n"
    "  mov 8(%r11), %rsi\n"
    "  mov 16(%r11), %rdx\n"
    "  mov 24(%r11), %r10\n"
    "  mov 32(%r11), %r8\n"
    "  mov 40(%r11), %r9\n"
    "  syscall\n"
    "  ret\n"
    "victim_clone:\n"
    "  mov %rdx, %r9\n"
    "  mov %rcx, %r8\n"
    "  xor %edx, %edx\n"
    "  xor %r10d, %r10d\n"
    "  mov $56, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jz 1f\n"
    "  ret\n"
    "1: xor %ebp, %ebp\n"
    "  mov %r9, %rdi\n"
    "  mov %r8, %rsi\n"
    "  call victim_start\n"
    "  hlt\n"
    ".text\n");

VICTIM static long call4(long number, long a, long b, long c, long d) {
  const long args[6] = {a, b, c, d, 0, 0};
  return victim_call(number, args);
}

VICTIM static void on_fault(int signal, siginfo_t *info, void *context) {
  (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  uint64_t at = (uint64_t)registers[REG_RIP];
  if (at < (uint64_t)victim_load || at >= (uint64_t)victim_fault) call4(SYS_exit_group, 128 + signal, 0, 0, 0);
  registers[REG_RIP] = (greg_t)victim_fault;
}

/* The kernel's own idea of struct sigaction. */
struct kernel_sigaction {
  void (*handler)(int, siginfo_t *, void *);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul

VICTIM static void catch_faults(void) {
  struct kernel_sigaction action;
  action.handler = on_fault;
  action.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | KERNEL_SA_RESTORER;
  action.restorer = victim_return;
  action.mask = 0;
  call4(SYS_rt_sigaction, SIGSEGV, (long)&action, 0, 8);
  call4(SYS_rt_sigaction, SIGBUS, (long)&action, 0, 8);
}

/* Maps what this thread will touch, before anything is measured. */
VICTIM static void touch(volatile uint8_t *from, size_t bytes) {
  for (size_t i = 0; i < bytes; i += SMALL_PAGE) from[i] = from[i];
}

/* For all threads of the process: one that sleeps cannot do it for itself. */
VICTIM static long touch_all(struct arena *arena, uint32_t mm) {
  touch((volatile uint8_t *)arena, SMALL_PAGE);
  touch((volatile uint8_t *)arena->boxes[mm], sizeof arena->boxes[mm]);
  touch((volatile uint8_t *)arena->stacks[mm], sizeof arena->stacks[mm]);
  touch((volatile uint8_t *)arena->signal_stacks[mm], sizeof arena->signal_stacks[mm]);
  return 0;
}

VICTIM static long perform(struct arena *arena, struct mailbox *box) {
  long ret = 0;
  if (box->command == DO_TOUCH) return touch_all(arena, box->mm);
  if (box->command == DO_LOAD) return victim_load(box->args[0], box->repeat, &box->value);
  if (box->command == DO_STORE) return victim_store(box->args[0], box->repeat, box->token);
  if (box->command == DO_CALL) {
    for (uint32_t i = 0; i < box->repeat && ret >= 0; i++) {
      ret = victim_call(box->number, box->args);
      box->args[box->stepped] += box->step;
    }
    return ret;
  }
  struct mailbox *other = (struct mailbox *)box->args[0];
  return victim_clone((unsigned long)box->args[1], arena->stacks[other->mm][other->index] + STACK_BYTES, arena, other);
}

VICTIM static void report(struct arena *arena, struct mailbox *box) {
  box->order = __atomic_add_fetch(&arena->order, 1, __ATOMIC_SEQ_CST);
  /* Either the controller sees `done` before it polls, or we see that it polls. */
  __atomic_store_n(&box->done, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&arena->waiting, __ATOMIC_SEQ_CST)) {
    uint64_t one = 1;
    call4(SYS_write, arena->bell, (long)&one, sizeof one, 0);
  }
}

VICTIM void victim_start(struct arena *arena, struct mailbox *box) {
  uint32_t seen = __atomic_load_n(&box->go, __ATOMIC_SEQ_CST);
  if (box->index == MAIN) {
    call4(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
    if (call4(SYS_getppid, 0, 0, 0, 0) != arena->controller) call4(SYS_exit_group, 1, 0, 0, 0);
    catch_faults();
    (void)__atomic_load_n(&arena->waiting, __ATOMIC_SEQ_CST);
  }
  touch((volatile uint8_t *)box, sizeof *box);
  touch(arena->stacks[box->mm][box->index], STACK_BYTES);
  uint8_t *signal_stack = arena->signal_stacks[box->mm][box->index];
  touch(signal_stack, SIGNAL_STACK_BYTES);
  stack_t alternate;
  alternate.ss_sp = signal_stack;
  alternate.ss_flags = 0;
  alternate.ss_size = SIGNAL_STACK_BYTES;
  call4(SYS_sigaltstack, (long)&alternate, 0, 0, 0);
  box->tid = (int32_t)call4(SYS_gettid, 0, 0, 0, 0);
  call4(SYS_getrusage, RUSAGE_THREAD, (long)&box->before, 0, 0);
  report(arena, box);
  for (;;) {
    while (__atomic_load_n(&box->go, __ATOMIC_SEQ_CST) == seen) {
      call4(SYS_futex, (long)&box->go, FUTEX_WAIT, seen, 0);
    }
    seen++;
    call4(SYS_getrusage, RUSAGE_THREAD, (long)&box->before, 0, 0);
    box->ret = perform(arena, box);
    call4(SYS_getrusage, RUSAGE_THREAD, (long)&box->after, 0, 0);
    report(arena, box);
  }
}
