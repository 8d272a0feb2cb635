/* arena.c - a list of blocks; small pieces share one, a large piece has its own. */
#include "arena.h"
#include "cam_minmax.h"
#include <stdlib.h>

/* Sanitized builds say 0: each piece is an allocation of its own, and reading past it is seen. */
#ifndef ARENA_BLOCK
#define ARENA_BLOCK (1 << 16)
#endif
enum { BLOCK = ARENA_BLOCK };

typedef struct block {
  struct block *next;
  _Alignas(16) unsigned char bytes[];
} block;

struct arena {
  size_t left; /* of the budget */
  size_t used; /* of the block that is shared by small pieces */
  block *shared, *all;
};

arena *arena_create(size_t budget) {
  arena *made = calloc(1, sizeof *made);
  if (made)
    made->left = budget;
  return made;
}

static block *add_block(arena *to, size_t bytes) {
  block *added = calloc(1, sizeof *added + bytes);
  if (!added)
    return NULL;
  added->next = to->all;
  to->all = added;
  return added;
}

void *arena_alloc(arena *from, size_t bytes) {
  if (bytes > from->left)
    return NULL;
  size_t rounded = (bytes + 15) & ~(size_t)15;
  from->left -= min_size(rounded, from->left);
  if (bytes > BLOCK / 4) {
    block *own = add_block(from, bytes);
    if (!own)
      return NULL;
    return own->bytes;
  }
  if (!from->shared || from->used + rounded > BLOCK) {
    from->shared = add_block(from, BLOCK);
    from->used = 0;
    if (!from->shared)
      return NULL;
  }
  void *piece = from->shared->bytes + from->used;
  from->used += rounded;
  return piece;
}

size_t arena_left(const arena *from) { return from->left; }

void arena_free(arena *all) {
  if (!all)
    return;
  block *each = all->all;
  while (each) {
    block *next = each->next;
    free(each);
    each = next;
  }
  free(all);
}
