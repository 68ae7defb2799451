/*
 * Page tables and struct page of the running kernel, read from user space: /proc/kcore gives its memory, its type
 * information says where things lie. Nothing is written and nothing is touched: not even an accessed bit changes.
 */
#ifndef BREAKCOW_RAW_H
#define BREAKCOW_RAW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

/* 0, or -1 with one line in `why`: what is missing and how to get it. Everything below needs it to have gone well. */
int raw_open(char *why, size_t n);

/*
 * What the page tables of a process hold for eight addresses. 0, or -1 with errno: ESRCH if no such process has an mm.
 * `pid` is that of the initial pid namespace. Zero pages count nobody: their refs and mapcount mean nothing.
 * Since 6.6 an entry that is made read-only keeps its dirty bit at bit 58.
 * For a large folio refs, pins and mapcount are the folio's, and mapcount the number of entries that map any part of it.
 */
int raw_read(pid_t pid, const uint64_t addresses[NR_PAGES], struct raw_cell out[NR_PAGES]);

/* To be called when a process has ended: its pid may come back. */
void raw_forget(pid_t pid);

#endif
