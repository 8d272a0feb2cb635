/* convert.c - cam_convert.h: architecture + weights, or a network as ONNX -> joined -> file ->
 * loaded again -> self-test -> file -> renamed. Thread: the caller's, with a team for the reference
 * forward pass. Untrusted input: the weights, the architecture, the network. */
#include "beforehand.h"
#include "cam_convert.h"
#include "cam_engine.h"
#include "document.h"
#include "int8_join.h"
#include "join.h"
#include "model_file.h"
#include "new_layers.h"
#include "onnx_join.h"
#include "output.h"
#include "report.h"
#include "weights_read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARCHITECTURE = 16 << 20, MAX_PATH = 4096 };

static cam_code read_architecture(const cam_convert_options *options, json **out,
                                  cam_error *error) {
  size_t n = 0;
  char *text = document_read_text(options->architecture, MAX_ARCHITECTURE, &n, error);
  if (!text)
    return error->code;
  *out = json_parse(text, n, CAM_E_MODEL, error);
  free(text);
  if (!*out)
    return error->code;
  return CAM_OK;
}

/* ---- all of it ---- */

static void report_unused(const cam_convert_options *options, const json *architecture,
                          const weights *all) {
  for (int i = 0; i < all->n; i++) {
    char shape[96];
    if (all->list[i].used || join_ignores(architecture, all->list[i].name))
      continue;
    number_shape_text(&all->list[i].view, shape);
    report(options, "not used: tensor %s %s", all->list[i].name, shape);
  }
}

static cam_code join_read(const cam_convert_options *options, const json *architecture,
                          weights *all, joined *out, cam_error *error) {
  char labels[MAX_PATH];
  report(options, "reading %s: %s, %d tensors", options->weights, all->format, all->n);
  snprintf(labels, sizeof labels, "%.*s../labels", folder_length(options->architecture),
           options->architecture);
  const cam_code code = join_weights(architecture, labels, all, out, error);
  if (code)
    return code;
  if (out->batch_norms)
    report(options, "folding %d batch norms into the convolutions before them", out->batch_norms);
  report_unused(options, architecture, all);
  return CAM_OK;
}

static cam_code join_files(const cam_convert_options *options, joined *out, cam_error *error) {
  json *architecture = NULL;
  weights *all = NULL;
  cam_code code = read_architecture(options, &architecture, error);
  if (!code)
    code = weights_read(options->weights, &all, error);
  if (!code && options->new_layers)
    code = new_layers_add(architecture, options->new_layers, options->seed, all, error);
  if (!code)
    code = join_read(options, architecture, all, out, error);
  weights_free(all);
  json_free(architecture);
  return code;
}

/* The network in float32: written under the unfinished name, its self-test in the document, unless
 * it goes on to 8 bits, which have one of their own. */
static cam_code convert_float(const cam_convert_options *options, const char *unfinished,
                              joined *model, cam_error *error) {
  onnx_facts facts = {0};
  cam_code code;
  if (options->architecture)
    code = join_files(options, model, error);
  else
    code = onnx_join(options, model, &facts, error);
  if (!code)
    code = output_write(unfinished, model, false, error);
  if (!code && options->compare_input)
    code = onnx_compare(options, unfinished, &facts, error);
  if (!code && !options->int8)
    code = output_self_test(options, unfinished, model->document, error);
  return code;
}

/* Does the file hold a network as convert writes it? Its header's length stands before a brace. */
static bool is_model_file(const char *path) {
  uint8_t first[9] = {0};
  FILE *file = fopen(path, "rb");
  if (!file)
    return false;
  const size_t n = fread(first, 1, sizeof first, file);
  fclose(file);
  return n == sizeof first && first[8] == '{' && !first[7] && !first[6] && !first[5];
}

/* What a model file says itself is not to be said again. */
static cam_code says_enough(const cam_convert_options *options, cam_error *error) {
  const char *const said[] = {options->input,  options->pixels,       options->channels,
                              options->mean,   options->scale,        options->labels,
                              options->resize, options->compare_input};
  for (size_t i = 0; i < sizeof said / sizeof *said; i++)
    if (said[i])
      return cam_fail(
          error, CAM_E_PARAMETER,
          "of a model file only --name can be another: it says the rest (not \"%.40s\")", said[i]);
  return CAM_OK;
}

static cam_code convert_into(const cam_convert_options *options, const char *unfinished,
                             joined *model, cam_error *error) {
  const bool is_made = !options->architecture && is_model_file(options->weights);
  if (is_made && !options->int8)
    return cam_fail(error, CAM_E_PARAMETER,
                    "%.80s is a model file already; --int8 makes one in 8 bits of it",
                    options->weights);
  if (is_made) {
    cam_code code = says_enough(options, error);
    if (!code)
      code = int8_join(options, options->weights, unfinished, model, error);
    return code;
  }
  cam_code code = convert_float(options, unfinished, model, error);
  if (code || !options->int8)
    return code;
  joined_free(model);
  return int8_join(options, unfinished, unfinished, model, error);
}

cam_code cam_convert(const cam_convert_options *options, cam_error *error) {
  cam_error mine = {0};
  char unfinished[MAX_PATH];
  joined model = {0};
  if (!error)
    error = &mine;
  if (snprintf(unfinished, sizeof unfinished, "%s.tmp", options->output) >=
          (int)sizeof unfinished ||
      (options->architecture && strlen(options->architecture) > MAX_PATH - 16))
    return cam_fail(error, CAM_E_IO, "a path is too long");
  if (options->threads < 0 || options->threads > CAM_MAX_TEAM)
    return cam_fail(error, CAM_E_PARAMETER, "threads: %d; allowed are 0 to %d", options->threads,
                    CAM_MAX_TEAM);
  cam_code code = beforehand_check(options, unfinished, error);
  if (code)
    return code;
  code = convert_into(options, unfinished, &model, error);
  if (!code)
    code = output_write(unfinished, &model, true, error);
  if (!code)
    code = model_file_rename(unfinished, options->output, error);
  if (code)
    remove(unfinished);
  else
    report(options, "wrote %s: model %s, %d tensors, %.1f MB", options->output,
           json_text(json_member(model.document, "name")), model.n_tensors,
           (double)model.bytes / 1e6);
  joined_free(&model);
  return code;
}
