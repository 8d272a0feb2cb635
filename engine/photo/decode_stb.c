/* decode_stb.c - stb_image, fenced in. Flow: probe -> [decode_stb] -> decode. Thread: any.
 * Debian's is 2.27 (2022); what later versions repaired in the two formats that are compiled in is either refused by the probes before
 * (palettes shorter than their indices, unknown critical chunks) or harmless here:
 *  - every allocation comes from a budget of this thread, so that a PNG cannot inflate without end (the header says nothing about it);
 *  - what it has not freed when it fails is freed here: it forgets the 16-bit picture if malloc has nothing for the 8-bit one;
 *  - memory is zeroed: where data is missing stb leaves pixels unwritten, and would show what an earlier request left there;
 *  - assertions are off: they are about the input, and would end the process. */
#include "decode_stb.h"
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { SLACK = 4 }; /* see cam_image */

/* ---- The budget ---- */
enum { MOST_BLOCKS = 32 }; /* that stb holds at a time: it never has ten */
static _Thread_local struct {
  size_t used, limit, wanted;  /* wanted: what the first refused request would have made of used */
  bool out_of_memory;
  void *blocks[MOST_BLOCKS];   /* allocated and not freed; NULL: room */
} budget;

/* Where p is noted; for NULL a free place. NULL: nowhere. */
static void **place_of(const void *p) {
  for (int i = 0; i < MOST_BLOCKS; i++)
    if (budget.blocks[i] == p) return &budget.blocks[i];
  return NULL;
}

static bool may_take(size_t size) {
  if (size <= budget.limit && budget.used <= budget.limit - size) return true;
  if (!budget.wanted) budget.wanted = size > SIZE_MAX / 2 ? SIZE_MAX : budget.used + size;
  return false;
}
static void *take(void *p) {
  budget.used += malloc_usable_size(p); /* 0 for NULL */
  budget.out_of_memory |= !p;
  return p;
}
static void *budget_malloc(size_t size) {
  void **place = place_of(NULL);
  budget.out_of_memory |= !place;
  return place && may_take(size) ? *place = take(calloc(1, size + SLACK)) : NULL;
}
static void budget_free(void *p) {
  if (!p) return;
  *place_of(p) = NULL;
  budget.used -= malloc_usable_size(p);
  free(p);
}
static void *budget_realloc(void *p, size_t size) { /* old and new may both be there for a moment: both count */
  if (!p) return budget_malloc(size);
  if (!may_take(size)) return NULL;
  void **place = place_of(p);
  size_t old = malloc_usable_size(p);
  void *q = take(realloc(p, size + SLACK));
  if (!q) return NULL;
  budget.used -= old;
  return *place = q;
}

/* ---- The library ---- */
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
#pragma GCC diagnostic ignored "-Wunused-function" /* it declares readers of formats that are not compiled in */
#include <stb/stb_image.h>

cam_code stb_decode(cam_format format, const uint8_t *bytes, size_t n, int channels, size_t limit,
                    uint8_t **pixels, int *width, int *height, cam_error *error) {
  *pixels = NULL;
  if (n > INT_MAX) return cam_fail(error, CAM_E_BUDGET, "%zu bytes of photo; allowed are %d", n, INT_MAX);
  memset(&budget, 0, sizeof budget);
  budget.limit = limit;
  stbi__context source = {0};
  stbi__start_mem(&source, bytes, (int)n);
  int stored;
  *pixels = stbi__load_and_postprocess_8bit(&source, width, height, &stored, channels);
  if (*pixels) return CAM_OK;
  for (int i = 0; i < MOST_BLOCKS; i++) free(budget.blocks[i]);
  const char *reason = stbi_failure_reason();
  if (budget.wanted) return cam_fail(error, CAM_E_BUDGET, "decoding needs %zu bytes of memory or more; allowed are %zu", budget.wanted, limit);
  if (budget.out_of_memory) return cam_fail(error, CAM_E_NO_MEMORY, "no memory to decode the photo");
  return cam_fail(error, CAM_E_PHOTO, "broken %s: %s", format == CAM_PNG ? "PNG" : "BMP", reason ? reason : "unknown");
}
