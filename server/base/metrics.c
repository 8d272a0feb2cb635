/* metrics.c - counters and their text. Names are those of the HTTP contract. Thread: any.
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4). */
#include "metrics.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Every status that is answered, by us or by the HTTP library; 0: closed without an answer. What is
 * not here is counted as the last. */
static const int statuses[] = {0,   200, 204, 304, 400, 401, 403, 404, 405, 406, 408,
                               411, 413, 414, 415, 422, 429, 431, 501, 503, 505, 500};
enum { STATUSES = sizeof statuses / sizeof *statuses };
_Static_assert((int)STATUSES <= (int)METRICS_STATUSES, "room for every status");

/* Upper bounds in seconds: from the decoding of a thumbnail to the deadline of a request in a full
 * queue. */
static const double bounds[METRICS_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                               0.25,   0.5,   1,      2.5,   5,    10,    30,   60};

void metrics_count_received(struct metrics *metrics) { atomic_fetch_add(&metrics->received, 1); }

struct metrics_model *metrics_of_model(struct metrics *metrics, const char *name) {
  for (int i = 0; i < METRICS_MODELS; i++) {
    struct metrics_model *model = atomic_load(&metrics->models[i]);
    if (model && strcmp(model->name, name) != 0)
      continue;
    if (model)
      return model;
    model = calloc(1, sizeof *model);
    if (!model)
      break;
    snprintf(model->name, sizeof model->name, "%s", name);
    atomic_store(&metrics->models[i], model);
    return model;
  }
  return &metrics->none;
}

void metrics_free(struct metrics *metrics) {
  for (int i = 0; i < METRICS_MODELS; i++)
    free(atomic_exchange(&metrics->models[i], NULL));
}

void metrics_count_end(struct metrics *metrics, struct metrics_model *model, int route, int status,
                       metrics_end end) {
  int i = 0;
  if (!model)
    model = &metrics->none;
  while (i < STATUSES - 1 && statuses[i] != status)
    i++;
  atomic_fetch_add_explicit(&model->requests[route][i], 1, memory_order_relaxed);
  atomic_fetch_add(&metrics->ended[end], 1);
}

metrics_end metrics_end_of(cam_code code, bool takes_photos) {
  static const metrics_end ends[CAM_CODES] = {
      /* the others are answers */
      /* clang-format off */
      [CAM_E_BUSY]         = REFUSED_QUEUE_FULL,
      [CAM_E_ROOM]         = REFUSED_MEMORY,
      [CAM_E_TOO_LARGE]    = REFUSED_TOO_LARGE,
      [CAM_E_HEADERS]      = REFUSED_TOO_LARGE,
      [CAM_E_DEADLINE]     = REFUSED_DEADLINE,
      [CAM_E_NOT_READY]    = REFUSED_NOT_READY,
      [CAM_E_REPLY]        = REFUSED_REPLY,
      [CAM_E_UNAUTHORIZED] = REFUSED_UNAUTHORIZED,
      [CAM_E_NO_MEMORY]    = REFUSED_NO_MEMORY,
      /* clang-format on */
  };
  if (!ends[code] || (code == CAM_E_NOT_READY && !takes_photos))
    return END_ANSWERED;
  return ends[code];
}

void metrics_count_reload(struct metrics *metrics, metrics_reload what, bool done) {
  atomic_fetch_add_explicit(&metrics->reloads[what][done], 1, memory_order_relaxed);
}

void metrics_observe(struct metrics_model *model, int stage, double ms) {
  int i = 0;
  while (i < METRICS_BUCKETS && ms / 1e3 > bounds[i])
    i++;
  atomic_fetch_add_explicit(&model->stages[stage].buckets[i], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&model->stages[stage].nanoseconds,
                            ms > 0 ? (unsigned long long)(ms * 1e6) : 0, memory_order_relaxed);
}

static unsigned long long get(atomic_ullong *counter) {
  return atomic_load_explicit(counter, memory_order_relaxed);
}

static void head(FILE *out, const char *name, const char *type, const char *help) {
  fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}
static void one(FILE *out, const char *name, const char *type, const char *help,
                unsigned long long value) {
  head(out, name, type, help);
  fprintf(out, "%s %llu\n", name, value);
}

/* name="value" with what the format wants escaped: a model's name comes from its file. */
static void label(FILE *out, const char *before, const char *name, const char *value) {
  fprintf(out, "%s%s=\"", before, name);
  for (; value && *value; value++)
    switch (*value) {
    case '\n':
      fputs("\\n", out);
      break;
    case '\\':
    case '"':
      fprintf(out, "\\%c", *value);
      break;
    default:
      fputc(*value, out);
    }
  fputc('"', out);
}

/* Bytes: proc(5), statm. False where there is no /proc, or it cannot be read. */
static bool read_memory(unsigned long long *mapped, unsigned long long *resident) {
  const unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file)
    return false;
  const bool read = fscanf(file, "%llu %llu", mapped, resident) == 2;
  fclose(file);
  *mapped *= page;
  *resident *= page;
  return read;
}

static bool count_open_files(unsigned long long *n) {
  DIR *folder = opendir("/proc/self/fd");
  if (!folder)
    return false;
  *n = 0;
  for (struct dirent *entry; (entry = readdir(folder));)
    *n += entry->d_name[0] != '.';
  closedir(folder);
  --*n; /* the folder's own */
  return true;
}

/* What Prometheus's own client libraries say of every process, by the same names. What is not known
 * is left out: a 0 would be believed. */
static void write_process(FILE *out, double started) {
  unsigned long long mapped = 0, resident = 0, n_files;
  struct rlimit files = {0};
  struct timespec used = {0};
  getrlimit(RLIMIT_NOFILE, &files);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  if (read_memory(&mapped, &resident)) {
    one(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident);
    one(out, "process_virtual_memory_bytes", "gauge", "Mapped memory.", mapped);
  }
  if (count_open_files(&n_files))
    one(out, "process_open_fds", "gauge", "Open file descriptors.", n_files);
  one(out, "process_max_fds", "gauge", "File descriptors that may be open.",
      (unsigned long long)files.rlim_cur);
  head(out, "process_cpu_seconds_total", "counter",
       "Processor time, of all threads, in the kernel and outside.");
  fprintf(out, "process_cpu_seconds_total %.3f\n",
          (double)used.tv_sec + 1e-9 * (double)used.tv_nsec);
  head(out, "process_start_time_seconds", "gauge", "When the process began, seconds since 1970.");
  fprintf(out, "process_start_time_seconds %.3f\n", started);
}

static const char *stage_name(int stage) {
  switch (stage) {
  case METRICS_QUEUE:
    return "queue";
  case METRICS_TOTAL:
    return "total";
  default:
    return cam_stage_name((cam_stage)stage);
  }
}

/* {model="NAME", which is left out where there is none. */
static void model_label(FILE *out, const struct metrics_model *model) {
  fputc('{', out);
  if (!*model->name)
    return;
  label(out, "", "model", model->name);
  fputc(',', out);
}

/* The model in this row, in the order in which they are shown: first what has none. NULL: there are
 * no more. */
static struct metrics_model *model_in(struct metrics *metrics, int row) {
  if (!row)
    return &metrics->none;
  if (row > METRICS_MODELS)
    return NULL;
  return atomic_load(&metrics->models[row - 1]);
}

static void write_stage(FILE *out, struct metrics_model *model, int s) {
  static const char *const name = "camserve_stage_seconds";
  const char *stage = stage_name(s);
  unsigned long long sum = 0;
  for (int b = 0; b <= METRICS_BUCKETS; b++) {
    sum += get(&model->stages[s].buckets[b]);
    fprintf(out, "%s_bucket", name);
    model_label(out, model);
    if (b < METRICS_BUCKETS)
      fprintf(out, "stage=\"%s\",le=\"%g\"} %llu\n", stage, bounds[b], sum);
    else
      fprintf(out, "stage=\"%s\",le=\"+Inf\"} %llu\n", stage, sum);
  }
  fprintf(out, "%s_sum", name);
  model_label(out, model);
  fprintf(out, "stage=\"%s\"} %.9f\n%s_count", stage,
          1e-9 * (double)get(&model->stages[s].nanoseconds), name);
  model_label(out, model);
  fprintf(out, "stage=\"%s\"} %llu\n", stage, sum);
}

static void write_stages(FILE *out, struct metrics *metrics) {
  head(out, "camserve_stage_seconds", "histogram",
       "Time of each stage of one POST /cam, by model; stages as in timing_ms.");
  struct metrics_model *model;
  for (int row = 1; (model = model_in(metrics, row)); row++)
    for (int s = 0; s < METRICS_STAGES; s++)
      write_stage(out, model, s);
}

static void write_routes(FILE *out, struct metrics *metrics, const metrics_facts *facts) {
  head(out, "camserve_requests_total", "counter",
       "Requests that are over, by route and status, and model if one was found for them; status "
       "0: closed without an answer.");
  struct metrics_model *model;
  for (int row = 0; (model = model_in(metrics, row)); row++)
    for (int i = 0; i < facts->n_routes * STATUSES; i++) {
      const int route = i / STATUSES, status = i % STATUSES;
      const unsigned long long count = get(&model->requests[route][status]);
      if (!count)
        continue;
      fputs("camserve_requests_total", out);
      model_label(out, model);
      fprintf(out, "route=\"%s\",status=\"%d\"} %llu\n", facts->routes[route], statuses[status],
              count);
    }
}

/* A way for a request to end, as it is shown. */
struct end_row {
  metrics_end end;
  const char *reason;
};
#define X(id, its_reason) {id, its_reason},
static const struct end_row refusals[] = {METRICS_REFUSALS(X)};
static const struct end_row abandons[] = {METRICS_ABANDONS(X)};
#undef X

/* Requests by their ends. The ends are read before the beginnings: one that comes and goes in
 * between is not open, and open is never negative. */
static void write_requests(FILE *out, struct metrics *metrics, const metrics_facts *facts) {
  unsigned long long ended[END_COUNT], over = 0;
  for (int i = 0; i < END_COUNT; i++) {
    ended[i] = atomic_load(&metrics->ended[i]);
    over += ended[i];
  }
  const unsigned long long received = atomic_load(&metrics->received);
  write_routes(out, metrics, facts);
  one(out, "camserve_requests_received_total", "counter",
      "Requests that began: those answered, refused, abandoned and open.", received);
  one(out, "camserve_requests_answered_total", "counter",
      "Requests that were answered to the last byte, whatever they were told but for the refusals.",
      ended[END_ANSWERED]);
  one(out, "camserve_requests_open", "gauge",
      "Requests that have begun and are not over; of the one that asks for this, too, unless it is "
      "the admin port's.",
      received - over);
  head(out, "camserve_refused_total", "counter",
       "Requests refused for a limit or the service's state, by reason; answered so or closed.");
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    fprintf(out, "camserve_refused_total{reason=\"%s\"} %llu\n", refusals[i].reason,
            ended[refusals[i].end]);
  head(out, "camserve_abandoned_total", "counter",
       "Requests whose client left, by what was going on: receiving, queued or sending.");
  for (size_t i = 0; i < sizeof abandons / sizeof *abandons; i++)
    fprintf(out, "camserve_abandoned_total{reason=\"%s\"} %llu\n", abandons[i].reason,
            ended[abandons[i].end]);
}

static void write_connections(FILE *out, struct metrics *metrics) {
  const unsigned long long closed = atomic_load(&metrics->connections_closed),
                           opened = atomic_load(&metrics->connections);
  one(out, "camserve_connections_total", "counter", "Connections that were accepted.", opened);
  one(out, "camserve_connections_open", "gauge", "Connections that are open.", opened - closed);
  one(out, "camserve_connections_refused_total", "counter",
      "Connections that were closed at once: too many of one address.",
      get(&metrics->connections_refused));
}

/* What a balancer or an autoscaler goes by. */
static void write_load(FILE *out, struct metrics *metrics, const metrics_facts *facts) {
  one(out, "camserve_queue_jobs", "gauge", "Requests that wait for a worker.",
      (unsigned long long)facts->queue_jobs);
  one(out, "camserve_queue_capacity", "gauge", "Requests that may wait.",
      (unsigned long long)facts->queue_capacity);
  one(out, "camserve_workers", "gauge", "Threads that work on photos.",
      (unsigned long long)facts->workers);
  one(out, "camserve_workers_busy", "gauge", "Threads of them that are on a request.",
      (unsigned long long)atomic_load(&metrics->workers_busy));
  head(out, "camserve_phase", "gauge", "1 for the phase of the service's life that it is in.");
  for (int i = 0; i < facts->n_phases; i++)
    fprintf(out, "camserve_phase{phase=\"%s\"} %d\n", facts->phases[i], i == facts->phase);
  one(out, "camserve_log_lines_lost_total", "counter", "Lines of the log that nobody took in time.",
      facts->log_lines_lost);
}

static void write_reloads(FILE *out, struct metrics *metrics) {
  static const char *const files[RELOADS] = {
      [RELOAD_MODEL] = "model", [RELOAD_KEYS] = "keys", [RELOAD_CERTIFICATE] = "certificate"};
  head(out, "camserve_reloads_total", "counter", "Files read again at a SIGHUP, by result.");
  for (int i = 0; i < RELOADS * 2; i++)
    fprintf(out, "camserve_reloads_total{file=\"%s\",result=\"%s\"} %llu\n", files[i / 2],
            i % 2 ? "done" : "failed", get(&metrics->reloads[i / 2][i % 2]));
}

static void write_versions(FILE *out, const metrics_facts *facts) {
  head(out, "camserve_build_info", "gauge", "What this binary is; always 1.");
  label(out, "camserve_build_info{", "version", facts->version);
  label(out, ",", "commit", facts->commit);
  label(out, ",", "isa", facts->isa);
  fputs("} 1\n", out);
  head(out, "camserve_model_info", "gauge",
       "The models that are served; always 1, absent before they are loaded.");
  for (int i = 0; i < facts->n_models; i++) {
    label(out, "camserve_model_info{", "name", facts->models[i].name);
    label(out, ",", "sha256", facts->models[i].sha256);
    label(out, ",", "precision", facts->models[i].precision);
    fputs("} 1\n", out);
  }
}

char *metrics_text(struct metrics *metrics, const metrics_facts *facts, size_t *n) {
  char *text = NULL;
  FILE *out = open_memstream(&text, n);
  if (!out)
    return NULL;
  write_requests(out, metrics, facts);
  write_connections(out, metrics);
  write_stages(out, metrics);
  write_load(out, metrics, facts);
  one(out, "camserve_request_bytes_total", "counter", "Bytes of request bodies that came.",
      get(&metrics->request_bytes));
  one(out, "camserve_response_bytes_total", "counter",
      "Bytes of response bodies that were answered.", get(&metrics->response_bytes));
  write_reloads(out, metrics);
  write_versions(out, facts);
  write_process(out, facts->started);
  if (fclose(out)) {
    free(text);
    return NULL;
  }
  return text;
}
