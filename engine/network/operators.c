/* operators.c - operators.h: a table. Untrusted input: every error names the node. */
#include "operators.h"
#include "attribute.h"
#include "cam_minmax.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PLANE = 1 << 28, MAX_FLAT = 1 << 22 };

/* The index of the node of that name; GRAPH_INPUT - 1: there is none so far. */
static int find_node(const node_context *context, const char *name) {
  if (!strcmp(name, "input"))
    return GRAPH_INPUT;
  for (int i = 0; i < context->n_nodes; i++)
    if (!strcmp(context->nodes[i].name, name))
      return i;
  return GRAPH_INPUT - 1;
}

/* ---- what is checked after all attributes ---- */

static cam_code check_add(reading *r) {
  int a = channels_of(r, r->node->inputs[0]), b = channels_of(r, r->node->inputs[1]);
  if (a != b)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: adds %d channels to %d", r->where, a, b);
  return CAM_OK;
}

static cam_code check_mul(reading *r) {
  int a = channels_of(r, r->node->inputs[0]), b = channels_of(r, r->node->inputs[1]);
  if (a != b)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: multiplies %d channels by %d", r->where, a, b);
  return CAM_OK;
}

static cam_code check_clip(reading *r) {
  if (r->node->least > r->node->most)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: clips to at least %g and at most %g", r->where,
                    r->node->least, r->node->most);
  return CAM_OK;
}

static cam_code check_shuffle(reading *r) {
  if (r->node->channels % r->node->groups)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: %d channels are not %d equal groups", r->where,
                    r->node->channels, r->node->groups);
  return CAM_OK;
}

static cam_code check_concat(reading *r) {
  cam_node *node = r->node;
  node->channels = 0;
  for (int i = 0; i < node->n_inputs; i++)
    node->channels += channels_of(r, node->inputs[i]);
  if (node->channels > NODE_MAX_CHANNELS)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: %d channels; allowed are %d", r->where,
                    node->channels, NODE_MAX_CHANNELS);
  return CAM_OK;
}

/* One cell of all values of a plane, whose size it keeps as its kernel. */
static cam_code check_flatten(reading *r) {
  cam_node *node = r->node;
  const int input = node->inputs[0], *plane = r->context->picture;
  if (input != GRAPH_INPUT)
    plane = r->context->shape[input];
  const int64_t values = (int64_t)plane[0] * plane[1] * node->channels;
  if (values > MAX_FLAT)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: %" PRId64 " values; allowed are %d", r->where,
                    values, MAX_FLAT);
  node->kernel[0] = plane[0];
  node->kernel[1] = plane[1];
  node->channels = (int)values;
  return CAM_OK;
}

static void shape_by_kernel(const cam_node *node, const int in[2], int out[2]) {
  for (int axis = 0; axis < 2; axis++)
    node_padding(node, axis, in[axis], &out[axis]);
}

static void shape_one_cell(const cam_node *node, const int in[2], int out[2]) {
  (void)node;
  (void)in;
  out[0] = 1;
  out[1] = 1;
}

static void shape_by_factor(const cam_node *node, const int in[2], int out[2]) {
  for (int axis = 0; axis < 2; axis++) /* too large a side: too large a plane */
    out[axis] = (int)min_int64((int64_t)in[axis] * node->factor[axis], MAX_PLANE + 1);
}

/* clang-format off */
static const struct {
  unsigned has;
  int least_inputs, most_inputs;
  /* After all attributes; sets the channels where they are not those of the first input. NULL:
   * nothing is left to check. */
  cam_code (*check)(reading *r);
  /* Height and width of the output. Without kernel, stride and padding shape_by_kernel gives those
   * of the input. */
  void (*shape)(const cam_node *node, const int in[2], int out[2]);
  bool broadcasts; /* inputs have one height and width; true: or are one cell, but the first */
} operators[OP_COUNT] = {
  [OP_CONV] = {A_CONV, 1, 1, NULL, shape_by_kernel, false},
  [OP_MAX_POOL] = {A_POOL, 1, 1, NULL, shape_by_kernel, false},
  [OP_AVG_POOL] = {A_POOL | HAS_COUNT_INCLUDE_PAD, 1, 1, NULL, shape_by_kernel, false},
  [OP_RELU] = {0, 1, 1, NULL, shape_by_kernel, false},
  [OP_RELU6] = {0, 1, 1, NULL, shape_by_kernel, false},
  [OP_CLIP] = {HAS_LIMITS, 1, 1, check_clip, shape_by_kernel, false},
  [OP_SIGMOID] = {0, 1, 1, NULL, shape_by_kernel, false},
  [OP_HARD_SIGMOID] = {HAS_LINE, 1, 1, NULL, shape_by_kernel, false},
  [OP_SILU] = {0, 1, 1, NULL, shape_by_kernel, false},
  [OP_HARD_SWISH] = {0, 1, 1, NULL, shape_by_kernel, false},
  [OP_GELU] = {0, 1, 1, NULL, shape_by_kernel, false},
  [OP_ADD] = {0, 2, 2, check_add, shape_by_kernel, false},
  [OP_MUL] = {0, 2, 2, check_mul, shape_by_kernel, true},
  [OP_AFFINE] = {HAS_SCALE, 1, 1, NULL, shape_by_kernel, false},
  [OP_LAYER_NORM] = {HAS_SCALE | HAS_EPSILON, 1, 1, NULL, shape_by_kernel, false},
  [OP_CONCAT] = {0, 1, NODE_MAX_INPUTS, check_concat, shape_by_kernel, false},
  [OP_SLICE] = {HAS_CHANNELS, 1, 1, NULL, shape_by_kernel, false},
  [OP_SHUFFLE] = {HAS_GROUPS, 1, 1, check_shuffle, shape_by_kernel, false},
  [OP_RESIZE] = {HAS_FACTOR, 1, 1, NULL, shape_by_factor, false},
  [OP_GAP] = {0, 1, 1, NULL, shape_one_cell, false},
  [OP_FLATTEN] = {0, 1, 1, check_flatten, shape_one_cell, false},
  [OP_FC] = {HAS_WEIGHT | HAS_BIAS, 1, 1, NULL, shape_one_cell, false},
};
/* clang-format on */

/* ---- a node ---- */

/* Its name, which must be free; errors then call the node by it. */
static cam_code read_name(reading *r) {
  snprintf(r->where, sizeof r->where, "node %d", r->context->n_nodes + 1);
  cam_code code = member_text(&r->m, "name", &r->node->name);
  if (code)
    return code;
  snprintf(r->where, sizeof r->where, "node \"%.60s\"", r->node->name);
  if (find_node(r->context, r->node->name) >= GRAPH_INPUT)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: the name is taken", r->where);
  return CAM_OK;
}

static cam_code read_op(reading *r) {
  int op;
  cam_code code = member_word(&r->m, "op", op_names, OP_COUNT, &op);
  if (!code)
    r->node->op = (cam_op)op;
  return code;
}

static cam_code check_members(const reading *r) {
  for (const json *item = json_first(r->m.object); item; item = json_next(item))
    if (!attribute_is_known(operators[r->node->op].has, json_name(item)))
      return cam_fail(r->m.error, CAM_E_MODEL, "%s: \"%s\" has no member \"%.40s\"", r->where,
                      op_name(r->node->op), json_name(item));
  return CAM_OK;
}

static cam_code read_input_of(reading *r, const char *name, int *out) {
  int input = *out = find_node(r->context, name);
  if (input < GRAPH_INPUT)
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: input \"%.40s\" is no earlier node (unknown, or a cycle)", r->where, name);
  return CAM_OK;
}

static cam_code read_inputs(reading *r) {
  cam_node *node = r->node;
  const json *inputs = json_member(r->m.object, "inputs");
  int least = operators[node->op].least_inputs, most = operators[node->op].most_inputs;
  node->n_inputs = json_count(inputs);
  if (json_type_of(inputs) != JSON_ARRAY || node->n_inputs < least || node->n_inputs > most)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: %d inputs; \"%s\" takes %d to %d", r->where,
                    node->n_inputs, op_name(node->op), least, most);
  cam_code code = CAM_OK;
  const json *input = json_first(inputs);
  for (int i = 0; i < node->n_inputs && !code; i++, input = json_next(input))
    code = read_input_of(r, json_text(input), &node->inputs[i]);
  return code;
}

/* Does the node make one cell, whatever the picture's size: of a mean, or of one cell? */
static bool makes_one_cell(const reading *r) {
  static const int one[2] = {1, 1};
  const cam_node *node = r->node;
  int out[2];
  if (operators[node->op].shape == shape_one_cell)
    return true;
  for (int k = 0; k < node->n_inputs; k++)
    if (node->inputs[k] == GRAPH_INPUT || !r->context->nodes[node->inputs[k]].one_cell)
      return false;
  operators[node->op].shape(node, one, out);
  return out[0] == 1 && out[1] == 1;
}

cam_code node_read(const node_context *context, const json *object, cam_node *out,
                   cam_error *error) {
  reading r = {.context = context, .node = out};
  r.m = (members){object, r.where, error};
  cam_code code = read_name(&r);
  if (!code)
    code = read_op(&r);
  if (!code)
    code = check_members(&r);
  if (!code)
    code = read_inputs(&r);
  if (!code)
    code = attributes_read(&r, operators[out->op].has);
  if (!code && operators[out->op].check)
    code = operators[out->op].check(&r);
  if (!code)
    out->one_cell = makes_one_cell(&r);
  return code;
}

/* ---- shapes ---- */

/* Floats of a cell where vectors are widest. */
static int padded_channels(const cam_node *node) {
  enum { WIDEST = 16 };
  return (node->channels + WIDEST - 1) / WIDEST * WIDEST;
}

cam_code node_shape(const cam_node *node, const int *const in[NODE_MAX_INPUTS], int out[2],
                    cam_error *error) {
  for (int k = 1; k < node->n_inputs; k++) {
    if (operators[node->op].broadcasts && in[k][0] == 1 && in[k][1] == 1)
      continue;
    if (in[k][0] != in[0][0] || in[k][1] != in[0][1])
      return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": inputs of %d x %d and %d x %d cells",
                      node->name, in[0][1], in[0][0], in[k][1], in[k][0]);
  }
  if (node->op == OP_FLATTEN && (in[0][0] != node->kernel[0] || in[0][1] != node->kernel[1]))
    return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": flattens %d x %d cells, not %d x %d",
                    node->name, node->kernel[1], node->kernel[0], in[0][1], in[0][0]);
  operators[node->op].shape(node, in[0], out);
  if (out[0] < 1 || out[1] < 1)
    return cam_fail(error, CAM_E_MODEL,
                    "node \"%.60s\": a kernel of %d x %d does not fit %d x %d cells", node->name,
                    node->kernel[1], node->kernel[0], in[0][1], in[0][0]);
  if ((int64_t)out[0] * out[1] * padded_channels(node) > MAX_PLANE)
    return cam_fail(error, CAM_E_MODEL,
                    "node \"%.60s\": %d x %d x %d values; allowed are %d (16 a cell at least)",
                    node->name, out[0], out[1], node->channels, MAX_PLANE);
  return CAM_OK;
}
