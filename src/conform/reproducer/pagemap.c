/* ---- /proc/PID/pagemap ---- */

enum { SOFT_DIRTY = 55, MAPPED_ONCE = 56, UFFD_WP = 57, SWAPPED = 62, PRESENT = 63 };

static uint64_t pagemap_of(pid_t pid, const char *where) {
  char path[64];
  uint64_t entry = 0;
  snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)where / PAGE * sizeof(entry))) != sizeof(entry))
    not_here("%s: %s", path, strerror(errno));
  close(fd);
  return entry;
}
static inline int bit_of(int mm, int page, int bit) {
  return (int)(pagemap_of(pids[mm], address(page) + PAGE_STRIDE - PAGE) >> bit & 1);
}
static inline uint64_t frame_of(int mm, int page) {
  uint64_t frame = pagemap_of(pids[mm], address(page) + PAGE_STRIDE - PAGE) & ((1ULL << 55) - 1);
  if (frame == 0) not_here("pagemap hides page frame numbers: run as root");
  return frame;
}
static inline uint64_t *noted(int mm, int page) {
  static uint64_t frames[NR_MMS][NR_PAGES];
  return &frames[mm][page];
}
static inline void note_frame(int mm, int page) {
  *noted(mm, page) = frame_of(mm, page);
}
/* Without touching the page as the process would. */
static inline uint64_t content_of(int mm, int page) {
  char path[64];
  uint64_t token = 0;
  snprintf(path, sizeof(path), "/proc/%d/mem", pids[mm]);
  int fd = open(path, O_RDONLY);
  off_t where = (off_t)(uintptr_t)address(page) + PAGE_STRIDE - PAGE;
  if (fd < 0 || pread(fd, &token, sizeof(token), where) != sizeof(token)) not_here("%s: %s", path, strerror(errno));
  close(fd);
  return token;
}

#if USES_UFFD_WP_BIT
/* Why pagemap does not tell of uffd-wp, or NULL. */
static const char *no_uffd_wp_bit(void) {
  static char reason[160];
  struct utsname name;
  int major = 0, minor = 0;
  uname(&name);
  sscanf(name.release, "%d.%d", &major, &minor);
  if (major * 1000 + minor >= 5014) return NULL;
  snprintf(reason, sizeof(reason), "pagemap tells of uffd-wp since 5.14, this is %s", name.release);
  return reason;
}
#if !USES_KTAP
static void need_uffd_wp_bit(void) {
  const char *reason = no_uffd_wp_bit();
  if (reason) not_here("%s", reason);
}
#endif
#endif
#if USES_SOFT_DIRTY
/* Why pagemap does not tell of soft-dirty, or NULL. */
static const char *no_soft_dirty(void) {
  static char *page;
  if (!page) page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *(volatile char *)page = 1;
  return pagemap_of(getpid(), page) >> SOFT_DIRTY & 1 ? NULL : "this kernel has no soft-dirty tracking";
}
#if !USES_KTAP
static void need_soft_dirty(void) {
  const char *reason = no_soft_dirty();
  if (reason) not_here("%s", reason);
}
#endif
#endif
