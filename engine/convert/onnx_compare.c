/* onnx_compare.c - see onnx_join.h: `convert --compare`. The self-test knows only us against us;
 * this is the reference, in double, against what the user's own framework answered. */
#include "document.h"
#include "onnx_join.h"
#include "oracle.h"
#include "report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30, HEADER = 1 << 16, MOST_SIDES = 8 };
static const double TOLERANCE = 1e-3; /* of the largest number */

/* A .npy of plain numbers. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
typedef struct numbers {
  double *at; /* [n] for free() */
  int64_t n;
  int rank; /* sides; of more than MOST_SIDES, shape has the first */
  int64_t shape[MOST_SIDES];
} numbers;

static const char *value_of(const char *header, const char *key) {
  const char *found = strstr(header, key);
  if (found)
    return found + strlen(key) + strspn(found + strlen(key), " :");
  return "";
}

static cam_code wrong_npy(const char *path, const char *what, cam_error *error) {
  return cam_fail(error, CAM_E_WEIGHTS, "%.80s: %s", path, what);
}

/* The sides of "(1, 3, 224, 224)" and their product; -1 if it is none or too large. */
static int64_t read_npy_shape(const char *text, numbers *out) {
  int64_t n = 1;
  if (*text++ != '(')
    return -1;
  for (char *end; *text && *text != ')'; text = end + strspn(end, ", ")) {
    const long long side = strtoll(text, &end, 10);
    if (end == text || side < 0 || side > MOST_BYTES || (n *= side) > MOST_BYTES)
      return -1;
    if (out->rank < MOST_SIDES)
      out->shape[out->rank] = side;
    out->rank++;
  }
  if (*text == ')')
    return n;
  return -1;
}

static cam_code parse_npy(const char *path, const uint8_t *file, size_t bytes, numbers *out,
                          cam_error *error) {
  char header[HEADER];
  size_t wide = 2, length = 0; /* bytes of the length: 2 in format 1.0, 4 later */
  if (bytes > 8 && file[6] > 1)
    wide = 4;
  if (bytes < 8 + wide || memcmp(file, "\x93NUMPY", 6))
    return wrong_npy(path, "this is no .npy", error);
  for (size_t i = 0; i < wide; i++)
    length |= (size_t)file[8 + i] << 8 * i;
  if (length >= sizeof header || length > bytes - 8 - wide)
    return wrong_npy(path, "the file ends within its header", error);
  memcpy(header, file + 8 + wide, length);
  header[length] = 0;
  const char *type = value_of(header, "'descr'");
  const bool wide_numbers = !strncmp(type, "'<f8'", 5);
  if (!wide_numbers && strncmp(type, "'<f4'", 5))
    return wrong_npy(path, "its numbers are not of type <f4 or <f8", error);
  if (strncmp(value_of(header, "'fortran_order'"), "False", 5))
    return wrong_npy(path, "it is in Fortran order", error);
  out->n = read_npy_shape(value_of(header, "'shape'"), out);
  number_view view = {.data = file + 8 + wide + length,
                      .type = wide_numbers ? NUMBER_F64 : NUMBER_F32,
                      .rank = 1,
                      .shape = {out->n},
                      .stride = {1}};
  if (out->n < 1 || (bytes - 8 - wide - length) / number_bytes(view.type) < (uint64_t)out->n)
    return wrong_npy(path, "it has not as many numbers as its shape says", error);
  out->at = malloc((size_t)out->n * sizeof *out->at);
  if (!out->at)
    return cam_fail(error, CAM_E_NO_MEMORY, "%.80s: no memory", path);
  number_read(&view, out->at);
  return CAM_OK;
}

static cam_code read_numbers(const char *path, numbers *out, cam_error *error) {
  size_t bytes = 0;
  *out = (numbers){0};
  char *file = document_read_text(path, MOST_BYTES, &bytes, error);
  if (!file)
    return error ? error->code : CAM_E_IO;
  cam_code code = parse_npy(path, (const uint8_t *)file, bytes, out, error);
  free(file);
  return code;
}

/* [1,3,H,W] or [1,H,W,3] as the network's own input -> [H,W,3] as the graph's, which has taken over
 * what the network does to it first. */
static void turn_picture(const onnx_facts *facts, const double *from, float *to) {
  const int cells = facts->height * facts->width;
  for (int i = 0; i < cells; i++)
    for (int c = 0; c < 3; c++)
      to[i * 3 + c] = (float)(from[facts->last ? i * 3 + c : c * cells + i] * facts->factor[c] +
                              facts->shift[c]);
}

/* Logits -> what the other framework's network ends in. */
static void end_as(draft_ending ending, double *values, int n) {
  double most = -HUGE_VAL, sum = 0;
  for (int c = 0; c < n; c++)
    most = fmax(most, values[c]);
  for (int c = 0; c < n; c++)
    sum += exp(values[c] - most);
  for (int c = 0; c < n; c++) {
    switch (ending) {
    case ENDS_IN_LOGITS:
      break;
    case ENDS_IN_SOFTMAX:
      values[c] = exp(values[c] - most) / sum;
      break;
    case ENDS_IN_LOG_SOFTMAX:
      values[c] -= most + log(sum);
      break;
    case ENDS_IN_SIGMOID:
      values[c] = 1 / (1 + exp(-values[c]));
      break;
    }
  }
}

static cam_code compare_outputs(const cam_convert_options *options, const double *ours,
                                const double *theirs, int n, cam_error *error) {
  double largest = 0, worst = 0;
  int where = 0;
  for (int c = 0; c < n; c++) {
    largest = fmax(largest, fabs(theirs[c]));
    if (!(fabs(ours[c] - theirs[c]) <= worst)) {
      worst = fabs(ours[c] - theirs[c]);
      where = c;
    }
  }
  if (!(worst <= TOLERANCE * largest))
    return cam_fail(error, CAM_E_WEIGHTS,
                    "--compare: class %d is %.6g here and %.6g in %.60s: not the same network",
                    where, ours[where], theirs[where], options->compare_output);
  report(options, "compared: %d outputs agree, the worst within %.2g of the largest", n,
         worst / largest);
  return CAM_OK;
}

/* A picture of three sides or more, those of 1 before them aside, has them in the network's order:
 * as many numbers in another would be another picture. */
static cam_code check_sides(const cam_convert_options *options, const onnx_facts *facts,
                            const numbers *in, cam_error *error) {
  const int height = facts->height, width = facts->width;
  const int64_t channels_first[] = {3, height, width}, channels_last[] = {height, width, 3};
  const int64_t *wanted = channels_first;
  if (facts->last)
    wanted = channels_last;
  if (in->rank < 3 || in->rank > MOST_SIDES)
    return CAM_OK;
  const int64_t *sides = in->shape + in->rank - 3;
  if (!memcmp(sides, wanted, sizeof channels_last))
    return CAM_OK;
  return cam_fail(
      error, CAM_E_WEIGHTS,
      "%.40s: its shape ends in %lld x %lld x %lld; the network takes 1 x %lld x %lld x %lld",
      options->compare_input, (long long)sides[0], (long long)sides[1], (long long)sides[2],
      (long long)wanted[0], (long long)wanted[1], (long long)wanted[2]);
}

/* Ours for `in` beside `out`; o is open. */
static cam_code compare_numbers(const cam_convert_options *options, const onnx_facts *facts,
                                oracle *o, const numbers *in, const numbers *out,
                                cam_error *error) {
  const int64_t wanted = (int64_t)facts->height * facts->width * 3;
  const int n = o->graph->n_classes;
  if (in->n != wanted)
    return cam_fail(error, CAM_E_WEIGHTS, "%.60s: %lld numbers; the input has %lld",
                    options->compare_input, (long long)in->n, (long long)wanted);
  cam_code code = check_sides(options, facts, in, error);
  if (code)
    return code;
  if (out->n != n)
    return cam_fail(error, CAM_E_WEIGHTS, "%.60s: %lld numbers for %d classes",
                    options->compare_output, (long long)out->n, n);
  turn_picture(facts, in->at, o->picture);
  code = oracle_run(o, error);
  if (code)
    return code;
  end_as(facts->ending, o->logits, n);
  return compare_outputs(options, o->logits, out->at, n, error);
}

cam_code onnx_compare(const cam_convert_options *options, const char *path, const onnx_facts *facts,
                      cam_error *error) {
  numbers in = {0}, out = {0};
  oracle o = {0};
  cam_code code = read_numbers(options->compare_input, &in, error);
  if (!code)
    code = read_numbers(options->compare_output, &out, error);
  if (!code)
    code = oracle_open(path, options->threads, &o, error);
  if (!code)
    code = compare_numbers(options, facts, &o, &in, &out, error);
  oracle_close(&o);
  free(out.at);
  free(in.at);
  return code;
}
