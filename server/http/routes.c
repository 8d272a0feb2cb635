/* routes.c - the route table, and the answers that need no photo.
 * To add a route, add a row. Flow: http -> admit -> [routes] -> http, or -> queue -> worker. */
#include "routes.h"
#include "assets.h"
#include "base/version.h"
#include "work/app.h"
#include "work/generation.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json_media[] = "application/json";

static void make_health(struct job *job) {
  static char body[] = "{\"status\":\"ok\"}\n";
  job_answer(job, 200, json_media, body, sizeof body - 1, false);
}

static void make_ready(struct job *job) {
  static char body[] = "{\"status\":\"ready\"}\n";
  app_phase phase = atomic_load(&job->app->phase);
  if (phase == APP_READY)
    job_answer(job, 200, json_media, body, sizeof body - 1, false);
  else
    cam_fail(&job->error, CAM_E_NOT_READY, "the service is %s",
             phase == APP_STARTING ? "starting" : "draining");
}

static void make_metrics(struct job *job) {
  struct app *app = job->app;
  metrics_facts facts = {.queue_jobs = queue_length(app->queue),
                         .version = cam_version,
                         .commit = cam_commit,
                         .started = app->started};
  facts.routes = route_labels(&facts.n_routes);
  if (job->generation) {
    const cam_model_info *info = cam_model_get_info(job->generation->model);
    facts.isa = info->isa;
    facts.model = info->name;
    facts.sha256 = info->sha256;
  }
  size_t n;
  char *text = metrics_text(&app->metrics, &facts, &n);
  if (text)
    job_answer(job, 200, "text/plain; version=0.0.4; charset=utf-8", text, n, true);
  else
    cam_fail(&job->error, CAM_E_NO_MEMORY, "no memory for the metrics");
}

static void make_text(struct job *job, const app_text *text) {
  job_answer(job, 200, json_media, text->text, text->n, false);
}
static void make_models(struct job *job) { make_text(job, &job->generation->models); }
static void make_labels(struct job *job) { make_text(job, &job->generation->labels); }
static void make_version(struct job *job) { make_text(job, &job->generation->version); }

static void make_asset(struct job *job) {
  const struct asset *asset = asset_find(job->path);
  if (!asset)
    cam_fail(&job->error, CAM_E_NOT_FOUND, "there is nothing at %s", job->path);
  else
    job_answer(job, 200, asset->type, (char *)(uintptr_t)asset->begin,
               (size_t)(asset->end - asset->begin), false);
}

static const struct route routes[] = {
    /* method, path, answer, needs the model, takes a body, wants a key, ports */
    {"POST", "/cam", NULL, true, true, true, PORT_MAIN},
    {"GET", "/", make_asset, false, false, false, PORT_MAIN},
    {"GET", "/assets/...", make_asset, false, false, false, PORT_MAIN},
    {"GET", "/healthz", make_health, false, false, false, PORT_MAIN | PORT_ADMIN},
    {"GET", "/readyz", make_ready, false, false, false, PORT_MAIN | PORT_ADMIN},
    {"GET", "/metrics", make_metrics, false, false, true,
     PORT_ALONE |
         PORT_ADMIN}, /* how much is called, and how much is refused, is not for strangers */
    {"GET", "/v1/models", make_models, true, false, false, PORT_MAIN},
    {"GET", "/labels", make_labels, true, false, false, PORT_MAIN},
    {"GET", "/version", make_version, true, false, false, PORT_MAIN | PORT_ADMIN},
    {"GET", "/openapi.json", make_asset, false, false, false, PORT_MAIN},
};
enum { ROUTES = sizeof routes / sizeof *routes };
_Static_assert((int)ROUTES < (int)METRICS_ROUTES, "room to count every route, and the other");

int route_number(const struct route *route) { return route ? (int)(route - routes) : ROUTES; }

const char *const *route_labels(int *n) {
  static const char *labels[ROUTES + 1]; /* the same values whoever writes them first: filled before
                                            any thread, by service.c */
  if (!labels[ROUTES]) {
    for (int i = 0; i < ROUTES; i++)
      labels[i] = routes[i].path;
    labels[ROUTES] = "other";
  }
  *n = ROUTES + 1;
  return labels;
}

static bool path_matches(const char *pattern, const char *path) {
  const char *dots = strstr(pattern, "...");
  return dots ? !strncmp(pattern, path, (size_t)(dots - pattern)) : !strcmp(pattern, path);
}

const struct route *route_find(const char *method, const char *path, unsigned ports, char *allow,
                               cam_error *error) {
  const char *wanted =
      strcmp(method, "HEAD")
          ? method
          : "GET"; /* HEAD is answered like GET; the HTTP library leaves the body out */
  const struct route *found = NULL;
  *allow = 0;
  for (int i = 0; i < ROUTES; i++) {
    if (!(routes[i].ports & ports) || !path_matches(routes[i].path, path))
      continue;
    found = &routes[i];
    if (!strcmp(found->method, wanted))
      return found;
  }
  if (found) {
    strcpy(allow, strcmp(found->method, "GET") ? found->method : "GET, HEAD");
    cam_fail(error, CAM_E_METHOD, "%s answers to %s, not to %.16s", found->path, allow, method);
  } else
    cam_fail(error, CAM_E_NOT_FOUND, "there is nothing at %.60s", path);
  return found;
}
