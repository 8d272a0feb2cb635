/* budget.h - memory for a decoder that knows no bounds of its own: counted, zeroed, refused beyond
 * a limit, and all of it freed in the end. Thread: any; each thread has one budget of its own, from
 * budget_begin to budget_end. Implemented in engine/photo/budget.c. */
#ifndef BUDGET_H
#define BUDGET_H
#include "cam_error.h"
#include <stddef.h>

enum {
  BUDGET_SLACK = 4,   /* readable bytes after each block: see cam_image */
  BUDGET_SMALL = 512, /* bytes of a block that budget_malloc_small always gives */
};

void budget_begin(size_t limit); /* bytes that may be held at any moment */

/* As malloc and free, but zeroed. NULL beyond the limit and where there is no memory. */
void *budget_malloc(size_t size);
void budget_free(void *block);
/* As budget_malloc, but a block of up to BUDGET_SMALL bytes is given whatever the limit and, out of
 * a reserve of a few, where there is no memory. */
void *budget_malloc_small(size_t size);

int budget_count(void); /* blocks given since budget_begin */
/* Frees all that was not freed, but `keep` (NULL allowed), which is the caller's, for free().
 * CAM_OK if nothing was refused; else CAM_E_BUDGET (says what was wanted and what is allowed) or
 * CAM_E_NO_MEMORY. */
cam_code budget_end(const void *keep, cam_error *error);

#endif
