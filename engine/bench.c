/* bench.c - what the forward pass costs, layer by layer, beside what this host could do at best
 * (the roofline: Williams, Waterman, Patterson, CACM 52(4), 2009). Flow: made picture -> forward ->
 * class maps, timed.   Thread: one caller, with the context's team. */
#include "cam/rank.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include "context.h"
#include "network/reference.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  LABELS = 3,
  PROBE_ROUNDS = 48,
  PROBE_LOOPS = 20000, /* many short rounds, the best of which nobody disturbed */
  PROBE_BYTES = 128 << 20,
  PROBE_SLICE = 16 << 20,
  PROBE_PIECE = 1 << 20 /* a round reads a slice: by its next turn it has left every cache */
};

/* ---- whole passes ---- */

static cam_code plan_made_input(cam_context *context, cam_error *error) {
  const cam_graph *graph = context->model->graph;
  void *input;
  cam_code code = forward_plan(context->forward, graph->height, graph->width, &input, error);
  if (!code)
    cam_made_input(graph, input);
  return code;
}

/* Room for the class maps of LABELS labels; maps[0] is for free(). */
static cam_code allocate_maps(const cam_context *context, float *maps[LABELS], cam_error *error) {
  int height, width;
  forward_map_size(context->forward, &height, &width);
  size_t cells = (size_t)height * (size_t)width;
  maps[0] = malloc(cells * LABELS * sizeof **maps);
  if (!maps[0])
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d class maps", LABELS);
  for (int i = 1; i < LABELS; i++)
    maps[i] = maps[0] + cells * (size_t)i;
  return CAM_OK;
}

/* As a request has it: the likeliest labels are chosen, then their maps summed. */
static void map_labels(cam_context *context, float *const maps[LABELS]) {
  cam_result result = {.count = 0};
  cam_params params = {.top_k = LABELS};
  int class_ids[LABELS];
  choose_classes(&params, &context->model->info, context->logits, &result);
  for (int i = 0; i < result.count; i++)
    class_ids[i] = result.predictions[i].class_id;
  forward_class_maps(context->forward, result.count, class_ids, maps);
}

cam_code cam_bench_forward(cam_context *context, int batch, int runs, double *ms,
                           cam_error *error) {
  float *maps[LABELS];
  cam_code code = plan_made_input(context, error);
  if (!code)
    code = allocate_maps(context, maps, error);
  if (code)
    return code;
  for (int r = 0; r < runs; r++) {
    double begin = 1e3 * clock_seconds();
    for (int b = 0; b < batch; b++) {
      forward_run(context->forward, context->logits, NULL);
      map_labels(context, maps);
    }
    ms[r] = 1e3 * clock_seconds() - begin;
  }
  free(maps[0]);
  return CAM_OK;
}

/* The file that the model was loaded from, read again: the model has packed its weights, and
 * dropped them. */
static cam_code load_again(const cam_model *model, cam_graph **out, cam_error *error) {
  cam_code code = graph_load(model->path, out, error);
  if (code || !strcmp(safetensors_sha256((*out)->file), model->info.sha256))
    return code;
  graph_free(*out);
  return cam_fail(error, CAM_E_MODEL, "%.80s: is another file now than the one that was loaded",
                  model->path);
}

/* Logits of the made picture by the reference. */
static cam_code run_reference(const cam_graph *graph, cam_team *team, double *logits,
                              cam_error *error) {
  float *input = malloc((size_t)graph->height * (size_t)graph->width * 3 * sizeof *input);
  if (!input)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a picture");
  cam_made_input(graph, input);
  cam_code code = reference_forward(graph, team, input, graph->height, graph->width, logits, NULL,
                                    error);
  free(input);
  return code;
}

cam_code cam_bench_reference(cam_context *context, double *logits, double *difference,
                             cam_error *error) {
  cam_graph *graph;
  cam_code code = load_again(context->model, &graph, error);
  if (code)
    return code;
  code = run_reference(graph, context->team, logits, error);
  graph_free(graph);
  if (!code)
    code = plan_made_input(context, error);
  if (code)
    return code;
  forward_run(context->forward, context->logits, NULL);
  *difference = 0;
  for (int c = 0; c < context->model->info.classes; c++)
    *difference = fmax(*difference, fabs(context->logits[c] - logits[c]));
  return CAM_OK;
}

/* ---- what the host can do ---- */

typedef struct probe_call {
  const kernels *k;
  const kernels_int8 *k8;
  const float *memory;
  float sum[CAM_MAX_TEAM];
  int64_t products[CAM_MAX_TEAM]; /* of one piece; 0: the thread had none */
} probe_call;

static int64_t products_of_piece(const probe_call *call) {
  int64_t most = 0;
  for (int i = 0; i < CAM_MAX_TEAM; i++)
    most = max_int64(most, call->products[i]);
  return most;
}

static void measure_arithmetic(void *closure, int index, int thread) {
  probe_call *call = closure;
  (void)index;
  call->sum[thread] += call->k->probe_arithmetic(PROBE_LOOPS);
}

/* As many as there are loops of floats. */
static void measure_products(void *closure, int index, int thread) {
  probe_call *call = closure;
  (void)index;
  call->products[thread] = call->k8->probe_products(PROBE_LOOPS);
}

static void measure_memory(void *closure, int index, int thread) {
  probe_call *call = closure;
  call->sum[thread] += call->k->probe_memory(
      call->memory + (size_t)index * (PROBE_PIECE / sizeof(float)), PROBE_PIECE / sizeof(float));
}

cam_code cam_bench_host(cam_context *context, cam_host *out, cam_error *error) {
  const kernels *k = context->model->net->k;
  int threads = team_threads(context->team), pieces = 4 * threads;
  float *memory = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);
  if (memory == MAP_FAILED)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d bytes to read", PROBE_BYTES);
  madvise(memory, PROBE_BYTES, MADV_HUGEPAGE);
  memset(memory, 1,
         PROBE_BYTES); /* pages of its own: untouched ones would all be the same page of zeros */
  probe_call call = {.k = k, .k8 = context->model->net->k8};
  double arithmetic = INFINITY, products = INFINITY, reading = INFINITY;
  for (int round = 0; round < PROBE_ROUNDS; round++) {
    call.memory = memory +
                  (size_t)(round % (PROBE_BYTES / PROBE_SLICE)) * (PROBE_SLICE / sizeof *memory);
    double begin = 1e3 * clock_seconds();
    team_for(context->team, pieces, measure_arithmetic, &call);
    double between = 1e3 * clock_seconds();
    team_for(context->team, pieces, measure_products, &call);
    double then = 1e3 * clock_seconds();
    team_for(context->team, PROBE_SLICE / PROBE_PIECE, measure_memory, &call);
    arithmetic = fmin(arithmetic, between - begin);
    products = fmin(products, then - between);
    reading = fmin(reading, 1e3 * clock_seconds() - then);
  }
  munmap(memory, PROBE_BYTES);
  *out = (cam_host){.gflops = 2.0 * 24 * k->width * PROBE_LOOPS * pieces / (arithmetic * 1e6),
                    .int8_gops = 2.0 * (double)products_of_piece(&call) * pieces / (products * 1e6),
                    .gbytes = PROBE_SLICE / (reading * 1e6)};
  return CAM_OK;
}

/* ---- layer by layer ---- */

enum { LOGITS, MAPS, AFTER /* rows after the layers */ };

int cam_bench_layer_count(const cam_context *context) {
  return context->model->net->n_layers + AFTER;
}

static uint64_t head_multiply_adds(const cam_graph *graph) {
  uint64_t n = 0;
  for (int i = graph->head; i < graph->n_nodes; i++)
    n += node_multiply_adds(&graph->nodes[i], 1, 1);
  return n;
}

/* The rows after the layers. The convolution left to the tail, if there is one, belongs to the
 * logits; the maps need its filters again, once a label, and so do gradients the weights of fc. */
static void describe_tail(const cam_context *context, cam_layer rows[AFTER]) {
  const network *net = context->model->net;
  const cam_graph *graph = net->graph;
  const cam_node *linear = net->linear;
  layer_cost last;
  int height, width;
  forward_layer(context->forward, net->features, &last);
  forward_map_size(context->forward, &height, &width);
  uint64_t plane = (uint64_t)last.height * (uint64_t)last.width * (uint64_t)last.channels,
           cells = (uint64_t)height * (uint64_t)width,
           channels = (uint64_t)graph->nodes[graph->nodes[graph->head].inputs[0]].channels,
           fc = head_multiply_adds(graph), back = 0;
  if (graph->method == CAM_METHOD_HIRESCAM)
    back = fc;
  uint64_t filters = 0, taps = 1, linear_multiply_adds = 0;
  size_t value = sizeof(float);
  if (graph->int8_head)
    value = 1;
  if (linear) {
    filters = linear->weight->count;
    taps = (uint64_t)(linear->kernel[0] * linear->kernel[1]);
    linear_multiply_adds = node_multiply_adds(linear, height, width);
  }
  rows[LOGITS] = (cam_layer){.name = "logits",
                             .kind = "tail",
                             .height = 1,
                             .width = 1,
                             .channels = graph->n_classes,
                             .multiply_adds = fc + linear_multiply_adds,
                             .products = fc + plane * taps + filters,
                             .int8 = graph->int8_head,
                             .bytes = (size_t)(fc + plane + filters) * value};
  rows[MAPS] = (cam_layer){.name = "class maps",
                           .kind = "tail",
                           .height = height,
                           .width = width,
                           .channels = LABELS,
                           .multiply_adds = LABELS * (cells * channels + back),
                           .products = LABELS * (plane * taps + filters + back),
                           .int8 = graph->int8_head,
                           .bytes = (size_t)(plane + filters + back + LABELS * (channels + cells)) *
                                    value};
}

static void describe_layers(const cam_context *context, cam_layer *layers) {
  int n = context->model->net->n_layers;
  for (int i = 0; i < n; i++) {
    layer_cost cost;
    forward_layer(context->forward, i, &cost);
    layers[i] = (cam_layer){.name = cost.name,
                            .kind = cost.kind,
                            .height = cost.height,
                            .width = cost.width,
                            .channels = cost.channels,
                            .multiply_adds = cost.multiply_adds,
                            .products = cost.products,
                            .int8 = cost.int8,
                            .bytes = cost.weight_bytes + cost.plane_bytes};
  }
  describe_tail(context, layers + n);
  for (int i = 0; i < n + AFTER; i++)
    layers[i].ms = INFINITY;
}

/* One pass: what is faster than before, into the rows; layer_ms: scratch, [layers]. */
static void time_layers(cam_context *context, float *const maps[LABELS], double *layer_ms,
                        cam_layer *layers, double *ms) {
  int n = context->model->net->n_layers;
  double begin = 1e3 * clock_seconds(), in_layers = 0;
  forward_run(context->forward, context->logits, layer_ms);
  double between = 1e3 * clock_seconds();
  map_labels(context, maps);
  double end = 1e3 * clock_seconds();
  for (int i = 0; i < n; i++) {
    in_layers += layer_ms[i];
    layers[i].ms = fmin(layers[i].ms, layer_ms[i]);
  }
  layers[n + LOGITS].ms = fmin(layers[n + LOGITS].ms, between - begin - in_layers);
  layers[n + MAPS].ms = fmin(layers[n + MAPS].ms, end - between);
  *ms = fmin(*ms, end - begin);
}

cam_code cam_bench_layers(cam_context *context, int runs, cam_layer *layers, double *ms,
                          cam_error *error) {
  int n = context->model->net->n_layers;
  float *maps[LABELS] = {NULL};
  double *layer_ms = malloc((size_t)n * sizeof *layer_ms);
  if (!layer_ms)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", n);
  cam_code code = plan_made_input(context, error);
  if (!code)
    code = allocate_maps(context, maps, error);
  if (!code) {
    describe_layers(context, layers);
    *ms = INFINITY;
    for (int r = 0; r < runs; r++)
      time_layers(context, maps, layer_ms, layers, ms);
  }
  free(maps[0]);
  free(layer_ms);
  return code;
}
