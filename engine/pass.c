/* pass.c - pass.h. Flow: resize -> [pass] -> fine, boxes, overlays. Thread: worker, with its team.
 */
#include "pass.h"
#include "model/pixels.h"
#include <math.h>
#include <stdlib.h>

cam_code pass_run(const cam_model *model, forward *f, const cam_image *input, float *logits,
                  cam_error *error) {
  void *seen;
  cam_code code = forward_plan(f, input->height, input->width, &seen, error);
  if (code)
    return code;
  pixels_see(model->graph, input->rgb, (size_t)input->height * (size_t)input->width, seen);
  forward_run(f, logits, NULL);
  for (int c = 0; c < model->info.classes; c++)
    if (!isfinite(logits[c]))
      return cam_fail(error, CAM_E_MODEL, "the logit of class %d is not finite", c);
  return CAM_OK;
}

cam_code pass_maps(forward *f, int n, const int *class_ids, map_set *out, cam_error *error) {
  float *maps[CAM_MAX_TOP_K + CAM_MAX_CLASSES + 1];
  *out = (map_set){.n = n};
  forward_map_size(f, &out->height, &out->width);
  const size_t cells = (size_t)out->height * (size_t)out->width;
  out->values = malloc((size_t)n * cells * sizeof *out->values);
  if (!out->values)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d class maps", n);
  for (int i = 0; i < n; i++)
    maps[i] = out->values + cells * (size_t)i;
  forward_class_maps(f, n, class_ids, maps);
  return map_set_check(out, class_ids, error);
}

cam_code map_set_check(const map_set *maps, const int *class_ids, cam_error *error) {
  const size_t cells = (size_t)maps->height * (size_t)maps->width;
  for (size_t i = 0; i < cells * (size_t)maps->n; i++)
    if (!isfinite(maps->values[i]))
      return cam_fail(error, CAM_E_MODEL, "the map of class %d is not finite",
                      class_ids[i / cells]);
  return CAM_OK;
}
