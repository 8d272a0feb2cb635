/* look.c - look.h. Flow: parameters, model -> [look] -> box, overlay. Thread: any; touches only its
 * arguments. */
#include "look.h"

/* minmax: the CAM paper's; relu: of 265 objects with true boxes more are found with it. */
static float usual_threshold(cam_scale scale) {
  if (scale == CAM_RELU)
    return 0.3f;
  return 0.2f;
}

map_look look_of(const cam_graph *graph, const cam_params *params) {
  map_look look = {params->scale, params->threshold};
  if (look.scale == CAM_SCALE_OF_MODEL)
    look.scale = graph->map_scale;
  if (!(look.threshold >= 0))
    look.threshold = usual_threshold(look.scale);
  return look;
}
