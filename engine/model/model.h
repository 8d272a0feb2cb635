/* model.h - what stands behind cam_model: inside the engine only. */
#ifndef MODEL_H
#define MODEL_H
#include "cam_engine.h"
#include "network/network.h"

struct cam_model {
  cam_graph *graph; /* weights that the network has packed are dropped from it */
  char *path;
  network *net;
  uint64_t map_cells[CAM_DETAIL_COUNT]; /* of a class map at most */
  cam_model_info info;
};

#endif
