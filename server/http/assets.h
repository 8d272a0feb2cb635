/* assets.h - the demo page and the API description, embedded into the binary from static/.
 * Implemented in server/http/assets.c. To add a file, add a row. */
#ifndef ASSETS_H
#define ASSETS_H
#include <stddef.h>

/* X(symbol, file, path of the URL, Content-Type) */
#define ASSETS(X) \
  X(index, "static/index.html", "/", "text/html; charset=utf-8") \
  X(style, "static/style.css", "/assets/style.css", "text/css; charset=utf-8") \
  X(app, "static/app.js", "/assets/app.js", "text/javascript; charset=utf-8") \
  X(viewer, "static/viewer.js", "/assets/viewer.js", "text/javascript; charset=utf-8") \
  X(heat, "static/heat.js", "/assets/heat.js", "text/javascript; charset=utf-8") \
  X(colormaps, "static/colormaps.js", "/assets/colormaps.js", "text/javascript; charset=utf-8") \
  X(icon, "static/icon.svg", "/assets/icon.svg", "image/svg+xml") \
  X(openapi, "static/openapi.json", "/openapi.json", "application/json")

#define X(symbol, file, path, type) \
  extern const unsigned char asset_##symbol##_begin[], asset_##symbol##_end[];
ASSETS(X)
#undef X

struct asset {
  const char *path, *type;
  const unsigned char *begin, *end;
};
/* By the path of the URL; NULL if there is none. Any thread; static storage. */
const struct asset *asset_find(const char *path);

#endif
