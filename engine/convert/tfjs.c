/* tfjs.c - a TensorFlow.js model: of model.json only "weightsManifest" is read, a list of groups
 * {"paths": ["group1-shard1of25.bin", ...], "weights": [{"name", "shape", "dtype"}, ...]}. A
 * group's numbers are its files joined, tensor after tensor, float32, little-endian. */
#include "tfjs.h"
#include "cam_json.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a file of the same folder: a name that is a path is refused, so nothing outside is read. */
static cam_code open_shard(const weights *all, const char *name, int *fd, cam_error *error) {
  char path[PATH_MAX];
  const char *slash = strrchr(all->path, '/');
  int folder = 0;
  if (!*name || *name == '.' || strpbrk(name, "/\\"))
    return cam_fail(error, CAM_E_WEIGHTS, "weightsManifest: \"%.60s\" is no plain file name", name);
  if (slash)
    folder = (int)(slash - all->path) + 1;
  if (snprintf(path, sizeof path, "%.*s%s", folder, all->path, name) >= (int)sizeof path)
    return cam_fail(error, CAM_E_IO, "weightsManifest: %.60s: the path is too long", name);
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (*fd < 0)
    return cam_fail(error, CAM_E_IO, "weightsManifest: %.60s: %s", name, strerror(errno));
  return CAM_OK;
}

/* The whole of an open file, which may have `room` bytes, into `to`. */
static cam_code read_shard(int fd, const char *name, uint8_t *to, size_t room, size_t *n,
                           cam_error *error) {
  struct stat about;
  if (fstat(fd, &about) || !S_ISREG(about.st_mode))
    return cam_fail(error, CAM_E_IO, "weightsManifest: %.60s is not a file", name);
  if ((uint64_t)about.st_size > room)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "weightsManifest: %.60s has %lld bytes; its tensors have room for %zu", name,
                    (long long)about.st_size, room);
  for (*n = 0; *n < (size_t)about.st_size;) {
    const ssize_t got = read(fd, to + *n, (size_t)about.st_size - *n);
    if (got <= 0)
      return cam_fail(error, CAM_E_IO, "weightsManifest: %.60s cannot be read to its end", name);
    *n += (size_t)got;
  }
  return CAM_OK;
}

/* The files of a group, joined: exactly n bytes. */
static cam_code read_shards(const weights *all, const json *paths, uint8_t *to, size_t n,
                            cam_error *error) {
  size_t done = 0;
  for (const json *each = json_first(paths); each; each = json_next(each)) {
    int fd;
    size_t got = 0;
    if (json_type_of(each) != JSON_STRING)
      return cam_fail(error, CAM_E_WEIGHTS, "weightsManifest: a path is not a text");
    cam_code code = open_shard(all, json_text(each), &fd, error);
    if (code)
      return code;
    code = read_shard(fd, json_text(each), to + done, n - done, &got, error);
    close(fd);
    if (code)
      return code;
    done += got;
  }
  if (done < n)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "weightsManifest: the files of a group have %zu bytes; its tensors take %zu",
                    done, n);
  return CAM_OK;
}

/* Shape and type of a tensor; its data is not there yet. */
static cam_code read_manifest_entry(const json *entry, number_view *view, const char **name,
                                    cam_error *error) {
  const char *type;
  const json *shape = json_member(entry, "shape");
  cam_code code = json_get_text(entry, "name", name, CAM_E_WEIGHTS, "weightsManifest", error);
  if (!code)
    code = json_get_text(entry, "dtype", &type, CAM_E_WEIGHTS, *name, error);
  if (code)
    return code;
  if (strcmp(type, number_name(NUMBER_F32)) || json_member(entry, "quantization"))
    return cam_fail(error, CAM_E_WEIGHTS, "tensor %.60s: %.20s%s; read is float32 as it is", *name,
                    type, json_member(entry, "quantization") ? ", quantised" : "");
  *view = (number_view){.type = NUMBER_F32, .rank = json_count(shape)};
  if (json_type_of(shape) != JSON_ARRAY || view->rank > NUMBER_MAX_RANK)
    return cam_fail(error, CAM_E_WEIGHTS, "tensor %.60s: a shape has at most %d sides", *name,
                    NUMBER_MAX_RANK);
  int64_t *side = view->shape;
  for (const json *each = json_first(shape); each; each = json_next(each), side++) {
    const double n = json_number(each);
    if (json_type_of(each) != JSON_NUMBER || !(n >= 1 && n <= INT32_MAX) || n != (int64_t)n)
      return cam_fail(error, CAM_E_WEIGHTS, "tensor %.60s: a side of its shape is no whole number",
                      *name);
    *side = (int64_t)n;
  }
  if (number_count(view) < 0)
    return cam_fail(error, CAM_E_WEIGHTS, "tensor %.60s: too many numbers", *name);
  number_set_strides(view, false);
  return CAM_OK;
}

/* Bytes of all tensors of a group, at most `most`. */
static cam_code sum_entries(const json *entries, size_t most, size_t *n, cam_error *error) {
  *n = 0;
  for (const json *each = json_first(entries); each; each = json_next(each)) {
    number_view view;
    const char *name;
    const cam_code code = read_manifest_entry(each, &view, &name, error);
    if (code)
      return code;
    const size_t bytes = (size_t)number_count(&view) * sizeof(float);
    if (bytes > most - *n)
      return cam_fail(error, CAM_E_NO_MEMORY, "tensor %.60s: more than %zu bytes of weights", name,
                      most);
    *n += bytes;
  }
  return CAM_OK;
}

static cam_code add_group(weights *all, const json *group, cam_error *error) {
  const json *entries = json_member(group, "weights"), *paths = json_member(group, "paths");
  size_t n;
  if (json_type_of(entries) != JSON_ARRAY || json_type_of(paths) != JSON_ARRAY)
    return cam_fail(error, CAM_E_WEIGHTS, "weightsManifest: a group has no paths or no weights");
  cam_code code = sum_entries(entries, arena_left(all->memory), &n, error);
  if (code)
    return code;
  uint8_t *data = arena_alloc(all->memory, n + 1);
  if (!data)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu bytes of weights", n);
  code = read_shards(all, paths, data, n, error);
  for (const json *each = json_first(entries); each && !code; each = json_next(each)) {
    number_view view;
    const char *name;
    read_manifest_entry(each, &view, &name, error); /* good: it has been summed */
    view.data = data;
    data += (size_t)number_count(&view) * sizeof(float);
    name = weights_join_name(all, name, "", "");
    if (!name)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory for names");
    code = weights_add(all, name, &view, error);
  }
  return code;
}

cam_code tfjs_read(weights *all, cam_error *error) {
  json *tree = json_parse((const char *)all->file, all->n_file, CAM_E_WEIGHTS, error);
  if (!tree)
    return error->code;
  const json *manifest = json_member(tree, "weightsManifest");
  cam_code code = CAM_OK;
  if (json_type_of(manifest) != JSON_ARRAY)
    code = cam_fail(error, CAM_E_WEIGHTS,
                    "the JSON has no \"weightsManifest\": it is not a "
                    "TensorFlow.js model.json");
  for (const json *each = json_first(manifest); each && !code; each = json_next(each))
    code = add_group(all, each, error);
  json_free(tree);
  return code;
}
