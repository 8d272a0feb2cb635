/* metrics.c - counters and their text. Names are those of the HTTP contract.
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4). */
#include "metrics.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every status that the server answers; what is not here is counted as the last. */
static const int statuses[] = {200, 204, 400, 401, 403, 404, 405, 406, 408, 411, 413, 415, 422, 429, 431, 501, 503, 500};
enum { STATUSES = sizeof statuses / sizeof *statuses };
_Static_assert((int)STATUSES <= (int)METRICS_STATUSES, "room for every status");

/* Upper bounds in seconds: a thumbnail's decode takes half a millisecond, a request in a full queue its deadline. */
static const double bounds[METRICS_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

void metrics_count_request(struct metrics *metrics, int route, int status) {
  int i = 0;
  while (i < STATUSES - 1 && statuses[i] != status) i++;
  atomic_fetch_add_explicit(&metrics->requests[route][i], 1, memory_order_relaxed);
}

void metrics_count_refused(struct metrics *metrics, metrics_reason reason) {
  atomic_fetch_add_explicit(&metrics->refused[reason], 1, memory_order_relaxed);
}

void metrics_observe(struct metrics *metrics, int stage, double ms) {
  int i = 0;
  while (i < METRICS_BUCKETS && ms / 1e3 > bounds[i]) i++;
  atomic_fetch_add_explicit(&metrics->stages[stage].buckets[i], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&metrics->stages[stage].nanoseconds, ms > 0 ? (unsigned long long)(ms * 1e6) : 0, memory_order_relaxed);
}

static unsigned long long get(atomic_ullong *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

static void head(FILE *out, const char *name, const char *type, const char *help) {
  fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}
static void one(FILE *out, const char *name, const char *type, const char *help, unsigned long long value) {
  head(out, name, type, help);
  fprintf(out, "%s %llu\n", name, value);
}

/* name="value" with what the format wants escaped: a model's name comes from its file. */
static void label(FILE *out, const char *before, const char *name, const char *value) {
  fprintf(out, "%s%s=\"", before, name);
  for (; value && *value; value++)
    if (*value == '\n') fputs("\\n", out);
    else fprintf(out, strchr("\\\"", *value) ? "\\%c" : "%c", *value);
  fputc('"', out);
}

static unsigned long long resident_bytes(void) {
  unsigned long long total = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return 0;
  if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
  fclose(file);
  return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static unsigned long long open_files(void) {
  DIR *folder = opendir("/proc/self/fd");
  if (!folder) return 0;
  unsigned long long n = 0;
  for (struct dirent *entry; (entry = readdir(folder));) n += entry->d_name[0] != '.';
  closedir(folder);
  return n - 1; /* without the folder's own */
}

static void write_stages(FILE *out, struct metrics *metrics) {
  static const char *const name = "camserve_stage_seconds";
  head(out, name, "histogram", "Time of each stage of one POST /cam; stages as in timing_ms.");
  for (int s = 0; s < METRICS_STAGES; s++) {
    const char *stage = s == METRICS_QUEUE ? "queue" : s == METRICS_TOTAL ? "total" : cam_stage_name((cam_stage)s);
    unsigned long long sum = 0;
    for (int b = 0; b <= METRICS_BUCKETS; b++) {
      sum += get(&metrics->stages[s].buckets[b]);
      if (b < METRICS_BUCKETS) fprintf(out, "%s_bucket{stage=\"%s\",le=\"%g\"} %llu\n", name, stage, bounds[b], sum);
      else fprintf(out, "%s_bucket{stage=\"%s\",le=\"+Inf\"} %llu\n", name, stage, sum);
    }
    fprintf(out, "%s_sum{stage=\"%s\"} %.9f\n%s_count{stage=\"%s\"} %llu\n", name, stage, 1e-9 * (double)get(&metrics->stages[s].nanoseconds), name, stage, sum);
  }
}

char *metrics_text(struct metrics *metrics, const metrics_facts *facts, size_t *n) {
  static const char *const reasons[] = {
#define X(id, label) label,
    METRICS_REASONS(X)
#undef X
  };
  char *text = NULL;
  FILE *out = open_memstream(&text, n);
  if (!out) return NULL;
  head(out, "camserve_requests_total", "counter", "Requests answered, by route and status.");
  for (int r = 0; r < facts->n_routes; r++)
    for (int s = 0; s < STATUSES; s++) {
      unsigned long long count = get(&metrics->requests[r][s]);
      if (count) fprintf(out, "camserve_requests_total{route=\"%s\",status=\"%d\"} %llu\n", facts->routes[r], statuses[s], count);
    }
  head(out, "camserve_refused_total", "counter", "Requests not served, or not to their end, by reason.");
  for (int r = 0; r < REFUSED_COUNT; r++) fprintf(out, "camserve_refused_total{reason=\"%s\"} %llu\n", reasons[r], get(&metrics->refused[r]));
  write_stages(out, metrics);
  one(out, "camserve_queue_jobs", "gauge", "Requests that wait for a worker.", (unsigned long long)facts->queue_jobs);
  one(out, "camserve_workers_busy", "gauge", "Workers that are on a request.", (unsigned long long)atomic_load(&metrics->workers_busy));
  one(out, "camserve_request_bytes_total", "counter", "Bytes of request bodies that came.", get(&metrics->request_bytes));
  one(out, "camserve_response_bytes_total", "counter", "Bytes of response bodies that were answered.", get(&metrics->response_bytes));
  head(out, "camserve_build_info", "gauge", "What this binary is; always 1.");
  label(out, "camserve_build_info{", "version", facts->version);
  label(out, ",", "commit", facts->commit);
  label(out, ",", "isa", facts->isa);
  fputs("} 1\n", out);
  head(out, "camserve_model_info", "gauge", "The model that is served; always 1, absent before it is loaded.");
  if (facts->model) {
    label(out, "camserve_model_info{", "name", facts->model);
    label(out, ",", "sha256", facts->sha256);
    fputs("} 1\n", out);
  }
  one(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
  one(out, "process_open_fds", "gauge", "Open file descriptors.", open_files());
  if (fclose(out)) {
    free(text);
    return NULL;
  }
  return text;
}
