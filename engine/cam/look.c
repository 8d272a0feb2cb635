/* look.c - look.h. Flow: parameters, model -> [look] -> box, overlay. Thread: any; touches only its
 * arguments. */
#include "look.h"

/* minmax: the CAM paper's; relu: of 265 objects with true boxes more are found with it. */
static float usual_threshold(map_scaling how, cam_detail detail) {
  if (how == MAP_RELU && detail == CAM_FINE)
    return 0.25f;
  if (how == MAP_RELU)
    return 0.3f;
  return 0.2f;
}

/* The least of a contrast is what speaks most for the other class: no place for 0. */
static map_scaling scaling_asked_for(const cam_graph *graph, const cam_params *params) {
  if (params->has_minus)
    return MAP_RELU;
  if (params->scale == CAM_SCALE_OF_MODEL)
    return (map_scaling)graph->map_scale;
  return (map_scaling)params->scale;
}

map_look look_of(const cam_graph *graph, const cam_params *params) {
  map_look look = {.threshold = params->threshold};
  look.box = scaling_asked_for(graph, params);
  look.levels = look.box;
  if (params->colormap == CAM_COOLWARM)
    look.levels = MAP_SIDES;
  if (!(look.threshold >= 0))
    look.threshold = usual_threshold(look.box, params->detail);
  return look;
}
