/* colormap.h - 256 RGB colours of each named colormap, matplotlib's. Implemented in
 * engine/render/colormap.c. */
#ifndef COLORMAP_H
#define COLORMAP_H
#include "cam_engine.h"
typedef uint8_t colormap_table[256][3];
/* Static storage; never NULL for a valid colormap. */
const colormap_table *colormap_get(cam_colormap colormap);
#endif
