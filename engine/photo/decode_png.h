/* decode_png.h - PNG by libpng, which only engine/photo/decode_png.c names. Flow: probe_png ->
 * [decode_png] -> decode. Thread: any; memory is counted per thread. */
#ifndef DECODE_PNG_H
#define DECODE_PNG_H
#include "base/image.h"
#include "probe.h"

/* See photo_format; plan->budget is kept, the result included. */
size_t work_of_png(const photo_plan *plan, size_t *result);
cam_code decode_png(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error);

#endif
