/* onnx_part.c - operators that take parts, and that join them: on planes along the channels, on
 * constants along any side. */
#include "cam_minmax.h"
#include "onnx_operator.h"
#include <string.h>

enum { MOST_PARTS = 1024 };

/* Output i: places [begin, begin + n) of a side of a plane, which must be channels. */
static cam_code part_of_plane(onnx_import *im, int i, const onnx_slot *in, int side, int64_t begin,
                              int64_t n) {
  onnx_slot slot = *in;
  view_atom *atom = NULL;
  if (n == slot.at.shape[side])
    return onnx_set_plane(im, i, slot.node, &slot.at);
  cam_code code = onnx_settle(im, &slot);
  if (code)
    return code;
  for (int k = 0; k < slot.at.n_atoms; k++)
    if (slot.at.atoms[k].side == side)
      atom = atom ? NULL : &slot.at.atoms[k];
  if (!atom || atom->axis != VIEW_C ||
      atom->size * atom->step != draft_channels(im->d, slot.node) || n < 1)
    return onnx_refuse(im,
                       "places %lld to %lld of side %d: parts of rows or columns would have to be "
                       "built",
                       (long long)begin, (long long)(begin + n - 1), side);
  int made = draft_add(im->d, DRAFT_SLICE, im->node->name, im->node->op, slot.node, DRAFT_NOTHING);
  if (made < 0)
    return onnx_no_memory(im);
  im->d->nodes[made].begin = (int)(begin * atom->step);
  im->d->nodes[made].channels = (int)(n * atom->step);
  slot.at.shape[side] = atom->size = n;
  if (n == 1) { /* an atom of one place is none */
    slot.at.n_atoms--;
    memmove(atom, atom + 1, (size_t)(&slot.at.atoms[slot.at.n_atoms] - atom) * sizeof *atom);
  }
  return onnx_set_plane(im, i, made, &slot.at);
}

static cam_code part(onnx_import *im, int i, const onnx_slot *in, int side, int64_t begin,
                     int64_t n) {
  if (!in->constant)
    return part_of_plane(im, i, in, side, begin, n);
  int64_t stride[NUMBER_MAX_RANK], shape[NUMBER_MAX_RANK];
  memcpy(shape, in->constant->shape, sizeof shape);
  onnx_strides(in->constant, stride);
  shape[side] = n;
  return onnx_set_constant(
      im, i,
      onnx_strided(im, in->constant, in->constant->rank, shape, stride, begin * stride[side]));
}

static int64_t clamp_place(int64_t value, int64_t least, int64_t most) {
  return max_int64(least, min_int64(value, most));
}

/* A slice of one side, as ONNX says it: first place, places, step. */
static void slice_range(int64_t start, int64_t end, int64_t step, int64_t size, int64_t *first,
                        int64_t *n) {
  if (start < 0)
    start += size;
  if (end < 0 && end > INT64_MIN + size)
    end += size;
  if (step > 0) {
    *first = clamp_place(start, 0, size);
    end = clamp_place(end, 0, size);
    *n = max_int64(0, end - *first + step - 1) / step;
  } else {
    *first = clamp_place(start, -1, size - 1);
    end = clamp_place(end, -1, size - 1);
    *n = max_int64(0, *first - end - step - 1) / -step;
  }
}

static cam_code slice_constant(onnx_import *im, int n, const int(*side), const int64_t *first,
                               const int64_t *count, const int64_t *step) {
  const constant *from = im->in[0]->constant;
  int64_t stride[NUMBER_MAX_RANK], shape[NUMBER_MAX_RANK], at = 0;
  memcpy(shape, from->shape, sizeof shape);
  onnx_strides(from, stride);
  for (int i = 0; i < n; i++) {
    at += first[i] * stride[side[i]];
    shape[side[i]] = count[i];
    stride[side[i]] *= step[i];
  }
  return onnx_set_constant(im, 0, onnx_strided(im, from, from->rank, shape, stride, at));
}

static cam_code import_slice(onnx_import *im) {
  enum { MOST = NUMBER_MAX_RANK };
  int64_t start[MOST], end[MOST], axes[MOST], step[MOST], first[MOST], count[MOST];
  int n, n_end, n_axes, n_step, side[MOST], cut = -1;
  const onnx_slot *in = im->in[0];
  cam_code code = onnx_wholes(im, 1, "starts", MOST, start, &n);
  if (!code)
    code = onnx_wholes(im, 2, "ends", MOST, end, &n_end);
  if (!code)
    code = onnx_wholes(im, 3, "axes", MOST, axes, &n_axes);
  if (!code)
    code = onnx_wholes(im, 4, "steps", MOST, step, &n_step);
  if (code)
    return code;
  if (n < 1 || n_end != n || (n_axes >= 0 && n_axes != n) || (n_step >= 0 && n_step != n))
    return onnx_refuse(im, "starts, ends, axes and steps are not as many");
  unsigned seen = 0;
  for (int i = 0; i < n && !code; i++) {
    code = onnx_axis(im, n_axes < 0 ? i : axes[i], onnx_rank(in), &side[i]);
    if (code)
      break;
    step[i] = n_step < 0 ? 1 : step[i];
    if (!step[i] || step[i] < -CONSTANT_MOST || seen & 1u << side[i])
      return onnx_refuse(im, "step %lld of side %d", (long long)step[i], side[i]);
    seen |= 1u << side[i];
    slice_range(start[i], end[i], step[i], onnx_shape(in)[side[i]], &first[i], &count[i]);
    if (count[i] == onnx_shape(in)[side[i]] && step[i] == 1)
      continue;
    if (!in->constant && (cut >= 0 || step[i] != 1))
      return onnx_refuse(im,
                         "step %lld of side %d: strided and several slices would have to be "
                         "built",
                         (long long)step[i], side[i]);
    cut = i;
  }
  if (code)
    return code;
  if (in->constant)
    return slice_constant(im, n, side, first, count, step);
  if (cut < 0)
    return onnx_same(im);
  return part_of_plane(im, 0, in, side[cut], first[cut], count[cut]);
}

static cam_code import_split(onnx_import *im) {
  int64_t sizes[MOST_PARTS], begin = 0;
  int n, side, parts = im->node->n_outputs;
  const onnx_slot *in = im->in[0];
  cam_code code = onnx_wholes(im, 1, "split", MOST_PARTS, sizes, &n);
  if (!code)
    code = onnx_axis(im, onnx_whole(im, "axis", 0), onnx_rank(in), &side);
  if (code)
    return code;
  const int64_t size = onnx_shape(in)[side];
  if (parts < 1 || parts > MOST_PARTS || (n >= 0 && n != parts))
    return onnx_refuse(im, "%d sizes for %d outputs", n, parts);
  for (int i = 0; i < parts && n < 0; i++) { /* in equal parts; the last may be smaller */
    const int64_t each = (size + parts - 1) / parts;
    sizes[i] = clamp_place(size - i * each, 0, each);
  }
  for (int i = 0; i < parts && !code; i++) {
    if (sizes[i] < 0 || sizes[i] > size - begin)
      return onnx_refuse(im, "its parts are more than the %lld places of side %d", (long long)size,
                         side);
    code = part(im, i, in, side, begin, sizes[i]);
    begin += sizes[i];
  }
  return code;
}

static cam_code gather_constant(onnx_import *im, int side) {
  const constant *from = im->in[0]->constant, *index = im->in[1]->constant;
  int64_t shape[2 * NUMBER_MAX_RANK], after = 1;
  int rank = 0;
  constant_room to;
  if (!index->whole || from->rank + index->rank - 1 > NUMBER_MAX_RANK)
    return onnx_refuse(im, "its input or its indices are no numbers that are read");
  for (int s = 0; s < side; s++)
    shape[rank++] = from->shape[s];
  for (int s = 0; s < index->rank; s++)
    shape[rank++] = index->shape[s];
  for (int s = side + 1; s < from->rank; s++) {
    after *= from->shape[s];
    shape[rank++] = from->shape[s];
  }
  constant *made = constant_new(im->file->values, rank, shape, from->real != NULL, &to);
  if (!made)
    return onnx_no_memory(im);
  for (int64_t i = 0; i < made->n; i++) {
    const int64_t inner = i % after, k = i / after % index->n, outer = i / after / index->n;
    int64_t at = index->whole[k];
    if (at < 0)
      at += from->shape[side];
    if (at < 0 || at >= from->shape[side])
      return onnx_refuse(im, "index %lld of %lld places", (long long)index->whole[k],
                         (long long)from->shape[side]);
    at = (outer * from->shape[side] + at) * after + inner;
    constant_copy(&to, i, from, at);
  }
  return onnx_set_constant(im, 0, made);
}

/* Places of a plane's side that are a run, first to last, in the indices' own shape. */
static cam_code gather_run(onnx_import *im, int side) {
  const onnx_slot *in = im->in[0];
  const constant *index = im->in[1]->constant;
  int64_t shape[2 * VIEW_MAX_RANK], begin = 0;
  int rank = 0;
  onnx_slot made;
  if (!index || !index->whole || index->n < 1 || index->rank + in->at.rank - 1 > VIEW_MAX_RANK)
    return onnx_refuse(im, "indices computed from the picture would have to be built");
  begin = index->whole[0];
  if (begin < 0)
    begin += in->at.shape[side];
  for (int64_t i = 0; i < index->n; i++)
    if (index->whole[i] != index->whole[0] + i)
      return onnx_refuse(im, "indices in an order of their own would have to be built");
  if (begin < 0 || index->n > in->at.shape[side] - begin)
    return onnx_refuse(im, "index %lld of %lld places", (long long)index->whole[0],
                       (long long)in->at.shape[side]);
  cam_code code = part_of_plane(im, 0, in, side, begin, index->n);
  if (!code)
    code = onnx_output(im, 0, &made);
  if (code)
    return code;
  for (int s = 0; s < side; s++)
    shape[rank++] = made.at.shape[s];
  for (int s = 0; s < index->rank; s++)
    shape[rank++] = index->shape[s];
  for (int s = side + 1; s < made.at.rank; s++)
    shape[rank++] = made.at.shape[s];
  return onnx_reshape(im, &made, rank, shape);
}

static cam_code import_gather(onnx_import *im) {
  int side;
  cam_code code = onnx_axis(im, onnx_whole(im, "axis", 0), onnx_rank(im->in[0]), &side);
  if (code)
    return code;
  if (!im->in[0]->constant)
    return gather_run(im, side);
  if (im->in[1]->constant)
    return gather_constant(im, side);
  return onnx_refuse(im, "indices computed from the picture would have to be built");
}

static cam_code concat_constants(onnx_import *im, int side) {
  const constant *first = im->in[0]->constant;
  int64_t shape[NUMBER_MAX_RANK], before = 1, after = 1, at = 0;
  constant_room to;
  memcpy(shape, first->shape, sizeof shape);
  shape[side] = 0;
  for (int i = 0; i < im->n_in; i++) {
    const constant *c = im->in[i] ? im->in[i]->constant : NULL;
    if (!c || c->rank != first->rank || !c->real != !first->real)
      return onnx_refuse(im, "input %d does not fit the first", i + 1);
    for (int s = 0; s < c->rank; s++)
      if (s != side && c->shape[s] != first->shape[s])
        return onnx_refuse(im, "input %d does not fit the first", i + 1);
    shape[side] += c->shape[side];
  }
  for (int s = 0; s < first->rank; s++) {
    before *= s < side ? shape[s] : 1;
    after *= s > side ? shape[s] : 1;
  }
  constant *made = constant_new(im->file->values, first->rank, shape, first->real != NULL, &to);
  for (int64_t b = 0; b < before && made; b++)
    for (int i = 0; i < im->n_in; i++) {
      const constant *c = im->in[i]->constant;
      const int64_t n = c->shape[side] * after;
      for (int64_t k = 0; k < n; k++, at++) {
        constant_copy(&to, at, c, b * n + k);
      }
    }
  return onnx_set_constant(im, 0, made);
}

static cam_code import_concat(onnx_import *im) {
  int side, *nodes = arena_alloc(im->file->values, (size_t)im->n_in * sizeof *nodes);
  onnx_slot first = {0}, each;
  int64_t channels = 0;
  bool constants = true;
  if (!nodes)
    return onnx_no_memory(im);
  for (int i = 0; i < im->n_in; i++)
    constants &= im->in[i] && im->in[i]->constant;
  cam_code code = onnx_axis(im, onnx_whole(im, "axis", 1), onnx_rank(im->in[0]), &side);
  if (code || constants)
    return code ? code : concat_constants(im, side);
  for (int i = 0; i < im->n_in && !code; i++) {
    if (!im->in[i] || im->in[i]->constant)
      return onnx_refuse(im,
                         "input %d is a constant: a network with extra tokens or planes would "
                         "have to be built",
                         i + 1);
    each = *im->in[i];
    code = onnx_settle(im, &each);
    if (code)
      break;
    if (!i)
      first = each;
    const int64_t own = draft_channels(im->d, each.node);
    if (each.at.rank != first.at.rank || side >= each.at.rank || each.at.shape[side] != own ||
        (own > 1 && view_side_of(&each.at, VIEW_C, own) != side))
      return onnx_refuse(im,
                         "attribute axis %d: joining other sides than channels would have to "
                         "be built",
                         side);
    view a = first.at, b = each.at;
    if (!view_set_channels(&a, side, 1) || !view_set_channels(&b, side, 1) || !view_alike(&a, &b) ||
        !view_alike(&b, &a))
      return onnx_refuse(im, "input %d has another size than the first", i + 1);
    nodes[i] = each.node;
    channels += own;
  }
  if (code)
    return code;
  if (channels > CONSTANT_MOST)
    return onnx_refuse(im, "%lld channels", (long long)channels);
  int made = draft_add_many(im->d, DRAFT_CONCAT, im->node->name, im->node->op, im->n_in, nodes);
  if (made < 0)
    return onnx_no_memory(im);
  im->d->nodes[made].channels = (int)channels;
  view_set_channels(&first.at, side, channels);
  return onnx_set_plane(im, 0, made, &first.at);
}

const onnx_operator onnx_part_operators[] = {
    {"Concat", 1, 1 << 14, " axis ", import_concat},
    {"Gather", 2, 2, " axis ", import_gather},
    {"Slice", 1, 5, " starts ends axes ", import_slice},
    {"Split", 1, 2, " axis split num_outputs ", import_split},
    {.name = NULL},
};
