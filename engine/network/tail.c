/* tail.c - tail.h. Flow: forward -> [tail] -> class maps. Thread: worker, pieces on its team.
 * Products are OpenBLAS's, one per piece; a piece is the same whatever the team, so that sums do
 * not depend on threads. */
#include "tail.h"
#include "blas.h"
#include "cam_minmax.h"
#include <string.h>

enum { OUTPUTS_A_PIECE = 128 };

static int taps(const network *net) {
  if (!net->linear)
    return 0;
  return net->linear->kernel[0] * net->linear->kernel[1];
}
static int plane_stride(const network *net) {
  if (net->graph->int8_head)
    return level_stride(net->layers[net->features].channels);
  return cell_stride(net, net->layers[net->features].channels);
}
/* Channels that the gap leaves, or values that the flatten does. */
static int features(const network *net) { return net->graph->nodes[net->graph->head].channels; }

size_t tail_mean_floats(const network *net) {
  return (size_t)max_int(features(net), plane_stride(net));
}
size_t tail_sums_floats(const network *net) {
  if (net->graph->int8_head)
    return (size_t)plane_stride(net);
  return (size_t)taps(net) * (size_t)plane_stride(net);
}
size_t tail_scratch_floats(const network *net, int height, int width) {
  if (!net->linear)
    return 0;
  return tail_sums_floats(net) + (size_t)height * (size_t)width;
}

/* Cells of the plane that tap (i, j) of the linear convolution sees: rows y0..y1-1, columns
 * x0..x1-1, and the output cell of the first. */
typedef struct window {
  int y0, y1, x0, x1, out_y, out_x;
} window;
static window window_of(const tail *t, int tap) {
  int i = tap / t->net->linear->kernel[1] - t->top,
      j = tap % t->net->linear->kernel[1] - t->left; /* input = output + (i, j) */
  return (window){max_int(0, i),  min_int(t->height, t->map_height + i),
                  max_int(0, j),  min_int(t->width, t->map_width + j),
                  max_int(0, -i), max_int(0, -j)};
}

/* ---- logits ---- */

typedef struct logits_call {
  const tail *t;
  float *logits;
} logits_call;

/* sums[tap] = what the tap sees on average: plane^T times 1 / cells inside its window, 0 outside.
 */
static void sum_tap(void *closure, int tap, int thread) {
  const tail *t = ((const logits_call *)closure)->t;
  float *weight = t->scratch - (size_t)thread * t->scratch_step,
        share = 1.0f / (float)(t->map_height * t->map_width);
  window seen = window_of(t, tap);
  memset(weight, 0, (size_t)t->height * (size_t)t->width * sizeof *weight);
  for (int y = seen.y0; y < seen.y1; y++)
    for (int x = seen.x0; x < seen.x1; x++)
      weight[y * t->width + x] = share;
  blas_vector_matrix(t->height * t->width, t->stride, t->plane, t->stride, weight,
                     t->sums + (size_t)tap * (size_t)t->stride);
}

/* mean of OUTPUTS_A_PIECE feature maps of one group: bias + sums times the filters. */
static void mean_features(void *closure, int piece, int thread) {
  const tail *t = ((const logits_call *)closure)->t;
  const cam_node *node = t->net->linear;
  (void)thread;
  int out_group = node->channels / node->groups, in_group = (int)node->weight->shape[2],
      per_group = (out_group + OUTPUTS_A_PIECE - 1) / OUTPUTS_A_PIECE;
  int group = piece / per_group, first = group * out_group + piece % per_group * OUTPUTS_A_PIECE,
      n = min_int(OUTPUTS_A_PIECE, (group + 1) * out_group - first);
  memset(t->mean + first, 0, (size_t)n * sizeof *t->mean);
  for (int tap = 0; tap < taps(t->net); tap++) {
    float part_sum[OUTPUTS_A_PIECE];
    blas_vector_matrix(in_group, n,
                       node->weight->data +
                           (size_t)tap * (size_t)in_group * (size_t)node->channels + (size_t)first,
                       node->channels,
                       t->sums + (size_t)tap * (size_t)t->stride + (size_t)group * (size_t)in_group,
                       part_sum);
    for (int f = 0; f < n; f++)
      t->mean[first + f] += part_sum[f];
  }
  for (int f = first; f < first + n && node->bias; f++)
    t->mean[f] += node->bias->data[f];
}

static void score_classes(void *closure, int piece, int thread) {
  const logits_call *call = closure;
  const network *net = call->t->net;
  (void)thread;
  int first = piece * OUTPUTS_A_PIECE, n = min_int(OUTPUTS_A_PIECE, net->graph->n_classes - first),
      channels = features(net);
  blas_matrix_vector(n, channels, net->fc_weight->data + (size_t)first * (size_t)channels, channels,
                     call->t->mean, call->logits + first);
  for (int c = first; c < first + n; c++)
    call->logits[c] += network_bias(net, c);
}

/* The plane's cells one after another, without what pads them. */
static void copy_cells(const tail *t, float *out) {
  const size_t cells = (size_t)t->height * (size_t)t->width,
               channels = (size_t)features(t->net) / cells;
  for (size_t i = 0; i < cells; i++)
    memcpy(out + i * channels, t->plane + i * (size_t)t->stride, channels * sizeof *out);
}

static bool is_flat(const network *net) {
  return net->graph->nodes[net->graph->head].op == OP_FLATTEN;
}

static void run_chain(const tail *t, float *logits) {
  if (is_flat(t->net))
    copy_cells(t, chain_input(t->chain));
  else
    t->net->k->average(t->plane, t->height * t->width, t->stride, t->stride, chain_input(t->chain));
  chain_logits(t->chain, logits);
}

void tail_logits(const tail *t, float *logits) {
  const network *net = t->net;
  logits_call call = {t, logits};
  if (net->graph->int8_head) {
    tail_int8_logits(t, logits);
    return;
  }
  if (t->chain) {
    run_chain(t, logits);
    return;
  }
  if (net->linear) {
    int out_group = net->linear->channels / net->linear->groups;
    team_for(t->team, taps(net), sum_tap, &call);
    team_for(t->team, net->linear->groups * ((out_group + OUTPUTS_A_PIECE - 1) / OUTPUTS_A_PIECE),
             mean_features, &call);
  } else {
    net->k->average(t->plane, t->height * t->width, t->stride, t->stride, t->mean);
  }
  if (!net->fc_weight) {
    memcpy(logits, t->mean, (size_t)net->graph->n_classes * sizeof *logits);
    return;
  }
  team_for(t->team, (net->graph->n_classes + OUTPUTS_A_PIECE - 1) / OUTPUTS_A_PIECE, score_classes,
           &call);
}

/* ---- class maps ---- */

typedef struct maps_call {
  const tail *t;
  const int *class_ids;
  float *const *maps;
  const float **gradients; /* of classes whose head is a chain */
} maps_call;

/* The kernel of a class's map over the linear convolution: kernel[tap][input channel] = sum over
 * its feature maps f of row[f] * filter[tap][input channel][f]; 0 in padded channels. Of the
 * filters, [taps,in_group,channels], each group is a block of in_group rows and out_group columns.
 */
static void make_class_kernel(const tail *t, const float *row, float *kernel) {
  const cam_node *node = t->net->linear;
  const size_t in_group = (size_t)node->weight->shape[2], channels = (size_t)node->channels,
               out_group = channels / (size_t)node->groups;
  memset(kernel, 0, tail_sums_floats(t->net) * sizeof *kernel);
  for (size_t tap = 0; tap < (size_t)taps(t->net); tap++)
    for (size_t g = 0; g < (size_t)node->groups; g++)
      blas_matrix_vector((int)in_group, (int)out_group,
                         node->weight->data + tap * in_group * channels + g * out_group,
                         node->channels, row + g * out_group,
                         kernel + tap * (size_t)t->stride + g * in_group);
}

/* map += what one tap of the kernel sees; seen: scratch, [height,width]. */
static void add_tap(const tail *t, int tap, const float *kernel, float *seen, float *map) {
  const window w = window_of(t, tap);
  blas_matrix_vector(t->height * t->width, t->stride, t->plane, t->stride,
                     kernel + (size_t)tap * (size_t)t->stride, seen);
  for (int y = w.y0; y < w.y1; y++) {
    const float *from = seen + y * t->width;
    float *to = map + (w.out_y + y - w.y0) * t->map_width + w.out_x;
    for (int x = w.x0; x < w.x1; x++)
      to[x - w.x0] += from[x];
  }
}

/* The class's own channel. */
static void copy_channel(const tail *t, int channel, float *map) {
  for (int i = 0; i < t->height * t->width; i++)
    map[i] = t->plane[(size_t)i * (size_t)t->stride + (size_t)channel];
}

/* One class's map: sum over feature maps f of row[f] * feature map f, row being the class's of fc.
 *
 * Without a linear convolution the features are the plane, and the map is [cells,C] x row.
 *
 * With one, feature map f is bias[f] + the plane convolved with filter f, so that the map is
 *   (sum over f of row[f] * bias[f]) + the plane convolved with (sum over f of row[f] * filter f):
 * one constant and one kernel, which is made first. The convolution goes tap by tap: the product
 * [cells,stride] x kernel[tap] says what each cell of the plane gives; the cells in the window that
 * the tap sees are added to the map.
 *
 * Scratch of a thread: kernel [taps,stride], then seen [height,width], one tap's product. */
static void map_class(void *closure, int index, int thread) {
  const maps_call *call = closure;
  const tail *t = call->t;
  const cam_node *node = t->net->linear;
  float *map = call->maps[index];
  if (!t->net->fc_weight) {
    copy_channel(t, call->class_ids[index], map);
    return;
  }
  const float *row = t->net->fc_weight->data +
                     (size_t)call->class_ids[index] * (size_t)features(t->net);
  if (!node) {
    blas_matrix_vector(t->height * t->width, features(t->net), t->plane, t->stride, row, map);
    return;
  }
  float *kernel = t->scratch - (size_t)thread * t->scratch_step,
        *seen = kernel + tail_sums_floats(t->net), bias = 0;
  make_class_kernel(t, row, kernel);
  for (int f = 0; f < node->channels && node->bias; f++)
    bias += row[f] * node->bias->data[f];
  for (int i = 0; i < t->map_height * t->map_width; i++)
    map[i] = bias;
  for (int tap = 0; tap < taps(t->net); tap++)
    add_tap(t, tap, kernel, seen, map);
}

/* One class's map: sum over channels of gradient * plane, the gradient of a mean being that by each
 * of its cells times their number. */
static void map_gradient(void *closure, int index, int thread) {
  const maps_call *call = closure;
  const tail *t = call->t;
  const float *gradient = call->gradients[index];
  const int cells = t->height * t->width;
  float *map = call->maps[index];
  (void)thread;
  if (is_flat(t->net)) {
    const int channels = features(t->net) / cells;
    for (int i = 0; i < cells; i++)
      blas_matrix_vector(1, channels, t->plane + (size_t)i * (size_t)t->stride, t->stride,
                         gradient + (size_t)i * (size_t)channels, map + i);
    return;
  }
  blas_matrix_vector(cells, features(t->net), t->plane, t->stride, gradient, map);
  for (int i = 0; i < cells; i++)
    map[i] /= (float)cells;
}

static void map_by_gradients(const tail *t, int n, const int *class_ids, float *const *maps) {
  const float *gradients[CHAIN_CLASSES];
  for (int first = 0; first < n; first += CHAIN_CLASSES) {
    const int count = min_int(CHAIN_CLASSES, n - first);
    chain_gradients(t->chain, count, class_ids + first, gradients);
    maps_call call = {t, class_ids + first, maps + first, gradients};
    team_for(t->team, count, map_gradient, &call);
  }
}

void tail_class_maps(const tail *t, int n, const int *class_ids, float *const *maps) {
  maps_call call = {t, class_ids, maps, NULL};
  if (t->net->graph->int8_head)
    tail_int8_maps(t, n, class_ids, maps);
  else if (t->chain)
    map_by_gradients(t, n, class_ids, maps);
  else
    team_for(t->team, n, map_class, &call);
}
