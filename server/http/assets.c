/* assets.c - the files of static/, a table. There is no file system behind the URLs: a path is one
 * of these or nothing. Flow: routes -> [assets].   Thread: any. */
#include "assets.h"
#include <string.h>

/* .incbin takes paths from the repository's root, where make runs, and then from where the Makefile
 * puts what it makes of static/. */
#define X(symbol, file, path, type) \
  __asm__(".section .rodata\n.balign 16\nasset_" #symbol "_begin:\n.incbin \"" file \
          "\"\nasset_" #symbol "_end:\n.byte 0\n.previous\n");
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
