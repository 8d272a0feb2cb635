/* weights_read.c - weights_read.h: the file's bytes, then the reader that knows them, a row of a
 * table. To read another kind of file: its first bytes and its reader here. */
#include "weights_read.h"
#include "npy.h"
#include "pth.h"
#include "tfjs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t MAX_FILE = INT64_C(8) << 30;
/* What a file's values may take besides the file: its numbers once more (text or deflated), and a
 * tree of small values. */
static const size_t VALUE_BYTES = (size_t)256 << 20, VALUE_BYTES_PER_BYTE = 4;

/* clang-format off */
/* Told apart by the first bytes; the first row that fits. 0x80 is PROTO: a pickle, whose
 * first value is a dict, alone or in a frame, or the number that PyTorch's begin with. */
static const struct reader {
  const char *kind;   /* for the error where no row fits */
  const char *format; /* for weights.format */
  size_t n;           /* bytes of magic */
  const char *magic;
  cam_code (*read)(weights *, cam_error *); /* all->file is read; adds what it holds */
} readers[] = {
  {"NumPy .npy",         "NumPy array of objects",      6, "\x93NUMPY",   npy_read},
  {"pickled dict of arrays", "pickle of NumPy arrays",  3, "\x80\x02}",    npy_read_pickle},
  {"pickled dict of arrays", "pickle of NumPy arrays",  3, "\x80\x03}",    npy_read_pickle},
  {"pickled dict of arrays", "pickle of NumPy arrays",  3, "\x80\x04\x95", npy_read_pickle},
  {"pickled dict of arrays", "pickle of NumPy arrays",  3, "\x80\x05\x95", npy_read_pickle},
  {"PyTorch state dict", "PyTorch state dict (zip)",    4, "PK\x03\x04", pth_read_zip},
  {"PyTorch state dict", "PyTorch state dict (legacy)", 1, "\x80",        pth_read_legacy},
  {"TensorFlow.js model.json", "TensorFlow.js weights", 1, "{",           tfjs_read},
};
enum { READERS = sizeof readers / sizeof *readers };
/* clang-format on */

/* The whole of an open file. */
static cam_code read_bytes(FILE *file, const char *path, weights *all, cam_error *error) {
  struct stat about;
  if (fstat(fileno(file), &about))
    return cam_fail(error, CAM_E_IO, "%s: %s", path, strerror(errno));
  if (!S_ISREG(about.st_mode))
    return cam_fail(error, CAM_E_IO, "%s: this is not a file", path);
  if (about.st_size > MAX_FILE)
    return cam_fail(error, CAM_E_WEIGHTS, "the file has %lld bytes; allowed are %lld",
                    (long long)about.st_size, (long long)MAX_FILE);
  all->n_file = (size_t)about.st_size;
  all->file = malloc(all->n_file + 1);
  if (!all->file)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a file of %zu bytes", all->n_file);
  if (fread(all->file, 1, all->n_file, file) != all->n_file)
    return cam_fail(error, CAM_E_IO, "%s: it cannot be read to its end", path);
  return CAM_OK;
}

static cam_code read_weights_file(const char *path, weights *all, cam_error *error) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return cam_fail(error, CAM_E_IO, "%s: %s", path, strerror(errno));
  const cam_code code = read_bytes(file, path, all, error);
  fclose(file);
  return code;
}

/* "the file is neither a NumPy .npy nor a PyTorch state dict": each kind once. */
static cam_code unknown_kind(cam_error *error) {
  char kinds[sizeof error->detail] = "";
  size_t n = 0;
  for (size_t i = 0; i < READERS && n < sizeof kinds; i++) {
    if (i && !strcmp(readers[i].kind, readers[i - 1].kind))
      continue;
    const char *separator = i ? " nor a " : "";
    n += (size_t)snprintf(kinds + n, sizeof kinds - n, "%s%s", separator, readers[i].kind);
  }
  return cam_fail(error, CAM_E_WEIGHTS, "the file is neither a %s", kinds);
}

static cam_code pick_reader(weights *all, cam_error *error) {
  for (const struct reader *each = readers; each < readers + READERS; each++)
    if (all->n_file >= each->n && !memcmp(all->file, each->magic, each->n)) {
      all->format = each->format;
      return each->read(all, error);
    }
  return unknown_kind(error);
}

static cam_code read_values(weights *all, cam_error *error) {
  all->memory = arena_create(VALUE_BYTES + VALUE_BYTES_PER_BYTE * all->n_file);
  if (!all->memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for weights");
  const cam_code code = pick_reader(all, error);
  if (code)
    return code;
  if (!all->n)
    return cam_fail(error, CAM_E_WEIGHTS, "the file holds no tensor");
  return weights_sort(all, error);
}

cam_code weights_read(const char *path, weights **out, cam_error *error) {
  *out = NULL;
  weights *all = calloc(1, sizeof *all);
  if (!all)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of weights");
  all->path = path;
  cam_code code = read_weights_file(path, all, error);
  if (!code)
    code = read_values(all, error);
  if (code)
    weights_free(all);
  else
    *out = all;
  return code;
}
