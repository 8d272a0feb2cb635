/* made_model.c - made_model.h. */
#include "made_model.h"
#include "base/safetensors.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[128];

static const char *new_path(void) {
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/camserve-test-%d.safetensors",
           folder && strlen(folder) < 80 ? folder : "/tmp", (int)getpid());
  return path;
}

const char *made_file_write(const void *bytes, unsigned long n) {
  FILE *file = fopen(new_path(), "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
  ck_assert_int_eq(fclose(file), 0);
  return path;
}

const char *made_model_write(const made_model *model) {
  cam_tensor tensors[64] = {{0}};
  char names[64][32], text[16384], classes[4096] = "";
  int n = 0;
  uint32_t noise = 7;
  for (const char *t = model->tensors; *t; t += strcspn(t, " "), t += strspn(t, " ")) {
    cam_tensor *tensor = &tensors[n];
    size_t length = strcspn(t, ":");
    ck_assert_uint_lt(length, sizeof names[0]);
    memcpy(names[n], t, length);
    names[n][length] = 0;
    tensor->name = names[n++];
    tensor->count = 1;
    for (t += length; *t == ':' || *t == 'x';) {
      tensor->shape[tensor->rank] = strtol(t + 1, (char **)(uintptr_t)&t, 10);
      tensor->count *= (size_t)tensor->shape[tensor->rank++];
    }
    float *data = malloc(tensor->count * sizeof *data + 1),
          scale = 2.0f / sqrtf((float)tensor->count / (float)tensor->shape[tensor->rank - 1] + 1);
    if (*t == '*')
      scale *= strtof(t + 1, (char **)(uintptr_t)&t);
    for (size_t i = 0; i < tensor->count; i++) {
      noise = noise * 1664525 + 1013904223;
      data[i] = ((float)(noise >> 8) / (1 << 23) - 1) * scale;
    }
    tensor->data = data;
  }
  for (int c = 0; c < model->classes; c++)
    snprintf(classes + strlen(classes), sizeof classes - strlen(classes),
             "%s[\"n%08d\",\"class %d\"]", c ? "," : "", c, c);
  const char *map = "\"map\":{\"resize\":\"half_pixel\"},";
  if (model->extra && strstr(model->extra, "\"map\":"))
    map = "";
  char resize[80] = "\"stretch\"";
  if (model->max_side)
    snprintf(resize, sizeof resize, "\"aspect\",\"multiple\":4,\"max_side\":%d", model->max_side);
  snprintf(text, sizeof text,
           "{\"version\":1,\"name\":\"made\",%s\"input\":{\"height\":%d,\"width\":%d,\"channels\":"
           "\"RGB\",\"mean\":[127,127,127],\"scale\":[0.0078125,0.0078125,0.0078125],"
           "\"resize\":%s},%s\"classes\":[%s],\"nodes\":[%s]}",
           model->extra ? model->extra : "", model->height, model->width, resize, map, classes,
           model->nodes);
  FILE *file = fopen(new_path(), "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(safetensors_write(file, tensors, n, "camserve", text, NULL), CAM_OK);
  ck_assert_int_eq(fclose(file), 0);
  for (int i = 0; i < n; i++)
    free((void *)(uintptr_t)tensors[i].data);
  return path;
}
