/* sizes.h - how large a photo becomes on its way: for the network, for the overlays, when it is
 * decoded. Flow: probe -> [sizes] -> decode, resize, overlay. Thread: any; touches only its
 * arguments. */
#ifndef SIZES_H
#define SIZES_H
#include "cam_engine.h"
#include "network/graph.h"
#include "photo/decode.h"

/* Into the result: the photo's size, the way it is resized, and the network's input size. */
void set_sizes(const cam_graph *graph, const cam_photo *photo, const cam_params *params,
               cam_result *result);

/* The network's input in a pass of detail=fine (model/detail.h); of sizes, the photo's and the way
 * it is resized are read. */
void larger_input(const cam_graph *graph, const cam_result *sizes, int pass, int *width,
                  int *height);

/* What a photo is decoded to at least: the input is made out of half as many pixels again a side,
 * and overlays of the usual size are not enlarged. That is so whatever pictures are asked for: they
 * change nothing of labels, maps and boxes. */
void least_size(const cam_result *result, int *width, int *height);

#endif
