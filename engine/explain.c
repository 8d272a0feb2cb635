/* explain.c - cam_context and cam_explain: the way of a photo through the engine.
 * Flow: bytes -> decode -> resize -> forward -> class maps -> boxes -> overlay -> PNG or JPEG.
 * Thread: one worker a context; every stage is a parallel loop over its team. What a photo's result
 * is depends on the photo and its parameters alone. */
#include "cam/class_map.h"
#include "cam/look.h"
#include "cam/rank.h"
#include "cam_clock.h"
#include "cam_engine.h"
#include "context.h"
#include "cost.h"
#include "fine.h"
#include "model/sizes.h"
#include "pass.h"
#include "photo/decode.h"
#include "photo/resize.h"
#include "render/paint.h"
#include "render/picture.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const cam_limits cam_default_limits = {.max_pixels = 64000000,
                                       .max_side = 32768,
                                       .decode_bytes = (size_t)800 << 20,
                                       .max_scans = 100,
                                       .decode_ms = 10000};
const cam_params cam_default_params = {.top_k = 3,
                                       .alpha = 0.5f,
                                       .threshold = -1,
                                       .colormap = CAM_JET,
                                       .size = CAM_SIZE_FIT,
                                       .resize = CAM_RESIZE_OF_MODEL,
                                       .scale = CAM_SCALE_OF_MODEL,
                                       .include = CAM_INCLUDE_OVERLAY,
                                       .picture = CAM_PICTURE_PNG};

/* A task on its way. */
typedef struct item {
  cam_task *task;
  cam_photo photo;  /* upright; of its original size, or what is enough of it */
  cam_image input;  /* what the network sees */
  cam_image canvas; /* what the overlays are laid on; empty if photo or input is */
  map_set maps;     /* of class_ids; until the result owns them */
  int class_ids[CAM_MAX_TOP_K + CAM_MAX_CLASSES + 1];
  double deadline; /* seconds of CLOCK_MONOTONIC; 0: none */
} item;

/* ---- stages ---- */

/* Is an overlay of the original size wanted, and the photo decoded to less? */
static bool needs_whole(const item *it) {
  const cam_params *params = it->task->params;
  return params->include & CAM_INCLUDE_OVERLAY && params->size == CAM_SIZE_ORIGINAL &&
         it->photo.image.width < it->photo.width;
}

/* photo_decode within the time that the limits allow, and within the deadline. */
static cam_code decode_in_time(const cam_limits *limits, const item *it, int least_width,
                               int least_height, cam_photo *photo, cam_error *error) {
  double own = 0;
  if (limits->decode_ms)
    own = clock_seconds() + 1e-3 * limits->decode_ms;
  photo->plan.deadline = it->deadline;
  if (own > 0 && (it->deadline <= 0 || own < it->deadline))
    photo->plan.deadline = own;
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
    whole.image = (cam_image){0};
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

static cam_code classify(cam_context *context, item *it) {
  return pass_run(context->model, context->forward, &it->input, context->logits, &it->task->error);
}

/* A class map at the input's size, scaled, gives the box. */
static void box_of(cam_context *context, const item *it, cam_prediction *p) {
  const cam_result *result = &it->task->result;
  const map_look look = look_of(context->model->graph, it->task->params);
  const int height = result->input_height, width = result->input_width;
  map_resize(context->model->graph->rule, p->map, result->map_height, result->map_width,
             context->scaled, height, width);
  const int flat = !map_scale(look.box, context->scaled, height * width, context->scaled);
  if (flat && look.box == MAP_RELU)
    return; /* nothing speaks for the class: no box */
  p->box = map_box(context->scaled, height, width, look.threshold, flat, result->width,
                   result->height, context->runs);
}

static cam_code keep_probabilities(const cam_context *context, cam_task *task) {
  const int classes = context->model->info.classes;
  float *all = malloc((size_t)classes * sizeof *all);
  if (!all)
    return cam_fail(&task->error, CAM_E_NO_MEMORY, "no memory for %d probabilities", classes);
  all_probabilities(&context->model->info, context->logits, all);
  task->result.probabilities = all;
  return CAM_OK;
}

/* The classes, and the maps of the usual pass; the last is that of minus. */
static cam_code choose(cam_context *context, item *it) {
  cam_task *task = it->task;
  const cam_params *params = task->params;
  cam_result *result = &task->result;
  choose_classes(params, &context->model->info, context->logits, result);
  for (int i = 0; i < result->count; i++)
    it->class_ids[i] = result->predictions[i].class_id;
  it->class_ids[result->count] = params->minus;
  cam_code code = CAM_OK;
  if (params->include & CAM_INCLUDE_PROBABILITIES)
    code = keep_probabilities(context, task);
  if (!code)
    code = pass_maps(context->forward, result->count + params->has_minus, it->class_ids, &it->maps,
                     &task->error);
  return code;
}

static cam_code refine(cam_context *context, item *it) {
  cam_task *task = it->task;
  if (task->params->detail == CAM_NORMAL)
    return CAM_OK;
  return fine_maps(context, &it->photo.image, &task->result, it->deadline, it->class_ids, &it->maps,
                   &task->error);
}

/* A class map is linear in the class's row of weights, so the map of the difference of two rows is
 * the difference of their maps. */
static void subtract_last(map_set *maps) {
  const size_t cells = (size_t)maps->height * (size_t)maps->width;
  const float *last = maps->values + (size_t)(maps->n - 1) * cells;
  for (int i = 0; i < maps->n - 1; i++)
    for (size_t k = 0; k < cells; k++)
      maps->values[(size_t)i * cells + k] -= last[k];
}

/* The result owns the maps from here on. */
static cam_code hand_over_maps(item *it) {
  cam_result *result = &it->task->result;
  const size_t cells = (size_t)it->maps.height * (size_t)it->maps.width;
  if (it->task->params->has_minus)
    subtract_last(&it->maps);
  cam_code code = map_set_check(&it->maps, it->class_ids, &it->task->error);
  if (code)
    return code;
  result->map_height = it->maps.height;
  result->map_width = it->maps.width;
  result->maps = it->maps.values;
  it->maps = (map_set){0};
  for (int i = 0; i < result->count; i++)
    result->predictions[i].map = result->maps + cells * (size_t)i;
  return CAM_OK;
}

static cam_code explain_classes(cam_context *context, item *it) {
  cam_task *task = it->task;
  cam_result *result = &task->result;
  cam_code code = hand_over_maps(it);
  if (code)
    return code;
  for (int i = 0; i < result->count; i++) {
    cam_prediction *p = &result->predictions[i];
    p->bias = network_bias(context->model->net, p->class_id);
    if (task->params->has_minus)
      p->bias -= network_bias(context->model->net, task->params->minus);
    box_of(context, it, p);
  }
  return CAM_OK;
}

static cam_image *canvas_of(item *it) {
  if (it->canvas.rgb)
    return &it->canvas;
  if (it->task->params->size == CAM_SIZE_INPUT)
    return &it->input;
  return &it->photo.image;
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

/* Makes one label's pictures. What that takes of memory is counted in cost.c. */
static cam_code render_label(const cam_graph *graph, picture *pic) {
  cam_prediction *p = pic->prediction;
  const cam_task *task = pic->it->task;
  paint_order order = {.map = p->map,
                       .map_height = task->result.map_height,
                       .map_width = task->result.map_width,
                       .rule = graph->rule,
                       .levels = look_of(graph, task->params).levels,
                       .canvas = canvas_of(pic->it)->rgb,
                       .params = task->params};
  picture_size(task->params, &task->result, &order.width, &order.height);
  return paint_label(&order, &p->heatmap, &p->overlay, &pic->error);
}

static void render_one(void *closure, int index, int thread) {
  (void)thread;
  const render_call *call = closure;
  picture *pic = &call->pictures[index];
  if (pic->it->deadline > 0 && clock_seconds() >= pic->it->deadline)
    cam_fail(&pic->error, CAM_E_DEADLINE, "the deadline passed before picture %d of %d", index + 1,
             pic->it->task->result.count);
  else
    render_label(call->context->model->graph, pic);
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
  for (int i = 0; i < count && !code; i++) {
    code = pictures[i].error.code;
    if (code)
      it->task->error = pictures[i].error;
  }
  return code;
}

/* What the model cannot do with any photo. */
static cam_code check_params(const cam_context *context, cam_task *task) {
  const cam_graph *graph = context->model->graph;
  if (!graph->one_size || task->params->resize != CAM_ASPECT)
    return CAM_OK;
  return cam_fail(&task->error, CAM_E_PARAMETER,
                  "resize: %s takes %d x %d alone, so \"aspect\" is not possible; \"stretch\" is",
                  graph->name, graph->width, graph->height);
}

/* ---- the way ---- */

static const struct {
  cam_stage stage;
  cam_code (*run)(cam_context *, item *);
} way[] = {
    {CAM_STAGE_DECODE, decode}, {CAM_STAGE_RESIZE, resize},  {CAM_STAGE_FORWARD, classify},
    {CAM_STAGE_CAM, choose},    {CAM_STAGE_FORWARD, refine}, {CAM_STAGE_CAM, explain_classes},
    {CAM_STAGE_RENDER, render},
};

/* One photo, by the whole team. */
static void explain_photo(cam_context *context, cam_task *task, double deadline, double *stage_ms) {
  item it = {.task = task, .deadline = deadline};
  double since = clock_seconds();
  memset(&task->result, 0, sizeof task->result);
  memset(&task->error, 0, sizeof task->error);
  cam_code code = check_params(context, task);
  if (!code)
    code = cost_check(context, task, &task->error);
  for (size_t i = 0; i < sizeof way / sizeof *way && !code; i++) {
    const cam_stage stage = way[i].stage;
    if (deadline > 0 && since >= deadline)
      code = cam_fail(&task->error, CAM_E_DEADLINE, "the deadline passed before the stage %s",
                      cam_stage_name(stage));
    else
      code = way[i].run(context, &it);
    if (code)
      task->error.stage = cam_stage_name(stage);
    double end = clock_seconds();
    stage_ms[stage] += (end - since) * 1e3;
    since = end;
  }
  image_free(&it.photo.image);
  image_free(&it.input);
  image_free(&it.canvas);
  free(it.maps.values);
  if (code)
    cam_result_free(&task->result);
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

void cam_result_free(cam_result *result) {
  if (!result)
    return;
  for (int i = 0; i < result->count; i++) {
    free(result->predictions[i].overlay.data);
    free(result->predictions[i].heatmap.data);
  }
  free(result->maps);
  free(result->probabilities);
  memset(result, 0, sizeof *result);
}

/* ---- self-test, on the made picture ---- */

cam_code cam_self_test(cam_context *context, cam_error *error) {
  const cam_graph *graph = context->model->graph;
  void *input;
  cam_code code = forward_plan(context->forward, graph->height, graph->width, &input, error);
  if (code)
    return code;
  cam_made_input(graph, input);
  forward_run(context->forward, context->logits, NULL);
  double most = 0;
  for (int i = 0; i < graph->n_self_test; i++)
    most = fmax(most, fabs(graph->self_test[i].logit));
  double allowed = 1e-3 * most;
  if (graph->bit_exact)
    allowed = 1e-8 * most; /* what its nine digits leave open */
  for (int i = 0; i < graph->n_self_test; i++) {
    int class_id = graph->self_test[i].class_id;
    double logit = context->logits[class_id], difference = fabs(logit - graph->self_test[i].logit);
    if (!(difference <= allowed))
      return cam_fail(
          error, CAM_E_MODEL,
          "self-test: the logit of class %d is %.6g; the model file says %.6g (allowed: %.2g off)",
          class_id, logit, graph->self_test[i].logit, allowed);
  }
  return CAM_OK;
}
