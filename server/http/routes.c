/* routes.c - the route table, and the answers that need no photo. To add a route, add a row; the
 * first row whose path fits is the path's.
 * Flow: http -> admit -> [routes] -> http, or -> queue -> worker.   Thread: HTTP threads. */
#include "routes.h"
#include "assets.h"
#include "base/log.h"
#include "base/version.h"
#include "head.h"
#include "kserve/kserve.h"
#include "work/app.h"
#include "work/generation.h"
#include "work/model_files.h"
#include "work/queue.h"
#include <string.h>

static const char json_media[] = "application/json";

/* text: a static array, with a NUL. */
#define ANSWER_JSON(job, text) job_answer(job, 200, json_media, text, sizeof(text) - 1, false)

static void make_health(struct exchange *exchange) {
  static char body[] = "{\"status\":\"ok\"}\n";
  ANSWER_JSON(&exchange->job, body);
}

static void make_ready(struct exchange *exchange) {
  static char body[] = "{\"status\":\"ready\"}\n";
  struct job *job = &exchange->job;
  const app_phase phase = atomic_load(&job->app->phase);
  if (phase == APP_READY)
    ANSWER_JSON(job, body);
  else
    cam_fail(&job->error, CAM_E_NOT_READY, "the service is %s", app_phase_names[phase]);
}

static void make_metrics(struct exchange *exchange) {
  struct job *job = &exchange->job;
  struct app *app = job->app;
  metrics_facts facts = {.phases = app_phase_names,
                         .n_phases = APP_PHASE_COUNT,
                         .phase = (int)atomic_load(&app->phase),
                         .workers = app->teams * app->threads,
                         .queue_jobs = queue_length(app->queue),
                         .queue_capacity = queue_capacity(app->queue),
                         .log_lines_lost = log_lines_lost(),
                         .version = cam_version,
                         .commit = cam_commit,
                         .started = app->started};
  facts.routes = route_labels(&facts.n_routes);
  metrics_served models[MODELS_MOST];
  if (job->generation)
    facts.isa = job->generation->models[0]->info->isa;
  for (int i = 0; job->generation && i < job->generation->n; i++) {
    const cam_model_info *info = job->generation->models[i]->info;
    models[i] = (metrics_served){info->name, info->sha256, cam_precision_name(info->precision)};
    facts.n_models = i + 1;
  }
  facts.models = models;
  size_t n;
  char *text = metrics_text(&app->metrics, &facts, &n);
  if (text)
    job_answer(job, 200, "text/plain; version=0.0.4; charset=utf-8", text, n, true);
  else
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the metrics");
}

static void answer_text(struct job *job, const app_text *text) {
  job_answer(job, 200, json_media, text->text, text->n, false);
}
static void make_models(struct exchange *exchange) {
  answer_text(&exchange->job, &exchange->job.generation->list);
}
/* The model that the path names, where the service is ready: a client that asks after a model asks
 * whether to send it photos. Else NULL, and job.error says why. */
static const struct served *named_model(struct exchange *exchange) {
  struct job *job = &exchange->job;
  const app_phase phase = atomic_load(&job->app->phase);
  char name[KSERVE_NAME_MAX];
  if (phase != APP_READY)
    cam_fail(&job->error, CAM_E_NOT_READY, "the service is %s", app_phase_names[phase]);
  else if (!kserve_model_of(exchange->path, name))
    cam_fail(&job->error, CAM_E_NOT_FOUND, "there is nothing at %.80s", exchange->path);
  else
    return generation_find(job->generation, name, CAM_E_NOT_FOUND, &job->error);
  return NULL;
}
static void make_model(struct exchange *exchange) {
  const struct served *served = named_model(exchange);
  if (served)
    answer_text(&exchange->job, &served->about);
}

/* ---- of KServe ---- */

static void answer_made(struct job *job, char *text, size_t n) {
  if (text)
    job_answer(job, 200, json_media, text, n, true);
  else
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the answer");
}
static void make_server(struct exchange *exchange) {
  size_t n = 0;
  char *text = kserve_server_text(&n);
  answer_made(&exchange->job, text, n);
}
static void make_live(struct exchange *exchange) {
  static char body[] = "{\"live\":true}\n";
  ANSWER_JSON(&exchange->job, body);
}
static void make_server_ready(struct exchange *exchange) {
  static char body[] = "{\"ready\":true}\n";
  make_ready(exchange);
  if (!exchange->job.error.code)
    ANSWER_JSON(&exchange->job, body);
}
static void make_tensors(struct exchange *exchange) {
  const struct served *served = named_model(exchange);
  size_t n = 0;
  if (!served)
    return;
  char *text = kserve_model_text(served->info, &n);
  answer_made(&exchange->job, text, n);
}
static void make_model_ready(struct exchange *exchange) {
  const struct served *served = named_model(exchange);
  size_t n = 0;
  if (!served)
    return;
  char *text = kserve_ready_text(served->info, &n);
  answer_made(&exchange->job, text, n);
}

static void make_labels(struct exchange *exchange) {
  answer_text(&exchange->job, &exchange->job.served->labels);
}
/* Before there is a model it tells of the program alone. */
static void make_version(struct exchange *exchange) {
  struct job *job = &exchange->job;
  if (job->generation) {
    answer_text(job, &job->generation->version);
    return;
  }
  app_text text = generation_version_of_none();
  if (text.text)
    job_answer(job, 200, json_media, text.text, text.n, true);
  else
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the version");
}

static void make_asset(struct exchange *exchange) {
  struct job *job = &exchange->job;
  const struct asset *asset = asset_find(exchange->path);
  if (asset)
    job_answer(job, 200, asset->type, (char *)(uintptr_t)asset->begin,
               (size_t)(asset->end - asset->begin), false);
  else
    cam_fail(&job->error, CAM_E_NOT_FOUND, "there is nothing at %.80s", exchange->path);
}

/* Browsers get the page; KServe's clients ask here, with an Accept of theirs, whether it lives. */
static void make_page(struct exchange *exchange) {
  static char alive[] = "{\"status\":\"alive\"}\n";
  if (exchange->page)
    make_asset(exchange);
  else
    ANSWER_JSON(&exchange->job, alive);
  job_add_header(&exchange->job, "Vary", "Accept");
}

/* What a route that takes photos has. */
#define PHOTOS .needs_model = true, .takes_body = true, .wants_key = true
/* clang-format off */
static const struct route routes[] = {
    {"POST", "/cam", NULL, .ports = PORT_MAIN, PHOTOS},
    {"GET", "/", make_page, .ports = PORT_MAIN},
    {"GET", "/assets/...", make_asset, .ports = PORT_MAIN},
    {"GET", "/healthz", make_health, .ports = PORT_MAIN | PORT_ADMIN, .probe = true},
    {"GET", "/readyz", make_ready, .ports = PORT_MAIN | PORT_ADMIN, .probe = true},
    /* how much is called, and how much is refused, is not for strangers */
    {"GET", "/metrics", make_metrics, .ports = PORT_ALONE | PORT_ADMIN, .wants_key = true},
    {"GET", "/v1/models", make_models, .ports = PORT_MAIN, .needs_model = true},
    {"POST", "/v1/models/...:predict", NULL, .ports = PORT_MAIN, PHOTOS},
    {"POST", "/v1/models/...:explain", NULL, .ports = PORT_MAIN, PHOTOS},
    {"GET", "/v1/models/...", make_model, .ports = PORT_MAIN, .needs_model = true},
    {"GET", "/v2", make_server, .ports = PORT_MAIN},
    {"GET", "/v2/health/live", make_live, .ports = PORT_MAIN, .probe = true},
    {"GET", "/v2/health/ready", make_server_ready, .ports = PORT_MAIN, .probe = true},
    {"POST", "/v2/models/.../infer", NULL, .ports = PORT_MAIN, PHOTOS},
    {"GET", "/v2/models/.../ready", make_model_ready, .ports = PORT_MAIN, .needs_model = true},
    {"GET", "/v2/models/...", make_tensors, .ports = PORT_MAIN, .needs_model = true},
    {"GET", "/labels", make_labels, .ports = PORT_MAIN, .needs_model = true, .of_model = true},
    {"GET", "/version", make_version, .ports = PORT_MAIN | PORT_ADMIN},
    {"GET", "/openapi.json", make_asset, .ports = PORT_MAIN},
};
/* clang-format on */
enum { ROUTES = sizeof routes / sizeof *routes };
_Static_assert((int)ROUTES < (int)METRICS_ROUTES, "room to count every route, and the other");

int route_number(const struct route *route) { return route ? (int)(route - routes) : ROUTES; }

const char *const *route_labels(int *n) {
  static const char *labels[ROUTES + 1]; /* filled before any thread, by service.c */
  if (!labels[ROUTES]) {
    for (int i = 0; i < ROUTES; i++)
      labels[i] = routes[i].path;
    labels[ROUTES] = "other";
  }
  *n = ROUTES + 1;
  return labels;
}

/* "..." in a pattern is whatever stands there. */
static bool path_matches(const char *pattern, const char *path) {
  const char *dots = strstr(pattern, "...");
  if (!dots)
    return !strcmp(pattern, path);
  const size_t n = strlen(path), before = (size_t)(dots - pattern), after = strlen(dots + 3);
  return n >= before + after && !strncmp(pattern, path, before) &&
         !strcmp(path + n - after, dots + 3);
}

bool route_is_probe(const char *target) {
  const char *path = head_path(target), *query = strchr(target, '?');
  if (query && query < path)
    return false; /* http://host?/healthz is the path / */
  const size_t n = strcspn(path, "?");
  for (int i = 0; i < ROUTES; i++)
    if (routes[i].probe && strlen(routes[i].path) == n && !strncmp(routes[i].path, path, n))
      return true;
  return false;
}

const struct route *route_find(const char *method, const char *path, unsigned ports, char *allow,
                               cam_error *error) {
  /* HEAD is answered like GET; the HTTP library leaves the body out */
  const char *wanted = strcmp(method, "HEAD") ? method : "GET";
  const struct route *found = NULL;
  *allow = 0;
  for (int i = 0; i < ROUTES && !found; i++)
    if (routes[i].ports & ports && path_matches(routes[i].path, path))
      found = &routes[i];
  if (!found) {
    cam_fail(error, CAM_E_NOT_FOUND, "there is nothing at %.80s", path);
    return NULL;
  }
  if (!strcmp(found->method, wanted))
    return found;
  strcpy(allow, strcmp(found->method, "GET") ? found->method : "GET, HEAD");
  cam_fail(error, CAM_E_METHOD, "%s answers to %s, not to %.16s", found->path, allow, method);
  return found;
}
