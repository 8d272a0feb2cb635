/* look.h - how a class map is looked at for a request: what it leaves open, the model says, and the
 * scale. Flow: parameters, model -> [look] -> box, overlay. Thread: any; touches only its
 * arguments. */
#ifndef LOOK_H
#define LOOK_H
#include "class_map.h"

typedef struct map_look {
  map_scaling levels; /* of overlay and heat map */
  map_scaling box;
  float threshold; /* of the box */
} map_look;

map_look look_of(const cam_graph *graph, const cam_params *params);

#endif
