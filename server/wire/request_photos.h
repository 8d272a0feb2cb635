/* request_photos.h - the photos of a body. Implemented in server/wire/request_photos.c. Thread:
 * worker; touches only its arguments. */
#ifndef REQUEST_PHOTOS_H
#define REQUEST_PHOTOS_H
#include "cam_engine.h"

typedef struct request_photos {
  int n;
  struct {
    const uint8_t *bytes;
    size_t n;
  } photos[CAM_MAX_TASKS]; /* they point into the body or into decoded */
  uint8_t *decoded;        /* storage behind photos that came as base64 */
  size_t n_decoded;        /* bytes of it */
  void *asked; /* what a body says of its reply beside parameters, from malloc: protocol.h */
} request_photos;

/* texts[0..n), 1 to CAM_MAX_TASKS, each base64 or a data: URI (RFC 2397), become the photos, one
 * behind another in photos->decoded. CAM_E_BODY: an empty text, one that is no base64;
 * CAM_E_NO_MEMORY. Errors begin with name; numbered: with name and place, "image[1]: ...". */
cam_code request_photos_read(const char *const *texts, int n, const char *name, bool numbered,
                             request_photos *photos, cam_error *error);
void request_photos_free(request_photos *photos);

#endif
