/* budget.c - budget.h: memory for decoders, counted. Flow: decode_png, decode_webp -> [budget] ->
 * malloc. Thread: any. Zeroed, because a decoder that leaves pixels unwritten where data is missing
 * would show what an earlier request left there. */
#include "budget.h"
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_BLOCKS = 64, /* at a time: libpng has at most twenty, libwebp some thirty */
  RESERVE = 8,
};

static _Thread_local struct {
  size_t used, limit, wanted; /* wanted: what the first refused request would have made of used */
  bool out_of_memory;
  int count;
  void *blocks[MOST_BLOCKS]; /* given and not freed; NULL: room */
  bool reserved[RESERVE];    /* which of `reserve` are given */
} budget;
static _Thread_local _Alignas(
    max_align_t) uint8_t reserve[RESERVE][BUDGET_SMALL + BUDGET_SLACK + 12];

/* Where a block is noted; for NULL a free place. NULL: nowhere. */
static void **place_of(const void *block) {
  for (int i = 0; i < MOST_BLOCKS; i++)
    if (budget.blocks[i] == block)
      return &budget.blocks[i];
  return NULL;
}

static bool may_take(size_t size) {
  if (size <= budget.limit && budget.used <= budget.limit - size)
    return true;
  if (!budget.wanted && __builtin_add_overflow(budget.used, size, &budget.wanted))
    budget.wanted = SIZE_MAX;
  return false;
}

/* A block that came from malloc, or did not (NULL). */
static void *take(void *block) {
  budget.used += malloc_usable_size(block); /* 0 for NULL */
  budget.out_of_memory |= !block;
  budget.count += block != NULL;
  return block;
}

static void *give(size_t size) {
  void **place = place_of(NULL);
  if (!place || size > SIZE_MAX - BUDGET_SLACK) {
    budget.out_of_memory = true;
    return NULL;
  }
  *place = take(calloc(1, size + BUDGET_SLACK));
  return *place;
}

void budget_begin(size_t limit) {
  memset(&budget, 0, sizeof budget);
  budget.limit = limit;
}

void *budget_malloc(size_t size) {
  if (!may_take(size))
    return NULL;
  return give(size);
}

void *budget_malloc_small(size_t size) {
  if (size > BUDGET_SMALL)
    return budget_malloc(size);
  void *block = give(size);
  for (int i = 0; !block && i < RESERVE; i++) {
    if (budget.reserved[i])
      continue;
    budget.reserved[i] = true;
    block = memset(reserve[i], 0, sizeof reserve[i]);
  }
  return block;
}

void budget_free(void *block) {
  if (!block)
    return;
  for (int i = 0; i < RESERVE; i++)
    if (block == reserve[i]) {
      budget.reserved[i] = false;
      return;
    }
  void **place = place_of(block);
  if (place)
    *place = NULL;
  budget.used -= malloc_usable_size(block);
  free(block);
}

int budget_count(void) { return budget.count; }

cam_code budget_end(const void *keep, cam_error *error) {
  for (int i = 0; i < MOST_BLOCKS; i++)
    if (budget.blocks[i] != keep)
      free(budget.blocks[i]);
  const size_t wanted = budget.wanted, limit = budget.limit;
  const bool out_of_memory = budget.out_of_memory;
  budget_begin(0);
  if (wanted)
    return cam_fail(error, CAM_E_BUDGET,
                    "decoding needs %zu bytes of memory or more; allowed are %zu", wanted, limit);
  if (out_of_memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory to decode the photo");
  return CAM_OK;
}
