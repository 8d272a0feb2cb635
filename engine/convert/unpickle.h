/* unpickle.h - a Python pickle as a tree of plain data. Flow: file of weights -> [unpickle] -> npy,
 * pth -> join.
 *
 * A pickle is a program for a stack machine that can call anything in Python. This one knows the
 * opcodes (a table in unpickle.c) and the few names (a table in pickle_globals.c) that NumPy arrays
 * and PyTorch state dicts consist of, turns each into data and refuses every other one by name.
 * Nothing is run or imported. Stack, marks, nesting, memo and memory are bounded. Protocols 2 to 5,
 * by Python 2 or 3. Machine and opcodes:
 * https://github.com/python/cpython/blob/3.11/Lib/pickletools.py */
#ifndef UNPICKLE_H
#define UNPICKLE_H
#include "arena.h"
#include "cam_error.h"
#include "number.h"

#define PICKLE_TYPES(X) \
  X(PICKLE_NONE, "None") \
  X(PICKLE_BOOL, "a bool") \
  X(PICKLE_INT, "an int") \
  X(PICKLE_LONG, "a long int") \
  X(PICKLE_FLOAT, "a float") \
  X(PICKLE_BYTES, "bytes") \
  X(PICKLE_TEXT, "a str") \
  X(PICKLE_TUPLE, "a tuple") \
  X(PICKLE_LIST, "a list") \
  X(PICKLE_DICT, "a dict") \
  X(PICKLE_GLOBAL, "a global") \
  X(PICKLE_DTYPE, "a dtype") \
  X(PICKLE_ARRAY, "an array") X(PICKLE_STORAGE, "a storage") X(PICKLE_TENSOR, "a tensor")
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

/* Reads one pickle from bytes[0..n), which must live as long as the tree; *used is how many of them
 * it took. Everything is from the arena. CAM_E_WEIGHTS naming byte and opcode or global. Values may
 * be shared and, in a hostile file, contain themselves: walk to a fixed depth. */
cam_code unpickle(arena *from, const uint8_t *bytes, size_t n, size_t *used,
                  const pickle_value **out, cam_error *error);

const char *pickle_type_name(const pickle_value *value); /* "a tuple" */
/* True if value is text (bytes of Python 2 included) of at most 4096 bytes without NUL; *out is a
 * copy from the arena. */
bool pickle_text(arena *from, const pickle_value *value, const char **out);
bool pickle_text_is(const pickle_value *value, const char *text);
const pickle_value *pickle_find(const pickle_value *dict,
                                const char *key); /* NULL if absent or not a dict; of a key given
                                                     twice, the last, as in Python */

#endif
