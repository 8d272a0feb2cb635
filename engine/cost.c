/* cost.c - what explaining takes at most, from the photos' headers alone. Flow: probe -> [cost] ->
 * whoever decides whether there is room. Thread: any; touches only its arguments.
 *
 * A photo on its way holds most at one of these moments:
 *   decoded    what its decoder says that it takes (photo_work_bytes)
 *   again      the first decoding's picture, while the whole photo is decoded for its overlay
 *   averaged   photo, input, and what the larger passes of detail=fine take (fine.c)
 *   rendered   photo, input and canvas; of each label in the making what painting takes
 *              (paint_work_bytes), or made of it; and all finished pictures */
#include "cost.h"
#include "cam_minmax.h"
#include "fine.h"
#include "model/detail.h"
#include "model/sizes.h"
#include "photo/decode.h"
#include "render/paint.h"
#include "render/picture.h"
#include <limits.h>

enum {
  BYTES = 3 /* of a pixel */,
  NUMBER = 128 /* on its way into the reply */,
  SMALL_THINGS = 256 << 10 /* tables, lists, headers */
};

/* Rows that wait for the second pass, one that is spread out, and the weights of both
 * (photo/resize.c). */
static uint64_t resize_bytes(int in_width, int in_height, int width, int height) {
  const uint64_t row = BYTES * (uint64_t)width + 256,
                 rows = 4 * ((uint64_t)in_height / (unsigned)height + 4),
                 weights = 16 * ((uint64_t)in_width + (uint64_t)in_height + 8 * (uint64_t)width +
                                 8 * (uint64_t)height);
  return rows * row + weights + 32 * (uint64_t)in_width;
}

static uint64_t image_bytes(int width, int height) {
  return BYTES * (uint64_t)width * (uint64_t)height;
}

static bool has_pictures(const cam_params *params) {
  return params->include & (CAM_INCLUDE_OVERLAY | CAM_INCLUDE_HEATMAP);
}

/* All pictures of a photo when they are finished. */
static uint64_t finished_bytes(const cam_params *params, int count, int width, int height) {
  uint64_t each = 0;
  if (params->include & CAM_INCLUDE_OVERLAY)
    each += picture_most_bytes(params->picture, width, height, 3);
  if (params->include & CAM_INCLUDE_HEATMAP)
    each += picture_most_bytes(params->picture, width, height, 1);
  return each * (uint64_t)count;
}

/* Is the photo wanted whole, also where it was decoded to what the network needs? */
static bool is_wanted_whole(const cam_params *params) {
  return params->size == CAM_SIZE_ORIGINAL && params->include & CAM_INCLUDE_OVERLAY;
}

/* The sizes of a photo's way, and what it takes to begin it. */
typedef struct way {
  cam_photo photo;
  cam_result sizes;
  int width, height;  /* of the pictures */
  int count;          /* of labels */
  uint64_t decoding;  /* bytes at most, the first time or the second */
  uint64_t map_cells; /* of a label's map, at most */
  uint64_t kept;      /* bytes of what decoding leaves for the pictures */
  uint64_t averaging; /* bytes at most; 0: nothing is averaged */
  uint64_t said;      /* bytes of what is said beside the labels */
} way;

static void plan_decoding(const cam_params *params, way *w) {
  int width, height;
  size_t image, whole;
  least_size(&w->sizes, &width, &height);
  w->decoding = photo_work_bytes(&w->photo, width, height, &image);
  w->kept = image;
  if (!is_wanted_whole(params))
    return;
  const size_t again = photo_work_bytes(&w->photo, INT_MAX, INT_MAX, &whole);
  if (whole == image)
    return;
  w->decoding = max_uint64(w->decoding, image + again);
  w->kept = image + whole;
}

/* After decoding, while larger inputs go through the network. */
static uint64_t averaging_bytes(const cam_context *context, const way *w) {
  const cam_result *sizes = &w->sizes;
  int width, height;
  larger_input(context->model->graph, sizes, DETAIL_PASSES - 1, &width, &height);
  return w->kept + image_bytes(sizes->input_width, sizes->input_height) +
         resize_bytes(sizes->width, sizes->height, width, height) +
         fine_work_bytes(context, image_bytes(width, height), w->count + 1);
}

/* After decoding, `abreast` labels at a time: all pictures are finished but for theirs, or all are.
 */
static uint64_t rendering_bytes(const way *w, const cam_params *params, int abreast) {
  const cam_result *sizes = &w->sizes;
  const int count = w->count;
  uint64_t bytes = w->kept + image_bytes(sizes->input_width, sizes->input_height) +
                   sizeof(float) * w->map_cells * (uint64_t)(count + 1 /* that of minus */) +
                   resize_bytes(sizes->width, sizes->height, sizes->input_width,
                                sizes->input_height);
  if (!has_pictures(params))
    return bytes;
  if (w->width != sizes->width || w->height != sizes->height)
    bytes += image_bytes(w->width, w->height) +
             resize_bytes(sizes->width, sizes->height, w->width, w->height);
  const int made = min_int(abreast, count);
  const uint64_t each = finished_bytes(params, 1, w->width, w->height),
                 making = paint_work_bytes(params, w->width, w->height);
  return bytes + max_uint64((uint64_t)(count - made) * each + (uint64_t)made * making,
                            (uint64_t)count * each);
}

/* Of what is said of all classes, and of the tree that it is printed from; that of maps: plan_maps.
 */
static uint64_t probability_bytes(const cam_context *context, const cam_params *params) {
  if (!(params->include & CAM_INCLUDE_PROBABILITIES))
    return 0;
  return (sizeof(float) + NUMBER) * (uint64_t)context->model->info.classes;
}

static int count_of(const cam_context *context, const cam_params *params) {
  return min_int(params->top_k + params->n_classes, context->model->info.classes);
}

/* One photo: what it takes at most, its finished pictures included, and those alone. */
typedef struct photo_cost {
  uint64_t most, finished, step, map_values;
  uint64_t said; /* in most, too; there until the whole reply is written */
} photo_cost;

static void plan_maps(const cam_context *context, const cam_params *params, way *w) {
  w->map_cells = context->model->map_cells[params->detail];
  if (params->include & CAM_INCLUDE_MAP)
    w->said += NUMBER * w->map_cells * (uint64_t)w->count;
  if (params->detail == CAM_FINE)
    w->averaging = averaging_bytes(context, w);
}

/* False: it is no photo. */
static bool plan_way(const cam_context *context, const cam_task *task, way *w) {
  *w = (way){.count = count_of(context, task->params),
             .said = probability_bytes(context, task->params)};
  if (photo_probe(task->bytes, task->n_bytes, &context->limits, &w->photo, NULL))
    return false;
  set_sizes(context->model->graph, &w->photo, task->params, &w->sizes);
  picture_size(task->params, &w->sizes, &w->width, &w->height);
  plan_decoding(task->params, w);
  plan_maps(context, task->params, w);
  return true;
}

static photo_cost cost_of(const way *w, const cam_params *params, int abreast) {
  const uint64_t finished = finished_bytes(params, w->count, w->width, w->height),
                 rendering = rendering_bytes(w, params, abreast),
                 making = paint_work_bytes(params, w->width, w->height);
  return (photo_cost){
      .most = SMALL_THINGS + w->said +
              max_uint64(max_uint64(finished, w->averaging), max_uint64(w->decoding, rendering)),
      .finished = finished,
      .said = w->said,
      .step = max_uint64(w->decoding, making),
      .map_values = w->map_cells * (uint64_t)w->count};
}

/* Alone, one label after another, as a photo is explained that takes much. */
static cam_code check_way(const cam_context *context, const way *w, const cam_params *params,
                          cam_error *error) {
  const uint64_t allowed = context->limits.work_bytes, most = cost_of(w, params, 1).most;
  if (!allowed || most <= allowed)
    return CAM_OK;
  return cam_fail(error, CAM_E_BUDGET,
                  "decoding and rendering may take %llu bytes of memory; allowed are %llu: "
                  "size=fit, detail=normal or fewer labels make it less",
                  (unsigned long long)most, (unsigned long long)allowed);
}

cam_code cost_check(const cam_context *context, const cam_task *task, cam_error *error) {
  way w;
  if (!context->limits.work_bytes || !plan_way(context, task, &w))
    return CAM_OK;
  return check_way(context, &w, task->params, error);
}

/* Photos side by side are as many as the team has threads; one after another, the largest counts.
 */
cam_cost cam_cost_of(const cam_context *context, const cam_task *tasks, int n_tasks, bool alone) {
  int threads = team_threads(context->team), photos = 1;
  if (alone)
    threads = 1;
  else if (n_tasks >= cam_spread_least(context))
    photos = threads;
  uint64_t sum = 0, largest = 0, said = 0;
  cam_cost cost = {0};
  for (int i = 0; i < n_tasks; i++) {
    way w;
    if (!plan_way(context, &tasks[i], &w) || check_way(context, &w, tasks[i].params, NULL))
      continue; /* it will not be explained */
    const photo_cost one = cost_of(&w, tasks[i].params, photos > 1 ? 1 : threads);
    const uint64_t beyond = one.most - one.finished - one.said;
    sum += beyond;
    largest = max_uint64(largest, beyond);
    said += one.said;
    cost.picture_bytes += one.finished;
    cost.map_values += one.map_values;
    cost.step_bytes = max_uint64(cost.step_bytes, one.step);
  }
  cost.work_bytes = cost.picture_bytes + said + min_uint64(sum, (uint64_t)photos * largest);
  return cost;
}
