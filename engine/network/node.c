/* node.c - node.h: the JSON of a node -> a checked node. Flow: model file -> [node] -> graph.
 * Thread: loading. Untrusted input: every error names the node, the member or the tensor. */
#include "node.h"
#include "cam_minmax.h"
#include "members.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  MAX_KERNEL = 64,
  MAX_CHANNELS = 65536,
  MAX_PLANE = 1 << 28,
  MAX_FLAT = 1 << 22,
  MAX_OUTPUTS = 100000 /* of an fc */
};

static const double MAX_NUMBER = 1e30; /* of limits and lines: its square is finite in double */

/* Of what 8 bits stand for. (graph_int8.c looks at the factors that they make together.) */
static const double LEAST_SCALE = 1e-15, MOST_SCALE = 1e15;
static bool is_scale(double value) { return value >= LEAST_SCALE && value <= MOST_SCALE; }

/* A node being read. */
typedef struct reading {
  const node_context *context;
  cam_node *node;
  char where[96];
  members m; /* of the node; m.where is `where` */
} reading;

static int channels_of(const reading *r, int input) {
  if (input == GRAPH_INPUT)
    return 3;
  return r->context->nodes[input].channels;
}

/* The index of the node of that name; GRAPH_INPUT - 1: there is none so far. */
static int find_node(const node_context *context, const char *name) {
  if (!strcmp(name, "input"))
    return GRAPH_INPUT;
  for (int i = 0; i < context->n_nodes; i++)
    if (!strcmp(context->nodes[i].name, name))
      return i;
  return GRAPH_INPUT - 1;
}

/* ---- attributes ---- */

static bool is_finite(const cam_tensor *tensor) {
  uint32_t worst = 0; /* the largest magnitude as bits: above 0x7f7fffff it is Inf or NaN */
  const uint32_t *bits = (const void *)tensor->data;
  for (size_t i = 0; i < tensor->count; i++) {
    uint32_t magnitude = bits[i] & 0x7fffffff;
    if (magnitude > worst)
      worst = magnitude;
  }
  return worst < 0x7f800000;
}

/* A tensor that is in the file. */
static cam_code find_tensor_of(reading *r, const char *member, const cam_tensor **out) {
  const char *name = NULL;
  cam_code code = member_text(&r->m, member, &name);
  if (code)
    return code;
  *out = safetensors_find(r->context->file, name);
  if (!*out)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: tensor \"%.60s\" is not in the file", r->where,
                    name);
  return CAM_OK;
}

/* values: the tensor's pointer of the dtype that is needed. */
static cam_code check_dtype(const reading *r, const cam_tensor *tensor, const void *values,
                            const char *dtype) {
  if (values)
    return CAM_OK;
  return cam_fail(r->m.error, CAM_E_MODEL, "%s: tensor \"%.60s\" has dtype %s; %s is needed",
                  r->where, tensor->name, tensor->dtype, dtype);
}

/* A float32 tensor that is in the file and finite. */
static cam_code read_tensor(reading *r, const char *member, const cam_tensor **out) {
  const cam_tensor *tensor = NULL;
  cam_code code = find_tensor_of(r, member, &tensor);
  if (!code)
    code = check_dtype(r, tensor, tensor->data, "F32");
  if (code)
    return code;
  if (!is_finite(tensor))
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: tensor \"%.60s\" has a value that is not finite",
                    r->where, tensor->name);
  *out = tensor;
  return CAM_OK;
}

static cam_code read_kernel(reading *r) {
  return member_ints(&r->m, "kernel", 2, 1, MAX_KERNEL, r->node->kernel);
}

static cam_code read_stride(reading *r) {
  return member_ints(&r->m, "stride", 2, 1, MAX_KERNEL, r->node->stride);
}

static cam_code read_groups(reading *r) {
  return member_int(&r->m, "groups", 1, MAX_CHANNELS, &r->node->groups);
}

/* [KH,KW,Cin/groups,Cout]; sets kernel and channels. */
static cam_code check_conv_weight(reading *r) {
  cam_node *node = r->node;
  const cam_tensor *weight = node->weight;
  const int64_t *shape = weight->shape;
  int in = channels_of(r, node->inputs[0]);
  if (weight->rank != 4)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: tensor \"%.60s\" has rank %d", r->where,
                    weight->name, weight->rank);
  if (shape[0] < 1 || shape[0] > MAX_KERNEL || shape[1] < 1 || shape[1] > MAX_KERNEL ||
      shape[3] < 1 || shape[3] > MAX_CHANNELS)
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: tensor \"%.60s\": kernels go up to %d x %d, channels to %d", r->where,
                    weight->name, MAX_KERNEL, MAX_KERNEL, MAX_CHANNELS);
  node->kernel[0] = (int)shape[0];
  node->kernel[1] = (int)shape[1];
  node->channels = (int)shape[3];
  if (in % node->groups || node->channels % node->groups || shape[2] != in / node->groups)
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: tensor \"%.60s\" takes %" PRId64
                    " channels a group and gives %d in %d groups; its input has %d",
                    r->where, weight->name, shape[2], node->channels, node->groups, in);
  return CAM_OK;
}

/* [outputs,C]; sets channels. */
static cam_code check_fc_weight(reading *r) {
  const cam_tensor *weight = r->node->weight;
  const int64_t *shape = weight->shape;
  int in = channels_of(r, r->node->inputs[0]);
  if (weight->rank != 2)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: tensor \"%.60s\" has rank %d", r->where,
                    weight->name, weight->rank);
  if (shape[1] != in)
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: tensor \"%.60s\" takes %" PRId64 " channels, its input has %d", r->where,
                    weight->name, shape[1], in);
  if (shape[0] < 1 || shape[0] > MAX_OUTPUTS)
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: tensor \"%.60s\" gives %" PRId64 " outputs; allowed are 1 to %d", r->where,
                    weight->name, shape[0], MAX_OUTPUTS);
  r->node->channels = (int)shape[0];
  return CAM_OK;
}

/* Weights of 8 bits, which are symmetric: -128 is none. */
static cam_code read_small_weight(reading *r) {
  const cam_tensor *weight = NULL;
  cam_code code = find_tensor_of(r, "weight", &weight);
  if (!code)
    code = check_dtype(r, weight, weight->bytes, "I8 (it has a weight_scale)");
  if (code)
    return code;
  if (weight->count && memchr(weight->bytes, -128, weight->count))
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: tensor \"%.60s\" has a value of -128; -127 to 127 are allowed", r->where,
                    weight->name);
  r->node->weight = weight;
  return CAM_OK;
}

static cam_code read_weight(reading *r) {
  cam_code code;
  if (json_member(r->m.object, "weight_scale"))
    code = read_small_weight(r);
  else
    code = read_tensor(r, "weight", &r->node->weight);
  if (code)
    return code;
  if (r->node->op == OP_FC)
    return check_fc_weight(r);
  return check_conv_weight(r);
}

/* A tensor of one value for each channel of the output. */
static cam_code check_channel_values(const reading *r, const cam_tensor *tensor) {
  if (tensor->rank == 1 && tensor->shape[0] == r->node->channels)
    return CAM_OK;
  return cam_fail(r->m.error, CAM_E_MODEL, "%s: tensor \"%.60s\" must have %d values", r->where,
                  tensor->name, r->node->channels);
}

static cam_code read_channel_values(reading *r, const char *member, const cam_tensor **out) {
  cam_code code = read_tensor(r, member, out);
  if (code)
    return code;
  return check_channel_values(r, *out);
}

static cam_code read_weight_scale(reading *r) {
  cam_code code = read_channel_values(r, "weight_scale", &r->node->weight_scale);
  if (code)
    return code;
  const cam_tensor *scales = r->node->weight_scale;
  for (int c = 0; c < r->node->channels; c++)
    if (!is_scale((double)scales->data[c]))
      return cam_fail(r->m.error, CAM_E_MODEL,
                      "%s: tensor \"%.60s\": scale %d is %g; allowed are %g to %g", r->where,
                      scales->name, c, (double)scales->data[c], LEAST_SCALE, MOST_SCALE);
  return CAM_OK;
}

/* Of a convolution in integers a part of its sums, of which it is the unit. */
static cam_code read_bias(reading *r) {
  if (!r->node->weight_scale || r->node->op == OP_FC)
    return read_channel_values(r, "bias", &r->node->bias);
  cam_code code = find_tensor_of(r, "bias", &r->node->bias);
  if (!code)
    code = check_dtype(r, r->node->bias, r->node->bias->wholes, "I32 (it has a weight_scale)");
  if (!code)
    code = check_channel_values(r, r->node->bias);
  return code;
}

static cam_code read_quantization(reading *r) {
  char where[sizeof r->where + 16];
  snprintf(where, sizeof where, "%s: quantization", r->where);
  const members m = {json_member(r->m.object, "quantization"), where, r->m.error};
  double scale;
  if (json_type_of(m.object) != JSON_OBJECT || json_count(m.object) != 2)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s must be {\"scale\": ..., \"zero_point\": ...}",
                    where);
  cam_code code = member_float(&m, "scale", LEAST_SCALE, MOST_SCALE, &scale);
  if (!code)
    code = member_int(&m, "zero_point", 0, 255, &r->node->quantum.zero_point);
  if (!code)
    r->node->quantum.scale = (float)scale;
  return code;
}
static cam_code read_scale(reading *r) { return read_channel_values(r, "scale", &r->node->scale); }
static cam_code read_shift(reading *r) { return read_channel_values(r, "shift", &r->node->shift); }

static cam_code read_padding(reading *r) {
  cam_node *node = r->node;
  const json *padding = json_member(r->m.object, "padding");
  const char *word = json_text(padding);
  if (json_type_of(padding) == JSON_STRING && !strcmp(word, "valid"))
    return CAM_OK;
  if (json_type_of(padding) == JSON_STRING && !strcmp(word, "same")) {
    node->padding = PAD_SAME;
    return CAM_OK;
  }
  if (json_type_of(padding) != JSON_ARRAY)
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: member \"padding\" must be \"same\", \"valid\" or [top,left,bottom,right]",
                    r->where);
  cam_code code = member_ints(&r->m, "padding", 4, 0, MAX_KERNEL - 1, node->pads);
  for (int i = 0; i < 4 && !code; i++)
    if (node->pads[i] >= node->kernel[i % 2])
      code = cam_fail(r->m.error, CAM_E_MODEL,
                      "%s: padding of %d is not smaller than its kernel of %d", r->where,
                      node->pads[i], node->kernel[i % 2]);
  return code;
}

static cam_code read_ceil_mode(reading *r) {
  return member_flag(&r->m, "ceil_mode", &r->node->ceil_mode);
}

static cam_code read_count_include_pad(reading *r) {
  return member_flag(&r->m, "count_include_pad", &r->node->count_include_pad);
}

static cam_code read_least(reading *r) {
  return member_float(&r->m, "least", -MAX_NUMBER, MAX_NUMBER, &r->node->least);
}

static cam_code read_most(reading *r) {
  return member_float(&r->m, "most", -MAX_NUMBER, MAX_NUMBER, &r->node->most);
}

static cam_code read_line_slope(reading *r) {
  return member_float(&r->m, "slope", -MAX_NUMBER, MAX_NUMBER, &r->node->slope);
}

static cam_code read_line_offset(reading *r) {
  return member_float(&r->m, "offset", -MAX_NUMBER, MAX_NUMBER, &r->node->offset);
}

static cam_code read_epsilon(reading *r) {
  return member_float(&r->m, "epsilon", 1e-12, 1, &r->node->epsilon);
}

/* [begin,end) of the input's channels. */
static cam_code read_channels(reading *r) {
  cam_node *node = r->node;
  int ends[2], in = node->channels;
  cam_code code = member_ints(&r->m, "channels", 2, 0, in, ends);
  if (code)
    return code;
  if (ends[0] >= ends[1])
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: channels %d to %d are none", r->where, ends[0],
                    ends[1]);
  node->begin = ends[0];
  node->channels = ends[1] - ends[0];
  return CAM_OK;
}

static cam_code read_factor(reading *r) {
  return member_ints(&r->m, "factor", 2, 1, MAX_KERNEL, r->node->factor);
}

enum {
  HAS_KERNEL = 1 << 0,
  HAS_STRIDE = 1 << 1,
  HAS_PADDING = 1 << 2,
  HAS_GROUPS = 1 << 3,
  HAS_WEIGHT = 1 << 4,
  HAS_BIAS = 1 << 5,
  HAS_CEIL_MODE = 1 << 6,
  HAS_COUNT_INCLUDE_PAD = 1 << 7,
  HAS_LIMITS = 1 << 8,
  HAS_LINE = 1 << 9,
  HAS_SCALE = 1 << 10,
  HAS_EPSILON = 1 << 11,
  HAS_CHANNELS = 1 << 12,
  HAS_FACTOR = 1 << 13,
  A_CONV = HAS_STRIDE | HAS_PADDING | HAS_GROUPS | HAS_WEIGHT | HAS_BIAS,
  A_POOL = HAS_KERNEL | HAS_STRIDE | HAS_PADDING | HAS_CEIL_MODE
};

/* In the order in which they are read: a weight's shape depends on the groups, what padding may be
 * on the kernel, which a conv has from its weight. */
static const struct {
  const char *name;
  unsigned bit; /* 0: of every node */
  bool needed;
  cam_code (*read)(reading *r); /* NULL: read before */
} attributes[] = {
    {"name", 0, true, NULL},
    {"op", 0, true, NULL},
    {"inputs", 0, true, NULL},
    {"kernel", HAS_KERNEL, true, read_kernel},
    {"stride", HAS_STRIDE, false, read_stride},
    {"groups", HAS_GROUPS, false, read_groups},
    {"weight", HAS_WEIGHT, true, read_weight},
    {"weight_scale", HAS_WEIGHT, false, read_weight_scale},
    {"bias", HAS_BIAS, false, read_bias},
    {"padding", HAS_PADDING, false, read_padding},
    {"ceil_mode", HAS_CEIL_MODE, false, read_ceil_mode},
    {"count_include_pad", HAS_COUNT_INCLUDE_PAD, false, read_count_include_pad},
    {"least", HAS_LIMITS, false, read_least},
    {"most", HAS_LIMITS, false, read_most},
    {"slope", HAS_LINE, true, read_line_slope},
    {"offset", HAS_LINE, true, read_line_offset},
    {"scale", HAS_SCALE, true, read_scale},
    {"shift", HAS_SCALE, true, read_shift},
    {"epsilon", HAS_EPSILON, true, read_epsilon},
    {"channels", HAS_CHANNELS, true, read_channels},
    {"factor", HAS_FACTOR, true, read_factor},
    {"quantization", 0, false, read_quantization},
};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

/* ---- operators: what their nodes may and must say ---- */

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
  if (node->channels > MAX_CHANNELS)
    return cam_fail(r->m.error, CAM_E_MODEL, "%s: %d channels; allowed are %d", r->where,
                    node->channels, MAX_CHANNELS);
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

static const char *const op_names[OP_COUNT] = {
#define X(id, name) name,
    OPERATORS(X)
#undef X
};

const char *op_name(cam_op op) {
  if ((unsigned)op >= OP_COUNT)
    return "";
  return op_names[op];
}

bool op_is_activation(cam_op op) {
  switch (op) {
  case OP_RELU:
  case OP_RELU6:
  case OP_CLIP:
  case OP_SIGMOID:
  case OP_HARD_SIGMOID:
  case OP_SILU:
  case OP_HARD_SWISH:
  case OP_GELU:
    return true;
  default:
    return false;
  }
}

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

/* May a node of this operator have a member of this name? */
static bool is_known(cam_op op, const char *name) {
  for (int i = 0; i < ATTRIBUTES; i++)
    if (!strcmp(attributes[i].name, name))
      return (attributes[i].bit & ~operators[op].has) == 0;
  return false;
}

static cam_code check_members(const reading *r) {
  for (const json *item = json_first(r->m.object); item; item = json_next(item))
    if (!is_known(r->node->op, json_name(item)))
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

/* What the operator has, in the order of `attributes`; what may be left out and is, keeps its
 * default. */
static cam_code read_attributes(reading *r) {
  cam_node *node = r->node;
  node->channels = channels_of(r, node->inputs[0]);
  node->kernel[0] = node->kernel[1] = 1;
  node->stride[0] = node->stride[1] = 1;
  node->factor[0] = node->factor[1] = 1;
  node->groups = 1;
  node->least = -INFINITY;
  node->most = INFINITY;
  cam_code code = CAM_OK;
  for (int i = 0; i < ATTRIBUTES && !code; i++) {
    if (!attributes[i].read || (attributes[i].bit & ~operators[node->op].has))
      continue;
    if (attributes[i].needed || json_member(r->m.object, attributes[i].name))
      code = attributes[i].read(r);
  }
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
    code = read_attributes(&r);
  if (!code && operators[out->op].check)
    code = operators[out->op].check(&r);
  if (!code)
    out->one_cell = makes_one_cell(&r);
  return code;
}

/* ---- shapes and costs ---- */

int node_padding(const cam_node *node, int axis, int in, int *out) {
  int kernel = node->kernel[axis], stride = node->stride[axis];
  if (node->padding ==
      PAD_SAME) { /* TensorFlow: in / stride, rounded up; the odd cell goes after */
    *out = (in + stride - 1) / stride;
    return max_int(0, (*out - 1) * stride + kernel - in) / 2;
  }
  int rest = in + node->pads[axis] + node->pads[axis + 2] - kernel;
  *out = 0;
  if (rest >= 0)
    *out = rest / stride + 1;
  if (rest >= 0 && node->ceil_mode && rest % stride && *out * stride < in + node->pads[axis])
    *out += 1; /* PyTorch: unless it would begin in the padding after the plane */
  return node->pads[axis];
}

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

uint64_t node_multiply_adds(const cam_node *node, int height, int width) {
  switch (node->op) {
  case OP_CONV:
    return (uint64_t)height * (uint64_t)width * node->weight->count;
  case OP_FC:
    return node->weight->count;
  default:
    return 0;
  }
}
