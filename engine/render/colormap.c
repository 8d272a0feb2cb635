/* colormap.c - colormaps by name.   Flow: class map -> [colormap] -> overlay.   Thread: any.
 * A row of CAM_COLORMAPS names its table; the compiler says which one colormap_tables.h lacks. */
#include "colormap.h"
#include "colormap_tables.h"
#include <stddef.h>

static const colormap_table *const tables[] = {
#define X(id, ...) &id##_COLOURS,
    CAM_COLORMAPS(X)
#undef X
};

const colormap_table *colormap_get(cam_colormap colormap) {
  if ((unsigned)colormap >= CAM_COLORMAP_COUNT)
    return NULL;
  return tables[colormap];
}
