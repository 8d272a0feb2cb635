/* tail_int8.c - the head of a network in integers: gap, fc and class maps over 8-bit levels. Flow:
 * tail -> [tail_int8] -> cam. Thread: worker, pieces on its team.
 *
 * All sums are whole numbers, whose order does not matter, and each becomes a float once: logits
 * and maps are the same bits on every machine. A sum of levels over the plane has up to four bytes;
 * fc takes it byte by byte, as rows of digits, so that it is the product of bytes that maps are. */
#include "cam_minmax.h"
#include "tail.h"
#include <string.h>

enum { CLASSES_A_PIECE = 128, CELLS_AT_A_TIME = 64, DIGITS = 4 };

static const cam_node *last_node(const tail *t) {
  return &t->net->graph->nodes[t->net->graph->n_nodes - 1];
}
static int plane_channels(const tail *t) { return t->net->layers[t->net->features].channels; }
static int64_t plane_zero(const tail *t) {
  const cam_graph *graph = t->net->graph;
  return graph->nodes[graph->nodes[graph->head].inputs[0]].quantum.zero_point;
}
static const int8_t *row_of_class(const tail *t, int class_id) {
  return last_node(t)->weight->bytes + (size_t)class_id * (size_t)plane_channels(t);
}

/* ---- logits ---- */

typedef struct score_call {
  const tail *t;
  float *logits;
  int digits; /* rows of them */
} score_call;

/* The sums' bytes, lowest first, a row each: [digits][stride]. */
static void write_digits(const tail *t, int digits) {
  const uint32_t *sums = (const uint32_t *)(const void *)t->mean;
  uint8_t *rows = (uint8_t *)t->sums;
  for (int d = 0; d < digits; d++)
    for (int c = 0; c < plane_channels(t); c++)
      rows[d * t->stride + c] = (uint8_t)(sums[c] >> 8 * d);
}

static void score_piece(void *closure, int piece, int thread) {
  const score_call *call = closure;
  const tail *t = call->t;
  const network *net = t->net;
  const int cells = t->height * t->width, first = piece * CLASSES_A_PIECE;
  (void)thread;
  for (int c = first; c < min_int(first + CLASSES_A_PIECE, net->graph->n_classes); c++) {
    int32_t products[DIGITS];
    int64_t sum = -cells * plane_zero(t) * net->row_sums[c];
    net->k8->dot_rows((const uint8_t *)t->sums, call->digits, t->stride, row_of_class(t, c),
                      plane_channels(t), products);
    for (int d = 0; d < call->digits; d++)
      sum += products[d] * (INT64_C(1) << 8 * d);
    const float logit = (float)sum * quantized_share(net->graph, c, cells);
    call->logits[c] = logit + network_bias(net, c);
  }
}

static void take_means(const tail *t, const int32_t *sums, float *logits) {
  const int cells = t->height * t->width;
  for (int c = 0; c < t->net->graph->n_classes; c++)
    logits[c] = (float)(sums[c] - cells * plane_zero(t)) * quantized_share(t->net->graph, c, cells);
}

void tail_int8_logits(const tail *t, float *logits) {
  const int cells = t->height * t->width;
  score_call call = {t, logits, 1};
  int32_t *sums = (int32_t *)(void *)t->mean;
  t->net->k8->sum_plane((const uint8_t *)t->plane, cells, t->stride, t->stride, sums);
  if (last_node(t)->op != OP_FC) {
    take_means(t, sums, logits);
    return;
  }
  while (call.digits < DIGITS && (int64_t)cells * 255 >> 8 * call.digits)
    call.digits++;
  write_digits(t, call.digits);
  team_for(t->team, (t->net->graph->n_classes + CLASSES_A_PIECE - 1) / CLASSES_A_PIECE, score_piece,
           &call);
}

/* ---- class maps ---- */

typedef struct int8_maps_call {
  const tail *t;
  const int *class_ids;
  float *const *maps;
} int8_maps_call;

static void map_channel(const tail *t, int channel, float *map) {
  const uint8_t *plane = (const uint8_t *)t->plane + channel;
  const float share = quantized_share(t->net->graph, channel, 1);
  for (int i = 0; i < t->height * t->width; i++)
    map[i] = (float)(plane[(ptrdiff_t)i * t->stride] - plane_zero(t)) * share;
}

static void map_row(const tail *t, int class_id, float *map) {
  const network *net = t->net;
  const int cells = t->height * t->width;
  const float share = quantized_share(net->graph, class_id, 1);
  const int64_t less = plane_zero(t) * net->row_sums[class_id];
  int32_t products[CELLS_AT_A_TIME];
  for (int first = 0; first < cells; first += CELLS_AT_A_TIME) {
    const int n = min_int(CELLS_AT_A_TIME, cells - first);
    net->k8->dot_rows((const uint8_t *)t->plane + (ptrdiff_t)first * t->stride, n, t->stride,
                      row_of_class(t, class_id), plane_channels(t), products);
    for (int i = 0; i < n; i++)
      map[first + i] = (float)(products[i] - less) * share;
  }
}

static void map_int8_class(void *closure, int index, int thread) {
  const int8_maps_call *call = closure;
  (void)thread;
  if (last_node(call->t)->op == OP_FC)
    map_row(call->t, call->class_ids[index], call->maps[index]);
  else
    map_channel(call->t, call->class_ids[index], call->maps[index]);
}

void tail_int8_maps(const tail *t, int n, const int *class_ids, float *const *maps) {
  int8_maps_call call = {t, class_ids, maps};
  team_for(t->team, n, map_int8_class, &call);
}
