/* number.c - numbers of ten kinds, either byte order, any strides -> double. */
#include "number.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the bits of one number, in the low bytes, -> its value ---- */

static double from_f64(uint64_t bits) {
  double value;
  return memcpy(&value, &bits, 8), value;
}
static double from_f32(uint64_t bits) {
  float value;
  uint32_t low = (uint32_t)bits;
  return memcpy(&value, &low, 4), value;
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
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                : ldexp(fraction, -24);
  return bits >> 15 & 1 ? -value : value;
}

static const struct {
  const char *name, *numpy;
  size_t bytes;
  double (*from)(uint64_t);
} types[] = {
#define FROM_NUMBER_F64 from_f64
#define FROM_NUMBER_F32 from_f32
#define FROM_NUMBER_F16 from_f16
#define FROM_NUMBER_BF16 from_bf16
#define FROM_NUMBER_I64 from_i64
#define FROM_NUMBER_I32 from_i32
#define FROM_NUMBER_I16 from_i16
#define FROM_NUMBER_I8 from_i8
#define FROM_NUMBER_U8 from_u8
#define FROM_NUMBER_BOOL from_bool
#define X(id, name, bytes, numpy, torch) {name, numpy, bytes, FROM_##id},
    NUMBERS(X)
#undef X
};

const char *number_name(number_type type) { return type < NUMBER_TYPES ? types[type].name : ""; }
size_t number_bytes(number_type type) { return type < NUMBER_TYPES ? types[type].bytes : 0; }

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
  int64_t step = number_count(view) >
                 0; /* 0: an empty array, whose other sides may be too long to multiply */
  for (int i = 0; i < view->rank; i++) {
    int axis = fortran ? i : view->rank - 1 - i;
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
  for (size_t i = 0; i < bytes; i++)
    bits |= (uint64_t)at[big_endian ? bytes - 1 - i : i] << 8 * i;
  return bits;
}

void number_read(const number_view *view, double *out) {
  int64_t count = number_count(view), index[NUMBER_MAX_RANK] = {0}, step[NUMBER_MAX_RANK], at = 0;
  size_t bytes = types[view->type].bytes;
  double (*from)(uint64_t) = types[view->type].from;
  for (int axis = 0; axis < view->rank; axis++)
    step[axis] = view->shape[axis] > 1 ? view->stride[axis]
                                       : 0; /* of one row: meaningless, unchecked */
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
  for (int i = 0; i < view->rank && n < 72; i++)
    n += (size_t)snprintf(out + n, 96 - n, "%s%lld", i ? ", " : "", (long long)view->shape[i]);
  memcpy(out + n, "]", 2);
}
