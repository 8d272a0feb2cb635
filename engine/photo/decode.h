/* decode.h - the bytes of a photo -> upright RGB pixels. Flow: [decode] -> resize -> forward.
 * Thread: any; a call touches only its arguments (the decoder's memory budget is per thread). */
#ifndef DECODE_H
#define DECODE_H
#include "cam_engine.h"
#include "image.h"

typedef struct cam_photo {
  cam_image image;   /* upright: EXIF orientation applied; transparency laid over white */
  cam_format format; /* by magic bytes */
  int orientation;   /* what EXIF said, 1 to 8; 1 where it said nothing usable */
} cam_photo;

/* JPEG, PNG (1 to 16 bit, grey, palette, alpha, interlaced), BMP. CAM_OK: photo->image is the caller's, for image_free. Else it is empty and:
 * CAM_E_FORMAT (names GIF, WebP, HEIC, AVIF, SVG, TIFF, PDF ... when it is one), CAM_E_PHOTO (broken, cut, no scan data), CAM_E_PIXELS (size
 * against the limit, from the header, before any allocation), CAM_E_BUDGET (memory or scans against the limit), CAM_E_NO_MEMORY. */
cam_code photo_decode(const uint8_t *bytes, size_t n, const cam_limits *limits, cam_photo *photo, cam_error *error);

#endif
