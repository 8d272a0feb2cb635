/* decode_jpeg.c - JPEG, by codec/jpeg.h. Flow: probe_jpeg -> [decode_jpeg] -> decode. Thread: any.
 */
#include "decode_jpeg.h"
#include "codec/jpeg.h"

cam_code decode_jpeg(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                     cam_error *error) {
  return jpeg_decode(bytes, n, plan->width, plan->height, plan->least_width, plan->least_height,
                     plan->budget, plan->deadline, image, error);
}
