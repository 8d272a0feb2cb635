/* class_map.h - small planes of floats: class maps at the grid -> any size -> scaled.
 * Flow: forward -> [class map] -> box, overlay. Thread: worker; touches only its arguments. Blind
 * to HTTP, JSON, files. */
#ifndef CLASS_MAP_H
#define CLASS_MAP_H
#include "network/graph.h"
#include <stdint.h>

/* in [h,w] -> out [H,W]; no allocation; all sides at least 1. */
void map_resize(map_rule rule, const float *in, int h, int w, float *out, int H, int W);

/* What of a plane becomes 0 and 1. */
typedef enum map_scaling {
  MAP_MINMAX = CAM_MINMAX, /* (value - least) / (most - least); flat: all values are equal */
  MAP_RELU = CAM_RELU,     /* max(value, 0) / most; flat: none is above 0 */
  MAP_SIDES                /* value / the largest magnitude: -1..1; flat: all are 0 */
} map_scaling;

/* Scales n values (in may be out). A flat plane becomes 0. Returns 0 if it was flat, else 1. */
int map_scale(map_scaling how, const float *in, int n, float *out);

/* map_resize and scaling of the result to levels, row by row, without the plane of floats between:
 * 0..1 to 0..255, truncated; of MAP_SIDES -1..1 to 1..255, rounded, so that 0 is 128. `in` is
 * borrowed. NULL: no memory. */
typedef struct map_levels map_levels;
map_levels *map_levels_new(map_rule rule, map_scaling how, const float *in, int h, int w, int H,
                           int W);
void map_levels_free(map_levels *levels);        /* NULL is allowed */
int map_levels_spread(const map_levels *levels); /* 0: the plane is flat, else 1 */
void map_levels_row(map_levels *levels, int y,
                    uint8_t *out); /* row y, [W]; fast from the top down */

#endif
