/* target_safetensors.c - any bytes as a model file: the container, the JSON inside the JSON, the
 * weights; if all is accepted, the model is made. */
#include "fuzz.h"
#include "network/graph.h"
#include <math.h>
#include <string.h>

enum { LENGTH = 8 };

static void check_tensors(const safetensors *file, size_t n) {
  size_t used = 0;
  for (int i = 0; i < safetensors_count(file); i++) {
    const cam_tensor *tensor = safetensors_at(file, i);
    double sum = 0;
    for (size_t k = 0; tensor->data && k < tensor->count; k++)
      sum += tensor->data[k]; /* all are there to be read */
    PROMISE(safetensors_find(file, tensor->name) == tensor && (isfinite(sum) || !isfinite(sum)));
    used += tensor->data ? sizeof(float) * tensor->count : 0;
  }
  PROMISE(used <= n);
}

static void run(const uint8_t *bytes, size_t n) {
  safetensors *file;
  cam_model *model = NULL;
  cam_error error = {0};
  const char *path = fuzz_file(bytes, n);
  cam_code code = safetensors_read(path, &file, &error);
  PROMISE(code == error.code && !code == !!file);
  if (code)
    return;
  check_tensors(file, n);
  safetensors_free(file);
  code = cam_model_load(path, NULL, &model, &error);
  PROMISE(code == error.code && !code == !!model && code != CAM_E_INTERNAL);
  cam_model_free(model);
}

/* The header changes as JSON does, its length and that of the data follow. */
static size_t mutate(uint8_t *bytes, size_t n, size_t most, uint64_t random) {
  uint64_t header = 0;
  if (n < LENGTH + 2)
    return 0;
  memcpy(&header, bytes, LENGTH);
  if (header > n - LENGTH)
    return 0;
  const size_t n_data = n - LENGTH - header;
  size_t changed = fuzz_mutate_json(bytes + LENGTH, n - LENGTH, most - LENGTH, random);
  if (changed < n_data + 2)
    return 0;
  header = changed - n_data;
  memcpy(bytes, &header, LENGTH);
  return LENGTH + changed;
}

const fuzz_target fuzz_safetensors = {run, mutate};
