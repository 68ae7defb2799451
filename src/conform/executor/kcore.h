/* Memory of the running kernel by address, and its symbols. */
#ifndef BREAKCOW_KCORE_H
#define BREAKCOW_KCORE_H

#include <stddef.h>
#include <stdint.h>

/* 0, or -1 with the reason in `why`. */
int kcore_open(char *why, size_t n);
/* 0, or -1 with errno: EFAULT outside what /proc/kcore shows. */
int kcore_read(uint64_t address, void *to, size_t bytes);
/* Fills values[i] with the address of names[i]; -1 with the reason if one is missing. */
int kernel_symbols(const char *const *names, uint64_t *values, int count, char *why, size_t n);

#endif
