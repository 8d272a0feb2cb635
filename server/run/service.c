/* service.c - the life of `camserve serve`: listen, load, test, be ready, load again when asked to,
 * drain, end. Threads: this one (signals, start and end), HTTP threads, one watching connections,
 * one loading models, one per worker, the engine's inside each context. */
#include "service.h"
#include "base/log.h"
#include "base/version.h"
#include "http/http.h"
#include "http/routes.h"
#include "loader.h"
#include "sandbox.h"
#include "signals.h"
#include "work/app.h"
#include "work/generation.h"
#include "work/job.h"
#include "work/worker.h"
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const double LAST_ANSWERS_S = 0.5;

int app_retry_after(struct app *app) {
  double seconds = ceil((queue_length(app->queue) + 1) * atomic_load(&app->pace_s) - 1e-9);
  return seconds < 1 ? 1 : seconds > 60 ? 60 : (int)seconds;
}

/* With n requests served at a time one ends every n-th part of what each takes. Two workers at once
 * may lose one of two notes: it is an estimate. */
void app_note_service(struct app *app, double seconds) {
  const int busy = atomic_load(&app->metrics.workers_busy);
  const double pace = seconds / (busy > 1 ? busy : 1), old = atomic_load(&app->pace_s);
  atomic_store(&app->pace_s, old > 0 ? old + (pace - old) / 8 : pace);
}

/* ---- start ---- */

/* A request takes and frees some 10 MB. glibc would give most of it back at once and fault it in
 * again, page by page, for the next request: 7 of 29 ms of processor time. So freed memory is kept,
 * and given back every few seconds instead (mallopt(3), malloc_trim(3)); what lies in the middle of
 * a heap goes back then, too. Arenas: glibc would make one for each thread. */
enum { TRIM_SECONDS = 5 };
static void settle_malloc(void) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_ARENA_MAX, 2);
}

/* A connection is a descriptor, and a soft limit of 1024 (the usual one) is less than the usual
 * `connections` and the rest take. At the limit the HTTP library can only try again and again until
 * a connection ends (getrlimit(2)). */
static void settle_descriptors(const config *settings) {
  enum {
    OTHERS = 512
  }; /* sockets that linger (watch.c), one epoll and one wake-up a thread, the admin port's
        connections, files while they are read */
  const rlim_t wanted = (rlim_t)settings->connections + OTHERS;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
    return;
  limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted)
    log_event("service", "%llu descriptors are allowed (ulimit -n); %lld connections want %llu",
              (unsigned long long)limit.rlim_cur, (long long)settings->connections,
              (unsigned long long)wanted);
}

static void choose_teams(struct app *app, const config *settings) {
  app->threads = config_threads(settings);
  app->teams = settings->teams ? (int)settings->teams : cam_cpu_count() / app->threads;
  if (app->teams < 1)
    app->teams = 1;
}

/* Gives up what serving does not take. Everything that listens, computes or is written to is there.
 */
static cam_code confine(const config *settings, cam_error *error) {
  cam_error why = {0};
  if (!strcmp(settings->seccomp, "off"))
    return log_event("service", "system calls are not filtered: seccomp is off"), CAM_OK;
  cam_code code = sandbox_enter(&why);
  if (code && !strcmp(settings->seccomp, "on"))
    return cam_fail(error, code, "seccomp is on, but %s", why.detail);
  if (code)
    log_event("service", "system calls are not filtered: %s", why.detail);
  else
    log_event("service", "system calls are filtered: open files can be read, no other opened to "
                         "write, no socket made, no program run");
  return CAM_OK;
}

struct service {
  struct app app;
  struct http *http, *admin; /* admin: NULL if it is not wanted */
  struct workers *workers;
  struct loader *loader;
};

static void print_welcome(const struct service *service) {
  const struct app *app = &service->app;
  const cam_model_info *info = cam_model_get_info(
      app->generation->model); /* this is the thread that changes it */
  const struct listener *at = http_listener(service->http);
  const char *scheme = app->tls ? "https" : "http";
  printf("camserve %s: %s (%s), %d x %d threads, on %s://%s:%d/\n", cam_version, info->name,
         info->isa, app->teams, app->threads, scheme, at->address, at->port);
  printf("curl -F image=@photo.jpg '%s://%s:%d/cam'\n", scheme, at->any ? "localhost" : at->address,
         at->port);
  const struct listener *admin = service->admin ? http_listener(service->admin) : NULL;
  if (admin)
    printf("for who runs it: http://%s:%d/metrics\n", admin->address, admin->port);
  fflush(stdout);
}

/* The first model is loaded and tested; on the loader's thread. No photo is read before all threads
 * are confined, unless a signal came first: then none is. */
static cam_code make_ready(void *closure, cam_error *error) {
  struct service *service = closure;
  app_phase starting = APP_STARTING;
  cam_code code = confine(service->app.config, error);
  if (code)
    return code;
  atomic_compare_exchange_strong(&service->app.phase, &starting, APP_READY);
  print_welcome(service);
  return CAM_OK;
}

/* The main port, and the admin's if it is wanted. */
static cam_code listen_all(struct service *service, cam_error *error) {
  struct app *app = &service->app;
  cam_code code = http_start(app, HTTP_MAIN, &service->http, error);
  return code || app->config->admin_port < 0 ? code
                                             : http_start(app, HTTP_ADMIN, &service->admin, error);
}

/* ---- end ---- */

/* Waits until no request is open, at most until `until`. How many are left. */
static int wait_for_jobs(struct app *app, double until) {
  struct timespec when = {(time_t)until, (long)(1e9 * (until - floor(until)))};
  pthread_mutex_lock(&app->jobs_mutex);
  int timed_out = 0;
  while (app->open_jobs && !timed_out)
    timed_out = pthread_cond_timedwait(&app->jobs_changed, &app->jobs_mutex, &when);
  int left = app->open_jobs;
  pthread_mutex_unlock(&app->jobs_mutex);
  return left;
}

/* The requests that are open get until drain_ms to finish. Afterwards stages not yet begun are not,
 * the queue answers 503, the workers end, and their last answers get a moment to leave. True if
 * nothing was cut off. */
static bool drain(struct app *app, struct workers *workers) {
  double until = clock_seconds() + 1e-3 * (double)app->config->drain_ms;
  log_event("service", "draining: at most %lld ms", (long long)app->config->drain_ms);
  atomic_store(&app->stop_at, until);
  atomic_store(&app->phase,
               APP_DRAINING); /* no connection is taken from here on; open ones are served on */
  int left = wait_for_jobs(app, until);
  queue_close(app->queue);
  workers_stop(workers);
  if (left)
    wait_for_jobs(app, clock_seconds() + LAST_ANSWERS_S);
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
  pthread_cond_init(&app->jobs_changed, &monotonic);
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
  pthread_cond_destroy(&app->jobs_changed);
  pthread_mutex_destroy(&app->jobs_mutex);
}

/* Gives memory back whenever any was used since the last time. */
static void trim(struct app *app, unsigned long long *trimmed_at) {
  const unsigned long long moved = atomic_load(&app->metrics.response_bytes) +
                                   atomic_load(&app->metrics.request_bytes);
  if (moved != *trimmed_at)
    malloc_trim(0);
  *trimmed_at = moved;
}

/* Keys and certificate take a moment and are exchanged here; a model is loaded beside. */
static void reload(struct service *service) {
  struct app *app = &service->app;
  if (app->keys)
    metrics_count_reload(&app->metrics, RELOAD_KEYS, keys_reload(app->keys));
  if (app->tls)
    metrics_count_reload(&app->metrics, RELOAD_CERTIFICATE, tls_reload(app->tls));
  loader_wish(service->loader);
}

/* Until a signal says to end. False: the first model could not be loaded. */
static bool wait_for_end(struct service *service, cam_error *error) {
  unsigned long long trimmed_at = 0;
  for (unsigned events = 0; !(events & SIGNALS_END);) {
    events = signals_wait(TRIM_SECONDS);
    if (!events)
      trim(&service->app, &trimmed_at);
    if (events & SIGNALS_RELOAD)
      reload(service);
    if (loader_failure(service->loader, error))
      return false;
  }
  return true;
}

static bool serve(struct service *service, cam_error *error) {
  struct app *app = &service->app;
  const config *settings = app->config;
  if (tls_open(settings->tls_cert, settings->tls_key, &app->tls, error) ||
      keys_open(settings->keys, &app->keys, error) ||
      cors_open(settings->cors, &app->cors, error) || listen_all(service, error) ||
      workers_start(app, &service->workers, error) ||
      loader_start(app, make_ready, service, &service->loader, error))
    return false;
  if (!wait_for_end(service, error))
    return false;
  const bool clean = drain(app, service->workers);
  service->workers = NULL;
  if (!clean)
    cam_fail(error, CAM_E_DEADLINE, "requests were cut off after drain_ms (%lld)",
             (long long)settings->drain_ms);
  return clean;
}

int service_run(const config *settings, cam_error *error) {
  struct service service = {0};
  settle_malloc();
  sandbox_prepare();
  log_use_json(settings->log[0] == 'j');
  settle_descriptors(settings);
  if (!geteuid())
    log_event("service", "this runs as root, which nothing here needs: give it a user of its own");

  bool clean = false;
  if (!signals_open())
    cam_fail(error, CAM_E_IO, "there is no descriptor left");
  else if (!app_open(&service.app, settings))
    cam_fail(error, CAM_E_NO_MEMORY, "no memory for a queue of %lld", (long long)settings->queue);
  else
    clean = serve(&service, error);

  if (service.workers)
    queue_close(service.app.queue);
  workers_stop(service.workers);
  http_stop(service.http); /* no connection is suspended, or about to be: the workers are gone and
                              the queue takes nothing */
  http_stop(service.admin);
  if (!loader_stop(service.loader)) {
    if (!clean)
      log_event("service", "%s", error->detail);
    log_event("service", "left while a model was being loaded");
    _exit(clean ? 0 : 1); /* that may take seconds, and the system tidies up as well */
  }
  app_close(&service.app);
  return clean ? 0 : 1;
}
