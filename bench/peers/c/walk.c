/* walk WARMUP OPS [four seed words]: a random walk of WARMUP + OPS steps, of which the last OPS are timed.
   Prints one line of JSON: seconds, checksum, events, violations. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "model.h"

static uint32_t state[4] = {1, 2, 3, 4};

static inline uint32_t rotl(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

static uint32_t run(uint64_t steps, uint32_t checksum) {
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  for (uint64_t n = 0; n < steps; n++) {
    uint32_t random = rotl(b * 5, 7) * 9, t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    checksum = step(random, checksum);
  }
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
  return checksum;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 7) {
    fprintf(stderr, "usage: walk WARMUP OPS [S0 S1 S2 S3]\n");
    return 2;
  }
  uint64_t warmup = strtoull(argv[1], NULL, 10), ops = strtoull(argv[2], NULL, 10);
  for (int i = 3; i < argc; i++) state[i - 3] = (uint32_t)strtoul(argv[i], NULL, 10);
  uint32_t checksum = run(warmup, 0);
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  checksum = run(ops, checksum);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  printf("{\"seconds\":%.9f,\"checksum\":%" PRIu32 ",\"events\":%" PRIu32 ",\"violations\":%" PRIu32 "}\n", seconds,
         checksum, events, violations);
  return 0;
}
