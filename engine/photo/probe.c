/* probe.c - what the probes share: is a size allowed? Flow: formats -> [probe] ->
 * decode. Thread: any. */
#include "probe.h"

cam_code plan_size(photo_plan *plan, int64_t width, int64_t height, const cam_limits *limits,
                   cam_error *error) {
  if (width < 1 || height < 1)
    return cam_fail(error, CAM_E_PHOTO, "%lld x %lld pixels", (long long)width, (long long)height);
  if (width > limits->max_pixels / height) /* not width * height: nothing to overflow */
    return cam_fail(error, CAM_E_PIXELS, "%lld x %lld = %llu pixels; allowed are %lld",
                    (long long)width, (long long)height,
                    (unsigned long long)width * (unsigned long long)height,
                    (long long)limits->max_pixels);
  if (width > limits->max_side || height > limits->max_side)
    return cam_fail(error, CAM_E_PIXELS, "%lld x %lld pixels; a side may have %d", (long long)width,
                    (long long)height, limits->max_side);
  plan->width = (int)width;
  plan->height = (int)height;
  return CAM_OK;
}
