/* fine.c - fine.h. Flow: photo, maps -> [fine] -> boxes, overlays. Thread: worker, with its team.
 * The larger passes have a forward of their own, for their time only: what its arena takes is given
 * back, and is counted as the request's (cost.c), not as the worker's. */
#include "fine.h"
#include "cam/class_map.h"
#include "cam_clock.h"
#include "model/detail.h"
#include "model/sizes.h"
#include "photo/resize.h"
#include <stdlib.h>

typedef struct passes {
  cam_context *context;
  const cam_image *photo;
  const cam_result *sizes;
  double deadline;
  int n;
  const int *class_ids;
  forward *forward;
  float *logits; /* [classes], of no interest */
  cam_error *error;
} passes;

static cam_code run_larger(const passes *p, int pass, map_set *out) {
  const cam_model *model = p->context->model;
  int width, height;
  cam_image input = {0};
  if (p->deadline > 0 && clock_seconds() >= p->deadline)
    return cam_fail(p->error, CAM_E_DEADLINE, "the deadline passed before pass %d of %d", pass + 1,
                    DETAIL_PASSES);
  larger_input(model->graph, p->sizes, pass, &width, &height);
  cam_code code = resize_bicubic(p->photo, width, height, &input, p->error);
  if (!code)
    code = pass_run(model, p->forward, &input, p->logits, p->error);
  if (!code)
    code = pass_maps(p->forward, p->n, p->class_ids, out, p->error);
  image_free(&input);
  return code;
}

static size_t map_set_cells(const map_set *maps) {
  return (size_t)maps->height * (size_t)maps->width;
}

/* to += from / DETAIL_PASSES, enlarged; plane: scratch, a map of `to`. */
static void add_enlarged(map_rule rule, const map_set *from, map_set *to, float *plane) {
  const size_t cells = map_set_cells(to);
  for (int i = 0; i < to->n; i++) {
    float *sum = to->values + cells * (size_t)i;
    map_resize(rule, from->values + map_set_cells(from) * (size_t)i, from->height, from->width,
               plane, to->height, to->width);
    for (size_t k = 0; k < cells; k++)
      sum[k] += plane[k] / DETAIL_PASSES;
  }
}

/* HiResCAM divides a map by the cells of its plane, so that maps of several grids are alike once
 * all are divided by the same: the last one's. */
static void divide_alike(map_set *maps) {
  const float last = (float)map_set_cells(&maps[DETAIL_PASSES - 1]);
  for (int pass = 0; pass < DETAIL_PASSES - 1; pass++) {
    const size_t cells = map_set_cells(&maps[pass]), all = cells * (size_t)maps[pass].n;
    for (size_t k = 0; k < all; k++)
      maps[pass].values[k] *= (float)cells / last;
  }
}

/* The last has the largest grid; the average takes its place. */
static cam_code average_maps(map_rule rule, map_set *maps, cam_error *error) {
  map_set *last = &maps[DETAIL_PASSES - 1];
  const size_t all = map_set_cells(last) * (size_t)last->n;
  float *plane = malloc(map_set_cells(last) * sizeof *plane);
  if (!plane)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a class map");
  for (size_t k = 0; k < all; k++)
    last->values[k] /= DETAIL_PASSES;
  for (int pass = 0; pass < DETAIL_PASSES - 1; pass++)
    add_enlarged(rule, &maps[pass], last, plane);
  free(plane);
  return CAM_OK;
}

cam_code fine_maps(cam_context *context, const cam_image *photo, const cam_result *sizes,
                   double deadline, const int *class_ids, map_set *maps, cam_error *error) {
  const cam_model *model = context->model;
  if (!model->info.fine)
    return cam_fail(error, CAM_E_PARAMETER, "detail: fine; %s takes no other input than %d x %d",
                    model->info.name, model->info.width, model->info.height);
  passes p = {context, photo, sizes, deadline, maps->n, class_ids, NULL, NULL, error};
  map_set all[DETAIL_PASSES] = {*maps};
  cam_code code = forward_create(model->net, context->team, &p.forward, error);
  p.logits = malloc((size_t)model->info.classes * sizeof *p.logits);
  if (!code && !p.logits)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d logits", model->info.classes);
  for (int pass = 1; pass < DETAIL_PASSES && !code; pass++)
    code = run_larger(&p, pass, &all[pass]);
  if (!code && model->info.method == CAM_METHOD_HIRESCAM)
    divide_alike(all);
  if (!code)
    code = average_maps(model->graph->rule, all, error);
  forward_free(p.forward);
  free(p.logits);
  for (int pass = 0; pass < DETAIL_PASSES - 1; pass++)
    free(all[pass].values);
  *maps = all[DETAIL_PASSES - 1];
  return code;
}

/* The largest arena, the picture that goes in, all maps and the plane that they are added up by. */
uint64_t fine_work_bytes(const cam_context *context, uint64_t input_bytes, int n) {
  const cam_model *model = context->model;
  const uint64_t maps = (uint64_t)(DETAIL_PASSES * n + 1) * model->map_cells[CAM_FINE],
                 logits = (uint64_t)model->info.classes;
  return context->fine_bytes + input_bytes + sizeof(float) * (maps + logits);
}
