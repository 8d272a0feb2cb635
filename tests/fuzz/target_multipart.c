/* target_multipart.c - a Content-Type up to the first line break, and after it a body: what the
 * parts are, and the request made of them. */
#include "fuzz.h"
#include "wire/multipart.h"
#include "wire/request.h"
#include <stdlib.h>
#include <string.h>

static void run(const uint8_t *bytes, size_t n) {
  const uint8_t *line = memchr(bytes, '\n', n);
  if (!line)
    return;
  char *type = fuzz_text(bytes, (size_t)(line - bytes));
  const uint8_t *body = line + 1, *last = body;
  n -= (size_t)(body - bytes);

  multipart reader;
  multipart_part part;
  cam_error error = {0};
  bool more = true;
  int parts = 0;
  cam_code code = multipart_open(&reader, type, body, n, &error);
  while (!code && !(code = multipart_next(&reader, &part, &more, &error)) && more) {
    parts++;
    PROMISE(part.name[0] && strlen(part.name) <= MULTIPART_NAME && part.bytes >= last &&
            part.n <= (size_t)(body + n - part.bytes));
    last = part.bytes + part.n; /* parts follow one another: nothing is read twice */
  }
  PROMISE(code == error.code && parts <= (int)(n / 4) && (code || !more));

  request_params params;
  request_photos photos;
  params_init(&params);
  error = (cam_error){0};
  code = request_read(type, body, n, &params, &photos, &error);
  PROMISE(code == error.code && (code || (photos.n >= 1 && photos.n <= CAM_MAX_TASKS)));
  for (int i = 0; i < photos.n && !code; i++)
    PROMISE(photos.photos[i].n && photos.photos[i].bytes >= body &&
            photos.photos[i].bytes + photos.photos[i].n <= body + n);
  request_photos_free(&photos);
  free(type);
}

const fuzz_target fuzz_multipart = {run, NULL};
