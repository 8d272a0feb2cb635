/* model.c - cam_model: a model file, checked, fused and packed. Flow: file -> [model] -> contexts.
 * Thread: loading any; what it returns is immutable. */
#include "model.h"
#include "network/blas.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static cam_code describe(cam_model *model, cam_error *error) {
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
                           .classes = graph->n_classes,
                           .class_list = graph->classes};
  memcpy(info->sha256, safetensors_sha256(graph->file), sizeof info->sha256);
  for (int i = 0; i < graph->n_nodes && !code; i++) {
    const cam_node *node = &graph->nodes[i];
    info->multiply_adds += node_multiply_adds(node, shape[i][0], shape[i][1]);
    info->weight_bytes += ((node->weight ? node->weight->count : 0) +
                           (node->bias ? node->bias->count : 0)) *
                          sizeof(float);
  }
  free(shape);
  return code;
}

/* Packed weights are copies: of the file's own, only what the tail reads is kept. */
static void drop_packed(cam_model *model) {
  const cam_graph *graph = model->graph;
  const cam_node *linear = model->net->linear;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_tensor *weight = graph->nodes[i].op == OP_CONV ? graph->nodes[i].weight : NULL;
    if (!weight || weight == model->net->fc_weight || weight == model->net->fc_bias ||
        (linear && (weight == linear->weight || weight == linear->bias)))
      continue;
    safetensors_drop(graph->file, weight);
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
    code = describe(model, error);
  if (!code && !(model->path = strdup(path)))
    code = cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
  if (!code)
    drop_packed(model);
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

int cam_model_find_class(const cam_model *model, const char *text) {
  size_t digits = strspn(text, "0123456789");
  if (digits && digits < 10 && !text[digits]) {
    long index = strtol(text, NULL, 10);
    return index < model->info.classes ? (int)index : -1;
  }
  for (int c = 0; c < model->info.classes; c++)
    if (!strcmp(model->info.class_list[c].wnid, text))
      return c;
  return -1;
}

void cam_model_print(const cam_model *model, FILE *out) {
  const cam_graph *graph = model->graph;
  const cam_model_info *info = &model->info;
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  if (!shape || graph_shapes(graph, graph->height, graph->width, shape, NULL))
    goto out;
  fprintf(out, "%-24s %-9s %16s %8s %12s  %s\n", "node", "operator", "output h x w x c", "stride",
          "mult-adds", "weight, inputs");
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    char size[40], stride[24] = "", weight[64] = "";
    snprintf(size, sizeof size, "%d x %d x %d", shape[i][0], shape[i][1], node->channels);
    if (node->stride[0] * node->stride[1] > 1)
      snprintf(stride, sizeof stride, "%d,%d", node->stride[0], node->stride[1]);
    const int64_t *w = node->weight ? node->weight->shape : NULL;
    if (w && node->weight->rank == 4)
      snprintf(weight, sizeof weight, "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 " ", w[0],
               w[1], w[2], w[3]);
    if (w && node->weight->rank == 2)
      snprintf(weight, sizeof weight, "%" PRId64 "x%" PRId64 " ", w[0], w[1]);
    fprintf(out, "%-24s %-9s %16s %8s %12" PRIu64 "  %s<-", node->name, op_name(node->op), size,
            stride, node_multiply_adds(node, shape[i][0], shape[i][1]), weight);
    for (int k = 0; k < node->n_inputs; k++)
      fprintf(out, " %s", node->inputs[k] < 0 ? "input" : graph->nodes[node->inputs[k]].name);
    if (node->groups > 1)
      fprintf(out, " (%d groups)", node->groups);
    fputc('\n', out);
  }
  fprintf(out, "\nmodel          %s\n", info->name);
  if (*graph->origin)
    fprintf(out, "origin         %s\n", graph->origin);
  if (*graph->license)
    fprintf(out, "license        %s\n", graph->license);
  fprintf(out,
          "sha256         %s\ninput          %d x %d %s, resize %s (sides in multiples of %d, at "
          "most %d)\nclasses        %d\nclass maps     %d x %d, enlarged %s\n",
          info->sha256, graph->width, graph->height, graph->bgr ? "BGR" : "RGB",
          cam_resize_name(graph->resize), graph->multiple, graph->max_side, graph->n_classes,
          shape[graph->nodes[graph->n_nodes - 2].inputs[0] < 0
                    ? 0
                    : graph->nodes[graph->n_nodes - 2].inputs[0]][1],
          shape[graph->nodes[graph->n_nodes - 2].inputs[0] < 0
                    ? 0
                    : graph->nodes[graph->n_nodes - 2].inputs[0]][0],
          graph->rule == MAP_TF1 ? "as TensorFlow 1" : "by half pixels");
  fprintf(out,
          "multiply-adds  %.3f G\nweights        %.1f MB in %d tensors\nself-test      %d "
          "logits\ninstructions   %s\n",
          (double)info->multiply_adds / 1e9, (double)info->weight_bytes / 1e6,
          safetensors_count(graph->file), graph->n_self_test, info->isa);
out:
  free(shape);
}
