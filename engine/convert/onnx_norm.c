/* onnx_norm.c - batch norms and layer norms, and layer norms that are spelled out:
 *   m = ReduceMean(x); d = x - m; v = ReduceMean(d * d); y = d / Sqrt(v + epsilon)
 * Each part is a node of the draft that the next one knows; none is left when all are there. */
#include "onnx_norm.h"
#include <math.h>
#include <string.h>

/* y = scale * (x - mean) / sqrt(variance + epsilon) + shift (Ioffe and Szegedy, 2015). */
static cam_code import_batch_norm(onnx_import *im) {
  onnx_slot in;
  enum { SCALE, SHIFT, MEAN, VARIANCE };
  double *p[4];
  cam_code code = onnx_plane_in(im, 0, &in);
  if (code && !im->in[0]->constant && im->in[0]->at.rank == 2) { /* of a vector: [1,C] */
    in = *im->in[0];
    code = view_side_of(&in.at, VIEW_C, draft_channels(im->d, in.node)) == 1 ? CAM_OK : code;
  }
  if (code)
    return code;
  const int channels = draft_channels(im->d, in.node);
  const double epsilon = onnx_real(im, "epsilon", (double)1e-5f);
  for (int i = 0; i < 4 && !code; i++)
    code = onnx_reals(im, i + 1, channels, &p[i]);
  if (!code && onnx_whole(im, "training_mode", 0))
    code = onnx_refuse(im, "attribute training_mode: export the network for inference");
  if (!code && !onnx_whole(im, "spatial", 1))
    code = onnx_refuse(im, "attribute spatial is 0");
  if (code)
    return code;
  int made = onnx_add(im, DRAFT_AFFINE, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  for (int c = 0; c < channels; c++) {
    if (!(p[VARIANCE][c] + epsilon > 0))
      return onnx_refuse(im, "variance %g of channel %d plus epsilon is not positive",
                         p[VARIANCE][c], c);
    p[SCALE][c] /= sqrt(p[VARIANCE][c] + epsilon);
    p[SHIFT][c] -= p[MEAN][c] * p[SCALE][c];
  }
  node->factor = p[SCALE];
  node->shift = p[SHIFT];
  return onnx_set_plane(im, 0, made, &in.at);
}

static cam_code import_layer_norm(onnx_import *im) {
  onnx_slot in;
  int axis;
  double *scale, *shift;
  cam_code code = onnx_plane(im, 0, &in);
  if (!code)
    code = onnx_settle(im, &in);
  if (!code)
    code = onnx_axis(im, onnx_whole(im, "axis", -1), in.at.rank, &axis);
  if (code)
    return code;
  const int channels = draft_channels(im->d, in.node);
  if (axis != in.at.rank - 1 || view_side_of(&in.at, VIEW_C, channels) != axis)
    return onnx_refuse(im, "attribute axis %d: other than over the channels would have to be built",
                       axis);
  code = onnx_reals(im, 1, channels, &scale);
  if (!code)
    code = onnx_reals(im, 2, channels, &shift);
  if (code)
    return code;
  int made = onnx_add(im, DRAFT_LAYER_NORM, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  node->factor = scale;
  node->shift = shift;
  node->low = onnx_real(im, "epsilon", (double)1e-5f);
  return onnx_set_plane(im, 0, made, &in.at);
}

/* ---- spelled out ---- */

/* The node of a slot if it is of that operator. */
static const draft_node *node_of(const onnx_import *im, int node, draft_op op) {
  if (node < 0 || im->d->nodes[node].op != op)
    return NULL;
  return &im->d->nodes[node];
}

/* Output 0: a node on one plane that lies as input 0 does. */
static cam_code set_part(onnx_import *im, draft_op op, int input, double low) {
  const int made = onnx_add(im, op, input);
  if (made < 0)
    return onnx_no_memory(im);
  im->d->nodes[made].low = low;
  return onnx_set_plane(im, 0, made, &im->in[0]->at);
}

cam_code onnx_channel_mean(onnx_import *im, const onnx_slot *in, int side) {
  const draft_node *square = node_of(im, in->node, DRAFT_SQUARE);
  view at = in->at;
  const int made = onnx_add(im, square ? DRAFT_VARIANCE : DRAFT_CHANNEL_MEAN, in->node);
  if (made < 0)
    return onnx_no_memory(im);
  im->d->nodes[made].channels = 1;
  view_set_channels(&at, side, 1);
  return onnx_set_plane(im, 0, made, &at);
}

/* x less its own mean. */
static bool is_centring(const onnx_import *im) {
  const draft_node *mean = node_of(im, im->in[1]->node, DRAFT_CHANNEL_MEAN);
  return !strcmp(im->node->op, "Sub") && mean && mean->inputs[0] == im->in[0]->node;
}

/* That times itself. */
static bool is_squaring(const onnx_import *im) {
  return !strcmp(im->node->op, "Mul") && im->in[0]->node == im->in[1]->node &&
         node_of(im, im->in[0]->node, DRAFT_CENTRED);
}

/* The root of its own variance that a centred plane is divided by; NULL if it is something else. */
static const draft_node *own_deviation(const onnx_import *im) {
  const draft_node *deviation = node_of(im, im->in[1]->node, DRAFT_DEVIATION);
  if (strcmp(im->node->op, "Div") || !deviation)
    return NULL;
  const draft_node *variance = &im->d->nodes[deviation->inputs[0]];
  const draft_node *square = &im->d->nodes[variance->inputs[0]];
  return square->inputs[0] == im->in[0]->node ? deviation : NULL;
}

bool onnx_is_norm_part(const onnx_import *im) {
  return is_centring(im) || is_squaring(im) || own_deviation(im);
}

cam_code onnx_norm_part(onnx_import *im) {
  const draft_node *deviation = own_deviation(im);
  if (is_centring(im))
    return set_part(im, DRAFT_CENTRED, im->in[0]->node, 0);
  if (is_squaring(im))
    return set_part(im, DRAFT_SQUARE, im->in[0]->node, 0);
  return set_part(im, DRAFT_LAYER_NORM, im->d->nodes[im->in[0]->node].inputs[0], deviation->low);
}

static cam_code import_power(onnx_import *im) {
  onnx_slot in;
  const constant *power;
  cam_code code = onnx_plane(im, 0, &in);
  if (!code)
    code = onnx_constant(im, 1, &power);
  if (code)
    return code;
  if (power->n != 1 || constant_at(power, 0) != 2 || !node_of(im, in.node, DRAFT_CENTRED))
    return onnx_refuse(im, "powers of planes, other than in a layer norm, would have to be built");
  return set_part(im, DRAFT_SQUARE, in.node, 0);
}

static cam_code import_root(onnx_import *im) {
  onnx_slot in;
  cam_code code = onnx_plane(im, 0, &in);
  if (code)
    return code;
  const draft_node *sum = node_of(im, in.node, DRAFT_AFFINE);
  if (!sum || sum->factor[0] != 1 || !node_of(im, sum->inputs[0], DRAFT_VARIANCE))
    return onnx_refuse(im, "roots of planes, other than in a layer norm, would have to be built");
  return set_part(im, DRAFT_DEVIATION, sum->inputs[0], sum->shift[0]);
}

const onnx_operator onnx_norm_operators[] = {
    {"BatchNormalization", 5, 5, " epsilon momentum spatial training_mode is_test consumed_inputs ",
     import_batch_norm},
    {"LayerNormalization", 2, 3, " axis epsilon stash_type ", import_layer_norm},
    {"Pow", 2, 2, " ", import_power},
    {"Sqrt", 1, 1, " ", import_root},
    {.name = NULL},
};
