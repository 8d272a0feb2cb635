/* tuned_file.c - tuned_file.h. The document is the base's but for name, classes, the last fc's bias
 * and the self-test; so are the tensors but for those that moved. In 8 bits it is that network in
 * float32, quantised. */
#include "tuned_file.h"
#include "cam_json.h"
#include "convert/document.h"
#include "convert/int8_join.h"
#include "convert/model_file.h"
#include "convert/output.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH = 4096, MAX_NAME = 256 };

/* ---- the document ---- */

static const char *name_of_file(const char *path, char out[MAX_NAME]) {
  static const char ending[] = ".safetensors";
  const char *slash = strrchr(path, '/');
  if (slash)
    path = slash + 1;
  size_t n = strlen(path);
  if (n > sizeof ending - 1 && !strcmp(path + n - (sizeof ending - 1), ending))
    n -= sizeof ending - 1;
  snprintf(out, MAX_NAME, "%.*s", (int)n, path);
  return out;
}

/* The base's input, resized as the photos were. */
static void add_tuned_input(json *document, const tuned_story *story) {
  const json *own = json_member(story->base->document, "input");
  json *input = json_add_object(document, "input");
  for (const json *member = json_first(own); member; member = json_next(member))
    if (strcmp(json_name(member), "resize"))
      document_copy(input, json_name(member), member);
  json_add_text(input, "resize", cam_resize_name(story->options->resize));
}

static void add_tuned_classes(json *document, const tuned_story *story) {
  if (!story->tuned->is_new) {
    document_copy(document, "classes", json_member(story->base->document, "classes"));
    return;
  }
  json *classes = json_add_array(document, "classes");
  for (int c = 0; c < story->tuned->graph.n_classes; c++) {
    json *pair = json_add_array(classes, NULL);
    json_add_null(pair, NULL);
    json_add_text(pair, NULL, story->names[c]);
  }
}

/* Nodes as they are; the last one's bias is gone where it is new. */
static void add_nodes(json *document, const tuned_story *story) {
  const json *own = json_member(story->base->document, "nodes");
  json *nodes = json_add_array(document, "nodes");
  for (const json *node = json_first(own); node; node = json_next(node)) {
    json *copy = json_add_object(nodes, NULL);
    const bool is_last = !json_next(node);
    for (const json *member = json_first(node); member; member = json_next(member))
      if (!is_last || !story->tuned->is_new || strcmp(json_name(member), "bias"))
        document_copy(copy, json_name(member), member);
  }
}

static void add_settings(json *tuned, const cam_tune_options *options) {
  json *settings = json_add_object(tuned, "settings");
  json_add_text(settings, "stage", cam_tune_stage_name(options->stage));
  json_add_bool(settings, "keep_classes", options->keep_classes);
  json_add_int(settings, "epochs", options->epochs);
  json_add_int(settings, "batch", options->batch);
  json_add_number(settings, "lr", options->rate);
  json_add_number(settings, "momentum", options->momentum);
  json_add_text(settings, "schedule", cam_tune_schedule_name(options->schedule));
  json_add_number(settings, "weight_decay", options->weight_decay);
  json_add_number(settings, "keep_prob", options->keep_prob);
  json_add_text(settings, "augment", options->flip ? "flip" : "none");
  json_add_bool(settings, "balance", options->balance);
  json_add_int(settings, "patience", options->patience);
  json_add_int(settings, "seed", (int64_t)options->seed);
}

static void add_known_share(json *object, const char *name, double value) {
  if (value >= 0)
    json_add_number(object, name, value);
}

static void add_figures(json *tuned, const cam_tune_figures *figures) {
  json *object = json_add_object(tuned, "figures");
  json_add_int(object, "train_photos", figures->train);
  json_add_int(object, "val_photos", figures->val);
  json_add_text(object, "kept", cam_tune_stage_name(figures->kept));
  json_add_int(object, "kept_epoch", figures->kept_epoch);
  json_add_int(object, "epochs", figures->epochs);
  add_known_share(object, "train_accuracy", figures->train_accuracy);
  add_known_share(object, "val_accuracy", figures->val_accuracy);
  add_known_share(object, "val_loss", figures->val_loss);
  add_known_share(object, "start_accuracy", figures->start_accuracy);
}

static void add_story(json *document, const tuned_story *story) {
  json *tuned = json_add_object(document, "tuned");
  json_add_text(tuned, "base", story->base->name);
  json_add_text(tuned, "base_sha256", story->base_sha256);
  json_add_text(tuned, "data_sha256", story->data);
  json_add_text(tuned, "run", story->run);
  json_add_bool(tuned, "complete", !story->figures->stopped);
  add_settings(tuned, story->options);
  add_figures(tuned, story->figures);
}

/* Without the self-test. */
static json *make_document(const char *path, const tuned_story *story) {
  static const char *const own[] = {"version", "name",      "input",       "classes",    "nodes",
                                    "tuned",   "self_test", "probability", "temperature"};
  char name[MAX_NAME];
  json *document = json_new_object();
  json_add_int(document, "version", GRAPH_VERSION);
  json_add_text(document, "name", name_of_file(path, name));
  for (const json *member = json_first(story->base->document); member; member = json_next(member)) {
    bool is_own = false;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
      is_own = is_own || !strcmp(json_name(member), own[i]);
    if (!is_own)
      document_copy(document, json_name(member), member);
  }
  add_tuned_input(document, story);
  add_tuned_classes(document, story);
  json_add_text(document, "probability", cam_probability_name(story->tuned->graph.probability));
  if (story->figures->temperature > 0)
    json_add_number(document, "temperature", story->figures->temperature);
  add_story(document, story);
  add_nodes(document, story);
  return document;
}

/* ---- the tensors ---- */

/* The tensors of the base's nodes that the tuned ones have not: the bias of a last fc that is new.
 */
static bool is_gone(const tuned_story *story, const cam_tensor *tensor) {
  const cam_graph *graph = &story->tuned->graph;
  const cam_tensor *bias = story->base->nodes[story->base->n_nodes - 1].bias;
  if (!story->tuned->is_new || tensor != bias)
    return false;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    if (node->weight == tensor || node->bias == tensor || node->scale == tensor ||
        node->shift == tensor)
      return false;
  }
  return true;
}

/* As they are written: data is borrowed. */
static int list_tensors(const tuned_story *story, tuned_values *values, void *closure,
                        cam_tensor *out) {
  const cam_graph *base = story->base;
  const cam_tensor *head = base->nodes[base->n_nodes - 1].weight;
  int n = 0;
  for (int i = 0; i < safetensors_count(base->file); i++) {
    const cam_tensor *tensor = safetensors_at(base->file, i);
    if (is_gone(story, tensor))
      continue;
    if (story->tuned->is_new && tensor == head)
      tensor = &story->tuned->weight;
    out[n] = *tensor;
    const float *moved = values(closure, tensor);
    if (moved)
      out[n].data = moved;
    n++;
  }
  return n;
}

/* ---- the file ---- */

static cam_code add_test(const char *path, json *document, int threads, cam_error *error) {
  oracle o;
  cam_code code = oracle_open(path, threads, &o, error);
  if (!code) {
    cam_made_input(o.graph, o.picture);
    code = oracle_run(&o, error);
  }
  if (!code)
    code = model_file_add_self_test(document, &o, error);
  oracle_close(&o);
  return code;
}

/* What the unfinished file says in float32, in 8 bits, there. */
static cam_code put_int8(const char *unfinished, const char *path, const tuned_story *story,
                         int threads, cam_error *error) {
  char name[MAX_NAME];
  cam_convert_options options = *story->int8;
  joined made = {0};
  options.name = name_of_file(path, name);
  options.threads = threads;
  cam_code code = int8_join(&options, unfinished, unfinished, &made, error);
  if (!code)
    code = output_write(unfinished, &made, true, error);
  joined_free(&made);
  return code;
}

static cam_code put_tuned(const char *unfinished, json *document, const cam_tensor *tensors, int n,
                          int threads, cam_error *error) {
  cam_code code = add_test(unfinished, document, threads, error);
  if (!code)
    code = model_file_put(unfinished, document, tensors, n, true, error);
  return code;
}

cam_code tuned_file_write(const char *path, const tuned_story *story, tuned_values *values,
                          void *closure, int threads, cam_error *error) {
  char unfinished[MAX_PATH];
  if (snprintf(unfinished, sizeof unfinished, "%s.tmp", path) >= (int)sizeof unfinished)
    return cam_fail(error, CAM_E_IO, "a path is too long");
  json *document = make_document(path, story);
  cam_tensor *tensors = calloc((size_t)safetensors_count(story->base->file) + 1, sizeof *tensors);
  cam_code code = CAM_OK;
  int n = 0;
  if (tensors)
    n = list_tensors(story, values, closure, tensors);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of tensors");
  if (!code)
    code = model_file_put(unfinished, document, tensors, n, false, error);
  if (!code && story->int8)
    code = put_int8(unfinished, path, story, threads, error);
  else if (!code)
    code = put_tuned(unfinished, document, tensors, n, threads, error);
  if (!code)
    code = model_file_rename(unfinished, path, error);
  if (code)
    remove(unfinished);
  free(tensors);
  json_free(document);
  return code;
}

bool tuned_file_run(const char *path, char run[65], bool *complete) {
  cam_graph *graph;
  cam_error error;
  if (graph_load(path, &graph, &error))
    return false;
  const json *tuned = json_member(graph->document, "tuned");
  const json *text = json_member(tuned, "run");
  const bool found = json_type_of(text) == JSON_STRING && strlen(json_text(text)) == 64;
  if (found)
    strcpy(run, json_text(text));
  *complete = json_bool(json_member(tuned, "complete"));
  graph_free(graph);
  return found;
}
