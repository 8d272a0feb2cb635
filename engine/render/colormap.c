/* colormap.c - colormaps by name: rows of one table.   Flow: class map -> [colormap] -> overlay.
 * Thread: any. */
#include "colormap.h"
#include "colormap_tables.h"
#include <stddef.h>

const colormap_table *colormap_get(cam_colormap colormap) {
  return (unsigned)colormap < CAM_COLORMAP_COUNT ? &colormap_tables[colormap] : NULL;
}
