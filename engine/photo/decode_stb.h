/* decode_stb.h - PNG and BMP by stb_image, which only engine/photo/decode_stb.c names. Flow: probe
 * -> [decode_stb] -> decode. Thread: any; memory is counted per thread. */
#ifndef DECODE_STB_H
#define DECODE_STB_H
#include "base/image.h"
#include "probe.h"

/* Each: see photo_format; plan->budget is kept, the result and a copy with the plan's patches
 * included. */
cam_code decode_png(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error);
cam_code decode_bmp(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error);

#endif
