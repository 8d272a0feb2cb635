/* box.h - a scaled class map -> where the object is: the largest 8-connected component of values >=
 * threshold (CAM paper, section 3.2). Thread: worker; touches only its arguments. */
#ifndef BOX_H
#define BOX_H
#include "cam_engine.h"

/* Pixels first..past-1 of row y, all hot. */
typedef struct box_run {
  int y, first, past, root, pixels;
} box_run;

/* map [height,width], scaled to 0..1, at the network's input size; box in pixels of a photo of
 * photo_width x photo_height (left and top floor, right and bottom ceil, inside the photo, at least
 * 1x1). Of components equally large the first in row order. flat: the whole photo. runs: scratch,
 * [map_box_runs(height, width)]. */
cam_box map_box(const float *map, int height, int width, float threshold, int flat, int photo_width,
                int photo_height, box_run *runs);
size_t map_box_runs(int height, int width);

#endif
