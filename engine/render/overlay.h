/* overlay.h - heat laid over a photo: round(alpha * colour[heat] + (1 - alpha) * photo). Thread:
 * any; touches only its arguments. */
#ifndef OVERLAY_H
#define OVERLAY_H
#include "colormap.h"
#include <stddef.h>
/* What the same colours and alpha have in common: made once for all rows of a picture. */
typedef struct overlay {
  uint8_t colours[256][4]; /* the fourth is 0 */
  uint32_t weight;         /* of a colour, in 2^-24 */
} overlay;
overlay overlay_of(const colormap_table *colours, float alpha); /* alpha 0 to 1 */
/* photo [n,3], heat [n], out [n,3] (may be photo). The same formula for every pixel, whatever n. */
void overlay_blend(const overlay *o, const uint8_t *photo, const uint8_t *heat, size_t n,
                   uint8_t *out);
#endif
