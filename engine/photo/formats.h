/* formats.h - the kinds of photo, one row each: how a file is known, and who reads it. Flow:
 * [formats] -> probe_* -> decode_*. Thread: any. Implemented in engine/photo/formats.c. */
#ifndef FORMATS_H
#define FORMATS_H
#include "base/image.h"
#include "probe.h"

typedef struct photo_format {
  const char *name;  /* for people: "JPEG" */
  const char *magic; /* the first bytes of a file, up to the NUL */
  const char *brand; /* NULL, or the four bytes from the eighth on, which say what a RIFF holds */
  cam_code (*probe)(const uint8_t *bytes, size_t n, const cam_limits *limits, photo_plan *plan,
                    cam_error *error); /* see probe.h */
  /* Bytes that decoding holds at most at any moment, the result included; plan->least_width and
   * least_height count. *result: bytes of the result, all channels. */
  size_t (*work)(const photo_plan *plan, size_t *result);
  /* Decodes a probed photo, as stored, to sRGB. CAM_OK: *image is the caller's, for image_free.
   * Else it is empty and: CAM_E_PHOTO (broken, cut), CAM_E_FORMAT, CAM_E_BUDGET, CAM_E_DEADLINE,
   * CAM_E_NO_MEMORY. */
  cam_code (*decode)(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                     cam_error *error);
} photo_format;

/* The row of a kind. */
const photo_format *photo_format_of(cam_format format);
/* Kind by magic bytes. CAM_E_FORMAT names the kind that it is instead. */
cam_code photo_identify(const uint8_t *bytes, size_t n, cam_format *format, cam_error *error);

#endif
