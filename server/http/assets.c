/* assets.c - the files of static/, a table. There is no file system behind the URLs: a path is one
 * of these or nothing. */
#include "assets.h"
#include <string.h>

/* X(symbol, file, path of the URL, Content-Type) */
#define ASSETS(X) \
  X(index, "static/index.html", "/", "text/html; charset=utf-8") \
  X(style, "static/style.css", "/assets/style.css", "text/css; charset=utf-8") \
  X(app, "static/app.js", "/assets/app.js", "text/javascript; charset=utf-8") \
  X(icon, "static/icon.svg", "/assets/icon.svg", "image/svg+xml") \
  X(openapi, "static/openapi.json", "/openapi.json", "application/json")

/* .incbin takes paths from the repository's root, where make runs. */
#define X(symbol, file, path, type) \
  __asm__(".section .rodata\n.balign 16\nasset_" #symbol "_begin:\n.incbin \"" file \
          "\"\nasset_" #symbol "_end:\n.byte 0\n.previous\n"); \
  extern const unsigned char asset_##symbol##_begin[], asset_##symbol##_end[];
ASSETS(X)
#undef X

const struct asset *asset_find(const char *path) {
  static const struct asset assets[] = {
#define X(symbol, file, url, type) {url, type, asset_##symbol##_begin, asset_##symbol##_end},
      ASSETS(X)
#undef X
  };
  for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
    if (!strcmp(assets[i].path, path))
      return &assets[i];
  return NULL;
}
