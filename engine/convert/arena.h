/* arena.h - memory that is given out piece by piece, never beyond a budget, and freed at once. One
 * thread at a time. */
#ifndef ARENA_H
#define ARENA_H
#include <stddef.h>

typedef struct arena arena;
/* budget: bytes that may be given out in all. NULL: no memory. */
arena *arena_create(size_t budget);
/* Zeroed, 16-byte aligned. NULL: beyond the budget, or no memory. */
void *arena_alloc(arena *from, size_t bytes);
size_t arena_left(const arena *from); /* bytes of the budget */
void arena_free(arena *all);          /* NULL is allowed */

#endif
