/* onnx_product.c - matrices times the channels of a plane or the places of a vector: Gemm, MatMul.
 * They are 1x1 convolutions; which of them are the network's head is seen when it is written. */
#include "onnx_operator.h"

enum { MOST_OUTPUTS = 65536 };

/* Channels, rows and columns in one side, in any order -> a vector of all of them, and `at` runs
 * over its channels only. A plane of one cell at this size is its own mean. */
static cam_code flatten_plane(onnx_import *im, onnx_slot *slot) {
  const int h = draft_height(im->d, slot->node), w = draft_width(im->d, slot->node),
            c = draft_channels(im->d, slot->node);
  if (h == 1 && w == 1) {
    slot->node = onnx_only_cell(im, slot->node);
    if (slot->node < 0)
      return onnx_no_memory(im);
    return CAM_OK;
  }
  int made = onnx_add(im, DRAFT_FLATTEN, slot->node);
  if (made < 0)
    return onnx_no_memory(im);
  if ((int64_t)h * w * c > INT32_MAX)
    return onnx_refuse(im, "a flattened plane of %d x %d x %d", h, w, c);
  im->d->nodes[made].height = im->d->nodes[made].width = 1;
  im->d->nodes[made].sized = true;
  im->d->nodes[made].channels = h * w * c;
  slot->node = made;
  for (int i = 0; i < slot->at.n_atoms; i++) {
    view_atom *a = &slot->at.atoms[i];
    if (a->axis != VIEW_C)
      a->step *= c;
    if (a->axis == VIEW_Y)
      a->step *= w;
    a->axis = VIEW_C;
  }
  return CAM_OK;
}

/* The matrix [K,N] (or [N,K] where it is `turned`) as [1,1,K in one axis for each atom of the
 * input, the slowest channel first,N]. */
static cam_code turn_matrix(onnx_import *im, const onnx_slot *in, const constant *matrix,
                            bool turned, number_view *out) {
  const view *v = &in->at;
  const int64_t k = matrix->shape[turned], n = matrix->shape[!turned];
  int64_t step = n; /* from row to row */
  if (turned)
    step = 1;
  int axes = 2;
  *out = constant_view(matrix);
  out->shape[0] = out->shape[1] = 1;
  out->stride[0] = out->stride[1] = 0;
  for (int i = v->n_atoms - 1; i >= 0; i--) {
    const view_atom *a = &v->atoms[i];
    if (a->axis != VIEW_C)
      continue;
    if (axes + 1 >= NUMBER_MAX_RANK)
      return onnx_refuse(im, "its input is turned in too many ways");
    int place = axes++; /* by falling steps along the channels */
    for (; place > 2 && v->atoms[(int)out->stride[place - 1]].step < a->step; place--)
      out->stride[place] = out->stride[place - 1];
    out->stride[place] = i;
  }
  for (int p = 2; p < axes; p++) {
    const int atom = (int)out->stride[p];
    int64_t stride = step;
    for (int i = atom + 1; i < v->n_atoms; i++)
      if (v->atoms[i].axis == VIEW_C)
        stride *= v->atoms[i].size;
    out->shape[p] = v->atoms[atom].size;
    out->stride[p] = stride;
  }
  if (axes == 2) { /* one channel */
    out->shape[axes] = k;
    out->stride[axes++] = step;
  }
  out->shape[axes] = n;
  out->stride[axes] = turned ? k : 1;
  out->rank = axes + 1;
  for (int i = 0; i < out->rank && matrix->alike; i++)
    out->stride[i] = 0;
  return CAM_OK;
}

/* Output 0: the last side of input 0 times a matrix, a 1x1 convolution. */
static cam_code import_product(onnx_import *im, const constant *matrix, bool turned, int *made) {
  onnx_slot in;
  cam_code code = onnx_plane(im, 0, &in);
  if (code)
    return code;
  if (matrix->rank != 2 || !matrix->real || !matrix->n)
    return onnx_refuse(im, "input 2 has %d sides; a matrix of real numbers is expected",
                       matrix->rank);
  const int64_t k = matrix->shape[turned], n = matrix->shape[!turned];
  const int last = in.at.rank - 1;
  bool all_last = true, channels_last = true;
  for (int i = 0; i < in.at.n_atoms; i++) {
    all_last &= in.at.atoms[i].side == last;
    channels_last &= (in.at.atoms[i].side == last) == (in.at.atoms[i].axis == VIEW_C);
  }
  if (last < 0 || in.at.shape[last] != k || n > MOST_OUTPUTS || (!all_last && !channels_last))
    return onnx_refuse(im,
                       "a product over %lld places that are not the channels would have to be "
                       "built",
                       (long long)k);
  if (all_last)
    code = flatten_plane(im, &in);
  number_view turned_view = {0};
  if (!code)
    code = turn_matrix(im, &in, matrix, turned, &turned_view);
  if (code)
    return code;
  *made = onnx_add(im, DRAFT_CONV, in.node);
  if (*made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[*made];
  node->weight = turned_view;
  node->channels = (int)n;
  view_set_channels(&in.at, last, n);
  return onnx_set_plane(im, 0, *made, &in.at);
}

static cam_code import_matmul(onnx_import *im) {
  const constant *matrix = im->in[1]->constant;
  int made;
  if (!matrix && !im->in[0]->constant)
    return onnx_refuse(im, "a product of two computed tensors (attention: transformers) would have "
                           "to be built");
  if (matrix)
    return import_product(im, matrix, false, &made);
  return onnx_refuse(im, "a matrix before the picture would have to be built");
}

static cam_code import_gemm(onnx_import *im) {
  const double alpha = onnx_real(im, "alpha", 1), beta = onnx_real(im, "beta", 1);
  const constant *matrix, *added;
  int made;
  cam_code code = onnx_constant(im, 1, &matrix);
  if (!code)
    code = onnx_constant(im, 2, &added);
  if (!code && onnx_whole(im, "transA", 0))
    code = onnx_refuse(im, "attribute transA is 1");
  if (!code)
    code = import_product(im, matrix, onnx_whole(im, "transB", 0), &made);
  if (code)
    return code;
  draft_node *node = &im->d->nodes[made];
  if (alpha != 1 && !(node->factor = draft_vector(im->d, node->channels, alpha)))
    return onnx_no_memory(im);
  if (!added)
    return CAM_OK;
  if (!added->real || (added->n != 1 && added->n != node->channels))
    return onnx_refuse(im, "input 3 has %lld numbers; expected are %d", (long long)added->n,
                       node->channels);
  node->shift = draft_vector(im->d, node->channels, 0);
  for (int i = 0; node->shift && i < node->channels; i++)
    node->shift[i] = beta * constant_at(added, added->n == 1 ? 0 : i);
  if (node->shift)
    return CAM_OK;
  return onnx_no_memory(im);
}

const onnx_operator onnx_product_operators[] = {
    {"Gemm", 2, 3, " alpha beta transA transB broadcast ", import_gemm},
    {"MatMul", 2, 2, " ", import_matmul},
    {.name = NULL},
};
