/* elementwise_int8.c - operators in integers on single levels or cells that no convolution took
 * over: sums, products, affines, activations; and the conversions between planes of levels and of
 * floats. Flow: forward -> [elementwise_int8] -> kernels_int8. Thread: prepare and plan one, run
 * any. A piece is a range of output rows. */
#include "layers.h"

static quantization quantum_of_input(const network *net, const step *s, int k) {
  return quantized_input(net->graph, s->l->int8->unit.heart->inputs[k]);
}

static const uint8_t *levels_from(const step *s, int input, range cells) {
  return s->in8[input] + (ptrdiff_t)cells.begin * s->in_strides[input];
}
static uint8_t *levels_to(const step *s, range cells) {
  return s->out8 + (ptrdiff_t)cells.begin * s->out_stride;
}
static size_t levels_in(const step *s, range cells) {
  return (size_t)(cells.end - cells.begin) * (size_t)s->out_stride;
}

/* Each: output cells, which lie where the same cells of the inputs lie. */
typedef void level_cells(const network *net, const step *s, range cells);

static void run_look_up(const network *net, const step *s, range cells) {
  net->k8->look_up(levels_from(s, 0, cells), levels_in(s, cells), s->l->int8->q.range.table,
                   levels_to(s, cells));
}

static void run_add(const network *net, const step *s, range cells) {
  const quantization a = quantum_of_input(net, s, 0), b = quantum_of_input(net, s, 1),
                     out = s->l->int8->unit.last->quantum;
  const float multiplier = quantized_ratio(a, out);
  const int32_t bias = -a.zero_point;
  const requantization q = {.multiplier = &multiplier,
                            .bias = &bias,
                            .range = s->l->int8->q.range,
                            .residual_multiplier = quantized_ratio(b, out),
                            .residual_zero = b.zero_point};
  net->k8->add(levels_from(s, 0, cells), levels_from(s, 1, cells), levels_in(s, cells), &q,
               levels_to(s, cells));
}

static void run_multiply(const network *net, const step *s, range cells) {
  const quantization a = quantum_of_input(net, s, 0), b = quantum_of_input(net, s, 1);
  const float multiplier = quantized_product(a, b, s->l->int8->unit.last->quantum);
  const uint8_t *factors = s->in8[1];
  int stride = 0;
  if (s->in_cells[1] > 1) {
    factors = levels_from(s, 1, cells);
    stride = s->in_strides[1];
  }
  net->k8->multiply(levels_from(s, 0, cells), a.zero_point, factors, b.zero_point, stride,
                    cells.end - cells.begin, s->out_stride, multiplier, &s->l->int8->q.range,
                    levels_to(s, cells));
}

static void run_affine_levels(const network *net, const step *s, range cells) {
  const int8_layer *own = s->l->int8;
  net->k8->affine(levels_from(s, 0, cells), quantum_of_input(net, s, 0).zero_point,
                  cells.end - cells.begin, s->out_stride, own->q.multiplier, own->shift,
                  &own->q.range, levels_to(s, cells));
}

/* NULL: an operator of another kind. */
static level_cells *const level_runs[OP_COUNT] = {
    /* clang-format off */
    [OP_RELU] = run_look_up,
    [OP_RELU6] = run_look_up,
    [OP_CLIP] = run_look_up,
    [OP_SIGMOID] = run_look_up,
    [OP_HARD_SIGMOID] = run_look_up,
    [OP_SILU] = run_look_up,
    [OP_HARD_SWISH] = run_look_up,
    [OP_GELU] = run_look_up,
    [OP_ADD] = run_add,
    [OP_MUL] = run_multiply,
    [OP_AFFINE] = run_affine_levels,
    /* clang-format on */
};

static bool elementwise_int8_fits(const network *net, const cam_node *node) {
  (void)net;
  return level_runs[node->op] != NULL;
}

static cam_code elementwise_int8_prepare(const network *net, layer *l, cam_error *error) {
  if (l->node->op != OP_AFFINE)
    return CAM_OK;
  return prepare_int8(net, l, error);
}

static void elementwise_int8_run(const network *net, const step *s, int phase, int piece,
                                 float *scratch) {
  (void)phase;
  (void)scratch;
  level_runs[s->l->node->op](net, s, cells_of(s, piece));
}

const layer_type layer_elementwise_int8 = {
    .name = "elementwise8",
    .fits = elementwise_int8_fits,
    .prepare = elementwise_int8_prepare,
    .plan = plan_rows,
    .run = elementwise_int8_run,
};

/* ---- conversions of the plane of l->node ---- */

static void quantize_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  const range cells = cells_of(s, piece);
  const quantization to = s->l->node->quantum;
  (void)phase;
  (void)scratch;
  net->k8->quantize(s->in[0] + (ptrdiff_t)cells.begin * s->in_strides[0], s->in_strides[0],
                    cells.end - cells.begin, (s->l->channels + 3) / 4 * 4,
                    (float)(1 / (double)to.scale), to.zero_point, levels_to(s, cells),
                    s->out_stride);
}

static void dequantize_run(const network *net, const step *s, int phase, int piece,
                           float *scratch) {
  const range cells = cells_of(s, piece);
  const quantization from = s->l->node->quantum;
  (void)phase;
  (void)scratch;
  net->k8->dequantize(levels_from(s, 0, cells), s->in_strides[0], cells.end - cells.begin,
                      (s->l->channels + 3) / 4 * 4, from.scale, from.zero_point,
                      s->out + (ptrdiff_t)cells.begin * s->out_stride, s->out_stride);
}

const layer_type layer_quantize = {.name = "quantize", .plan = plan_rows, .run = quantize_run};
const layer_type layer_dequantize = {
    .name = "dequantize", .plan = plan_rows, .run = dequantize_run};
