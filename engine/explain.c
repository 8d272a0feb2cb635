/* explain.c - cam_context and cam_explain: the way of a photo through the engine.
 * Flow: bytes -> decode -> resize -> forward -> class maps -> boxes -> overlay -> PNG or JPEG.
 * Thread: one worker a context; every stage is a parallel loop over its team. What a photo's result
 * is depends on the photo and its parameters alone. */
#include "cam/class_map.h"
#include "cam_clock.h"
#include "cam_engine.h"
#include "context.h"
#include "photo/decode.h"
#include "photo/resize.h"
#include "render/overlay.h"
#include "render/picture.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const cam_limits cam_default_limits = {.max_pixels = 50000000,
                                       .max_side = 32768,
                                       .decode_bytes = (size_t)512 << 20,
                                       .max_scans = 100,
                                       .decode_ms = 10000};
const cam_params cam_default_params = {.top_k = 3,
                                       .alpha = 0.5f,
                                       .threshold = 0.2f,
                                       .colormap = CAM_JET,
                                       .size = CAM_SIZE_FIT,
                                       .resize = CAM_RESIZE_OF_MODEL,
                                       .include = CAM_INCLUDE_OVERLAY,
                                       .picture = CAM_PICTURE_PNG};

/* A task on its way. */
typedef struct item {
  cam_task *task;
  cam_photo photo;  /* upright; of its original size, or what is enough of it */
  cam_image input;  /* what the network sees */
  cam_image canvas; /* what the overlays are laid on; empty if photo or input is */
  double deadline;  /* seconds of CLOCK_MONOTONIC; 0: none */
} item;

/* ---- context ---- */

/* A context without those of its threads. */
static cam_code context_new(const cam_model *model, int threads, const cam_limits *limits,
                            cam_context **out, cam_error *error) {
  cam_context *context = *out = calloc(1, sizeof *context);
  if (!context)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a context");
  context->model = model;
  context->limits = *limits;
  size_t cells = (size_t)model->graph->max_side * (size_t)model->graph->max_side;
  context->logits = malloc((size_t)model->info.classes * sizeof *context->logits);
  context->scaled = malloc(cells * sizeof *context->scaled);
  context->runs = malloc(map_box_runs(model->graph->max_side, model->graph->max_side) *
                         sizeof *context->runs);
  if (!context->logits || !context->scaled || !context->runs)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a context");
  cam_code code = team_create(threads, &context->team, error);
  return code ? code : forward_create(model->net, context->team, &context->forward, error);
}

cam_code cam_context_create(const cam_model *model, int threads, const cam_limits *limits,
                            cam_context **out, cam_error *error) {
  cam_code code = context_new(model, threads, limits, out, error);
  if (!code && threads > 1 && !((*out)->alone = calloc((size_t)threads, sizeof *(*out)->alone)))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a context");
  for (int i = 0; i < threads && threads > 1 && !code; i++)
    code = context_new(model, 1, limits, &(*out)->alone[i], error);
  if (!code)
    return CAM_OK;
  cam_context_free(*out);
  *out = NULL;
  return code;
}

void cam_context_free(cam_context *context) {
  if (!context)
    return;
  for (int i = 0; context->alone && i < team_threads(context->team); i++)
    cam_context_free(context->alone[i]);
  free(context->alone);
  forward_free(context->forward);
  team_free(context->team);
  free(context->runs);
  free(context->scaled);
  free(context->logits);
  free(context);
}

int cam_spread_least(const cam_context *context) { return team_threads(context->team) / 2 + 1; }

/* ---- stages ---- */

/* The network's input size for a photo: the model's own, or its short side and the long side to the
 * nearest multiple, ties up. */
static void input_size(const cam_graph *graph, cam_resize resize, int width, int height,
                       int *in_width, int *in_height) {
  *in_width = graph->width;
  *in_height = graph->height;
  if (resize == CAM_STRETCH)
    return;
  int side = graph->height < graph->width ? graph->height : graph->width, wide = width > height;
  int64_t photo_long = wide ? width : height, photo_short = wide ? height : width,
          multiple = graph->multiple;
  int64_t longer = (2 * side * photo_long + multiple * photo_short) / (2 * multiple * photo_short) *
                   multiple;
  if (longer > graph->max_side)
    longer = graph->max_side;
  if (longer < side)
    longer = side;
  *in_width = wide ? (int)longer : side;
  *in_height = wide ? side : (int)longer;
}

/* What a photo is decoded to at least: the input is made out of half as many pixels again a side,
 * and overlays of the usual size are not enlarged. That is so whatever pictures are asked for: they
 * change nothing of labels, maps and boxes. */
static void least_size(const cam_result *result, int *width, int *height) {
  picture_size(&cam_default_params, result, width, height);
  const int input_width = (3 * result->input_width + 1) / 2,
            input_height = (3 * result->input_height + 1) / 2;
  if (*width < input_width)
    *width = input_width;
  if (*height < input_height)
    *height = input_height;
}

/* Is an overlay of the original size wanted, and the photo decoded to less? */
static bool needs_whole(const item *it) {
  const cam_params *params = it->task->params;
  return params->include & CAM_INCLUDE_OVERLAY && params->size == CAM_SIZE_ORIGINAL &&
         it->photo.image.width < it->photo.width;
}

static void set_sizes(const cam_graph *graph, const cam_photo *photo, const cam_params *params,
                      cam_result *result) {
  result->width = photo->width;
  result->height = photo->height;
  result->resize = params->resize == CAM_RESIZE_OF_MODEL ? graph->resize : params->resize;
  input_size(graph, result->resize, result->width, result->height, &result->input_width,
             &result->input_height);
}

/* photo_decode within the time that the limits allow, and within the deadline. */
static cam_code decode_in_time(const cam_limits *limits, const item *it, int least_width,
                               int least_height, cam_photo *photo, cam_error *error) {
  const double own = limits->decode_ms ? clock_seconds() + 1e-3 * limits->decode_ms : 0;
  photo->plan.deadline = own > 0 && (it->deadline <= 0 || own < it->deadline) ? own : it->deadline;
  cam_code code = photo_decode(it->task->bytes, it->task->n_bytes, limits, least_width,
                               least_height, photo, error);
  if (code != CAM_E_DEADLINE || photo->plan.deadline != own)
    return code;
  return cam_fail(error, CAM_E_BUDGET, "decoding takes longer than %d ms, which are allowed",
                  limits->decode_ms);
}

static cam_code decode(cam_context *context, item *it) {
  cam_task *task = it->task;
  cam_result *result = &task->result;
  const cam_limits *limits = &context->limits;
  const cam_graph *graph = context->model->graph;
  cam_code code = photo_probe(task->bytes, task->n_bytes, limits, &it->photo, &task->error);
  if (!code) {
    set_sizes(graph, &it->photo, task->params, result);
    result->format = it->photo.format;
    result->orientation = it->photo.orientation;
    int least_width, least_height;
    least_size(result, &least_width, &least_height);
    code = decode_in_time(limits, it, least_width, least_height, &it->photo, &task->error);
  }
  if (!code &&
      needs_whole(it)) { /* the one thing that does; much less work than its overlays are */
    cam_photo whole = it->photo;
    code = decode_in_time(limits, it, INT_MAX, INT_MAX, &whole, &task->error);
    if (!code)
      it->canvas = whole.image;
  }
  return code;
}

static cam_code resize(cam_context *context, item *it) {
  (void)context;
  return resize_bicubic(&it->photo.image, it->task->result.input_width,
                        it->task->result.input_height, &it->input, &it->task->error);
}

/* 8-bit RGB -> what the network sees. */
static void normalize(const cam_graph *graph, const uint8_t *rgb, size_t cells, float *out) {
  const int first = graph->bgr ? 2 : 0, last = 2 - first;
  for (size_t i = 0; i < cells; i++, rgb += 3, out += 3) {
    out[0] = ((float)rgb[first] - graph->mean[0]) * graph->scale[0];
    out[1] = ((float)rgb[1] - graph->mean[1]) * graph->scale[1];
    out[2] = ((float)rgb[last] - graph->mean[2]) * graph->scale[2];
  }
}

static cam_code classify(cam_context *context, item *it) {
  cam_task *task = it->task;
  float *input;
  cam_code code = forward_plan(context->forward, task->result.input_height,
                               task->result.input_width, &input, &task->error);
  if (code)
    return code;
  normalize(context->model->graph, it->input.rgb,
            (size_t)task->result.input_height * (size_t)task->result.input_width, input);
  forward_run(context->forward, context->logits, NULL);
  for (int c = 0; c < context->model->info.classes; c++)
    if (!isfinite(context->logits[c]))
      return cam_fail(&task->error, CAM_E_MODEL, "the logit of class %d is not finite", c);
  return CAM_OK;
}

/* Is class a before class b in the order of probability? Ties go to the lower class. */
static bool ranks_before(const float *logits, int a, int b) {
  return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

void choose_classes(const cam_params *params, const float *logits, int n_classes,
                    cam_result *result) {
  for (int c = 0; c < n_classes; c++) { /* insertion into a list of top_k */
    int at = result->count;
    while (at > 0 && ranks_before(logits, c, result->predictions[at - 1].class_id))
      at--;
    if (at == params->top_k)
      continue;
    if (result->count < params->top_k)
      result->count++;
    for (int i = result->count - 1; i > at; i--)
      result->predictions[i].class_id = result->predictions[i - 1].class_id;
    result->predictions[at].class_id = c;
  }
  for (int i = 0; i < params->n_classes; i++) {
    int wanted = params->classes[i], known = 0;
    for (int j = 0; j < result->count; j++)
      known |= result->predictions[j].class_id == wanted;
    if (!known)
      result->predictions[result->count++].class_id = wanted;
  }
  double sum = 0, most = logits[result->predictions[0].class_id];
  for (int c = 0; c < n_classes; c++)
    sum += exp(logits[c] - most);
  for (int i = 0; i < result->count; i++) {
    cam_prediction *p = &result->predictions[i];
    p->logit = logits[p->class_id];
    p->probability = (float)(exp(p->logit - most) / sum);
    p->rank = 1;
    for (int c = 0; c < n_classes; c++)
      p->rank += c != p->class_id && ranks_before(logits, c, p->class_id);
  }
}

static cam_code explain_classes(cam_context *context, item *it) {
  cam_task *task = it->task;
  cam_result *result = &task->result;
  const cam_graph *graph = context->model->graph;
  choose_classes(task->params, context->logits, graph->n_classes, result);
  forward_map_size(context->forward, &result->map_height, &result->map_width);
  size_t cells = (size_t)result->map_height * (size_t)result->map_width;
  result->maps = malloc(cells * (size_t)result->count * sizeof *result->maps);
  if (!result->maps)
    return cam_fail(&task->error, CAM_E_NO_MEMORY, "no memory for %d class maps", result->count);
  float *maps[CAM_MAX_TOP_K + CAM_MAX_CLASSES];
  int class_ids[CAM_MAX_TOP_K + CAM_MAX_CLASSES];
  for (int i = 0; i < result->count; i++) {
    maps[i] = result->maps + cells * (size_t)i;
    class_ids[i] = result->predictions[i].class_id;
  }
  forward_class_maps(context->forward, result->count, class_ids, maps);
  for (size_t i = 0; i < cells * (size_t)result->count;
       i++) /* a cell can overflow where the mean of all, the logit, does not */
    if (!isfinite(result->maps[i]))
      return cam_fail(&task->error, CAM_E_MODEL, "the map of class %d is not finite",
                      class_ids[i / cells]);
  for (int i = 0; i < result->count; i++) {
    cam_prediction *p = &result->predictions[i];
    const float *map = p->map = maps[i];
    p->bias = network_bias(context->model->net, p->class_id);
    map_resize(graph->rule, map, result->map_height, result->map_width, context->scaled,
               result->input_height, result->input_width);
    int flat = !map_scale(context->scaled, result->input_height * result->input_width,
                          context->scaled);
    p->box = map_box(context->scaled, result->input_height, result->input_width,
                     task->params->threshold, flat, result->width, result->height, context->runs);
  }
  return CAM_OK;
}

static const cam_image *canvas_of(const item *it) {
  return it->canvas.rgb                             ? &it->canvas
         : it->task->params->size == CAM_SIZE_INPUT ? &it->input
                                                    : &it->photo.image;
}

/* Scales the photo to what the overlays are laid on, where that is neither the photo nor the input.
 */
static cam_code make_canvas(item *it) {
  const cam_image *photo = &it->photo.image;
  const cam_params *params = it->task->params;
  int width, height;
  if (params->size == CAM_SIZE_INPUT || !(params->include & CAM_INCLUDE_OVERLAY))
    return CAM_OK;
  picture_size(params, &it->task->result, &width, &height);
  if (it->canvas.rgb || (width == photo->width && height == photo->height))
    return CAM_OK;
  return resize_bicubic(photo, width, height, &it->canvas, &it->task->error);
}

typedef struct picture {
  item *it;
  cam_prediction *prediction;
  cam_error error;
} picture;
typedef struct render_call {
  cam_context *context;
  picture *pictures;
} render_call;

static void render_one(void *closure, int index, int thread) {
  const render_call *call = closure;
  picture *pic = &call->pictures[index];
  cam_prediction *p = pic->prediction;
  const cam_task *task = pic->it->task;
  const cam_params *params = task->params;
  int width, height;
  if (pic->it->deadline > 0 && clock_seconds() >= pic->it->deadline) {
    cam_fail(&pic->error, CAM_E_DEADLINE, "the deadline passed before picture %d of %d", index + 1,
             task->result.count);
    return;
  }
  picture_size(params, &task->result, &width, &height);
  size_t n = (size_t)width * (size_t)height;
  uint8_t *heat = malloc(n), *rgb = params->include & CAM_INCLUDE_OVERLAY ? malloc(3 * n) : NULL;
  (void)thread;
  if (!heat || (params->include & CAM_INCLUDE_OVERLAY && !rgb)) {
    cam_fail(&pic->error, CAM_E_NO_MEMORY, "no memory for an overlay of %d x %d", width, height);
    goto out;
  }
  map_heat(call->context->model->graph->rule, p->map, task->result.map_height,
           task->result.map_width, heat, height, width);
  cam_code code = CAM_OK;
  if (rgb) {
    overlay_blend(canvas_of(pic->it)->rgb, heat, n, colormap_get(params->colormap), params->alpha,
                  rgb);
    code = picture_encode(params->picture, rgb, width, height, 3, params->base64, &p->overlay,
                          &pic->error);
  }
  if (!code && params->include & CAM_INCLUDE_HEATMAP)
    code = picture_encode(params->picture, heat, width, height, 1, params->base64, &p->heatmap,
                          &pic->error);
out:
  free(heat);
  free(rgb);
}

static cam_code render(cam_context *context, item *it) {
  const cam_task *task = it->task;
  const int count = task->result.count;
  picture pictures[CAM_MAX_TOP_K + CAM_MAX_CLASSES];
  if (!(task->params->include & (CAM_INCLUDE_OVERLAY | CAM_INCLUDE_HEATMAP)))
    return CAM_OK;
  cam_code code = make_canvas(it);
  if (code)
    return code;
  for (int i = 0; i < count; i++)
    pictures[i] = (picture){it, &it->task->result.predictions[i], {CAM_OK, "", NULL}};
  render_call call = {context, pictures};
  team_for(context->team, count, render_one, &call);
  for (int i = 0; i < count && !code; i++)
    if ((code = pictures[i].error.code))
      it->task->error = pictures[i].error;
  return code;
}

/* ---- the way ---- */

static const struct {
  cam_stage stage;
  cam_code (*run)(cam_context *, item *);
} way[] = {
    {CAM_STAGE_DECODE, decode},       {CAM_STAGE_RESIZE, resize}, {CAM_STAGE_FORWARD, classify},
    {CAM_STAGE_CAM, explain_classes}, {CAM_STAGE_RENDER, render},
};

/* One photo, by the whole team. */
static void explain_photo(cam_context *context, cam_task *task, double deadline, double *stage_ms) {
  item it = {.task = task, .deadline = deadline};
  cam_code code = CAM_OK;
  double since = clock_seconds();
  memset(&task->result, 0, sizeof task->result);
  memset(&task->error, 0, sizeof task->error);
  for (size_t i = 0; i < sizeof way / sizeof *way && !code; i++) {
    const cam_stage stage = way[i].stage;
    code = deadline > 0 && since >= deadline
               ? cam_fail(&task->error, CAM_E_DEADLINE, "the deadline passed before the stage %s",
                          cam_stage_name(stage))
               : way[i].run(context, &it);
    if (code)
      task->error.stage = cam_stage_name(stage);
    double end = clock_seconds();
    stage_ms[stage] += (end - since) * 1e3;
    since = end;
  }
  image_free(&it.photo.image);
  image_free(&it.input);
  image_free(&it.canvas);
  if (code)
    cam_result_free(&task->result);
}

typedef struct spread_call {
  cam_context *context;
  cam_spread_work *work;
  void *closure;
} spread_call;
static void spread_one(void *closure, int index, int thread) {
  const spread_call *call = closure;
  call->work(call->closure, index,
             call->context->alone ? call->context->alone[thread] : call->context);
}

void cam_spread(cam_context *context, int n, cam_spread_work *work, void *closure) {
  spread_call call = {context, work, closure};
  team_for(context->team, n, spread_one, &call);
}

typedef struct tasks_call {
  cam_task *tasks;
  double deadline, (*stage_ms)[CAM_STAGE_COUNT];
} tasks_call;
static void explain_alone(void *closure, int index, cam_context *own) {
  const tasks_call *call = closure;
  explain_photo(own, &call->tasks[index], call->deadline, call->stage_ms[index]);
}

void cam_explain(cam_context *context, cam_task *tasks, int n_tasks, double deadline,
                 double *stage_ms) {
  double spent[CAM_MAX_TASKS][CAM_STAGE_COUNT] = {{0}};
  if (n_tasks >= cam_spread_least(context))
    cam_spread(context, n_tasks, explain_alone, &(tasks_call){tasks, deadline, spent});
  else
    for (int i = 0; i < n_tasks; i++)
      explain_photo(context, &tasks[i], deadline, spent[i]);
  for (int s = 0; s < CAM_STAGE_COUNT && stage_ms; s++) {
    stage_ms[s] = 0;
    for (int i = 0; i < n_tasks; i++)
      stage_ms[s] += spent[i][s];
  }
}

uint64_t cam_picture_bytes(const cam_context *context, const cam_task *tasks, int n_tasks,
                           bool probe) {
  const cam_graph *graph = context->model->graph;
  uint64_t bytes = 0;
  for (int i = 0; i < n_tasks; i++) {
    const cam_params *params = tasks[i].params;
    const bool input = params->size == CAM_SIZE_INPUT;
    int width = input ? graph->max_side : PICTURE_FIT_SIDE, height = width;
    if (probe || params->size == CAM_SIZE_ORIGINAL) {
      cam_photo photo;
      cam_result sizes;
      if (photo_probe(tasks[i].bytes, tasks[i].n_bytes, &context->limits, &photo, NULL))
        continue;
      set_sizes(graph, &photo, params, &sizes);
      picture_size(params, &sizes, &width, &height);
    }
    uint64_t each = 0;
    if (params->include & CAM_INCLUDE_OVERLAY)
      each += picture_most_bytes(params, width, height, 3);
    if (params->include & CAM_INCLUDE_HEATMAP)
      each += picture_most_bytes(params, width, height, 1);
    bytes += each * (uint64_t)(params->top_k + params->n_classes);
  }
  return bytes;
}

void cam_result_free(cam_result *result) {
  if (!result)
    return;
  for (int i = 0; i < result->count; i++) {
    free(result->predictions[i].overlay.data);
    free(result->predictions[i].heatmap.data);
  }
  free(result->maps);
  memset(result, 0, sizeof *result);
}

/* ---- self-test, on the made picture ---- */

cam_code cam_self_test(cam_context *context, cam_error *error) {
  const cam_graph *graph = context->model->graph;
  float *input;
  cam_code code = forward_plan(context->forward, graph->height, graph->width, &input, error);
  if (code)
    return code;
  cam_made_input(graph, input);
  forward_run(context->forward, context->logits, NULL);
  double most = 0;
  for (int i = 0; i < graph->n_self_test; i++)
    most = fmax(most, fabs(graph->self_test[i].logit));
  for (int i = 0; i < graph->n_self_test; i++) {
    int class_id = graph->self_test[i].class_id;
    double logit = context->logits[class_id], difference = fabs(logit - graph->self_test[i].logit);
    if (!(difference <= 1e-3 * most))
      return cam_fail(
          error, CAM_E_MODEL,
          "self-test: the logit of class %d is %.6g; the model file says %.6g (allowed: %.2g off)",
          class_id, logit, graph->self_test[i].logit, 1e-3 * most);
  }
  return CAM_OK;
}
