/* pixels.h - 8-bit RGB -> what the network sees, and back. Flow: resize -> [pixels] -> forward.
 * Thread: any; touches only its arguments. */
#ifndef PIXELS_H
#define PIXELS_H
#include "network/graph.h"

/* A picture as the network sees it (network/graph.h): floats or levels. rgb and out: [cells,3]. */
void pixels_see(const cam_graph *graph, const uint8_t *rgb, size_t cells, void *out);
/* (pixel - mean) * scale of the graph, in its order of channels. rgb and out: [cells,3]. */
void pixels_normalize(const cam_graph *graph, const uint8_t *rgb, size_t cells, float *out);
/* The other way, rounded and held within 8 bits. */
void pixels_restore(const cam_graph *graph, const float *seen, size_t cells, uint8_t *rgb);

#endif
