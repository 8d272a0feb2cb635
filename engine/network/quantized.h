/* quantized.h - which nodes of a graph are computed in integers, and by which numbers. Flow: graph
 * -> [quantized] -> network, reference. Any thread.
 *
 * A node's plane is 8-bit where the node has a quantization. It comes of integers where all that it
 * reads is 8-bit (a convolution may read the picture as it was photographed) and there is an
 * integer way for its operator; any other node is computed in float32, between two conversions.
 * Nodes whose values are rounded once, together, are a unit: a convolution, the plane that is added
 * to its sums, the relu, relu6 or clip behind them. But for the last they have no quantization:
 * there is no plane between them.
 *
 * What every instruction set and the reference compute, in single IEEE operations of float32:
 *   f = (float)sum * multiplier[channel] (+ (float)(residual - its zero point) * its multiplier)
 *   q = (int)rint(min(max(f, low - zero_point), high - zero_point)) + zero_point */
#ifndef QUANTIZED_H
#define QUANTIZED_H
#include "graph.h"

enum { NO_NODE = -2 };

typedef struct int8_unit {
  const cam_node *heart; /* whose sums or values it begins with */
  int residual;          /* the node whose plane is added to a convolution's sums, or NO_NODE */
  const cam_node *clamp; /* the relu, relu6 or clip behind them, or NULL */
  const cam_node *last;  /* of the three, the one whose plane it leaves */
} int8_unit;

/* The unit of a node whose way is NODE_INT8. */
int8_unit quantized_unit(const cam_graph *graph, const cam_node *last);

/* What the plane of an input stands for; the picture's own levels count as they are: scale 1, zero
 * point 0 (its mean is in the bias, its scale in the weights). */
quantization quantized_input(const cam_graph *graph, int input);
/* What stands where a convolution's kernel sticks out of its input, channel by channel. */
uint8_t quantized_padding(const cam_graph *graph, int input, int channel);

/* Of a unit whose heart is a convolution: what a channel's sum is multiplied by, and what the sum
 * begins with: the bias, less the input's zero point times the weights. */
float quantized_multiplier(const cam_graph *graph, const int8_unit *unit, int channel);
void quantized_biases(const cam_graph *graph, const cam_node *conv, int32_t *out);
static inline bool is_same_quantum(quantization a, quantization b) {
  return a.scale == b.scale && a.zero_point == b.zero_point;
}
/* What a plane's levels, less their zero point, are multiplied by in a sum of another scale. */
float quantized_ratio(quantization in, quantization out);
/* Of an affine: f = (float)(q - zero_point) * *factor + *shift. */
void quantized_affine(const cam_graph *graph, const int8_unit *unit, int channel, float *factor,
                      float *shift);
/* Of a mul: f = (float)((a - its zero point) * (b - its zero point)) * this. */
float quantized_product(quantization a, quantization b, quantization out);
/* Of a mean: f = (float)(sum over cells of q - zero_point) * this; count: what is divided by. */
float quantized_mean(quantization in, quantization out, int count);
/* The ends of what a unit leaves, 0..255. */
void quantized_ends(const int8_unit *unit, int *low, int *high);
/* The level that a level of the input becomes: by the activation that the node is, or, of any other
 * operator, by the change of scale alone. */
void quantized_table(const cam_node *node, quantization in, uint8_t table[256]);
bool quantized_is_limit(const cam_node *node); /* relu, relu6, clip */

/* The node whose output is input k; NULL: the picture. */
static inline const cam_node *quantized_source(const cam_graph *graph, const cam_node *node,
                                               int k) {
  if (node->inputs[k] == GRAPH_INPUT)
    return NULL;
  return &graph->nodes[node->inputs[k]];
}

/* Of a head in integers: a class's logit is (float)(sum over the plane's cells, and over the
 * channels times the class's 8-bit weights, of q - zero_point) * this, plus the bias; a cell of its
 * map is that of 1 cell, without the bias. */
float quantized_share(const cam_graph *graph, int class_id, int cells);

/* Multiply-adds of the graph that are computed in integers, of a picture of its own size. */
uint64_t quantized_multiply_adds(const cam_graph *graph, int (*shape)[2]);

#endif
