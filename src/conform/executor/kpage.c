#include "kpage.h"

#include <string.h>

#include "kcore.h"

enum { STRUCT_PAGE = 64, PIN_BIAS = 1024, HPAGE_PAGES = 512 };

#define MAPPING_ANON 1

/* Offsets in bytes from a struct page, "head" ones from the first of a large folio; -1 = this kernel has none. */
static struct {
  long refcount, mapcount, mapping, compound_head;
  long head_pincount;
  long head_large_mapcount; /* entries that map any part; kernels without it have to be asked page by page */
  long tail_entire_mapcount;
  int head_bit, exclusive_bit, double_map_bit;
} at;

static uint64_t page_structs;

/* The large folio that was looked at last. */
static struct {
  uint64_t head;
  int32_t pins, mappings;
} folio;

struct page {
  uint64_t address;
  unsigned char bytes[STRUCT_PAGE];
};

static uint64_t word_at(const unsigned char *from, long offset) {
  uint64_t value;
  memcpy(&value, from + offset, sizeof value);
  return value;
}

static int32_t count_at(const unsigned char *from, long offset) {
  int32_t value;
  memcpy(&value, from + offset, sizeof value);
  return value;
}

static int flag_of(const unsigned char *page, int bit) {
  return bit >= 0 && (word_at(page, 0) >> bit & 1);
}

const char *kpage_open(const struct btf *btf, uint64_t vmemmap) {
  page_structs = vmemmap;
  if (btf_size(btf, "page") != STRUCT_PAGE)
    return "struct page of 64 bytes";
  at.refcount = btf_offset(btf, "page", "_refcount");
  at.mapcount = btf_offset(btf, "page", "_mapcount");
  at.mapping = btf_offset(btf, "page", "mapping");
  at.compound_head = btf_offset(btf, "page", "compound_head");
  if (at.compound_head < 0)
    at.compound_head = btf_offset(btf, "page", "compound_info");
  if (at.refcount < 0 || at.mapcount < 0 || at.mapping < 0 || at.compound_head < 0)
    return "struct page";
  long second = btf_offset(btf, "page", "hpage_pinned_refcount"); /* before folios: in the second tail page */
  at.head_pincount = second < 0 ? btf_offset(btf, "folio", "_pincount") : 2 * STRUCT_PAGE + second;
  if (at.head_pincount < 0)
    return "pin count of a folio";
  at.head_large_mapcount = btf_offset(btf, "folio", "_large_mapcount");
  at.tail_entire_mapcount = btf_offset(btf, "page", "compound_mapcount");
  if (at.head_large_mapcount < 0 && at.tail_entire_mapcount < 0)
    return "mapcount of a folio";
  at.head_bit = (int)btf_enumerator(btf, "pageflags", "PG_head");
  at.exclusive_bit = (int)btf_enumerator(btf, "pageflags", "PG_anon_exclusive"); /* none before 5.19 */
  at.double_map_bit = (int)btf_enumerator(btf, "pageflags", "PG_double_map");
  return at.head_bit < 0 ? "PG_head" : NULL;
}

void kpage_start(void) {
  folio.head = 0;
}

static int read_page(uint64_t address, struct page *page) {
  page->address = address;
  return kcore_read(address, page->bytes, STRUCT_PAGE);
}

/* A tail names its head by address, or on 7.x by the mask that leads there; bit 0 says that it is a tail. */
static uint64_t head_of(const struct page *page) {
  uint64_t info = word_at(page->bytes, at.compound_head);
  if (!(info & 1))
    return page->address;
  uint64_t low = ~(info - 1);
  return (low & (low + 1)) == 0 ? page->address & (info - 1) : info - 1;
}

/* How many entries map any part of a huge folio, from all its struct pages. */
static int32_t count_mappings(const unsigned char *all) {
  int32_t sum = count_at(all, STRUCT_PAGE + at.tail_entire_mapcount) + 1;
  for (int i = 0; i < HPAGE_PAGES; i++)
    sum += count_at(all, i * STRUCT_PAGE + at.mapcount) + 1;
  /* Mapped both ways, a folio counts its huge mappings as one more of every page. */
  return flag_of(all + STRUCT_PAGE, at.double_map_bit) ? sum - HPAGE_PAGES : sum;
}

static int learn_folio(uint64_t head) {
  static unsigned char all[HPAGE_PAGES * STRUCT_PAGE];
  if (folio.head == head)
    return 0;
  folio.head = 0;
  if (kcore_read(head, all, at.head_large_mapcount < 0 ? sizeof all : 3 * STRUCT_PAGE))
    return -1;
  folio.pins = count_at(all, at.head_pincount);
  folio.mappings = at.head_large_mapcount < 0 ? count_mappings(all) : count_at(all, at.head_large_mapcount) + 1;
  folio.head = head;
  return 0;
}

int kpage_describe(uint64_t frame, struct raw_cell *cell) {
  struct page page, head;
  if (read_page(page_structs + frame * STRUCT_PAGE, &page))
    return -1;
  head = page;
  if (head_of(&page) != page.address && read_page(head_of(&page), &head))
    return -1;
  int anon = (word_at(head.bytes, at.mapping) & MAPPING_ANON) != 0;
  cell->exclusive = anon && flag_of(page.bytes, at.exclusive_bit);
  cell->refs = count_at(head.bytes, at.refcount);
  if (!flag_of(head.bytes, at.head_bit)) {
    cell->mapcount = count_at(page.bytes, at.mapcount) + 1;
    cell->pins = (int16_t)(cell->refs / PIN_BIAS);
    return 0;
  }
  if (learn_folio(head.address))
    return -1;
  cell->pins = (int16_t)folio.pins;
  cell->mapcount = folio.mappings;
  return 0;
}
