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
    float *copy;
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

/* The tensor that one member of the header describes. */
static cam_code read_entry(const json *member, struct safetensors *file, struct entry *entry,
                           cam_error *error) {
  cam_tensor *tensor = &entry->tensor;
  tensor->name = json_name(member);
  char where[96];
  snprintf(where, sizeof where, "tensor \"%.60s\"", tensor->name);
  cam_code code = json_get_text(member, "dtype", &tensor->dtype, CAM_E_MODEL, where, error);
  if (code)
    return code;
  int bits = element_bits(tensor->dtype);
  if (!bits)
    return cam_fail(error, CAM_E_MODEL, "%s: dtype \"%.20s\" is unknown", where, tensor->dtype);

  const json *shape = json_member(member, "shape"), *offsets = json_member(member, "data_offsets");
  if (json_type_of(shape) != JSON_ARRAY || json_count(shape) > TENSOR_MAX_RANK)
    return cam_fail(error, CAM_E_MODEL, "%s: shape must be an array of at most %d sizes", where,
                    TENSOR_MAX_RANK);
  int64_t count = 1;
  for (const json *size = json_first(shape); size; size = json_next(size)) {
    double value = json_number(size);
    if (json_type_of(size) != JSON_NUMBER || !(value >= 0 && value <= (double)MAX_FILE) ||
        value != (double)(int64_t)value)
      return cam_fail(error, CAM_E_MODEL,
                      "%s: size %d of its shape is not a whole number from 0 to %" PRId64, where,
                      tensor->rank, MAX_FILE);
    tensor->shape[tensor->rank++] = (int64_t)value;
    if (__builtin_mul_overflow(count, (int64_t)value, &count) || count > MAX_FILE)
      return cam_fail(error, CAM_E_MODEL, "%s: more than %" PRId64 " elements", where, MAX_FILE);
  }
  tensor->count = (size_t)count;

  double at[2] = {-1, -1};
  if (json_count(offsets) == 2) {
    at[0] = json_number(json_first(offsets));
    at[1] = json_number(json_next(json_first(offsets)));
  }
  if (!(at[0] >= 0 && at[0] <= at[1] && at[1] <= (double)file->data_bytes) ||
      at[0] != (double)(int64_t)at[0] || at[1] != (double)(int64_t)at[1])
    return cam_fail(error, CAM_E_MODEL,
                    "%s: data_offsets %.0f to %.0f; the file has %" PRId64 " bytes of data", where,
                    at[0], at[1], file->data_bytes);
  entry->begin = (int64_t)at[0];
  entry->end = (int64_t)at[1];
  int64_t bytes = count * bits / 8;
  if (entry->end - entry->begin != bytes)
    return cam_fail(error, CAM_E_MODEL,
                    "%s: %" PRId64 " bytes of data; its shape and dtype take %" PRId64, where,
                    entry->end - entry->begin, bytes);
  if (strcmp(tensor->dtype, "F32"))
    return CAM_OK;
  tensor->data = (const float *)(const void *)(file->data + entry->begin);
  if ((uintptr_t)tensor->data % sizeof(float) && count) {
    entry->copy = malloc((size_t)bytes);
    if (!entry->copy)
      return cam_fail(error, CAM_E_NO_MEMORY, "%s: no memory for %" PRId64 " bytes", where, bytes);
    tensor->data = memcpy(entry->copy, file->data + entry->begin, (size_t)bytes);
  }
  return CAM_OK;
}

static int compare_begin(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
                              : (x->end > y->end) - (x->end < y->end);
}
static int compare_name(const void *a, const void *b) {
  return strcmp((*(const struct entry *const *)a)->tensor.name,
                (*(const struct entry *const *)b)->tensor.name);
}
static int compare_key(const void *key, const void *b) {
  return strcmp(key, (*(const struct entry *const *)b)->tensor.name);
}

/* All tensors of the header; they must cover the data from first byte to last, each byte once. */
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
  if (file->count)
    qsort(file->entries, (size_t)file->count, sizeof *file->entries, compare_begin);
  int64_t end = 0;
  for (int i = 0; i < file->count; i++) {
    const struct entry *entry = &file->entries[i];
    if (entry->begin != end)
      return cam_fail(error, CAM_E_MODEL,
                      "tensor \"%.60s\": its data %s at byte %" PRId64
                      "; the tensor before ends at %" PRId64,
                      entry->tensor.name,
                      entry->begin < end ? "overlaps, beginning" : "leaves a gap, beginning",
                      entry->begin, end);
    end = entry->end;
    file->by_name[i] = entry;
  }
  if (end != file->data_bytes)
    return cam_fail(error, CAM_E_MODEL,
                    "%" PRId64 " bytes of data, but the tensors end at byte %" PRId64,
                    file->data_bytes, end);
  if (file->count)
    qsort(file->by_name, (size_t)file->count, sizeof *file->by_name, compare_name);
  return CAM_OK;
}

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

cam_code safetensors_read(const char *path, safetensors **out, cam_error *error) {
  *out = NULL;
  cam_code code = CAM_OK;
  safetensors *file = calloc(1, sizeof *file);
  int fd = open(
      path, O_RDONLY | O_CLOEXEC |
                O_NONBLOCK); /* which a file ignores, and a FIFO does not wait for its other end */
  struct stat status, after;
  uint64_t header = 0;
  if (!file) {
    code = cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
    goto out;
  }
  if (fd < 0 || fstat(fd, &status)) {
    code = cam_fail(error, CAM_E_IO, "%.80s: %s", path, strerror(errno));
    goto out;
  }
  if (!S_ISREG(status.st_mode) || status.st_size < LENGTH_BYTES || status.st_size > MAX_FILE) {
    code = cam_fail(error, CAM_E_MODEL,
                    "%.80s: not a safetensors file (a regular file of %d to %" PRId64 " bytes)",
                    path, LENGTH_BYTES, MAX_FILE);
    goto out;
  }
  int64_t size = status.st_size;
  if ((code = read_fully(fd, (uint8_t *)&header, LENGTH_BYTES, path, error)))
    goto out;
  if (header < 2 || header > (uint64_t)MAX_HEADER || (int64_t)header > size - LENGTH_BYTES) {
    code = cam_fail(error, CAM_E_MODEL,
                    "%.80s: not a safetensors file: header of %" PRIu64
                    " bytes in a file of %" PRId64 " (at most %" PRId64 ")",
                    path, header, size, MAX_HEADER);
    goto out;
  }
  size_t lead = (ALIGNMENT - (LENGTH_BYTES + header) % ALIGNMENT) % ALIGNMENT;
  file->memory = aligned_alloc(ALIGNMENT,
                               (lead + (size_t)size + ALIGNMENT) / ALIGNMENT * ALIGNMENT);
  if (!file->memory) {
    code = cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory for %" PRId64 " bytes", path, size);
    goto out;
  }
  uint8_t *start = file->memory + lead;
  memcpy(start, &header, LENGTH_BYTES);
  if ((code = read_fully(fd, start + LENGTH_BYTES, (size_t)size - LENGTH_BYTES, path, error)))
    goto out;
  if (fstat(fd, &after) || after.st_size != size || after.st_mtim.tv_sec != status.st_mtim.tv_sec ||
      after.st_mtim.tv_nsec != status.st_mtim.tv_nsec) {
    code = cam_fail(error, CAM_E_MODEL, "%.80s: was written to while it was read",
                    path); /* half of this, half of that: rename a whole file instead */
    goto out;
  }
  cam_sha256_hex(start, (size_t)size, file->sha256);
  file->data = start + LENGTH_BYTES + header;
  file->data_bytes = size - LENGTH_BYTES - (int64_t)header;
  file->header = json_parse((const char *)start + LENGTH_BYTES, (size_t)header, CAM_E_MODEL, error);
  if (!file->header)
    code = error ? error->code : CAM_E_MODEL;
  else if (json_type_of(file->header) != JSON_OBJECT)
    code = cam_fail(error, CAM_E_MODEL, "%.80s: the header is not a JSON object", path);
  else
    code = read_entries(file, error);
out:
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
  return found ? &(*found)->tensor : NULL;
}
int safetensors_count(const safetensors *file) { return file->count; }
const cam_tensor *safetensors_at(const safetensors *file, int index) {
  return &file->entries[index].tensor;
}

void safetensors_drop(safetensors *file, const cam_tensor *tensor) {
  struct entry *entry = &file->entries[(const struct entry *)(const void *)tensor - file->entries];
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)(file->data + entry->begin),
            end = (uintptr_t)(file->data + entry->end);
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (end > begin)
    madvise((void *)begin, end - begin, MADV_DONTNEED);
  free(entry->copy);
  entry->copy = NULL;
  entry->tensor.data = NULL;
}

const char *safetensors_sha256(const safetensors *file) { return file->sha256; }
const char *safetensors_metadata(const safetensors *file, const char *key) {
  const json *text = json_member(json_member(file->header, "__metadata__"), key);
  return json_type_of(text) == JSON_STRING ? json_text(text) : NULL;
}

cam_code safetensors_write(FILE *out, const cam_tensor *tensors, int n, const char *metadata_key,
                           const char *metadata_text, cam_error *error) {
  json *header = json_new_object();
  json_add_text(json_add_object(header, "__metadata__"), metadata_key, metadata_text);
  int64_t offset = 0;
  for (int i = 0; i < n; i++) {
    json *entry = json_add_object(header, tensors[i].name);
    json_add_text(entry, "dtype", "F32");
    json *shape = json_add_array(entry, "shape"), *offsets = json_add_array(entry, "data_offsets");
    for (int d = 0; d < tensors[i].rank; d++)
      json_add_int(shape, NULL, tensors[i].shape[d]);
    json_add_int(offsets, NULL, offset);
    offset += (int64_t)(tensors[i].count * sizeof(float));
    json_add_int(offsets, NULL, offset);
  }
  size_t length = 0;
  char *text = json_print(header, true, &length);
  json_free(header);
  if (!text)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a header of %d tensors", n);
  uint64_t padded = (LENGTH_BYTES + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - LENGTH_BYTES;
  bool written = fwrite(&padded, LENGTH_BYTES, 1, out) == 1 &&
                 fprintf(out, "%s%*s", text, (int)(padded - length), "") == (int)padded;
  free(text);
  for (int i = 0; i < n && written; i++)
    written = fwrite(tensors[i].data, sizeof(float), tensors[i].count, out) == tensors[i].count;
  if (!written)
    return cam_fail(error, CAM_E_IO, "writing tensors: %s", strerror(errno));
  return CAM_OK;
}
