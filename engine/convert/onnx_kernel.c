/* onnx_kernel.c - operators that look at the cells around a cell: convolution, pooling, padding,
 * enlarging. What an attribute asks for and ours cannot do is refused by name. */
#include "cam_minmax.h"
#include "onnx_norm.h"
#include "onnx_operator.h"
#include <math.h>
#include <string.h>

enum { MOST_KERNEL = 64, MOST_CHANNELS = 65536, MOST_CELLS = 4096 };

/* Two numbers, y and x. */
static cam_code pair_of(onnx_import *im, const char *attribute, int fallback, int least, int most,
                        int out[2]) {
  int64_t values[2] = {fallback, fallback};
  int n;
  cam_code code = onnx_wholes(im, -1, attribute, 2, values, &n);
  if (code)
    return code;
  for (int i = 0; i < 2; i++) {
    if ((n != 2 && n != -1) || values[i] < least || values[i] > most)
      return onnx_refuse(im, "attribute %.20s: number %d of %d is %lld; allowed are %d to %d",
                         attribute, i + 1, n, (long long)values[i], least, most);
    out[i] = (int)values[i];
  }
  return CAM_OK;
}

/* Pads and stride; the kernel is set. SAME_LOWER depends on the size and becomes numbers. */
static cam_code read_pads(onnx_import *im, draft_node *node, int height, int width) {
  const char *pad = onnx_text(im, "auto_pad", "NOTSET");
  const int in[2] = {height, width};
  int64_t pads[4] = {0};
  int n;
  cam_code code = onnx_wholes(im, -1, "pads", 4, pads, &n);
  if (!code)
    code = pair_of(im, "strides", 1, 1, MOST_KERNEL, node->stride);
  if (code)
    return code;
  if (!strcmp(pad, "SAME_UPPER"))
    return node->same = true, CAM_OK;
  if (!strcmp(pad, "SAME_LOWER")) {
    node->sized = true;
    for (int axis = 0; axis < 2; axis++) {
      const int cells = (in[axis] + node->stride[axis] - 1) / node->stride[axis],
                total = (cells - 1) * node->stride[axis] + node->kernel[axis] - in[axis];
      node->pads[axis] = max_int(0, total + 1) / 2;
      node->pads[axis + 2] = max_int(0, total) / 2;
    }
    return CAM_OK;
  }
  if (strcmp(pad, "NOTSET") && strcmp(pad, "VALID"))
    return onnx_refuse(im, "attribute auto_pad is %.20s", pad);
  if (n != -1 && n != 4)
    return onnx_refuse(im, "attribute pads has %d numbers; 4 are expected", n);
  for (int i = 0; i < 4; i++) {
    if (pads[i] < 0 || pads[i] >= MOST_KERNEL)
      return onnx_refuse(im, "attribute pads: %lld; allowed are 0 to %d", (long long)pads[i],
                         MOST_KERNEL - 1);
    if (strcmp(pad, "VALID"))
      node->pads[i] = (int)pads[i];
  }
  return CAM_OK;
}

/* Height and width of a kernel's output. */
static cam_code set_extent(onnx_import *im, draft_node *node, int height, int width) {
  node->height = draft_extent(node, 0, height);
  node->width = draft_extent(node, 1, width);
  if (node->height < 1 || node->width < 1)
    return onnx_refuse(im, "a kernel of %d x %d does not fit %d x %d cells", node->kernel[1],
                       node->kernel[0], width, height);
  return CAM_OK;
}

/* A kernel with zeros between its numbers: a dilated convolution is one of those. */
static cam_code dilate(onnx_import *im, const constant *from, const int by[2],
                       const constant **out) {
  int64_t shape[4];
  constant_room to;
  memcpy(shape, from->shape, sizeof shape);
  for (int axis = 0; axis < 2; axis++)
    shape[axis + 2] = (shape[axis + 2] - 1) * by[axis] + 1;
  if (shape[2] > MOST_KERNEL || shape[3] > MOST_KERNEL)
    return onnx_refuse(im, "attribute dilations: a kernel of %lld x %lld cells",
                       (long long)shape[3], (long long)shape[2]);
  constant *made = constant_new(im->file->values, 4, shape, true, &to);
  if (!made)
    return onnx_no_memory(im);
  for (int64_t i = 0; i < from->n; i++) {
    const int64_t x = i % from->shape[3], y = i / from->shape[3] % from->shape[2],
                  filter = i / from->shape[3] / from->shape[2];
    to.real[(filter * shape[2] + y * by[0]) * shape[3] + x * by[1]] = (float)constant_at(from, i);
  }
  *out = made;
  return CAM_OK;
}

/* [O,I,H,W] -> a view in the order [H,W,I,O]. */
static number_view turn_filters(const constant *c) {
  static const int order[] = {2, 3, 1, 0};
  const number_view from = constant_view(c);
  number_view to = from;
  for (int i = 0; i < 4; i++) {
    to.shape[i] = from.shape[order[i]];
    to.stride[i] = from.stride[order[i]];
  }
  return to;
}

static cam_code import_conv(onnx_import *im) {
  onnx_slot in;
  const constant *filters;
  int dilations[2], kernel[2];
  cam_code code = onnx_plane_in(im, 0, &in);
  if (!code)
    code = onnx_constant(im, 1, &filters);
  if (!code)
    code = pair_of(im, "dilations", 1, 1, MOST_KERNEL, dilations);
  if (code)
    return code;
  const int height = draft_height(im->d, in.node), width = draft_width(im->d, in.node),
            channels = draft_channels(im->d, in.node);
  const int64_t groups = onnx_whole(im, "group", 1);
  if (filters->rank != 4 || !filters->real || !filters->n || filters->shape[0] > MOST_CHANNELS ||
      filters->shape[2] > MOST_KERNEL || filters->shape[3] > MOST_KERNEL)
    return onnx_refuse(im, "its weights have %d sides; expected are 4, kernels up to %d x %d",
                       filters->rank, MOST_KERNEL, MOST_KERNEL);
  if (groups < 1 || groups > channels || filters->shape[1] * groups != channels ||
      filters->shape[0] % groups)
    return onnx_refuse(im, "%d channels in %lld groups for weights of %lld x %lld", channels,
                       (long long)groups, (long long)filters->shape[0],
                       (long long)filters->shape[1]);
  const int own[2] = {(int)filters->shape[2], (int)filters->shape[3]};
  code = pair_of(im, "kernel_shape", own[0], 1, MOST_KERNEL, kernel);
  if (!code && onnx_find(im->node, "kernel_shape") && (kernel[0] != own[0] || kernel[1] != own[1]))
    code = onnx_refuse(im, "attribute kernel_shape is not that of its weights");
  if (!code && (dilations[0] > 1 || dilations[1] > 1))
    code = dilate(im, filters, dilations, &filters);
  if (code)
    return code;
  int made = onnx_add(im, DRAFT_CONV, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  node->channels = (int)filters->shape[0];
  node->groups = (int)groups;
  node->weight = turn_filters(filters);
  node->kernel[0] = (int)filters->shape[2];
  node->kernel[1] = (int)filters->shape[3];
  code = onnx_reals(im, 2, node->channels, &node->shift);
  if (!code)
    code = read_pads(im, node, height, width);
  if (!code)
    code = set_extent(im, node, height, width);
  if (code)
    return code;
  return onnx_plane_out(im, made);
}

/* ---- pooling ---- */

static cam_code import_pool(onnx_import *im) {
  onnx_slot in;
  int kernel[2], dilations[2];
  const bool average = !strcmp(im->node->op, "AveragePool");
  cam_code code = onnx_plane_in(im, 0, &in);
  if (!code)
    code = pair_of(im, "kernel_shape", 0, 1, 4096, kernel);
  if (!code)
    code = pair_of(im, "dilations", 1, 1, 1, dilations);
  if (code)
    return code;
  const int size[2] = {draft_height(im->d, in.node), draft_width(im->d, in.node)};
  int made = onnx_add(im, average ? DRAFT_AVG_POOL : DRAFT_MAX_POOL, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  memcpy(node->kernel, kernel, sizeof kernel);
  code = read_pads(im, node, size[0], size[1]);
  if (code)
    return code;
  const bool padded = node->pads[0] || node->pads[1] || node->pads[2] || node->pads[3];
  node->counts_padding = average && (padded || node->same) &&
                         onnx_whole(im, "count_include_pad", 0);
  node->rounds_up = onnx_whole(im, "ceil_mode", 0) && !node->same;
  code = set_extent(im, node, size[0], size[1]);
  if (!code && average && !padded && kernel[0] == size[0] && kernel[1] == size[1]) {
    node->op = DRAFT_GAP;
    node->vector = true;
    node->sized = true;
    memcpy(node->kernel, (int[]){1, 1}, sizeof node->kernel);
    memcpy(node->stride, (int[]){1, 1}, sizeof node->stride);
    memset(node->pads, 0, sizeof node->pads);
  } else if (!code && (kernel[0] > MOST_KERNEL || kernel[1] > MOST_KERNEL))
    code = onnx_refuse(im, "attribute kernel_shape: kernels go up to %d", MOST_KERNEL);
  if (code)
    return code;
  return onnx_plane_out(im, made);
}

static cam_code import_global_pool(onnx_import *im) {
  onnx_slot in;
  cam_code code = onnx_plane_in(im, 0, &in);
  if (code)
    return code;
  const view at = view_of_plane(1, 1, draft_channels(im->d, in.node), false);
  return onnx_set_plane(im, 0, onnx_mean(im, in.node), &at);
}

/* A mean over rows and columns, wherever they are. */
static cam_code import_reduce_mean(onnx_import *im) {
  onnx_slot in;
  int64_t axes[VIEW_MAX_RANK], shape[VIEW_MAX_RANK];
  bool over[VIEW_MAX_RANK] = {false}, fits = true;
  int n, rank = 0, kept = 0;
  const bool keep = onnx_whole(im, "keepdims", 1);
  cam_code code = onnx_wholes(im, 1, "axes", VIEW_MAX_RANK, axes, &n);
  if (!code)
    code = onnx_plane(im, 0, &in);
  if (!code && n == 1) /* perhaps over the channels */
    code = onnx_settle(im, &in);
  for (int i = 0; i < n && !code; i++) {
    int axis;
    code = onnx_axis(im, axes[i], in.at.rank, &axis);
    if (!code)
      over[axis] = true;
  }
  if (code)
    return code;
  view v = in.at;
  v.n_atoms = 0;
  for (int i = 0; i < in.at.n_atoms; i++) {
    const view_atom *a = &in.at.atoms[i];
    fits &= over[a->side] == (a->axis != VIEW_C);
    if (a->axis == VIEW_C)
      v.atoms[v.n_atoms++] = *a;
  }
  const int side = view_side_of(&in.at, VIEW_C, draft_channels(im->d, in.node));
  if (side >= 0 && over[side] && n == 1 && keep)
    return onnx_channel_mean(im, &in, side);
  if (!fits)
    return onnx_refuse(im, "a mean over other sides than rows and columns, or than channels, "
                           "would have to be built");
  for (int s = 0; s < in.at.rank; s++) {
    if (over[s])
      v.shape[s] = 1;
    if (!over[s] || keep)
      shape[kept++] = v.shape[s];
  }
  rank = kept;
  int made = onnx_mean(im, in.node);
  if (!view_reshape(&v, rank, shape))
    return onnx_refuse(im, "its sides do not fit");
  return onnx_set_plane(im, 0, made, &v);
}

/* Cells around a plane as pads of its sides: [n] before, then [n] after; of `axes`, or NULL: all.
 */
static cam_code pads_around(onnx_import *im, const onnx_slot *in, const int64_t *pads, int n,
                            const int64_t *axes, int around[4]) {
  const int rows = view_side_of(&in->at, VIEW_Y, draft_height(im->d, in->node)),
            columns = view_side_of(&in->at, VIEW_X, draft_width(im->d, in->node));
  for (int i = 0; i < n; i++) {
    const int64_t before = pads[i], after = pads[i + n];
    int side;
    cam_code code = onnx_axis(im, axes ? axes[i] : i, in->at.rank, &side);
    if (code)
      return code;
    if (!before && !after)
      continue;
    if ((side != rows && side != columns) || before < 0 || after < 0 || before >= MOST_KERNEL ||
        after >= MOST_KERNEL)
      return onnx_refuse(im,
                         "pads of %lld and %lld at side %d: padded channels, or a cut plane, "
                         "would have to be built",
                         (long long)before, (long long)after, side);
    around[side == columns] = (int)before;
    around[2 + (side == columns)] = (int)after;
  }
  return CAM_OK;
}

static cam_code import_pad(onnx_import *im) {
  onnx_slot in;
  enum { MOST = 2 * VIEW_MAX_RANK };
  int64_t pads[MOST], axes[VIEW_MAX_RANK];
  const constant *value;
  int n, n_axes, around[4] = {0};
  const char *mode = onnx_text(im, "mode", "constant");
  const char *attribute = onnx_find(im->node, "paddings") ? "paddings" : "pads";
  cam_code code = onnx_wholes(im, 1, attribute, MOST, pads, &n);
  if (!code)
    code = onnx_constant(im, 2, &value);
  if (!code)
    code = onnx_wholes(im, 3, "axes", VIEW_MAX_RANK, axes, &n_axes);
  if (!code)
    code = onnx_plane(im, 0, &in);
  if (!code)
    code = onnx_settle(im, &in); /* so that what pads stands right before what it is for */
  if (code)
    return code;
  const int sides = n_axes < 0 ? in.at.rank : n_axes;
  if (strcmp(mode, "constant"))
    return onnx_refuse(im, "attribute mode %.20s would have to be built", mode);
  if (n != 2 * sides)
    return onnx_refuse(im, "pads has %d numbers for %d sides", n, sides);
  code = pads_around(im, &in, pads, sides, n_axes < 0 ? NULL : axes, around);
  if (code)
    return code;
  if (!around[0] && !around[1] && !around[2] && !around[3])
    return onnx_set_plane(im, 0, in.node, &in.at);
  int made = onnx_add(im, DRAFT_PAD, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  memcpy(node->pads, around, sizeof around);
  node->low = value && value->n ? constant_at(value, 0) : onnx_real(im, "value", 0);
  node->height += around[0] + around[2];
  node->width += around[1] + around[3];
  view_set_sides(&in.at, node->height, node->width);
  return onnx_set_plane(im, 0, made, &in.at);
}

/* The nearest cell, enlarged by a whole number: then all roundings agree but one. */
static cam_code import_resize(onnx_import *im) {
  onnx_slot in;
  const constant *scales;
  int64_t sizes[4];
  int n;
  const bool upsample = !strcmp(im->node->op, "Upsample");
  const char *mode = onnx_text(im, "mode", "nearest"),
             *place = onnx_text(im, "coordinate_transformation_mode", "half_pixel"),
             *round = onnx_text(im, "nearest_mode", "round_prefer_floor");
  const bool v10 = upsample || im->file->opset < 11; /* asymmetric and floor, always */
  cam_code code = onnx_plane_in(im, 0, &in);
  if (!code)
    code = onnx_constant(im, v10 ? 1 : 2, &scales);
  if (!code)
    code = onnx_wholes(im, v10 ? -1 : 3, "sizes", 4, sizes, &n);
  if (code)
    return code;
  const onnx_attribute *attribute = onnx_find(im->node, "scales");
  if (strcmp(mode, "nearest"))
    return onnx_refuse(im, "attribute mode %.20s would have to be built; nearest is there", mode);
  if (!v10 && strcmp(place, "half_pixel") && strcmp(place, "pytorch_half_pixel") &&
      (strcmp(place, "asymmetric") || strcmp(round, "floor")))
    return onnx_refuse(im,
                       "attribute coordinate_transformation_mode %.20s with %.20s would have "
                       "to be built",
                       place, round);
  double by[4] = {0};
  for (int s = 0; s < 4; s++) {
    if (n == 4)
      by[s] = (double)sizes[s] / (double)in.at.shape[s];
    else if (scales && scales->real && scales->n == 4)
      by[s] = constant_at(scales, s);
    else if (attribute && attribute->n_reals == 4)
      by[s] = (double)attribute->reals[s];
    if (!(by[s] >= 1 && by[s] <= MOST_KERNEL && by[s] == floor(by[s])) || (s < 2 && by[s] != 1))
      return onnx_refuse(im,
                         "side %d times %g: other than whole enlargements of rows and columns "
                         "would have to be built",
                         s, by[s]);
  }
  if (by[2] == 1 && by[3] == 1)
    return onnx_set_plane(im, 0, in.node, &in.at);
  int made = onnx_add(im, DRAFT_RESIZE, in.node);
  if (made < 0)
    return onnx_no_memory(im);
  draft_node *node = &im->d->nodes[made];
  node->stride[0] = (int)by[2];
  node->stride[1] = (int)by[3];
  if ((int64_t)node->height * node->stride[0] > 4096 ||
      (int64_t)node->width * node->stride[1] > 4096)
    return onnx_refuse(im, "a plane of more than 4096 cells a side");
  node->height *= node->stride[0];
  node->width *= node->stride[1];
  return onnx_plane_out(im, made);
}

const onnx_operator onnx_kernel_operators[] = {
    {"AveragePool", 1, 1,
     " auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides ", import_pool},
    {"Conv", 2, 3, " auto_pad dilations group kernel_shape pads strides ", import_conv},
    {"GlobalAveragePool", 1, 1, " ", import_global_pool},
    {"MaxPool", 1, 1, " auto_pad ceil_mode dilations kernel_shape pads storage_order strides ",
     import_pool},
    {"Pad", 1, 4, " mode pads paddings value ", import_pad},
    {"ReduceMean", 1, 2, " axes keepdims noop_with_empty_axes ", import_reduce_mean},
    {"Resize", 1, 4,
     " mode scales coordinate_transformation_mode nearest_mode cubic_coeff_a exclude_outside "
     "extrapolation_value antialias keep_aspect_ratio_policy ",
     import_resize},
    {"Upsample", 1, 2, " mode scales ", import_resize},
    {.name = NULL},
};
