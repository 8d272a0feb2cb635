/* graph_int8.c - graph.h: which nodes of a network are computed in integers (quantized.h). Flow:
 * graph
 * -> [graph_int8] -> graph. Thread: loading. Untrusted input: every error names the node. */
#include "cam_minmax.h"
#include "quantized.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Who reads the nodes' outputs. */
typedef struct readers {
  int *count; /* [nodes] inputs that are the node's output */
  int *last;  /* [nodes] the last node that reads it */
} readers;

typedef struct marking {
  cam_graph *graph;
  readers read;
  cam_error *error;
} marking;

/* Is there an integer way for it, convolutions aside? */
static bool has_way(const cam_node *node) {
  switch (node->op) {
  case OP_MAX_POOL:
  case OP_AVG_POOL:
  case OP_ADD:
  case OP_MUL:
  case OP_AFFINE:
  case OP_CONCAT:
  case OP_SLICE:
  case OP_SHUFFLE:
  case OP_RESIZE:
  case OP_GAP:
    return true;
  default:
    return op_is_activation(node->op);
  }
}

/* ---- marking ---- */

static bool reads_part(const cam_graph *graph, const cam_node *node) {
  for (int k = 0; k < node->n_inputs; k++) {
    const cam_node *in = quantized_source(graph, node, k);
    if (in && in->way == NODE_PART)
      return true;
  }
  return false;
}

static bool reads_levels_alone(const cam_graph *graph, const cam_node *node) {
  for (int k = 0; k < node->n_inputs; k++) {
    const cam_node *in = quantized_source(graph, node, k);
    if (!in || !is_quantized(in))
      return false;
  }
  return true;
}

/* The one node that reads this one's output, before the head; NULL: it is read by several, or by
 * the head. */
static const cam_node *sole_reader(const marking *m, const cam_node *node) {
  const int i = (int)(node - m->graph->nodes);
  if (m->read.count[i] != 1 || m->read.last[i] >= m->graph->head)
    return NULL;
  return &m->graph->nodes[m->read.last[i]];
}

static bool ends_in_clamp(const marking *m, const cam_node *node) {
  const cam_node *reader = sole_reader(m, node);
  return reader && quantized_is_limit(reader) && is_quantized(reader);
}

static cam_code missing(const marking *m, const cam_node *node) {
  return cam_fail(
      m->error, CAM_E_MODEL,
      "node \"%.60s\": its quantization is missing: nothing that reads it can round its "
      "sums",
      node->name);
}

/* A convolution with 8-bit weights. */
static cam_code mark_conv(const marking *m, cam_node *node) {
  const cam_node *in = quantized_source(m->graph, node, 0), *reader = sole_reader(m, node);
  if (in && !is_quantized(in))
    return cam_fail(
        m->error, CAM_E_MODEL,
        "node \"%.60s\": its weights have 8 bits, but node \"%.40s\", which it reads, has "
        "no quantization",
        node->name, in->name);
  node->way = NODE_INT8;
  if (is_quantized(node))
    return CAM_OK;
  node->way = NODE_PART;
  if (!reader || !(quantized_is_limit(reader) || reader->op == OP_ADD))
    return missing(m, node);
  return CAM_OK;
}

/* What reads the sums of a convolution, of an affine or of a sum of planes. */
static cam_code mark_end(const marking *m, cam_node *node) {
  const cam_graph *graph = m->graph;
  if (node->op == OP_ADD) {
    const cam_node *a = quantized_source(graph, node, 0), *b = quantized_source(graph, node, 1);
    if (!a || !b || is_quantized(a) == is_quantized(b)) /* one are sums; the other must be levels */
      return missing(m, a && a->way == NODE_PART ? a : b);
  }
  node->way = NODE_INT8;
  if (is_quantized(node))
    return CAM_OK;
  node->way = NODE_PART;
  if (node->op != OP_ADD || !ends_in_clamp(m, node))
    return missing(m, node);
  return CAM_OK;
}

static cam_code mark_node(const marking *m, cam_node *node) {
  if (node->op == OP_CONV && node->weight_scale)
    return mark_conv(m, node);
  if (reads_part(m->graph, node))
    return mark_end(m, node);
  if (!has_way(node) || !reads_levels_alone(m->graph, node))
    return CAM_OK;
  if (is_quantized(node))
    node->way = NODE_INT8;
  else if ((node->op == OP_AFFINE || node->op == OP_ADD) && ends_in_clamp(m, node))
    node->way = NODE_PART;
  return CAM_OK;
}

/* ---- the picture and the head ---- */

/* Either all that reads the picture takes it as bytes, or nothing does. */
static cam_code mark_picture(const marking *m) {
  cam_graph *graph = m->graph;
  const cam_node *by_bytes = NULL, *by_floats = NULL;
  for (int i = 0; i < graph->n_nodes; i++)
    for (int k = 0; k < graph->nodes[i].n_inputs; k++) {
      const cam_node *node = &graph->nodes[i];
      if (node->inputs[k] != GRAPH_INPUT)
        continue;
      if (node->op == OP_CONV && node->weight_scale)
        by_bytes = node;
      else
        by_floats = node;
    }
  graph->sees_bytes = by_bytes != NULL;
  if (by_bytes && by_floats)
    return cam_fail(m->error, CAM_E_MODEL,
                    "node \"%.40s\" reads the picture as bytes, node \"%.40s\" as float32",
                    by_bytes->name, by_floats->name);
  return CAM_OK;
}

/* A head of one linear layer is computed in integers if its plane and its weights are. */
static cam_code mark_int8_head(const marking *m) {
  cam_graph *graph = m->graph;
  const cam_node *plane = quantized_source(graph, &graph->nodes[graph->head], 0),
                 *last = &graph->nodes[graph->n_nodes - 1];
  const bool levels = plane && is_quantized(plane) && graph->method == CAM_METHOD_CAM;
  for (int i = graph->head; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    if (is_quantized(node))
      return cam_fail(m->error, CAM_E_MODEL,
                      "node \"%.60s\": a quantization in the head, which has no planes",
                      node->name);
    if (node->weight_scale && !levels)
      return cam_fail(m->error, CAM_E_MODEL,
                      "node \"%.60s\": its weights have 8 bits; F32 is needed behind a plane of "
                      "float32 and in a head of several layers",
                      node->name);
  }
  graph->int8_head = levels && (last->op != OP_FC || last->weight_scale);
  return CAM_OK;
}

/* ---- what sums and factors may be ---- */

/* What the sums of each channel may come to, in any order of summing, levels counted from -128 as
 * well: out [channels]. */
static void bound_sums(const cam_graph *graph, const cam_node *conv, int64_t *out, int64_t *sums) {
  const size_t channels = (size_t)conv->channels;
  const int zero_point = quantized_input(graph, conv->inputs[0]).zero_point;
  for (size_t i = 0; i < conv->weight->count; i++) {
    out[i % channels] += 256 * abs(conv->weight->bytes[i]);
    sums[i % channels] += conv->weight->bytes[i];
  }
  for (size_t c = 0; c < channels; c++) {
    int64_t bias = -zero_point * sums[c];
    if (conv->bias)
      bias += conv->bias->wholes[c];
    out[c] += max_int64(bias, -bias);
  }
}

/* Sums stay within 32 bits; what they are rounded to, before it is held within 8, within 30. */
static cam_code check_bounds(const marking *m, const int8_unit *unit, const int64_t *bounds) {
  const cam_node *conv = unit->heart;
  double residual = 0;
  if (unit->residual != NO_NODE)
    residual = 255 * (double)quantized_ratio(quantized_input(m->graph, unit->residual),
                                             unit->last->quantum);
  for (int c = 0; c < conv->channels; c++) {
    const double most = (double)bounds[c] * (double)quantized_multiplier(m->graph, unit, c);
    if (bounds[c] > INT32_MAX)
      return cam_fail(m->error, CAM_E_MODEL,
                      "node \"%.60s\": the sums of channel %d may come to %" PRId64
                      "; 32 bits are for 2147483647",
                      conv->name, c, bounds[c]);
    if (!(most + residual < 1 << 30))
      return cam_fail(
          m->error, CAM_E_MODEL,
          "node \"%.60s\": channel %d may come to %g times the scale of \"%.40s\"; allowed: 2^30",
          conv->name, c, most + residual, unit->last->name);
  }
  return CAM_OK;
}

static cam_code check_sums(const marking *m, const int8_unit *unit) {
  const size_t channels = (size_t)unit->heart->channels;
  int64_t *bounds = calloc(2 * channels, sizeof *bounds);
  if (!bounds)
    return cam_fail(m->error, CAM_E_NO_MEMORY, "no memory for %zu sums", channels);
  bound_sums(m->graph, unit->heart, bounds, bounds + channels);
  cam_code code = check_bounds(m, unit, bounds);
  free(bounds);
  return code;
}

/* A factor or a shift of 8-bit values. */
static cam_code check_factor(const marking *m, const cam_node *node, float factor) {
  if (fabsf(factor) <= 1e30f)
    return CAM_OK;
  return cam_fail(m->error, CAM_E_MODEL,
                  "node \"%.60s\": its scale and those that it reads give a factor of %g",
                  node->name, (double)factor);
}

static cam_code check_affine(const marking *m, const int8_unit *unit) {
  cam_code code = CAM_OK;
  for (int c = 0; c < unit->heart->channels && !code; c++) {
    float factor, shift;
    quantized_affine(m->graph, unit, c, &factor, &shift);
    code = check_factor(m, unit->heart, factor);
    if (!code)
      code = check_factor(m, unit->heart, shift);
  }
  return code;
}

/* Quotients of two scales are never too large; products of two, by a third, may be. */
static cam_code check_product(const marking *m, const int8_unit *unit) {
  const cam_node *heart = unit->heart;
  return check_factor(m, heart,
                      quantized_product(quantized_input(m->graph, heart->inputs[0]),
                                        quantized_input(m->graph, heart->inputs[1]),
                                        unit->last->quantum));
}

static cam_code check_numbers(const marking *m, const cam_node *node) {
  if (node->way != NODE_INT8)
    return CAM_OK;
  const int8_unit unit = quantized_unit(m->graph, node);
  if (unit.heart->op == OP_CONV)
    return check_sums(m, &unit);
  if (unit.heart->op == OP_AFFINE)
    return check_affine(m, &unit);
  if (unit.heart->op == OP_MUL)
    return check_product(m, &unit);
  return CAM_OK;
}

/* ---- all of it ---- */

static void count_readers(const cam_graph *graph, readers *r) {
  for (int i = 0; i < graph->n_nodes; i++)
    for (int k = 0; k < graph->nodes[i].n_inputs; k++) {
      const int from = graph->nodes[i].inputs[k];
      if (from == GRAPH_INPUT)
        continue;
      r->count[from]++;
      r->last[from] = i;
    }
}

static cam_code mark_all(const marking *m) {
  cam_graph *graph = m->graph;
  cam_code code = CAM_OK;
  for (int i = 0; i < graph->head && !code; i++)
    code = mark_node(m, &graph->nodes[i]);
  if (!code)
    code = mark_picture(m);
  if (!code)
    code = mark_int8_head(m);
  graph->bit_exact = graph->int8_head;
  for (int i = 0; i < graph->head && !code; i++) {
    graph->bit_exact &= graph->nodes[i].way != NODE_FLOAT;
    code = check_numbers(m, &graph->nodes[i]);
  }
  return code;
}

cam_code graph_mark_int8(cam_graph *graph, cam_error *error) {
  const size_t n = (size_t)graph->n_nodes;
  marking m = {graph, {calloc(n, sizeof(int)), calloc(n, sizeof(int))}, error};
  cam_code code;
  if (m.read.count && m.read.last) {
    count_readers(graph, &m.read);
    code = mark_all(&m);
  } else {
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d nodes", graph->n_nodes);
  }
  free(m.read.count);
  free(m.read.last);
  return code;
}
