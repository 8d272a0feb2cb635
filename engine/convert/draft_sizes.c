/* draft_sizes.c - see draft.h: does a network go through with pictures of other sizes than the one
 * it was read with? */
#include "cam_minmax.h"
#include "draft.h"

static void sides_of(const int (*shape)[2], const int picture[2], int node, int out[2]) {
  const int *from = picture;
  if (node != DRAFT_PICTURE)
    from = shape[node];
  out[0] = from[0];
  out[1] = from[1];
}

/* Height and width of node i's output; false: its inputs do not agree, or nothing is left. */
static bool find_shape(const draft *d, int i, const int picture[2], int (*shape)[2]) {
  const draft_node *node = &d->nodes[i];
  int in[2], other[2];
  sides_of(shape, picture, node->inputs[0], in);
  for (int k = 1; k < node->n_inputs; k++) {
    sides_of(shape, picture, node->inputs[k], other);
    const bool one_cell = draft_is_vector(d, node->inputs[k]);
    if (!one_cell && (other[0] != in[0] || other[1] != in[1]))
      return false;
  }
  for (int axis = 0; axis < 2; axis++) {
    if (node->op == DRAFT_GAP || node->op == DRAFT_FLATTEN)
      shape[i][axis] = 1;
    else if (node->op == DRAFT_RESIZE)
      shape[i][axis] = in[axis] * node->stride[axis];
    else /* what has no kernel has one of one cell */
      shape[i][axis] = draft_extent(node, axis, in[axis]);
  }
  return shape[i][0] > 0 && shape[i][1] > 0;
}

/* The first live node that is in the way; -1: none. */
static int first_misfit(const draft *d, int height, int width, int (*shape)[2]) {
  const int picture[2] = {height, width};
  for (int i = 0; i < d->n; i++)
    if (!d->nodes[i].dead && !find_shape(d, i, picture, shape))
      return i;
  return -1;
}

cam_code draft_try_sizes(draft *d, int multiple, int max_side) {
  const int side = min_int(d->height, d->width);
  int(*shape)[2] = arena_alloc(d->memory, (size_t)d->n * sizeof *shape + 1);
  if (!shape)
    return cam_fail(d->error, CAM_E_NO_MEMORY, "no memory for the shapes of %d nodes", d->n);
  for (int longer = side; longer <= max_side && !d->sized;) {
    int misfit = first_misfit(d, side, longer, shape);
    if (misfit < 0)
      misfit = first_misfit(d, longer, side, shape);
    if (misfit >= 0) {
      d->sized = true;
      d->sized_by = d->nodes[misfit].name;
    }
    const int next = (longer / multiple + 1) * multiple;
    if (longer < max_side)
      longer = min_int(next, max_side);
    else
      longer = next;
  }
  return CAM_OK;
}
