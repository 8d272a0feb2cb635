/* assets.h - the demo page and the API description, embedded into the binary from static/.
 * Implemented in server/http/assets.c. */
#ifndef ASSETS_H
#define ASSETS_H
#include <stddef.h>

struct asset {
  const char *path, *type;
  const unsigned char *begin, *end;
};
/* By the path of the URL; NULL if there is none. Any thread; static storage. */
const struct asset *asset_find(const char *path);

#endif
