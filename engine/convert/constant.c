/* constant.c - see constant.h. */
#include "constant.h"
#include <math.h>

bool constant_count(const int64_t *shape, int rank, int64_t *n) {
  *n = 1;
  if (rank > NUMBER_MAX_RANK)
    return false;
  for (int i = 0; i < rank; i++) {
    if (shape[i] < 0 || shape[i] > CONSTANT_MOST)
      return false;
    *n *= shape[i];
    if (*n > CONSTANT_MOST)
      return false;
  }
  return true;
}

constant *constant_new(arena *memory, int rank, const int64_t *shape, bool real,
                       constant_room *room) {
  int64_t n;
  *room = (constant_room){0};
  if (!constant_count(shape, rank, &n))
    return NULL;
  const size_t size = real ? sizeof *room->real : sizeof *room->whole;
  constant *made = arena_alloc(memory, sizeof *made);
  void *numbers = arena_alloc(memory, (size_t)n * size + 1);
  if (!made || !numbers)
    return NULL;
  made->rank = rank;
  made->n = n;
  for (int i = 0; i < rank; i++)
    made->shape[i] = shape[i];
  if (real)
    made->real = room->real = numbers;
  else
    made->whole = room->whole = numbers;
  return made;
}

constant *constant_alike(arena *memory, int rank, const int64_t *shape, double value) {
  constant_room room;
  int64_t n;
  if (!constant_count(shape, rank, &n))
    return NULL;
  constant *made = constant_new(memory, 0, NULL, true, &room);
  if (!made)
    return NULL;
  room.real[0] = (float)value;
  made->alike = true;
  made->n = n;
  made->rank = rank;
  for (int i = 0; i < rank; i++)
    made->shape[i] = shape[i];
  return made;
}

static float real_at(const constant *c, int64_t i) { return c->real[c->alike ? 0 : i]; }

void constant_copy(const constant_room *to, int64_t i, const constant *from, int64_t at) {
  if (to->real)
    to->real[i] = real_at(from, at);
  else
    to->whole[i] = from->whole[at];
}

void constant_put(const constant_room *to, int64_t i, double value) {
  if (to->real)
    to->real[i] = (float)value;
  else if (fabs(value) < 9e18)
    to->whole[i] = (int64_t)value;
}

double constant_at(const constant *c, int64_t i) {
  if (c->real)
    return (double)real_at(c, i);
  return (double)c->whole[i];
}

bool constant_wholes(const constant *c, int most, int64_t *out, int *n) {
  if (c->n > most || (!c->real && !c->whole))
    return false;
  *n = (int)c->n;
  for (int i = 0; i < *n; i++) {
    const float value = c->real ? real_at(c, i) : 0;
    if (!(fabsf(value) < 9e15f && value == floorf(value)))
      return false;
    out[i] = c->real ? (int64_t)value : c->whole[i];
  }
  return true;
}

number_view constant_view(const constant *c) {
  number_view view = {.data = (const uint8_t *)c->real, .type = NUMBER_F32, .rank = c->rank};
  for (int i = 0; i < c->rank; i++)
    view.shape[i] = c->shape[i];
  number_set_strides(&view, false);
  for (int i = 0; i < c->rank && c->alike; i++)
    view.stride[i] = 0;
  return view;
}
