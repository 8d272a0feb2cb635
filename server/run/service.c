/* service.c - the life of `camserve serve`: listen, load, test, be ready, load again when asked to,
 * drain, end. Threads: this one (signals, start and end); for each port HTTP threads, one that
 * accepts connections and one that watches them; one loading models; one per worker, the engine's
 * inside each context.
 *
 * The life is a list of steps, each a start and its own end. They start in the list's order, and
 * what was started ends in the reverse: so whatever a step uses is there before it and outlives it.
 *
 *   signals   noted from the beginning: one during a start is not lost
 *   notify    connects to the manager while the filter of system calls allows it
 *   app       the queue, counters, generations; all below hang on it
 *   tls, proxies, keys, cors   files and lists are read before anyone can ask
 *   loader    a thread that brings a generation whenever it is wished for; it frees one that was
 *             replaced when the last job of it has ended, so it outlives the jobs
 *   admin, main   the ports, each with HTTP threads, which make jobs and put them into the queue
 *   workers   take jobs out of the queue until it is closed and empty. While they run a connection
 *             may be suspended, and suspended ones must be resumed before a port ends
 *
 * In between is serve(): it wishes for the first model, makes the service ready when that is there
 * (only then the main port accepts anyone), and leaves and drains when a signal says to end. All of
 * it is on main's thread, so nothing that it uses can end meanwhile. */
#include "service.h"
#include "base/log.h"
#include "base/sink.h"
#include "base/version.h"
#include "cam_clock.h"
#include "cam_engine.h"
#include "http/cors.h"
#include "http/http.h"
#include "http/keys.h"
#include "http/proxies.h"
#include "http/routes.h"
#include "http/tls.h"
#include "loader.h"
#include "notify.h"
#include "sandbox.h"
#include "signals.h"
#include "work/app.h"
#include "work/generation.h"
#include "work/queue.h"
#include "work/worker.h"
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct service {
  const config *settings;
  struct app app;
  struct access access;
  struct http *main, *admin; /* admin: NULL if it is not wanted */
  struct workers *workers;
  struct loader *loader;
  struct sink output; /* standard output */
  bool still_loading; /* the loader's thread could not be ended */
  bool reloading;     /* so the manager was told, and not yet that it has ended */
};

/* ---- the process ---- */

/* A request takes and frees some 10 MB. glibc would give most of it back at once and fault it in
 * again, page by page, for the next request. So freed memory is kept, and given back every few
 * seconds instead (mallopt(3), malloc_trim(3)); what lies in the middle of
 * a heap goes back then, too. Arenas: glibc would make one for each thread. */
enum { TRIM_MS = 5000 };
static void settle_malloc(void) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_ARENA_MAX, 2);
}

/* A connection is a descriptor, and a soft limit of 1024 (the usual one) is less than the usual
 * `connections` and the rest take. Without one the acceptor can only try again until a connection
 * ends (getrlimit(2)). */
static void settle_descriptors(const config *settings) {
  /* sockets that linger (watch.c), one epoll and one wake-up a thread, the admin port's
   * connections, files while they are read */
  enum { OTHERS = 512 };
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

/* ---- starts and ends ---- */

static cam_code start_signals(struct service *service, cam_error *error) {
  (void)service;
  if (signals_open())
    return CAM_OK;
  return cam_fail(error, CAM_E_IO, "there is no descriptor left");
}
static void end_signals(struct service *service) { (void)service; }

/* Whoever does not hear that it is ready ends it; all others are served. */
static cam_code start_notify(struct service *service, cam_error *error) {
  (void)service;
  if (notify_open(error))
    log_event("service", "the manager is not told anything: %s", error->detail);
  *error = (cam_error){0};
  return CAM_OK;
}
static void end_notify(struct service *service) {
  (void)service;
  notify_close();
}

static cam_code start_app(struct service *service, cam_error *error) {
  int unused;
  route_labels(&unused);
  return app_open(&service->app, service->settings, error);
}
static void end_app(struct service *service) {
  struct generation *last = generation_replace(&service->app, NULL); /* its last job is gone */
  for (int i = 0; last && i < last->n; i++)
    served_free(last->models[i]);
  generation_free(last);
  app_close(&service->app);
}

static cam_code start_tls(struct service *service, cam_error *error) {
  const config *settings = service->settings;
  return tls_open(settings->tls_cert, settings->tls_key, &service->access.tls, error);
}
static void end_tls(struct service *service) { tls_close(service->access.tls); }

static cam_code start_keys(struct service *service, cam_error *error) {
  return keys_open(service->settings->keys, &service->access.keys, error);
}
static void end_keys(struct service *service) { keys_free(service->access.keys); }

static cam_code start_cors(struct service *service, cam_error *error) {
  return cors_open(service->settings->cors, &service->access.cors, error);
}
static void end_cors(struct service *service) { cors_free(service->access.cors); }

static cam_code start_proxies(struct service *service, cam_error *error) {
  return proxies_open(service->settings->trusted_proxies, &service->access.proxies, error);
}
static void end_proxies(struct service *service) { proxies_free(service->access.proxies); }

static cam_code start_loader(struct service *service, cam_error *error) {
  return loader_start(&service->app, &service->loader, error);
}
static void end_loader(struct service *service) {
  service->still_loading = !loader_stop(service->loader);
}

static cam_code start_admin(struct service *service, cam_error *error) {
  if (service->settings->admin_port < 0)
    return CAM_OK;
  cam_code code = http_start(&service->app, &service->access, HTTP_ADMIN, &service->admin, error);
  if (!code)
    code = http_listen(service->admin, error);
  if (!code)
    code = http_accept(service->admin, error);
  if (!code)
    return CAM_OK;
  http_stop(service->admin);
  service->admin = NULL;
  return code;
}
static void end_admin(struct service *service) { http_stop(service->admin); }

static cam_code start_main(struct service *service, cam_error *error) {
  return http_start(&service->app, &service->access, HTTP_MAIN, &service->main, error);
}
static void end_main(struct service *service) { http_stop(service->main); }

static cam_code start_workers(struct service *service, cam_error *error) {
  return workers_start(&service->app, &service->workers, error);
}
static void end_workers(struct service *service) {
  queue_close(service->app.queue);
  workers_stop(service->workers);
  service->workers = NULL;
}

static const struct step {
  cam_code (*start)(struct service *service, cam_error *error); /* on failure it left nothing */
  void (*end)(struct service *service);
} steps[] = {
    {start_signals, end_signals}, {start_notify, end_notify},   {start_app, end_app},
    {start_tls, end_tls},         {start_proxies, end_proxies}, {start_keys, end_keys},
    {start_cors, end_cors},       {start_loader, end_loader},   {start_admin, end_admin},
    {start_main, end_main},       {start_workers, end_workers},
};
enum { STEPS = sizeof steps / sizeof *steps };

/* ---- ready ---- */

/* Drops the rights that serving does not need. All listeners, threads and files that are written to
 * exist by now. */
static cam_code confine(const config *settings, cam_error *error) {
  cam_error why = {0};
  if (!strcmp(settings->seccomp, "off")) {
    log_event("service", "system calls are not filtered: seccomp is off");
    return CAM_OK;
  }
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

/* On standard output, which nobody need read. */
static void print_welcome(struct service *service, const struct generation *present) {
  const struct app *app = &service->app;
  const struct listener *at = http_address(service->main);
  const char *scheme = service->access.tls ? "https" : "http";
  const cam_model_info *first = present->models[0]->info;
  char text[1024], admin[128] = "", more[32] = "";
  if (present->n > 1)
    snprintf(more, sizeof more, " and %d more", present->n - 1);
  if (service->admin) {
    const struct listener *there = http_address(service->admin);
    snprintf(admin, sizeof admin, "for who runs it: http://%s:%d/metrics\n", there->address,
             there->port);
  }
  const int n = snprintf(text, sizeof text,
                         "camserve %s: %.200s%s (%s), %d x %d threads, on %s://%s:%d/\n"
                         "curl -F image=@photo.jpg '%s://%s:%d/cam'\n%s",
                         cam_version, first->name, more, first->isa, app->teams, app->threads,
                         scheme, at->address, at->port, scheme, at->any ? "localhost" : at->address,
                         at->port, admin);
  if (n > 0 && n < (int)sizeof text)
    sink_write(&service->output, text, (size_t)n);
}

/* That it is ready, for the first time or after a reload. */
static void tell_manager(struct service *service, const struct generation *present) {
  const struct listener *at = http_address(service->main);
  char status[128];
  snprintf(status, sizeof status, "%d model%s on %s port %d", present->n,
           present->n == 1 ? "" : "s", at->address, at->port);
  notify_ready(status);
  service->reloading = false;
}

/* The models are loaded and tested. Listening takes a system call that the filter refuses;
 * nothing is accepted, and no photo read, before all threads are confined. */
static cam_code become_ready(struct service *service, cam_error *error) {
  cam_code code = http_listen(service->main, error);
  if (!code)
    code = confine(service->settings, error);
  if (code)
    return code;
  atomic_store(&service->app.phase, APP_READY);
  code = http_accept(service->main, error);
  if (code)
    return code;
  struct generation *present = generation_join(&service->app);
  print_welcome(service, present);
  tell_manager(service, present);
  generation_leave(&service->app, &present);
  return CAM_OK;
}

/* ---- serving ---- */

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
  struct metrics *metrics = &service->app.metrics;
  const struct access *access = &service->access;
  if (access->keys)
    metrics_count_reload(metrics, RELOAD_KEYS, keys_reload(access->keys));
  if (access->tls)
    metrics_count_reload(metrics, RELOAD_CERTIFICATE, tls_reload(access->tls));
  if (atomic_load(&service->app.phase) == APP_READY) {
    notify_reloading();
    service->reloading = true;
  }
  loader_wish(service->loader);
}

static void look_at_reload(struct service *service) {
  if (!service->reloading || !loader_rests(service->loader))
    return;
  struct generation *present = generation_join(&service->app);
  tell_manager(service, present);
  generation_leave(&service->app, &present);
}

/* What the loader has told: the service is made ready, once. */
static cam_code look_at_loader(struct service *service, cam_error *error) {
  look_at_reload(service);
  if (atomic_load(&service->app.phase) != APP_STARTING)
    return CAM_OK;
  switch (loader_first(service->loader, error)) {
  case LOADER_BUSY:
    return CAM_OK;
  case LOADER_DONE:
    return become_ready(service, error);
  case LOADER_FAILED:
    break;
  }
  return error->code;
}

/* Until a signal says to end, or the start has failed. */
static cam_code wait_for_end(struct service *service, cam_error *error) {
  unsigned long long trimmed_at = 0;
  for (;;) {
    const unsigned events = signals_wait(TRIM_MS);
    if (events & SIGNALS_END)
      return CAM_OK;
    if (events & SIGNALS_RELOAD)
      reload(service);
    if (!events)
      trim(&service->app, &trimmed_at);
    if (look_at_loader(service, error))
      return error->code;
  }
}

/* ---- the end ---- */

/* For leave_ms all is served, while those who ask hear that it ends here: balancers turn away, and
 * nobody is refused. Reloads have no use any more. */
static void leave(struct app *app) {
  const long long ms = app->config->leave_ms;
  if (!ms || atomic_load(&app->phase) != APP_READY)
    return;
  const double until = clock_seconds() + 1e-3 * (double)ms;
  log_event("service", "leaving: %lld ms", ms);
  atomic_store(&app->phase, APP_LEAVING);
  for (double left = 1e-3 * (double)ms; left > 0; left = until - clock_seconds())
    signals_wait((int)ceil(1e3 * left));
}

/* Until no request is open, and none may be on its way on a connection that has just come. How many
 * are left at `until`. */
static int wait_for_requests(struct service *service, double until) {
  const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
  for (;;) {
    const bool unheard = http_unheard(service->main); /* before: who was heard is open by then */
    const int open = app_wait_for_jobs(&service->app, until);
    if (open || !unheard || clock_seconds() >= until)
      return open;
    clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
  }
}

/* New connections are refused; requests that are open have drain_ms to finish. After that no
 * further stage begins, jobs in the queue are answered 503, the workers end, and the last answers
 * get a moment to leave. The workers' own step finds them ended: ending twice does nothing. */
static cam_code drain_requests(struct service *service, cam_error *error) {
  static const double last_answers_s = 0.5;
  struct app *app = &service->app;
  const long long most_ms = service->settings->drain_ms;
  const double until = clock_seconds() + 1e-3 * (double)most_ms;
  log_event("service", "draining: at most %lld ms", most_ms);
  atomic_store(&app->stop_at, until);
  atomic_store(&app->phase, APP_DRAINING);
  http_refuse(service->main);
  const int left = wait_for_requests(service, until);
  end_workers(service);
  app_wait_for_jobs(app, clock_seconds() + last_answers_s);
  log_event("service", "drained: %d requests cut off", left);
  if (left)
    return cam_fail(error, CAM_E_DEADLINE, "requests were cut off after drain_ms (%lld)", most_ms);
  return CAM_OK;
}

static cam_code serve(struct service *service, cam_error *error) {
  loader_wish(service->loader);
  const cam_code code = wait_for_end(service, error);
  if (code)
    return code;
  notify_stopping();
  leave(&service->app);
  return drain_requests(service, error);
}

static void warn(const char *line) { log_event("settings", "%s", line); }

int service_run(const config *settings, cam_error *error) {
  struct service service = {.settings = settings};
  settle_malloc();
  sandbox_prepare();
  log_use_json(settings->log[0] == 'j');
  log_open_output();
  service.output = sink_open(STDOUT_FILENO);
  config_check_environment(warn);
  settle_descriptors(settings);
  if (!geteuid())
    log_event("service", "this runs as root, which nothing here needs: give it a user of its own");

  cam_code code = CAM_OK;
  int started = 0;
  while (!code && started < STEPS) {
    code = steps[started].start(&service, error);
    if (!code)
      started++;
  }
  if (!code)
    code = serve(&service, error);
  while (started > 0)
    steps[--started].end(&service);

  const int result = code ? 1 : 0;
  if (service.still_loading) {
    if (code)
      log_event("service", "%s", error->detail);
    log_event("service", "left while a model was being loaded");
    _exit(result); /* that may take seconds, and the system tidies up as well */
  }
  return result;
}
