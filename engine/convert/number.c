/* number.c - numbers of ten kinds, either byte order, any strides -> double. */
#include "number.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the bits of one number, in the low bytes, -> its value ---- */

static double from_f64(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
static double from_f32(uint64_t bits) {
  const uint32_t low = (uint32_t)bits;
  float value;
  memcpy(&value, &low, sizeof value);
  return value;
}
static double from_bf16(uint64_t bits) { return from_f32(bits << 16); }
static double from_i64(uint64_t bits) { return (double)(int64_t)bits; }
static double from_i32(uint64_t bits) { return (int32_t)bits; }
static double from_i16(uint64_t bits) { return (int16_t)bits; }
static double from_i8(uint64_t bits) { return (int8_t)bits; }
static double from_u8(uint64_t bits) { return (double)bits; }
static double from_bool(uint64_t bits) { return bits != 0; }
/* IEEE 754-2008 binary16: 1 sign, 5 exponent, 10 fraction bits. */
static double from_f16(uint64_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value;
  if (exponent == 31 && fraction)
    value = NAN;
  else if (exponent == 31)
    value = INFINITY;
  else if (exponent)
    value = ldexp(1024 + fraction, exponent - 25);
  else
    value = ldexp(fraction, -24); /* subnormal */
  if (bits >> 15 & 1)
    return -value;
  return value;
}

static const struct {
  const char *name, *numpy;
  size_t bytes;
} types[] = {
#define X(id, name, bytes, numpy, torch) {name, numpy, bytes},
    NUMBERS(X)
#undef X
};

static double (*const value_of[])(uint64_t bits) = {
    [NUMBER_F64] = from_f64,   [NUMBER_F32] = from_f32, [NUMBER_F16] = from_f16,
    [NUMBER_BF16] = from_bf16, [NUMBER_I64] = from_i64, [NUMBER_I32] = from_i32,
    [NUMBER_I16] = from_i16,   [NUMBER_I8] = from_i8,   [NUMBER_U8] = from_u8,
    [NUMBER_BOOL] = from_bool,
};
_Static_assert(sizeof value_of / sizeof *value_of == NUMBER_TYPES, "each type has its function");

const char *number_name(number_type type) {
  if (type >= NUMBER_TYPES)
    return "";
  return types[type].name;
}

size_t number_bytes(number_type type) {
  if (type >= NUMBER_TYPES)
    return 0;
  return types[type].bytes;
}

number_type number_of_numpy(const char *name, size_t n) {
  unsigned type = 0;
  while (type < NUMBER_TYPES && (n != 2 || strncmp(types[type].numpy, name, 2)))
    type++;
  return type;
}

/* ---- views ---- */

int64_t number_count(const number_view *view) {
  int64_t count = 1;
  for (int i = 0; i < view->rank; i++)
    if (view->shape[i] < 0 || __builtin_mul_overflow(count, view->shape[i], &count) || count >> 48)
      return -1;
  return count;
}

void number_set_strides(number_view *view, bool fortran) {
  /* 0: an empty array, whose other sides may be too long to multiply */
  int64_t step = number_count(view) > 0;
  for (int i = 0; i < view->rank; i++) {
    const int axis = fortran ? i : view->rank - 1 - i;
    view->stride[axis] = step;
    if (step)
      step *= view->shape[axis];
  }
}

bool number_fits(const number_view *view, uint64_t available) {
  int64_t count = number_count(view), last = 0, reach;
  if (count < 0 || (uint64_t)count > available)
    return false;
  for (int i = 0; i < view->rank && count; i++)
    if (view->stride[i] < 0 ||
        __builtin_mul_overflow(view->shape[i] - 1, view->stride[i], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      return false;
  return !count || (uint64_t)last < available;
}

static uint64_t bits_at(const uint8_t *at, size_t bytes, bool big_endian) {
  uint64_t bits = 0;
  for (size_t i = 0; i < bytes; i++) {
    const size_t place = big_endian ? bytes - 1 - i : i;
    bits |= (uint64_t)at[place] << 8 * i;
  }
  return bits;
}

void number_read(const number_view *view, double *out) {
  int64_t count = number_count(view), index[NUMBER_MAX_RANK] = {0}, step[NUMBER_MAX_RANK], at = 0;
  size_t bytes = types[view->type].bytes;
  double (*const from)(uint64_t) = value_of[view->type];
  for (int axis = 0; axis < view->rank; axis++)
    step[axis] = view->shape[axis] > 1 ? view->stride[axis] : 0; /* of one row it is unchecked */
  for (int64_t i = 0; i < count; i++) {
    out[i] = from(bits_at(view->data + (size_t)at * bytes, bytes, view->big_endian));
    for (int axis = view->rank - 1; axis >= 0; axis--) { /* the next index, as an odometer */
      at += step[axis];
      if (++index[axis] < view->shape[axis])
        break;
      at -= step[axis] * view->shape[axis];
      index[axis] = 0;
    }
  }
}

void number_shape_text(const number_view *view, char out[96]) {
  size_t n = 0;
  out[n++] = '[';
  for (int i = 0; i < view->rank && n < 72; i++) {
    const char *separator = i ? ", " : "";
    n += (size_t)snprintf(out + n, 96 - n, "%s%lld", separator, (long long)view->shape[i]);
  }
  memcpy(out + n, "]", 2);
}
