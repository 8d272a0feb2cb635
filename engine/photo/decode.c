/* decode.c - the bytes of a photo -> upright RGB pixels. Flow: formats -> probe -> jpeg |
 * decode_webp | decode_stb -> [decode] -> resize. Thread: any. */
#include "decode.h"
#include "codec/jpeg.h"
#include "decode_stb.h"
#include "decode_webp.h"
#include "probe.h"
#include <stdlib.h>
#include <string.h>

static cam_code (*const probes[CAM_FORMAT_COUNT])(const uint8_t *bytes, size_t n,
                                                  const cam_limits *limits, photo_plan *plan,
                                                  cam_error *error) = {
    [CAM_JPEG] = probe_jpeg,
    [CAM_PNG] = probe_png,
    [CAM_BMP] = probe_bmp,
    [CAM_WEBP] = probe_webp,
};

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

/* The photo with its patches; NULL if there is no memory. */
static uint8_t *patched(const photo_plan *plan, const uint8_t *bytes, size_t *n) {
  uint8_t *out = malloc(*n + plan->patch_size), *to = out;
  if (!out)
    return NULL;
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

/* Four channels over white -> three, in place. */
static void flatten(uint8_t *pixels, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t *from = pixels + 4 * i;
    uint32_t alpha = from[3];
    for (int c = 0; c < 3; c++) {
      uint32_t sum = from[c] * alpha + 255 * (255 - alpha) + 128;
      pixels[3 * i + c] = (uint8_t)((sum + (sum >> 8)) >>
                                    8); /* sum / 255, rounded (Blinn, IEEE CG&A 1995) */
    }
  }
}

/* All but JPEG. */
static cam_code decode_whole(const uint8_t *bytes, size_t n, cam_format format,
                             const photo_plan *plan, cam_image *image, cam_error *error) {
  uint8_t *copy = NULL, *pixels;
  size_t budget = plan->budget;
  int width = plan->width, height = plan->height;
  if (plan->patch_count) {
    if (budget <= n + plan->patch_size)
      return cam_fail(error, CAM_E_BUDGET,
                      "a copy of the photo takes %zu bytes; allowed are %zu to decode it", n,
                      budget);
    budget -= n + plan->patch_size;
    copy = patched(plan, bytes, &n);
    if (!copy)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory to decode the photo");
  }
  cam_code code = format == CAM_WEBP
                      ? webp_decode(bytes, n, width, height, plan->channels, budget, &pixels, error)
                      : stb_decode(format, copy ? copy : bytes, n, plan->channels, budget, &pixels,
                                   &width, &height, error);
  free(copy);
  if (code)
    return code;
  if (width != plan->width || height != plan->height) {
    free(pixels);
    return cam_fail(error, CAM_E_PHOTO, "%d x %d pixels were decoded, its header says %d x %d",
                    width, height, plan->width, plan->height);
  }
  if (plan->channels == 4) {
    size_t count = (size_t)width * height;
    flatten(pixels, count);
    uint8_t *smaller = realloc(pixels, 3 * count + 4); /* see cam_image */
    if (smaller)
      pixels = smaller;
  }
  *image = (cam_image){width, height, pixels};
  return CAM_OK;
}

static bool lies_on_its_side(const cam_photo *photo) { return photo->orientation >= 5; }

cam_code photo_probe(const uint8_t *bytes, size_t n, const cam_limits *limits, cam_photo *photo,
                     cam_error *error) {
  *photo = (cam_photo){.orientation = 1};
  cam_code code = photo_identify(bytes, n, &photo->format, error);
  if (!code)
    code = probes[photo->format](bytes, n, limits, &photo->plan, error);
  if (code)
    return code;
  if (photo->plan.orientation)
    photo->orientation = photo->plan.orientation;
  photo->width = lies_on_its_side(photo) ? photo->plan.height : photo->plan.width;
  photo->height = lies_on_its_side(photo) ? photo->plan.width : photo->plan.height;
  return CAM_OK;
}

cam_code photo_decode(const uint8_t *bytes, size_t n, const cam_limits *limits, int least_width,
                      int least_height, cam_photo *photo, cam_error *error) {
  const photo_plan *plan = &photo->plan;
  cam_image *image = &photo->image;
  int least_across = lies_on_its_side(photo) ? least_height : least_width,
      least_down = lies_on_its_side(photo) ? least_width : least_height;
  cam_code code = photo->format == CAM_JPEG
                      ? jpeg_decode(bytes, n, plan->width, plan->height, least_across, least_down,
                                    plan->budget, plan->deadline, image, error)
                      : decode_whole(bytes, n, photo->format, plan, image, error);
  if (code || photo->orientation == 1)
    return code;
  size_t both = 2 * 3 * (size_t)image->width * (size_t)image->height;
  if (both > limits->decode_bytes)
    code = cam_fail(error, CAM_E_BUDGET,
                    "turning the photo upright takes %zu bytes of memory; allowed are %zu", both,
                    limits->decode_bytes);
  else if (!image_turn(image, photo->orientation))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory to turn the photo upright");
  if (code)
    image_free(image);
  return code;
}
