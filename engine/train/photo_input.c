/* photo_input.c - photo_input.h. */
#include "photo_input.h"
#include "cam_clock.h"
#include "cam_encoding.h"
#include "model/sizes.h"
#include "photo/decode.h"
#include "photo/resize.h"
#include <stdio.h>
#include <string.h>

static void hash_photo(const cam_photo *photo, char hash[65]) {
  char text[160], pixels[65];
  const cam_image *image = &photo->image;
  cam_sha256_hex(image->rgb, 3 * (size_t)image->width * (size_t)image->height, pixels);
  const int n = snprintf(text, sizeof text, "%dx%d %dx%d %s", photo->width, photo->height,
                         image->width, image->height, pixels);
  cam_sha256_hex((const uint8_t *)text, (size_t)n, hash);
}

cam_code photo_input(const cam_graph *graph, const cam_limits *limits, cam_resize resize,
                     const uint8_t *bytes, size_t n, cam_image *out, char hash[65],
                     cam_error *error) {
  cam_photo photo;
  cam_params params = cam_default_params;
  cam_result sizes = {0};
  int least_width, least_height;
  *out = (cam_image){0};
  params.resize = resize;
  cam_code code = photo_probe(bytes, n, limits, &photo, error);
  if (code)
    return code;
  set_sizes(graph, &photo, &params, &sizes);
  least_size(&sizes, &least_width, &least_height);
  if (limits->decode_ms)
    photo.plan.deadline = clock_seconds() + 1e-3 * limits->decode_ms;
  code = photo_decode(bytes, n, limits, least_width, least_height, &photo, error);
  if (code)
    return code;
  if (hash)
    hash_photo(&photo, hash);
  code = resize_bicubic(&photo.image, sizes.input_width, sizes.input_height, out, error);
  image_free(&photo.image);
  return code;
}

void photo_input_mirror(cam_image *picture) {
  for (int y = 0; y < picture->height; y++) {
    uint8_t *left = picture->rgb + 3 * (size_t)y * (size_t)picture->width;
    uint8_t *right = left + 3 * ((size_t)picture->width - 1);
    for (; left < right; left += 3, right -= 3) {
      uint8_t pixel[3];
      memcpy(pixel, left, 3);
      memcpy(left, right, 3);
      memcpy(right, pixel, 3);
    }
  }
}
