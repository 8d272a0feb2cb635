/* assets.h - the demo page and the API description, embedded into the binary from static/.
 * Implemented in server/http/assets.c. To add a file, add a row. */
#ifndef ASSETS_H
#define ASSETS_H

/* X(symbol, file, path of the URL, Content-Type) */
#define ASSETS(X) \
  X(index, "static/index.html", "/", "text/html; charset=utf-8") \
  X(style, "static/style.css", "/assets/style.css", "text/css; charset=utf-8") \
  X(app, "static/app.js", "/assets/app.js", "text/javascript; charset=utf-8") \
  X(asking, "static/asking.js", "/assets/asking.js", "text/javascript; charset=utf-8") \
  X(viewer, "static/viewer.js", "/assets/viewer.js", "text/javascript; charset=utf-8") \
  X(heat, "static/heat.js", "/assets/heat.js", "text/javascript; charset=utf-8") \
  X(colormaps, "static/colormaps.js", "/assets/colormaps.js", "text/javascript; charset=utf-8") \
  X(photos, "static/photos.js", "/assets/photos.js", "text/javascript; charset=utf-8") \
  X(service, "static/service.js", "/assets/service.js", "text/javascript; charset=utf-8") \
  X(words, "static/words.js", "/assets/words.js", "text/javascript; charset=utf-8") \
  X(labels, "static/labels.js", "/assets/labels.js", "text/javascript; charset=utf-8") \
  X(link, "static/link.js", "/assets/link.js", "text/javascript; charset=utf-8") \
  X(strip, "static/strip.js", "/assets/strip.js", "text/javascript; charset=utf-8") \
  X(finder, "static/finder.js", "/assets/finder.js", "text/javascript; charset=utf-8") \
  X(notices, "static/notices.js", "/assets/notices.js", "text/javascript; charset=utf-8") \
  X(camera, "static/camera.js", "/assets/camera.js", "text/javascript; charset=utf-8") \
  X(takeaway, "static/takeaway.js", "/assets/takeaway.js", "text/javascript; charset=utf-8") \
  X(icon, "static/icon.svg", "/assets/icon.svg", "image/svg+xml") \
  X(touch_icon, "static/icon.png", "/assets/icon.png", "image/png") \
  X(sample_cat, "static/samples/cat.jpg", "/assets/samples/cat.jpg", "image/jpeg") \
  X(sample_coffee, "static/samples/coffee.jpg", "/assets/samples/coffee.jpg", "image/jpeg") \
  X(sample_admiral, "static/samples/admiral.jpg", "/assets/samples/admiral.jpg", "image/jpeg") \
  X(sample_rocket, "static/samples/rocket.jpg", "/assets/samples/rocket.jpg", "image/jpeg") \
  X(openapi, "openapi.json", "/openapi.json", "application/json") /* with the version in it */

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
