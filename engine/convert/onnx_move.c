/* onnx_move.c - operators that only move numbers or tell of shapes, on constants and on planes. A
 * plane never moves: its view does. */
#include "cam_minmax.h"
#include "onnx_operator.h"
#include <string.h>

static constant *whole_list(onnx_import *im, int rank, int64_t n, const int64_t *values) {
  constant_room to;
  constant *made = constant_new(im->file->values, rank, &n, false, &to);
  if (made && made->n)
    memcpy(to.whole, values, (size_t)made->n * sizeof *values);
  return made;
}

static cam_code reshape_to(onnx_import *im, int rank, const int64_t *shape) {
  return onnx_reshape(im, im->in[0], rank, shape);
}

static cam_code import_dropout(onnx_import *im) {
  const constant *training;
  cam_code code = onnx_constant(im, 2, &training);
  if (!code && training && training->n && constant_at(training, 0) != 0)
    return onnx_refuse(im, "it is in training mode; export the network for inference");
  if (code)
    return code;
  return onnx_same(im);
}

static cam_code import_reshape(onnx_import *im) {
  int64_t wanted[NUMBER_MAX_RANK], known = 1, n = 1;
  const int64_t *shape = onnx_shape(im->in[0]);
  int rank, free = -1, old = onnx_rank(im->in[0]);
  const bool zero = onnx_whole(im, "allowzero", 0);
  cam_code code = onnx_wholes(im, 1, "shape", NUMBER_MAX_RANK, wanted, &rank);
  if (code)
    return code;
  if (rank < 0)
    return onnx_refuse(im, "it has no shape");
  for (int s = 0; s < old; s++)
    n *= shape[s];
  for (int s = 0; s < rank; s++) {
    if (wanted[s] == 0 && !zero && s < old)
      wanted[s] = shape[s];
    if (wanted[s] == -1 && free < 0)
      free = s;
    else if (wanted[s] < 0 || wanted[s] > CONSTANT_MOST || (known *= wanted[s]) > CONSTANT_MOST)
      return onnx_refuse(im, "side %d of its shape is %lld", s, (long long)wanted[s]);
  }
  if (free >= 0)
    wanted[free] = n / max_int64(known, 1);
  return reshape_to(im, rank, wanted);
}

static cam_code import_flatten(onnx_import *im) {
  const int64_t *shape = onnx_shape(im->in[0]);
  int rank = onnx_rank(im->in[0]);
  int64_t axis = onnx_whole(im, "axis", 1), two[2] = {1, 1};
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis > rank)
    return onnx_refuse(im, "attribute axis is %lld", (long long)axis);
  for (int s = 0; s < rank; s++)
    two[s >= axis] *= shape[s];
  return reshape_to(im, 2, two);
}

static cam_code import_squeeze(onnx_import *im) {
  int64_t axes[NUMBER_MAX_RANK], left[NUMBER_MAX_RANK];
  const int64_t *shape = onnx_shape(im->in[0]);
  int rank = onnx_rank(im->in[0]), n, kept = 0;
  bool drop[NUMBER_MAX_RANK] = {false};
  cam_code code = onnx_wholes(im, 1, "axes", NUMBER_MAX_RANK, axes, &n);
  for (int i = 0; i < n && !code; i++) {
    int axis;
    code = onnx_axis(im, axes[i], rank, &axis);
    if (!code)
      drop[axis] = true;
  }
  for (int s = 0; s < rank && !code; s++) {
    drop[s] |= n < 0 && shape[s] == 1;
    if (!drop[s])
      left[kept++] = shape[s];
    else if (shape[s] != 1)
      code = onnx_refuse(im, "side %d to be left out has %lld places", s, (long long)shape[s]);
  }
  if (code)
    return code;
  return reshape_to(im, kept, left);
}

static cam_code import_unsqueeze(onnx_import *im) {
  int64_t axes[NUMBER_MAX_RANK], out[NUMBER_MAX_RANK];
  const int64_t *shape = onnx_shape(im->in[0]);
  int rank = onnx_rank(im->in[0]), n, from = 0;
  bool new[NUMBER_MAX_RANK] = {false};
  cam_code code = onnx_wholes(im, 1, "axes", NUMBER_MAX_RANK, axes, &n);
  if (!code && (n < 1 || rank + n > NUMBER_MAX_RANK))
    return onnx_refuse(im, "%d new sides beside %d", n, rank);
  for (int i = 0; i < n && !code; i++) {
    int axis;
    code = onnx_axis(im, axes[i], rank + n, &axis);
    if (!code && new[axis])
      code = onnx_refuse(im, "axis %d is there twice", axis);
    if (!code)
      new[axis] = true;
  }
  for (int s = 0; s < rank + n && !code; s++)
    out[s] = new[s] ? 1 : shape[from++];
  if (code)
    return code;
  return reshape_to(im, rank + n, out);
}

static cam_code import_transpose(onnx_import *im) {
  const onnx_slot *in = im->in[0];
  int64_t order[NUMBER_MAX_RANK], shape[NUMBER_MAX_RANK], from[NUMBER_MAX_RANK],
      stride[NUMBER_MAX_RANK];
  int rank = onnx_rank(in), n;
  unsigned seen = 0;
  cam_code code = onnx_wholes(im, -1, "perm", NUMBER_MAX_RANK, order, &n);
  if (code)
    return code;
  for (int s = 0; s < rank && n < 0; s++)
    order[s] = rank - 1 - s;
  for (int s = 0; s < rank && (n < 0 || n == rank); s++)
    if (order[s] >= 0 && order[s] < rank)
      seen |= 1u << order[s];
  if (seen != (1u << rank) - 1)
    return onnx_refuse(im, "attribute perm is no order of %d sides", rank);
  if (!in->constant) {
    view v = in->at;
    view_transpose(&v, order);
    return onnx_set_plane(im, 0, in->node, &v);
  }
  onnx_strides(in->constant, from);
  for (int s = 0; s < rank; s++) {
    shape[s] = in->constant->shape[order[s]];
    stride[s] = from[order[s]];
  }
  return onnx_set_constant(im, 0, onnx_strided(im, in->constant, rank, shape, stride, 0));
}

static cam_code import_shape_of(onnx_import *im) {
  const int rank = onnx_rank(im->in[0]);
  int64_t start = onnx_whole(im, "start", 0), end = onnx_whole(im, "end", rank);
  if (start < 0)
    start += rank;
  if (end < 0)
    end += rank;
  end = min_int64(end, rank);
  start = min_int64(max_int64(start, 0), end);
  return onnx_set_constant(im, 0, whole_list(im, 1, end - start, onnx_shape(im->in[0]) + start));
}

static cam_code import_size_of(onnx_import *im) {
  int64_t n = 1;
  for (int s = 0; s < onnx_rank(im->in[0]); s++)
    n *= onnx_shape(im->in[0])[s];
  return onnx_set_constant(im, 0, whole_list(im, 0, 1, &n));
}

/* ---- casts ---- */

static bool is_real_type(int64_t type) {
  return type == 1 || type == 10 || type == 11 || type == 16; /* float32, 16, 64, bfloat16 */
}

static int64_t to_whole(double value, bool boolean) {
  if (boolean)
    return value != 0;
  if (!(value > -9e18 && value < 9e18))
    return value > 0 ? INT64_MAX : INT64_MIN;
  return (int64_t)value;
}

static cam_code cast_constant(onnx_import *im, const constant *from, int64_t type) {
  constant_room to;
  if (type == 8)
    return onnx_refuse(im, "it makes texts of numbers");
  const bool to_real = is_real_type(type);
  constant *made = constant_new(im->file->values, from->rank, from->shape, to_real, &to);
  for (int64_t i = 0; made && i < made->n; i++) {
    if (to_real)
      constant_put(&to, i, constant_at(from, i));
    else if (from->whole && type != 9)
      constant_copy(&to, i, from, i);
    else
      to.whole[i] = to_whole(constant_at(from, i), type == 9);
  }
  return onnx_set_constant(im, 0, made);
}

/* Input 0 as numbers of a type of ONNX. */
static cam_code cast_to(onnx_import *im, int64_t type) {
  const constant *from = im->in[0]->constant;
  if (!from && !is_real_type(type))
    return onnx_refuse(im, "type %lld: planes of whole numbers would have to be built",
                       (long long)type);
  if (!from || (from->real && is_real_type(type)))
    return onnx_same(im);
  return cast_constant(im, from, type);
}

static cam_code import_cast(onnx_import *im) { return cast_to(im, onnx_whole(im, "to", 1)); }

static cam_code import_cast_like(onnx_import *im) {
  const constant *like = im->in[1]->constant;
  if (like && like->whole)
    return cast_to(im, 7);
  return cast_to(im, 1);
}

/* Constant without a tensor: one number or a list of them, whole or real. */
static cam_code make_numbers(onnx_import *im, const onnx_attribute *a) {
  constant_room to;
  const int64_t n = a->n_reals;
  if (!strcmp(a->name, "value_int"))
    return onnx_set_constant(im, 0, whole_list(im, 0, 1, &a->whole));
  if (!strcmp(a->name, "value_ints"))
    return onnx_set_constant(im, 0, whole_list(im, 1, a->n_wholes, a->wholes));
  if (!strcmp(a->name, "value_float"))
    return onnx_set_constant(im, 0, constant_alike(im->file->values, 0, NULL, a->real));
  constant *made = constant_new(im->file->values, 1, &n, true, &to);
  if (made && n)
    memcpy(to.real, a->reals, (size_t)n * sizeof *to.real);
  return onnx_set_constant(im, 0, made);
}

static cam_code import_make_constant(onnx_import *im) {
  if (im->node->n_attributes != 1)
    return onnx_refuse(im, "it has %d values", im->node->n_attributes);
  const onnx_attribute *a = &im->node->attributes[0];
  if (a->tensor)
    return onnx_set_constant(im, 0, a->tensor);
  if (!strcmp(a->name, "value"))
    return onnx_refuse(im, "attribute value is no tensor");
  return make_numbers(im, a);
}

static cam_code import_expand(onnx_import *im) {
  const onnx_slot *in = im->in[0];
  int64_t wanted[NUMBER_MAX_RANK], stride[NUMBER_MAX_RANK], own[NUMBER_MAX_RANK];
  int n, rank = onnx_rank(in);
  bool grows = false;
  cam_code code = onnx_wholes(im, 1, "shape", NUMBER_MAX_RANK, wanted, &n);
  if (code)
    return code;
  if (in->constant && rank <= n)
    onnx_strides(in->constant, own);
  for (int s = n - 1; s >= 0 && rank <= n; s--) {
    const int from = s - (n - rank);
    const int64_t size = from >= 0 ? onnx_shape(in)[from] : 1;
    stride[s] = size == 1 || !in->constant ? 0 : own[from];
    if (wanted[s] == 1)
      wanted[s] = size;
    grows |= wanted[s] != size;
    if (wanted[s] != size && size != 1)
      return onnx_refuse(im, "side %d of %lld places cannot become %lld", s, (long long)size,
                         (long long)wanted[s]);
  }
  if (in->constant && rank <= n)
    return onnx_set_constant(im, 0, onnx_strided(im, in->constant, n, wanted, stride, 0));
  if (grows || rank != n)
    return onnx_refuse(im, "a plane that grows would have to be built");
  return onnx_same(im);
}

const onnx_operator onnx_move_operators[] = {
    {"Cast", 1, 1, " to saturate ", import_cast},
    {"CastLike", 2, 2, " saturate ", import_cast_like},
    {"Constant", 0, 0, " value value_float value_floats value_int value_ints ",
     import_make_constant},
    {"Dropout", 1, 3, " ratio is_test seed consumed_inputs ", import_dropout},
    {"Expand", 2, 2, " ", import_expand},
    {"Flatten", 1, 1, " axis ", import_flatten},
    {"Identity", 1, 1, " ", onnx_same},
    {"Reshape", 1, 2, " shape allowzero consumed_inputs ", import_reshape},
    {"Shape", 1, 1, " start end ", import_shape_of},
    {"Size", 1, 1, " ", import_size_of},
    {"Squeeze", 1, 2, " axes ", import_squeeze},
    {"Transpose", 1, 1, " perm ", import_transpose},
    {"Unsqueeze", 1, 2, " axes ", import_unsqueeze},
    {.name = NULL},
};
