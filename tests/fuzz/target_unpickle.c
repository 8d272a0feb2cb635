/* target_unpickle.c - any bytes as a file of weights: NumPy's .npy, PyTorch's legacy format,
 * PyTorch's zip archives, TensorFlow.js's model.json (whose files of numbers are not there). Each
 * tensor that is found is read. */
#include "convert/weights_read.h"
#include "fuzz.h"
#include <stdlib.h>

enum { MOST_READ = 1 << 16 /* numbers of one tensor: the file may say the same ones often */ };

static void run(const uint8_t *bytes, size_t n) {
  weights *all;
  cam_error error = {0};
  cam_code code = weights_read(fuzz_file(bytes, n), &all, &error);
  const bool names_files = n && *bytes == '{';
  PROMISE(code == error.code && !code == !!all && code != CAM_E_INTERNAL);
  PROMISE(code != CAM_E_IO || names_files);
  for (int i = 0; i < (all ? all->n : 0); i++) {
    const weight *each = &all->list[i];
    const int64_t count = number_count(&each->view);
    char shape[96];
    number_shape_text(&each->view, shape);
    PROMISE(count >= 0 && shape[0] == '[' && weights_find(all, each->name) == each);
    if (count > MOST_READ)
      continue;
    double *values = malloc((size_t)count * sizeof *values + 1);
    PROMISE(values);
    number_read(&each->view, values);
    free(values);
  }
  weights_free(all);
}

/* Sizes, strides, offsets and counts are operands of BININT1, BININT2 and BININT: one of them by
 * one up or down, or another. Else any bytes. */
static size_t mutate_pickle(uint8_t *bytes, size_t n, size_t most, uint64_t random) {
  static const int values[] = {0, 1, 2, 3, 4, 6, 8, 9, 127, 255};
  enum { MOST_PLACES = 256 };
  size_t places[MOST_PLACES], count = 0;
  for (size_t i = 0; i + 4 < n && count < MOST_PLACES; i++)
    if (bytes[i] == 'K' || bytes[i] == 'M' || bytes[i] == 'J')
      places[count++] = i + 1;
  if (!count || fuzz_random(&random) % 4 == 0)
    return fuzz_mutate_bytes(bytes, n, most);
  uint8_t *operand = &bytes[places[fuzz_random(&random) % count]];
  const uint64_t choice = fuzz_random(&random);
  *operand = (uint8_t)(choice % 2 ? *operand + (choice % 4 == 1 ? 1 : -1)
                                  : values[choice / 4 % (sizeof values / sizeof *values)]);
  return n;
}

static size_t mutate(uint8_t *bytes, size_t n, size_t most, uint64_t random) {
  size_t changed = fuzz_mutate_zip(bytes, n, most, random, mutate_pickle);
  return changed ? changed : mutate_pickle(bytes, n, most, random);
}

const fuzz_target fuzz_unpickle = {run, mutate};
