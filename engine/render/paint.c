/* paint.c - paint.h. Flow: class map, photo -> [paint] -> picture.   Thread: any.
 * Pictures are made row by row, when their file asks: a row goes from the class map through heat
 * and colours into the file's filter while it is in the first-level cache, and there is no plane of
 * heat or of pixels. */
#include "paint.h"
#include "cam_minmax.h"
#include "overlay.h"
#include "picture.h"
#include <stdlib.h>

/* What rows are made of. */
typedef struct painting {
  const uint8_t *canvas;
  size_t width;
  map_levels *levels;
  overlay overlay;
  uint8_t *heat; /* [width] */
} painting;

static void make_heat(void *closure, int y, uint8_t *row) {
  const painting *p = closure;
  map_levels_row(p->levels, y, row);
}

static void make_overlay(void *closure, int y, uint8_t *row) {
  const painting *p = closure;
  map_levels_row(p->levels, y, p->heat);
  overlay_blend(&p->overlay, p->canvas + 3 * p->width * (size_t)y, p->heat, p->width, row);
}

static cam_code encode_rows(const paint_order *order, painting *p, int channels,
                            void (*make)(void *, int, uint8_t *), cam_bytes *out,
                            cam_error *error) {
  const pixel_rows rows = {.width = order->width,
                           .height = order->height,
                           .channels = channels,
                           .make = make,
                           .closure = p};
  return picture_encode(order->params->picture, &rows, out, error);
}

static cam_code paint(const paint_order *order, painting *p, cam_bytes *heatmap,
                      cam_bytes *overlay_file, cam_error *error) {
  cam_code code = CAM_OK;
  if (order->params->include & CAM_INCLUDE_HEATMAP)
    code = encode_rows(order, p, 1, make_heat, heatmap, error);
  if (!code && order->params->include & CAM_INCLUDE_OVERLAY)
    code = encode_rows(order, p, 3, make_overlay, overlay_file, error);
  return code;
}

cam_code paint_label(const paint_order *order, cam_bytes *heatmap, cam_bytes *overlay_file,
                     cam_error *error) {
  cam_code code;
  painting p = {.canvas = order->canvas,
                .width = (size_t)order->width,
                .levels = map_levels_new(order->rule, order->levels, order->map, order->map_height,
                                         order->map_width, order->height, order->width),
                .overlay = overlay_of(colormap_get(order->params->colormap), order->params->alpha),
                .heat = malloc((size_t)order->width)};
  if (p.levels && p.heat)
    code = paint(order, &p, heatmap, overlay_file, error);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for rows of %d pixels", order->width);
  map_levels_free(p.levels);
  free(p.heat);
  return code;
}

uint64_t paint_work_bytes(const cam_params *params, int width, int height) {
  enum { OF_A_COLUMN = 32 }; /* heat, and what it is enlarged with (cam/class_map.c) */
  uint64_t most = 0, before = 0;
  if (params->include & CAM_INCLUDE_HEATMAP) {
    most = picture_work_bytes(params->picture, width, height, 1);
    before = picture_most_bytes(params->picture, width, height, 1);
  }
  if (params->include & CAM_INCLUDE_OVERLAY)
    most = max_uint64(most, before + picture_work_bytes(params->picture, width, height, 3));
  return most + OF_A_COLUMN * (uint64_t)width;
}
