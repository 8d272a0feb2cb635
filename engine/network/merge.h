/* merge.h - chains of layers that run faster as one. Flow: fuse -> [merge] -> network. Thread:
 * loading. */
#ifndef MERGE_H
#define MERGE_H
#include "layer.h"

/* Puts one layer where a chain of them makes a block (block.c), or a product with what comes before
 * it. Of layers whose weights are not packed yet. CAM_E_NO_MEMORY: the network is as before. */
cam_code merge_layers(network *net, cam_error *error);

#endif
