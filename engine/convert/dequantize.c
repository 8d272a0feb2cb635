/* dequantize.c - dequantize.h. A weight is its 8 bits times its channel's scale, a bias its 32 bits
 * times that and the input's. Of a convolution that reads the picture's levels the picture's scale
 * is taken out of the weights, and its mean out of the bias. */
#include "dequantize.h"
#include "document.h"
#include "model_file.h"
#include "network/quantized.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- tensors ---- */

/* The channels of a weight in 8 bits: where output o and input i of a value are. */
static size_t output_of(const cam_node *node, size_t value) {
  if (node->op == OP_FC)
    return value / (size_t)node->weight->shape[1];
  return value % (size_t)node->channels;
}

static size_t picture_channel_of(const cam_node *node, size_t value) {
  const size_t outputs = (size_t)node->channels, inputs = (size_t)node->weight->shape[2];
  const size_t group = value % outputs / (outputs / (size_t)node->groups);
  return group * inputs + value / outputs % inputs;
}

static bool reads_levels(const cam_graph *graph, const cam_node *node) {
  return node->inputs[0] == GRAPH_INPUT && graph->sees_bytes;
}

/* A weight of 0 is 0 whatever the picture's scale; of any other a scale of 0 leaves nothing. */
static cam_code float_weight(const cam_graph *graph, const cam_node *node, float *out,
                             cam_error *error) {
  for (size_t i = 0; i < node->weight->count; i++) {
    double value = node->weight->bytes[i] * (double)node->weight_scale->data[output_of(node, i)];
    if (reads_levels(graph, node) && node->weight->bytes[i])
      value /= (double)graph->scale[picture_channel_of(node, i)];
    out[i] = (float)value;
    if (!isfinite(out[i]))
      return cam_fail(error, CAM_E_MODEL,
                      "node \"%.60s\": its weight %zu in 8 bits, divided by the scale of the "
                      "picture's channel, is not finite",
                      node->name, i);
  }
  return CAM_OK;
}

static cam_code float_bias(const cam_graph *graph, const cam_node *node, float *out,
                           cam_error *error) {
  const double in = (double)quantized_input(graph, node->inputs[0]).scale;
  double *levels = calloc((size_t)node->channels, sizeof *levels);
  if (!levels)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d biases", node->channels);
  for (size_t i = 0; i < node->weight->count && reads_levels(graph, node); i++)
    levels[output_of(node, i)] += node->weight->bytes[i] *
                                  (double)graph->mean[picture_channel_of(node, i)];
  for (int c = 0; c < node->channels; c++)
    out[c] = (float)((node->bias->wholes[c] + levels[c]) * in *
                     (double)node->weight_scale->data[c]);
  free(levels);
  return CAM_OK;
}

/* The node whose weight, bias or scale of weights a tensor is; NULL: neither. */
static const cam_node *owner_of(const cam_graph *graph, const cam_tensor *tensor) {
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    if (node->weight_scale &&
        (node->weight == tensor || node->bias == tensor || node->weight_scale == tensor))
      return node;
  }
  return NULL;
}

/* Would a node make the same of the tensor as its owner does? */
static bool stands_for_same(const cam_graph *graph, const cam_node *owner, const cam_node *node,
                            const cam_tensor *tensor) {
  if (node->op != owner->op || node->weight_scale != owner->weight_scale ||
      reads_levels(graph, node) != reads_levels(graph, owner))
    return false;
  if (reads_levels(graph, node))
    return node->groups == owner->groups &&
           (tensor == node->weight || node->weight == owner->weight);
  return tensor == node->weight || quantized_input(graph, node->inputs[0]).scale ==
                                       quantized_input(graph, owner->inputs[0]).scale;
}

/* A tensor of several nodes becomes one in float32: it must stand for the same in all of them. */
static cam_code check_shared(const cam_graph *graph, const cam_node *owner,
                             const cam_tensor *tensor, cam_error *error) {
  for (const cam_node *node = owner + 1; node < graph->nodes + graph->n_nodes; node++)
    if (node->weight_scale && (node->weight == tensor || node->bias == tensor) &&
        !stands_for_same(graph, owner, node, tensor))
      return cam_fail(error, CAM_E_MODEL,
                      "nodes \"%.60s\" and \"%.60s\" share tensor \"%.60s\", which stands for "
                      "something else in each: their scales differ",
                      owner->name, node->name, tensor->name);
  return CAM_OK;
}

/* Values of its own, where the tensor is in whole numbers. */
static cam_code float_tensor(const cam_graph *graph, const cam_node *owner, cam_tensor *tensor,
                             cam_error *error) {
  const bool is_weight = tensor->bytes;
  float *values = malloc(tensor->count * sizeof *values + 1);
  if (!values)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu weights", tensor->count);
  tensor->dtype = "F32";
  tensor->data = values;
  tensor->bytes = NULL;
  tensor->wholes = NULL;
  if (!is_weight)
    return float_bias(graph, owner, values, error);
  return float_weight(graph, owner, values, error);
}

/* ---- the file ---- */

static json *float_document(const cam_graph *graph) {
  json *document = json_new_object();
  const json *own = graph->document;
  json_add_int(document, "version", GRAPH_VERSION);
  for (const json *member = json_first(own); member; member = json_next(member))
    if (strcmp(json_name(member), "version") && strcmp(json_name(member), "nodes") &&
        strcmp(json_name(member), "self_test"))
      document_copy(document, json_name(member), member);
  json *nodes = json_add_array(document, "nodes");
  const json *list = json_member(own, "nodes");
  for (const json *node = json_first(list); node; node = json_next(node)) {
    json *copy = json_add_object(nodes, NULL);
    for (const json *member = json_first(node); member; member = json_next(member))
      if (strcmp(json_name(member), "quantization") && strcmp(json_name(member), "weight_scale"))
        document_copy(copy, json_name(member), member);
  }
  return document;
}

static cam_code through_memory(const json *document, const cam_tensor *tensors, int n,
                               cam_graph **out, cam_error *error) {
  char path[64];
  const int descriptor = memfd_create("dequantized", MFD_CLOEXEC);
  if (descriptor < 0)
    return cam_fail(error, CAM_E_IO, "a file in memory: %s", strerror(errno));
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  cam_code code = model_file_put(path, document, tensors, n, false, error);
  if (!code)
    code = graph_load(path, out, error);
  close(descriptor);
  return code;
}

cam_code dequantize(const cam_graph *graph, cam_graph **out, cam_error *error) {
  const int count = safetensors_count(graph->file);
  cam_tensor *tensors = calloc((size_t)count + 1, sizeof *tensors);
  bool *made = calloc((size_t)count + 1, sizeof *made);
  json *document = float_document(graph);
  cam_code code = CAM_OK;
  int n = 0;
  *out = NULL;
  if (!tensors || !made)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of tensors");
  for (int i = 0; i < count && !code; i++) {
    const cam_tensor *tensor = safetensors_at(graph->file, i);
    const cam_node *owner = owner_of(graph, tensor);
    if (owner && owner->weight_scale == tensor)
      continue;
    tensors[n] = *tensor;
    made[n] = owner && !tensor->data;
    if (made[n])
      code = check_shared(graph, owner, tensor, error);
    if (made[n] && !code)
      code = float_tensor(graph, owner, &tensors[n], error);
    n++;
  }
  if (!code)
    code = through_memory(document, tensors, n, out, error);
  for (int i = 0; i < n; i++)
    if (made[i])
      free((void *)(uintptr_t)tensors[i].data);
  free(tensors);
  free(made);
  json_free(document);
  return code;
}
