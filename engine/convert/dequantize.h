/* dequantize.h - a network in 8 bits -> the one in float32 that it stands for: what training begins
 * with. Flow: graph -> [dequantize] -> graph. One thread at a time. */
#ifndef DEQUANTIZE_H
#define DEQUANTIZE_H
#include "network/graph.h"

/* *out is of the same nodes, none with a quantization; it is for graph_free. CAM_E_NO_MEMORY,
 * CAM_E_IO (it goes through a file in memory), CAM_E_MODEL naming the node: its weights divided by
 * the picture's scale are not finite, or it shares a tensor with one of other scales. */
cam_code dequantize(const cam_graph *graph, cam_graph **out, cam_error *error);

#endif
