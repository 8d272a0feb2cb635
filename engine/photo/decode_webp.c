/* decode_webp.c - libwebp, fenced in. Flow: probe -> [decode_webp] -> decode. Thread: any.
 * Debian's is 1.2.4-0.2+deb12u1, which has the repair of CVE-2023-4863 (Huffman tables written past
 * their end).
 *
 * What a picture takes cannot be told from its header: a lossless one (or the alpha of a lossy one)
 * has 4 bytes a pixel beside the result, at most 1 more for what its transforms and Huffman codes
 * vary by region, and up to 65,536 groups of Huffman tables of up to 20 KB each: 1.3 GB, and 360 MB
 * of it are written for a file of 300 KB. How many groups there are stands at the end of an
 * entropy-coded picture. libwebp's own encoder makes at most 2,600 regions (MAX_HUFF_IMAGE_SIZE)
 * and no more groups than that, so that is what a picture may have here. The library has no hook
 * for memory either; but all that it takes goes through three functions which it exports and calls
 * by name, so that functions of a program that are named alike take their place (the System V ABI's
 * symbol interposition, as for malloc). These are here, and count. A libwebp that does not call
 * them is not used. Where memory ends, its ReadHuffmanCodeLengths frees a pointer that nobody set,
 * if it does not get 512 bytes: so it gets them.
 *
 * Its scaling is not used: it saves a fifth at 12 megapixels and nothing at 3, and it leaves the
 * deblocking filter out. */
#include "decode_webp.h"
#include "budget.h"
#include "cam_minmax.h"
#include "colour.h"
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

/* Tables of `pixels` pixels: a region has at least 4 x 4 of them. */
static size_t table_bytes(size_t pixels) {
  enum { MOST_GROUPS = 2600, GROUP_BYTES = 20 << 10, REGION = 16, LEAST_GROUPS = 16 };
  return GROUP_BYTES * min_size(MOST_GROUPS, LEAST_GROUPS + pixels / REGION);
}

/* Of a lossy picture: rows of blocks, and per block what was read of it. With alpha, a plane of it
 * and what that was coded in, four bytes a pixel where it has no palette. */
size_t work_of_webp(const photo_plan *plan, size_t *result) {
  enum { FIXED_BYTES = 256 << 10, COLUMN_BYTES = 256, LOSSLESS_BYTES = 6, ALPHA_BYTES = 7 };
  const webp_plan *own = &plan->webp;
  const size_t pixels = (size_t)own->width * (size_t)own->height;
  size_t work = FIXED_BYTES + COLUMN_BYTES * (size_t)own->width;
  if (own->lossless)
    work += LOSSLESS_BYTES * pixels + table_bytes(pixels);
  else if (plan->channels == 4)
    work += ALPHA_BYTES * pixels + table_bytes(pixels);
  if (own->profile.n)
    work = max_size(work, colour_work_bytes(own->profile.n));
  *result = plan_pixel_bytes(plan);
  return *result + work;
}

/* The picture to its place on the canvas; what it leaves free stays 0. */
static VP8StatusCode draw(const uint8_t *bytes, const photo_plan *plan, uint8_t *pixels,
                          WebPDecoderConfig *config) {
  const webp_plan *own = &plan->webp;
  const size_t channels = (size_t)plan->channels, row = channels * (size_t)plan->width,
               first = row * (size_t)own->y + channels * (size_t)own->x;
  config->output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config->output.is_external_memory = 1;
  config->output.u.RGBA = (WebPRGBABuffer){pixels + first, (int)row,
                                           row * (size_t)plan->height - first};
  return WebPDecode(bytes + own->picture.at, own->picture.n, config);
}

static cam_code to_srgb(const uint8_t *bytes, const photo_plan *plan, uint8_t *pixels,
                        cam_error *error) {
  colour_space space = {.deadline = plan->deadline};
  if (plan->webp.profile.n) {
    space.icc = bytes + plan->webp.profile.at;
    space.n = plan->webp.profile.n;
  }
  return colour_to_srgb(&space, COLOUR_RGB, pixels, (size_t)plan->width * (size_t)plan->height,
                        plan->channels, plan_rest(plan, plan_pixel_bytes(plan)), error);
}

cam_code decode_webp(const uint8_t *bytes, size_t n, const photo_plan *plan, cam_image *image,
                     cam_error *error) {
  (void)n; /* the plan's places lie within */
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return cam_fail(error, CAM_E_INTERNAL, "libwebp is of another kind than its header");
  budget_begin(plan->budget);
  uint8_t *pixels = budget_malloc(plan_pixel_bytes(plan));
  VP8StatusCode status = VP8_STATUS_OUT_OF_MEMORY;
  if (pixels)
    status = draw(bytes, plan, pixels, &config);
  const bool counts = budget_count() > 1;
  if (status != VP8_STATUS_OK || !counts || config.output.width != plan->webp.width ||
      config.output.height != plan->webp.height) {
    cam_code code = budget_end(NULL, error);
    if (code)
      return code;
    if (status == VP8_STATUS_OK && !counts)
      return cam_fail(error, CAM_E_INTERNAL, "libwebp takes memory that is not counted");
    return cam_fail(error, CAM_E_PHOTO, "broken WebP: %s", reason_of(status));
  }
  budget_end(pixels, NULL);
  cam_code code = to_srgb(bytes, plan, pixels, error);
  if (code) {
    free(pixels);
    return code;
  }
  if (plan->channels == 4)
    flatten(pixels, plan->width, plan->height, image);
  else
    *image = (cam_image){plan->width, plan->height, pixels};
  return CAM_OK;
}
