/* weights.c - weights.h: a growing list, sorted once all is there. */
#include "weights.h"
#include "cam_minmax.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 1 << 16 };
static int compare_weights(const void *a, const void *b) {
  return strcmp(((const weight *)a)->name, ((const weight *)b)->name);
}

cam_code weights_sort(weights *all, cam_error *error) {
  qsort(all->list, (size_t)all->n, sizeof *all->list, compare_weights);
  for (int i = 1; i < all->n; i++)
    if (!strcmp(all->list[i - 1].name, all->list[i].name))
      return cam_fail(error, CAM_E_WEIGHTS, "tensor %s: the file holds it twice",
                      all->list[i].name);
  return CAM_OK;
}

void weights_free(weights *all) {
  if (!all)
    return;
  arena_free(all->memory);
  free(all->list);
  free(all->file);
  free(all);
}

weight *weights_find(const weights *all, const char *name) {
  weight wanted = {.name = name};
  return bsearch(&wanted, all->list, (size_t)all->n, sizeof *all->list, compare_weights);
}

cam_code weights_add(weights *to, const char *name, const number_view *view, cam_error *error) {
  if (to->n == MAX_TENSORS)
    return cam_fail(error, CAM_E_WEIGHTS, "the file holds more than %d tensors", MAX_TENSORS);
  if (to->n == to->room) {
    const int room = max_int(2 * to->room, 64);
    weight *grown = realloc(to->list, (size_t)room * sizeof *grown);
    if (!grown)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of %d tensors", room);
    to->list = grown;
    to->room = room;
  }
  to->list[to->n++] = (weight){name, *view, false};
  return CAM_OK;
}

const char *weights_join_name(weights *of, const char *a, const char *separator, const char *b) {
  size_t n = strlen(a) + strlen(separator) + strlen(b) + 1;
  char *joined = arena_alloc(of->memory, n);
  if (joined)
    snprintf(joined, n, "%s%s%s", a, separator, b);
  return joined;
}
