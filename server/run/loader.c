/* loader.c - loader.h. Flow: SIGHUP -> service -> [loader] -> generation.   Thread: its own.
 * At the start all models are loaded, or the service does not start. Later each is loaded by
 * itself, one after another: a bad file changes nothing, it is logged and counted, and what it held
 * before serves on. */
#include "loader.h"
#include "base/log.h"
#include "cam_minmax.h"
#include "signals.h"
#include "work/generation.h"
#include "work/model_files.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

struct loader {
  struct app *app;
  pthread_t thread;
  pthread_mutex_t mutex; /* guards the rest, but for old */
  pthread_cond_t changed;
  bool wished, busy /* since it was wished for */, loading /* a file */, stop;
  loader_state first;
  cam_error failure; /* of the first load */

  struct generation *old; /* its thread's: replaced, and not let go yet */
};

static void first_ended(struct loader *loader, loader_state state, const cam_error *error) {
  pthread_mutex_lock(&loader->mutex);
  loader->first = state;
  loader->failure = *error;
  pthread_mutex_unlock(&loader->mutex);
  signals_tell();
}

/* Loads a file, unless loader_stop has come before that; false: it has left this thread alone, and
 * what was loaded is to be freed, nothing else touched. Without a name it has its own. */
static bool load(struct loader *loader, const char *path, const char *name, struct served **out,
                 cam_code *code, cam_error *error) {
  *out = NULL;
  pthread_mutex_lock(&loader->mutex);
  const bool stop = loader->stop;
  loader->loading = !stop;
  pthread_mutex_unlock(&loader->mutex);
  if (stop)
    return false;
  *code = served_load(loader->app, path, name, out, error);
  pthread_mutex_lock(&loader->mutex);
  loader->loading = false;
  const bool left_alone = loader->stop;
  pthread_mutex_unlock(&loader->mutex);
  return !left_alone;
}

/* Lets requests join these models from now on. Those of before may still have requests: let_go is
 * next. */
static cam_code publish(struct loader *loader, struct served *const *models, int n,
                        cam_error *error) {
  struct generation *made = generation_new(models, n);
  if (!made)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the list of %d models", n);
  for (int i = 0; i < n; i++)
    if (!models[i]->counts)
      models[i]->counts = metrics_of_model(&loader->app->metrics, models[i]->info->name);
  loader->old = generation_replace(loader->app, made);
  return CAM_OK;
}

/* Frees the list of before, and the models that are served no more, as soon as nobody needs them:
 * their requests end by their deadline. */
static void let_go(struct loader *loader, struct served *const *gone, int n) {
  generation_wait(loader->app, loader->old);
  generation_free(loader->old);
  loader->old = NULL;
  for (int i = 0; i < n; i++)
    served_free(gone[i]);
  malloc_trim(0); /* a header's thousands of small pieces (malloc_trim(3)) */
}

static cam_code fail_twice(const struct served *one, const char *path, cam_error *error) {
  enum { SHOWN = 44 };
  const char *a = one->path, *b = path;
  a += strlen(a) - min_size(strlen(a), SHOWN);
  b += strlen(b) - min_size(strlen(b), SHOWN);
  return cam_fail(error, CAM_E_MODEL, "two models are called \"%.30s\": %s and %s", one->info->name,
                  a, b);
}

/* ---- the first time: all, or none ---- */

/* models[*n] are loaded, whatever is returned; false: this thread was left alone. The first of them
 * has the name that the settings give. */
static bool load_all(struct loader *loader, const model_files *files, struct served **models,
                     int *n, cam_code *code, cam_error *error) {
  const char *name = loader->app->config->model_name;
  for (*n = 0; *n < files->n && !*code; name = "") {
    if (!load(loader, files->paths[*n], name, &models[*n], code, error)) {
      *n += models[*n] != NULL;
      return false;
    }
    if (*code)
      break;
    for (int i = 0; i < *n && !*code; i++)
      if (!strcmp(models[i]->info->name, models[*n]->info->name))
        *code = fail_twice(models[i], files->paths[*n], error);
    ++*n;
  }
  return true;
}

static void load_first(struct loader *loader) {
  struct served *models[MODELS_MOST];
  model_files files;
  cam_error error = {0};
  int n = 0;
  bool wanted = true;
  cam_code code = model_files_find(loader->app->config->model, &files, &error);
  if (!code)
    code = served_check_name(loader->app->config->model_name, &error);
  if (!code)
    wanted = load_all(loader, &files, models, &n, &code, &error);
  model_files_free(&files);
  if (wanted && !code)
    code = publish(loader, models, n, &error);
  for (int i = 0; i < n && (code || !wanted); i++)
    served_free(models[i]);
  if (wanted)
    first_ended(loader, code ? LOADER_FAILED : LOADER_DONE, &error);
}

/* ---- again: one by one, each for itself ---- */

static bool is_among(const model_files *files, const char *path) {
  for (int i = 0; i < files->n; i++)
    if (!strcmp(files->paths[i], path))
      return true;
  return false;
}

static bool is_served(const struct generation *present, const char *path) {
  for (int i = 0; i < present->n; i++)
    if (!strcmp(present->models[i]->path, path))
      return true;
  return false;
}

/* The name that the settings give is that of the first of the files that are served: of this one,
 * unless one before it is. "": its own. */
static const char *name_given(const struct loader *loader, const model_files *files, int i) {
  for (int before = 0; before < i; before++)
    if (is_served(loader->app->generation, files->paths[before]))
      return "";
  return loader->app->config->model_name;
}

/* Whether a model that was loaded takes the place of this one: their file is the same, or their
 * name is, and this one's file is gone, or the name was given to it until this first file came: its
 * own file is read next, and has its own name then. */
static bool gives_place(const struct served *there, const struct served *made, const char *given,
                        const model_files *files) {
  if (!strcmp(there->path, made->path))
    return true;
  if (strcmp(there->info->name, made->info->name))
    return false;
  return *given || !is_among(files, there->path);
}

/* Lets requests join made, in the place of others, which become gone[*n_gone], or at the end.
 * given: its name, if the settings have one for it. CAM_E_MODEL: another file has its name. */
static cam_code take_in(struct loader *loader, struct served *made, const char *given,
                        const model_files *files, struct served **gone, int *n_gone,
                        cam_error *error) {
  const struct generation *present = loader->app->generation; /* only this thread replaces it */
  struct served *models[MODELS_MOST + 1];
  int n = 0;
  for (int i = 0; i < present->n; i++) {
    struct served *there = present->models[i];
    const bool leaves = gives_place(there, made, given, files);
    if (leaves)
      gone[(*n_gone)++] = there;
    else if (!strcmp(there->info->name, made->info->name))
      return fail_twice(there, made->path, error);
    if (!leaves)
      models[n++] = there;
    else if (*n_gone == 1)
      models[n++] = made;
  }
  if (!*n_gone)
    models[n++] = made;
  if (n > MODELS_MOST)
    return cam_fail(error, CAM_E_PARAMETER, "%s: %d models are served, which is the most",
                    made->path, MODELS_MOST);
  return publish(loader, models, n, error);
}

static void report_failure(struct app *app, const cam_error *error) {
  metrics_count_reload(&app->metrics, RELOAD_MODEL, false);
  log_event("service", "not reloaded, the present model stays: %s", error->detail);
}

/* False: this thread was left alone. */
static bool reload_file(struct loader *loader, const model_files *files, int i) {
  const char *given = name_given(loader, files, i);
  struct served *made, *gone[MODELS_MOST];
  int n_gone = 0;
  cam_error error = {0};
  cam_code code = CAM_OK;
  if (!load(loader, files->paths[i], given, &made, &code, &error)) {
    served_free(made);
    return false;
  }
  if (!code)
    code = take_in(loader, made, given, files, gone, &n_gone, &error);
  if (code) {
    report_failure(loader->app, &error);
    served_free(made);
    return true;
  }
  metrics_count_reload(&loader->app->metrics, RELOAD_MODEL, true);
  log_event("service", "reloaded: %s, sha256 %.12s", made->info->name, made->info->sha256);
  let_go(loader, gone, n_gone);
  return true;
}

/* Those whose files are gone leave, and the order is that of the files. */
static void tidy(struct loader *loader, const model_files *files) {
  const struct generation *present = loader->app->generation;
  struct served *models[MODELS_MOST], *gone[MODELS_MOST];
  int n = 0, n_gone = 0;
  bool moved = false;
  cam_error error = {0};
  for (int f = 0; f < files->n; f++)
    for (int i = 0; i < present->n; i++)
      if (!strcmp(present->models[i]->path, files->paths[f])) {
        moved |= i != n;
        models[n++] = present->models[i];
      }
  for (int i = 0; i < present->n; i++)
    if (!is_among(files, present->models[i]->path))
      gone[n_gone++] = present->models[i];
  if (!moved && !n_gone)
    return;
  if (!n || publish(loader, models, n, &error)) {
    log_event("service", "the models of before stay: there is none in their place");
    return;
  }
  for (int i = 0; i < n_gone; i++)
    log_event("service", "%s is served no more: %s is gone", gone[i]->info->name, gone[i]->path);
  let_go(loader, gone, n_gone);
}

static void load_once_more(struct loader *loader) {
  struct app *app = loader->app;
  model_files files;
  cam_error error = {0};
  bool wanted = true;
  if (model_files_find(app->config->model, &files, &error)) {
    report_failure(app, &error);
    model_files_free(&files);
    return;
  }
  for (int i = 0; i < files.n && wanted; i++)
    wanted = reload_file(loader, &files, i);
  if (wanted)
    tidy(loader, &files);
  model_files_free(&files);
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
    loader->busy = true;
    const bool first = loader->first == LOADER_BUSY;
    pthread_mutex_unlock(&loader->mutex);
    if (first)
      load_first(loader);
    else
      load_once_more(loader);
    pthread_mutex_lock(&loader->mutex);
    loader->busy = false;
    if (!first)
      signals_tell();
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

bool loader_rests(struct loader *loader) {
  pthread_mutex_lock(&loader->mutex);
  const bool rests = !loader->wished && !loader->busy;
  pthread_mutex_unlock(&loader->mutex);
  return rests;
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
