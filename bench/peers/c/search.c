/* search LOG2 [first]: breadth-first search of the small handler with 2^LOG2 slots for states. States that break a promise are
   not expanded; with "first" the search ends at the first of them. Prints one line of JSON: states, transitions, depth (of the
   last new state), broken (steps to the first state that breaks a promise; -1 = none), bytes, seconds. Exit status 3: no slot
   is left. MUTANTS: deviations as in SMALL_MUTANTS of src/explore/small.ts, bit = index. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "handler.h"

static inline uint64_t mix(uint64_t x) {
  x *= 0x9E3779B97F4A7C15ull;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93ull;
  return x ^ (x >> 32);
}

int main(int argc, char **argv) {
  int log2 = argc == 2 || argc == 3 ? atoi(argv[1]) : 0, first = argc == 3;
  if (log2 < 4 || log2 > 40) {
    fprintf(stderr, "usage: search LOG2 [first], LOG2 4 to 40\n");
    return 2;
  }
  const uint64_t capacity = 1ull << log2, mask = capacity - 1, empty = ~0ull;
  uint64_t *table = malloc(capacity * 8), *queue = malloc(capacity * 8);
  if (!table || !queue) {
    fprintf(stderr, "no memory for 2^%d states\n", log2);
    return 2;
  }
  for (uint64_t i = 0; i < capacity; i++) {
    table[i] = empty;
    queue[i] = 0;
  }
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  uint64_t head = 0, tail = 0, transitions = 0, level = 1;
  long depth = 0, broken = -1;
  table[mix(0) & mask] = 0;
  queue[tail++] = 0;
  while (head < tail && !(first && broken >= 0)) {
    if (head == level) {
      depth++;
      level = tail;
    }
    uint64_t state = queue[head++];
    for (int op = 0; op < OPS; op++) {
      int bad = 0;
      uint64_t next = apply(state, op, &bad);
      transitions++;
      if (bad) {
        if (broken < 0) broken = depth + 1;
        continue;
      }
      uint64_t slot = mix(next) & mask;
      while (table[slot] != empty && table[slot] != next) slot = (slot + 1) & mask;
      if (table[slot] == next) continue;
      if (tail == capacity - 1) return 3;
      table[slot] = next;
      queue[tail++] = next;
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  printf("{\"states\":%" PRIu64 ",\"transitions\":%" PRIu64 ",\"depth\":%ld,\"broken\":%ld,\"bytes\":%" PRIu64
         ",\"seconds\":%.9f}\n",
         tail, transitions, depth, broken, capacity * 8 + tail * 8, seconds);
  return 0;
}
