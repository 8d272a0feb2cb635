/* app.c - app.h. Flow: service -> [app] <- http, workers, loader.   Thread: any; opened and closed
 * by main. */
#include "app.h"
#include "cam_clock.h"
#include "cam_engine.h"
#include "queue.h"
#include "space.h"
#include <math.h>
#include <time.h>

const char *const app_phase_names[APP_PHASE_COUNT] = {
#define X(id, name) [id] = name,
    APP_PHASES(X)
#undef X
};

static void choose_teams(struct app *app, const config *settings) {
  app->threads = config_threads(settings);
  app->teams = settings->teams ? (int)settings->teams : cam_cpu_count() / app->threads;
  if (app->teams < 1)
    app->teams = 1;
}

cam_code app_open(struct app *app, const config *settings, cam_error *error) {
  *app = (struct app){.config = settings, .jobs_mutex = PTHREAD_MUTEX_INITIALIZER};
  atomic_store(&app->stop_at, INFINITY);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  app->started = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  choose_teams(app, settings);
  app->queue = queue_create((int)settings->queue);
  app->space = space_create((uint64_t)settings->work_bytes, app->teams * app->threads);
  if (!app->queue || !app->space) {
    queue_free(app->queue);
    space_free(app->space);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a queue of %lld",
                    (long long)settings->queue);
  }
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&app->jobs_changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  return CAM_OK;
}

void app_close(struct app *app) {
  queue_free(app->queue);
  space_free(app->space);
  metrics_free(&app->metrics);
  pthread_cond_destroy(&app->jobs_changed);
  pthread_mutex_destroy(&app->jobs_mutex);
}

void app_job_begins(struct app *app) {
  pthread_mutex_lock(&app->jobs_mutex);
  app->open_jobs++;
  pthread_mutex_unlock(&app->jobs_mutex);
}

void app_job_ends(struct app *app) {
  pthread_mutex_lock(&app->jobs_mutex);
  app->open_jobs--;
  if (!app->open_jobs)
    pthread_cond_broadcast(&app->jobs_changed);
  pthread_mutex_unlock(&app->jobs_mutex);
}

int app_wait_for_jobs(struct app *app, double until) {
  const struct timespec when = {(time_t)until, (long)(1e9 * (until - floor(until)))};
  pthread_mutex_lock(&app->jobs_mutex);
  int timed_out = 0;
  while (app->open_jobs && !timed_out)
    timed_out = pthread_cond_timedwait(&app->jobs_changed, &app->jobs_mutex, &when);
  const int left = app->open_jobs;
  pthread_mutex_unlock(&app->jobs_mutex);
  return left;
}
