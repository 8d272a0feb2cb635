/* decode_webp.h - WebP by libwebp, which only engine/photo/decode_webp.c names. Flow: probe_webp ->
 * [decode_webp] -> decode. Thread: any; memory is counted per thread. */
#ifndef DECODE_WEBP_H
#define DECODE_WEBP_H
#include "base/image.h"
#include "probe.h"

size_t work_of_webp(const photo_plan *plan, size_t *result);
/* See photo_format; plan->budget is kept, the result included, but for some blocks of at most 512
 * bytes. */
cam_code decode_webp(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                     cam_error *error);

#endif
