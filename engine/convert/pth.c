/* pth.c - PyTorch state dicts, {"name": tensor}, in both of its formats: torch/serialization.py,
 * _legacy_save and _save. Legacy: pickles of the magic number, the protocol, facts about the
 * machine, the state dict, the storages' keys; then for each key an int64 count and the raw
 * numbers, little-endian. Zip: NAME/data.pkl is the state dict, NAME/data/KEY are the storages,
 * NAME/byteorder theirs. */
#include "pth.h"
#include "archive.h"
#include "cam_minmax.h"
#include "unpickle.h"
#include <stdlib.h>
#include <string.h>

/* A storage that tensors share: where its numbers are. */
typedef struct storage {
  const pickle_value *value; /* a STORAGE */
  const uint8_t *data;       /* NULL: not found yet */
} storage;

typedef struct storages {
  size_t n;
  storage *list; /* [n] by key */
  bool big_endian;
} storages;

/* ---- the state dict: tensors by name ---- */

/* Checkpoints hold the state dict under one of these. */
static const pickle_value *inner_dict(const pickle_value *root) {
  static const char *const names[] = {"state_dict", "model"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const pickle_value *inner = pickle_find(root, names[i]);
    if (inner && inner->type == PICKLE_DICT)
      return inner;
  }
  return root;
}

static int compare_keys(const void *a, const void *b) {
  const pickle_value *x = ((const storage *)a)->value->as.storage.key,
                     *y = ((const storage *)b)->value->as.storage.key;
  if (x->as.bytes.n < y->as.bytes.n)
    return -1;
  if (x->as.bytes.n > y->as.bytes.n)
    return 1;
  return memcmp(x->as.bytes.data, y->as.bytes.data, x->as.bytes.n);
}

static storage *find_storage(const storages *in, const pickle_value *key) {
  pickle_value wanted = {.type = PICKLE_STORAGE, .as.storage.key = key};
  return bsearch(&(storage){&wanted, NULL}, in->list, in->n, sizeof *in->list, compare_keys);
}

/* The storages that the tensors of a state dict use, each once. Two of one key must agree. */
static cam_code list_storages(weights *all, const pickle_value *dict, storages *out,
                              cam_error *error) {
  size_t n = 0, kept = 0;
  out->list = arena_alloc(all->memory, (dict->as.list.n / 2 + 1) * sizeof *out->list);
  if (!out->list)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of storages");
  for (size_t i = 1; i < dict->as.list.n; i += 2)
    if (dict->as.list.items[i]->type == PICKLE_TENSOR)
      out->list[n++].value = dict->as.list.items[i]->as.tensor.storage;
  qsort(out->list, n, sizeof *out->list, compare_keys);
  for (size_t i = 0; i < n; i++) {
    if (!kept || compare_keys(&out->list[kept - 1], &out->list[i])) {
      out->list[kept++] = out->list[i];
      continue;
    }
    const pickle_value *last = out->list[kept - 1].value, *each = out->list[i].value;
    if (last->as.storage.type != each->as.storage.type ||
        last->as.storage.count != each->as.storage.count)
      return cam_fail(error, CAM_E_WEIGHTS, "storage '%.*s' is described in two ways",
                      (int)min_size(each->as.storage.key->as.bytes.n, 63),
                      (const char *)each->as.storage.key->as.bytes.data);
  }
  out->n = kept;
  return CAM_OK;
}

/* SIZE_MAX, which no file has, where it is more than that. */
static size_t storage_bytes(const pickle_value *value) {
  size_t bytes;
  if (__builtin_mul_overflow((size_t)value->as.storage.count, number_bytes(value->as.storage.type),
                             &bytes))
    return SIZE_MAX;
  return bytes;
}

static cam_code add_state_tensor(weights *all, const char *name, const pickle_value *tensor,
                                 const storages *in, cam_error *error) {
  const storage *from = find_storage(in, tensor->as.tensor.storage->as.storage.key);
  if (!from || !from->data)
    return cam_fail(error, CAM_E_WEIGHTS, "tensor %s: the file does not hold its numbers", name);
  number_type type = from->value->as.storage.type;
  uint64_t count = (uint64_t)from->value->as.storage.count,
           offset = (uint64_t)tensor->as.tensor.offset;
  number_view view = {.type = type, .big_endian = in->big_endian, .rank = tensor->as.tensor.rank};
  memcpy(view.shape, tensor->as.tensor.shape, sizeof view.shape);
  memcpy(view.stride, tensor->as.tensor.stride, sizeof view.stride);
  if (offset > count || !number_fits(&view, count - offset))
    return cam_fail(
        error, CAM_E_WEIGHTS,
        "tensor %s: its offset, size and stride reach beyond its storage of %llu numbers", name,
        (unsigned long long)count);
  view.data = from->data + offset * number_bytes(type);
  return weights_add(all, name, &view, error);
}

/* Values that are no tensors (epoch, nested dicts of an optimizer) are left out. */
static cam_code add_state_dict(weights *all, const pickle_value *dict, const storages *in,
                               cam_error *error) {
  cam_code code = CAM_OK;
  for (size_t i = 0; i + 1 < dict->as.list.n && !code; i += 2) {
    const char *name;
    if (dict->as.list.items[i + 1]->type != PICKLE_TENSOR)
      continue;
    if (!pickle_text(all->memory, dict->as.list.items[i], &name))
      return cam_fail(error, CAM_E_WEIGHTS, "state dict: a tensor's name is %s",
                      pickle_type_name(dict->as.list.items[i]));
    code = add_state_tensor(all, name, dict->as.list.items[i + 1], in, error);
  }
  return code;
}

static cam_code read_state_dict(weights *all, const uint8_t *bytes, size_t n, size_t *used,
                                const pickle_value **dict, storages *out, cam_error *error) {
  const pickle_value *root;
  cam_code code = unpickle(all->memory, bytes, n, used, &root, error);
  if (code)
    return code;
  *dict = inner_dict(root);
  if ((*dict)->type != PICKLE_DICT)
    return cam_fail(error, CAM_E_WEIGHTS, "the file holds %s; expected is a state dict",
                    pickle_type_name(*dict));
  return list_storages(all, *dict, out, error);
}

/* ---- legacy ---- */

/* The numbers of each key in `keys`, one after the other from bytes[at] on. */
static cam_code place_storages(weights *all, size_t at, const pickle_value *keys, storages *in,
                               cam_error *error) {
  for (size_t i = 0; i < keys->as.list.n; i++) {
    const pickle_value *key = keys->as.list.items[i];
    storage *found = NULL;
    if (key->type == PICKLE_TEXT || key->type == PICKLE_BYTES)
      found = find_storage(in, key);
    if (!found || found->data)
      return cam_fail(error, CAM_E_WEIGHTS,
                      "storage %zu of %zu: no tensor uses it, or it comes twice", i + 1,
                      keys->as.list.n);
    uint64_t count = 0;
    if (all->n_file - at < 8)
      return cam_fail(error, CAM_E_WEIGHTS, "storage %zu of %zu: the file ends before it", i + 1,
                      keys->as.list.n);
    for (int byte = 0; byte < 8; byte++)
      count |= (uint64_t)all->file[at + (size_t)byte] << 8 * byte;
    at += 8;
    if (count != (uint64_t)found->value->as.storage.count)
      return cam_fail(error, CAM_E_WEIGHTS,
                      "storage %zu of %zu: it has %llu numbers, its tensors expect %lld", i + 1,
                      keys->as.list.n, (unsigned long long)count,
                      (long long)found->value->as.storage.count);
    if (storage_bytes(found->value) > all->n_file - at)
      return cam_fail(error, CAM_E_WEIGHTS,
                      "storage %zu of %zu: the file ends within its %llu numbers", i + 1,
                      keys->as.list.n, (unsigned long long)count);
    found->data = all->file + at;
    at += storage_bytes(found->value);
  }
  return CAM_OK;
}

static bool is_magic(const pickle_value *value) {
  static const uint8_t number[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                     0x20, 0x6a, 0xa8, 0x50, 0x19}; /* 0x1950a86a20f9469cfc6c */
  return value->type == PICKLE_LONG && value->as.bytes.n == sizeof number &&
         !memcmp(value->as.bytes.data, number, sizeof number);
}

cam_code pth_read_legacy(weights *all, cam_error *error) {
  size_t at = 0, used;
  const pickle_value *value, *dict = NULL;
  storages in = {0};
  cam_code code = CAM_OK;
  /* Magic number, protocol, facts about the machine that wrote it: the numbers are little-endian
   * whatever it was. */
  for (int i = 0; i < 3 && !code; i++) {
    code = unpickle(all->memory, all->file + at, all->n_file - at, &used, &value, error);
    at += used;
    if (!code && i == 0 && !is_magic(value))
      code = cam_fail(error, CAM_E_WEIGHTS,
                      "the file is a pickle, but not a PyTorch state dict: it does not begin with "
                      "the magic number");
    if (!code && i == 1 && (value->type != PICKLE_INT || value->as.integer != 1001))
      code = cam_fail(error, CAM_E_WEIGHTS, "legacy PyTorch file: its protocol is not 1001");
  }
  if (!code)
    code = read_state_dict(all, all->file + at, all->n_file - at, &used, &dict, &in, error);
  if (code)
    return code;
  at += used;
  code = unpickle(all->memory, all->file + at, all->n_file - at, &used, &value, error);
  if (code)
    return code;
  if (value->type != PICKLE_LIST)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "legacy PyTorch file: %s; expected is the list of storages",
                    pickle_type_name(value));
  code = place_storages(all, at + used, value, &in, error);
  if (code)
    return code;
  return add_state_dict(all, dict, &in, error);
}

/* ---- zip ---- */

/* The entry NAME/data/KEY of each storage. */
static cam_code fetch_storages(weights *all, archive *zip, const char *prefix, storages *in,
                               cam_error *error) {
  for (size_t i = 0; i < in->n; i++) {
    const char *key, *name = NULL;
    const uint8_t *data;
    size_t n;
    if (pickle_text(all->memory, in->list[i].value->as.storage.key, &key))
      name = weights_join_name(all, prefix, "data/", key);
    if (!name)
      return cam_fail(error, CAM_E_WEIGHTS, "a storage's key is not a text");
    cam_code code = archive_read(zip, all->memory, name, &data, &n, error);
    if (code)
      return code;
    if (n != storage_bytes(in->list[i].value))
      return cam_fail(error, CAM_E_WEIGHTS,
                      "zip: entry '%.60s' has %zu bytes; its tensors expect %lld numbers", name, n,
                      (long long)in->list[i].value->as.storage.count);
    in->list[i].data = data;
  }
  return CAM_OK;
}

/* Files from before there were big-endian ones have no such entry. */
static cam_code read_byte_order(weights *all, archive *zip, const char *folder, bool *big_endian,
                                cam_error *error) {
  const uint8_t *bytes;
  size_t n;
  const char *path = weights_join_name(all, folder, "byteorder", "");
  if (!path)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for names");
  if (!archive_has(zip, path))
    return CAM_OK;
  const cam_code code = archive_read(zip, all->memory, path, &bytes, &n, error);
  *big_endian = !code && n >= 3 && !memcmp(bytes, "big", 3);
  return code;
}

static cam_code read_archive(weights *all, archive *zip, cam_error *error) {
  const char *folder = NULL;
  const uint8_t *bytes = NULL;
  size_t n = 0, used;
  const pickle_value *dict = NULL;
  storages in = {0};
  cam_code code = archive_folder_of(zip, all->memory, "data.pkl", &folder, error);
  if (code)
    return code;
  const char *path = weights_join_name(all, folder, "data.pkl", "");
  if (!path)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for names");
  code = archive_read(zip, all->memory, path, &bytes, &n, error);
  if (!code)
    code = read_state_dict(all, bytes, n, &used, &dict, &in, error);
  if (!code)
    code = read_byte_order(all, zip, folder, &in.big_endian, error);
  if (!code)
    code = fetch_storages(all, zip, folder, &in, error);
  if (!code)
    code = add_state_dict(all, dict, &in, error);
  return code;
}

cam_code pth_read_zip(weights *all, cam_error *error) {
  archive *zip = NULL;
  cam_code code = archive_open(all->file, all->n_file, &zip, error);
  if (!code)
    code = read_archive(all, zip, error);
  archive_close(zip);
  return code;
}
