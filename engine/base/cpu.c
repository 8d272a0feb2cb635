/* cpu.c - how many processors this process may use: its affinity and its cgroup's quota, not what
 * the machine has. Any thread. */
#include "cam_engine.h"
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* ceil(quota / period) of a cgroup file, or 0 where there is no limit. v2: cpu.max says "QUOTA
 * PERIOD" or "max PERIOD". */
static int quota_v2(const char *path) {
  FILE *file = fopen(path, "re");
  long long quota = 0, period = 0;
  if (!file)
    return 0;
  int read = fscanf(file, "%lld %lld", &quota, &period);
  fclose(file);
  return read == 2 && quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static long long number_in(const char *path) {
  FILE *file = fopen(path, "re");
  long long number = 0;
  if (!file)
    return 0;
  if (fscanf(file, "%lld", &number) != 1)
    number = 0;
  fclose(file);
  return number;
}

/* The tightest limit from this process's cgroup (v2) up to the root. In a container its own cgroup
 * is the root of what it sees. */
static int cgroup_limit(void) {
  char path[600] = "", line[512];
  int tightest = 0;
  FILE *file = fopen("/proc/self/cgroup", "re");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, "0::", 3))
      snprintf(path, sizeof path, "/sys/fs/cgroup%.*s", (int)strcspn(line + 3, "\n"), line + 3);
  if (file)
    fclose(file);
  while (strlen(path) >= strlen("/sys/fs/cgroup")) {
    char quota[620];
    snprintf(quota, sizeof quota, "%s/cpu.max", path);
    int limit = quota_v2(quota);
    if (limit && (!tightest || limit < tightest))
      tightest = limit;
    *strrchr(path, '/') = 0;
  }
  long long v1 = number_in("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
            period = number_in("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (v1 > 0 && period > 0 && (!tightest || (v1 + period - 1) / period < tightest))
    tightest = (int)((v1 + period - 1) / period);
  return tightest;
}

int cam_cpu_count(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) ? (int)sysconf(_SC_NPROCESSORS_ONLN)
                                                     : CPU_COUNT(&set),
      limit = cgroup_limit();
  if (limit && limit < count)
    count = limit;
  return count > 0 ? count : 1;
}
