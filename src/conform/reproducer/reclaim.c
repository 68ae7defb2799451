/* ---- reclaim of what several processes map: MADV_PAGEOUT leaves it alone, a memory cgroup on its way out does not ---- */

/* What is allocated for a page of the program is charged to a cgroup of its own, so that nothing else of it goes. */
static char groups[192]; /* the cgroup file system; "" = none */
static int force_empty;  /* its first version: another file makes a group reclaim */
static char no_groups[128] = "no memory cgroup is mounted";
static unsigned made;

static int put_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return -1;
  long written = write(fd, text, strlen(text));
  int error = errno;
  close(fd);
  errno = error;
  return written < 0 ? -1 : 0;
}
static void group_path(char *path, size_t size, int group, const char *file) {
  snprintf(path, size, "%s/breakcow-%d-p%d%s", groups, getpid(), group, file);
}

static void remove_groups(void) {
  char path[320], pid[16];
  snprintf(path, sizeof(path), "%s/cgroup.procs", groups);
  for (int mm = 0; mm < NR_MMS; mm++) {
    snprintf(pid, sizeof(pid), "%d", pids[mm]);
    if (pidfds[mm] >= 0) put_text(path, pid);
  }
  for (int group = 0; group < NR_PAGES; group++) {
    group_path(path, sizeof(path), group, "");
    /* Who has just ended leaves a moment later. */
    for (int i = 0; made >> group & 1 && rmdir(path) != 0 && errno == EBUSY && i < 100; i++) usleep(10000);
  }
}
/* Where memory cgroups are: mounted on their own, or as part of the second version. */
static void find_groups(void) {
  char line[512], where[160], type[32], options[256], path[256], word[32];
  FILE *mounts = fopen("/proc/self/mounts", "r");
  while (mounts && !groups[0] && fgets(line, sizeof(line), mounts)) {
    if (sscanf(line, "%*s %159s %31s %255s", where, type, options) != 3) continue;
    if (strcmp(type, "cgroup") == 0 && strstr(options, "memory")) force_empty = 1;
    else if (strcmp(type, "cgroup2") != 0) continue;
    else {
      snprintf(path, sizeof(path), "%s/cgroup.controllers", where);
      FILE *controllers = fopen(path, "r");
      int found = 0;
      while (controllers && !found && fscanf(controllers, "%31s", word) == 1) found = strcmp(word, "memory") == 0;
      if (controllers) fclose(controllers);
      if (!found) continue;
      snprintf(path, sizeof(path), "%s/cgroup.subtree_control", where);
      put_text(path, "+memory");
    }
    snprintf(groups, sizeof(groups), "%s", where);
  }
  if (mounts) fclose(mounts);
  if (groups[0]) atexit(remove_groups);
}

static int group_of_page(int page) {
  return PAGE_STRIDE > PAGE ? page & ~3 : page; /* a huge page is one */
}
/* What process mm allocates from now on is for that page. */
static void charge_to_page(int mm, int page) {
  char path[320], pid[16];
  int group = group_of_page(page);
  if (!groups[0] || group_of[mm] == group) return;
  group_path(path, sizeof(path), group, "");
  if (!(made >> group & 1) && mkdir(path, 0755) == 0) made |= 1u << group;
  group_path(path, sizeof(path), group, "/cgroup.procs");
  snprintf(pid, sizeof(pid), "%d", pids[mm]);
  if (put_text(path, pid) != 0) {
    snprintf(no_groups, sizeof(no_groups), "no memory cgroup can be made: %.64s", strerror(errno));
    groups[0] = 0;
  } else group_of[mm] = group;
}

/* A page that nobody has used of late goes first: for the kernel, nobody has. 0 where a group cannot be told. */
static int reclaim_group(int group) {
  char path[320];
  for (int mm = 0; mm < NR_MMS; mm++) {
    snprintf(path, sizeof(path), "/proc/%d/clear_refs", pids[mm]);
    if (pidfds[mm] >= 0) put_text(path, "1");
  }
  group_path(path, sizeof(path), group, force_empty ? "/memory.force_empty" : "/memory.high");
  int failed = put_text(path, "0");
  if (failed) snprintf(no_groups, sizeof(no_groups), "its memory cgroup: %.64s", strerror(errno));
  if (!force_empty) put_text(path, "max");
  return !failed;
}
static int is_shared(int mm, int page) {
  return bit_of(mm, page, PRESENT) && !bit_of(mm, page, MAPPED_ONCE);
}

static inline void do_pageout(int k, const char *text, int mm, unsigned pages) {
  perform(k, text, (struct command){.code = DO_ADVISE, .mm = mm, .pages = pages, .argument = MADV_PAGEOUT});
  unsigned shared = 0;
  for (int page = 0; page < NR_PAGES; page++)
    if (pages >> page & 1 && is_shared(mm, page)) shared |= 1u << page;
  /* It may take a page several rounds. */
  for (int round = 0; round < 5; round++)
    for (int page = 0; page < NR_PAGES && groups[0]; page++)
      if (shared >> page & 1 && is_shared(mm, page) && !reclaim_group(group_of_page(page))) groups[0] = 0;
  report(k);
  for (int page = 0; page < NR_PAGES; page++) {
    if (!(shared >> page & 1)) continue;
    if (!bit_of(mm, page, PRESENT)) printf(REMARK "    p%d is shared: reclaimed by its memory cgroup\n", page);
    else printf(REMARK "    p%d is shared and stays: %s\n", page, groups[0] ? "it is in use" : no_groups);
  }
}
