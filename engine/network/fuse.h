/* fuse.h - the nodes of a checked graph become layers. Flow: graph -> [fuse] -> merge -> network.
 * Thread: loading. An activation, a sum with an earlier plane and a 2x2 pooling move into the
 * convolution before them when nothing else sees what is between: they then cost nothing. */
#ifndef FUSE_H
#define FUSE_H
#include "layer.h"

/* Sets layers, features, linear and what is the head's of a network that has graph, kernels and
 * flags. Layers are the network's, after an error, too. CAM_E_MODEL: a node that no layer computes;
 * CAM_E_NO_MEMORY. */
cam_code fuse_nodes(network *net, cam_error *error);

#endif
