/* tuned_graph.h - the network that is trained: a model's own, or that with a last fc for new
 * classes. Flow: model file -> [tuned_graph] -> samples, trainer, model file. Thread: one. */
#ifndef TUNED_GRAPH_H
#define TUNED_GRAPH_H
#include "cam_train.h"
#include "network/graph.h"

typedef struct tuned_graph {
  cam_graph graph;   /* nodes are its own; tensors are the base's but for the new fc's */
  bool is_new;       /* the last fc is */
  int features;      /* the node that the last fc reads; -1: the last node is none */
  cam_tensor weight; /* of the new fc: [classes,channels] */
  float *values;     /* its data, all 0 at first; for head_fit to fill */
} tuned_graph;

/* base is borrowed. out needs tuned_graph_free whatever the code. CAM_E_MODEL naming what cannot be
 * trained; CAM_E_PARAMETER: an option that the network does not allow; CAM_E_NO_MEMORY. */
cam_code tuned_graph_make(const cam_graph *base, const cam_tune_options *options, int n_classes,
                          tuned_graph *out, cam_error *error);
void tuned_graph_free(tuned_graph *tuned); /* all zero is allowed */

#endif
