/* target_graph.c - tensors "name:AxBxC ..." (helpers.c) up to the first line break, and after it
 * the JSON of a network, joined to a model file with made weights. What is accepted and small is
 * run on every instruction set of this CPU, at two input sizes, and compared with the reference in
 * double.
 *
 * How far may they differ? A rounding error is at most so many parts of the sum of the magnitudes
 * of all that was added. So the reference runs once more on magnitudes alone (weights, biases,
 * picture; activations let all through): the result bounds all sums on the way to a logit. Where an
 * operator's output can be far larger than its input, it does not, and nothing is compared. A
 * network that is in integers throughout must come to the reference's very bits. */
#include "fuzz.h"
#include "network/forward.h"
#include "network/reference.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_VALUES = 1 << 19 /* of all planes */,
  MOST_WORK = 1 << 22 /* multiply-adds */,
  MOST_CLASSES = 64,
  MOST_SIDE = 48
};
static const double TOLERANCE = 2e-5;

static bool is_small(const cam_graph *graph, int height, int width) {
  int shape[64][2];
  int64_t values = 0, work = 0;
  if (graph->n_nodes > 64 || graph->n_classes > MOST_CLASSES ||
      graph_shapes(graph, height, width, shape, NULL))
    return false;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    values += (int64_t)shape[i][0] * shape[i][1] * node->channels;
    work += (int64_t)node_multiply_adds(node, shape[i][0], shape[i][1]) +
            (int64_t)shape[i][0] * shape[i][1] * node->channels * node->kernel[0] * node->kernel[1];
  }
  return values <= MOST_VALUES && work <= MOST_WORK;
}

/* Activations become one that lets magnitudes through; false: an operator that they do not bound.
 */
static bool let_through(cam_graph *magnitudes) {
  bool bounded = true;
  for (int i = 0; i < magnitudes->n_nodes; i++) {
    cam_node *node = &magnitudes->nodes[i];
    switch (node->op) {
    case OP_RELU6:
    case OP_SILU:
    case OP_HARD_SWISH:
    case OP_GELU:
      node->op = OP_RELU;
      break;
    case OP_CLIP:
    case OP_SIGMOID:
    case OP_HARD_SIGMOID:
    case OP_LAYER_NORM:
      bounded = false;
      break;
    default:
      break;
    }
  }
  return bounded;
}

static void draw(const cam_graph *graph, void *picture, int height, int width, bool magnitudes) {
  for (int i = 0; i < height * width * 3; i++) {
    const float value = sinf((float)(i * 7 % 1009));
    if (graph->sees_bytes)
      ((uint8_t *)picture)[i] = (uint8_t)(128 + 127 * value);
    else
      ((float *)picture)[i] = magnitudes ? fabsf(value) : value;
  }
}

/* Logits by the reference; false if some overflow what the kernels' floats can hold. */
static bool refer(const cam_graph *graph, cam_team *team, int height, int width, bool magnitudes,
                  double *logits) {
  static float picture[MOST_SIDE * MOST_SIDE * 3];
  draw(graph, picture, height, width, magnitudes);
  PROMISE(!reference_forward(graph, team, picture, height, width, logits, NULL, NULL));
  for (int c = 0; c < graph->n_classes; c++)
    if (!(fabs(logits[c]) < 1e30))
      return false;
  return true;
}

/* bound NULL: it only runs. */
static void compare(const network *net, forward *f, int height, int width, const double *wanted,
                    const double *bound) {
  static float maps[MOST_CLASSES][MOST_SIDE * MOST_SIDE * 4];
  void *input;
  float logits[MOST_CLASSES], *each[MOST_CLASSES];
  int ids[MOST_CLASSES], map_height, map_width;
  PROMISE(!forward_plan(f, height, width, &input, NULL));
  draw(net->graph, input, height, width, false);
  forward_run(f, logits, NULL);
  forward_map_size(f, &map_height, &map_width);
  const int n = net->graph->n_classes, cells = map_height * map_width;
  PROMISE(map_height > 0 && map_width > 0 && cells <= MOST_SIDE * MOST_SIDE * 4);
  for (int c = 0; c < n; c++)
    ids[c] = c, each[c] = maps[c];
  forward_class_maps(f, n, ids, each);
  for (int c = 0; c < n && net->graph->bit_exact; c++)
    PROMISE(logits[c] == wanted[c]);
  for (int c = 0; c < n && bound; c++) {
    double sum = 0, allowed = TOLERANCE * (bound[c] + 1e-20);
    for (int i = 0; i < cells; i++)
      sum += maps[c][i];
    PROMISE(fabs(logits[c] - wanted[c]) <= allowed);
    PROMISE(net->graph->method != CAM_METHOD_CAM ||
            fabs(sum / cells + network_bias(net, c) - wanted[c]) <= allowed);
  }
}

static void run_on(const cam_graph *graph, const network_making *how, cam_team *team, int height,
                   int width, const double *wanted, const double *bound) {
  network *net;
  forward *f;
  if (network_create_as(graph, how, &net, NULL))
    return; /* the picture itself is averaged, or packing it takes too much */
  cam_code code = forward_create(net, team, &f, NULL);
  /* an arena for the largest shape that is allowed, which may not be small */
  PROMISE(!code || code == CAM_E_NO_MEMORY);
  if (!code)
    compare(net, f, height, width, wanted, bound);
  forward_free(f);
  network_free(net);
}

static void run_at(const cam_graph *graph, cam_graph *magnitudes, int height, int width) {
  static const char *const isas[] = {"portable", "x86-64-v3", "x86-64-v4"};
  static cam_team *team;
  double wanted[MOST_CLASSES], bounds[MOST_CLASSES], *bound = NULL;
  if (!team)
    PROMISE(!team_create(1, &team, NULL));
  if (!graph->is_int8 && let_through(magnitudes))
    bound = bounds;
  if ((bound && !refer(magnitudes, team, height, width, true, bounds)) ||
      !refer(graph, team, height, width, false, wanted))
    return;
  for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
    const kernels *k;
    if (kernels_select(isas[i], &k, NULL))
      continue; /* not on this CPU */
    run_on(graph, &(network_making){.k = k}, team, height, width, wanted, bound);
    for (int j = 0; graph->is_int8 && kernels_int8_had(j); j++)
      run_on(graph, &(network_making){.k = k, .k8 = kernels_int8_had(j)}, team, height, width,
             wanted, bound);
  }
}

static cam_graph *load(const char *tensors, const char *document, bool magnitudes) {
  cam_graph *graph = NULL;
  cam_error error = {0};
  const char *path = fuzz_model_file(tensors, document, magnitudes);
  cam_code code = path ? graph_load(path, &graph, &error) : CAM_OK;
  PROMISE(code == error.code && code != CAM_E_INTERNAL);
  return graph;
}

static void run(const uint8_t *bytes, size_t n) {
  const uint8_t *line = memchr(bytes, '\n', n);
  if (!line || memchr(bytes, 0, n))
    return;
  char *tensors = fuzz_text(bytes, (size_t)(line - bytes)),
       *document = fuzz_text(line + 1, n - (size_t)(line + 1 - bytes));
  cam_graph *graph = load(tensors, document, false), *magnitudes = NULL;
  if (graph) {
    const int side = graph->height < graph->width ? graph->height : graph->width,
              longer = graph->max_side;
    const bool own = graph->height <= MOST_SIDE && graph->width <= MOST_SIDE &&
                     is_small(graph, graph->height, graph->width);
    const bool long_one = !graph->one_size && longer <= MOST_SIDE && is_small(graph, longer, side);
    if ((own || long_one) && !graph->is_int8)
      PROMISE(magnitudes = load(tensors, document, true));
    if (own)
      run_at(graph, magnitudes, graph->height, graph->width);
    if (long_one)
      run_at(graph, magnitudes, longer, side);
  }
  graph_free(magnitudes);
  graph_free(graph);
  free(document);
  free(tensors);
}

const fuzz_target fuzz_graph = {run, fuzz_mutate_json};
