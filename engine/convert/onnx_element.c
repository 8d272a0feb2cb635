/* onnx_element.c - operators that take each cell by itself: activations, arithmetic. How
 * several of them spell one of ours is recognised later, in draft_simplify.c. */
#include "onnx_norm.h"
#include "onnx_operator.h"
#include <math.h>
#include <string.h>

/* ---- of one plane ---- */

static cam_code import_unary(onnx_import *im, int input, draft_op op, double low, double high) {
  onnx_slot in;
  cam_code code = onnx_plane(im, input, &in);
  if (code)
    return code;
  int made = onnx_add(im, op, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  im->d->nodes[made].low = low;
  im->d->nodes[made].high = high;
  return onnx_set_plane(im, 0, made, &in.at);
}

static cam_code import_relu(onnx_import *im) {
  return import_unary(im, 0, DRAFT_CLIP, 0, HUGE_VAL);
}
static cam_code import_sigmoid(onnx_import *im) { return import_unary(im, 0, DRAFT_SIGMOID, 0, 0); }
static cam_code import_hard_swish(onnx_import *im) {
  return import_unary(im, 0, DRAFT_HARD_SWISH, 0, 0);
}
static cam_code import_erf_of(onnx_import *im) { return import_unary(im, 0, DRAFT_ERF, 0, 0); }
static cam_code import_hard_sigmoid(onnx_import *im) {
  return import_unary(im, 0, DRAFT_HARD_SIGMOID, onnx_real(im, "alpha", (double).2f),
                      onnx_real(im, "beta", .5));
}

static cam_code import_swish(onnx_import *im) {
  const double alpha = onnx_real(im, "alpha", 1);
  if (alpha == 1)
    return import_unary(im, 0, DRAFT_SILU, 0, 0);
  return onnx_refuse(im, "attribute alpha %g would have to be built", alpha);
}

static cam_code import_gelu(onnx_import *im) {
  const char *how = onnx_text(im, "approximate", "none");
  if (strcmp(how, "none"))
    return onnx_refuse(im, "attribute approximate %.20s would have to be built", how);
  return import_unary(im, 0, DRAFT_GELU, 0, 0);
}

static cam_code import_clip(onnx_import *im) {
  const constant *least, *most;
  double low = onnx_real(im, "min", -HUGE_VAL), high = onnx_real(im, "max", HUGE_VAL);
  cam_code code = onnx_constant(im, 1, &least);
  if (!code)
    code = onnx_constant(im, 2, &most);
  if (code)
    return code;
  if (least && least->n)
    low = constant_at(least, 0);
  if (most && most->n)
    high = constant_at(most, 0);
  if (low < -3e38)
    low = -HUGE_VAL;
  if (high > 3e38)
    high = HUGE_VAL;
  return import_unary(im, 0, DRAFT_CLIP, low, high);
}

/* Only at the end, where draft_simplify drops it: [1,N] over its classes. */
static cam_code import_softmax(onnx_import *im) {
  onnx_slot in;
  int axis;
  cam_code code = onnx_plane(im, 0, &in);
  const int64_t usual = im->file->opset < 13 ? 1 : -1;
  if (!code)
    code = onnx_axis(im, onnx_whole(im, "axis", usual), in.at.rank, &axis);
  if (code)
    return code;
  const int channels = draft_channels(im->d, in.node);
  if (!view_is_vector(&in.at) || view_side_of(&in.at, VIEW_C, channels) < axis)
    return onnx_refuse(im, "a softmax over other than the classes (attention: transformers) would "
                           "have to be built");
  const bool is_log = !strcmp(im->node->op, "LogSoftmax");
  return import_unary(im, 0, DRAFT_SOFTMAX, is_log, 0);
}

static cam_code import_negate(onnx_import *im) {
  onnx_slot in;
  cam_code code = onnx_plane(im, 0, &in);
  if (code)
    return code;
  int made = onnx_add(im, DRAFT_AFFINE, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  node->factor = draft_vector(im->d, node->channels, -1);
  node->shift = draft_vector(im->d, node->channels, 0);
  if (node->factor && node->shift)
    return onnx_set_plane(im, 0, made, &in.at);
  return onnx_no_memory(im);
}

/* ---- of two ---- */

/* The constant's number for each channel of the plane: it may not differ from cell to cell. */
static cam_code channel_values(onnx_import *im, const onnx_slot *plane, const constant *c,
                               double **out) {
  const view *v = &plane->at;
  const int channels = draft_channels(im->d, plane->node);
  for (int i = 0; i < c->rank; i++) {
    const int side = v->rank - c->rank + i;
    bool cells = side < 0;
    for (int k = 0; k < v->n_atoms && !cells; k++)
      cells = v->atoms[k].side == side && v->atoms[k].axis != VIEW_C;
    if (c->shape[i] != 1 && (cells || c->shape[i] != v->shape[side]))
      return onnx_refuse(im, "a constant that differs from cell to cell (position embeddings), or "
                             "a plane that grows, would have to be built");
  }
  *out = c->n ? draft_vector(im->d, channels, 0) : NULL;
  if (!*out)
    return onnx_no_memory(im);
  for (int channel = 0; channel < channels; channel++) {
    int64_t places[VIEW_MAX_RANK], at = 0;
    view_place(v, channel, places);
    for (int i = 0; i < c->rank; i++) {
      const int side = v->rank - c->rank + i;
      at = at * c->shape[i] + (c->shape[i] != 1 ? places[side] : 0);
    }
    (*out)[channel] = constant_at(c, at);
  }
  return CAM_OK;
}

/* The input of the two that is a constant; 1 if none is. */
static int constant_input(const onnx_import *im) {
  if (im->in[0]->constant)
    return 0;
  return 1;
}

/* What an operator of a plane x and a number v is: factor * x + shift. */
static void affine_of(const char *op, bool plane_first, double v, double *factor, double *shift) {
  *factor = 1;
  *shift = 0;
  if (!strcmp(op, "Mul"))
    *factor = v;
  else if (!strcmp(op, "Div"))
    *factor = 1 / v;
  else if (strcmp(op, "Sub"))
    *shift = v;
  else if (plane_first)
    *shift = -v;
  else {
    *factor = -1;
    *shift = v;
  }
}

/* Add, Sub, Mul, Div of a plane and a constant. */
static cam_code import_affine(onnx_import *im) {
  onnx_slot in;
  double *values;
  const char *op = im->node->op;
  const int which = constant_input(im);
  cam_code code = onnx_plane(im, !which, &in);
  if (!code)
    code = channel_values(im, &in, im->in[which]->constant, &values);
  if (code)
    return code;
  if (!strcmp(op, "Div") && which == 0)
    return onnx_refuse(im, "a constant divided by a plane would have to be built");
  int made = onnx_add(im, DRAFT_AFFINE, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  node->factor = values;
  node->shift = draft_vector(im->d, node->channels, 0);
  if (!node->shift)
    return onnx_no_memory(im);
  for (int c = 0; c < node->channels; c++)
    affine_of(op, which == 1, values[c], &node->factor[c], &node->shift[c]);
  return onnx_set_plane(im, 0, made, &in.at);
}

/* Two planes of one size, or one of them a vector that goes with each cell. */
static cam_code join_planes(onnx_import *im, draft_op op, const onnx_slot *first,
                            const onnx_slot *second) {
  onnx_slot a = *first, b = *second;
  cam_code code = CAM_OK;
  if (!view_alike(&a.at, &b.at) && !view_alike(&b.at, &a.at)) {
    code = onnx_settle(im, &a);
    if (!code)
      code = onnx_settle(im, &b);
  }
  if (code)
    return code;
  if (!view_alike(&a.at, &b.at)) { /* the smaller one comes second */
    const onnx_slot swap = a;
    a = b;
    b = swap;
  }
  if (!view_alike(&a.at, &b.at) || a.at.rank < b.at.rank)
    return onnx_refuse(im,
                       "planes of %d x %d x %d and %d x %d x %d: other than of one shape, or "
                       "one number a channel, would have to be built",
                       draft_height(im->d, a.node), draft_width(im->d, a.node),
                       draft_channels(im->d, a.node), draft_height(im->d, b.node),
                       draft_width(im->d, b.node), draft_channels(im->d, b.node));
  int made = draft_add(im->d, op, im->node->name, im->node->op, a.node, b.node);
  return onnx_set_plane(im, 0, made, &a.at);
}

static cam_code import_subtract(onnx_import *im) {
  onnx_slot b = *im->in[1];
  int made = onnx_add(im, DRAFT_AFFINE, b.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  node->factor = draft_vector(im->d, node->channels, -1);
  node->shift = draft_vector(im->d, node->channels, 0);
  if (!node->factor || !node->shift)
    return onnx_no_memory(im);
  b.node = made;
  return join_planes(im, DRAFT_ADD, im->in[0], &b);
}

static cam_code import_binary(onnx_import *im) {
  const char *op = im->node->op;
  if (im->in[0]->constant || im->in[1]->constant)
    return import_affine(im);
  if (onnx_is_norm_part(im))
    return onnx_norm_part(im);
  if (!strcmp(op, "Add"))
    return join_planes(im, DRAFT_ADD, im->in[0], im->in[1]);
  if (!strcmp(op, "Mul"))
    return join_planes(im, DRAFT_MUL, im->in[0], im->in[1]);
  if (!strcmp(op, "Sub"))
    return import_subtract(im);
  return onnx_refuse(im, "a plane divided by a plane would have to be built");
}

static cam_code import_sum(onnx_import *im) {
  if (im->n_in == 2)
    return !im->in[0]->constant && !im->in[1]->constant
               ? join_planes(im, DRAFT_ADD, im->in[0], im->in[1])
               : import_affine(im);
  onnx_slot total;
  cam_code code = onnx_plane(im, 0, &total);
  if (!code)
    code = onnx_set_plane(im, 0, total.node, &total.at);
  for (int i = 1; i < im->n_in && !code; i++) {
    onnx_slot next;
    code = onnx_plane(im, i, &next);
    if (!code)
      code = onnx_output(im, 0, &total);
    if (!code)
      code = join_planes(im, DRAFT_ADD, &total, &next);
  }
  return code;
}

/* Min and Max with a number are limits. */
static cam_code import_limit(onnx_import *im) {
  const int which = constant_input(im);
  const constant *number = im->in[which]->constant;
  if (!number || number->n != 1)
    return onnx_refuse(im, "the less or the greater of two planes would have to be built");
  const double value = constant_at(number, 0);
  if (strcmp(im->node->op, "Max"))
    return import_unary(im, !which, DRAFT_CLIP, -HUGE_VAL, value);
  return import_unary(im, !which, DRAFT_CLIP, value, HUGE_VAL);
}

const onnx_operator onnx_element_operators[] = {
    {"Add", 2, 2, " axis broadcast ", import_binary},
    {"Clip", 1, 3, " min max ", import_clip},
    {"Div", 2, 2, " axis broadcast ", import_binary},
    {"Erf", 1, 1, " ", import_erf_of},
    {"Gelu", 1, 1, " approximate ", import_gelu},
    {"HardSigmoid", 1, 1, " alpha beta ", import_hard_sigmoid},
    {"HardSwish", 1, 1, " ", import_hard_swish},
    {"LogSoftmax", 1, 1, " axis ", import_softmax},
    {"Max", 2, 2, " ", import_limit},
    {"Min", 2, 2, " ", import_limit},
    {"Mul", 2, 2, " axis broadcast ", import_binary},
    {"Neg", 1, 1, " ", import_negate},
    {"Relu", 1, 1, " ", import_relu},
    {"Sigmoid", 1, 1, " ", import_sigmoid},
    {"Softmax", 1, 1, " axis ", import_softmax},
    {"Sub", 2, 2, " axis broadcast ", import_binary},
    {"Sum", 1, 64, " ", import_sum},
    {"Swish", 1, 1, " alpha ", import_swish},
    {.name = NULL},
};
