/* pickle_value.h - what a pickle consists of: plain data, as a tree of values in an arena. Making
 * and reading one; who makes them is unpickle.c and pickle_globals.c. One thread at a time. */
#ifndef PICKLE_VALUE_H
#define PICKLE_VALUE_H
#include "arena.h"
#include "cam_error.h"
#include "number.h"

/* clang-format off */
#define PICKLE_TYPES(X)             \
  X(PICKLE_NONE,    "None")         \
  X(PICKLE_BOOL,    "a bool")       \
  X(PICKLE_INT,     "an int")       \
  X(PICKLE_LONG,    "a long int")   \
  X(PICKLE_FLOAT,   "a float")      \
  X(PICKLE_BYTES,   "bytes")        \
  X(PICKLE_TEXT,    "a str")        \
  X(PICKLE_TUPLE,   "a tuple")      \
  X(PICKLE_LIST,    "a list")       \
  X(PICKLE_DICT,    "a dict")       \
  X(PICKLE_GLOBAL,  "a global")     \
  X(PICKLE_DTYPE,   "a dtype")      \
  X(PICKLE_ARRAY,   "an array")     \
  X(PICKLE_STORAGE, "a storage")    \
  X(PICKLE_TENSOR,  "a tensor")
/* clang-format on */
typedef enum pickle_type {
#define X(id, name) id,
  PICKLE_TYPES(X)
#undef X
} pickle_type;

typedef struct pickle_value pickle_value;
struct pickle_value {
  pickle_type type;
  int nesting; /* of containers, itself included */
  union {
    int64_t integer; /* BOOL, INT */
    double number;   /* FLOAT */
    struct {
      const uint8_t *data;
      size_t n;
    } bytes; /* BYTES; TEXT (UTF-8); LONG (little-endian); inside the pickle or the arena */
    struct {
      pickle_value **items;
      size_t n, room;
    } list;                             /* TUPLE, LIST; DICT: key, value, key, value ... */
    const struct pickle_global *global; /* GLOBAL */
    struct {
      number_type type;
      bool objects, big_endian;
    } dtype; /* DTYPE: numbers of a type, or objects */
    struct { /* ARRAY */
      bool built;
      const pickle_value *dtype;
      bool fortran;
      int rank;
      const int64_t *shape;
      const pickle_value *data; /* BYTES of numbers, or LIST of objects */
    } array;
    struct {
      number_type type;
      const pickle_value *key;
      int64_t count;
    } storage; /* STORAGE: of `count` numbers */
    struct {
      const pickle_value *storage;
      int64_t offset;
      int rank;
      const int64_t *shape, *stride;
    } tensor; /* TENSOR: not yet checked against the storage */
  } as;
};

/* ---- making values ---- */

/* A new value in *out; CAM_E_WEIGHTS beyond the arena's budget. */
cam_code pickle_new(arena *from, pickle_type type, pickle_value **out, cam_error *error);
/* Adds an item to a LIST, TUPLE or DICT. */
cam_code pickle_append(arena *from, pickle_value *list, pickle_value *item, cam_error *error);

/* ---- looking at values ---- */

const char *pickle_type_name(const pickle_value *value); /* "a tuple" */
/* True if value is text (bytes of Python 2 included) of at most 4096 bytes without NUL; *out is a
 * copy from the arena. */
bool pickle_text(arena *from, const pickle_value *value, const char **out);
bool pickle_text_is(const pickle_value *value, const char *text);
/* NULL if absent or not a dict; of a key given twice, the last, as in Python. */
const pickle_value *pickle_find(const pickle_value *dict, const char *key);

#endif
