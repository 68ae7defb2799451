/* struct page of a page frame, as the running kernel holds it. */
#ifndef BREAKCOW_KPAGE_H
#define BREAKCOW_KPAGE_H

#include <stdint.h>

#include "btf.h"
#include "protocol.h"

/* Learns where the members lie. NULL, or what this kernel lacks. `vmemmap` is the address of frame 0's struct page. */
const char *kpage_open(const struct btf *btf, uint64_t vmemmap);
/* To be called before each round of describing: what was learned of a folio holds for one round. */
void kpage_start(void);
/* Fills in what struct page says of a frame that is mapped; -1 with errno. */
int kpage_describe(uint64_t frame, struct raw_cell *cell);

#endif
