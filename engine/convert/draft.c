/* draft.c - see draft.h. */
#include "draft.h"
#include <string.h>

const char *draft_op_name(draft_op op) {
  static const char *const names[] = {
#define X(id, name) name,
      DRAFT_OPS(X)
#undef X
  };
  return names[op];
}

int draft_channels(const draft *d, int node) {
  if (node == DRAFT_PICTURE)
    return 3;
  return d->nodes[node].channels;
}
int draft_height(const draft *d, int node) {
  if (node == DRAFT_PICTURE)
    return d->height;
  return d->nodes[node].height;
}
int draft_width(const draft *d, int node) {
  if (node == DRAFT_PICTURE)
    return d->width;
  return d->nodes[node].width;
}

bool draft_is_vector(const draft *d, int node) {
  return node != DRAFT_PICTURE && d->nodes[node].vector;
}

static int no_memory_for_nodes(draft *d) {
  cam_fail(d->error, CAM_E_NO_MEMORY, "no memory for the nodes of a network");
  return -1;
}

static bool is_vector_op(draft_op op) { return op == DRAFT_GAP || op == DRAFT_FLATTEN; }

static bool are_vectors(const draft *d, int n, const int *inputs) {
  for (int k = 0; k < n; k++)
    if (!draft_is_vector(d, inputs[k]))
      return false;
  return true;
}

int draft_add_many(draft *d, draft_op op, const char *name, const char *source, int n,
                   const int *inputs) {
  if (d->n == DRAFT_MAX_NODES) {
    cam_fail(d->error, CAM_E_WEIGHTS, "node %.60s: more than %d operators", name, DRAFT_MAX_NODES);
    return -1;
  }
  if (d->n == d->room) {
    const int room = d->room ? 2 * d->room : 256;
    draft_node *grown = arena_alloc(d->memory, (size_t)room * sizeof *grown);
    if (!grown)
      return no_memory_for_nodes(d);
    if (d->n)
      memcpy(grown, d->nodes, (size_t)d->n * sizeof *grown);
    d->nodes = grown;
    d->room = room;
  }
  int *copy = arena_alloc(d->memory, (size_t)n * sizeof *copy);
  if (!copy)
    return no_memory_for_nodes(d);
  memcpy(copy, inputs, (size_t)n * sizeof *copy);
  d->nodes[d->n] = (draft_node){.op = op,
                                .name = name,
                                .source = source,
                                .n_inputs = n,
                                .inputs = copy,
                                .height = draft_height(d, inputs[0]),
                                .width = draft_width(d, inputs[0]),
                                .channels = draft_channels(d, inputs[0]),
                                .kernel = {1, 1},
                                .stride = {1, 1},
                                .groups = 1};
  d->nodes[d->n].vector = is_vector_op(op) || are_vectors(d, n, inputs);
  return d->n++;
}

int draft_add(draft *d, draft_op op, const char *name, const char *source, int input, int other) {
  const int inputs[2] = {input, other};
  return draft_add_many(d, op, name, source, other == DRAFT_NOTHING ? 1 : 2, inputs);
}

double *draft_vector(draft *d, int channels, double value) {
  double *made = arena_alloc(d->memory, (size_t)channels * sizeof *made);
  if (!made)
    no_memory_for_nodes(d);
  for (int c = 0; c < channels && made; c++)
    made[c] = value;
  return made;
}

int draft_extent(const draft_node *node, int axis, int in) {
  const int kernel = node->kernel[axis], stride = node->stride[axis];
  if (node->same)
    return (in + stride - 1) / stride;
  const int64_t rest = (int64_t)in + node->pads[axis] + node->pads[axis + 2] - kernel;
  if (rest < 0)
    return 0;
  int64_t out = rest / stride + 1;
  if (node->rounds_up && rest % stride && out * stride < (int64_t)in + node->pads[axis])
    out++; /* as node_padding (engine/network/node.c) */
  return (int)out;
}
