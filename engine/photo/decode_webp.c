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
#include <stdlib.h>
#include <webp/decode.h>

/* ---- In place of the library's own (src/utils/utils.h of its source) ---- */
#define LIBRARY __attribute__((visibility("default")))
LIBRARY void *WebPSafeMalloc(uint64_t count, size_t size);
LIBRARY void *WebPSafeCalloc(uint64_t count, size_t size);
LIBRARY void WebPSafeFree(void *block);

void *WebPSafeMalloc(uint64_t count, size_t size) {
  size_t bytes;
  return __builtin_mul_overflow(count, size, &bytes) ? NULL : budget_malloc_small(bytes);
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

cam_code webp_decode(const uint8_t *bytes, size_t n, int width, int height, int channels,
                     size_t limit, uint8_t **pixels, cam_error *error) {
  *pixels = NULL;
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return cam_fail(error, CAM_E_INTERNAL, "libwebp is of another kind than its header");
  budget_begin(limit);
  const size_t row = (size_t)channels * (size_t)width, size = row * (size_t)height;
  uint8_t *out = budget_malloc(size);
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = (WebPRGBABuffer){out, (int)row, size};
  VP8StatusCode status = out ? WebPDecode(bytes, n, &config) : VP8_STATUS_OUT_OF_MEMORY;
  const int count = budget_count();
  const bool ok = status == VP8_STATUS_OK && config.output.width == width &&
                  config.output.height == height && count > 1;
  cam_code code = budget_end(ok ? out : NULL, ok ? NULL : error);
  if (ok)
    *pixels = out;
  if (ok || code)
    return ok ? CAM_OK : code;
  if (status == VP8_STATUS_OK && count == 1)
    return cam_fail(error, CAM_E_INTERNAL, "libwebp takes memory that is not counted");
  return cam_fail(error, CAM_E_PHOTO, "broken WebP: %s", reason_of(status));
}
