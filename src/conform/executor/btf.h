/*
 * Where members of the running kernel's structures lie, as its own type information (/sys/kernel/btf/vmlinux) says.
 */
#ifndef BREAKCOW_BTF_H
#define BREAKCOW_BTF_H

#include <stddef.h>
#include <stdint.h>

struct btf {
  unsigned char *data;
  const uint32_t **types; /* by id; 0 is void */
  uint32_t nr_types;
  const char *strings;
  uint32_t strings_bytes;
};

/* 0, or -1 with the reason in `why`. */
int btf_load(struct btf *btf, const char *path, char *why, size_t n);
void btf_free(struct btf *btf);

/* Bytes from the start of `struct name` to a member, also one inside unnamed members; -1 if there is none. */
long btf_offset(const struct btf *btf, const char *name, const char *member);
/* sizeof(struct name); -1 if there is none. */
long btf_size(const struct btf *btf, const char *name);
/* Value of an enumerator of `enum name`; -1 if there is none. */
long btf_enumerator(const struct btf *btf, const char *name, const char *enumerator);

#endif
