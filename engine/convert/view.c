/* view.c - see view.h. */
#include "view.h"
#include <string.h>

static void add_atom(view *v, int side, view_axis axis, int64_t size, int64_t step) {
  if (size > 1)
    v->atoms[v->n_atoms++] = (view_atom){side, axis, size, step};
}

view view_of_plane(int64_t height, int64_t width, int64_t channels, bool last) {
  view v = {.rank = 4, .shape = {1, channels, height, width}};
  if (last) {
    v = (view){.rank = 4, .shape = {1, height, width, channels}};
    add_atom(&v, 1, VIEW_Y, height, 1);
    add_atom(&v, 2, VIEW_X, width, 1);
    add_atom(&v, 3, VIEW_C, channels, 1);
    return v;
  }
  add_atom(&v, 1, VIEW_C, channels, 1);
  add_atom(&v, 2, VIEW_Y, height, 1);
  add_atom(&v, 3, VIEW_X, width, 1);
  return v;
}

/* Neighbours of one side that are one run of an axis become one atom. */
static void join_atoms(view *v) {
  int n = 0;
  for (int i = 0; i < v->n_atoms; i++) {
    const view_atom now = v->atoms[i];
    view_atom *before = n ? &v->atoms[n - 1] : NULL;
    if (before && before->side == now.side && before->axis == now.axis &&
        before->step == now.size * now.step) {
      before->size *= now.size;
      before->step = now.step;
    } else
      v->atoms[n++] = now;
  }
  v->n_atoms = n;
}

bool view_transpose(view *v, const int64_t *permutation) {
  view out = {.rank = v->rank};
  unsigned seen = 0;
  for (int side = 0; side < v->rank; side++) {
    const int64_t from = permutation[side];
    if (from < 0 || from >= v->rank || seen & 1u << from)
      return false;
    seen |= 1u << from;
    out.shape[side] = v->shape[from];
    for (int i = 0; i < v->n_atoms; i++)
      if (v->atoms[i].side == from)
        add_atom(&out, side, v->atoms[i].axis, v->atoms[i].size, v->atoms[i].step);
  }
  *v = out;
  return true;
}

bool view_reshape(view *v, int rank, const int64_t *shape) {
  view out = {.rank = rank};
  view_atom rest = {0};
  int next = 0;
  if (rank > VIEW_MAX_RANK)
    return false;
  for (int side = 0; side < rank; side++) {
    int64_t wanted = out.shape[side] = shape[side];
    while (wanted > 1) {
      if (rest.size <= 1 && next == v->n_atoms)
        return false;
      if (rest.size <= 1)
        rest = v->atoms[next++];
      if (out.n_atoms == VIEW_MAX_ATOMS)
        return false;
      if (wanted % rest.size == 0) { /* all of it */
        add_atom(&out, side, rest.axis, rest.size, rest.step);
        wanted /= rest.size;
        rest.size = 1;
      } else if (rest.size % wanted == 0) { /* its upper part */
        rest.size /= wanted;
        add_atom(&out, side, rest.axis, wanted, rest.step * rest.size);
        wanted = 1;
      } else
        return false;
    }
    if (wanted != 1)
      return false;
  }
  if (rest.size > 1 || next < v->n_atoms)
    return false;
  join_atoms(&out);
  *v = out;
  return true;
}

int view_side_of(const view *v, view_axis axis, int64_t size) {
  int found = -1;
  for (int i = 0; i < v->n_atoms; i++)
    if (v->atoms[i].axis == axis && v->atoms[i].size == size && v->atoms[i].step == 1)
      found = v->atoms[i].side;
  if (found >= 0 && v->shape[found] == size)
    return found;
  return -1;
}

bool view_is_plane(const view *v, int64_t height, int64_t width, int64_t channels) {
  const view plane = view_of_plane(height, width, channels, false);
  return v->rank == 4 && v->n_atoms == plane.n_atoms &&
         !memcmp(v->shape, plane.shape, sizeof plane.shape[0] * 4) && view_alike(v, &plane);
}

bool view_is_vector(const view *v) {
  for (int i = 0; i < v->n_atoms; i++)
    if (v->atoms[i].axis != VIEW_C)
      return false;
  return true;
}

bool view_set_channels(view *v, int side, int64_t channels) {
  view out = {.rank = v->rank};
  memcpy(out.shape, v->shape, sizeof out.shape);
  out.shape[side] = channels;
  for (int s = 0; s < v->rank; s++) {
    for (int i = 0; i < v->n_atoms; i++) {
      const view_atom *a = &v->atoms[i];
      if (a->side != s || a->axis == VIEW_C)
        continue;
      if (s == side)
        return false;
      add_atom(&out, s, a->axis, a->size, a->step);
    }
    if (s == side)
      add_atom(&out, s, VIEW_C, channels, 1);
  }
  *v = out;
  return true;
}

void view_set_sides(view *v, int64_t height, int64_t width) {
  for (int i = 0; i < v->n_atoms; i++) {
    view_atom *a = &v->atoms[i];
    if (a->axis != VIEW_C)
      v->shape[a->side] = a->size = a->axis == VIEW_Y ? height : width;
  }
}

void view_place(const view *v, int64_t channel, int64_t *places) {
  for (int s = 0; s < v->rank; s++)
    places[s] = 0;
  for (int i = 0; i < v->n_atoms; i++) {
    const view_atom *a = &v->atoms[i];
    places[a->side] *= a->size;
    if (a->axis == VIEW_C)
      places[a->side] += channel / a->step % a->size;
  }
}

/* The atoms of an axis that come next, from *i on; NULL: no more. */
static const view_atom *next_atom(const view *v, view_axis axis, int *i) {
  while (*i < v->n_atoms) {
    const view_atom *a = &v->atoms[(*i)++];
    if (a->axis == axis)
      return a;
  }
  return NULL;
}

static bool axis_alike(const view *a, const view *b, view_axis axis) {
  for (int i = 0, j = 0;;) {
    const view_atom *x = next_atom(a, axis, &i), *y = next_atom(b, axis, &j);
    if (!x || !y)
      return x == y;
    if (x->size != y->size || x->step != y->step || a->rank - x->side != b->rank - y->side)
      return false;
  }
}

bool view_alike(const view *a, const view *b) {
  if (!axis_alike(a, b, VIEW_C))
    return false;
  return view_is_vector(b) || (axis_alike(a, b, VIEW_Y) && axis_alike(a, b, VIEW_X));
}
