/* reply.c - finished tasks -> JSON, members in the order of the HTTP contract. The result struct
 * meets the wire here. Flow: engine -> [reply] -> job.   Thread: worker. Pictures are borrowed
 * until the one print, which writes their base64 where it stands in the text. */
#include "reply.h"
#include "file_name.h"
#include "problem.h"
#include <stdlib.h>

/* An object that begins with width and height; the rest is the caller's. */
static json *add_sized(json *parent, const char *name, int width, int height) {
  json *object = json_add_object(parent, name);
  json_add_int(object, "width", width);
  json_add_int(object, "height", height);
  return object;
}

static const struct {
  const char *overlay, *heatmap;
} pictures[] = {
#define X(id, name, ...) {"overlay_" name, "heatmap_" name},
    CAM_PICTURES(X)
#undef X
};

static void add_picture(json *parent, const char *name, const cam_bytes *picture) {
  if (picture->data)
    json_add_base64(parent, name, picture->data, picture->size);
}

static void add_box(json *item, const cam_box *box) {
  if (!box->width) {
    json_add_null(item, "box");
    return;
  }
  json *object = json_add_object(item, "box");
  json_add_int(object, "x", box->x);
  json_add_int(object, "y", box->y);
  json_add_int(object, "width", box->width);
  json_add_int(object, "height", box->height);
}

static void add_prediction(json *list, const cam_model_info *model, const cam_result *result,
                           const cam_prediction *prediction, const cam_params *params) {
  json *item = json_add_object(list, NULL);
  const cam_class *class = &model->class_list[prediction->class_id];
  json_add_int(item, "rank", prediction->rank);
  json_add_int(item, "class_id", prediction->class_id);
  if (*class->wnid)
    json_add_text(item, "wnid", class->wnid);
  json_add_text(item, "label", class->label);
  json_add_number(item, "probability", prediction->probability);
  json_add_number(item, "logit", prediction->logit);
  json_add_text(item, "method", cam_method_name(model->method));
  add_box(item, &prediction->box);
  if (params->include & CAM_INCLUDE_OVERLAY)
    add_picture(item, pictures[params->picture].overlay, &prediction->overlay);
  if (params->include & CAM_INCLUDE_HEATMAP)
    add_picture(item, pictures[params->picture].heatmap, &prediction->heatmap);
  if (!(params->include & CAM_INCLUDE_MAP))
    return;
  if (model->method == CAM_METHOD_CAM && params->detail == CAM_NORMAL)
    json_add_number(item, "bias", prediction->bias);
  json *map = add_sized(item, "map", result->map_width, result->map_height);
  json *values = json_add_array(map, "values");
  for (int i = 0; i < result->map_width * result->map_height; i++)
    json_add_number(values, NULL, prediction->map[i]);
}

void reply_add_predictions(json *list, const cam_model_info *model, const cam_task *task) {
  const cam_result *result = &task->result;
  for (int i = 0; i < result->count; i++)
    add_prediction(list, model, result, &result->predictions[i], task->params);
}

/* What is said of one photo: image, input, predictions; or error. */
static void add_task(json *parent, const cam_model_info *model, const char *request_id,
                     const cam_task *task) {
  if (task->error.code) {
    json_add_tree(parent, "error", problem_tree(&task->error, request_id));
    return;
  }
  const cam_result *result = &task->result;
  json *image = add_sized(parent, "image", result->width, result->height);
  json_add_text(image, "format", cam_format_name(result->format));
  json_add_int(image, "orientation", result->orientation);
  json *input = add_sized(parent, "input", result->input_width, result->input_height);
  json_add_text(input, "resize", cam_resize_name(result->resize));
  if (task->params->has_minus) {
    json *minus = json_add_object(parent, "minus");
    json_add_int(minus, "class_id", task->params->minus);
    json_add_text(minus, "label", model->class_list[task->params->minus].label);
  }
  reply_add_predictions(json_add_array(parent, "predictions"), model, task);
  if (!result->probabilities)
    return;
  json *probabilities = json_add_array(parent, "probabilities");
  for (int c = 0; c < model->classes; c++)
    json_add_number(probabilities, NULL, result->probabilities[c]);
}

static void add_head(json *tree, const cam_model_info *model, const char *request_id) {
  json_add_text(tree, "request_id", request_id);
  json_add_text(tree, "model", model->name);
}

static void add_timing(json *tree, const reply_timing *timing) {
  json *ms = json_add_object(tree, "timing_ms");
  json_add_fixed(ms, "queue", timing->queue_ms, 3);
  for (int stage = 0; stage < CAM_STAGE_COUNT; stage++)
    json_add_fixed(ms, cam_stage_name((cam_stage)stage), timing->stage_ms[stage], 3);
  json_add_fixed(ms, "total", timing->total_ms, 3);
}

static char *print_tree(json *tree, bool compact, size_t *n) {
  char *text = json_print(tree, compact, n);
  json_free(tree);
  return text;
}

char *reply_text(const cam_model_info *model, const char *request_id, const cam_task *tasks,
                 int n_tasks, bool as_list, const reply_timing *timing, bool compact, size_t *n) {
  json *tree = json_new_object();
  add_head(tree, model, request_id);
  if (as_list) {
    json *results = json_add_array(tree, "results");
    for (int i = 0; i < n_tasks; i++)
      add_task(json_add_object(results, NULL), model, request_id, &tasks[i]);
  } else {
    add_task(tree, model, request_id, tasks);
  }
  add_timing(tree, timing);
  return print_tree(tree, compact, n);
}

/* ---- the list in pieces: each is a small object, printed without the brace that joins it to the
 * next ---- */

bool reply_list_head(FILE *out, const cam_model_info *model, const char *request_id) {
  json *tree = json_new_object();
  add_head(tree, model, request_id);
  size_t n = 0;
  char *text = print_tree(tree, true, &n);
  bool written = text && fprintf(out, "%.*s,\"results\":[", (int)n - 1, text) > 0;
  free(text);
  return written;
}

char *reply_item_text(const cam_model_info *model, const char *file, const char *request_id,
                      const cam_task *task, const reply_timing *timing, size_t *n) {
  json *tree = json_new_object();
  if (file)
    file_name_add(tree, file);
  if (timing && !task->error.code)
    add_head(tree, model, request_id);
  add_task(tree, model, request_id, task);
  if (timing && !task->error.code)
    add_timing(tree, timing);
  return print_tree(tree, true, n);
}

bool reply_list_tail(FILE *out, const reply_timing *timing) {
  json *tree = json_new_object();
  add_timing(tree, timing);
  char *text = print_tree(tree, true, NULL);
  bool written = text && fprintf(out, "],%s", text + 1) > 0;
  free(text);
  return written;
}
