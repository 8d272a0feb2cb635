/* quantized.c - quantized.h. */
#include "quantized.h"
#include "activation.h"
#include <math.h>

bool quantized_is_limit(const cam_node *node) {
  return node->op == OP_RELU || node->op == OP_RELU6 || node->op == OP_CLIP;
}

/* ---- units ---- */

/* The input that comes as sums; NULL: none does. */
static const cam_node *part_of_unit(const cam_graph *graph, const cam_node *node, int *other) {
  for (int k = 0; k < node->n_inputs; k++) {
    const cam_node *in = quantized_source(graph, node, k);
    if (in && in->way == NODE_PART) {
      *other = node->inputs[node->n_inputs - 1 - k];
      return in;
    }
  }
  return NULL;
}

int8_unit quantized_unit(const cam_graph *graph, const cam_node *last) {
  int8_unit unit = {.heart = last, .residual = NO_NODE, .last = last};
  int other;
  const cam_node *part = part_of_unit(graph, last, &other);
  if (part && quantized_is_limit(last)) {
    unit.clamp = last;
    unit.heart = part;
    part = part_of_unit(graph, part, &other);
  }
  if (part && unit.heart->op == OP_ADD) {
    unit.residual = other;
    unit.heart = part;
  }
  return unit;
}

quantization quantized_input(const cam_graph *graph, int input) {
  if (input == GRAPH_INPUT)
    return (quantization){1, 0};
  return graph->nodes[input].quantum;
}

uint8_t quantized_padding(const cam_graph *graph, int input, int channel) {
  if (input == GRAPH_INPUT)
    return (uint8_t)fminf(fmaxf(rintf(graph->mean[channel]), 0), 255);
  return (uint8_t)graph->nodes[input].quantum.zero_point;
}

/* ---- numbers: products and quotients in double, each rounded once to float32 ---- */

float quantized_ratio(quantization in, quantization out) {
  return (float)((double)in.scale / (double)out.scale);
}

float quantized_multiplier(const cam_graph *graph, const int8_unit *unit, int channel) {
  const cam_node *conv = unit->heart;
  const quantization in = quantized_input(graph, conv->inputs[0]);
  return (float)((double)in.scale * (double)conv->weight_scale->data[channel] /
                 (double)unit->last->quantum.scale);
}

void quantized_biases(const cam_graph *graph, const cam_node *conv, int32_t *out) {
  const size_t channels = (size_t)conv->channels;
  const int zero_point = quantized_input(graph, conv->inputs[0]).zero_point;
  for (size_t c = 0; c < channels; c++) {
    out[c] = 0;
    if (conv->bias)
      out[c] = conv->bias->wholes[c];
  }
  for (size_t i = 0; i < conv->weight->count && zero_point; i++) {
    int32_t *sum = &out[i % channels]; /* may leave 32 bits on its way, not in the end */
    *sum = (int32_t)((uint32_t)*sum - (uint32_t)(zero_point * conv->weight->bytes[i]));
  }
}

void quantized_affine(const cam_graph *graph, const int8_unit *unit, int channel, float *factor,
                      float *shift) {
  const cam_node *node = unit->heart;
  const double in = (double)quantized_input(graph, node->inputs[0]).scale,
               out = (double)unit->last->quantum.scale;
  *factor = (float)(in * (double)node->scale->data[channel] / out);
  *shift = (float)((double)node->shift->data[channel] / out);
}

float quantized_product(quantization a, quantization b, quantization out) {
  return (float)((double)a.scale * (double)b.scale / (double)out.scale);
}

float quantized_mean(quantization in, quantization out, int count) {
  return (float)((double)in.scale / ((double)out.scale * count));
}

/* The level nearest to a value, ties to even. */
static int level_of(double value, quantization of) {
  const double level = rint(value / (double)of.scale) + of.zero_point;
  return (int)fmin(fmax(level, 0), 255);
}

void quantized_ends(const int8_unit *unit, int *low, int *high) {
  const quantization out = unit->last->quantum;
  *low = 0;
  *high = 255;
  if (!unit->clamp)
    return;
  *low = level_of(activated(unit->clamp, -HUGE_VAL), out);
  *high = level_of(activated(unit->clamp, HUGE_VAL), out);
}

void quantized_table(const cam_node *node, quantization in, uint8_t table[256]) {
  for (int q = 0; q < 256; q++) {
    double value = (double)in.scale * (q - in.zero_point);
    if (op_is_activation(node->op))
      value = activated(node, value);
    table[q] = (uint8_t)level_of(value, node->quantum);
  }
}

float quantized_share(const cam_graph *graph, int class_id, int cells) {
  const cam_node *last = &graph->nodes[graph->n_nodes - 1];
  double scale = (double)quantized_input(graph, graph->nodes[graph->head].inputs[0]).scale;
  if (last->weight_scale)
    scale *= (double)last->weight_scale->data[class_id];
  return (float)(scale / cells);
}

uint64_t quantized_multiply_adds(const cam_graph *graph, int (*shape)[2]) {
  uint64_t sum = 0;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    if (node->weight_scale)
      sum += node_multiply_adds(node, shape[i][0], shape[i][1]);
  }
  return sum;
}
