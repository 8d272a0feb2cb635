/* model.c - cam_model: a model file, checked, fused and packed. Flow: file -> [model] -> contexts.
 * Thread: loading any; what it returns is immutable. */
#include "model.h"
#include "cam/look.h"
#include "cam_minmax.h"
#include "detail.h"
#include "network/blas.h"
#include "network/quantized.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *order_of_channels(const cam_graph *graph) {
  if (graph->bgr)
    return "BGR";
  return "RGB";
}

/* Of a node's tensors. */
static size_t node_bytes(const cam_node *node) {
  const cam_tensor *const tensors[] = {node->weight, node->bias, node->scale, node->shift,
                                       node->weight_scale};
  size_t bytes = 0;
  for (size_t k = 0; k < sizeof tensors / sizeof *tensors; k++) {
    if (!tensors[k])
      continue;
    if (tensors[k]->bytes)
      bytes += tensors[k]->count;
    else
      bytes += tensors[k]->count * sizeof(float);
  }
  return bytes;
}

/* How much of it is computed in integers. */
static void describe_int8(const cam_graph *graph, int (*shape)[2], cam_model_info *info) {
  if (graph->is_int8)
    info->precision = CAM_INT8;
  if (info->multiply_adds)
    info->int8_share = (double)quantized_multiply_adds(graph, shape) / (double)info->multiply_adds;
  info->bit_exact = graph->bit_exact;
}

static cam_code describe_model(cam_model *model, cam_error *error) {
  const cam_graph *graph = model->graph;
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  if (!shape)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the shapes of %d nodes", graph->n_nodes);
  cam_code code = graph_shapes(graph, graph->height, graph->width, shape, error);
  cam_model_info *info = &model->info;
  *info = (cam_model_info){.name = graph->name,
                           .isa = model->net->k->isa,
                           .height = graph->height,
                           .width = graph->width,
                           .resize = graph->resize,
                           .channels = order_of_channels(graph),
                           .mean = graph->mean,
                           .factor = graph->scale,
                           .method = graph->method,
                           .enlarging = map_rule_names[graph->rule],
                           .scale = graph->map_scale,
                           .threshold = look_of(graph, &cam_default_params).threshold,
                           .probability = graph->probability,
                           .temperature = graph->temperature,
                           .classes = graph->n_classes,
                           .class_list = graph->classes};
  memcpy(info->sha256, safetensors_sha256(graph->file), sizeof info->sha256);
  for (int i = 0; i < graph->n_nodes && !code; i++) {
    info->multiply_adds += node_multiply_adds(&graph->nodes[i], shape[i][0], shape[i][1]);
    info->weight_bytes += node_bytes(&graph->nodes[i]);
  }
  if (!code)
    describe_int8(graph, shape, info);
  free(shape);
  if (!code)
    code = detail_check(graph, &info->fine, model->map_cells, error);
  return code;
}

/* Does the tail read this tensor of the file? */
static bool tail_reads(const network *net, const cam_tensor *tensor) {
  if (tensor == net->fc_weight || tensor == net->fc_bias)
    return true;
  return net->linear && (tensor == net->linear->weight || tensor == net->linear->bias);
}

/* Packed weights are copies: of the file's own, only what the tail reads is kept. */
static void drop_packed(cam_model *model) {
  const cam_graph *graph = model->graph;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    if (node->op == OP_CONV && !tail_reads(model->net, node->weight))
      safetensors_drop(graph->file, node->weight);
  }
}

cam_code cam_model_load(const char *path, const char *isa, cam_model **out, cam_error *error) {
  *out = NULL;
  blas_init();
  const kernels *k = NULL;
  cam_model *model = calloc(1, sizeof *model);
  if (!model)
    return cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
  cam_code code = kernels_select(isa, &k, error);
  if (!code)
    code = graph_load(path, &model->graph, error);
  if (!code)
    code = network_create(model->graph, k, &model->net, error);
  if (!code)
    code = describe_model(model, error);
  if (!code) {
    drop_packed(model);
    model->path = strdup(path);
    if (!model->path)
      code = cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
  }
  if (code)
    cam_model_free(model);
  else
    *out = model;
  return code;
}

void cam_model_free(cam_model *model) {
  if (!model)
    return;
  network_free(model->net);
  graph_free(model->graph);
  free(model->path);
  free(model);
}

const cam_model_info *cam_model_get_info(const cam_model *model) { return &model->info; }

/* The longest name of a node, for the table's first column. */
static int name_width(const cam_graph *graph) {
  size_t width = 0;
  for (int i = 0; i < graph->n_nodes; i++)
    width = max_size(width, strlen(graph->nodes[i].name));
  return (int)min_size(width, 60);
}

/* A line of the table: a node whose output is shape[0] x shape[1]. */
static void print_node(const cam_graph *graph, const cam_node *node, const int shape[2], int width,
                       FILE *out) {
  char size[40], stride[24] = "", weight[64] = "";
  snprintf(size, sizeof size, "%d x %d x %d", shape[0], shape[1], node->channels);
  if (node->stride[0] * node->stride[1] > 1)
    snprintf(stride, sizeof stride, "%d,%d", node->stride[0], node->stride[1]);
  for (int i = 0; node->weight && i < node->weight->rank; i++) {
    size_t used = strlen(weight);
    const char *after = "x";
    if (i + 1 == node->weight->rank)
      after = " ";
    snprintf(weight + used, sizeof weight - used, "%" PRId64 "%s", node->weight->shape[i], after);
  }
  fprintf(out, "%-*s %-12s %16s %8s %12" PRIu64 "  %s<-", width, node->name, op_name(node->op),
          size, stride, node_multiply_adds(node, shape[0], shape[1]), weight);
  for (int k = 0; k < node->n_inputs; k++) {
    const char *name = "input";
    if (node->inputs[k] != GRAPH_INPUT)
      name = graph->nodes[node->inputs[k]].name;
    fprintf(out, " %s", name);
  }
  if (node->groups > 1)
    fprintf(out, " (%d groups)", node->groups);
  fputc('\n', out);
}

static void print_int8(const cam_model_info *info, FILE *out) {
  const char *exact = "the same bits on every machine";
  if (!info->bit_exact)
    exact = "not bit-exact";
  fprintf(out, "precision      int8: %.2f %% of the multiply-adds; %s\n", 100 * info->int8_share,
          exact);
}

/* What the file and the network are as a whole; grid: height and width of the class maps. */
static void print_summary(const cam_model *model, const int grid[2], FILE *out) {
  const cam_graph *graph = model->graph;
  const cam_model_info *info = &model->info;
  const char *rule = "by half pixels";
  if (graph->rule == MAP_TF1)
    rule = "as TensorFlow 1";
  fprintf(out, "\nmodel          %s\n", info->name);
  if (*graph->origin)
    fprintf(out, "origin         %s\n", graph->origin);
  if (*graph->license)
    fprintf(out, "license        %s\n", graph->license);
  fprintf(out, "sha256         %s\n", info->sha256);
  fprintf(out, "input          %d x %d %s, ", graph->width, graph->height, info->channels);
  if (graph->one_size)
    fprintf(out, "this size alone\n");
  else
    fprintf(out, "resize %s (sides in multiples of %d, at most %d)\n",
            cam_resize_name(graph->resize), graph->multiple, graph->max_side);
  fprintf(out, "pixels         (pixel - %g, %g, %g) * %g, %g, %g\n", (double)graph->mean[0],
          (double)graph->mean[1], (double)graph->mean[2], (double)graph->scale[0],
          (double)graph->scale[1], (double)graph->scale[2]);
  fprintf(out, "classes        %d, probabilities by %s\n", graph->n_classes,
          cam_probability_name(info->probability));
  fprintf(out, "class maps     %d x %d by %s, enlarged %s, scaled by %s\n", grid[1], grid[0],
          cam_method_name(info->method), rule, cam_scale_name(graph->map_scale));
  fprintf(out, "multiply-adds  %.3f G\n", (double)info->multiply_adds / 1e9);
  if (info->precision == CAM_INT8)
    print_int8(info, out);
  fprintf(out, "weights        %.1f MB in %d tensors\n", (double)info->weight_bytes / 1e6,
          safetensors_count(graph->file));
  fprintf(out, "self-test      %d logits\n", graph->n_self_test);
  fprintf(out, "instructions   %s", info->isa);
  if (info->precision == CAM_INT8)
    fprintf(out, ", of integers %s", model->net->k8->isa);
  fputc('\n', out);
}

void cam_model_print(const cam_model *model, FILE *out) {
  const cam_graph *graph = model->graph;
  const cam_node *head = &graph->nodes[graph->head]; /* on a plane, or there is no network */
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  if (shape && !graph_shapes(graph, graph->height, graph->width, shape, NULL)) {
    const int width = name_width(graph);
    fprintf(out, "%-*s %-12s %16s %8s %12s  %s\n", width, "node", "operator", "output h x w x c",
            "stride", "mult-adds", "weight, inputs");
    for (int i = 0; i < graph->n_nodes; i++)
      print_node(graph, &graph->nodes[i], shape[i], width, out);
    print_summary(model, shape[head->inputs[0]], out);
  }
  free(shape);
}
