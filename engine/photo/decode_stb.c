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

cam_code stb_decode(cam_format format, const uint8_t *bytes, size_t n, int channels, size_t limit,
                    uint8_t **pixels, int *width, int *height, cam_error *error) {
  *pixels = NULL;
  if (n > INT_MAX)
    return cam_fail(error, CAM_E_BUDGET, "%zu bytes of photo; allowed are %d", n, INT_MAX);
  budget_begin(limit);
  stbi__context source = {0};
  stbi__start_mem(&source, bytes, (int)n);
  int stored;
  *pixels = stbi__load_and_postprocess_8bit(&source, width, height, &stored, channels);
  const char *reason = stbi_failure_reason();
  cam_code code = budget_end(*pixels, *pixels ? NULL : error);
  if (*pixels)
    return CAM_OK;
  return code ? code
              : cam_fail(error, CAM_E_PHOTO, "broken %s: %s", format == CAM_PNG ? "PNG" : "BMP",
                         reason ? reason : "unknown");
}
