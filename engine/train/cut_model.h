/* cut_model.h - a network that ends early: what it computes up to a node, by the kernels that serve
 * it. Flow: picture -> [cut_model] -> plane, or what the last fc reads -> training. Thread: made by
 * one; each thread has a run of its own. */
#ifndef CUT_MODEL_H
#define CUT_MODEL_H
#include "base/image.h"
#include "network/forward.h"

/* Immutable once it is made. */
typedef struct cut_model {
  cam_graph graph; /* of the first nodes, and a gap behind them where they end in a plane */
  network *net;
  bool is_plane; /* what it gives is a plane, else one cell */
  int channels;
} cut_model;

/* Ends behind nodes[last] of the graph, which is borrowed. out needs cut_model_free whatever the
 * code. CAM_E_MODEL, CAM_E_NO_MEMORY. */
cam_code cut_model_make(const cam_graph *graph, int last, cut_model *out, cam_error *error);
void cut_model_free(cut_model *cut); /* all zero is allowed */

/* One thread's run of it. */
typedef struct cut_run {
  const cut_model *cut;
  cam_team *team; /* of one */
  forward *forward;
  float *means; /* [channels] */
} cut_run;
cam_code cut_run_make(const cut_model *cut, cut_run *out, cam_error *error);
void cut_run_free(cut_run *run); /* all zero is allowed */

/* Height and width of what it gives for an input of height x width (both 1 of one cell).
 * CAM_E_MODEL: the network does not take that size. */
cam_code cut_run_shape(cut_run *run, int height, int width, int out[2], cam_error *error);
/* out: [height,width,channels] of that shape. CAM_E_MODEL: a number is not finite. */
cam_code cut_run_do(cut_run *run, const cam_image *input, float *out, cam_error *error);

#endif
