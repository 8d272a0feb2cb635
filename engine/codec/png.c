/* png.c - png.h over stb_image_write, the one file that names it.   Flow: overlay -> [png] ->
 * picture.   Thread: any. stb's own deflate and CRC, slow ones, are replaced through its two hooks.
 */
#include "png.h"
#include "deflate.h"
#include <limits.h>
#include <stdlib.h>

/* stb_image_write forgets the compressed bytes when the memory for the file fails: they are noted
 * here until it returns. */
static _Thread_local uint8_t *compressed;

static unsigned char *compress(unsigned char *bytes, int n, int *n_out) {
  size_t size;
  compressed = deflate_zlib(bytes, (size_t)n, &size);
  if (compressed && size > INT_MAX - 64) {
    free(compressed);
    compressed = NULL;
  }
  if (compressed)
    *n_out = (int)size;
  return compressed;
}

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_ZLIB_COMPRESS(bytes, n, n_out, quality) ((void)(quality), compress(bytes, n, n_out))
#define STBIW_CRC32(bytes, n) deflate_crc32(bytes, (size_t)(n))
#pragma GCC diagnostic ignored "-Wunused-function" /* its writers of other formats */
#include <stb/stb_image_write.h>

/* One filter for every row, written before main and only read after. On overlays "average" gives
 * fewer bytes than "sub" or "up" in the same time, and than "paeth", which takes far longer; stb's
 * choice by row (-1) runs all of them. */
enum { FILTER_AVERAGE = 3 };
__attribute__((constructor)) static void choose_filter(void) {
  stbi_write_force_png_filter = FILTER_AVERAGE;
}

cam_code png_encode(const uint8_t *pixels, int width, int height, int channels, cam_bytes *out,
                    cam_error *error) {
  int size = 0;
  *out = (cam_bytes){0};
  const int64_t rows = ((int64_t)width * channels + 1) * height;
  if (rows >= INT_MAX) /* stb counts in int */
    return cam_fail(error, CAM_E_PIXELS,
                    "a PNG of %d x %d pixels has %lld bytes of rows; it may have %d", width, height,
                    (long long)rows, INT_MAX - 1);
  compressed = NULL;
  uint8_t *png = stbi_write_png_to_mem(pixels, 0, width, height, channels, &size);
  if (!png) {
    free(compressed);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a PNG of %d x %d pixels", width, height);
  }
  *out = (cam_bytes){png, (size_t)size};
  return CAM_OK;
}
