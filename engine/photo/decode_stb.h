/* decode_stb.h - PNG and BMP by stb_image, which only engine/photo/decode_stb.c names. Flow: probe
 * -> [decode_stb] -> decode. Thread: any; memory is counted per thread. */
#ifndef DECODE_STB_H
#define DECODE_STB_H
#include "cam_engine.h"

/* Decodes bytes[0..n) of a probed photo to `channels` (3 or 4) bytes a pixel; holds at most
 * `budget` bytes at any moment, the result included. CAM_OK: *pixels is the caller's, for free(),
 * with 4 readable bytes after the last pixel. Else *pixels is NULL and: CAM_E_PHOTO, CAM_E_BUDGET,
 * CAM_E_NO_MEMORY. */
cam_code stb_decode(cam_format format, const uint8_t *bytes, size_t n, int channels, size_t budget,
                    uint8_t **pixels, int *width, int *height, cam_error *error);

#endif
