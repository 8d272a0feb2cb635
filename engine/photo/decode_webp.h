/* decode_webp.h - WebP by libwebp, which only engine/photo/decode_webp.c names. Flow: probe ->
 * [decode_webp] -> decode. Thread: any; memory is counted per thread. */
#ifndef DECODE_WEBP_H
#define DECODE_WEBP_H
#include "cam_engine.h"

/* Decodes bytes[0..n) of a probed photo to `channels` (3 or 4) bytes a pixel; holds at most
 * `budget` bytes at any moment, the result included (and some blocks of at most 512 bytes). CAM_OK:
 * *pixels is the caller's, for free(), with 4 readable bytes after the last pixel. Else *pixels is
 * NULL and: CAM_E_PHOTO, CAM_E_BUDGET, CAM_E_NO_MEMORY. */
cam_code webp_decode(const uint8_t *bytes, size_t n, int width, int height, int channels,
                     size_t budget, uint8_t **pixels, cam_error *error);

#endif
