/* overlay.h - heat laid over a photo: round(alpha * colour[heat] + (1 - alpha) * photo). Thread:
 * worker. */
#ifndef OVERLAY_H
#define OVERLAY_H
#include "colormap.h"
#include <stddef.h>
/* photo [n,3], heat [n], out [n,3] (may be photo). alpha 0 to 1. The same formula for every pixel,
 * whatever n. */
void overlay_blend(const uint8_t *photo, const uint8_t *heat, size_t n,
                   const colormap_table *colours, float alpha, uint8_t *out);
#endif
