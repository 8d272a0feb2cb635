/* overlay.c - heat over a photo.   Flow: class map, photo -> [overlay] -> PNG.   Thread: worker.
 * alpha * colour + (1 - alpha) * photo in integers of 2^-24: both products come from tables made once a call, so a pixel costs three
 * additions on any CPU, and the result is the same on every one of them. */
#include "overlay.h"
#include <math.h>

enum { BITS = 24 };
/* Half, to round; and more than the whole error of a decimal alpha that became a float and then a multiple of 2^-24 (2 * 255 / 2 units at
 * most), so that ties of an alpha of up to four decimal digits, which those errors would toss about, all go up as in exact arithmetic. */
static const uint32_t half = (1u << (BITS - 1)) + 256;

void overlay_blend(const uint8_t *photo, const uint8_t *heat, size_t n, const colormap_table *colours, float alpha, uint8_t *out) {
  const uint32_t one = 1u << BITS, weight = (uint32_t)lrint(fmin(fmax(alpha, 0.0), 1.0) * one);
  uint32_t hot[256][3], cold[256];
  for (int i = 0; i < 256; i++) {
    for (int c = 0; c < 3; c++) hot[i][c] = weight * (*colours)[i][c] + half;
    cold[i] = (one - weight) * (uint32_t)i;
  }
  for (size_t i = 0; i < n; i++, photo += 3, out += 3) {
    const uint32_t *colour = hot[heat[i]];
    const uint32_t r = colour[0] + cold[photo[0]], g = colour[1] + cold[photo[1]], b = colour[2] + cold[photo[2]];
    out[0] = (uint8_t)(r >> BITS);
    out[1] = (uint8_t)(g >> BITS);
    out[2] = (uint8_t)(b >> BITS);
  }
}
