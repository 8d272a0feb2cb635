/* target_onnx.c - any bytes as a network in ONNX: read, imported, simplified, written into the
 * document of a model file. */
#include "convert/onnx_file.h"
#include "convert/onnx_import.h"
#include "fuzz.h"
#include <math.h>

enum { MOST_NUMBERS = 1 << 22 /* of all tensors: weights are read in each node that uses them */ };

/* Inputs come before, sizes are there, what is promised of each operator holds. */
static int64_t check_nodes(const draft *d) {
  int64_t numbers = 0;
  for (int i = 0; i < d->n; i++) {
    const draft_node *node = &d->nodes[i];
    if (node->dead)
      continue;
    PROMISE(node->n_inputs > 0 && node->height > 0 && node->width > 0 && node->channels > 0);
    for (int k = 0; k < node->n_inputs; k++)
      PROMISE(node->inputs[k] >= DRAFT_PICTURE && node->inputs[k] < i &&
              (node->inputs[k] < 0 || !d->nodes[node->inputs[k]].dead));
    if (node->op == DRAFT_SLICE)
      PROMISE(node->begin + node->channels <= draft_channels(d, node->inputs[0]));
    if (node->op == DRAFT_CONV)
      numbers += number_count(&node->weight);
  }
  return numbers;
}

static void write_out(draft *d) {
  joined out = {.document = json_new_object()};
  cam_code code = draft_check(d);
  if (!code)
    code = draft_write(d, &out);
  PROMISE(code != CAM_E_INTERNAL);
  for (int i = 0; i < out.n_tensors && !code; i++)
    for (size_t k = 0; k < out.tensors[i].count; k++)
      PROMISE(isfinite(out.tensors[i].data[k]));
  joined_free(&out);
}

static void run(const uint8_t *bytes, size_t n) {
  onnx_file *file;
  onnx_input_size size = {.height = 24, .width = 20};
  cam_error error = {0};
  cam_code code = onnx_read(fuzz_file(bytes, n), &file, &error);
  PROMISE(code == error.code && !code == !!file && code != CAM_E_INTERNAL);
  if (code)
    return;
  draft d = {.memory = file->values, .error = &error};
  code = onnx_import_graph(file, &size, &d, &error);
  if (!code)
    code = draft_simplify(&d);
  PROMISE(code == error.code && code != CAM_E_INTERNAL);
  if (!code && check_nodes(&d) < MOST_NUMBERS)
    write_out(&d);
  onnx_free(file);
}

/* In place, so that lengths stay true: a byte is one up or down, or another; or a part of the file
 * becomes a copy of another part. Else any bytes. */
static size_t mutate(uint8_t *bytes, size_t n, size_t most, uint64_t random) {
  static const uint8_t values[] = {0, 1, 2, 3, 4, 5, 7, 8, 13, 16, 24, 127, 128, 255};
  if (n < 8 || fuzz_random(&random) % 3 == 0)
    return fuzz_mutate_bytes(bytes, n, most);
  for (uint64_t times = 1 + fuzz_random(&random) % 3; times; times--) {
    const size_t at = fuzz_random(&random) % n, from = fuzz_random(&random) % n;
    const uint64_t choice = fuzz_random(&random) % 4;
    if (choice == 0)
      bytes[at]++;
    else if (choice == 1)
      bytes[at]--;
    else if (choice == 2)
      bytes[at] = values[fuzz_random(&random) % sizeof values];
    else
      for (size_t k = 0, length = fuzz_random(&random) % 12; k < length; k++)
        if (at + k < n && from + k < n)
          bytes[at + k] = bytes[from + k];
  }
  return n;
}

const fuzz_target fuzz_onnx = {run, mutate};
