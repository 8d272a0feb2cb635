/* served.c - served.h. Flow: model file -> [served] -> generation.   Thread: the loader's. */
#include "served.h"
#include "app.h"
#include "wire/params.h"
#include <stdlib.h>
#include <string.h>

/* ---- the JSON bodies, built once ---- */

app_text app_text_of(json *tree) {
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
  return app_text_of(tree);
}

static void add_channels(json *parent, const char *name, const float values[3]) {
  json *list = json_add_array(parent, name);
  for (int i = 0; i < 3; i++)
    json_add_number(list, NULL, (double)values[i]);
}

void served_describe(json *tree, const cam_model_info *info) {
  json_add_text(tree, "sha256", info->sha256);
  json_add_text(tree, "method", cam_method_name(info->method));
  json_add_text(tree, "precision", cam_precision_name(info->precision));
  json *input = json_add_object(tree, "input");
  json_add_int(input, "width", info->width);
  json_add_int(input, "height", info->height);
  json_add_text(input, "resize", cam_resize_name(info->resize));
  json *pixels = json_add_object(tree, "pixels");
  json_add_text(pixels, "channels", info->channels);
  add_channels(pixels, "mean", info->mean);
  add_channels(pixels, "scale", info->factor);
  json *map = json_add_object(tree, "map");
  json_add_text(map, "resize", info->enlarging);
  json_add_text(map, "scale", cam_scale_name(info->scale));
  json_add_fixed(map, "threshold", (double)info->threshold, 2);
  json_add_int(tree, "classes", info->classes);
  json_add_int(tree, "multiply_adds", (int64_t)info->multiply_adds);
}

static app_text about_text(const cam_model_info *info) {
  json *tree = json_new_object();
  json_add_text(tree, "name", info->name);
  json_add_bool(tree, "ready", true);
  served_describe(tree, info);
  return app_text_of(tree);
}

/* ---- making and freeing ---- */

static cam_code load_model(const config *settings, struct served *made, const char *name,
                           cam_error *error) {
  cam_error why = {0};
  const char *isa = NULL;
  if (*settings->isa)
    isa = settings->isa;
  cam_code code = cam_model_load(made->path, isa, &made->model, &why);
  if (code && strstr(why.detail, made->path))
    return cam_fail(error, code, "%s", why.detail);
  if (code)
    return cam_fail(error, code, "%s: %s", made->path, why.detail);
  made->described = *cam_model_get_info(made->model);
  if (*name)
    made->described.name = name;
  made->info = &made->described;
  return CAM_OK;
}

static cam_code make_texts(struct served *made, cam_error *error) {
  made->labels = labels_text(made->info);
  made->about = about_text(made->info);
  if (made->labels.text && made->about.text)
    return CAM_OK;
  return cam_fail(error, CAM_E_NO_MEMORY, "%s: no memory for its labels", made->path);
}

static cam_code make_contexts(const struct app *app, struct served *made, cam_error *error) {
  cam_limits limits = config_limits(app->config);
  limits.work_bytes = (uint64_t)app->config->work_bytes; /* a command serves one at a time: any */
  cam_error why = {0};
  cam_code code = CAM_OK;
  while (!code && made->n_contexts < app->teams) {
    cam_context **context = &made->contexts[made->n_contexts];
    code = cam_context_create(made->model, app->threads, &limits, context, &why);
    if (code)
      break;
    made->n_contexts++;
    code = cam_self_test(*context, &why);
  }
  if (code)
    return cam_fail(error, code, "%s: %s", made->path, why.detail);
  return CAM_OK;
}

cam_code served_check_name(const char *name, cam_error *error) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const size_t n = strlen(name);
  if (n <= PARAM_MODEL_MAX && n == strspn(name, plain))
    return CAM_OK;
  return cam_fail(error, CAM_E_PARAMETER,
                  "model_name: \"%.40s\"; allowed are at most %d letters, digits, \".\", \"_\" "
                  "and \"-\"",
                  name, PARAM_MODEL_MAX);
}

cam_code served_load(const struct app *app, const char *path, const char *name, struct served **out,
                     cam_error *error) {
  *out = NULL;
  struct served *made = calloc(1, sizeof *made + (size_t)app->teams * sizeof *made->contexts);
  if (made)
    made->path = strdup(path);
  if (!made || !made->path) {
    free(made);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d contexts", app->teams);
  }
  cam_code code = load_model(app->config, made, name, error);
  if (!code)
    code = make_texts(made, error);
  if (!code)
    code = make_contexts(app, made, error);
  if (code)
    served_free(made);
  else
    *out = made;
  return code;
}

void served_free(struct served *served) {
  if (!served)
    return;
  for (int i = 0; i < served->n_contexts; i++)
    cam_context_free(served->contexts[i]);
  cam_model_free(served->model);
  free(served->labels.text);
  free(served->about.text);
  free(served->path);
  free(served);
}
