/* pickle_globals.c - the allow-list. Each name that NumPy and PyTorch write for arrays and tensors,
 * and the plain data it stands for. NumPy: ndarray.__reduce__ and dtype.__reduce__
 * (numpy/core/src/multiarray/methods.c, descriptor.c). PyTorch: torch/_utils.py,
 * torch/serialization.py (persistent_id). One thread at a time. */
#include "pickle_globals.h"
#include "cam_minmax.h"
#include <string.h>

/* ---- reading arguments ---- */

/* Argument i; a value of NONE beyond the end. */
static const pickle_value *item(const pickle_value *tuple, size_t i) {
  static const pickle_value none = {.type = PICKLE_NONE};
  if (i >= tuple->as.list.n)
    return &none;
  return tuple->as.list.items[i];
}

static cam_code misfit(cam_error *error, const char *what, const pickle_value *got) {
  return cam_fail(error, CAM_E_WEIGHTS, "%s, not %s", what, pickle_type_name(got));
}

/* A tuple of non-negative ints, as a shape or strides. */
static cam_code sizes(arena *from, const pickle_value *tuple, const char *what, int *rank,
                      const int64_t **out, cam_error *error) {
  if (tuple->type != PICKLE_TUPLE)
    return misfit(error, what, tuple);
  if (tuple->as.list.n > NUMBER_MAX_RANK)
    return cam_fail(error, CAM_E_WEIGHTS, "%s of at most %d sizes, not %zu", what, NUMBER_MAX_RANK,
                    tuple->as.list.n);
  int64_t *made = arena_alloc(from, NUMBER_MAX_RANK * sizeof *made);
  if (!made)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a shape");
  *rank = (int)tuple->as.list.n;
  *out = made;
  for (int i = 0; i < *rank; i++) {
    const pickle_value *size = tuple->as.list.items[i];
    if (size->type != PICKLE_INT)
      return misfit(error, what, size);
    if (size->as.integer < 0)
      return cam_fail(error, CAM_E_WEIGHTS, "%s, not one with %lld in it", what,
                      (long long)size->as.integer);
    made[i] = size->as.integer;
  }
  return CAM_OK;
}

/* ---- calls ---- */

/* OrderedDict() by Python 3; OrderedDict([[key, value], ...]) by Python 2. */
static cam_code call_ordered_dict(arena *from, const pickle_value *arguments, pickle_value **out,
                                  cam_error *error) {
  cam_code code = pickle_new(from, PICKLE_DICT, out, error);
  const pickle_value *pairs = item(arguments, 0);
  if (code || pairs->type == PICKLE_NONE)
    return code;
  if (pairs->type != PICKLE_LIST)
    return misfit(error, "OrderedDict takes a list of pairs", pairs);
  for (size_t i = 0; i < pairs->as.list.n && !code; i++) {
    const pickle_value *pair = pairs->as.list.items[i];
    if ((pair->type != PICKLE_LIST && pair->type != PICKLE_TUPLE) || pair->as.list.n != 2)
      return misfit(error, "OrderedDict takes a list of pairs", pair);
    code = pickle_append(from, *out, pair->as.list.items[0], error);
    if (!code)
      code = pickle_append(from, *out, pair->as.list.items[1], error);
  }
  return code;
}

/* _codecs.encode(text, 'latin1'): how protocol 2 of Python 3 writes bytes. Each byte above 127
 * comes as two of UTF-8. */
static cam_code call_encode(arena *from, const pickle_value *arguments, pickle_value **out,
                            cam_error *error) {
  const pickle_value *text = item(arguments, 0), *encoding = item(arguments, 1);
  if (text->type != PICKLE_TEXT)
    return misfit(error, "_codecs.encode takes a str", text);
  if (!pickle_text_is(encoding, "latin1") && !pickle_text_is(encoding, "latin-1"))
    return cam_fail(error, CAM_E_WEIGHTS, "_codecs.encode knows latin1 only");
  cam_code code = pickle_new(from, PICKLE_BYTES, out, error);
  if (code)
    return code;
  const uint8_t *at = text->as.bytes.data, *end = at + text->as.bytes.n;
  size_t n = 0;
  for (const uint8_t *c = at; c < end; c++)
    n += (*c & 0xc0) != 0x80; /* characters */
  uint8_t *bytes = arena_alloc(from, n);
  if (!bytes)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "its bytes need more memory than is allowed for a file of this size");
  (*out)->as.bytes.data = bytes;
  (*out)->as.bytes.n = n;
  while (at < end) {
    uint8_t first = *at++;
    if (first < 0x80)
      *bytes++ = first;
    else if ((first == 0xc2 || first == 0xc3) && at < end && (*at & 0xc0) == 0x80)
      *bytes++ = (uint8_t)(first << 6 | (*at++ & 0x3f));
    else
      return cam_fail(error, CAM_E_WEIGHTS, "_codecs.encode: a character is not in latin1");
  }
  return CAM_OK;
}

/* dtype('f4', align, copy); its byte order comes with BUILD. */
static cam_code call_dtype(arena *from, const pickle_value *arguments, pickle_value **out,
                           cam_error *error) {
  const pickle_value *name = item(arguments, 0);
  if (name->type != PICKLE_TEXT && name->type != PICKLE_BYTES)
    return misfit(error, "dtype takes a name", name);
  cam_code code = pickle_new(from, PICKLE_DTYPE, out, error);
  if (code)
    return code;
  const char *text = (const char *)name->as.bytes.data;
  size_t n = name->as.bytes.n;
  (*out)->as.dtype.objects = n && text[0] == 'O'; /* "O8", "O4", "O" */
  (*out)->as.dtype.type = number_of_numpy(text, n);
  if (!(*out)->as.dtype.objects && (*out)->as.dtype.type == NUMBER_TYPES)
    return cam_fail(error, CAM_E_WEIGHTS, "dtype '%.*s' is not a number", (int)min_size(n, 40),
                    text);
  return CAM_OK;
}

/* _reconstruct(ndarray, (0,), 'b'): an array without anything; the rest comes with BUILD. */
static cam_code call_reconstruct(arena *from, const pickle_value *arguments, pickle_value **out,
                                 cam_error *error) {
  const pickle_value *class = item(arguments, 0);
  if (class->type != PICKLE_GLOBAL || strcmp(class->as.global->name, "ndarray"))
    return misfit(error, "_reconstruct takes the class ndarray", class);
  return pickle_new(from, PICKLE_ARRAY, out, error);
}

/* Completes an array, and checks that its data is as long as shape and dtype say. */
static cam_code fill_array(arena *from, pickle_value *array, const pickle_value *shape,
                           const pickle_value *dtype, bool fortran, const pickle_value *data,
                           cam_error *error) {
  cam_code code = sizes(from, shape, "an array's shape is a tuple of ints", &array->as.array.rank,
                        &array->as.array.shape, error);
  if (code)
    return code;
  if (dtype->type != PICKLE_DTYPE)
    return misfit(error, "an array has a dtype", dtype);
  const bool objects = dtype->as.dtype.objects;
  if (objects && data->type != PICKLE_LIST)
    return misfit(error, "an array of objects has a list", data);
  if (!objects && data->type != PICKLE_BYTES)
    return misfit(error, "an array of numbers has bytes", data);
  size_t have = data->as.bytes.n, each = number_bytes(dtype->as.dtype.type);
  if (objects) {
    have = data->as.list.n;
    each = 1;
  }
  number_view view = {.rank = array->as.array.rank};
  memcpy(view.shape, array->as.array.shape, sizeof view.shape);
  int64_t count = number_count(&view);
  if (count < 0 || (uint64_t)count * each != have) {
    char text[96];
    number_shape_text(&view, text);
    return cam_fail(error, CAM_E_WEIGHTS, "an array of shape %s has %zu %s", text, have,
                    objects ? "objects" : "bytes");
  }
  array->as.array.dtype = dtype;
  array->as.array.fortran = fortran;
  array->as.array.data = data;
  array->as.array.built = true;
  return CAM_OK;
}

/* _frombuffer(bytes, dtype, shape, 'C' or 'F'): what protocol 5 writes. */
static cam_code call_frombuffer(arena *from, const pickle_value *arguments, pickle_value **out,
                                cam_error *error) {
  const cam_code code = pickle_new(from, PICKLE_ARRAY, out, error);
  if (code)
    return code;
  return fill_array(from, *out, item(arguments, 2), item(arguments, 1),
                    pickle_text_is(item(arguments, 3), "F"), item(arguments, 0), error);
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks). */
static cam_code call_rebuild_tensor(arena *from, const pickle_value *arguments, pickle_value **out,
                                    cam_error *error) {
  const pickle_value *storage = item(arguments, 0), *offset = item(arguments, 1);
  if (storage->type != PICKLE_STORAGE)
    return misfit(error, "_rebuild_tensor_v2 takes a storage", storage);
  if (offset->type != PICKLE_INT)
    return misfit(error, "a tensor's offset is an int", offset);
  if (offset->as.integer < 0)
    return cam_fail(error, CAM_E_WEIGHTS, "a tensor's offset is %lld",
                    (long long)offset->as.integer);
  cam_code code = pickle_new(from, PICKLE_TENSOR, out, error);
  if (code)
    return code;
  pickle_value *tensor = *out;
  int rank = 0;
  tensor->as.tensor.storage = storage;
  tensor->as.tensor.offset = offset->as.integer;
  code = sizes(from, item(arguments, 2), "a tensor's size is a tuple of ints",
               &tensor->as.tensor.rank, &tensor->as.tensor.shape, error);
  if (!code)
    code = sizes(from, item(arguments, 3), "a tensor's stride is a tuple of ints", &rank,
                 &tensor->as.tensor.stride, error);
  if (!code && rank != tensor->as.tensor.rank)
    code = cam_fail(error, CAM_E_WEIGHTS, "a tensor has %d sizes and %d strides",
                    tensor->as.tensor.rank, rank);
  return code;
}

/* _rebuild_parameter(tensor, requires_grad, hooks): a tensor. */
static cam_code call_rebuild_parameter(arena *from, const pickle_value *arguments,
                                       pickle_value **out, cam_error *error) {
  const pickle_value *tensor = item(arguments, 0);
  if (tensor->type != PICKLE_TENSOR)
    return misfit(error, "_rebuild_parameter takes a tensor", tensor);
  cam_code code = pickle_new(from, PICKLE_TENSOR, out, error);
  if (!code)
    **out = *tensor;
  return code;
}

static const pickle_global globals[] = {
    {"collections", "OrderedDict", call_ordered_dict, NUMBER_TYPES},
    {"_codecs", "encode", call_encode, NUMBER_TYPES},
    {"numpy", "ndarray", NULL, NUMBER_TYPES},
    {"numpy", "dtype", call_dtype, NUMBER_TYPES},
    {"numpy.core.multiarray", "_reconstruct", call_reconstruct, NUMBER_TYPES},
    {"numpy._core.multiarray", "_reconstruct", call_reconstruct, NUMBER_TYPES}, /* NumPy 2 */
    {"numpy.core.numeric", "_frombuffer", call_frombuffer, NUMBER_TYPES},
    {"numpy._core.numeric", "_frombuffer", call_frombuffer, NUMBER_TYPES},
    {"torch._utils", "_rebuild_tensor_v2", call_rebuild_tensor, NUMBER_TYPES},
    {"torch._utils", "_rebuild_parameter", call_rebuild_parameter, NUMBER_TYPES},
#define X(id, name, bytes, numpy, torch) {"torch", torch, NULL, id},
    NUMBERS(X)
#undef X
};

static bool same(const char *known, const uint8_t *text, size_t n) {
  return strlen(known) == n && !memcmp(known, text, n);
}

const pickle_global *pickle_find_global(const uint8_t *module, size_t n_module, const uint8_t *name,
                                        size_t n_name) {
  for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
    if (same(globals[i].module, module, n_module) && same(globals[i].name, name, n_name))
      return &globals[i];
  return NULL;
}

/* ---- BUILD ---- */

/* (version, shape, dtype, is it Fortran, data) */
static cam_code build_array(arena *from, pickle_value *array, const pickle_value *state,
                            cam_error *error) {
  if (state->type != PICKLE_TUPLE || state->as.list.n != 5)
    return misfit(error, "an array's state is a tuple of 5", state);
  const pickle_value *order = item(state, 3); /* a bool, or an int as old Python 2 wrote it */
  const bool fortran = (order->type == PICKLE_BOOL || order->type == PICKLE_INT) &&
                       order->as.integer;
  return fill_array(from, array, item(state, 1), item(state, 2), fortran, item(state, 4), error);
}

/* (version, byte order, ...) */
static cam_code build_dtype(arena *from, pickle_value *dtype, const pickle_value *state,
                            cam_error *error) {
  (void)from;
  if (state->type != PICKLE_TUPLE || state->as.list.n < 2)
    return misfit(error, "a dtype's state is a tuple", state);
  const pickle_value *order = item(state, 1);
  static const char *const orders[] = {"<", "|", "=", ">"};
  for (size_t i = 0; i < 4; i++)
    if (pickle_text_is(order, orders[i])) {
      dtype->as.dtype.big_endian = *orders[i] == '>';
      return CAM_OK;
    }
  return cam_fail(error, CAM_E_WEIGHTS, "a dtype's byte order is unknown");
}

cam_code pickle_build(arena *from, pickle_value *object, const pickle_value *state,
                      cam_error *error) {
  switch (object->type) {
  case PICKLE_ARRAY:
    return build_array(from, object, state, error);
  case PICKLE_DTYPE:
    return build_dtype(from, object, state, error);
  case PICKLE_DICT:
    return CAM_OK; /* attributes of a state dict (_metadata): nothing that weights need */
  default:
    return misfit(error, "BUILD is for arrays, dtypes and dicts", object);
  }
}

/* ---- BINPERSID ---- */

cam_code pickle_persistent(arena *from, const pickle_value *id, pickle_value **out,
                           cam_error *error) {
  if (id->type != PICKLE_TUPLE || !pickle_text_is(item(id, 0), "storage"))
    return misfit(error, "a persistent id is a tuple ('storage', ...)", id);
  const pickle_value *class = item(id, 1), *key = item(id, 2), *count = item(id, 4),
                     *view = item(id, 5);
  if (class->type != PICKLE_GLOBAL || class->as.global->storage == NUMBER_TYPES)
    return misfit(error, "a storage has a storage class", class);
  if (key->type != PICKLE_TEXT && key->type != PICKLE_BYTES)
    return misfit(error, "a storage's key is a str", key);
  if (count->type != PICKLE_INT || count->as.integer < 0)
    return misfit(error, "a storage has a count", count);
  if (view->type != PICKLE_NONE)
    return misfit(
        error, "a storage inside another (PyTorch before 0.4) is not read: None is expected", view);
  cam_code code = pickle_new(from, PICKLE_STORAGE, out, error);
  if (code)
    return code;
  (*out)->as.storage.type = class->as.global->storage;
  (*out)->as.storage.key = key;
  (*out)->as.storage.count = count->as.integer;
  return CAM_OK;
}
