/* attribute.c - attribute.h. Untrusted input: every error names the node, the member or the tensor.
 */
#include "attribute.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OUTPUTS = 100000 /* of an fc */ };

static const double MAX_NUMBER = 1e30; /* of limits and lines: its square is finite in double */

/* Of what 8 bits stand for. (graph_int8.c looks at the factors that they make together.) */
static const double LEAST_SCALE = 1e-15, MOST_SCALE = 1e15;
static bool is_scale(double value) { return value >= LEAST_SCALE && value <= MOST_SCALE; }

/* ---- tensors ---- */

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

/* ---- one attribute ---- */

static cam_code read_kernel(reading *r) {
  return member_ints(&r->m, "kernel", 2, 1, NODE_MAX_KERNEL, r->node->kernel);
}

static cam_code read_stride(reading *r) {
  return member_ints(&r->m, "stride", 2, 1, NODE_MAX_KERNEL, r->node->stride);
}

static cam_code read_groups(reading *r) {
  return member_int(&r->m, "groups", 1, NODE_MAX_CHANNELS, &r->node->groups);
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
  if (shape[0] < 1 || shape[0] > NODE_MAX_KERNEL || shape[1] < 1 || shape[1] > NODE_MAX_KERNEL ||
      shape[3] < 1 || shape[3] > NODE_MAX_CHANNELS)
    return cam_fail(r->m.error, CAM_E_MODEL,
                    "%s: tensor \"%.60s\": kernels go up to %d x %d, channels to %d", r->where,
                    weight->name, NODE_MAX_KERNEL, NODE_MAX_KERNEL, NODE_MAX_CHANNELS);
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
  cam_code code = member_ints(&r->m, "padding", 4, 0, NODE_MAX_KERNEL - 1, node->pads);
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
  return member_ints(&r->m, "factor", 2, 1, NODE_MAX_KERNEL, r->node->factor);
}

/* ---- all of them ---- */

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

bool attribute_is_known(unsigned has, const char *name) {
  for (int i = 0; i < ATTRIBUTES; i++)
    if (!strcmp(attributes[i].name, name))
      return (attributes[i].bit & ~has) == 0;
  return false;
}

cam_code attributes_read(reading *r, unsigned has) {
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
    if (!attributes[i].read || (attributes[i].bit & ~has))
      continue;
    if (attributes[i].needed || json_member(r->m.object, attributes[i].name))
      code = attributes[i].read(r);
  }
  return code;
}
