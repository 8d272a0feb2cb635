/* onnx_data.c - see onnx_data.h. Float32 numbers are used where they lie; all else is converted:
 * real numbers to float32, whole ones to int64. */
#include "onnx_data.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 4096 };

/* TensorProto.DataType. Other types of ONNX are known by name only. */
static const struct {
  const char *name;
  number_type as; /* NUMBER_TYPES: not read */
  bool real;
} types[] = {
    [0] = {"undefined", NUMBER_TYPES, false},  [1] = {"float32", NUMBER_F32, true},
    [2] = {"uint8", NUMBER_U8, false},         [3] = {"int8", NUMBER_I8, false},
    [4] = {"uint16", NUMBER_TYPES, false},     [5] = {"int16", NUMBER_I16, false},
    [6] = {"int32", NUMBER_I32, false},        [7] = {"int64", NUMBER_I64, false},
    [8] = {"string", NUMBER_TYPES, false},     [9] = {"bool", NUMBER_BOOL, false},
    [10] = {"float16", NUMBER_F16, true},      [11] = {"float64", NUMBER_F64, true},
    [12] = {"uint32", NUMBER_TYPES, false},    [13] = {"uint64", NUMBER_TYPES, false},
    [14] = {"complex64", NUMBER_TYPES, false}, [15] = {"complex128", NUMBER_TYPES, false},
    [16] = {"bfloat16", NUMBER_BF16, true},
};
enum { TYPES = sizeof types / sizeof *types };

/* ---- external data ---- */

/* A whole number of 0 or more, written in decimal; fallback if there is no text. */
static bool read_offset(const char *text, int64_t fallback, int64_t *out) {
  char *end;
  *out = fallback;
  if (!text)
    return true;
  errno = 0;
  *out = strtoll(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* A name of a file in the same folder: no path, so nothing outside can be read. */
static bool is_plain_name(const char *name) {
  return *name && strcmp(name, ".") && strcmp(name, "..") && !strpbrk(name, "/\\");
}

static cam_code read_at(const onnx_data *data, int fd, int64_t offset, uint8_t *to, size_t n,
                        cam_error *error) {
  for (size_t done = 0; done < n;) {
    ssize_t got = pread(fd, to + done, n - done, (off_t)(offset + (int64_t)done));
    if (got <= 0)
      return cam_fail(error, CAM_E_IO, "tensor %.60s: its data in %.60s cannot be read", data->name,
                      data->location);
    done += (size_t)got;
  }
  return CAM_OK;
}

/* Reads `bytes` bytes of the file that the tensor names. */
static cam_code read_external(const onnx_data *data, const char *path, arena *memory, int64_t bytes,
                              const uint8_t **out, cam_error *error) {
  char beside[MAX_PATH];
  int64_t offset, length;
  const char *slash = strrchr(path, '/');
  struct stat about;
  if (!is_plain_name(data->location))
    return cam_fail(error, CAM_E_WEIGHTS,
                    "tensor %.50s: external data in \"%.60s\", which is no plain file name",
                    data->name, data->location);
  if (!read_offset(data->offset, 0, &offset) || !read_offset(data->length, bytes, &length) ||
      length != bytes)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "tensor %.50s: external data at offset %.20s, length %.20s; %lld bytes belong "
                    "to its shape",
                    data->name, data->offset ? data->offset : "0",
                    data->length ? data->length : "?", (long long)bytes);
  snprintf(beside, sizeof beside, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path,
           data->location);
  int fd = open(beside, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return cam_fail(error, CAM_E_IO, "tensor %.40s: external data: %.60s: %s", data->name,
                    data->location, strerror(errno));
  cam_code code = CAM_OK;
  uint8_t *room = NULL;
  if (fstat(fd, &about) || !S_ISREG(about.st_mode))
    code = cam_fail(error, CAM_E_IO, "tensor %.50s: external data: %.60s is not a file", data->name,
                    data->location);
  else if (offset > about.st_size || bytes > about.st_size - offset)
    code = cam_fail(error, CAM_E_WEIGHTS,
                    "tensor %.40s: %lld bytes at offset %lld of %.40s, which has %lld", data->name,
                    (long long)bytes, (long long)offset, data->location, (long long)about.st_size);
  else if (!(room = arena_alloc(memory, (size_t)bytes + 1)))
    code = cam_fail(error, CAM_E_NO_MEMORY,
                    "tensor %.60s: no memory for %lld bytes of external data", data->name,
                    (long long)bytes);
  else
    code = read_at(data, fd, offset, room, (size_t)bytes, error);
  close(fd);
  *out = room;
  return code;
}

/* ---- conversion ---- */

/* Where the numbers are, as bytes, and how many there are; numbers of 32 bits that hold smaller
 * ones are copied to their own size. */
static const uint8_t *find_numbers(const onnx_data *data, arena *memory, size_t *count,
                                   bool *no_memory) {
  const number_type as = types[data->type].as;
  const size_t size = number_bytes(as);
  *count = data->n_raw / size;
  if (data->has_raw)
    return data->n_raw % size ? NULL : data->raw;
  if (as == NUMBER_F32)
    return *count = data->n_floats, (const uint8_t *)data->floats;
  if (as == NUMBER_F64)
    return *count = data->n_doubles, (const uint8_t *)data->doubles;
  if (as == NUMBER_I64)
    return *count = data->n_longs, (const uint8_t *)data->longs;
  *count = data->n_ints;
  uint8_t *narrow = arena_alloc(memory, data->n_ints * size + 1);
  *no_memory = !narrow;
  for (size_t i = 0; i < data->n_ints && narrow; i++) {
    const uint32_t bits = (uint32_t)data->ints[i];
    for (size_t b = 0; b < size; b++)
      narrow[i * size + b] = (uint8_t)(bits >> 8 * b);
  }
  return narrow;
}

/* Numbers at `from`, of the tensor's type, into the constant, which is zero. */
static cam_code convert_numbers(const onnx_data *data, const uint8_t *from, int64_t n, constant *to,
                                arena *memory, cam_error *error) {
  const number_type as = types[data->type].as;
  if (as == NUMBER_F32 && !((uintptr_t)from % sizeof(float)))
    return to->real = (const float *)(const void *)from, CAM_OK;
  if (as == NUMBER_I64 && !((uintptr_t)from % sizeof(int64_t)))
    return to->whole = (const int64_t *)(const void *)from, CAM_OK;
  float *reals = NULL;
  int64_t *wholes = NULL;
  if (types[data->type].real)
    to->real = reals = arena_alloc(memory, (size_t)n * sizeof *reals + 1);
  else
    to->whole = wholes = arena_alloc(memory, (size_t)n * sizeof *wholes + 1);
  if (!reals && !wholes)
    return cam_fail(error, CAM_E_NO_MEMORY, "tensor %.60s: no memory for %lld numbers", data->name,
                    (long long)n);
  if (as == NUMBER_I64)
    return memcpy(wholes, from, (size_t)n * sizeof *wholes), CAM_OK;
  number_view one = {.type = as};
  for (int64_t i = 0; i < n; i++) {
    double value;
    one.data = from + (size_t)i * number_bytes(as);
    number_read(&one, &value);
    if (reals)
      reals[i] = (float)value;
    else
      wholes[i] = (int64_t)value;
  }
  return CAM_OK;
}

cam_code onnx_data_read(const onnx_data *data, const char *path, arena *memory, arena *external,
                        const constant **out, cam_error *error) {
  constant *made = arena_alloc(memory, sizeof *made);
  const uint8_t *from = NULL;
  size_t count = 0;
  bool no_memory = false;
  if (!made)
    return cam_fail(error, CAM_E_NO_MEMORY, "tensor %.60s: no memory", data->name);
  *out = made;
  if (data->rank > NUMBER_MAX_RANK || !constant_count(data->shape, (int)data->rank, &made->n))
    return cam_fail(error, CAM_E_WEIGHTS,
                    "tensor %.60s: %zu sides; allowed are %d, and %d numbers in all", data->name,
                    data->rank, NUMBER_MAX_RANK, CONSTANT_MOST);
  made->rank = (int)data->rank;
  for (int i = 0; i < made->rank; i++)
    made->shape[i] = data->shape[i];
  if (data->type < 0 || data->type >= TYPES || types[data->type].as == NUMBER_TYPES) {
    made->type = data->type < 0 || data->type >= TYPES ? "unknown" : types[data->type].name;
    return CAM_OK;
  }
  if (data->location) {
    const int64_t bytes = made->n * (int64_t)number_bytes(types[data->type].as);
    cam_code code = read_external(data, path, external, bytes, &from, error);
    if (code)
      return code;
    count = (size_t)made->n;
  } else
    from = find_numbers(data, memory, &count, &no_memory);
  if (no_memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "tensor %.60s: no memory", data->name);
  if ((int64_t)count != made->n || (!from && made->n))
    return cam_fail(error, CAM_E_WEIGHTS, "tensor %.60s: %zu numbers; its shape has %lld",
                    data->name, count, (long long)made->n);
  if (made->n)
    return convert_numbers(data, from, made->n, made, memory, error);
  made->real = types[data->type].real ? (const float *)(const void *)made : NULL;
  made->whole = made->real ? NULL : (const int64_t *)(const void *)made;
  return CAM_OK;
}
