/* jpeg.h - JPEG by libjpeg-turbo, which only engine/codec/jpeg.c names. Flow: probe -> [jpeg] ->
 * decode; picture -> [jpeg]. Thread: any; a call touches only its arguments. */
#ifndef JPEG_H
#define JPEG_H
#include "base/image.h"
#include "cam_engine.h"

/* Decodes bytes[0..n) of a probed photo, of which the probe read width x height; holds at most
 * `budget` bytes at any moment, the result included. The picture is the whole photo at 1, 1/2, 1/4
 * or 1/8 of its size (sides rounded up), the smallest of them that has least_width and
 * least_height; at 1 where none has. The pixels are those of libjpeg's own defaults, on every CPU.
 * CAM_OK: *image is the caller's, for image_free. Else it is empty and: CAM_E_PHOTO (broken, or any
 * data missing), CAM_E_FORMAT (of a kind that the library does not read), CAM_E_BUDGET,
 * CAM_E_DEADLINE (at `deadline`, seconds of CLOCK_MONOTONIC, it was not done; 0: none),
 * CAM_E_NO_MEMORY. */
cam_code jpeg_decode(const uint8_t *bytes, size_t n, int width, int height, int least_width,
                     int least_height, size_t budget, double deadline, cam_image *image,
                     cam_error *error);

/* pixels [height,width,channels], channels 1 (grey) or 3 (RGB), as a JPEG of quality 90. CAM_OK:
 * out->data is the caller's, for free(). Else it is empty: CAM_E_PIXELS (a side has more than
 * 65500), CAM_E_NO_MEMORY. The same bytes for the same picture, on every CPU. */
cam_code jpeg_encode(const uint8_t *pixels, int width, int height, int channels, cam_bytes *out,
                     cam_error *error);

#endif
