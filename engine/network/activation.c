/* activation.c - activation.h. */
#include "activation.h"
#include <math.h>

static double bounded(double x, double least, double most) { return fmin(fmax(x, least), most); }

double activated(const cam_node *node, double x) {
  switch (node->op) {
  case OP_RELU:
    return fmax(x, 0);
  case OP_RELU6:
    return bounded(x, 0, 6);
  case OP_CLIP:
    return bounded(x, node->least, node->most);
  case OP_SIGMOID:
    return 1 / (1 + exp(-x));
  case OP_HARD_SIGMOID:
    return bounded(node->slope * x + node->offset, 0, 1);
  case OP_SILU:
    return x / (1 + exp(-x));
  case OP_HARD_SWISH:
    return x * bounded(x + 3, 0, 6) / 6;
  case OP_GELU:
    return x * (1 + erf(x / sqrt(2))) / 2;
  default:
    return NAN;
  }
}
