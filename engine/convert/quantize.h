/* quantize.h - a network in float32 -> the same in 8 bits, as far as there is an integer way for it
 * (network/quantized.h). Weights are symmetric, a scale a channel; planes are uint8 with a zero
 * point, from min to max of what photos showed (Jacob et al., CVPR 2018, arXiv 1712.05877). Flow:
 * graph, ranges -> [quantize] -> model file. One thread at a time. */
#ifndef QUANTIZE_H
#define QUANTIZE_H
#include "join.h"
#include "ranges.h"

/* graph: of float32, with its tensors; name: of the new model. The document is without "self_test".
 * *out is joined_free's. CAM_E_MODEL, CAM_E_NO_MEMORY. */
cam_code quantize_graph(const cam_graph *graph, const ranges *seen, const char *name, joined *out,
                        cam_error *error);

#endif
