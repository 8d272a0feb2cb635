/* request_photos.c - request_photos.h. Flow: request, kserve -> [request_photos] -> engine.
 * Thread: worker. */
#include "request_photos.h"
#include "cam_encoding.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where the base64 begins; NULL: a data: URI of something else. */
static const char *payload_of(const char *text) {
  static const char encoding[] = ";base64";
  enum { LENGTH = sizeof encoding - 1 };
  if (strncasecmp(text, "data:", 5))
    return text;
  const char *comma = strchr(text, ',');
  if (!comma || comma - text < LENGTH || strncasecmp(comma - LENGTH, encoding, LENGTH))
    return NULL;
  return comma + 1;
}

static bool is_url(const char *text) {
  return !strncasecmp(text, "http://", 7) || !strncasecmp(text, "https://", 8);
}

/* Bytes that decoding n characters may write. */
static size_t room_for(size_t n) { return n / 4 * 3 + 3; }

static cam_code decode_next(request_photos *photos, const char *text, const char *where,
                            cam_error *error) {
  const char *payload = payload_of(text);
  if (!payload)
    return cam_fail(error, CAM_E_BODY, "%s: a data: URI without ;base64, in it", where);
  const size_t n = strlen(payload);
  uint8_t *to = photos->decoded + photos->n_decoded;
  size_t decoded = 0;
  if (!n)
    return cam_fail(error, CAM_E_BODY, "%s: empty; a base64 string is wanted", where);
  if (is_url(payload))
    return cam_fail(error, CAM_E_BODY,
                    "%s: a URL, and none is fetched; the photo is wanted, in base64", where);
  if (!cam_base64_decode(payload, n, to, &decoded) || !decoded)
    return cam_fail(error, CAM_E_BODY, "%s: not base64 (of length %zu)", where, n);
  photos->photos[photos->n].bytes = to;
  photos->photos[photos->n].n = decoded;
  photos->n_decoded += decoded;
  photos->n++;
  return CAM_OK;
}

cam_code request_photos_read(const char *const *texts, int n, const char *name, bool numbered,
                             request_photos *photos, cam_error *error) {
  char where[40];
  size_t room = 0;
  for (int i = 0; i < n; i++)
    room += room_for(strlen(texts[i]));
  photos->decoded = malloc(room);
  if (!photos->decoded)
    return cam_fail(error, CAM_E_NO_MEMORY, "%s: no memory for %zu bytes", name, room);
  cam_code code = CAM_OK;
  for (int i = 0; i < n && !code; i++) {
    if (numbered)
      snprintf(where, sizeof where, "%s[%d]", name, i);
    else
      snprintf(where, sizeof where, "%s", name);
    code = decode_next(photos, texts[i], where, error);
  }
  return code;
}

void request_photos_free(request_photos *photos) {
  free(photos->decoded);
  free(photos->asked);
  *photos = (request_photos){0};
}
