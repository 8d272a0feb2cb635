/* kserve.c - kserve.h: which protocol a path speaks and which model it names. Flow: admit, routes
 * -> [kserve].   Thread: any. */
#include "kserve.h"
#include "base/version.h"
#include "speech.h"
#include "v1.h"
#include "v2.h"
#include "v2_outputs.h"
#include <string.h>

static const char v1_models[] = "/v1/models", v2_root[] = "/v2", v2_models[] = "/v2/models";

/* What a path names below root: "NAME/infer" of "/v2/models/NAME/infer"; NULL: it is not below it.
 */
static const char *below(const char *path, const char *root) {
  const size_t n = strlen(root);
  if (strncmp(path, root, n) || path[n] != '/')
    return NULL;
  return path + n + 1;
}

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), n_end = strlen(end);
  return n >= n_end && !strcmp(text + n - n_end, end);
}

/* What stands behind a model's name, and what is spoken there. */
static const struct {
  const char *root, *end;
  const protocol *spoken;
} verbs[] = {
    {v1_models, ":predict", &v1_predict},
    {v1_models, ":explain", &v1_explain},
    {v2_models, "/infer", &v2_infer},
    {v2_models, "/ready", &speech_errors},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

const protocol *kserve_protocol(const char *path) {
  for (int i = 0; i < VERBS; i++)
    if (below(path, verbs[i].root) && ends_with(path, verbs[i].end))
      return verbs[i].spoken;
  if (!strcmp(path, v1_models) || !strcmp(path, v2_root) || below(path, v1_models) ||
      below(path, v2_root))
    return &speech_errors;
  return NULL;
}

static void cut_end(char *text, const char *end) {
  if (ends_with(text, end))
    text[strlen(text) - strlen(end)] = '\0';
}

bool kserve_model_of(const char *path, char name[KSERVE_NAME_MAX]) {
  const char *rest = below(path, v1_models);
  if (!rest)
    rest = below(path, v2_models);
  if (!rest || strlen(rest) >= KSERVE_NAME_MAX)
    return false;
  strcpy(name, rest);
  for (int i = 0; i < VERBS; i++)
    if (below(path, verbs[i].root))
      cut_end(name, verbs[i].end);
  if (below(path, v2_models))
    cut_end(name, "/versions/" V2_VERSION);
  return *name;
}

static char *print_tree_of(json *tree, size_t *n) {
  char *text = json_print(tree, true, n);
  json_free(tree);
  return text;
}

char *kserve_server_text(size_t *n) {
  json *tree = json_new_object();
  json_add_text(tree, "name", "camserve");
  json_add_text(tree, "version", cam_version);
  json *extensions = json_add_array(tree, "extensions");
  json_add_text(extensions, NULL, "binary_tensor_data");
  return print_tree_of(tree, n);
}

char *kserve_model_text(const cam_model_info *model, size_t *n) {
  json *tree = json_new_object();
  json_add_text(tree, "name", model->name);
  json *versions = json_add_array(tree, "versions");
  json_add_text(versions, NULL, V2_VERSION);
  json_add_text(tree, "platform", "camserve");
  v2_add_tensors(tree);
  return print_tree_of(tree, n);
}

char *kserve_ready_text(const cam_model_info *model, size_t *n) {
  json *tree = json_new_object();
  json_add_text(tree, "name", model->name);
  json_add_bool(tree, "ready", true);
  return print_tree_of(tree, n);
}
