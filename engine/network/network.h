/* network.h - a graph made ready to run: operators fused into layers, weights packed for the
 * kernels. Flow: graph -> [network] -> forward. Immutable after network_create(), shared by all
 * threads. */
#ifndef NETWORK_H
#define NETWORK_H
#include "layer.h"

/* The graph is borrowed and must outlive the network. CAM_E_MODEL, CAM_E_NO_MEMORY. */
cam_code network_create(const cam_graph *graph, const kernels *k, network **out, cam_error *error);
/* As it is asked for. */
typedef struct network_making {
  const kernels *k;
  const kernels_int8 *k8; /* NULL: the best that goes with k */
  bool apart;             /* a layer a node, whose plane can be looked at (forward_watch) */
  bool blocks;            /* what can be a block is one, however small its planes: for tests */
} network_making;
cam_code network_create_as(const cam_graph *graph, const network_making *how, network **out,
                           cam_error *error);
void network_free(network *net); /* NULL is allowed */
/* What a class's logit is above the mean of its map, where the graph's method is cam. */
float network_bias(const network *net, int class_id);

#endif
