/* number.h - the kinds of numbers that files of weights hold, and reading them as double. Any
 * thread. */
#ifndef NUMBER_H
#define NUMBER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(enumerator, name, bytes, NumPy's name, PyTorch's storage class) */
/* clang-format off */
#define NUMBERS(X)                                        \
  X(NUMBER_F64,  "float64",  8, "f8", "DoubleStorage")    \
  X(NUMBER_F32,  "float32",  4, "f4", "FloatStorage")     \
  X(NUMBER_F16,  "float16",  2, "f2", "HalfStorage")      \
  X(NUMBER_BF16, "bfloat16", 2, "",   "BFloat16Storage")  \
  X(NUMBER_I64,  "int64",    8, "i8", "LongStorage")      \
  X(NUMBER_I32,  "int32",    4, "i4", "IntStorage")       \
  X(NUMBER_I16,  "int16",    2, "i2", "ShortStorage")     \
  X(NUMBER_I8,   "int8",     1, "i1", "CharStorage")      \
  X(NUMBER_U8,   "uint8",    1, "u1", "ByteStorage")      \
  X(NUMBER_BOOL, "bool",     1, "b1", "BoolStorage")
/* clang-format on */
typedef enum number_type {
#define X(id, name, bytes, numpy, torch) id,
  NUMBERS(X)
#undef X
      NUMBER_TYPES
} number_type;

const char *number_name(number_type type); /* "float32" */
size_t number_bytes(number_type type);
/* Of "f4"; NUMBER_TYPES if there is none. */
number_type number_of_numpy(const char *name, size_t n);

/* A plane of numbers inside bytes that somebody else owns. Strides are in numbers, never negative.
 */
enum { NUMBER_MAX_RANK = 8 };
typedef struct number_view {
  const uint8_t *data; /* the first number; any alignment */
  number_type type;
  bool big_endian;
  int rank;
  int64_t shape[NUMBER_MAX_RANK], stride[NUMBER_MAX_RANK];
} number_view;

/* The product of the shape; -1 if it does not fit 48 bits. */
int64_t number_count(const number_view *view);
/* Strides of an array without gaps: the last index varies fastest (C), or the first (Fortran). The
 * shape is set. */
void number_set_strides(number_view *view, bool fortran);
/* True if the view stays within `available` numbers from its data on and has no more numbers than
 * there are (so no stride of 0 blows it up). */
bool number_fits(const number_view *view, uint64_t available);
/* out[number_count()]; the last index varies fastest. */
void number_read(const number_view *view, double *out);
/* "[3, 3, 64]", cut if it is longer. */
void number_shape_text(const number_view *view, char out[96]);

#endif
