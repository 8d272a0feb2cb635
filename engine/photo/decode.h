/* decode.h - the bytes of a photo -> upright RGB pixels. Flow: [decode] -> resize -> forward.
 * Thread: any; a call touches only its arguments (the decoder's memory budget is per thread). */
#ifndef DECODE_H
#define DECODE_H
#include "base/image.h"
#include "cam_engine.h"
#include "probe.h"

typedef struct cam_photo {
  cam_format format; /* by magic bytes */
  int orientation;   /* what EXIF said, 1 to 8; 1 where it said nothing usable */
  int width, height; /* of the upright photo */
  cam_image image;   /* the upright photo, perhaps smaller, in sRGB, transparency laid over white:
                        photo_decode */
  photo_plan plan;   /* from photo_probe to photo_decode */
} cam_photo;

/* Reads what can be known without any memory: all of *photo but the image. JPEG, PNG (1 to 16 bit,
 * grey, palette, alpha, interlaced), WebP (lossy, lossless, alpha; of an animation the first
 * frame), BMP (palette, bit fields, alpha, RLE). Else: CAM_E_FORMAT (names GIF, HEIC, AVIF, SVG,
 * TIFF, PDF ... when it is one), CAM_E_PHOTO (broken, cut, no scan data), CAM_E_PIXELS (size
 * against the limit), CAM_E_BUDGET (scans against the limit). */
cam_code photo_probe(const uint8_t *bytes, size_t n, const cam_limits *limits, cam_photo *photo,
                     cam_error *error);

/* Bytes that photo_decode holds at most at any moment for a probed photo, the image included: known
 * before anything is decoded. It holds no more than cam_limits.decode_bytes either. *image (NULL
 * allowed): what is left in the end. */
size_t photo_work_bytes(const cam_photo *photo, int least_width, int least_height, size_t *image);

/* Decodes a probed photo. The image may be 1/2, 1/4 or 1/8 of the photo (sides rounded up) where
 * that costs less and has at least least_width x least_height pixels; it is always all of the
 * photo. CAM_OK: photo->image is the caller's, for image_free. Else it is empty and: CAM_E_PHOTO
 * (broken, cut), CAM_E_FORMAT, CAM_E_BUDGET (memory against the limit), CAM_E_NO_MEMORY. */
cam_code photo_decode(const uint8_t *bytes, size_t n, const cam_limits *limits, int least_width,
                      int least_height, cam_photo *photo, cam_error *error);

#endif
