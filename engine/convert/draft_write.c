/* draft_write.c - see draft.h: each live node as a row of the document (engine/network/graph.h) and
 * its tensors in the engine's layout, rounded once. What the engine has no operator for is refused
 * here, by the names of both sides. */
#include "draft.h"
#include "network/graph.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAME = 200 };

typedef struct writer {
  draft *d;
  joined *out;
  json *nodes;
  const char **names; /* [n] in the document; NULL: none */
  bool *head;         /* [n] works on the vector that the last pooling leaves */
  int written;
} writer;

static cam_code no_memory_to_write(const writer *w) {
  return cam_fail(w->d->error, CAM_E_NO_MEMORY, "no memory for a model file");
}

/* The engine's operator of that name; OP_COUNT: it has none. */
static cam_op op_of(const char *name) {
  int op = 0;
  while (op < OP_COUNT && strcmp(op_name((cam_op)op), name))
    op++;
  return (cam_op)op;
}
static bool is_in_engine(const char *op) { return op_of(op) != OP_COUNT; }

/* ---- names ---- */

static bool is_taken(const writer *w, int before, const char *name) {
  for (int i = 0; i < before; i++)
    if (w->names[i] && !strcmp(w->names[i], name))
      return true;
  return !strcmp(name, "input");
}

/* The name of the node it came from; several of one name are numbered. */
static cam_code give_name(writer *w, int i) {
  const draft_node *node = &w->d->nodes[i];
  char *name = arena_alloc(w->d->memory, MOST_NAME + 16);
  if (!name)
    return no_memory_to_write(w);
  snprintf(name, MOST_NAME, "%s", node->name);
  for (char *c = name; *c; c++)
    if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
      *c = '?';
  const size_t n = strlen(name);
  for (int number = 2; is_taken(w, i, name); number++)
    snprintf(name + n, 16, ".%d", number);
  w->names[i] = name;
  return CAM_OK;
}

/* ---- tensors ---- */

/* A new tensor "NODE.MEMBER" of n floats, for the caller to fill; NULL: no memory. */
static float *new_tensor(writer *w, int i, const char *member, int rank, const int64_t *shape,
                         int64_t n) {
  const char *node = w->names[i];
  char *name = malloc(strlen(node) + strlen(member) + 2);
  float *data = malloc((size_t)n * sizeof *data + 1);
  cam_tensor *tensor = &w->out->tensors[w->out->n_tensors++];
  *tensor = (cam_tensor){.name = name, .dtype = "F32", .rank = rank, .data = data};
  tensor->count = (size_t)n;
  if (!name || !data)
    return NULL;
  sprintf(name, "%s.%s", node, member);
  memcpy(tensor->shape, shape, (size_t)rank * sizeof *shape);
  w->out->bytes += (size_t)n * sizeof *data;
  return data;
}

static cam_code check_rounded(const writer *w, int i, const float *values, int64_t n) {
  for (int64_t k = 0; k < n; k++)
    if (!isfinite(values[k]))
      return cam_fail(w->d->error, CAM_E_WEIGHTS,
                      "node %.80s: a weight is %g, which is not a finite float32",
                      w->d->nodes[i].name, (double)values[k]);
  return CAM_OK;
}

static void say_tensor(const writer *w, int i, json *row, const char *member) {
  char name[MOST_NAME + 32];
  snprintf(name, sizeof name, "%s.%s", w->names[i], member);
  json_add_text(row, member, name);
}

static cam_code add_vector(writer *w, int i, json *row, const char *member, const double *values) {
  const int64_t n = w->d->nodes[i].channels;
  float *data = new_tensor(w, i, member, 1, &n, n);
  if (!data)
    return no_memory_to_write(w);
  for (int64_t c = 0; c < n; c++)
    data[c] = (float)values[c];
  say_tensor(w, i, row, member);
  return check_rounded(w, i, data, n);
}

/* All numbers of the view in order, each times the factor of its output channel; the outputs are
 * the last axis of the view, the first of a `turned` one. */
static void copy_weight(const draft_node *node, bool turned, float *to) {
  number_view v = node->weight;
  const int last = v.rank - 1;
  int64_t index[NUMBER_MAX_RANK] = {0}, at = 0;
  if (turned) {
    const int64_t n = v.shape[last], step = v.stride[last];
    memmove(v.shape + 1, v.shape, (size_t)last * sizeof *v.shape);
    memmove(v.stride + 1, v.stride, (size_t)last * sizeof *v.stride);
    v.shape[0] = n;
    v.stride[0] = step;
  }
  const int64_t n = number_count(&v);
  const float *from = (const void *)v.data;
  for (int64_t i = 0; i < n; i++) {
    const double factor = node->factor ? node->factor[index[turned ? 0 : last]] : 1;
    to[i] = (float)((double)from[at] * factor);
    for (int s = last; s >= 0; s--) {
      at += v.stride[s];
      if (++index[s] < v.shape[s])
        break;
      at -= v.stride[s] * v.shape[s];
      index[s] = 0;
    }
  }
}

/* The affine between a gap and the only fc: the fc takes it, so that the head stays linear. NULL:
 * there is none. */
static const draft_node *affine_before(const writer *w, int i) {
  const draft *d = w->d;
  const int before = d->nodes[i].inputs[0];
  if (!w->head[i] || i != d->output || before < 0 || !w->head[before])
    return NULL;
  const draft_node *affine = &d->nodes[before];
  if (affine->op != DRAFT_AFFINE || d->nodes[affine->inputs[0]].op != DRAFT_GAP)
    return NULL;
  return affine;
}

/* W (factor * x + shift) + b = (W factor) x + (W shift + b): of the rows of W, [outputs,in]. */
static cam_code take_affine(writer *w, int i, const draft_node *affine, float *rows) {
  draft_node *node = &w->d->nodes[i];
  const int in = affine->channels;
  if (!node->shift)
    node->shift = draft_vector(w->d, node->channels, 0);
  if (!node->shift)
    return no_memory_to_write(w);
  for (int o = 0; o < node->channels; o++)
    for (int c = 0; c < in; c++) {
      float *each = &rows[(size_t)o * (size_t)in + (size_t)c];
      node->shift[o] += *each * affine->shift[c];
      *each = (float)(*each * affine->factor[c]);
    }
  return CAM_OK;
}

static cam_code add_product(writer *w, int i, json *row) {
  const draft_node *node = &w->d->nodes[i], *affine = affine_before(w, i);
  const int64_t in = draft_channels(w->d, node->inputs[0]) / node->groups;
  const int64_t n = number_count(&node->weight);
  const bool fc = w->head[i];
  const int64_t shape[4] = {node->kernel[0], node->kernel[1], in, node->channels},
                matrix[2] = {node->channels, in};
  if (n != shape[0] * shape[1] * in * node->channels)
    return cam_fail(w->d->error, CAM_E_WEIGHTS,
                    "node %.80s (%.24s): %" PRId64 " weights for an input of %" PRId64
                    " channels: this way of moving its numbers would have to be built",
                    node->name, node->source, n, in);
  float *data = new_tensor(w, i, "weight", fc ? 2 : 4, fc ? matrix : shape, n);
  if (!data)
    return no_memory_to_write(w);
  copy_weight(node, fc, data);
  say_tensor(w, i, row, "weight");
  cam_code code = CAM_OK;
  if (affine)
    code = take_affine(w, i, affine, data);
  if (!code)
    code = check_rounded(w, i, data, n);
  if (!code && node->shift)
    code = add_vector(w, i, row, "bias", node->shift);
  return code;
}

/* ---- rows ---- */

static void add_pair(json *row, const char *member, int a, int b) {
  json *list = json_add_array(row, member);
  json_add_int(list, NULL, a);
  json_add_int(list, NULL, b);
}

static void add_padding(json *row, const draft_node *node) {
  if (node->same) {
    json_add_text(row, "padding", "same");
    return;
  }
  json *list = json_add_array(row, "padding");
  for (int k = 0; k < 4; k++)
    json_add_int(list, NULL, node->pads[k]);
}

static void add_kernel(json *row, const draft_node *node, bool has_kernel) {
  if (has_kernel)
    add_pair(row, "kernel", node->kernel[0], node->kernel[1]);
  add_pair(row, "stride", node->stride[0], node->stride[1]);
  add_padding(row, node);
}

/* The operator of the model file that the node becomes. */
static const char *operator_of(const writer *w, int i) {
  const draft_node *node = &w->d->nodes[i];
  if (node->op == DRAFT_CONV)
    return w->head[i] ? "fc" : "conv";
  if (node->op == DRAFT_CLIP && node->low == 0 && isinf(node->high))
    return "relu";
  if (node->op == DRAFT_CLIP && node->low == 0 && node->high == 6)
    return "relu6";
  return draft_op_name(node->op);
}

/* "scale" and "shift", both, also where they change nothing. */
static cam_code add_scale(writer *w, int i, json *row) {
  draft_node *node = &w->d->nodes[i];
  if (!node->factor)
    node->factor = draft_vector(w->d, node->channels, 1);
  if (!node->shift)
    node->shift = draft_vector(w->d, node->channels, 0);
  if (!node->factor || !node->shift)
    return no_memory_to_write(w);
  cam_code code = add_vector(w, i, row, "scale", node->factor);
  if (code)
    return code;
  return add_vector(w, i, row, "shift", node->shift);
}

static cam_code add_members(writer *w, int i, json *row, const char *op) {
  const draft_node *node = &w->d->nodes[i];
  switch (node->op) {
  case DRAFT_CONV:
    if (!w->head[i]) {
      add_kernel(row, node, false);
      json_add_int(row, "groups", node->groups);
    }
    return add_product(w, i, row);
  case DRAFT_AVG_POOL:
  case DRAFT_MAX_POOL:
    add_kernel(row, node, true);
    if (node->rounds_up)
      json_add_bool(row, "ceil_mode", true);
    if (node->counts_padding)
      json_add_bool(row, "count_include_pad", true);
    return CAM_OK;
  case DRAFT_CLIP:
    if (!strcmp(op, "clip")) {
      if (!isinf(node->low))
        json_add_number(row, "least", node->low);
      if (!isinf(node->high))
        json_add_number(row, "most", node->high);
    }
    return CAM_OK;
  case DRAFT_HARD_SIGMOID:
    json_add_number(row, "slope", node->low);
    json_add_number(row, "offset", node->high);
    return CAM_OK;
  case DRAFT_SLICE:
    add_pair(row, "channels", node->begin, node->begin + node->channels);
    return CAM_OK;
  case DRAFT_SHUFFLE:
    json_add_int(row, "groups", node->groups);
    return CAM_OK;
  case DRAFT_RESIZE:
    add_pair(row, "factor", node->stride[0], node->stride[1]);
    return CAM_OK;
  case DRAFT_AFFINE:
    break;
  case DRAFT_LAYER_NORM:
    json_add_number(row, "epsilon", node->low);
    break;
  default:
    return CAM_OK;
  }
  return add_scale(w, i, row);
}

static const char *name_of(const writer *w, int node) {
  if (node == DRAFT_PICTURE)
    return "input";
  return w->names[node];
}

static bool is_taken_by_fc(const writer *w, int i) {
  return affine_before(w, w->d->output) == &w->d->nodes[i];
}

static cam_code add_draft_row(writer *w, int i) {
  const draft_node *node = &w->d->nodes[i];
  cam_code code = give_name(w, i);
  if (code)
    return code;
  const char *op = operator_of(w, i);
  json *row = json_add_object(w->nodes, NULL);
  json_add_text(row, "name", w->names[i]);
  json_add_text(row, "op", op);
  json *inputs = json_add_array(row, "inputs");
  const draft_node *reads = affine_before(w, i);
  if (!reads)
    reads = node;
  for (int k = 0; k < reads->n_inputs; k++)
    json_add_text(inputs, NULL, name_of(w, reads->inputs[k]));
  w->written++;
  return add_members(w, i, row, op);
}

/* A product of a vector: an fc. */
static bool is_matrix(const draft_node *node) {
  return node->op == DRAFT_CONV && node->groups == 1 && node->kernel[0] == 1 &&
         node->kernel[1] == 1;
}

/* From the output back to the last pooling or flatten: what is there works on a vector. Returns the
 * node that is neither that nor one that a head may have; -1: all is well. */
static int mark_head(writer *w) {
  int i = w->d->output;
  for (; i >= 0; i = w->d->nodes[i].inputs[0]) {
    const draft_node *node = &w->d->nodes[i];
    if (node->op == DRAFT_GAP || node->op == DRAFT_FLATTEN)
      return -1;
    w->head[i] = true;
    if (node->n_inputs != 1 || !draft_is_vector(w->d, node->inputs[0]) ||
        (node->op == DRAFT_CONV && !is_matrix(node)) || !graph_head_takes(op_of(operator_of(w, i))))
      return i;
  }
  return w->d->output;
}

cam_code draft_check(draft *d) {
  writer w = {.d = d};
  w.head = arena_alloc(d->memory, (size_t)d->n + 1);
  if (!w.head)
    return no_memory_to_write(&w);
  const int misplaced = mark_head(&w);
  for (int i = 0; i < d->n; i++) {
    const draft_node *node = &d->nodes[i];
    if (node->dead)
      continue;
    if (node->sized && !d->sized)
      d->sized_by = node->name;
    d->sized |= node->sized;
    if (node->n_inputs > NODE_MAX_INPUTS)
      return cam_fail(d->error, CAM_E_WEIGHTS,
                      "node %.48s (%.24s): %d inputs; more than %d would have to be built",
                      node->name, node->source, node->n_inputs, NODE_MAX_INPUTS);
    if (!is_in_engine(operator_of(&w, i)))
      return cam_fail(
          d->error, CAM_E_WEIGHTS,
          "node %.48s (%.24s): the engine has no operator %s; it would have to be built",
          node->name, node->source, operator_of(&w, i));
  }
  if (misplaced >= 0)
    return cam_fail(d->error, CAM_E_WEIGHTS,
                    "node %.48s (%.24s): behind the last pooling only a chain of products and "
                    "activations is explained; more would have to be built",
                    d->nodes[misplaced].name, d->nodes[misplaced].source);
  return CAM_OK;
}

cam_code draft_write(draft *d, joined *out) {
  writer w = {.d = d, .out = out};
  w.names = arena_alloc(d->memory, (size_t)d->n * sizeof *w.names + 1);
  w.head = arena_alloc(d->memory, (size_t)d->n + 1);
  out->tensors = calloc((size_t)d->n * 2 + 1, sizeof *out->tensors);
  if (!w.names || !w.head || !out->tensors)
    return no_memory_to_write(&w);
  if (d->output < 0)
    return cam_fail(d->error, CAM_E_WEIGHTS, "nothing is computed from the picture");
  w.nodes = json_add_array(out->document, "nodes");
  mark_head(&w);
  for (int i = 0; i < d->n; i++) {
    if (d->nodes[i].dead || is_taken_by_fc(&w, i))
      continue;
    cam_code code = add_draft_row(&w, i);
    if (code)
      return code;
    if (w.written > GRAPH_MAX_NODES)
      return cam_fail(d->error, CAM_E_WEIGHTS, "more than %d operators", GRAPH_MAX_NODES);
  }
  return CAM_OK;
}
