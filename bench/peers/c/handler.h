/* One op of the small handler on a state of 38 bits: four entries of a byte (flags in bits 0-4, frame in bits 5-7), then the
   frame that each mm's handle pins, three bits each. Maps and pins are counted anew from it each time. */
#include <stdint.h>
#ifndef MUTANTS
#define MUTANTS 0
#endif
#define DEVIATES(bit) ((MUTANTS >> (bit)) & 1)
enum { F_P = 1, F_W = 2, F_D = 4, F_A = 8, F_U = 16, F_FRESH = F_P | F_W | F_D | F_A, OPS = 22 };
enum {
  FORK_KEEPS_WRITE = DEVIATES(0), FORK_KEEPS_UFFD = DEVIATES(1), FORK_SHARES_PINNED = DEVIATES(2),
  FORK_COPY_KEEPS_UFFD = DEVIATES(3), COPY_DROPS_UFFD = DEVIATES(4), COPY_KEEPS_WRITE = DEVIATES(5),
  REUSE_IGNORES_MAPS = DEVIATES(6), REUSE_IGNORES_PINS = DEVIATES(7), REUSE_TAKES_ZERO = DEVIATES(8),
  REUSE_COUNTS_PIN_AS_MAP = DEVIATES(9), WRITE_IGNORES_UFFD = DEVIATES(10), UFFD_KEEPS_WRITE = DEVIATES(11),
  UNWP_RESTORES_WRITE = DEVIATES(12)
};

typedef struct {
  uint8_t flags[4], frame[4], slot[2], maps[8], pins[8];
} State;

static inline void unpack(uint64_t packed, State *s) {
  __builtin_memset(s, 0, sizeof *s);
  for (int i = 0; i < 4; i++) {
    uint8_t entry = (uint8_t)(packed >> (8 * i));
    s->flags[i] = entry & 31;
    s->frame[i] = entry >> 5;
    if (entry & F_P) s->maps[entry >> 5]++;
  }
  for (int mm = 0; mm < 2; mm++) {
    uint8_t f = (packed >> (32 + 3 * mm)) & 7;
    s->slot[mm] = f;
    if (f) s->pins[f]++;
  }
  s->maps[0] = 0;
}

static inline uint64_t pack(const State *s) {
  uint64_t packed = 0;
  for (int i = 0; i < 4; i++) packed |= (uint64_t)(s->flags[i] | s->frame[i] << 5) << (8 * i);
  return packed | (uint64_t)s->slot[0] << 32 | (uint64_t)s->slot[1] << 35;
}

static inline int take(State *s) {
  int f = 1;
  while (s->maps[f] | s->pins[f]) f++;
  s->maps[f] = 1;
  return f;
}

static inline void set(State *s, int i, int flags, int frame) {
  s->flags[i] = (uint8_t)flags;
  s->frame[i] = (uint8_t)frame;
}

static inline void unmap(State *s, int f) {
  if (f) s->maps[f]--;
}

static inline int reusable(const State *s, int f) {
  if (!f) return REUSE_TAKES_ZERO;
  int sole = s->maps[f] == 1 + (REUSE_COUNTS_PIN_AS_MAP ? s->pins[f] : 0) || REUSE_IGNORES_MAPS;
  return sole && (s->pins[f] == 0 || REUSE_COUNTS_PIN_AS_MAP || REUSE_IGNORES_PINS);
}

static inline void fault(State *s, int i, int write) {
  int e = s->flags[i], f = s->frame[i];
  if (!(e & F_P)) {
    set(s, i, F_FRESH, take(s));
    return;
  }
  if (e & F_W) {
    s->flags[i] = (uint8_t)(e | F_A | (write ? F_D : 0));
    return;
  }
  if ((e & F_U) && write && !WRITE_IGNORES_UFFD) return;
  int writable = (e & F_U) ? 0 : F_W;
  if (reusable(s, f)) {
    s->flags[i] = (uint8_t)(e | F_A | F_D | writable);
    return;
  }
  int copy = take(s);
  unmap(s, f);
  set(s, i, F_P | F_A | F_D | (COPY_KEEPS_WRITE ? F_W : writable) | (COPY_DROPS_UFFD ? 0 : e & F_U), copy);
}

static inline void zap(State *s, int i) {
  if (!(s->flags[i] & F_P)) return;
  unmap(s, s->frame[i]);
  set(s, i, 0, 0);
}

static inline void unpin(State *s, int mm) {
  int f = s->slot[mm];
  if (f) s->pins[f]--;
  s->slot[mm] = 0;
}

static inline void gup(State *s, int mm, int i) {
  if (s->slot[mm]) {
    unpin(s, mm);
    return;
  }
  fault(s, i, 0);
  int f = s->frame[i];
  if (f) s->pins[f]++;
  s->slot[mm] = (uint8_t)f;
}

static inline void uffd(State *s, int mm, int i) {
  int e = s->flags[i];
  if (!(e & F_P)) return;
  if (!(e & F_U)) e = (e | F_U) & ~(UFFD_KEEPS_WRITE ? 0 : F_W);
  else e = (e & ~F_U) | (UNWP_RESTORES_WRITE && s->slot[mm] && s->frame[i] ? F_W : 0);
  s->flags[i] = (uint8_t)e;
}

static inline void fork_mm(State *s, int parent) {
  int child = 1 - parent;
  zap(s, child * 2);
  zap(s, child * 2 + 1);
  unpin(s, child);
  for (int page = 0; page < 2; page++) {
    int from = parent * 2 + page, to = child * 2 + page, e = s->flags[from], f = s->frame[from];
    if (!(e & F_P)) continue;
    if (f && s->pins[f] && !FORK_SHARES_PINNED) {
      set(s, to, F_FRESH | (FORK_COPY_KEEPS_UFFD ? e & F_U : 0), take(s));
      continue;
    }
    s->flags[from] = (uint8_t)(e & ~(FORK_KEEPS_WRITE ? 0 : F_W));
    if (f) s->maps[f]++;
    set(s, to, e & ~(F_W | F_A | (FORK_KEEPS_UFFD ? 0 : F_U)), f);
  }
}

/* Does the entry break a promise? */
static inline int broken_at(const State *s, int i) {
  int e = s->flags[i], f = s->frame[i];
  return (e & F_W) && ((e & F_U) || !f || s->maps[f] != 1);
}

/* Op 0 to 19: read, write, gup, uffd, zap on each entry; 20 and 21: fork of mm 0 and mm 1. Only a fork touches more than one
   entry, so only there can another one come to break a promise. */
static inline uint64_t apply(uint64_t packed, int op, int *bad) {
  State s;
  unpack(packed, &s);
  if (op >= 20) {
    fork_mm(&s, op - 20);
    *bad = broken_at(&s, 0) | broken_at(&s, 1) | broken_at(&s, 2) | broken_at(&s, 3);
    return pack(&s);
  }
  int i = op / 5, mm = i / 2;
  switch (op % 5) {
    case 0:
      if (s.flags[i] & F_P) s.flags[i] |= F_A;
      else set(&s, i, F_P | F_A, 0);
      break;
    case 1: fault(&s, i, 1); break;
    case 2: gup(&s, mm, i); break;
    case 3: uffd(&s, mm, i); break;
    default: zap(&s, i);
  }
  *bad = broken_at(&s, i);
  return pack(&s);
}
