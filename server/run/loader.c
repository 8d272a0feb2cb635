/* loader.c - loader.h. Flow: SIGHUP -> service -> [loader] -> generation.
 * A bad file changes nothing: it is logged and counted, and the present generation serves on. */
#include "loader.h"
#include "base/log.h"
#include "signals.h"
#include "work/generation.h"
#include <malloc.h>
#include <stdlib.h>

struct loader {
  struct app *app;
  cam_code (*ready)(void *closure, cam_error *error);
  void *closure;
  pthread_t thread;
  pthread_mutex_t mutex; /* guards all below */
  pthread_cond_t changed;
  bool wished, loading, stop;
  cam_error failure; /* of the start */
};

/* The first model is in: the service is ready, unless it has begun to drain meanwhile. */
static cam_code begin(struct loader *loader, struct generation *first, cam_error *error) {
  generation_replace(loader->app, first);
  return atomic_load(&loader->app->phase) == APP_STARTING ? loader->ready(loader->closure, error)
                                                          : CAM_OK;
}

/* Puts a new model in the place of the present one and frees that as soon as nobody needs it: its
 * requests end by their deadline. */
static void replace(struct loader *loader, struct generation *with) {
  const cam_model_info *info = cam_model_get_info(with->model);
  struct generation *old = generation_replace(loader->app, with);
  metrics_count_reload(&loader->app->metrics, RELOAD_MODEL, true);
  log_event("service", "reloaded: %s, sha256 %.12s", info->name, info->sha256);
  generation_wait(loader->app, old);
  generation_free(old);
  malloc_trim(0); /* the old header's thousands of small pieces (malloc_trim(3)) */
}

static void load(struct loader *loader) {
  struct app *app = loader->app;
  struct generation *made = NULL;
  cam_error error = {0};
  const bool first = atomic_load(&app->phase) == APP_STARTING;
  cam_code code = generation_load(app, &made, &error);
  pthread_mutex_lock(&loader->mutex);
  loader->loading = false;
  pthread_mutex_unlock(&loader->mutex);
  if (!code && first)
    code = begin(loader, made, &error);
  else if (!code)
    replace(loader, made);
  else if (!first) {
    metrics_count_reload(&app->metrics, RELOAD_MODEL, false);
    log_event("service", "not reloaded, the present model stays: %s", error.detail);
  }
  if (!code || !first)
    return;
  pthread_mutex_lock(&loader->mutex);
  loader->failure = error;
  pthread_mutex_unlock(&loader->mutex);
  signals_tell();
}

static void *run(void *argument) {
  struct loader *loader = argument;
  pthread_mutex_lock(&loader->mutex);
  while (!loader->stop) {
    if (!loader->wished) {
      pthread_cond_wait(&loader->changed, &loader->mutex);
      continue;
    }
    loader->wished = false;
    loader->loading = true;
    pthread_mutex_unlock(&loader->mutex);
    load(loader);
    pthread_mutex_lock(&loader->mutex);
  }
  pthread_mutex_unlock(&loader->mutex);
  return NULL;
}

cam_code loader_start(struct app *app, cam_code (*ready)(void *closure, cam_error *error),
                      void *closure, struct loader **out, cam_error *error) {
  *out = NULL;
  struct loader *loader = calloc(1, sizeof *loader);
  if (!loader)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the loader");
  *loader = (struct loader){.app = app, .ready = ready, .closure = closure, .wished = true};
  pthread_mutex_init(&loader->mutex, NULL);
  pthread_cond_init(&loader->changed, NULL);
  if (pthread_create(&loader->thread, NULL, run, loader)) {
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    free(loader);
    return cam_fail(error, CAM_E_NO_MEMORY, "the loading thread cannot be started");
  }
  *out = loader;
  return CAM_OK;
}

void loader_wish(struct loader *loader) {
  pthread_mutex_lock(&loader->mutex);
  loader->wished = true;
  pthread_cond_signal(&loader->changed);
  pthread_mutex_unlock(&loader->mutex);
}

cam_code loader_failure(struct loader *loader, cam_error *error) {
  pthread_mutex_lock(&loader->mutex);
  *error = loader->failure;
  pthread_mutex_unlock(&loader->mutex);
  return error->code;
}

bool loader_stop(struct loader *loader) {
  if (!loader)
    return true;
  pthread_mutex_lock(&loader->mutex);
  loader->stop = true;
  pthread_cond_signal(&loader->changed);
  const bool loading = loader->loading;
  pthread_mutex_unlock(&loader->mutex);
  if (loading) {
    pthread_detach(loader->thread);
    return false;
  }
  pthread_join(loader->thread, NULL);
  generation_free(generation_replace(loader->app, NULL)); /* its last job is gone */
  pthread_cond_destroy(&loader->changed);
  pthread_mutex_destroy(&loader->mutex);
  free(loader);
  return true;
}
