/* decode_bmp.h - BMP. Flow: probe_bmp -> [decode_bmp] -> decode. Thread: any; a call touches only
 * its arguments. */
#ifndef DECODE_BMP_H
#define DECODE_BMP_H
#include "base/image.h"
#include "probe.h"

/* See photo_format; nothing but the result is held. */
size_t work_of_bmp(const photo_plan *plan, size_t *result);
cam_code decode_bmp(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error);

#endif
