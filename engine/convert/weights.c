/* weights.c - reads the file, picks the reader, keeps the list. */
#include "weights.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_TENSORS = 1 << 16 };
static const int64_t MAX_FILE = INT64_C(8) << 30;
/* What a file's values may take besides the file: its numbers once more (text or deflated), and a
 * tree of small values. */
static const size_t VALUE_BYTES = (size_t)256 << 20, VALUE_BYTES_PER_BYTE = 4;

static const struct {
  const char *format, *magic;
  size_t n;
  cam_code (*read)(weights *, cam_error *);
} readers[] = {
    {"NumPy array of objects", "\x93NUMPY", 6, npy_read},
    {"PyTorch state dict (zip)", "PK\x03\x04", 4, pth_read_zip},
    {"PyTorch state dict (legacy)", "\x80", 1, pth_read_legacy}, /* PROTO: a pickle */
};

static cam_code read_file(const char *path, weights *all, cam_error *error) {
  FILE *file = fopen(path, "rb");
  struct stat about;
  cam_code code = CAM_OK;
  if (!file || fstat(fileno(file), &about))
    code = cam_fail(error, CAM_E_IO, "%s: %s", path, strerror(errno));
  else if (!S_ISREG(about.st_mode))
    code = cam_fail(error, CAM_E_IO, "%s: this is not a file", path);
  else if (about.st_size > MAX_FILE)
    code = cam_fail(error, CAM_E_WEIGHTS, "the file has %lld bytes; allowed are %lld",
                    (long long)about.st_size, (long long)MAX_FILE);
  else if (!(all->file = malloc((size_t)about.st_size + 1)))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a file of %lld bytes",
                    (long long)about.st_size);
  else {
    all->n_file = (size_t)about.st_size;
    if (fread(all->file, 1, all->n_file, file) != all->n_file)
      code = cam_fail(error, CAM_E_IO, "%s: it cannot be read to its end", path);
  }
  if (file)
    fclose(file);
  return code;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(((const weight *)a)->name, ((const weight *)b)->name);
}

static cam_code pick_reader(weights *all, cam_error *error) {
  for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
    if (all->n_file >= readers[i].n && !memcmp(all->file, readers[i].magic, readers[i].n)) {
      all->format = readers[i].format;
      return readers[i].read(all, error);
    }
  return cam_fail(error, CAM_E_WEIGHTS,
                  "the file is neither a NumPy .npy nor a PyTorch state dict");
}

cam_code weights_read(const char *path, weights **out, cam_error *error) {
  *out = NULL;
  weights *all = calloc(1, sizeof *all);
  if (!all)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of weights");
  cam_code code = read_file(path, all, error);
  if (!code && !(all->memory = arena_create(VALUE_BYTES + VALUE_BYTES_PER_BYTE * all->n_file)))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for weights");
  if (!code)
    code = pick_reader(all, error);
  if (!code && !all->n)
    code = cam_fail(error, CAM_E_WEIGHTS, "the file holds no tensor");
  if (!code) {
    qsort(all->list, (size_t)all->n, sizeof *all->list, compare_names);
    for (int i = 1; i < all->n && !code; i++)
      if (!strcmp(all->list[i - 1].name, all->list[i].name))
        code = cam_fail(error, CAM_E_WEIGHTS, "tensor %s: the file holds it twice",
                        all->list[i].name);
  }
  if (code)
    weights_free(all);
  else
    *out = all;
  return code;
}

void weights_free(weights *all) {
  if (!all)
    return;
  arena_free(all->memory);
  free(all->list);
  free(all->file);
  free(all);
}

weight *weights_find(const weights *all, const char *name) {
  weight wanted = {.name = name};
  return bsearch(&wanted, all->list, (size_t)all->n, sizeof *all->list, compare_names);
}

cam_code weights_add(weights *to, const char *name, const number_view *view, cam_error *error) {
  if (to->n == MAX_TENSORS)
    return cam_fail(error, CAM_E_WEIGHTS, "the file holds more than %d tensors", MAX_TENSORS);
  if (to->n == to->room) {
    int room = to->room ? 2 * to->room : 64;
    weight *grown = realloc(to->list, (size_t)room * sizeof *grown);
    if (!grown)
      return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of %d tensors", room);
    to->list = grown;
    to->room = room;
  }
  to->list[to->n++] = (weight){name, *view, false};
  return CAM_OK;
}

const char *weights_join_name(weights *of, const char *a, const char *separator, const char *b) {
  size_t n = strlen(a) + strlen(separator) + strlen(b) + 1;
  char *joined = arena_alloc(of->memory, n);
  if (joined)
    snprintf(joined, n, "%s%s%s", a, separator, b);
  return joined;
}
