/* safetensors.c - safetensors.h. Flow: model file -> [tensors] -> graph.   Thread: loading only;
 * what it returns is immutable. The file is untrusted: nothing in its header is believed before it
 * is checked against the bytes that are there. */
#include "safetensors.h"
#include "cam_encoding.h"
#include "cam_json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are read as they lie in the file");

enum { LENGTH_BYTES = 8, ALIGNMENT = 64 };
static const int64_t MAX_HEADER = 100 * 1000 * 1000, MAX_FILE = INT64_C(1) << 36;

struct safetensors {
  uint8_t *memory;     /* the whole file, at an offset that aligns the data */
  const uint8_t *data; /* first byte after the header */
  int64_t data_bytes;
  json *header; /* owns the names */
  int count;
  struct entry {
    cam_tensor tensor; /* first: safetensors_drop */
    int64_t begin, end;
    void *copy;
  } * entries;                  /* [count], in the order of their data */
  const struct entry **by_name; /* [count], sorted */
  char sha256[65];
};

static int element_bits(const char *dtype) {
  static const struct {
    const char *name;
    int bits;
  } dtypes[] = {
      {"F32", 32}, {"F16", 16}, {"BF16", 16}, {"F64", 64},    {"I64", 64},
      {"I32", 32}, {"I16", 16}, {"I8", 8},    {"U64", 64},    {"U32", 32},
      {"U16", 16}, {"U8", 8},   {"BOOL", 8},  {"F8_E4M3", 8}, {"F8_E5M2", 8},
  };
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
    if (!strcmp(dtypes[i].name, dtype))
      return dtypes[i].bits;
  return 0;
}

/* ---- one member of the header ---- */

static bool is_whole(double value, int64_t most) {
  return value >= 0 && value <= (double)most && value == (double)(int64_t)value;
}

/* Rank, shape and number of elements. */
static cam_code read_shape(const json *member, const char *where, cam_tensor *tensor,
                           cam_error *error) {
  const json *shape = json_member(member, "shape");
  if (json_type_of(shape) != JSON_ARRAY || json_count(shape) > TENSOR_MAX_RANK)
    return cam_fail(error, CAM_E_MODEL, "%s: shape must be an array of at most %d sizes", where,
                    TENSOR_MAX_RANK);
  int64_t count = 1;
  for (const json *size = json_first(shape); size; size = json_next(size)) {
    const double value = json_number(size);
    if (json_type_of(size) != JSON_NUMBER || !is_whole(value, MAX_FILE))
      return cam_fail(error, CAM_E_MODEL,
                      "%s: size %d of its shape is not a whole number from 0 to %" PRId64, where,
                      tensor->rank, MAX_FILE);
    tensor->shape[tensor->rank++] = (int64_t)value;
    if (__builtin_mul_overflow(count, (int64_t)value, &count) || count > MAX_FILE)
      return cam_fail(error, CAM_E_MODEL, "%s: more than %" PRId64 " elements", where, MAX_FILE);
  }
  tensor->count = (size_t)count;
  return CAM_OK;
}

/* Where its data lies: inside the file, as many bytes as shape and dtype take. */
static cam_code read_offsets(const json *member, const char *where, int64_t data_bytes,
                             struct entry *entry, cam_error *error) {
  const json *offsets = json_member(member, "data_offsets");
  double begin = -1, end = -1;
  if (json_count(offsets) == 2) {
    begin = json_number(json_first(offsets));
    end = json_number(json_next(json_first(offsets)));
  }
  if (!is_whole(end, data_bytes) || !is_whole(begin, (int64_t)end))
    return cam_fail(error, CAM_E_MODEL,
                    "%s: data_offsets %.0f to %.0f; the file has %" PRId64 " bytes of data", where,
                    begin, end, data_bytes);
  entry->begin = (int64_t)begin;
  entry->end = (int64_t)end;
  const int64_t bytes = (int64_t)entry->tensor.count * element_bits(entry->tensor.dtype) / 8;
  if (entry->end - entry->begin != bytes)
    return cam_fail(error, CAM_E_MODEL,
                    "%s: %" PRId64 " bytes of data; its shape and dtype take %" PRId64, where,
                    entry->end - entry->begin, bytes);
  return CAM_OK;
}

/* The pointer of the tensor's dtype; all are NULL of a dtype that nobody reads. */
static void set_values(cam_tensor *tensor, const void *values) {
  if (!strcmp(tensor->dtype, "F32"))
    tensor->data = values;
  else if (!strcmp(tensor->dtype, "I8"))
    tensor->bytes = values;
  else if (!strcmp(tensor->dtype, "I32"))
    tensor->wholes = values;
}

/* Values as they lie in the file, or a copy of them where they do not lie as words must. */
static cam_code find_values(const uint8_t *data, const char *where, struct entry *entry,
                            cam_error *error) {
  const uint8_t *from = data + entry->begin;
  const size_t bytes = (size_t)(entry->end - entry->begin);
  set_values(&entry->tensor, from);
  if (entry->tensor.bytes || (uintptr_t)from % sizeof(float) == 0 || !bytes)
    return CAM_OK;
  if (!entry->tensor.data && !entry->tensor.wholes)
    return CAM_OK;
  entry->copy = malloc(bytes);
  if (!entry->copy)
    return cam_fail(error, CAM_E_NO_MEMORY, "%s: no memory for %zu bytes", where, bytes);
  set_values(&entry->tensor, memcpy(entry->copy, from, bytes));
  return CAM_OK;
}

static cam_code read_entry(const json *member, struct safetensors *file, struct entry *entry,
                           cam_error *error) {
  cam_tensor *tensor = &entry->tensor;
  tensor->name = json_name(member);
  char where[96];
  snprintf(where, sizeof where, "tensor \"%.60s\"", tensor->name);
  cam_code code = json_get_text(member, "dtype", &tensor->dtype, CAM_E_MODEL, where, error);
  if (code)
    return code;
  if (!element_bits(tensor->dtype))
    return cam_fail(error, CAM_E_MODEL, "%s: dtype \"%.20s\" is unknown", where, tensor->dtype);
  code = read_shape(member, where, tensor, error);
  if (!code)
    code = read_offsets(member, where, file->data_bytes, entry, error);
  if (!code)
    code = find_values(file->data, where, entry, error);
  return code;
}

/* ---- the header ---- */

/* Is a before b, after it, or neither: -1, 1, 0. */
static int order(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int compare_begin(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  const int by_begin = order(x->begin, y->begin);
  if (by_begin)
    return by_begin;
  return order(x->end, y->end);
}
static int compare_name(const void *a, const void *b) {
  return strcmp((*(const struct entry *const *)a)->tensor.name,
                (*(const struct entry *const *)b)->tensor.name);
}
static int compare_key(const void *key, const void *b) {
  return strcmp(key, (*(const struct entry *const *)b)->tensor.name);
}

/* The tensors, sorted, must cover the data from first byte to last, each byte once. */
static cam_code check_cover(const safetensors *file, cam_error *error) {
  int64_t end = 0;
  for (int i = 0; i < file->count; i++) {
    const struct entry *entry = &file->entries[i];
    const char *fault = NULL;
    if (entry->begin < end)
      fault = "overlaps";
    else if (entry->begin > end)
      fault = "leaves a gap";
    if (fault)
      return cam_fail(error, CAM_E_MODEL,
                      "tensor \"%.60s\": its data %s, beginning at byte %" PRId64
                      "; the tensor before ends at %" PRId64,
                      entry->tensor.name, fault, entry->begin, end);
    end = entry->end;
  }
  if (end != file->data_bytes)
    return cam_fail(error, CAM_E_MODEL,
                    "%" PRId64 " bytes of data, but the tensors end at byte %" PRId64,
                    file->data_bytes, end);
  return CAM_OK;
}

/* All tensors of the header. */
static cam_code read_entries(safetensors *file, cam_error *error) {
  int members = json_count(file->header);
  file->entries = calloc((size_t)members + 1, sizeof *file->entries);
  file->by_name = calloc((size_t)members + 1, sizeof *file->by_name);
  if (!file->entries || !file->by_name)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d tensors", members);
  for (const json *member = json_first(file->header); member; member = json_next(member)) {
    if (!strcmp(json_name(member), "__metadata__"))
      continue;
    cam_code code = read_entry(member, file, &file->entries[file->count++], error);
    if (code)
      return code;
  }
  qsort(file->entries, (size_t)file->count, sizeof *file->entries, compare_begin);
  for (int i = 0; i < file->count; i++)
    file->by_name[i] = &file->entries[i];
  qsort(file->by_name, (size_t)file->count, sizeof *file->by_name, compare_name);
  return check_cover(file, error);
}

static cam_code parse_header(safetensors *file, const char *path, const char *text, size_t n,
                             cam_error *error) {
  cam_error parse = {0};
  file->header = json_parse(text, n, CAM_E_MODEL, &parse);
  if (!file->header)
    return cam_fail(error, parse.code, "%s", parse.detail);
  if (json_type_of(file->header) != JSON_OBJECT)
    return cam_fail(error, CAM_E_MODEL, "%.80s: the header is not a JSON object", path);
  return read_entries(file, error);
}

/* ---- the file ---- */

static cam_code read_fully(int fd, uint8_t *to, size_t n, const char *path, cam_error *error) {
  while (n) {
    ssize_t got = read(fd, to, n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cam_fail(error, CAM_E_IO, "%.80s: %s", path, strerror(errno));
    if (!got)
      return cam_fail(error, CAM_E_MODEL, "%.80s: ends %zu bytes early", path, n);
    to += got;
    n -= (size_t)got;
  }
  return CAM_OK;
}

/* Opens a regular file of a possible size. O_NONBLOCK: a file ignores it, and of a FIFO it does not
 * wait for the other end. */
static cam_code open_file(const char *path, int *fd, struct stat *status, cam_error *error) {
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (*fd < 0 || fstat(*fd, status))
    return cam_fail(error, CAM_E_IO, "%.80s: %s", path, strerror(errno));
  if (!S_ISREG(status->st_mode) || status->st_size < LENGTH_BYTES || status->st_size > MAX_FILE)
    return cam_fail(error, CAM_E_MODEL,
                    "%.80s: not a safetensors file (a regular file of %d to %" PRId64 " bytes)",
                    path, LENGTH_BYTES, MAX_FILE);
  return CAM_OK;
}

/* Half of a file from before a change and half from after it would be neither: whoever replaces a
 * model renames a whole file. */
static cam_code check_unchanged(int fd, const struct stat *before, const char *path,
                                cam_error *error) {
  struct stat now;
  if (fstat(fd, &now) || now.st_size != before->st_size ||
      now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
    return cam_fail(error, CAM_E_MODEL, "%.80s: was written to while it was read", path);
  return CAM_OK;
}

/* ONNX begins with its version's field, a number from 1 to 127, and goes on with a field of text
 * (its producer, 0x12) or the graph (0x3a); as the length of a header that is more than any. */
static bool looks_like_onnx(uint64_t header) {
  const unsigned field = header & 0xff, version = header >> 8 & 0xff, next = header >> 16 & 0xff;
  return header > (uint64_t)MAX_HEADER && field == 0x08 && version && version < 0x80 &&
         (next == 0x12 || next == 0x3a);
}

/* The whole file into memory, and what its header says of it. */
static cam_code load_tensors(safetensors *file, int fd, const struct stat *status, const char *path,
                             cam_error *error) {
  const int64_t size = status->st_size;
  uint64_t header = 0;
  cam_code code = read_fully(fd, (uint8_t *)&header, LENGTH_BYTES, path, error);
  if (code)
    return code;
  if (looks_like_onnx(header))
    return cam_fail(
        error, CAM_E_MODEL,
        "%.80s: this looks like ONNX (protobuf): camserve convert makes a model file of it", path);
  if (header < 2 || header > (uint64_t)MAX_HEADER || (int64_t)header > size - LENGTH_BYTES)
    return cam_fail(error, CAM_E_MODEL,
                    "%.80s: not a safetensors file: header of %" PRIu64
                    " bytes in a file of %" PRId64 " (at most %" PRId64 ")",
                    path, header, size, MAX_HEADER);
  const size_t lead = (ALIGNMENT - (LENGTH_BYTES + header) % ALIGNMENT) % ALIGNMENT;
  file->memory = aligned_alloc(ALIGNMENT,
                               (lead + (size_t)size + ALIGNMENT) / ALIGNMENT * ALIGNMENT);
  if (!file->memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory for %" PRId64 " bytes", path, size);
  uint8_t *start = file->memory + lead;
  memcpy(start, &header, LENGTH_BYTES);
  code = read_fully(fd, start + LENGTH_BYTES, (size_t)size - LENGTH_BYTES, path, error);
  if (!code)
    code = check_unchanged(fd, status, path, error);
  if (code)
    return code;
  cam_sha256_hex(start, (size_t)size, file->sha256);
  file->data = start + LENGTH_BYTES + header;
  file->data_bytes = size - LENGTH_BYTES - (int64_t)header;
  return parse_header(file, path, (const char *)start + LENGTH_BYTES, (size_t)header, error);
}

cam_code safetensors_read(const char *path, safetensors **out, cam_error *error) {
  *out = NULL;
  int fd = -1;
  struct stat status;
  safetensors *file = calloc(1, sizeof *file);
  if (!file)
    return cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
  cam_code code = open_file(path, &fd, &status, error);
  if (!code)
    code = load_tensors(file, fd, &status, path, error);
  if (fd >= 0)
    close(fd);
  if (code)
    safetensors_free(file);
  else
    *out = file;
  return code;
}

void safetensors_free(safetensors *file) {
  if (!file)
    return;
  for (int i = 0; i < file->count; i++)
    free(file->entries[i].copy);
  free(file->entries);
  free(file->by_name);
  json_free(file->header);
  free(file->memory);
  free(file);
}

const cam_tensor *safetensors_find(const safetensors *file, const char *name) {
  if (!file->count)
    return NULL;
  const struct entry *const *found = bsearch(name, file->by_name, (size_t)file->count,
                                             sizeof *file->by_name, compare_key);
  if (!found)
    return NULL;
  return &(*found)->tensor;
}

int safetensors_count(const safetensors *file) { return file->count; }
const cam_tensor *safetensors_at(const safetensors *file, int index) {
  return &file->entries[index].tensor;
}

void safetensors_drop(safetensors *file, const cam_tensor *tensor) {
  struct entry *entry = &file->entries[(const struct entry *)(const void *)tensor - file->entries];
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t begin = (uintptr_t)(file->data + entry->begin),
            end = (uintptr_t)(file->data + entry->end);
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (end > begin)
    madvise((void *)begin, end - begin, MADV_DONTNEED);
  free(entry->copy);
  entry->copy = NULL;
  set_values(&entry->tensor, NULL);
}

const char *safetensors_sha256(const safetensors *file) { return file->sha256; }
const char *safetensors_metadata(const safetensors *file, const char *key) {
  const json *text = json_member(json_member(file->header, "__metadata__"), key);
  if (json_type_of(text) != JSON_STRING)
    return NULL;
  return json_text(text);
}

static const void *tensor_values(const cam_tensor *tensor) {
  if (tensor->bytes)
    return tensor->bytes;
  if (tensor->wholes)
    return tensor->wholes;
  return tensor->data;
}
static const char *tensor_dtype(const cam_tensor *tensor) {
  if (tensor->dtype)
    return tensor->dtype;
  return "F32";
}
static int64_t tensor_bytes(const cam_tensor *tensor) {
  return (int64_t)tensor->count * element_bits(tensor_dtype(tensor)) / 8;
}

cam_code safetensors_write(FILE *out, const cam_tensor *tensors, int n, const char *metadata_key,
                           const char *metadata_text, cam_error *error) {
  json *header = json_new_object();
  json_add_text(json_add_object(header, "__metadata__"), metadata_key, metadata_text);
  int64_t offset = 0;
  for (int i = 0; i < n; i++) {
    json *entry = json_add_object(header, tensors[i].name);
    json_add_text(entry, "dtype", tensor_dtype(&tensors[i]));
    json *shape = json_add_array(entry, "shape"), *offsets = json_add_array(entry, "data_offsets");
    for (int d = 0; d < tensors[i].rank; d++)
      json_add_int(shape, NULL, tensors[i].shape[d]);
    json_add_int(offsets, NULL, offset);
    offset += tensor_bytes(&tensors[i]);
    json_add_int(offsets, NULL, offset);
  }
  size_t length = 0;
  char *text = json_print(header, true, &length);
  json_free(header);
  if (!text)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a header of %d tensors", n);
  const uint64_t padded = (LENGTH_BYTES + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT -
                          LENGTH_BYTES;
  bool written = fwrite(&padded, LENGTH_BYTES, 1, out) == 1 &&
                 fprintf(out, "%s%*s", text, (int)(padded - length), "") == (int)padded;
  free(text);
  for (int i = 0; i < n && written; i++) {
    const size_t bytes = (size_t)tensor_bytes(&tensors[i]);
    written = fwrite(tensor_values(&tensors[i]), 1, bytes, out) == bytes;
  }
  if (!written)
    return cam_fail(error, CAM_E_IO, "writing tensors: %s", strerror(errno));
  return CAM_OK;
}
