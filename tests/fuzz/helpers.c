/* helpers.c - fuzz.h: files in memory, made models, promises. */
#include "base/safetensors.h"
#include "fuzz.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_broken(const char *promise, const char *file, int line) {
  fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
  abort();
}

/* One memfd(2) for all inputs: a regular file that never touches a disk. */
static int memory_file(void) {
  static int fd = -1;
  if (fd < 0)
    fd = memfd_create("fuzz", MFD_CLOEXEC);
  PROMISE(fd >= 0 && !ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
  return fd;
}
static const char *path_of(int fd) {
  static char path[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

const char *fuzz_file(const uint8_t *bytes, size_t n) {
  int fd = memory_file();
  PROMISE(write(fd, bytes, n) == (ssize_t)n);
  return path_of(fd);
}

char *fuzz_text(const uint8_t *bytes, size_t n) {
  char *text = malloc(n + 1);
  PROMISE(text);
  if (n)
    memcpy(text, bytes, n);
  text[n] = 0;
  return text;
}

/* ---- made models ---- */

enum { MOST_TENSORS = 48, MOST_NAME = 24, MOST_VALUES = 1 << 16 /* of all tensors */ };

/* The next "name:AxBxC" of text, of floats, or with a letter behind it: of bytes (b), of whole
 * numbers (w), of floats more than 0 (p); where it ends, or NULL if it is none. */
static const char *read_tensor(const char *text, char name[MOST_NAME], cam_tensor *tensor,
                               bool *positive) {
  size_t n = strcspn(text, ": ");
  if (n >= MOST_NAME)
    return NULL;
  memcpy(name, text, n);
  name[n] = 0;
  *tensor = (cam_tensor){.name = name, .count = 1};
  for (text += n; *text == ':' || *text == 'x';) {
    char *end;
    long side = strtol(text + 1, &end, 10);
    if (end == text + 1 || side < 0 || side > MOST_VALUES || tensor->rank == TENSOR_MAX_RANK)
      return NULL;
    tensor->shape[tensor->rank++] = side;
    tensor->count *= (size_t)side;
    if (tensor->count > MOST_VALUES)
      return NULL;
    text = end;
  }
  static const char *const dtypes[] = {"I8", "I32", "F32"};
  static const char letters[] = "bwp";
  const char *letter = *text ? strchr(letters, *text) : NULL;
  if (letter) {
    tensor->dtype = dtypes[letter - letters];
    *positive = *letter == 'p';
    text++;
  }
  return *text == ' ' || !*text ? text + strspn(text, " ") : NULL;
}

/* Small values, the same every time, larger where fewer of them make a sum. */
static void fill(float *values, const cam_tensor *tensor, bool magnitudes) {
  static uint32_t noise;
  if (!tensor->name[0])
    noise = 7;
  const size_t last = tensor->rank ? (size_t)tensor->shape[tensor->rank - 1] : 1;
  const float scale = last ? 2 / sqrtf((float)(tensor->count / last) + 1) : 0;
  for (size_t i = 0; i < tensor->count; i++) {
    noise = noise * 1664525 + 1013904223;
    values[i] = ((float)(noise >> 8) / (1 << 23) - 1) * scale;
    if (magnitudes)
      values[i] = fabsf(values[i]);
  }
}

/* The floats that a tensor was filled with become what its dtype wants, in their place. */
static void set_dtype(cam_tensor *tensor, float *values, bool positive) {
  if (!tensor->dtype || !strcmp(tensor->dtype, "F32")) {
    for (size_t i = 0; i < tensor->count && positive; i++)
      values[i] = fabsf(values[i]) / 64 + 1e-4f;
    tensor->data = values;
    return;
  }
  for (size_t i = 0; i < tensor->count; i++) {
    const int whole = (int)fminf(fmaxf(values[i] * 100, -127), 127);
    if (!strcmp(tensor->dtype, "I8"))
      memcpy((char *)values + i, &(int8_t){(int8_t)whole}, 1);
    else
      memcpy(values + i, &(int32_t){whole * 50}, sizeof(int32_t));
  }
  if (!strcmp(tensor->dtype, "I8"))
    tensor->bytes = (const void *)values;
  else
    tensor->wholes = (const void *)values;
}

const char *fuzz_model_file(const char *text, const char *document, bool magnitudes) {
  static float values[MOST_VALUES];
  cam_tensor tensors[MOST_TENSORS];
  char names[MOST_TENSORS][MOST_NAME];
  size_t used = 0;
  int n = 0;
  fill(NULL, &(cam_tensor){.name = ""}, false); /* from the start */
  while (*text) {
    bool positive = false;
    if (n == MOST_TENSORS || !(text = read_tensor(text, names[n], &tensors[n], &positive)) ||
        tensors[n].count > MOST_VALUES - used)
      return NULL;
    if (!names[n][0])
      return NULL;
    fill(values + used, &tensors[n], magnitudes);
    set_dtype(&tensors[n], values + used, positive);
    used += tensors[n++].count;
  }
  int fd = memory_file(), copy = dup(fd);
  FILE *file = copy < 0 ? NULL : fdopen(copy, "wb");
  PROMISE(file && !safetensors_write(file, tensors, n, "camserve", document, NULL) &&
          !fclose(file));
  return path_of(fd);
}

const cam_model *fuzz_model(void) {
  static const char document[] =
      "{\"version\":1,\"name\":\"small\",\"input\":{\"height\":4,\"width\":4,\"channels\":\"RGB\","
      "\"mean\":[127,127,127],\"scale\":[0.01,0.01,0.01],\"resize\":\"aspect\","
      "\"multiple\":4,\"max_side\":8},\"map\":{\"resize\":\"tf1\"},\"classes\":[[\"n01440764\","
      "\"a\"],[\"n01443537\",\"b\"],[\"n01484850\",\"c\"],[\"n01491361\",\"d\"],"
      "[\"n01494475\",\"e\"],[\"n01496331\",\"f\"],[\"n01498041\",\"g\"],[\"n01514668\",\"h\"],["
      "\"n01514859\",\"i\"],[\"n01518878\",\"j\"],[\"n01530575\",\"k\"],"
      "[\"n01531178\",\"l\"]],\"nodes\":[{\"name\":\"c\",\"op\":\"conv\",\"inputs\":[\"input\"],"
      "\"weight\":\"w\"},{\"name\":\"g\",\"op\":\"gap\",\"inputs\":[\"c\"]},"
      "{\"name\":\"f\",\"op\":\"fc\",\"inputs\":[\"g\"],\"weight\":\"v\"}]}";
  static cam_model *model;
  if (!model) {
    cam_error error = {0};
    cam_model_load(fuzz_model_file("w:1x1x3x2 v:12x2", document, false), NULL, &model, &error);
    if (!model)
      fuzz_broken(error.detail, __FILE__, __LINE__);
  }
  return model;
}
