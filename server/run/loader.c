/* loader.c - loader.h. Flow: SIGHUP -> service -> [loader] -> generation.   Thread: its own.
 * A bad file changes nothing: it is logged and counted, and the present generation serves on. */
#include "loader.h"
#include "base/log.h"
#include "signals.h"
#include "work/generation.h"
#include <malloc.h>
#include <stdlib.h>

struct loader {
  struct app *app;
  pthread_t thread;
  pthread_mutex_t mutex; /* guards all below */
  pthread_cond_t changed;
  bool wished, loading, stop;
  loader_state first;
  cam_error failure; /* of the first load */
};

static void first_ended(struct loader *loader, loader_state state, const cam_error *error) {
  pthread_mutex_lock(&loader->mutex);
  loader->first = state;
  loader->failure = *error;
  pthread_mutex_unlock(&loader->mutex);
  signals_tell();
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

static void report_failure(struct app *app, const cam_error *error) {
  metrics_count_reload(&app->metrics, RELOAD_MODEL, false);
  log_event("service", "not reloaded, the present model stays: %s", error->detail);
}

/* False: loader_stop has left this thread alone meanwhile. */
static bool done_loading(struct loader *loader) {
  pthread_mutex_lock(&loader->mutex);
  loader->loading = false;
  const bool left_alone = loader->stop;
  pthread_mutex_unlock(&loader->mutex);
  return !left_alone;
}

static void load(struct loader *loader, bool first) {
  struct generation *made = NULL;
  cam_error error = {0};
  const cam_code code = generation_load(loader->app, &made, &error);
  if (!done_loading(loader)) {
    generation_free(made);
    return;
  }
  if (first && code) {
    first_ended(loader, LOADER_FAILED, &error);
  } else if (first) {
    generation_replace(loader->app, made);
    first_ended(loader, LOADER_DONE, &error);
  } else if (code) {
    report_failure(loader->app, &error);
  } else {
    replace(loader, made);
  }
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
    const bool first = loader->first == LOADER_BUSY;
    pthread_mutex_unlock(&loader->mutex);
    load(loader, first);
    pthread_mutex_lock(&loader->mutex);
  }
  pthread_mutex_unlock(&loader->mutex);
  return NULL;
}

cam_code loader_start(struct app *app, struct loader **out, cam_error *error) {
  *out = NULL;
  struct loader *loader = calloc(1, sizeof *loader);
  if (!loader)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the loader");
  *loader = (struct loader){.app = app};
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

loader_state loader_first(struct loader *loader, cam_error *error) {
  pthread_mutex_lock(&loader->mutex);
  const loader_state state = loader->first;
  if (state == LOADER_FAILED)
    *error = loader->failure;
  pthread_mutex_unlock(&loader->mutex);
  return state;
}

void loader_wish(struct loader *loader) {
  pthread_mutex_lock(&loader->mutex);
  loader->wished = true;
  pthread_cond_signal(&loader->changed);
  pthread_mutex_unlock(&loader->mutex);
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
  pthread_cond_destroy(&loader->changed);
  pthread_mutex_destroy(&loader->mutex);
  free(loader);
  return true;
}
