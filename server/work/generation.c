/* generation.c - generation.h. Flow: served models -> [generation] -> jobs.   Thread: the loader's
 * makes and frees it; any other joins and leaves. */
#include "generation.h"
#include "app.h"
#include "base/version.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the JSON bodies, built once ---- */

static app_text list_text(struct served *const *models, int n) {
  json *tree = json_new_object(), *names = json_add_array(tree, "models");
  for (int i = 0; i < n; i++)
    json_add_text(names, NULL, models[i]->info->name);
  return app_text_of(tree);
}

static void add_model(json *parent, const char *name, const cam_model_info *info) {
  json *model = json_add_object(parent, name);
  json_add_text(model, "name", info->name);
  json_add_text(model, "sha256", info->sha256);
  json_add_text(model, "precision", cam_precision_name(info->precision));
}

static app_text version_text(struct served *const *models, int n) {
  json *tree = json_new_object();
  json_add_text(tree, "version", cam_version);
  json_add_text(tree, "commit", cam_commit);
  if (n)
    json_add_text(tree, "isa", models[0]->info->isa);
  json_add_text(tree, "openblas", cam_openblas_version());
  if (n)
    add_model(tree, "model", models[0]->info);
  if (n < 2)
    return app_text_of(tree);
  json *all = json_add_array(tree, "models");
  for (int i = 0; i < n; i++)
    add_model(all, NULL, models[i]->info);
  return app_text_of(tree);
}

app_text generation_version_of_none(void) { return version_text(NULL, 0); }

/* ---- making, freeing, finding ---- */

struct generation *generation_new(struct served *const *models, int n) {
  struct generation *made = calloc(1, sizeof *made + (size_t)n * sizeof *made->models);
  if (!made)
    return NULL;
  made->n = n;
  memcpy(made->models, models, (size_t)n * sizeof *models);
  made->list = list_text(models, n);
  made->version = version_text(models, n);
  if (made->list.text && made->version.text)
    return made;
  generation_free(made);
  return NULL;
}

void generation_free(struct generation *generation) {
  if (!generation)
    return;
  free(generation->list.text);
  free(generation->version.text);
  free(generation);
}

struct served *generation_find(const struct generation *generation, const char *name, cam_code code,
                               cam_error *error) {
  char all[sizeof error->detail] = "";
  size_t used = 0;
  if (!*name)
    return generation->models[0];
  for (int i = 0; i < generation->n; i++) {
    const char *there = generation->models[i]->info->name, *before = i ? ", " : "";
    if (!strcmp(there, name))
      return generation->models[i];
    if (used < sizeof all)
      used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", before, there);
  }
  cam_fail(error, code, "model: \"%.40s\" is not served; allowed are %s", name, all);
  return NULL;
}

/* ---- joining and leaving ---- */

struct generation *generation_join(struct app *app) {
  pthread_mutex_lock(&app->jobs_mutex);
  struct generation *present = app->generation;
  if (present)
    present->jobs++;
  pthread_mutex_unlock(&app->jobs_mutex);
  return present;
}

void generation_stay(struct app *app, struct generation *generation) {
  pthread_mutex_lock(&app->jobs_mutex);
  generation->jobs++;
  pthread_mutex_unlock(&app->jobs_mutex);
}

void generation_leave(struct app *app, struct generation **held) {
  struct generation *left = *held;
  *held = NULL;
  if (!left)
    return;
  pthread_mutex_lock(&app->jobs_mutex);
  left->jobs--;
  if (!left->jobs && left != app->generation)
    pthread_cond_broadcast(&app->jobs_changed);
  pthread_mutex_unlock(&app->jobs_mutex);
}

struct generation *generation_replace(struct app *app, struct generation *with) {
  pthread_mutex_lock(&app->jobs_mutex);
  struct generation *old = app->generation;
  app->generation = with;
  pthread_mutex_unlock(&app->jobs_mutex);
  return old;
}

void generation_wait(struct app *app, const struct generation *old) {
  pthread_mutex_lock(&app->jobs_mutex);
  while (old && old->jobs)
    pthread_cond_wait(&app->jobs_changed, &app->jobs_mutex);
  pthread_mutex_unlock(&app->jobs_mutex);
}
