/* cpu.c - how many processors this process may use: its affinity and its cgroup's quota, not what
 * the machine has. Any thread. */
#include "cam_engine.h"
#include "cam_minmax.h"
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* ceil(quota / period); 0, no limit, where one of them says none. */
static int processors(long long quota, long long period) {
  if (quota <= 0 || period <= 0)
    return 0;
  return (int)((quota + period - 1) / period);
}

/* The tighter of two limits, of which 0 is none. */
static int tighter(int a, int b) {
  if (!a || !b)
    return max_int(a, b);
  return min_int(a, b);
}

/* The limit in a cpu.max, "QUOTA PERIOD" or "max PERIOD". */
static int quota_v2(const char *path) {
  FILE *file = fopen(path, "re");
  long long quota = 0, period = 0;
  if (!file)
    return 0;
  const int read = fscanf(file, "%lld %lld", &quota, &period);
  fclose(file);
  if (read != 2)
    return 0;
  return processors(quota, period);
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

/* The tightest limit from this process's cgroup up to the root; 0: none. In a container its own
 * cgroup is the root of what it sees. */
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
    tightest = tighter(tightest, quota_v2(quota));
    *strrchr(path, '/') = 0;
  }
  const int v1 = processors(number_in("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
                            number_in("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
  return tighter(tightest, v1);
}

int cam_cpu_count(void) {
  cpu_set_t set;
  int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (!sched_getaffinity(0, sizeof set, &set))
    count = CPU_COUNT(&set);
  return max_int(tighter(count, cgroup_limit()), 1);
}
