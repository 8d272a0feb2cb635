/* overlay.c - heat over a photo.   Flow: class map, photo -> [overlay] -> PNG.   Thread: worker.
 * alpha * colour + (1 - alpha) * photo in integers of 2^-24, the same on every CPU. A run of pixels
 * gets its colours from the table first; the blend is then one loop over bytes that the compiler
 * vectorises. */
#include "overlay.h"
#include "base/clones.h"
#include "cam_minmax.h"
#include <math.h>
#include <string.h>

enum { BITS = 24, RUN = 128 /* pixels */ };
/* Half, to round; and more than the error of a decimal alpha that became a float and then a
 * multiple of 2^-24 (2 * 255 / 2 units at most). So ties of an alpha of up to four decimal digits,
 * which that error would decide by chance, all go up, as in exact arithmetic. */
static const uint32_t half = (1u << (BITS - 1)) + 256;

CLONES static void blend_run(const uint8_t *photo, const uint8_t *hot, size_t n, uint32_t weight,
                             uint32_t rest, uint8_t *out) {
  for (size_t i = 0; i < n; i++)
    out[i] = (uint8_t)((weight * hot[i] + rest * photo[i] + half) >> BITS);
}

void overlay_blend(const uint8_t *photo, const uint8_t *heat, size_t n,
                   const colormap_table *colours, float alpha, uint8_t *out) {
  const uint32_t one = 1u << BITS, weight = (uint32_t)lrint(fmin(fmax(alpha, 0.0), 1.0) * one);
  /* Colours are copied as four bytes, one load and one store; the next pixel overwrites the fourth.
   */
  uint8_t padded[256][4] = {{0}}, hot[3 * RUN + 1];
  for (int i = 0; i < 256; i++)
    memcpy(padded[i], (*colours)[i], 3);
  for (size_t i = 0; i < n; i += RUN) {
    const size_t run = min_size(n - i, RUN);
    for (size_t k = 0; k < run; k++)
      memcpy(hot + 3 * k, padded[heat[i + k]], 4);
    blend_run(photo + 3 * i, hot, 3 * run, weight, one - weight, out + 3 * i);
  }
}
