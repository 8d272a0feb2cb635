/* elementwise.c - operators on single values or cells that no convolution took over: sums,
 * products, activations, affines, layer norms. Flow: forward -> [elementwise] -> kernels. Thread:
 * prepare and plan one, run any. A piece is a range of output rows. */
#include "layers.h"
#include <string.h>

/* Each: output cells, which lie where the same cells of the inputs lie. */
typedef void cells_run(const network *net, const step *s, range cells);

/* The first of the cells in an input, or in the output. */
static const float *values_from(const step *s, int input, range cells) {
  return s->in[input] + (ptrdiff_t)cells.begin * s->out_stride;
}
static float *out_of(const step *s, range cells) {
  return s->out + (ptrdiff_t)cells.begin * s->out_stride;
}
static size_t values_of(const step *s, range cells) {
  return (size_t)(cells.end - cells.begin) * (size_t)s->out_stride;
}

static void run_activation(const network *net, const step *s, range cells) {
  net->k->combine(values_from(s, 0, cells), NULL, values_of(s, cells), out_of(s, cells),
                  s->l->finish);
}

static void run_sum(const network *net, const step *s, range cells) {
  net->k->combine(values_from(s, 0, cells), values_from(s, 1, cells), values_of(s, cells),
                  out_of(s, cells), s->l->finish);
}

bool is_affine_layer(const layer *l) {
  return l->node->op == OP_AFFINE || (l->node->op == OP_MUL && l->by_one_cell);
}

void affine_cells(const network *net, const step *s, const layer *l, int cells, const float *from,
                  float *to) {
  const float *scale = l->weight, *shift = l->bias;
  if (l->node->op == OP_MUL) {
    scale = s->in[1];
    shift = NULL;
  }
  net->k->affine(from, cells, s->in_strides[0], scale, shift, to, l->finish);
}

static void run_affine(const network *net, const step *s, range cells) {
  affine_cells(net, s, s->l, cells.end - cells.begin, values_from(s, 0, cells), out_of(s, cells));
}

static void run_product(const network *net, const step *s, range cells) {
  if (s->in_cells[1] == 1)
    run_affine(net, s, cells);
  else
    net->k->multiply(values_from(s, 0, cells), values_from(s, 1, cells), values_of(s, cells),
                     out_of(s, cells), s->l->finish);
}

static void run_norm(const network *net, const step *s, range cells) {
  net->k->normalize(values_from(s, 0, cells), cells.end - cells.begin, s->l->channels,
                    s->out_stride, s->l->weight, s->l->bias, (float)s->l->node->epsilon,
                    out_of(s, cells), s->l->finish);
}

/* NULL: an operator of another kind. */
static cells_run *const runs[OP_COUNT] = {
    /* clang-format off */
    [OP_RELU] = run_activation,
    [OP_RELU6] = run_activation,
    [OP_CLIP] = run_activation,
    [OP_SIGMOID] = run_activation,
    [OP_HARD_SIGMOID] = run_activation,
    [OP_SILU] = run_activation,
    [OP_HARD_SWISH] = run_activation,
    [OP_GELU] = run_activation,
    [OP_ADD] = run_sum,
    [OP_MUL] = run_product,
    [OP_AFFINE] = run_affine,
    [OP_LAYER_NORM] = run_norm,
    /* clang-format on */
};

static bool elementwise_fits(const network *net, const cam_node *node) {
  (void)net;
  return runs[node->op] != NULL;
}

/* Scale and shift, padded with 0. */
static cam_code elementwise_prepare(const network *net, layer *l, cam_error *error) {
  const cam_node *node = l->node;
  if (!node->scale)
    return CAM_OK;
  const size_t channels = (size_t)l->channels;
  cam_code code = packed_alloc(net, l, (size_t)cell_stride(net, l->channels), error);
  if (code)
    return code;
  memcpy(l->weight, node->scale->data, channels * sizeof(float));
  memcpy(l->bias, node->shift->data, channels * sizeof(float));
  return CAM_OK;
}

static void elementwise_run(const network *net, const step *s, int phase, int piece,
                            float *scratch) {
  (void)phase;
  (void)scratch;
  runs[s->l->node->op](net, s, cells_of(s, piece));
}

const layer_type layer_elementwise = {
    .name = "elementwise",
    .fits = elementwise_fits,
    .prepare = elementwise_prepare,
    .plan = plan_rows,
    .run = elementwise_run,
    .finishes = true,
};
