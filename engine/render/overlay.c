/* overlay.c - heat over a photo.   Flow: class map, photo -> [overlay] -> PNG.   Thread: any.
 * alpha * colour + (1 - alpha) * photo in integers of 2^-24, the same on every CPU. A run of pixels
 * gets its colours from the table first; the blend is then one loop over bytes that the compiler
 * vectorises. */
#include "overlay.h"
#include "base/clones.h"
#include "cam_minmax.h"
#include <math.h>
#include <string.h>

enum {
  BITS = 24,
  RUN = 1024 /* pixels: so many that the first colours have reached the cache before they are read;
                a wide load waits for the narrow stores that it covers */
};
static const uint32_t one = 1u << BITS;
/* Half, to round; and more than the error of a decimal alpha that became a float and then a
 * multiple of 2^-24 (2 * 255 / 2 units at most). So ties of an alpha of up to four decimal digits,
 * which that error would decide by chance, all go up, as in exact arithmetic. */
static const uint32_t half = (1u << (BITS - 1)) + 256;

overlay overlay_of(const colormap_table *colours, float alpha) {
  overlay o = {.weight = (uint32_t)lrint(fmin(fmax(alpha, 0.0), 1.0) * one)};
  for (int i = 0; i < 256; i++)
    memcpy(o.colours[i], (*colours)[i], 3);
  return o;
}

CLONES static void blend_run(const uint8_t *photo, const uint8_t *hot, size_t n, uint32_t weight,
                             uint8_t *out) {
  const uint32_t rest = one - weight;
  for (size_t i = 0; i < n; i++)
    out[i] = (uint8_t)((weight * hot[i] + rest * photo[i] + half) >> BITS);
}

/* The same for equal weights, in bytes: what alpha is unless it is given. */
CLONES static void blend_run_evenly(const uint8_t *photo, const uint8_t *hot, size_t n,
                                    uint8_t *out) {
  for (size_t i = 0; i < n; i++)
    out[i] = (uint8_t)((hot[i] + photo[i] + 1) >> 1);
}

void overlay_blend(const overlay *o, const uint8_t *photo, const uint8_t *heat, size_t n,
                   uint8_t *out) {
  _Alignas(64) uint8_t hot[3 * RUN + 1];
  for (size_t i = 0; i < n; i += RUN) {
    const size_t run = min_size(n - i, RUN);
    /* Colours are copied as four bytes, one load and one store; the next pixel overwrites the
     * fourth. */
    for (size_t k = 0; k < run; k++)
      memcpy(hot + 3 * k, o->colours[heat[i + k]], 4);
    if (o->weight == one / 2)
      blend_run_evenly(photo + 3 * i, hot, 3 * run, out + 3 * i);
    else
      blend_run(photo + 3 * i, hot, 3 * run, o->weight, out + 3 * i);
  }
}
