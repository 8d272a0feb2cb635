/* node.c - node.h. Thread: any; touches only its arguments. */
#include "node.h"
#include "cam_minmax.h"

const char *const op_names[OP_COUNT] = {
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
