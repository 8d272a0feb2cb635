/* decode_jpeg.h - JPEG, by codec/jpeg.h. Flow: probe_jpeg -> [decode_jpeg] -> decode. Thread: any.
 */
#ifndef DECODE_JPEG_H
#define DECODE_JPEG_H
#include "base/image.h"
#include "probe.h"

/* See photo_format. */
size_t work_of_jpeg(const photo_plan *plan, size_t *result);
cam_code decode_jpeg(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                     cam_error *error);

#endif
