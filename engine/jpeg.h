/* jpeg.h - JPEG by libjpeg-turbo, which only engine/jpeg.c names. Flow: probe -> [jpeg] -> decode.
 * Thread: any; a call touches only its arguments. */
#ifndef JPEG_H
#define JPEG_H
#include "cam_engine.h"

/* Decodes bytes[0..n) of a probed photo, of which the probe read width x height, to RGB; holds at most `budget` bytes at any moment, the
 * result included. The pixels are those of libjpeg's own defaults, on every CPU.
 * CAM_OK: *pixels is the caller's, for free(), with 4 readable bytes after the last pixel. Else *pixels is NULL and: CAM_E_PHOTO (broken, or any
 * data missing), CAM_E_FORMAT (of a kind that the library does not read), CAM_E_BUDGET, CAM_E_NO_MEMORY. */
cam_code jpeg_decode(const uint8_t *bytes, size_t n, int width, int height, size_t budget, uint8_t **pixels, cam_error *error);

#endif
