/* merge.c - merge.h. Flow: fuse -> [merge] -> network. Thread: loading. */
#include "merge.h"
#include "layers.h"
#include <stdlib.h>
#include <string.h>

/* ---- what may be one: see block.c ---- */

/* Bytes of an expanded plane from which on a block is faster, or as fast. */
enum { LARGE_PLANE = 700 << 10, LARGE_LEVEL_PLANE = 1 << 20 };

static int layer_uses(const network *net, int index) {
  int n = net->features == index;
  for (int i = 0; i < net->n_layers; i++) {
    n += net->layers[i].residual == index;
    for (int k = 0; k < net->layers[i].n_inputs; k++)
      n += net->layers[i].inputs[k] == index;
  }
  return n;
}

/* Are the n layers from i on a chain whose planes in between nobody else reads? */
static bool is_chain(const network *net, int i, int n) {
  for (int k = i + 1; k < i + n; k++)
    if (net->layers[k].inputs[0] != k - 1 || layer_uses(net, k - 1) != 1)
      return false;
  return true;
}

/* Is what the depthwise part filters so large, at the input's own size, that a block is worth it?
 */
static bool is_large(const network *net, const layer *depthwise) {
  const cam_node *before = net->layers[depthwise->inputs[0]].last;
  if (net->blocks || !before)
    return net->blocks;
  const int *plane = net->shape[before - net->graph->nodes];
  const int64_t values = (int64_t)plane[0] * plane[1] * depthwise->channels;
  if (depthwise->levels)
    return values >= LARGE_LEVEL_PLANE;
  return values * (int64_t)sizeof(float) >= LARGE_PLANE;
}

/* Of what a block is made: of floats, or of levels. */
static bool is_pointwise_part(const layer *l) {
  return is_plain_product(l) || is_plain_product_int8(l);
}
static bool is_depthwise_part(const layer *l) {
  return l->type == &layer_depthwise || l->type == &layer_depthwise_int8;
}

/* How many layers from i on make a block that is worth it, 2 or 3; 1: none do. */
static int block_length(const network *net, int i) {
  const layer *l = &net->layers[i], *end = net->layers + net->n_layers;
  int expands = is_pointwise_part(l) && l->residual == NO_RESIDUAL && l->inputs[0] != GRAPH_INPUT;
  const layer *depthwise = l + expands, *project = depthwise + 1;
  if (depthwise >= end || !is_depthwise_part(depthwise) || depthwise->levels != l->levels ||
      !is_large(net, depthwise))
    return 1;
  int n = expands + 1;
  if (project < end && is_pointwise_part(project) && project->levels == l->levels &&
      is_chain(net, i, n + 1))
    return n + 1;
  if (is_chain(net, i, n))
    return n;
  return 1;
}

/* ---- one layer out of several ---- */

/* One layer out of the n layers at `parts`, which then belong to it. */
static cam_code make_block(const layer *parts, int n, layer *out, cam_error *error) {
  const layer *last = &parts[n - 1];
  *out = (layer){.type = &layer_block,
                 .node = last->node,
                 .last = last->last,
                 .n_inputs = 1,
                 .inputs = {parts[0].inputs[0]},
                 .residual = last->residual,
                 .channels = last->channels,
                 .levels = last->levels,
                 .parts = malloc((size_t)n * sizeof *parts)};
  if (!out->parts)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a block of %d layers", n);
  if (last->levels)
    out->type = &layer_block_int8;
  memcpy(out->parts, parts, (size_t)n * sizeof *parts);
  out->n_parts = n;
  return CAM_OK;
}

/* Do layers i and i + 1 make one product: an affine, and a 1x1 convolution that alone reads it? */
static bool is_scaled_product(const network *net, int i) {
  if (i + 1 >= net->n_layers)
    return false;
  const layer *l = &net->layers[i];
  return l->type == &layer_elementwise && is_affine_layer(l) && is_plain_product(l + 1) &&
         is_chain(net, i, 2);
}

/* The second of the two layers at `parts`, with the first before it. */
static cam_code make_scaled_product(const layer *parts, layer *out, cam_error *error) {
  *out = parts[1];
  out->before = malloc(sizeof *parts);
  if (!out->before)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a layer");
  *out->before = parts[0];
  out->n_inputs = parts[0].n_inputs;
  memcpy(out->inputs, parts[0].inputs, sizeof out->inputs);
  return CAM_OK;
}

/* Replaces the index of each layer that a layer reads by to[index]. The parts of a block keep
 * theirs: the block reads its first part's input and its last part's residual as its own. */
static void rename_layers(layer *layers, int n, const int *to) {
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < layers[i].n_inputs; k++)
      if (layers[i].inputs[k] >= 0)
        layers[i].inputs[k] = to[layers[i].inputs[k]];
    if (layers[i].residual >= 0)
      layers[i].residual = to[layers[i].residual];
  }
}

/* The new list, where the old one stays: what layers own is still the old one's. */
static void free_merged(layer *layers, int n) {
  for (int i = 0; i < n; i++) {
    free(layers[i].before);
    free(layers[i].parts);
  }
  free(layers);
}

/* Replaces each chain of layers that makes a block, or a product with what comes before it, by one
 * layer.
 *
 * The old list is read from front to back, and one layer written to the new list for each chain, or
 * for each layer that begins none. to[] says where an old layer went: a chain's layers all to their
 * block. The old list is left as it is until the new one is whole, since block_length looks at
 * layers behind and ahead by their old indices; then indices are renamed, once. Weights are packed
 * after this. */
cam_code merge_layers(network *net, cam_error *error) {
  int *to = calloc((size_t)net->n_layers, sizeof *to), count = 0;
  layer *merged = calloc((size_t)net->n_layers, sizeof *merged);
  cam_code code = CAM_OK;
  if (!to || !merged)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", net->n_layers);
  for (int i = 0; i < net->n_layers && !code; count++) {
    int n = block_length(net, i);
    if (n > 1) {
      code = make_block(&net->layers[i], n, &merged[count], error);
    } else if (is_scaled_product(net, i)) {
      code = make_scaled_product(&net->layers[i], &merged[count], error);
      n = 2;
    } else {
      merged[count] = net->layers[i];
    }
    for (int end = i + n; i < end; i++)
      to[i] = count;
  }
  if (!code) {
    rename_layers(merged, count, to);
    free(net->layers);
    net->layers = merged;
    net->n_layers = count;
    net->features = to[net->features];
  } else if (merged) {
    free_merged(merged, count);
  }
  free(to);
  return code;
}
