/* thumbnail.c - cam_thumbnail: a photo, small, as JPEG. Flow: bytes -> decode -> resize -> JPEG,
 * smaller again until it has few enough bytes. Thread: any; reads the context's limits alone. */
#include "cam_engine.h"
#include "cam_minmax.h"
#include "context.h"
#include "photo/decode.h"
#include "photo/resize.h"
#include "render/picture.h"
#include <stdlib.h>

enum { LEAST_SIDE = 32 }; /* pixels: smaller ones say nothing */

/* The photo's sides where the longer one is at most `side`. */
static void fit(const cam_photo *photo, int side, int *width, int *height) {
  const int longer = max_int(photo->width, photo->height);
  *width = photo->width;
  *height = photo->height;
  if (longer <= side)
    return;
  *width = max_int(1, (int)((int64_t)photo->width * side / longer));
  *height = max_int(1, (int)((int64_t)photo->height * side / longer));
}

static cam_code encode_small(const cam_photo *photo, int side, cam_bytes *out, cam_error *error) {
  int width, height;
  cam_image small = {0};
  fit(photo, side, &width, &height);
  cam_code code = resize_bicubic(&photo->image, width, height, &small, error);
  const pixel_rows rows = pixel_rows_of(small.rgb, width, height, 3);
  if (!code)
    code = picture_encode(CAM_PICTURE_JPEG, &rows, out, error);
  image_free(&small);
  return code;
}

cam_code cam_thumbnail(const cam_context *context, const cam_task *task, int most_side,
                       size_t most_bytes, cam_bytes *out, cam_error *error) {
  cam_photo photo;
  *out = (cam_bytes){0};
  cam_code code = photo_probe(task->bytes, task->n_bytes, &context->limits, &photo, error);
  if (code)
    return code;
  int width, height;
  fit(&photo, most_side, &width, &height);
  code = photo_decode(task->bytes, task->n_bytes, &context->limits, width, height, &photo, error);
  if (code)
    return code;
  int side = min_int(most_side, max_int(photo.width, photo.height));
  code = encode_small(&photo, side, out, error);
  while (!code && out->size > most_bytes && side > LEAST_SIDE) {
    free(out->data);
    *out = (cam_bytes){0};
    side = max_int(LEAST_SIDE, side * 4 / 5);
    code = encode_small(&photo, side, out, error);
  }
  image_free(&photo.image);
  return code;
}
