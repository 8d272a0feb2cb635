/* onnx_operator.c - see onnx_operator.h. */
#include "onnx_operator.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cam_code onnx_refuse(onnx_import *im, const char *format, ...) {
  char what[160];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  return cam_fail(im->error, CAM_E_WEIGHTS, "node %.48s (%.24s): %s", im->node->name, im->node->op,
                  what);
}

cam_code onnx_no_memory(onnx_import *im) {
  return cam_fail(im->error, CAM_E_NO_MEMORY, "node %.60s: no memory", im->node->name);
}

static int order_slots(const void *a, const void *b) {
  return strcmp(((const onnx_slot *)a)->name, ((const onnx_slot *)b)->name);
}

onnx_slot *onnx_find_slot(const onnx_import *im, const char *name) {
  const onnx_slot wanted = {.name = name};
  return bsearch(&wanted, im->slots, (size_t)im->n_slots, sizeof *im->slots, order_slots);
}

/* ---- inputs, attributes, outputs ---- */

static cam_code set_slot(onnx_import *im, int i, const constant *value, int node, const view *at) {
  if (i >= im->node->n_outputs || !*im->node->outputs[i])
    return CAM_OK;
  onnx_slot *slot = onnx_find_slot(im, im->node->outputs[i]);
  slot->known = true;
  slot->constant = value;
  slot->node = node;
  if (at)
    slot->at = *at;
  return CAM_OK;
}

cam_code onnx_set_constant(onnx_import *im, int i, const constant *value) {
  if (value)
    return set_slot(im, i, value, 0, NULL);
  return onnx_no_memory(im);
}

cam_code onnx_set_plane(onnx_import *im, int i, int node, const view *at) {
  if (node < DRAFT_PICTURE)
    return im->error ? im->error->code : CAM_E_NO_MEMORY;
  return set_slot(im, i, NULL, node, at);
}

cam_code onnx_output(onnx_import *im, int i, onnx_slot *out) {
  const onnx_slot *slot = i < im->node->n_outputs ? onnx_find_slot(im, im->node->outputs[i]) : NULL;
  if (!slot || !slot->known)
    return onnx_refuse(im, "output %d is not named", i + 1);
  *out = *slot;
  return CAM_OK;
}

int64_t onnx_whole(const onnx_import *im, const char *attribute, int64_t fallback) {
  const onnx_attribute *found = onnx_find(im->node, attribute);
  if (found)
    return found->whole;
  return fallback;
}

double onnx_real(const onnx_import *im, const char *attribute, double fallback) {
  const onnx_attribute *found = onnx_find(im->node, attribute);
  if (found)
    return found->real;
  return fallback;
}

const char *onnx_text(const onnx_import *im, const char *attribute, const char *fallback) {
  const onnx_attribute *found = onnx_find(im->node, attribute);
  if (found)
    return found->text;
  return fallback;
}

cam_code onnx_wholes(onnx_import *im, int input, const char *attribute, int most, int64_t *out,
                     int *n) {
  const onnx_attribute *found = onnx_find(im->node, attribute);
  *n = -1;
  if (input >= 0 && input < im->n_in && im->in[input]) {
    const constant *value = im->in[input]->constant;
    if (!value)
      return onnx_refuse(im, "%.20s (input %d) is computed from the picture", attribute, input + 1);
    if (constant_wholes(value, most, out, n))
      return CAM_OK;
    return onnx_refuse(im, "%.20s (input %d) is not a list of at most %d whole numbers", attribute,
                       input + 1, most);
  }
  if (!found)
    return CAM_OK;
  if (found->n_wholes > most)
    return onnx_refuse(im, "attribute %.40s has %d numbers; allowed are %d", attribute,
                       found->n_wholes, most);
  *n = found->n_wholes;
  for (int i = 0; i < *n; i++)
    out[i] = found->wholes[i];
  return CAM_OK;
}

cam_code onnx_constant(onnx_import *im, int input, const constant **out) {
  *out = NULL;
  if (input >= im->n_in || !im->in[input])
    return CAM_OK;
  *out = im->in[input]->constant;
  if (!*out)
    return onnx_refuse(im, "input %d is computed from the picture; it must be a constant",
                       input + 1);
  if ((*out)->type)
    return onnx_refuse(im, "input %d has numbers of type %s, which are not read", input + 1,
                       (*out)->type);
  return CAM_OK;
}

cam_code onnx_plane(onnx_import *im, int input, onnx_slot *out) {
  if (im->in[input]->constant)
    return onnx_refuse(im, "input %d is a constant; it must be computed from the picture",
                       input + 1);
  *out = *im->in[input];
  return CAM_OK;
}

cam_code onnx_axis(onnx_import *im, int64_t axis, int rank, int *out) {
  if (axis < -rank || axis >= rank)
    return onnx_refuse(im, "axis %lld of %d sides", (long long)axis, rank);
  *out = (int)(axis < 0 ? axis + rank : axis);
  return CAM_OK;
}

int onnx_rank(const onnx_slot *slot) {
  if (slot->constant)
    return slot->constant->rank;
  return slot->at.rank;
}

const int64_t *onnx_shape(const onnx_slot *slot) {
  if (slot->constant)
    return slot->constant->shape;
  return slot->at.shape;
}

cam_code onnx_settle(onnx_import *im, onnx_slot *slot) {
  view *v = &slot->at;
  int first = -1, n = 0;
  for (int i = 0; i < v->n_atoms; i++)
    if (v->atoms[i].axis == VIEW_C && n++ == 0)
      first = i;
  if (n != 2)
    return CAM_OK;
  const view_atom *a = &v->atoms[first], *b = a + 1;
  if (b->axis != VIEW_C || a->side != b->side || a->step != 1 || b->step != a->size)
    return CAM_OK;
  int made = draft_add(im->d, DRAFT_SHUFFLE, im->node->name, im->node->op, slot->node,
                       DRAFT_NOTHING);
  if (made < 0)
    return onnx_no_memory(im);
  im->d->nodes[made].groups = (int)b->size;
  view_set_channels(v, a->side, a->size * b->size);
  slot->node = made;
  onnx_slot *named = onnx_find_slot(im, slot->name); /* others need not shuffle it again */
  named->node = made;
  named->at = *v;
  return CAM_OK;
}

/* ---- planes ---- */

int onnx_add(onnx_import *im, draft_op op, int input) {
  return draft_add(im->d, op, im->node->name, im->node->op, input, DRAFT_NOTHING);
}

cam_code onnx_plane_in(onnx_import *im, int i, onnx_slot *out) {
  cam_code code = onnx_plane(im, i, out);
  if (!code)
    code = onnx_settle(im, out);
  if (code)
    return code;
  const int h = draft_height(im->d, out->node), w = draft_width(im->d, out->node),
            c = draft_channels(im->d, out->node);
  if (!view_is_plane(&out->at, h, w, c))
    return onnx_refuse(im,
                       "its input is no [1,C,H,W]: a tensor of %d sides, turned or cut, would "
                       "have to be built",
                       out->at.rank);
  return CAM_OK;
}

cam_code onnx_plane_out(onnx_import *im, int node) {
  if (node < 0)
    return onnx_no_memory(im);
  const draft_node *made = &im->d->nodes[node];
  const view at = view_of_plane(made->height, made->width, made->channels, false);
  return onnx_set_plane(im, 0, node, &at);
}

int onnx_mean(onnx_import *im, int input) {
  if (draft_is_vector(im->d, input))
    return input;
  int made = onnx_add(im, DRAFT_GAP, input);
  if (made >= 0)
    im->d->nodes[made].height = im->d->nodes[made].width = 1;
  return made;
}

int onnx_only_cell(onnx_import *im, int input) {
  const int made = onnx_mean(im, input);
  if (made >= 0 && made != input)
    im->d->nodes[made].sized = true;
  return made;
}

cam_code onnx_reals(onnx_import *im, int input, int64_t n, double **out) {
  const constant *c;
  *out = NULL;
  cam_code code = onnx_constant(im, input, &c);
  if (code || !c)
    return code;
  if (!c->real || c->n != n)
    return onnx_refuse(im, "input %d has %lld numbers; expected are %lld real ones", input + 1,
                       (long long)c->n, (long long)n);
  *out = draft_vector(im->d, (int)n, 0);
  if (!*out)
    return onnx_no_memory(im);
  for (int64_t i = 0; i < n; i++)
    (*out)[i] = constant_at(c, i);
  return CAM_OK;
}

/* ---- constants ---- */

constant *onnx_strided(onnx_import *im, const constant *from, int rank, const int64_t *shape,
                       const int64_t *stride, int64_t first) {
  constant_room to;
  int64_t index[NUMBER_MAX_RANK] = {0}, at = first;
  constant *made = constant_new(im->file->values, rank, shape, from->real != NULL, &to);
  for (int64_t i = 0; made && i < made->n; i++) {
    constant_copy(&to, i, from, at);
    for (int s = rank - 1; s >= 0; s--) {
      at += stride[s];
      if (++index[s] < shape[s])
        break;
      at -= stride[s] * shape[s];
      index[s] = 0;
    }
  }
  return made;
}

void onnx_strides(const constant *c, int64_t *stride) {
  int64_t step = 1;
  for (int s = c->rank - 1; s >= 0; s--) {
    stride[s] = step;
    step *= c->shape[s];
  }
}

/* The same numbers in another shape. */
static constant *with_shape(onnx_import *im, const constant *from, int rank, const int64_t *shape) {
  constant *made = arena_alloc(im->file->values, sizeof *made);
  int64_t n;
  if (!made || !constant_count(shape, rank, &n) || n != from->n)
    return NULL;
  *made = *from;
  made->rank = rank;
  memset(made->shape, 0, sizeof made->shape);
  memcpy(made->shape, shape, (size_t)rank * sizeof *shape);
  return made;
}

cam_code onnx_reshape(onnx_import *im, const onnx_slot *in, int rank, const int64_t *shape) {
  if (in->constant) {
    const constant *made = with_shape(im, in->constant, rank, shape);
    if (made)
      return onnx_set_constant(im, 0, made);
    return onnx_refuse(im, "%lld numbers do not fit its new shape", (long long)in->constant->n);
  }
  onnx_slot slot = *in;
  if (!view_reshape(&slot.at, rank, shape)) { /* channels that were shuffled may be cut anew */
    cam_code code = onnx_settle(im, &slot);
    if (code)
      return code;
    if (!view_reshape(&slot.at, rank, shape))
      return onnx_refuse(im, "its new shape of %d sides cuts rows, columns or channels apart",
                         rank);
  }
  return onnx_set_plane(im, 0, slot.node, &slot.at);
}

cam_code onnx_same(onnx_import *im) {
  const onnx_slot *in = im->in[0];
  if (in->constant)
    return onnx_set_constant(im, 0, in->constant);
  return onnx_set_plane(im, 0, in->node, &in->at);
}
