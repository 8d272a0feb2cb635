/* service.c - the life of `camserve serve`: listen, load, test, be ready, drain, end.
 * Threads: this one (signals, start and end), HTTP threads, one watching connections, one per worker, the engine's inside each worker.
 * Memory: the model is loaded once and shared; each worker's arena is made here, before the first request. */
#include "service.h"
#include "app.h"
#include "cam_json.h"
#include "http.h"
#include "job.h"
#include "log.h"
#include "routes.h"
#include "sandbox.h"
#include "version.h"
#include "worker.h"
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static const double LAST_ANSWERS_S = 0.5;

int app_retry_after(struct app *app) {
  double seconds = ceil((queue_length(app->queue) + 1) * atomic_load(&app->service_s) / (app->teams ? app->teams : 1));
  return seconds < 1 ? 1 : seconds > 60 ? 60 : (int)seconds;
}

/* Two workers at once may lose one of two notes: it is an estimate. */
void app_note_service(struct app *app, double seconds) {
  double old = atomic_load(&app->service_s);
  atomic_store(&app->service_s, old > 0 ? old + (seconds - old) / 8 : seconds);
}

/* ---- the JSON bodies that never change ---- */

static app_text print_and_free(json *tree) {
  app_text text = {0};
  text.text = json_print(tree, true, &text.n);
  json_free(tree);
  return text;
}

static app_text labels_text(const cam_model_info *info) {
  json *tree = json_new_array();
  for (int i = 0; i < info->classes; i++) {
    json *item = json_add_object(tree, NULL);
    json_add_int(item, "class_id", i);
    json_add_text(item, "wnid", info->class_list[i].wnid);
    json_add_text(item, "label", info->class_list[i].label);
  }
  return print_and_free(tree);
}

static app_text models_text(const cam_model_info *info) {
  json *tree = json_new_object(), *model = json_add_object(json_add_array(tree, "models"), NULL);
  json_add_text(model, "name", info->name);
  json_add_text(model, "sha256", info->sha256);
  json *input = json_add_object(model, "input");
  json_add_int(input, "width", info->width);
  json_add_int(input, "height", info->height);
  json_add_text(input, "resize", cam_resize_name(info->resize));
  json_add_int(model, "classes", info->classes);
  json_add_int(model, "multiply_adds", (int64_t)info->multiply_adds);
  return print_and_free(tree);
}

static app_text version_text(const cam_model_info *info) {
  json *tree = json_new_object();
  json_add_text(tree, "version", cam_version);
  json_add_text(tree, "commit", cam_commit);
  json_add_text(tree, "isa", info->isa);
  json_add_text(tree, "openblas", cam_openblas_version());
  json *model = json_add_object(tree, "model");
  json_add_text(model, "name", info->name);
  json_add_text(model, "sha256", info->sha256);
  return print_and_free(tree);
}

/* ---- start ---- */

/* A request takes and frees some 10 MB. glibc would give most of it back at once and fault it in again, page by page, for the next request: 7 of 29 ms of processor time.
 * So freed memory is kept, and given back every few seconds instead (mallopt(3), malloc_trim(3)); what lies in the middle of a heap goes back then, too.
 * Arenas: glibc would make one for each thread. */
enum { TRIM_SECONDS = 5 };
static void settle_malloc(void) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_ARENA_MAX, 2);
}

/* The first of the signals to come; until then, trims memory whenever anything was freed since the last time. */
static int wait_for_signal(struct app *app, const sigset_t *signals) {
  const struct timespec tick = {.tv_sec = TRIM_SECONDS};
  unsigned long long trimmed_at = 0;
  int number;
  while ((number = sigtimedwait(signals, NULL, &tick)) < 0) {
    const unsigned long long sent = atomic_load(&app->metrics.response_bytes) + atomic_load(&app->metrics.request_bytes);
    if (sent != trimmed_at) malloc_trim(0);
    trimmed_at = sent;
  }
  return number;
}

static void choose_teams(struct app *app, const config *settings) {
  int processors = cam_cpu_count();
  app->threads = settings->threads ? (int)settings->threads : processors < 4 ? processors : 4;
  app->teams = settings->teams ? (int)settings->teams : processors / app->threads;
  if (app->teams < 1) app->teams = 1;
}

/* Gives up what serving does not take. Everything that listens, computes or is written to is there. */
static cam_code confine(const config *settings, cam_error *error) {
  cam_error why = {0};
  if (!strcmp(settings->seccomp, "off")) return log_event("service", "system calls are not filtered: seccomp is off"), CAM_OK;
  cam_code code = sandbox_enter(&why);
  if (code && !strcmp(settings->seccomp, "on")) return cam_fail(error, code, "seccomp is on, but %s", why.detail);
  if (code) log_event("service", "system calls are not filtered: %s", why.detail);
  else log_event("service", "system calls are filtered: open files can be read, no other opened to write, no socket made, no program run");
  return CAM_OK;
}

/* Model, texts, workers, sandbox: everything between listening and being ready. */
static cam_code make_ready(struct app *app, cam_model **model, struct workers **workers, cam_error *error) {
  const config *settings = app->config;
  cam_error why = {0};
  cam_code code = cam_model_load(settings->model, settings->isa[0] ? settings->isa : NULL, model, &why);
  bool named = strstr(why.detail, settings->model);
  if (code) return cam_fail(error, code, "%s%s%s", named ? "" : settings->model, named ? "" : ": ", why.detail);
  const cam_model_info *info = cam_model_get_info(*model);
  app->model = *model;
  app->labels = labels_text(info);
  app->models = models_text(info);
  app->version = version_text(info);
  if (!app->labels.text || !app->models.text || !app->version.text) return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the lists of labels and models");
  code = workers_start(app, workers, error);
  if (code || !(code = confine(settings, error))) return code;
  queue_close(app->queue);
  workers_stop(*workers);
  return code;
}

static void print_welcome(const struct app *app, const struct http *http, const struct http *admin) {
  const cam_model_info *info = cam_model_get_info(app->model);
  const struct listener *at = http_listener(http);
  const char *scheme = app->tls ? "https" : "http";
  printf("camserve %s: %s (%s), %d x %d threads, on %s://%s:%d/\n", cam_version, info->name, info->isa, app->teams, app->threads, scheme, at->address, at->port);
  printf("curl -F image=@photo.jpg '%s://%s:%d/cam'\n", scheme, at->any ? "localhost" : at->address, at->port);
  if (admin) printf("for who runs it: http://%s:%d/metrics\n", http_listener(admin)->address, http_listener(admin)->port);
  fflush(stdout);
}

/* The main port, and the admin's if it is wanted. */
static cam_code listen_all(struct app *app, struct http **http, struct http **admin, cam_error *error) {
  cam_code code = http_start(app, HTTP_MAIN, http, error);
  return code || app->config->admin_port < 0 ? code : http_start(app, HTTP_ADMIN, admin, error);
}

/* ---- end ---- */

static void leave_at_once(int number) {
  (void)number;
  _exit(1);
}

/* Waits until no request is open, at most until `until`. How many are left. */
static int wait_for_jobs(struct app *app, double until) {
  struct timespec when = {(time_t)until, (long)(1e9 * (until - floor(until)))};
  pthread_mutex_lock(&app->jobs_mutex);
  int timed_out = 0;
  while (app->open_jobs && !timed_out) timed_out = pthread_cond_timedwait(&app->jobs_none, &app->jobs_mutex, &when);
  int left = app->open_jobs;
  pthread_mutex_unlock(&app->jobs_mutex);
  return left;
}

/* The requests that are open get until drain_ms to finish. Afterwards stages not yet begun are not, the queue answers 503, the workers end,
 * and their last answers get a moment to leave. True if nothing was cut off. */
static bool drain(struct app *app, struct workers *workers) {
  double until = clock_seconds() + 1e-3 * (double)app->config->drain_ms;
  log_event("service", "draining: at most %lld ms", (long long)app->config->drain_ms);
  atomic_store(&app->stop_at, until);
  atomic_store(&app->phase, APP_DRAINING); /* no connection is taken from here on; open ones are served on */
  int left = wait_for_jobs(app, until);
  queue_close(app->queue);
  workers_stop(workers);
  if (left) wait_for_jobs(app, clock_seconds() + LAST_ANSWERS_S);
  log_event("service", "drained: %d requests cut off", left);
  return !left;
}

static bool app_open(struct app *app, const config *settings) {
  *app = (struct app){.config = settings, .jobs_mutex = PTHREAD_MUTEX_INITIALIZER};
  atomic_store(&app->stop_at, INFINITY);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  app->started = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&app->jobs_none, &monotonic);
  pthread_condattr_destroy(&monotonic);
  choose_teams(app, settings);
  int unused;
  route_labels(&unused);
  app->queue = queue_create((int)settings->queue);
  return app->queue;
}

static void app_close(struct app *app) {
  tls_close(app->tls);
  keys_free(app->keys);
  cors_free(app->cors);
  queue_free(app->queue);
  free(app->labels.text);
  free(app->models.text);
  free(app->version.text);
  pthread_cond_destroy(&app->jobs_none);
  pthread_mutex_destroy(&app->jobs_mutex);
}

int service_run(const config *settings, cam_error *error) {
  struct app app;
  struct http *http = NULL, *admin = NULL;
  cam_model *model = NULL;
  struct workers *workers = NULL;
  bool clean = false;
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, &before); /* every thread that is made from here on inherits this */
  signal(SIGPIPE, SIG_IGN);
  settle_malloc();
  sandbox_prepare();
  log_use_json(settings->log[0] == 'j');
  if (!geteuid()) log_event("service", "this runs as root, which nothing here needs: give it a user of its own");

  if (!app_open(&app, settings)) cam_fail(error, CAM_E_NO_MEMORY, "no memory for a queue of %lld", (long long)settings->queue);
  else if (!tls_open(settings->tls_cert, settings->tls_key, &app.tls, error) && !keys_open(settings->keys, &app.keys, error) &&
           !cors_open(settings->cors, &app.cors, error) && !listen_all(&app, &http, &admin, error) && !make_ready(&app, &model, &workers, error)) {
    atomic_store(&app.phase, APP_READY); /* publishes model and texts to the HTTP threads */
    print_welcome(&app, http, admin);
    wait_for_signal(&app, &signals);
    signal(SIGTERM, leave_at_once);
    signal(SIGINT, leave_at_once);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    clean = drain(&app, workers);
    if (!clean) cam_fail(error, CAM_E_DEADLINE, "requests were cut off after drain_ms (%lld)", (long long)settings->drain_ms);
  }

  http_stop(http); /* no connection is suspended, or about to be: the workers are gone and the queue takes nothing */
  http_stop(admin);
  cam_model_free(model);
  app_close(&app);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return clean ? 0 : 1;
}
