/* decode_webp.c - libwebp, fenced in. Flow: probe -> [decode_webp] -> decode. Thread: any.
 * Debian's is 1.2.4-0.2+deb12u1, which has the repair of CVE-2023-4863 (Huffman tables written past
 * their end).
 *
 * What a picture takes cannot be told from its header: a lossless one has 4 bytes a pixel beside
 * the result, at most 1 more for what its transforms and Huffman codes vary by region, and up to
 * 65,536 groups of Huffman tables of up to 20 KB each. That is 1.3 GB, and 360 MB of it are written
 * for a file of 300 KB. How many groups there are stands at the end of an entropy-coded picture.
 * The library has no hook for memory either; but all that it takes goes through three functions
 * which it exports and calls by name, so that functions of a program that are named alike take
 * their place (the System V ABI's symbol interposition, as for malloc). These are here, and count.
 * A libwebp that does not call them is not used. Where memory ends, its ReadHuffmanCodeLengths
 * frees a pointer that nobody set, if it does not get 512 bytes: so it gets them.
 *
 * Its scaling is not used: of 70 ms for 12 megapixels it saves 15, of 17 ms for 3 none, and it
 * leaves the deblocking filter out. */
#include "decode_webp.h"
#include "budget.h"
#include "flatten.h"
#include <stdlib.h>
#include <webp/decode.h>

/* ---- In place of the library's own (src/utils/utils.h of its source) ---- */
#define LIBRARY __attribute__((visibility("default")))
LIBRARY void *WebPSafeMalloc(uint64_t count, size_t size);
LIBRARY void *WebPSafeCalloc(uint64_t count, size_t size);
LIBRARY void WebPSafeFree(void *block);

void *WebPSafeMalloc(uint64_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes))
    return NULL;
  return budget_malloc_small(bytes);
}
void *WebPSafeCalloc(uint64_t count, size_t size) {
  return WebPSafeMalloc(count, size);
} /* a budget's memory is zeroed anyway */
void WebPSafeFree(void *block) { budget_free(block); }

/* ---- Decoding ---- */

static const char *reason_of(VP8StatusCode status) {
  switch (status) {
  case VP8_STATUS_NOT_ENOUGH_DATA:
  case VP8_STATUS_SUSPENDED:
    return "its data is cut short";
  case VP8_STATUS_UNSUPPORTED_FEATURE:
    return "it holds no picture to be shown";
  default:
    return "its data makes no sense";
  }
}

cam_code decode_webp(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                     cam_error *error) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return cam_fail(error, CAM_E_INTERNAL, "libwebp is of another kind than its header");
  budget_begin(plan->budget);
  const size_t row = (size_t)plan->channels * (size_t)plan->width,
               size = row * (size_t)plan->height;
  uint8_t *pixels = budget_malloc(size);
  VP8StatusCode status = VP8_STATUS_OUT_OF_MEMORY;
  if (pixels) {
    config.output.colorspace = plan->channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){pixels, (int)row, size};
    status = WebPDecode(bytes, n, &config);
  }
  const bool counts = budget_count() > 1;
  if (status != VP8_STATUS_OK || !counts || config.output.width != plan->width ||
      config.output.height != plan->height) {
    cam_code code = budget_end(NULL, error);
    if (code)
      return code;
    if (status == VP8_STATUS_OK && !counts)
      return cam_fail(error, CAM_E_INTERNAL, "libwebp takes memory that is not counted");
    return cam_fail(error, CAM_E_PHOTO, "broken WebP: %s", reason_of(status));
  }
  budget_end(pixels, NULL);
  if (plan->channels == 4)
    flatten(pixels, plan->width, plan->height, image);
  else
    *image = (cam_image){plan->width, plan->height, pixels};
  return CAM_OK;
}
