/* decode_stb.c - stb_image, fenced in. Flow: probe -> [decode_stb] -> decode. Thread: any.
 * Debian's is 2.27 (2022); what later versions repaired in the two formats that are compiled in is
 * either refused by the probes before (palettes shorter than their indices, unknown critical
 * chunks) or harmless here:
 *  - every allocation comes from a budget of this thread, so that a PNG cannot inflate without end
 * (the header says nothing about it); it is zeroed, because stb leaves pixels unwritten where data
 * is missing;
 *  - what it has not freed when it fails is freed by the budget: it forgets the 16-bit picture if
 * malloc has nothing for the 8-bit one;
 *  - assertions are off: they are about the input, and would end the process. */
#include "decode_stb.h"
#include "budget.h"
#include "flatten.h"
#include <limits.h>
#include <stdlib.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS 65535 /* cam_limits are checked before */
#define STBI_ASSERT(x) ((void)0)
#define STBI_MALLOC(size) budget_malloc(size)
#define STBI_REALLOC(p, size) budget_realloc(p, size)
#define STBI_REALLOC_SIZED(p, old, size) budget_realloc(p, size)
#define STBI_FREE(p) budget_free(p)
#pragma GCC diagnostic ignored \
    "-Wunused-function" /* it declares readers of formats that are not compiled in */
#include <stb/stb_image.h>

/* bytes[0..n) with all patches -> `channels` bytes a pixel, from malloc. */
static cam_code load(const char *kind, const uint8_t *bytes, size_t n, const photo_plan *plan,
                     size_t budget, uint8_t **pixels, cam_error *error) {
  *pixels = NULL;
  if (n > INT_MAX)
    return cam_fail(error, CAM_E_BUDGET, "%zu bytes of photo; allowed are %d", n, INT_MAX);
  budget_begin(budget);
  stbi__context source = {0};
  stbi__start_mem(&source, bytes, (int)n);
  int width, height, stored;
  *pixels = stbi__load_and_postprocess_8bit(&source, &width, &height, &stored, plan->channels);
  const char *reason = stbi_failure_reason();
  if (!*pixels) {
    cam_code code = budget_end(NULL, error);
    if (code)
      return code;
    if (!reason)
      reason = "unknown";
    return cam_fail(error, CAM_E_PHOTO, "broken %s: %s", kind, reason);
  }
  budget_end(*pixels, NULL);
  if (width == plan->width && height == plan->height)
    return CAM_OK;
  free(*pixels);
  return cam_fail(error, CAM_E_PHOTO, "%d x %d pixels were decoded, its header says %d x %d", width,
                  height, plan->width, plan->height);
}

static cam_code decode(const char *kind, const uint8_t *bytes, size_t n, const photo_plan *plan,
                       cam_image *image, cam_error *error) {
  uint8_t *copy = NULL;
  size_t budget = plan->budget;
  if (plan->patch_count) {
    if (budget <= n + plan->patch_size)
      return cam_fail(error, CAM_E_BUDGET,
                      "a copy of the photo takes %zu bytes; allowed are %zu to decode it", n,
                      budget);
    budget -= n + plan->patch_size;
    copy = plan_patched(plan, bytes, &n);
    if (!copy)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory to decode the photo");
    bytes = copy;
  }
  uint8_t *pixels;
  cam_code code = load(kind, bytes, n, plan, budget, &pixels, error);
  free(copy);
  if (code)
    return code;
  if (plan->channels == 4)
    flatten(pixels, plan->width, plan->height, image);
  else
    *image = (cam_image){plan->width, plan->height, pixels};
  return CAM_OK;
}

cam_code decode_png(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error) {
  return decode("PNG", bytes, n, plan, image, error);
}

cam_code decode_bmp(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                    cam_error *error) {
  return decode("BMP", bytes, n, plan, image, error);
}
