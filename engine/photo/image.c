/* image.c - room for an 8-bit picture. Leaf. Any thread. */
#include "image.h"
#include <stdlib.h>

enum { SLACK = 4 }; /* readable bytes after the last pixel: four-byte loads of three-byte pixels stay inside */

bool image_alloc(cam_image *image, int width, int height) {
  *image = (cam_image){0};
  size_t n;
  if (width < 1 || height < 1 || __builtin_mul_overflow((size_t)width * 3, (size_t)height, &n) || n > SIZE_MAX / 2) return false;
  uint8_t *rgb = malloc(n + SLACK);
  if (!rgb) return false;
  for (int i = 0; i < SLACK; i++) rgb[n + i] = 0;
  *image = (cam_image){width, height, rgb};
  return true;
}

void image_free(cam_image *image) {
  free(image->rgb);
  *image = (cam_image){0};
}
