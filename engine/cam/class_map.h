/* class_map.h - small planes of floats: class maps at the grid -> any size -> scaled.
 * Flow: forward -> [class map] -> box, overlay. Thread: worker; touches only its arguments. Blind
 * to HTTP, JSON, files. */
#ifndef CLASS_MAP_H
#define CLASS_MAP_H
#include "network/graph.h"
#include <stdint.h>

/* in [h,w] -> out [H,W]; no allocation; all sides at least 1. */
void map_resize(map_rule rule, const float *in, int h, int w, float *out, int H, int W);

/* Scaling of n values to 0..1 (in may be out): CAM_MINMAX (in - least) / (most - least), CAM_RELU
 * max(in, 0) / most. A flat plane becomes 0: all values equal, or under CAM_RELU none above 0.
 * Returns 0 if it was flat, else 1. */
int map_scale(cam_scale scale, const float *in, int n, float *out);

/* map_resize and scaling of the result to 0..255, truncated, in one pass and without the plane of
 * floats between. Returns as map_scale. */
int map_heat(map_rule rule, cam_scale scale, const float *in, int h, int w, uint8_t *out, int H,
             int W);

#endif
