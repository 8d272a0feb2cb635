/* identity.c - identity.h: a text with a line a node is written, and hashed. What stands in it may
 * not change: files of ranges keep its hash. */
#include "identity.h"
#include "cam_encoding.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_tensor(FILE *text, const char *member, const cam_tensor *tensor) {
  char hash[65];
  if (!tensor)
    return;
  fprintf(text, " %s", member);
  for (int i = 0; i < tensor->rank; i++)
    fprintf(text, " %lld", (long long)tensor->shape[i]);
  cam_sha256_hex((const uint8_t *)tensor->data, tensor->count * sizeof *tensor->data, hash);
  fprintf(text, " %s", hash);
}

/* Numbers that an operator does not have are 0 or 1, as they are read. */
static void write_node(FILE *text, const cam_node *node) {
  fprintf(text, "%zu %s %s channels %d groups %d inputs", strlen(node->name), node->name,
          op_name(node->op), node->channels, node->groups);
  for (int i = 0; i < node->n_inputs; i++)
    fprintf(text, " %d", node->inputs[i]);
  fprintf(text, " kernel %d %d stride %d %d", node->kernel[0], node->kernel[1], node->stride[0],
          node->stride[1]);
  fprintf(text, " padding %d: %d %d %d %d, %d %d", (int)node->padding, node->pads[0], node->pads[1],
          node->pads[2], node->pads[3], (int)node->ceil_mode, (int)node->count_include_pad);
  fprintf(text, " clip %a %a hard_sigmoid %a %a layer_norm %a slice %d resize %d %d", node->least,
          node->most, node->slope, node->offset, node->epsilon, node->begin, node->factor[0],
          node->factor[1]);
  write_tensor(text, "weight", node->weight);
  write_tensor(text, "bias", node->bias);
  write_tensor(text, "scale", node->scale);
  write_tensor(text, "shift", node->shift);
  fputc('\n', text);
}

static void write_layers(FILE *text, const cam_graph *graph) {
  fprintf(text, "pixels bgr %d mean", (int)graph->bgr);
  for (int c = 0; c < 3; c++)
    fprintf(text, " %a", (double)graph->mean[c]);
  fputs(" scale", text);
  for (int c = 0; c < 3; c++)
    fprintf(text, " %a", (double)graph->scale[c]);
  fputc('\n', text);
  for (int i = 0; i < graph->head; i++)
    write_node(text, &graph->nodes[i]);
}

cam_code identity_of_layers(const cam_graph *graph, char out[65], cam_error *error) {
  char *text = NULL;
  size_t n = 0;
  FILE *file = open_memstream(&text, &n);
  if (file)
    write_layers(file, graph);
  const bool broken = !file || ferror(file);
  if ((file && fclose(file)) || broken) {
    free(text);
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory to tell model %s from others", graph->name);
  }
  cam_sha256_hex((const uint8_t *)text, n, out);
  free(text);
  return CAM_OK;
}
