/* train_op.c - which operator computes a node. */
#include "train_op.h"

const train_op *train_op_of(const cam_node *node) {
  /* clang-format off */
  static const train_op *const ops[OP_COUNT] = {
      [OP_MAX_POOL] = &train_op_max_pool, [OP_AVG_POOL] = &train_op_avg_pool,
      [OP_RELU] = &train_op_clamp, [OP_RELU6] = &train_op_clamp, [OP_CLIP] = &train_op_clamp,
      [OP_HARD_SIGMOID] = &train_op_clamp, [OP_SIGMOID] = &train_op_sigmoid,
      [OP_SILU] = &train_op_smooth, [OP_HARD_SWISH] = &train_op_smooth,
      [OP_GELU] = &train_op_smooth,
      [OP_ADD] = &train_op_add, [OP_MUL] = &train_op_mul, [OP_AFFINE] = &train_op_affine,
      [OP_LAYER_NORM] = &train_op_layer_norm,
      [OP_CONCAT] = &train_op_concat, [OP_SLICE] = &train_op_moves,
      [OP_SHUFFLE] = &train_op_moves, [OP_RESIZE] = &train_op_moves,
      [OP_GAP] = &train_op_gap, [OP_FLATTEN] = &train_op_flatten, [OP_FC] = &train_op_fc,
  };
  /* clang-format on */
  if (!node)
    return &train_op_dropout;
  if (node->op != OP_CONV)
    return ops[node->op];
  if (train_depthwise_takes(node))
    return &train_op_depthwise;
  return &train_op_conv;
}
