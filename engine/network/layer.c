/* layer.c - layer.h: room for packed weights. Flow: network -> [layer] -> kinds of layers.
 * Thread: loading; packed_alloc on several at once. */
#include "layer.h"
#include "cam_minmax.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int cell_stride(const network *net, int channels) {
  int width = net->k->width;
  return (channels + width - 1) / width * width;
}

int panel_width(const network *net) { return 2 * net->k->width; }

/* `count` floats, 0, on a boundary of 64 bytes; NULL: no memory. */
static float *packed_new(size_t count) {
  size_t bytes = (count * sizeof(float) + 127) / 64 * 64, huge = (size_t)2 << 20, boundary = 64;
  bool large = bytes >= 2 * huge; /* streamed again and again: huge pages spare the TLB */
  if (large) {
    bytes = (bytes + huge - 1) / huge * huge;
    boundary = huge;
  }
  float *p = aligned_alloc(boundary, bytes);
  if (p && large)
    madvise(p, bytes, MADV_HUGEPAGE); /* a hint: it may not be had */
  if (p)
    memset(p, 0, bytes);
  return p;
}

/* Of all layers together: packing can be much larger than the file (one tensor in many nodes,
 * narrow groups merged). */
static const uint64_t MAX_PACKED = UINT64_C(1) << 30;

cam_code packed_alloc(const network *net, layer *l, size_t weights, cam_error *error) {
  if (__atomic_add_fetch(net->packed, weights, __ATOMIC_RELAXED) > MAX_PACKED)
    return cam_fail(error, CAM_E_MODEL,
                    "node \"%.60s\": %zu packed weights; allowed are %" PRIu64 " in all layers",
                    l->node->name, weights, MAX_PACKED);
  l->weight = packed_new(weights);
  l->weight_count = weights;
  l->bias = packed_new((size_t)cell_stride(net, l->channels));
  if (!l->weight || !l->bias)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory for %zu packed weights",
                    l->node->name, weights);
  if (l->node->bias)
    memcpy(l->bias, l->node->bias->data, (size_t)l->channels * sizeof(float));
  return CAM_OK;
}

/* ---- layers in integers ---- */

cam_code packed_int8(const network *net, layer *l, size_t bytes, cam_error *error) {
  const uint64_t floats = (bytes + sizeof(float) - 1) / sizeof(float);
  if (__atomic_add_fetch(net->packed, floats, __ATOMIC_RELAXED) > MAX_PACKED)
    return cam_fail(error, CAM_E_MODEL,
                    "node \"%.60s\": %zu bytes of packed weights; allowed are %" PRIu64
                    " in all layers",
                    l->node->name, bytes, MAX_PACKED * sizeof(float));
  l->int8->weight = packed_new((size_t)floats);
  l->int8->weight_bytes = bytes;
  if (!l->int8->weight)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory for %zu bytes of weights",
                    l->node->name, bytes);
  return CAM_OK;
}

/* Factors and shifts of the unit's channels. */
static void fill_channels(const network *net, layer *l, float *multiplier, int32_t *bias) {
  const int8_unit *unit = &l->int8->unit;
  const cam_node *heart = unit->heart;
  if (heart->op == OP_CONV)
    quantized_biases(net->graph, heart, bias);
  for (int c = 0; c < l->channels; c++) {
    if (heart->op == OP_CONV)
      multiplier[c] = quantized_multiplier(net->graph, unit, c);
    else if (heart->op == OP_AFFINE)
      quantized_affine(net->graph, unit, c, &multiplier[c], &l->int8->shift[c]);
  }
}

cam_code prepare_int8(const network *net, layer *l, cam_error *error) {
  int8_layer *own = l->int8;
  const size_t channels = (size_t)level_stride(l->channels);
  float *multiplier = calloc(channels, sizeof *multiplier);
  int32_t *bias = calloc(channels, sizeof *bias);
  own->q.multiplier = multiplier;
  own->q.bias = bias;
  own->shift = calloc(channels, sizeof *own->shift);
  if (!multiplier || !bias || !own->shift)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory for %d channels",
                    l->node->name, l->channels);
  fill_channels(net, l, multiplier, bias);
  return CAM_OK;
}

/* ---- pieces ---- */

int pieces_by_rows(const step *s, int threads) {
  if (threads == 1)
    return 1;
  return min_int(s->out_height, 2 * threads);
}

bool is_small_plane(int cells, int stride) { return (int64_t)cells * stride < 4096; }

void plan_rows(const network *net, step *s, int threads) {
  (void)net;
  s->pieces[0] = 1;
  if (!is_small_plane(s->out_height * s->out_width, s->out_stride))
    s->pieces[0] = pieces_by_rows(s, threads);
}

range cells_of(const step *s, int piece) {
  const range rows = part_of(s->out_height, piece, s->pieces[0]);
  return (range){rows.begin * s->out_width, rows.end * s->out_width};
}
