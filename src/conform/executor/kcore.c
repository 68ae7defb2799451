#include "kcore.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SEGMENTS = 128 };

static int kcore = -1;
static Elf64_Phdr segments[MAX_SEGMENTS];
static int nr_segments;

int kcore_open(char *why, size_t n) {
  if (kcore >= 0)
    return 0;
  int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const char *cure = errno == ENOENT ? "the kernel is built without CONFIG_PROC_KCORE"
                       : errno == EPERM ? "kernel lockdown, or no CAP_SYS_RAWIO"
                                        : "run as root";
    snprintf(why, n, "/proc/kcore: %s (%s); use a guest", strerror(errno), cure);
    return -1;
  }
  Elf64_Ehdr header;
  int ok = pread(fd, &header, sizeof header, 0) == sizeof header && !memcmp(header.e_ident, ELFMAG, SELFMAG) &&
           header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum <= MAX_SEGMENTS;
  size_t bytes = ok ? header.e_phnum * sizeof(Elf64_Phdr) : 0;
  ok = ok && pread(fd, segments, bytes, (off_t)header.e_phoff) == (ssize_t)bytes;
  if (!ok) {
    snprintf(why, n, "/proc/kcore: not an ELF core of at most %d segments", MAX_SEGMENTS);
    close(fd);
    return -1;
  }
  nr_segments = header.e_phnum;
  kcore = fd;
  return 0;
}

int kcore_read(uint64_t address, void *to, size_t bytes) {
  for (int i = 0; i < nr_segments; i++) {
    const Elf64_Phdr *at = &segments[i];
    if (at->p_type != PT_LOAD || address < at->p_vaddr || address - at->p_vaddr + bytes > at->p_memsz)
      continue;
    ssize_t n = pread(kcore, to, bytes, (off_t)(at->p_offset + (address - at->p_vaddr)));
    if (n == (ssize_t)bytes)
      return 0;
    if (n >= 0)
      errno = EIO;
    return -1;
  }
  errno = EFAULT;
  return -1;
}

int kernel_symbols(const char *const *names, uint64_t *values, int count, char *why, size_t n) {
  FILE *list = fopen("/proc/kallsyms", "re");
  if (!list) {
    snprintf(why, n, "/proc/kallsyms: %s; the kernel needs CONFIG_KALLSYMS_ALL", strerror(errno));
    return -1;
  }
  memset(values, 0, (size_t)count * sizeof *values);
  char line[512];
  for (int left = count; left > 0 && fgets(line, sizeof line, list);) {
    /* "address letter name", a module's ending in a tab and its own name */
    char *letter = strchr(line, ' '), *name = letter && letter[1] ? letter + 3 : NULL;
    if (!name || strlen(letter) < 4)
      continue;
    name[strcspn(name, "\t\n")] = 0;
    for (int i = 0; i < count; i++)
      if (!values[i] && !strcmp(name, names[i]) && (values[i] = strtoull(line, NULL, 16)))
        left--;
  }
  fclose(list);
  for (int i = 0; i < count; i++)
    if (!values[i]) {
      snprintf(why, n, "/proc/kallsyms: no address of %s; needs root and CONFIG_KALLSYMS_ALL", names[i]);
      return -1;
    }
  return 0;
}
