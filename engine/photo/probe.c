/* probe.c - what the probes share: a plan's size and its patches. Flow: formats -> [probe] ->
 * decode. Thread: any. */
#include "probe.h"
#include <stdlib.h>
#include <string.h>

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

uint8_t *plan_patch(photo_plan *plan, size_t at, size_t removed, size_t inserted) {
  plan->patches[plan->patch_count++] = (photo_patch){at, removed, inserted};
  plan->patch_size += inserted;
  return plan->patch_bytes + plan->patch_size - inserted;
}

uint8_t *plan_patched(const photo_plan *plan, const uint8_t *bytes, size_t *n) {
  uint8_t *out = malloc(*n + plan->patch_size);
  if (!out)
    return NULL;
  uint8_t *to = out;
  const uint8_t *from = bytes, *insert = plan->patch_bytes;
  for (int i = 0; i < plan->patch_count; i++) {
    const photo_patch *patch = &plan->patches[i];
    to = mempcpy(to, from, bytes + patch->at - from);
    to = mempcpy(to, insert, patch->inserted);
    insert += patch->inserted;
    from = bytes + patch->at + patch->removed;
  }
  to = mempcpy(to, from, bytes + *n - from);
  *n = to - out;
  return out;
}
