/* generation.c - generation.h. Flow: model file -> [generation] -> jobs.   Thread: the loader makes
 * and frees it; any other joins and leaves. */
#include "generation.h"
#include "app.h"
#include "base/version.h"
#include "cam_json.h"
#include <stdlib.h>
#include <string.h>

/* ---- the JSON bodies, built once ---- */

static app_text text_from(json *tree) {
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
    if (*info->class_list[i].wnid)
      json_add_text(item, "wnid", info->class_list[i].wnid);
    json_add_text(item, "label", info->class_list[i].label);
  }
  return text_from(tree);
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
  return text_from(tree);
}

app_text generation_version_text(const cam_model_info *info) {
  json *tree = json_new_object();
  json_add_text(tree, "version", cam_version);
  json_add_text(tree, "commit", cam_commit);
  if (info)
    json_add_text(tree, "isa", info->isa);
  json_add_text(tree, "openblas", cam_openblas_version());
  if (!info)
    return text_from(tree);
  json *model = json_add_object(tree, "model");
  json_add_text(model, "name", info->name);
  json_add_text(model, "sha256", info->sha256);
  return text_from(tree);
}

/* ---- making and freeing ---- */

static cam_code load_model(const config *settings, cam_model **model, cam_error *error) {
  cam_error why = {0};
  cam_code code = cam_model_load(settings->model, settings->isa[0] ? settings->isa : NULL, model,
                                 &why);
  if (code && strstr(why.detail, settings->model))
    return cam_fail(error, code, "%s", why.detail);
  if (code)
    return cam_fail(error, code, "%s: %s", settings->model, why.detail);
  return CAM_OK;
}

static cam_code make_texts(struct generation *generation, cam_error *error) {
  const cam_model_info *info = cam_model_get_info(generation->model);
  generation->labels = labels_text(info);
  generation->models = models_text(info);
  generation->version = generation_version_text(info);
  if (generation->labels.text && generation->models.text && generation->version.text)
    return CAM_OK;
  return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the lists of labels and models");
}

static cam_code make_contexts(const struct app *app, struct generation *generation,
                              cam_error *error) {
  cam_limits limits = config_limits(app->config);
  limits.work_bytes = (uint64_t)app->config->work_bytes; /* a command serves one at a time: any */
  cam_code code = CAM_OK;
  while (!code && generation->n_contexts < app->teams) {
    cam_context **context = &generation->contexts[generation->n_contexts];
    code = cam_context_create(generation->model, app->threads, &limits, context, error);
    if (code)
      break;
    generation->n_contexts++;
    code = cam_self_test(*context, error);
  }
  return code;
}

cam_code generation_load(const struct app *app, struct generation **out, cam_error *error) {
  *out = NULL;
  struct generation *made = calloc(1, sizeof *made + (size_t)app->teams * sizeof *made->contexts);
  if (!made)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d contexts", app->teams);
  cam_code code = load_model(app->config, &made->model, error);
  if (!code)
    code = make_texts(made, error);
  if (!code)
    code = make_contexts(app, made, error);
  if (code)
    generation_free(made);
  else
    *out = made;
  return code;
}

void generation_free(struct generation *generation) {
  if (!generation)
    return;
  for (int i = 0; i < generation->n_contexts; i++)
    cam_context_free(generation->contexts[i]);
  cam_model_free(generation->model);
  free(generation->labels.text);
  free(generation->models.text);
  free(generation->version.text);
  free(generation);
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
