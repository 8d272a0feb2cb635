/* onnx_join.c - see onnx_join.h. The steps in order, and what ONNX does not say: which pixels the
 * network was trained on, what its classes are called. */
#include "onnx_join.h"
#include "cam_minmax.h"
#include "class_names.h"
#include "document.h"
#include "network/graph.h"
#include "onnx_import.h"
#include "report.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SIDE = 4096, ASPECT_MULTIPLE = 32, ASPECT_MOST = 640, MOST_PATH = 4096 };

/* ---- pixels ---- */

/* The network sees (pixel - mean) * scale, of pixels from 0 to 255. */
typedef struct pixels {
  const char *name, *channels;
  double mean[3], scale[3];
} pixels;
static const pixels presets[] = {
    {"imagenet",
     "RGB",
     {255 * .485, 255 * .456, 255 * .406},
     {1 / (255 * .229), 1 / (255 * .224), 1 / (255 * .225)}},
    {"unit", "RGB", {0, 0, 0}, {1 / 255., 1 / 255., 1 / 255.}},
    {"signed", "RGB", {127.5, 127.5, 127.5}, {1 / 127.5, 1 / 127.5, 1 / 127.5}},
    {"caffe", "BGR", {103.939, 116.779, 123.68}, {1, 1, 1}},
    {"raw", "RGB", {0, 0, 0}, {1, 1, 1}},
};
enum { PRESETS = sizeof presets / sizeof *presets };

static cam_code read_three(const char *option, const char *text, double out[3], cam_error *error) {
  char rest;
  if (sscanf(text, "%lf,%lf,%lf%c", &out[0], &out[1], &out[2], &rest) == 3 && isfinite(out[0]) &&
      isfinite(out[1]) && isfinite(out[2]))
    return CAM_OK;
  return cam_fail(error, CAM_E_PARAMETER, "--%s %.60s: three numbers are expected: a,b,c", option,
                  text);
}

static cam_code pick_preset(const char *name, pixels *out, cam_error *error) {
  for (int i = 0; i < PRESETS; i++)
    if (!strcmp(presets[i].name, name)) {
      *out = presets[i];
      return CAM_OK;
    }
  return cam_fail(error, CAM_E_PARAMETER,
                  "--pixels %.40s: allowed are imagenet, unit, signed, caffe and raw", name);
}

/* Another order of channels turns a preset's numbers with it. */
static cam_code order_channels(const char *channels, pixels *out, cam_error *error) {
  if (strcmp(channels, "RGB") && strcmp(channels, "BGR"))
    return cam_fail(error, CAM_E_PARAMETER, "--channels %.40s: allowed are RGB and BGR", channels);
  if (strcmp(channels, out->channels)) {
    const double mean = out->mean[0], scale = out->scale[0];
    out->mean[0] = out->mean[2];
    out->scale[0] = out->scale[2];
    out->mean[2] = mean;
    out->scale[2] = scale;
  }
  out->channels = channels;
  return CAM_OK;
}

/* Mean and deviation of pixels of 0 to 1, as training code has them, would give a range of -1 to
 * some 1000: they are refused with the numbers that are meant. */
static cam_code check_by_hand(const pixels *p, cam_error *error) {
  bool small = p->mean[0] != 0 || p->mean[1] != 0 || p->mean[2] != 0;
  for (int c = 0; c < 3; c++)
    small &= p->mean[c] >= 0 && p->mean[c] <= 1 && p->scale[c] > .05 && p->scale[c] <= 1;
  if (!small)
    return CAM_OK;
  return cam_fail(error, CAM_E_PARAMETER,
                  "--mean, --scale: these are of pixels of 0 to 1; of 0 to 255: "
                  "--mean %.6g,%.6g,%.6g --scale %.4g,%.4g,%.4g",
                  255 * p->mean[0], 255 * p->mean[1], 255 * p->mean[2], 1 / (255 * p->scale[0]),
                  1 / (255 * p->scale[1]), 1 / (255 * p->scale[2]));
}

static cam_code pick_pixels(const cam_convert_options *options, pixels *out, cam_error *error) {
  const bool by_hand = options->mean || options->scale;
  const char *name = presets[0].name;
  if (options->pixels && by_hand)
    return cam_fail(error, CAM_E_PARAMETER,
                    "--pixels says mean and scale: give it or those, not both");
  if (options->pixels)
    name = options->pixels;
  else if (by_hand)
    name = "raw";
  cam_code code = pick_preset(name, out, error);
  if (!code && options->channels)
    code = order_channels(options->channels, out, error);
  if (!code && options->mean)
    code = read_three("mean", options->mean, out->mean, error);
  if (!code && options->scale)
    code = read_three("scale", options->scale, out->scale, error);
  if (code || !by_hand)
    return code;
  out->name = "by hand";
  return check_by_hand(out, error);
}

/* ---- the document ---- */

static cam_code read_input_size(const cam_convert_options *options, onnx_input_size *size,
                                cam_error *error) {
  char rest;
  *size = (onnx_input_size){0};
  if (!options->input)
    return CAM_OK;
  if (sscanf(options->input, "%dx%d%c", &size->height, &size->width, &rest) != 2 ||
      size->height < 1 || size->width < 1 || size->height > MOST_SIDE || size->width > MOST_SIDE)
    return cam_fail(error, CAM_E_PARAMETER,
                    "--input %.40s: HEIGHTxWIDTH is expected, each from 1 to %d", options->input,
                    MOST_SIDE);
  return CAM_OK;
}

/* The file's name without folder and ending, in the characters that a model's name may have. */
static void name_from_path(const char *path, char name[65]) {
  const char *slash = strrchr(path, '/'), *begin = slash ? slash + 1 : path;
  const char *dot = strrchr(begin, '.');
  size_t n = dot && dot > begin ? (size_t)(dot - begin) : strlen(begin);
  n = min_size(n, 64);
  memcpy(name, begin, n);
  name[n] = 0;
  for (char *c = name; *c; c++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c))
      *c = '-';
}

static void add_three(json *object, const char *name, const double values[3]) {
  json *list = json_add_array(object, name);
  for (int c = 0; c < 3; c++)
    json_add_number(list, NULL, values[c]);
}

/* What "aspect" may ask for at most. */
static int longest_side(const draft *d) {
  return max_int(ASPECT_MOST, max_int(d->height, d->width));
}

/* What the network sees of the pixels, what it does to them first included: f * ((pixel - mean) *
 * scale) + s is (pixel - mean') * scale', so that costs nothing. */
static void join_affine(const draft *d, const pixels *p, pixels *out) {
  *out = *p;
  for (int c = 0; c < 3; c++) {
    out->scale[c] = p->scale[c] * d->picture_factor[c];
    out->mean[c] = p->mean[c] - d->picture_shift[c] / out->scale[c];
  }
}

static cam_code add_input(const cam_convert_options *options, const draft *d, const pixels *p,
                          json *document, cam_error *error) {
  const char *resize = options->resize ? options->resize : "stretch";
  const bool aspect = !strcmp(resize, "aspect");
  pixels seen;
  if (!aspect && strcmp(resize, "stretch"))
    return cam_fail(error, CAM_E_PARAMETER, "--resize %.40s: allowed are stretch and aspect",
                    resize);
  if (aspect && d->sized)
    return cam_fail(error, CAM_E_PARAMETER,
                    "--resize aspect: node %.60s holds for %d x %d alone; stretch is left",
                    d->sized_by, d->width, d->height);
  join_affine(d, p, &seen);
  for (int c = 0; c < 3; c++)
    if (!(seen.scale[c] != 0) || !isfinite(seen.mean[c]))
      return cam_fail(error, CAM_E_WEIGHTS, "the network sees nothing of channel %d", c);
  json *input = json_add_object(document, "input");
  json_add_int(input, "height", d->height);
  json_add_int(input, "width", d->width);
  json_add_text(input, "channels", p->channels);
  add_three(input, "mean", seen.mean);
  add_three(input, "scale", seen.scale);
  json_add_text(input, "resize", resize);
  if (!d->sized) {
    json_add_int(input, "multiple", ASPECT_MULTIPLE);
    json_add_int(input, "max_side", longest_side(d));
  } else {
    report(options, "photos are stretched to %d x %d alone: node %s holds for no other size",
           d->width, d->height, d->sized_by);
  }
  return CAM_OK;
}

/* words, where the option was not given. */
static const char *unless(const char *given, const char *words) {
  if (given)
    return "";
  return words;
}

/* Bytes of a label's first name: "tench, Tinca tinca". */
static int first_name(const char *label) { return min_int((int)strcspn(label, ","), 40); }

/* Whether each channel goes from about -3 to 3 or less, but not over next to nothing. */
static bool is_usual(const pixels *p) {
  for (int c = 0; c < 3; c++) {
    const double least = -p->mean[c] * p->scale[c], most = (255 - p->mean[c]) * p->scale[c];
    if (fabs(least) > 3 || fabs(most) > 3 || fabs(most - least) < .9)
      return false;
  }
  return true;
}

/* Where the network has an affine of its own for the picture, the assumed pixels may be normalised
 * twice: then what makes the usual range of them is what it was made for. */
static void say_own_affine(const cam_convert_options *options, const draft *d, const pixels *p,
                           bool assumed) {
  static const char *const others[][2] = {{"unit", "0 to 1"}, {"raw", "0 to 255"}};
  const double *f = d->picture_factor, *s = d->picture_shift;
  bool none = true;
  pixels seen;
  for (int c = 0; c < 3; c++)
    none &= f[c] == 1 && s[c] == 0;
  if (none)
    return;
  join_affine(d, p, &seen);
  report(options, "           the network does (x - %g, %g, %g) * %g, %g, %g to it first: together",
         0 - s[0] / f[0], 0 - s[1] / f[1], 0 - s[2] / f[2], f[0], f[1], f[2]);
  report(options, "           (pixel - %g, %g, %g) * %g, %g, %g", seen.mean[0], seen.mean[1],
         seen.mean[2], seen.scale[0], seen.scale[1], seen.scale[2]);
  if (!assumed || is_usual(&seen))
    return;
  for (int i = 0; i < 2; i++) {
    pixels other;
    if (pick_preset(others[i][0], &other, NULL))
      return;
    join_affine(d, &other, &seen);
    if (!is_usual(&seen))
      continue;
    report(options,
           "  warning: this looks like normalised twice: if the network takes %s, "
           "--pixels %s",
           others[i][1], others[i][0]);
    return;
  }
}

/* What ONNX does not say, in one block: wrong pixels are the commonest mistake of all. mean and
 * scale as the caller gave them: what the network does to the picture first is its own. */
static void say_assumed(const cam_convert_options *options, const draft *d, const pixels *p,
                        const json *document, const char *labels) {
  static const char *const endings[] = {
      [ENDS_IN_LOGITS] = "logits; probabilities are their softmax",
      [ENDS_IN_SOFTMAX] = "a softmax; its logits are before it",
      [ENDS_IN_LOG_SOFTMAX] = "the logarithm of a softmax: its logits are before it",
      [ENDS_IN_SIGMOID] = "a sigmoid: each class has a probability of its own"};
  const json *classes = json_member(document, "classes"), *last = json_first(classes);
  const char *by_hand = options->pixels;
  if (!by_hand && strcmp(p->name, presets[0].name))
    by_hand = p->name;
  while (json_next(last))
    last = json_next(last);
  report(options, "what ONNX does not say:");
  report(options, "  input    %d x %d, %s%s", d->width, d->height,
         json_text(json_member(json_member(document, "input"), "resize")),
         unless(options->resize, " (assumed; --resize)"));
  report(options, "  pixels   %s: %s, (pixel - %g, %g, %g) * %g, %g, %g%s", p->name, p->channels,
         p->mean[0], p->mean[1], p->mean[2], p->scale[0], p->scale[1], p->scale[2],
         unless(by_hand, " (assumed; --pixels)"));
  say_own_affine(options, d, p, !by_hand);
  const char *one = json_text(json_next(json_first(json_first(classes)))),
             *other = json_text(json_next(json_first(last)));
  report(options, "  classes  %d, labels: %s, from \"%.*s\" to \"%.*s\"%s", json_count(classes),
         labels, first_name(one), one, first_name(other), other,
         unless(options->labels, " (assumed; --labels)"));
  report(options, "  ends in  %s", endings[d->ending]);
  report(options,
         "  Is that what it was trained on? camserve explain --model %s --show-input "
         "seen.png PHOTO prints a table that tells (the picture alone does not).",
         options->output);
}

/* Labels that the file brings along. */
static const char *labels_in(const onnx_file *file) {
  static const char *const keys[] = {"labels", "classes", "names", "class_names", "character"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    for (int i = 0; i < file->n_properties; i++)
      if (!strcmp(file->properties[i].key, keys[k]))
        return file->properties[i].value;
  return NULL;
}

static cam_code begin_document(const cam_convert_options *options, const onnx_file *file,
                               const draft *d, const pixels *p, joined *out, cam_error *error) {
  char name[65], stem[65], origin[160];
  const char *source;
  if (d->output < 0)
    return cam_fail(error, CAM_E_WEIGHTS, "nothing is computed from the picture");
  const int classes = draft_channels(d, d->output);
  if (classes == 1 && d->ending != ENDS_IN_SIGMOID)
    return cam_fail(error, CAM_E_WEIGHTS,
                    "one logit and no sigmoid: export it with the sigmoid, or with two classes");
  json *document = out->document = json_new_object();
  name_from_path(options->weights, stem);
  name_from_path(options->output, name);
  snprintf(origin, sizeof origin, "%.64s.onnx, made by %.40s %.20s", stem, file->producer,
           file->producer_version);
  json_add_int(document, "version", GRAPH_VERSION);
  json_add_text(document, "name", options->name ? options->name : name);
  json_add_text(document, "origin", origin);
  json_add_text(document, "license", "");
  cam_code code = add_input(options, d, p, document, error);
  if (code)
    return code;
  json_add_text(json_add_object(document, "map"), "resize", "half_pixel");
  if (d->ending == ENDS_IN_SIGMOID)
    json_add_text(document, "probability", "sigmoid");
  code = class_names_add(document, classes, options->labels, labels_in(file), &source, error);
  if (!code)
    say_assumed(options, d, p, document, source);
  return code;
}

/* ---- all of it ---- */

static void say_operators(const cam_convert_options *options) {
  char *list = onnx_operator_list();
  for (char *line = list, *end; line && *line; line = end) { /* in lines of some 90 columns */
    end = line + strlen(line);
    if (end - line > 90) {
      end = line + 90;
      while (*end && *end != ' ')
        end++;
      if (*end)
        *end++ = 0;
    }
    report(options, "%s%s", line == list ? "operators that are read: " : "  ", line);
  }
  free(list);
}

static cam_code import(const cam_convert_options *options, const onnx_file *file, draft *d,
                       joined *out, onnx_facts *facts, cam_error *error) {
  onnx_input_size size;
  pixels p;
  cam_code code = read_input_size(options, &size, error);
  if (!code)
    code = pick_pixels(options, &p, error);
  if (code)
    return code;
  report(options, "reading %s: ONNX, operators of version %lld, %d nodes, by %s %s",
         options->weights, (long long)file->opset, file->n_nodes, file->producer,
         file->producer_version);
  code = onnx_import_graph(file, &size, d, error);
  if (!code)
    code = draft_simplify(d);
  if (!code)
    code = draft_check(d);
  if (!code)
    code = draft_try_sizes(d, ASPECT_MULTIPLE, longest_side(d));
  if (code) {
    if (code == CAM_E_WEIGHTS)
      say_operators(options);
    return code;
  }
  code = begin_document(options, file, d, &p, out, error);
  if (!code)
    code = draft_write(d, out);
  *facts = (onnx_facts){
      .height = size.height, .width = size.width, .last = size.last, .ending = d->ending};
  memcpy(facts->factor, d->picture_factor, sizeof facts->factor);
  memcpy(facts->shift, d->picture_shift, sizeof facts->shift);
  return code;
}

/* The file of external data may not be written over, either. */
static cam_code keep_beside(const cam_convert_options *options, const onnx_file *file,
                            cam_error *error) {
  const char *slash = strrchr(options->weights, '/');
  const int folder = slash ? (int)(slash - options->weights) + 1 : 0;
  char path[MOST_PATH];
  cam_code code = CAM_OK;
  for (const onnx_beside *each = file->beside; each && !code; each = each->next) {
    snprintf(path, sizeof path, "%.*s%s", folder, options->weights, each->name);
    code = document_keep(options->output, path, error);
  }
  return code;
}

cam_code onnx_join(const cam_convert_options *options, joined *out, onnx_facts *facts,
                   cam_error *error) {
  onnx_file *file;
  *out = (joined){0};
  cam_code code = onnx_read(options->weights, &file, error);
  if (code)
    return code;
  draft d = {.memory = file->values, .error = error};
  code = keep_beside(options, file, error);
  if (!code)
    code = import(options, file, &d, out, facts, error);
  onnx_free(file);
  if (code)
    joined_free(out);
  return code;
}
