/* context.h - what a cam_context is, for the files that work in one: explain.c (requests) and
 * bench.c (measurements). Made and freed in context.c. */
#ifndef CONTEXT_H
#define CONTEXT_H
#include "base/team.h"
#include "cam/box.h"
#include "model/model.h"
#include "network/forward.h"

struct cam_context {
  const cam_model *model;
  cam_team *team;
  forward *forward;
  cam_limits limits;
  size_t fine_bytes; /* an arena for the largest input of CAM_FINE; 0 where that is not possible */
  float *logits;     /* [classes] */
  float *scaled;     /* [max_side * max_side]: one class map at the network's input size */
  box_run *runs;     /* for map_box */
  cam_context **alone; /* [threads], each with a team of one: what a thread works in while others do
                          something else; NULL: the team is one */
};

#endif
