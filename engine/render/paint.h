/* paint.h - one label's pictures as files: its class map as heat, in grey and over the photo. Flow:
 * class maps, photo -> [paint] -> reply. Thread: any; touches only its arguments. */
#ifndef PAINT_H
#define PAINT_H
#include "cam/class_map.h"
#include "cam_engine.h"

typedef struct paint_order {
  const float *map; /* [map_height,map_width] */
  int map_height, map_width;
  map_rule rule;
  map_scaling levels;
  int width, height;        /* of the pictures */
  const uint8_t *canvas;    /* [height,width,3]; read only where an overlay is wanted */
  const cam_params *params; /* which pictures are wanted, and how */
} paint_order;

/* CAM_OK: the pictures are the caller's, for free(), empty what is not wanted. Else both may be
 * there or not, and are the caller's, too: as picture_encode, CAM_E_NO_MEMORY. */
cam_code paint_label(const paint_order *order, cam_bytes *heatmap, cam_bytes *overlay_file,
                     cam_error *error);

/* Bytes that it holds at most at any moment, its pictures included. */
uint64_t paint_work_bytes(const cam_params *params, int width, int height);

#endif
