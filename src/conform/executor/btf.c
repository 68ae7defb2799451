#include "btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kinds that headers of Debian 12 may lack. */
enum { KIND_DECL_TAG = 17, KIND_TYPE_TAG = 18, KIND_ENUM64 = 19 };

static const struct btf_type *type_of(const struct btf *btf, uint32_t id) {
  return id > 0 && id < btf->nr_types ? (const struct btf_type *)btf->types[id] : NULL;
}

static const char *name_of(const struct btf *btf, uint32_t offset) {
  return offset < btf->strings_bytes ? btf->strings + offset : "";
}

/* Bytes of what follows the common part of a type; -1 for a kind that is not known. */
static long extra_bytes(const struct btf_type *type) {
  long vlen = BTF_INFO_VLEN(type->info);
  switch (BTF_INFO_KIND(type->info)) {
  case BTF_KIND_INT:
  case BTF_KIND_VAR:
  case KIND_DECL_TAG:
    return sizeof(uint32_t);
  case BTF_KIND_ARRAY:
    return sizeof(struct btf_array);
  case BTF_KIND_STRUCT:
  case BTF_KIND_UNION:
    return vlen * (long)sizeof(struct btf_member);
  case BTF_KIND_ENUM:
    return vlen * (long)sizeof(struct btf_enum);
  case BTF_KIND_FUNC_PROTO:
    return vlen * (long)sizeof(struct btf_param);
  case BTF_KIND_DATASEC:
  case KIND_ENUM64:
    return vlen * 3 * (long)sizeof(uint32_t);
  case BTF_KIND_PTR:
  case BTF_KIND_FWD:
  case BTF_KIND_TYPEDEF:
  case BTF_KIND_VOLATILE:
  case BTF_KIND_CONST:
  case BTF_KIND_RESTRICT:
  case BTF_KIND_FUNC:
  case BTF_KIND_FLOAT:
  case KIND_TYPE_TAG:
    return 0;
  default:
    return -1;
  }
}

/* sysfs does not always tell the size: read to the end. */
static unsigned char *read_whole(const char *path, size_t *bytes) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return NULL;
  size_t room = 8 << 20, used = 0;
  unsigned char *data = malloc(room);
  while (data) {
    ssize_t n = read(fd, data + used, room - used);
    if (n <= 0)
      break;
    used += (size_t)n;
    if (used == room) {
      unsigned char *more = realloc(data, room *= 2);
      if (!more)
        free(data);
      data = more;
    }
  }
  close(fd);
  *bytes = used;
  return data;
}

/* Fills btf->types from the section of types; -1 if it is not well formed. */
static int index_types(struct btf *btf, const unsigned char *from, size_t bytes) {
  uint32_t room = (uint32_t)(bytes / sizeof(struct btf_type)) + 2;
  btf->types = calloc(room, sizeof *btf->types);
  if (!btf->types)
    return -1;
  btf->nr_types = 1;
  for (size_t at = 0; at + sizeof(struct btf_type) <= bytes;) {
    const struct btf_type *type = (const struct btf_type *)(from + at);
    long extra = extra_bytes(type);
    if (extra < 0 || btf->nr_types >= room)
      return -1;
    btf->types[btf->nr_types++] = (const uint32_t *)type;
    at += sizeof *type + (size_t)extra;
    if (at > bytes)
      return -1;
  }
  return 0;
}

int btf_load(struct btf *btf, const char *path, char *why, size_t n) {
  memset(btf, 0, sizeof *btf);
  size_t bytes = 0;
  btf->data = read_whole(path, &bytes);
  if (!btf->data) {
    snprintf(why, n, "%s: %s; the kernel needs CONFIG_DEBUG_INFO_BTF", path, strerror(errno));
    return -1;
  }
  const struct btf_header *header = (const struct btf_header *)btf->data;
  uint64_t types = 0, strings = 0;
  int ok = bytes >= sizeof *header && header->magic == BTF_MAGIC && header->hdr_len <= bytes;
  if (ok) {
    types = (uint64_t)header->hdr_len + header->type_off;
    strings = (uint64_t)header->hdr_len + header->str_off;
    ok = types + header->type_len <= bytes && strings + header->str_len <= bytes && header->str_len > 0 &&
         btf->data[strings + header->str_len - 1] == 0;
  }
  if (ok) {
    btf->strings = (const char *)btf->data + strings;
    btf->strings_bytes = header->str_len;
    ok = index_types(btf, btf->data + types, header->type_len) == 0;
  }
  if (ok)
    return 0;
  snprintf(why, n, "%s: not type information of a form known here", path);
  btf_free(btf);
  return -1;
}

void btf_free(struct btf *btf) {
  free(btf->types);
  free(btf->data);
  memset(btf, 0, sizeof *btf);
}

static const struct btf_type *find(const struct btf *btf, uint32_t kind, const char *name) {
  for (uint32_t id = 1; id < btf->nr_types; id++) {
    const struct btf_type *type = type_of(btf, id);
    if (BTF_INFO_KIND(type->info) == kind && !strcmp(name_of(btf, type->name_off), name))
      return type;
  }
  return NULL;
}

static const struct btf_type *unqualified(const struct btf *btf, uint32_t id) {
  const struct btf_type *type = type_of(btf, id);
  while (type) {
    uint32_t kind = BTF_INFO_KIND(type->info);
    if (kind != BTF_KIND_TYPEDEF && kind != BTF_KIND_CONST && kind != BTF_KIND_VOLATILE && kind != KIND_TYPE_TAG)
      break;
    type = type_of(btf, type->type);
  }
  return type;
}

static long offset_in(const struct btf *btf, const struct btf_type *type, const char *member) {
  const struct btf_member *members = (const struct btf_member *)(type + 1);
  for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
    const char *name = name_of(btf, members[i].name_off);
    uint32_t bits = BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(members[i].offset) : members[i].offset;
    if (!strcmp(name, member))
      return (long)(bits / 8);
    const struct btf_type *inner = *name ? NULL : unqualified(btf, members[i].type);
    if (!inner)
      continue;
    uint32_t kind = BTF_INFO_KIND(inner->info);
    long within = kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION ? offset_in(btf, inner, member) : -1;
    if (within >= 0)
      return (long)(bits / 8) + within;
  }
  return -1;
}

long btf_offset(const struct btf *btf, const char *name, const char *member) {
  const struct btf_type *type = find(btf, BTF_KIND_STRUCT, name);
  return type ? offset_in(btf, type, member) : -1;
}

long btf_size(const struct btf *btf, const char *name) {
  const struct btf_type *type = find(btf, BTF_KIND_STRUCT, name);
  return type ? (long)type->size : -1;
}

long btf_enumerator(const struct btf *btf, const char *name, const char *enumerator) {
  const struct btf_type *type = find(btf, BTF_KIND_ENUM, name);
  const struct btf_enum *values = type ? (const struct btf_enum *)(type + 1) : NULL;
  for (uint32_t i = 0; type && i < BTF_INFO_VLEN(type->info); i++)
    if (!strcmp(name_of(btf, values[i].name_off), enumerator))
      return values[i].val;
  return -1;
}
