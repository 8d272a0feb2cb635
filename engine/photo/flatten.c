/* flatten.c - transparent pixels over white. Flow: decode_png | decode_webp -> [flatten] -> decode.
 * Thread: any. */
#include "flatten.h"
#include <stdlib.h>

/* Four channels over white -> three, in place. */
static void compose(uint8_t *pixels, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t *from = pixels + 4 * i;
    uint32_t alpha = from[3];
    for (int c = 0; c < 3; c++) {
      uint32_t sum = from[c] * alpha + 255 * (255 - alpha) + 128;
      pixels[3 * i + c] = (uint8_t)((sum + (sum >> 8)) >>
                                    8); /* sum / 255, rounded (Blinn, IEEE CG&A 1995) */
    }
  }
}

void trim_room(cam_image *image) {
  enum { SLACK = 4 }; /* see cam_image */
  uint8_t *smaller = realloc(image->rgb, 3 * (size_t)image->width * (size_t)image->height + SLACK);
  if (smaller)
    image->rgb = smaller;
}

void flatten(uint8_t *pixels, int width, int height, cam_image *image) {
  compose(pixels, (size_t)width * (size_t)height);
  *image = (cam_image){width, height, pixels};
  trim_room(image);
}
