/* sizes.c - how large a photo becomes on its way. Flow:
 * probe -> [sizes] -> decode, resize, overlay. Thread: any; touches only its arguments. */
#include "sizes.h"
#include "cam_minmax.h"
#include "detail.h"
#include "render/picture.h"

/* The short side, and the long side to the nearest multiple, ties up. */
static void aspect_size(const cam_graph *graph, int side, int width, int height, int *in_width,
                        int *in_height) {
  const int64_t photo_long = max_int(width, height), photo_short = min_int(width, height),
                multiple = graph->multiple;
  int64_t longer = (2 * side * photo_long + multiple * photo_short) / (2 * multiple * photo_short) *
                   multiple;
  longer = max_int64(side, min_int64(longer, graph->max_side));
  *in_width = side;
  *in_height = side;
  if (width > height)
    *in_width = (int)longer;
  else
    *in_height = (int)longer;
}

/* The network's input size for a photo, in a pass of detail=fine; pass 0 is the usual one. */
static void input_size(const cam_graph *graph, cam_resize resize, int pass, int width, int height,
                       int *in_width, int *in_height) {
  const int own_width = detail_side(graph, graph->width, pass),
            own_height = detail_side(graph, graph->height, pass);
  switch (resize) {
  case CAM_STRETCH:
  case CAM_RESIZE_COUNT:
    *in_width = own_width;
    *in_height = own_height;
    return;
  case CAM_ASPECT:
    aspect_size(graph, min_int(own_width, own_height), width, height, in_width, in_height);
    return;
  }
}

void set_sizes(const cam_graph *graph, const cam_photo *photo, const cam_params *params,
               cam_result *result) {
  result->width = photo->width;
  result->height = photo->height;
  result->resize = params->resize;
  if (result->resize == CAM_RESIZE_OF_MODEL)
    result->resize = graph->resize;
  input_size(graph, result->resize, 0, result->width, result->height, &result->input_width,
             &result->input_height);
}

void larger_input(const cam_graph *graph, const cam_result *sizes, int pass, int *width,
                  int *height) {
  input_size(graph, sizes->resize, pass, sizes->width, sizes->height, width, height);
}

void least_size(const cam_result *result, int *width, int *height) {
  picture_size(&cam_default_params, result, width, height);
  *width = max_int(*width, (3 * result->input_width + 1) / 2);
  *height = max_int(*height, (3 * result->input_height + 1) / 2);
}
