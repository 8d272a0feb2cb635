/* image.c - room for an 8-bit picture, and turning it. Leaf. Any thread. */
#include "image.h"
#include "cam_minmax.h"
#include <stdlib.h>

/* SLACK: readable bytes after the last pixel, so that four-byte loads of three-byte pixels stay
 * inside. TILE: pixels a side of what image_turn does at a time, so that both pictures' parts stay
 * in the first cache while one is read across the rows of the other. */
enum { SLACK = 4, TILE = 32 };

bool image_alloc(cam_image *image, int width, int height) {
  *image = (cam_image){0};
  size_t n;
  if (width < 1 || height < 1 || __builtin_mul_overflow((size_t)width * 3, (size_t)height, &n) ||
      n > SIZE_MAX / 2)
    return false;
  uint8_t *rgb = malloc(n + SLACK);
  if (!rgb)
    return false;
  for (int i = 0; i < SLACK; i++)
    rgb[n + i] = 0;
  *image = (cam_image){width, height, rgb};
  return true;
}

/* Upright pixel (x, y) is the stored one at (x, y), or at (y, x) if swapped, counted from the right
 * and the bottom where flipped. CIPA DC-008-2019 (Exif 2.32) 4.6.5.A, Orientation. */
static const struct {
  bool swapped, from_right, from_bottom;
} turns[] = {
    [1] = {0, 0, 0}, [2] = {0, 1, 0}, [3] = {0, 1, 1}, [4] = {0, 0, 1},
    [5] = {1, 0, 0}, [6] = {1, 0, 1}, [7] = {1, 1, 1}, [8] = {1, 1, 0},
};
/* out(x, y) = the three bytes at origin + x * x_step + y * y_step, tile by tile. */
static void turn_tiles(const uint8_t *origin, ptrdiff_t x_step, ptrdiff_t y_step, cam_image *out) {
  for (int top = 0; top < out->height; top += TILE)
    for (int left = 0; left < out->width; left += TILE) {
      const int bottom = min_int(top + TILE, out->height), right = min_int(left + TILE, out->width);
      for (int y = top; y < bottom; y++) {
        const uint8_t *from = origin + y * y_step + left * x_step;
        uint8_t *to = out->rgb + ((size_t)y * (size_t)out->width + (size_t)left) * 3;
        for (int x = left; x < right; x++) {
          to[0] = from[0];
          to[1] = from[1];
          to[2] = from[2];
          from += x_step;
          to += 3;
        }
      }
    }
}

bool image_turn(cam_image *image, int orientation) {
  if (orientation <= 1 || orientation > 8)
    return true;
  const bool swapped = turns[orientation].swapped;
  int width = image->width, height = image->height;
  if (swapped) {
    width = image->height;
    height = image->width;
  }
  cam_image out;
  if (!image_alloc(&out, width, height))
    return false;
  ptrdiff_t across = 3, down = 3 * (ptrdiff_t)image->width; /* bytes to the stored neighbour */
  const uint8_t *origin = image->rgb;
  if (turns[orientation].from_right) {
    origin += (image->width - 1) * across;
    across = -across;
  }
  if (turns[orientation].from_bottom) {
    origin += (image->height - 1) * down;
    down = -down;
  }
  if (swapped)
    turn_tiles(origin, down, across, &out);
  else
    turn_tiles(origin, across, down, &out);
  image_free(image);
  *image = out;
  return true;
}

void image_free(cam_image *image) {
  free(image->rgb);
  *image = (cam_image){0};
}
