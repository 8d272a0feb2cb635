/* test_onnx.c - networks as ONNX. One network in eight spellings through cam_convert, against what
 * NumPy computed of its meaning (tests/reference/onnx_files.py); another in eight, to the same
 * operators; random ones, against ONNX Runtime; spellings and refusals one by one, in files of a
 * few nodes; what is meant to do harm.
 */
#include "cam_convert.h"
#include "cam_engine.h"
#include "convert/onnx_data.h"
#include "convert/onnx_file.h"
#include "convert/onnx_import.h"
#include "made_onnx.h"
#include "network/graph.h"
#include <check.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURES "tests/fixtures/onnx/"
static char folder[64], input[128], output[128], progress[8192];
static cam_error error;

static void begin(void) {
  strcpy(folder, "/tmp/camserve-onnx-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(input, sizeof input, "%s/net.onnx", folder);
  snprintf(output, sizeof output, "%s/net.safetensors", folder);
}

static void end(void) {
  remove(input);
  remove(output);
  ck_assert_int_eq(rmdir(folder), 0); /* nothing else was left behind */
}

static void note(void *closure, const char *line) {
  ck_assert_ptr_eq(closure, progress);
  strncat(progress, line, sizeof progress - strlen(progress) - 2);
  strcat(progress, "\n");
}

static cam_code convert(cam_convert_options options) {
  options.output = output;
  options.threads = 2;
  options.progress = note;
  options.closure = progress;
  error = (cam_error){0};
  *progress = 0;
  return cam_convert(&options, &error);
}

static void write_file(const char *path, const void *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
  ck_assert_int_eq(fclose(file), 0);
}

static void write_made(made_bytes made) {
  write_file(input, made.at, made.n);
  free(made.at);
}

/* ---- the networks of onnx_files.py ---- */

static const char *const spellings[] = {"9-nchw",  "9-nhwc",  "13-nchw", "13-nhwc",
                                        "17-nchw", "17-nhwc", "20-nchw", "20-nhwc"};
enum { SPELLINGS = sizeof spellings / sizeof *spellings };

START_TEST(every_spelling_is_the_same_network) {
  char net[128], in[128];
  snprintf(net, sizeof net, FIXTURES "plain-%s.onnx", spellings[_i]);
  snprintf(in, sizeof in, FIXTURES "in-%s.npy", strchr(spellings[_i], '-') + 1);
  const cam_convert_options options = {.weights = net,
                                       .pixels = "signed",
                                       .compare_input = in,
                                       .compare_output = FIXTURES "plain.npy"};
  ck_assert_msg(!convert(options), "%s: %s", net, error.detail);
  ck_assert_ptr_nonnull(strstr(progress, "5 outputs agree"));
  ck_assert_ptr_nonnull(strstr(progress, "ends in  a softmax"));
  cam_graph *graph;
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert_int_eq(graph->height, 17);
  ck_assert_int_eq(graph->width, 22);
  ck_assert_int_eq(graph->n_classes, 5);
  ck_assert_str_eq(graph->classes[4].label, "label 4"); /* from metadata_props */
  ck_assert_str_eq(graph->classes[4].wnid, "");
  ck_assert(!graph->bgr && graph->resize == CAM_STRETCH);
  ck_assert_float_eq(graph->mean[1], 127.5f);
  ck_assert_float_eq_tol(graph->scale[1], 1 / 127.5f, 1e-9f);
  ck_assert_str_eq(graph->name, "net"); /* the output's */
  ck_assert_int_eq(strncmp(graph->origin, "plain-", 6), 0);
  ck_assert_ptr_nonnull(strstr(graph->origin, "onnx_files.py"));
  graph_free(graph);
}
END_TEST

/* ---- random networks (tests/reference/onnx_random.py): the reference against ONNX Runtime, the
 * kernels against the reference ---- */

/* Those of one operator set and layout. */
static glob_t random_networks(const char *spelling) {
  glob_t found;
  char pattern[128];
  snprintf(pattern, sizeof pattern, FIXTURES "random/*-%s.onnx", spelling);
  ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
  return found;
}

/* The model file's kernels give what the reference gives. */
static void check_kernels(const char *net, const char *isa) {
  cam_model *model;
  cam_context *context;
  double logits[5], difference, largest = 0;
  ck_assert_msg(!cam_model_load(output, isa, &model, &error), "%s: %s", net, error.detail);
  ck_assert_int_eq(cam_context_create(model, 1, &cam_default_limits, &context, &error), CAM_OK);
  ck_assert_int_eq(cam_model_get_info(model)->classes, 5);
  ck_assert_int_eq(cam_bench_reference(context, logits, &difference, &error), CAM_OK);
  for (int c = 0; c < 5; c++)
    largest = fmax(largest, fabs(logits[c]));
  ck_assert_msg(difference <= 1e-4 * largest, "%s: %g off, of %g", net, difference, largest);
  cam_context_free(context);
  cam_model_free(model);
}

static void check_random(const char *net) {
  char in[128], out[128];
  const char *layout = strrchr(net, '-') + 1; /* "nhwc.onnx" */
  snprintf(in, sizeof in, FIXTURES "in-%.4s.npy", layout);
  snprintf(out, sizeof out, "%.*s.npy", (int)strlen(net) - 5, net);
  ck_assert_msg(
      !convert((cam_convert_options){.weights = net, .compare_input = in, .compare_output = out}),
      "%s: %s", net, error.detail);
  ck_assert_ptr_nonnull(strstr(progress, "5 outputs agree"));
  check_kernels(net, "portable");
  check_kernels(net, NULL);
}

START_TEST(random_networks_agree) {
  glob_t found = random_networks(spellings[_i]);
  ck_assert_uint_eq(found.gl_pathc, 8);
  for (size_t i = 0; i < found.gl_pathc; i++)
    check_random(found.gl_pathv[i]);
  globfree(&found);
}
END_TEST

START_TEST(another_network_s_answer_is_refused) {
  const cam_convert_options options = {.weights = FIXTURES "plain-13-nchw.onnx",
                                       .compare_input = FIXTURES "in-nchw.npy",
                                       .compare_output = FIXTURES "rich.npy"};
  ck_assert_int_eq(convert(options), CAM_E_WEIGHTS);
  ck_assert_ptr_nonnull(strstr(error.detail, "not the same network"));
  ck_assert_int_ne(access(output, F_OK), 0);
}
END_TEST

/* ---- what a file comes to ---- */

/* Live operators of the draft in order, "conv gap conv"; or the error. */
static const char *operators(const char *path) {
  static char text[1024];
  onnx_file *file;
  onnx_input_size size = {0};
  error = (cam_error){0};
  *text = 0;
  if (onnx_read(path, &file, &error))
    return error.detail;
  draft d = {.memory = file->values, .error = &error};
  cam_code code = onnx_import_graph(file, &size, &d, &error);
  if (!code)
    code = draft_simplify(&d);
  for (int i = 0; i < d.n && !code; i++)
    if (!d.nodes[i].dead) {
      const size_t n = strlen(text);
      snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", draft_op_name(d.nodes[i].op));
    }
  onnx_free(file);
  return code ? error.detail : text;
}

/* How often each word of a text occurs. */
static int count_word(const char *text, const char *word) {
  int n = 0;
  const size_t length = strlen(word);
  for (const char *at = text; (at = strstr(at, word)); at += length)
    n += (at == text || at[-1] == ' ') && (at[length] == ' ' || !at[length]);
  return n;
}

START_TEST(every_spelling_comes_to_the_same_operators) {
  static const struct {
    const char *op;
    int n;
  } expected[] = {{"conv", 6},    {"hard_swish", 1}, {"gap", 2},   {"clip", 2},
                  {"sigmoid", 1}, {"mul", 1},        {"slice", 2}, {"silu", 1},
                  {"concat", 1},  {"shuffle", 1},    {"gelu", 1},  {"avg_pool", 1},
                  {"resize", 1},  {"affine", 1},     {"pad", 0},   {"softmax", 0}};
  char net[128];
  int all = 0, words = 1;
  snprintf(net, sizeof net, FIXTURES "rich-%s.onnx", spellings[_i]);
  const char *text = operators(net);
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    ck_assert_msg(count_word(text, expected[i].op) == expected[i].n, "%s: %s in: %s", net,
                  expected[i].op, text);
    all += expected[i].n;
  }
  for (const char *c = text; *c; c++)
    words += *c == ' ';
  ck_assert_int_eq(words, all);
}
END_TEST

/* A network around some lines that make y of x: they may be of 4 channels or 3. */
#define AFTER "\nlast = Conv(y, w:5x3x1x1)\ngap = GlobalAveragePool(last)\nflat = Flatten(gap)"

static const struct {
  int opset;
  const char *lines, *expected;
} recognised[] = {
    {13, "y = Conv(x, w:3x3x3x3)", "conv gap conv"},
    {13, "a = Conv(x, w:3x3x3x3)\ny = Relu(a)", "conv clip gap conv"},
    /* the picture's own affine goes into mean and scale */
    {13, "a = Mul(x, s:2)\nb = Sub(a, w:3x1x1)\ny = Conv(b, w:3x3x3x3)", "conv gap conv"},
    /* batch norms, before and behind */
    {13, "a = Conv(x, w:3x3x1x1)\ny = BatchNormalization(a, w:3, w:3, w:3, w:3)", "conv gap conv"},
    {13, "a = Relu(x)\ny = BatchNormalization(a, w:3, w:3, w:3, w:3)", "clip affine gap conv"},
    /* of joined planes: into each, or into none */
    {13,
     "a = Conv(x, w:1x3x1x1)\nb = Conv(x, w:2x3x1x1)\nd = Concat(a, b) axis=1\n"
     "y = BatchNormalization(d, w:3, w:3, w:3, w:3)",
     "conv conv concat gap conv"},
    {13,
     "a = Conv(x, w:1x3x1x1)\nb = Conv(x, w:2x3x1x1)\nr = Relu(b)\nd = Concat(a, r) axis=1\n"
     "y = BatchNormalization(d, w:3, w:3, w:3, w:3)",
     "conv conv clip concat affine gap conv"},
    /* limits */
    {9, "y = Clip(x) min=.0 max=6.0", "clip gap conv"},
    {13, "a = Relu(x)\ny = Min(a, s:6)", "clip gap conv"},
    {13, "y = Clip(x, _, _)", "gap conv"},
    /* x times a function of x */
    {13, "a = Sigmoid(x)\ny = Mul(a, x)", "silu gap conv"},
    {14, "y = HardSwish(x)", "hard_swish gap conv"},
    {13, "a = HardSigmoid(x) alpha=.16666667 beta=.5\ny = Mul(x, a)", "hard_swish gap conv"},
    {13, "a = HardSigmoid(x) alpha=.2 beta=.5\ny = Mul(x, a)", "hard_sigmoid mul gap conv"},
    {13, "r = Relu(x)\na = Add(r, s:3)\nb = Clip(a, s:0, s:6)\nc = Div(b, s:6)\ny = Mul(c, r)",
     "clip hard_swish gap conv"},
    {13,
     "r = Relu(x)\na = Add(s:3, r)\nb = Clip(a, s:0, s:6)\nc = Mul(r, b)\ny = Mul(c, s:.16666667)",
     "clip hard_swish gap conv"},
    {13, "r = Relu(x)\na = Add(r, s:3)\nb = Clip(a, s:0, s:6)\ny = Div(b, s:6)",
     "clip hard_sigmoid gap conv"},
    {13,
     "r = Relu(x)\na = Div(r, s:1.4142135)\nb = Erf(a)\nc = Add(b, s:1)\nd = Mul(r, c)\n"
     "y = Mul(d, s:.5)",
     "clip gelu gap conv"},
    {13,
     "r = Relu(x)\na = Mul(r, s:.70710678)\nb = Erf(a)\nc = Add(s:1, b)\nd = Mul(s:.5, r)\n"
     "y = Mul(c, d)",
     "clip gelu gap conv"},
    /* the gate of a squeeze-excite */
    {13, "g = ReduceMean(x) axes=2,3\na = Conv(g, w:3x3x1x1)\nb = Sigmoid(a)\ny = Mul(b, x)",
     "gap conv sigmoid mul gap conv"},
    /* padding goes into what it is for, and only there */
    {13, "a = Pad(x, i:0,0,1,1,0,0,1,1)\ny = Conv(a, w:3x3x3x3)", "conv gap conv"},
    {13, "r = Relu(x)\na = Pad(r, i:0,0,1,1,0,0,1,1)\ny = MaxPool(a) kernel_shape=3,3",
     "clip max_pool gap conv"},
    {13, "a = Pad(x, i:0,0,1,1,0,0,1,1)\ny = MaxPool(a) kernel_shape=3,3", "pad max_pool gap conv"},
    {13, "a = Pad(x, i:0,0,1,1,0,0,1,1)\ny = AveragePool(a) kernel_shape=3,3", "avg_pool gap conv"},
    /* no operator at all */
    {13, "a = Identity(x)\nb = Dropout(a)\ny = Cast(b) to=1", "gap conv"},
    {13, "a = Transpose(x) perm=0,2,3,1\nb = Mul(a, w:3)\ny = Transpose(b) perm=0,3,1,2",
     "gap conv"},
    {13, "y = AveragePool(x) kernel_shape=1,1", "gap conv"},
    {13,
     "a = Shape(x)\nb = Slice(a, i:2, i:4, i:0)\nc = Concat(i:1,3, b) axis=0\ny = Reshape(x, c)",
     "gap conv"},
    {13, "y = Gather(x, i:0,1,2) axis=1", "gap conv"},
    {13, "c = Constant() value_ints=1,3,16,16\ny = Reshape(x, c)", "gap conv"},
    {13, "c = Constant() value_float=2.0\ny = Mul(x, c)", "gap conv"},
    {13, "a = Cast(i:2;) to=1\nb = CastLike(a, x)\ny = Mul(x, b)", "gap conv"},
    /* channels */
    {13, "r = Relu(x)\na, b = Split(r, i:1,2) axis=1\ny = Concat(b, a) axis=1",
     "clip slice slice concat gap conv"},
    {9,
     "r = Relu(x)\na = Slice(r) starts=1, ends=3, axes=1,\nb = Slice(r) starts=0, ends=1, axes=1,\n"
     "y = Concat(a, b) axis=-3",
     "clip slice slice concat gap conv"},
    {13,
     "c = Conv(x, w:4x3x1x1)\na = Reshape(c, i:1,2,2,16,16)\nb = Transpose(a) perm=0,2,1,3,4\n"
     "d = Reshape(b, i:1,4,16,16)\ny = Conv(d, w:3x4x3x3)",
     "conv shuffle conv gap conv"},
    {13,
     "c = Gather(x, i:1;) axis=1\nd = Unsqueeze(c, i:1)\ne = Concat(d, x) axis=1\n"
     "y = Conv(e, w:3x4x3x3)",
     "slice concat conv gap conv"},
    {13,
     "a = Slice(x, i:0, i:1, i:1)\nb = Slice(x, i:1, i:3, i:1)\nc = Mul(b, s:2)\n"
     "d = Concat(a, c) axis=1\ny = Conv(d, w:3x3x3x3)",
     "conv gap conv"},
    {13,
     "a = Slice(x, i:0, i:1, i:1)\nb = Slice(x, i:1, i:3, i:1)\nd = Concat(b, a) axis=1\n"
     "y = Conv(d, w:3x3x3x3)",
     "slice slice concat conv gap conv"},
    {13,
     "r = Relu(x)\na = Slice(x, i:0, i:1, i:1)\nb = Slice(r, i:1, i:3, i:1)\n"
     "y = Concat(a, b) axis=1",
     "clip slice slice concat gap conv"},
    {13,
     "c = Conv(x, w:4x3x1x1)\na = Reshape(c, i:1,2,2,16,16)\nb = Transpose(a) perm=0,2,1,3,4\n"
     "d = Reshape(b, i:1,4,16,16)\ne = Conv(d, w:3x4x1x1)\nf = Conv(d, w:3x4x3x3) "
     "pads=1,1,1,1\ny = Add(e, f)",
     "conv shuffle conv conv add gap conv"},
    /* what the output does not need */
    {13, "q = LSTM(x, w:3x3)\ny = Relu(x)", "clip gap conv"},
    /* layer norms, spelled out; the factors behind them are theirs */
    {13,
     "r = Relu(x)\nm = ReduceMean(r) axes=1,\nd = Sub(r, m)\np = Pow(d, s:2)\n"
     "v = ReduceMean(p) axes=1,\ne = Add(v, s:0.001)\ns = Sqrt(e)\nn = Div(d, s)\n"
     "k = Mul(n, w:3x1x1)\ny = Add(k, w:3x1x1)",
     "clip layer_norm gap conv"},
    {18,
     "t = Transpose(x) perm=0,2,3,1\nr = Relu(t)\nm = ReduceMean(r, i:-1)\nd = Sub(r, m)\n"
     "p = Mul(d, d)\nv = ReduceMean(p, i:-1)\ne = Add(s:0.001, v)\ns = Sqrt(e)\n"
     "n = Div(d, s)\ny = Transpose(n) perm=0,3,1,2",
     "clip layer_norm gap conv"},
    {17,
     "t = Transpose(x) perm=0,2,3,1\nr = Relu(t)\nn = LayerNormalization(r, w:3, w:3)\n"
     "y = Transpose(n) perm=0,3,1,2",
     "clip layer_norm gap conv"},
    /* channels that were shuffled before */
    {17,
     "c = Conv(x, w:4x3x1x1)\na = Reshape(c, i:1,2,2,16,16)\nb = Transpose(a) perm=0,2,1,3,4\n"
     "d = Reshape(b, i:1,4,16,16)\nt = Transpose(d) perm=0,2,3,1\n"
     "n = LayerNormalization(t, w:4, w:4)\nu = Transpose(n) perm=0,3,1,2\ny = Conv(u, w:3x4x1x1)",
     "conv shuffle layer_norm conv gap conv"},
    {13,
     "c = Conv(x, w:4x3x1x1)\na = Reshape(c, i:1,2,2,16,16)\nb = Transpose(a) perm=0,2,1,3,4\n"
     "q = Reshape(b, i:1,4,16,16)\nm = ReduceMean(q) axes=1,\nd = Sub(q, m)\np = Mul(d, d)\n"
     "v = ReduceMean(p) axes=1,\ne = Add(v, s:0.001)\ns = Sqrt(e)\nn = Div(d, s)\n"
     "y = Conv(n, w:3x4x1x1)",
     "conv shuffle layer_norm conv gap conv"},
    /* a mean of a mean; a plane that is one cell at this size */
    {13, "a = GlobalAveragePool(x)\nb = ReduceMean(a) axes=2,3\ny = Identity(b)", "gap conv"},
    {13, "y = AveragePool(x) kernel_shape=16,16", "gap conv"},
    {13, "y = Conv(x, w:3x3x16x16)", "conv gap conv"},
};

START_TEST(spellings_are_recognised) {
  char lines[1024];
  snprintf(lines, sizeof lines, "%s" AFTER, recognised[_i].lines);
  write_made(made_onnx(recognised[_i].opset, "1,3,16,16", lines));
  const char *got = operators(input);
  ck_assert_msg(!strcmp(got, recognised[_i].expected), "%s\ncomes to %s\nand not %s",
                recognised[_i].lines, got, recognised[_i].expected);
}
END_TEST

/* ---- what is refused, and how it is said ---- */

static const struct {
  const char *lines, *expected;
} refused[] = {
    {"y = If(x) then_branch=GRAPH", "node y (If): control flow"},
    {"y = Conv(x, w:3x3x3x3) body=GRAPH", "attribute body holds a graph"},
    {"y = LSTM(x, w:3x3, w:3x3)", "node y (LSTM): recurrent operators would have to be built"},
    {"y = QuantizeLinear(x, s:1)", "quantised operators"},
    {"y = LeakyRelu(x) alpha=.1", "node y (LeakyRelu): this operator would have to be built"},
    {"y = MaxPool(x) kernel_shape=2,2 dilations=2,2", "attribute dilations"},
    {"y = MaxPool(x) kernel_shape=20,20", "a kernel of 20 x 20 does not fit 16 x 16 cells"},
    {"y = Conv(x, w:3x3x3x3) pads=1,1,-1,1", "attribute pads: -1"},
    {"y = Conv(x, w:3x3x3x3) strange=1", "attribute strange would have to be built"},
    {"y = Conv(x, w:4x2x1x1)", "3 channels in 1 groups"},
    {"a = Transpose(x) perm=0,3,2,1\ny = Conv(a, w:3x3x1x1)", "turned or cut"},
    {"y = Add(x, w:1x3x16x16)", "position embeddings"},
    {"y = Concat(x, w:1x3x16x16) axis=1", "input 2 is a constant"},
    {"y = Concat(x, x) axis=2", "other sides than channels"},
    {"a = Reshape(x, i:1,3,256)\nb = Transpose(a) perm=0,2,1\ny = MatMul(b, a)", "attention"},
    {"y = Softmax(x) axis=1", "softmax"},
    {"y = Resize(x, _, w:4) mode=linear", "attribute mode linear"},
    {"y = Resize(x, _, w:4) mode=nearest", "whole enlargements"},
    {"y = Pad(x, i:0,0,1,1,0,0,1,1) mode=reflect", "attribute mode reflect"},
    {"y = Pad(x, i:0,1,0,0,0,1,0,0)", "padded channels"},
    {"y = Slice(x, i:0, i:8, i:2)", "parts of rows or columns"},
    {"y = Reshape(x, i:1,2,384)", "cuts"},
    {"y = Reshape(x, i:1,-1,-1)", "side 2 of its shape is -1"},
    {"y = Reshape(x, x)", "computed from the picture"},
    {"y = Relu(z)", "its input z comes from no earlier node"},
    {"y = Relu(y)", "its input y comes from no earlier node"},
    {"y = Relu(x)\ny = Relu(x)", "value y: two nodes"},
    {"y = Relu(x, x)", "2 inputs"},
    {"y = Relu()", "0 inputs"},
    {"y = BatchNormalization(x, w:3, w:3, w:3, w:2)", "input 5 has 2 numbers"},
    {"y = Div(s:1, x)", "a constant divided by a plane"},
    {"c = Div(i:1;, i:0;)\ny = Reshape(x, c)", "division by 0"},
    {"y = Gather(x, i:3;) axis=1", "index 3 of 3 places"},
    {"y = Gather(x, i:2,0,1) axis=1", "indices in an order of their own"},
    {"c = Conv(x, w:8x3x1x1)\na = Reshape(c, i:1,2,2,2,256)\nb = Transpose(a) perm=0,1,3,2,4\n"
     "d = Reshape(b, i:1,8,16,16)\ny = Conv(d, w:3x8x1x1)",
     "turned or cut"},
    {"c = ConstantOfShape(i:16384,8192)\na = Shape(c)\nb = Shape(c)\nd = Shape(c)\n"
     "e = Concat(a, b, d) axis=0\ny = Reshape(x, e)",
     "node d (Shape): up to here the nodes read"},
    {"y = Sqrt(x)", "roots of planes"},
    {"y = Pow(x, s:2)", "powers of planes"},
    {"y = Div(x, x)", "a plane divided by a plane"},
    {"y = Transpose(x) perm=0,0,1,2", "attribute perm"},
};

START_TEST(refusals_name_what_is_missing) {
  char lines[1024];
  snprintf(lines, sizeof lines, "%s" AFTER, refused[_i].lines);
  write_made(made_onnx(13, "N,3,16,16", lines));
  const char *got = operators(input);
  ck_assert_msg(strstr(got, refused[_i].expected), "%s\nis refused by: %s", refused[_i].lines, got);
  ck_assert_int_eq(error.code, CAM_E_WEIGHTS);
}
END_TEST

/* The size of the picture, the version, the output. */
START_TEST(what_is_no_classifier_of_photos_is_refused) {
  static const struct {
    int opset;
    const char *shape, *lines, *expected;
  } rows[] = {
      {6, "1,3,8,8", "y = Relu(x)", "version 6"},
      {24, "1,3,8,8", "y = Relu(x)", "version 24"},
      {13, "1,1,8,8", "y = Relu(x)", "has 1 channels"},
      {13, "2,3,8,8", "y = Relu(x)", "a batch of 2"},
      {13, "1,3,8", "y = Relu(x)", "has 3 sides"},
      {13, "1,3,8,8", "y = Relu(x)", "one number a class"},
      {13, "1,3,8,8", "y = Identity(w:1x5)", "comes from no picture"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    write_made(made_onnx(rows[i].opset, rows[i].shape, rows[i].lines));
    const char *got = operators(input);
    ck_assert_msg(strstr(got, rows[i].expected), "%s: %s", rows[i].expected, got);
  }
}
END_TEST

/* ---- constants ---- */

/* Lines that make c of nothing, and its three numbers: the network multiplies the picture by them.
 */
static const struct {
  const char *lines;
  double expected[3];
} folded[] = {
    {"c = Range(s:1, s:7, s:2)", {1, 3, 5}},
    {"a = Range(i:0;, i:3;, i:1;)\nb = Mul(a, i:2;)\nd = Sub(b, i:5;)\nc = Cast(d) to=1",
     {-5, -3, -1}},
    {"a = Range(s:0, s:6, s:1)\nc = Slice(a, i:-1, i:-7, i:0, i:-2)", {5, 3, 1}},
    {"a = Range(s:0, s:6, s:1)\nc = Slice(a, i:1, i:99, i:0, i:2)", {1, 3, 5}},
    {"a = Range(s:0, s:6, s:1)\nc = Gather(a, i:4,-1,0)", {4, 5, 0}},
    {"a = Range(s:0, s:6, s:1)\nb = Reshape(a, i:2,3)\nd = Transpose(b)\n"
     "c = Gather(d, i:1;) axis=1",
     {3, 4, 5}},
    {"a = Range(s:0, s:6, s:1)\nb = Reshape(a, i:2,-1)\nd = Transpose(b) perm=1,0\n"
     "e = Flatten(d) axis=0\nf = Squeeze(e, i:0)\nc, g = Split(f, i:3,3) axis=0",
     {0, 3, 1}},
    {"a = Range(s:0, s:3, s:1)\nb = Unsqueeze(a, i:1)\nd = Concat(b, b) axis=1\n"
     "e = Reshape(d, i:6)\nc = Slice(e, i:1, i:4)",
     {0, 1, 1}},
    {"a = Range(s:0, s:6, s:1)\nb = Reshape(a, i:3,2)\nc = ReduceSum(b, i:1) keepdims=0",
     {1, 5, 9}},
    {"a = Range(s:0, s:6, s:1)\nb = Reshape(a, i:2,3)\nc = ReduceMax(b) axes=0, keepdims=0",
     {3, 4, 5}},
    {"a = Range(s:0, s:6, s:1)\nb = Reshape(a, i:3,2)\nd = ReduceMean(b) axes=-1,\n"
     "c = Reshape(d, i:3)",
     {.5, 2.5, 4.5}},
    {"a = Range(s:0, s:3, s:1)\nb = Greater(a, s:0.5)\nc = Where(b, a, s:7)", {7, 1, 2}},
    {"a = Range(s:0, s:3, s:1)\nb = LessOrEqual(a, s:1)\nd = Not(b)\ne = Cast(d) to=1\n"
     "c = Add(e, s:1)",
     {1, 1, 2}},
    {"a = Range(i:-3;, i:0;, i:1;)\nb = Mod(a, i:5;)\nc = Cast(b) to=1", {2, 3, 4}},
    {"a = Range(i:7;, i:10;, i:1;)\nb = Div(a, i:3;)\nc = Cast(b) to=1", {2, 2, 3}},
    {"a = Range(s:1, s:4, s:1)\nb = Pow(a, s:2)\nd = Sqrt(b)\ne = Neg(d)\nc = Reciprocal(e)",
     {-1, -.5, -1. / 3}},
    {"a = Range(s:0, s:3, s:1)\nb = Div(a, s:2)\nd = Ceil(b)\nc = Clip(d, s:0.5, s:0.75)",
     {.5, .75, .75}},
    {"a = Tile(i:1,2, i:2)\nb = Slice(a, i:0, i:3)\nc = Cast(b) to=1", {1, 2, 1}},
    {"a = Expand(s:3, i:3)\nb = ConstantOfShape(i:3)\nc = Add(a, b)", {3, 3, 3}},
    {"a = Range(s:0, s:4, s:1)\nb = Reshape(a, i:2,2)\nd = Concat(b, b) axis=0\n"
     "e = Reshape(d, i:8)\nc = Slice(e, i:1, i:4)",
     {1, 2, 3}},
    {"a = Range(s:0, s:3, s:1)\nb = Reshape(a, i:3,1)\nd = Range(s:0, s:20, s:10)\ne = Add(b, d)\n"
     "f = Reshape(e, i:6)\nc = Slice(f, i:1, i:4)",
     {10, 1, 11}},
    {"a = Shape(x)\nb = Slice(a, i:1, i:4)\nc = Cast(b) to=1", {3, 2, 4}},
    {"a = Range(s:1, s:4, s:1)\nb = Min(a, s:2)\nd = Max(b, s:1.5)\nc = Identity(d)", {1.5, 2, 2}},
};

START_TEST(constants_are_folded) {
  char lines[1024];
  onnx_file *file;
  onnx_input_size size = {0};
  snprintf(lines, sizeof lines,
           "%s\nk = Reshape(c, i:3,1,1)\nm = Mul(x, k)\nl = Conv(m, w:2x3x1x1)"
           "\ngap = GlobalAveragePool(l)",
           folded[_i].lines);
  write_made(made_onnx(13, "1,3,2,4", lines));
  error = (cam_error){0};
  ck_assert_msg(!onnx_read(input, &file, &error), "%s", error.detail);
  draft d = {.memory = file->values, .error = &error};
  cam_code code = onnx_import_graph(file, &size, &d, &error);
  if (!code)
    code = draft_simplify(&d);
  ck_assert_msg(!code, "%s: %s", folded[_i].lines, error.detail);
  for (int c = 0; c < 3; c++)
    ck_assert_msg(fabs(d.picture_factor[c] - folded[_i].expected[c]) < 1e-6, "%s: number %d is %g",
                  folded[_i].lines, c, d.picture_factor[c]);
  onnx_free(file);
}
END_TEST

/* Numbers in every field that a TensorProto has for them. */
START_TEST(numbers_come_in_any_field) {
  static const uint8_t halves[] = {0x00, 0x3c, 0x00, 0xc0},
                       wide[] = {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0},
                       small[] = {1, 0xfe}, brains[] = {0x80, 0x3f, 0x00, 0xc0};
  static const int32_t half_bits[] = {0x3c00, 0xc000}, bytes[] = {1, -2};
  static const int64_t longs[] = {1, -2}, two[] = {2};
  static const double doubles[] = {1, -2};
  static const float floats[] = {1, -2};
#define RAW(bytes) .has_raw = true, .raw = bytes, .n_raw = sizeof bytes
  static const struct {
    onnx_data data;
    bool real;
  } rows[] = {
      {{.type = 1, .floats = floats, .n_floats = 2}, true},
      {{.type = 10, RAW(halves)}, true},
      {{.type = 10, .ints = half_bits, .n_ints = 2}, true},
      {{.type = 11, RAW(wide)}, true},
      {{.type = 11, .doubles = doubles, .n_doubles = 2}, true},
      {{.type = 16, RAW(brains)}, true},
      {{.type = 3, RAW(small)}, false},
      {{.type = 3, .ints = bytes, .n_ints = 2}, false},
      {{.type = 6, .ints = bytes, .n_ints = 2}, false},
      {{.type = 7, .longs = longs, .n_longs = 2}, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    arena *memory = arena_create(1 << 16);
    const constant *made;
    onnx_data data = rows[i].data;
    data.name = "w";
    data.rank = 1;
    data.shape = two;
    ck_assert_msg(!onnx_data_read(&data, "net.onnx", memory, memory, &made, &error), "%zu: %s", i,
                  error.detail);
    ck_assert_int_eq(made->real != NULL, rows[i].real);
    ck_assert_double_eq(constant_at(made, 0), 1);
    ck_assert_double_eq(constant_at(made, 1), -2);
    arena_free(memory);
  }
}
END_TEST

/* With ceil_mode a window that would begin in the padding is left out. */
START_TEST(last_windows_begin_in_the_plane) {
  static const struct {
    int side;
    const char *pool;
    int cells;
  } rows[] = {
      {15, "kernel_shape=2,2 strides=2,2 pads=1,1,1,1 ceil_mode=1", 8},
      {16, "kernel_shape=2,2 strides=2,2 pads=1,1,1,1 ceil_mode=1", 9},
      {16, "kernel_shape=3,3 strides=2,2 ceil_mode=1", 8},
      {16, "kernel_shape=3,3 strides=2,2", 7},
      {16, "kernel_shape=1,1 strides=3,3 pads=0,0,0,0 ceil_mode=1", 6},
      {16, "kernel_shape=3,3 strides=2,2 auto_pad=SAME_LOWER", 8},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char shape[64], lines[512];
    snprintf(shape, sizeof shape, "1,3,%d,%d", rows[i].side, rows[i].side);
    snprintf(lines, sizeof lines, "p = MaxPool(x) %s\ny = Reshape(p, i:1,3,%d,%d)" AFTER,
             rows[i].pool, rows[i].cells, rows[i].cells);
    write_made(made_onnx(13, shape, lines));
    ck_assert_msg(!strcmp(operators(input), "max_pool gap conv"), "%s: %s", rows[i].pool,
                  operators(input));
  }
}
END_TEST

/* A flattened plane's weights go from the exporter's order of places to ours: rows, columns,
 * channels. */
START_TEST(flattened_weights_are_turned) {
  static const struct {
    const char *flat;
    int y, x, c; /* how far apart they are in the exporter's order */
  } orders[] = {{"f = Flatten(x)", 4, 1, 8},
                {"t = Transpose(x) perm=0,2,3,1\nf = Flatten(t)", 12, 3, 1},
                {"t = Transpose(x) perm=0,3,1,2\nf = Reshape(t, i:1,-1)", 1, 6, 2}};
  for (size_t o = 0; o < sizeof orders / sizeof *orders; o++)
    for (int turned = 0; turned < 2; turned++) {
      char lines[512];
      onnx_file *file;
      onnx_input_size size = {0};
      double values[24];
      snprintf(lines, sizeof lines, "%s\na = Range(s:0, s:24, s:1)\nw = Reshape(a, i:%s)\n%s",
               orders[o].flat, turned ? "1,24" : "24,1",
               turned ? "z = Gemm(f, w) transB=1" : "z = MatMul(f, w)");
      write_made(made_onnx(13, "1,3,2,4", lines));
      ck_assert_int_eq(onnx_read(input, &file, &error), CAM_OK);
      draft d = {.memory = file->values, .error = &error};
      ck_assert_msg(!onnx_import_graph(file, &size, &d, &error), "%s", error.detail);
      const draft_node *node = &d.nodes[d.output];
      ck_assert_int_eq(number_count(&node->weight), 24);
      number_read(&node->weight, values);
      for (int i = 0; i < 24; i++) {
        const int c = i % 3, x = i / 3 % 4, y = i / 12;
        ck_assert_double_eq(values[i], y * orders[o].y + x * orders[o].x + c * orders[o].c);
      }
      onnx_free(file);
    }
}
END_TEST

/* ---- options ---- */

#define SMALL \
  "y = Conv(x, w:4x3x3x3) pads=1,1,1,1" \
  "\nr = Relu(y)\ngap = GlobalAveragePool(r)\nf = Flatten(gap)\nz = Gemm(f, w:4x3, w:3)"

#define AFTER_FOUR "\ngap = GlobalAveragePool(y)\nf = Flatten(gap)\nz = Gemm(f, w:4x3, w:3)"

static void ck_labels(const char *text, const char *last_id, const char *last) {
  char path[128];
  cam_graph *graph;
  snprintf(path, sizeof path, "%s/labels", folder);
  write_file(path, text, strlen(text));
  const cam_convert_options options = {.weights = input, .labels = path, .input = "8x12"};
  const cam_code code = convert(options);
  remove(path);
  ck_assert_msg(!code, "%s: %s", text, error.detail);
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert_str_eq(graph->classes[2].label, last);
  ck_assert_str_eq(graph->classes[2].wnid, last_id);
  ck_assert_int_eq(graph->height, 8);
  ck_assert_int_eq(graph->width, 12);
  graph_free(graph);
}

/* Softmax and sigmoid at the end are noted and dropped, also where the picture's size alone makes
 * the plane one cell. */
START_TEST(endings_are_dropped) {
  static const struct {
    const char *lines, *operators, *said;
  } rows[] = {
      {"g = GlobalAveragePool(x)\nf = Flatten(g)\nl = Gemm(f, w:3x4)\nz = Softmax(l) axis=1",
       "gap conv", "in  a softmax"},
      {"g = GlobalAveragePool(x)\nf = Flatten(g)\nl = Gemm(f, w:3x4)\nz = LogSoftmax(l) axis=1",
       "gap conv", "in  the logarithm of a softmax"},
      {"g = GlobalAveragePool(x)\nf = Flatten(g)\nl = Gemm(f, w:3x4)\nz = Sigmoid(l)", "gap conv",
       "a sigmoid"},
      {"g = GlobalAveragePool(x)\nf = Flatten(g)\nz = Gemm(f, w:3x4)", "gap conv", "in  logits"},
      {"c = Conv(x, w:4x3x8x8)\nz = Softmax(c) axis=1", "conv gap", NULL},
      {"c = Conv(x, w:4x3x8x8)\nr = Relu(c)\nz = Sigmoid(r)", "conv clip gap", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    write_made(made_onnx(13, "1,3,8,8", rows[i].lines));
    const char *got = operators(input);
    ck_assert_msg(!strcmp(got, rows[i].operators), "%s: %s", rows[i].lines, got);
    if (!rows[i].said)
      continue;
    ck_assert_msg(!convert((cam_convert_options){.weights = input}), "%s", error.detail);
    ck_assert_msg(strstr(progress, rows[i].said), "%s", progress);
  }
}
END_TEST

START_TEST(one_logit_needs_a_sigmoid) {
  const char *const lines = "g = GlobalAveragePool(x)\nf = Flatten(g)\nl = Gemm(f, w:3x1)";
  char with[256];
  write_made(made_onnx(13, "1,3,8,8", lines));
  ck_assert_int_eq(convert((cam_convert_options){.weights = input}), CAM_E_WEIGHTS);
  ck_assert_msg(strstr(error.detail, "one logit and no sigmoid"), "%s", error.detail);
  snprintf(with, sizeof with, "%s\nz = Sigmoid(l)", lines);
  write_made(made_onnx(13, "1,3,8,8", with));
  ck_assert_msg(!convert((cam_convert_options){.weights = input}), "%s", error.detail);
}
END_TEST

START_TEST(small_maps_are_said) {
  static const struct {
    const char *size;
    bool said;
  } rows[] = {{"2x2", true}, {"1x2", true}, {"3x2", false}, {"8x8", false}};
  write_made(made_onnx(13, "N,3,N,N", SMALL));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ck_assert_msg(!convert((cam_convert_options){.weights = input, .input = rows[i].size}), "%s",
                  error.detail);
    ck_assert_msg((strstr(progress, "warning: the class maps have") != NULL) == rows[i].said,
                  "%s: %s", rows[i].size, progress);
  }
}
END_TEST

START_TEST(labels_come_in_any_form) {
  write_made(made_onnx(13, "N,3,N,N", SMALL));
  ck_labels("a\nb\nc\n", "", "c");
  ck_labels("# three\r\nn00000001\ta\r\nn00000002\tb\r\nn00000003\tc, d\r\n", "n00000003", "c, d");
  ck_labels("n00000001 a\nn00000002 b\nn00000003 c d\n", "n00000003", "c d");
  ck_labels("[\"a\", \"b\", [\"n3\", \"c\"]]", "n3", "c");
  ck_labels("[\"a\", \"b\", [null, \"c\"]]", "", "c");
  ck_labels("{\"0\": \"a\", \"2\": [\"n3\", \"c\"], \"1\": \"b\"}", "n3", "c");
  ck_labels("{\"c\": 2, \"a\": 0, \"b\": 1}", "", "c");
  ck_labels("\xef\xbb\xbf"
            "a\nb\nc\n",
            "", "c");
  ck_labels("\xef\xbb\xbf[\"a\", \"b\", \"c\"]", "", "c");
  char path[128];
  static const char *const twice[] = {
      "{\"a\": 0, \"b\": 0, \"c\": 1}", "{\"a\": 0, \"b\": 1, \"c\": 3}",
      "{\"a\": 0, \"b\": 1, \"c\": 1.5}", "{\"a\": 0, \"b\": 1, \"c\": \"2\"}",
      "{\"a\": 0, \"b\": 1, \"c\": -1}"};
  snprintf(path, sizeof path, "%s/labels", folder);
  for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
    write_file(path, twice[i], strlen(twice[i]));
    ck_assert_int_eq(convert((cam_convert_options){.weights = input, .labels = path}),
                     CAM_E_WEIGHTS);
    ck_assert_msg(strstr(error.detail, "0 to 2, each once"), "%s", error.detail);
  }
  write_file(path, "a\nb\n", 4);
  const cam_convert_options options = {.weights = input, .labels = path, .input = "8x8"};
  ck_assert_int_eq(convert(options), CAM_E_WEIGHTS);
  remove(path);
  ck_assert_ptr_nonnull(strstr(error.detail, "2 labels for 3 classes"));
}
END_TEST

START_TEST(options_out_of_range_are_named) {
  static const struct {
    cam_convert_options options;
    const char *expected;
  } rows[] = {
      {{.input = "8"}, "--input 8"},
      {{.input = "8x0"}, "--input 8x0"},
      {{.input = "8x99999"}, "--input 8x99999"},
      {{.pixels = "torch"}, "--pixels torch"},
      {{.pixels = "unit", .mean = "1,2,3"}, "not both"},
      {{.mean = "1,2"}, "--mean 1,2"},
      {{.mean = "0.485,0.456,0.406", .scale = "0.229,0.224,0.225"},
       "--mean 123.675,116.28,103.53 --scale 0.01712,0.01751,0.01743"},
      {{.mean = ".5,.5,.5"}, "--mean 127.5,127.5,127.5 --scale 0.003922,0.003922,0.003922"},
      {{.scale = "1,2,3,4"}, "--scale 1,2,3,4"},
      {{.channels = "GBR"}, "--channels GBR"},
      {{.resize = "crop"}, "--resize crop"},
  };
  write_made(made_onnx(13, "N,3,N,N", SMALL));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cam_convert_options options = rows[i].options;
    options.weights = input;
    ck_assert_int_eq(convert(options), CAM_E_PARAMETER);
    ck_assert_msg(strstr(error.detail, rows[i].expected), "%s", error.detail);
  }
}
END_TEST

/* The order of channels alone turns the preset's numbers. */
START_TEST(presets_turn_with_the_channels) {
  static const struct {
    const char *pixels, *channels;
    bool bgr;
    float first, last;
  } rows[] = {{NULL, "BGR", true, 255 * .406f, 255 * .485f},
              {"imagenet", "RGB", false, 255 * .485f, 255 * .406f},
              {"caffe", "RGB", false, 123.68f, 103.939f},
              {"caffe", NULL, true, 103.939f, 123.68f}};
  write_made(made_onnx(13, "N,3,8,8", SMALL));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cam_graph *graph;
    ck_assert_msg(!convert((cam_convert_options){
                      .weights = input, .pixels = rows[i].pixels, .channels = rows[i].channels}),
                  "%s", error.detail);
    ck_assert_int_eq(strstr(progress, "(assumed; --pixels)") != NULL, !rows[i].pixels);
    ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
    ck_assert(graph->bgr == rows[i].bgr);
    ck_assert_float_eq_tol(graph->mean[0], rows[i].first, 1e-4f);
    ck_assert_float_eq_tol(graph->mean[2], rows[i].last, 1e-4f);
    graph_free(graph);
  }
}
END_TEST

START_TEST(pixels_normalised_twice_are_said) {
  static const struct {
    const char *lines, *pixels, *said; /* NULL: no warning */
  } rows[] = {
      {"a = Sub(x, s:.5)\nk = Mul(a, s:2)\n", NULL, "takes 0 to 1, --pixels unit"},
      {"k = Div(x, s:255)\n", NULL, "takes 0 to 255, --pixels raw"},
      {"k = Div(x, s:255)\n", "raw", NULL},
      {"a = Mul(x, s:.45)\nk = Sub(a, s:.05)\n", NULL,
       NULL}, /* from one normalisation to another */
      {"k = Identity(x)\n", NULL, NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char lines[512];
    snprintf(lines, sizeof lines, "%sy = Conv(k, w:4x3x3x3)" AFTER_FOUR, rows[i].lines);
    write_made(made_onnx(13, "1,3,16,16", lines));
    ck_assert_msg(!convert((cam_convert_options){.weights = input, .pixels = rows[i].pixels}), "%s",
                  error.detail);
    ck_assert_int_eq(strstr(progress, "the network does (x - ") != NULL, i < 4);
    ck_assert_int_eq(strstr(progress, "normalised twice") != NULL, rows[i].said != NULL);
    ck_assert_msg(!rows[i].said || strstr(progress, rows[i].said), "%s", progress);
  }
}
END_TEST

START_TEST(aspect_only_where_no_size_is_in_the_graph) {
  static const char *const sized[] = {
      "q = AveragePool(x) kernel_shape=8,8\nf = Flatten(q)\nz = Gemm(f, w:3x3)",
      "q = Conv(x, w:4x3x8x8)\nf = Flatten(q)\nz = Gemm(f, w:4x3)",
      "p = MaxPool(x) kernel_shape=3,3 strides=2,2 auto_pad=SAME_LOWER\n"
      "q = GlobalAveragePool(p)\nf = Flatten(q)\nz = Gemm(f, w:3x3)",
  };
  cam_graph *graph;
  write_made(made_onnx(13, "N,3,8,8", SMALL));
  ck_assert_msg(!convert((cam_convert_options){.weights = input, .resize = "aspect"}), "%s",
                error.detail);
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert(graph->resize == CAM_ASPECT && graph->multiple == 32 && graph->max_side == 640);
  graph_free(graph);
  ck_assert_int_eq(convert((cam_convert_options){.weights = input}), CAM_OK);
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert(graph->resize == CAM_STRETCH && !graph->one_size); /* a request may ask for it */
  graph_free(graph);
  for (size_t i = 0; i < sizeof sized / sizeof *sized; i++) {
    write_made(made_onnx(13, "N,3,8,8", sized[i]));
    ck_assert_int_eq(convert((cam_convert_options){.weights = input, .resize = "aspect"}),
                     CAM_E_PARAMETER);
    ck_assert_msg(strstr(error.detail, "holds for 8 x 8 alone"), "%s", error.detail);
    ck_assert_msg(!convert((cam_convert_options){.weights = input}), "%s", error.detail);
    ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
    ck_assert(graph->resize == CAM_STRETCH && graph->one_size);
    graph_free(graph);
  }
}
END_TEST

/* ---- heads ---- */

/* The operators of the model file that the network becomes. */
static const char *written_operators(cam_graph **graph) {
  static char text[512];
  *text = 0;
  if (convert((cam_convert_options){.weights = input}))
    return error.detail;
  ck_assert_int_eq(graph_load(output, graph, &error), CAM_OK);
  for (int i = 0; i < (*graph)->n_nodes; i++) {
    const size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "", op_name((*graph)->nodes[i].op));
  }
  return text;
}

#define CONV "c = Conv(x, w:4x3x1x1)\nr = Relu(c)\n"
#define POOLED CONV "g = GlobalAveragePool(r)\n"
#define FLAT "f = Flatten(g)\n"

static const struct {
  const char *lines, *operators;
  cam_method method;
} heads[] = {
    {POOLED FLAT "z = Gemm(f, w:4x3)", "conv relu gap fc", CAM_METHOD_CAM},
    {POOLED "l = Conv(g, w:3x4x1x1)\nz = Flatten(l)", "conv relu gap fc", CAM_METHOD_CAM},
    {CONV "l = Conv(r, w:3x4x1x1)\ng = GlobalAveragePool(l)\nz = Flatten(g)", "conv relu gap fc",
     CAM_METHOD_CAM},
    {POOLED "z = Flatten(g)", "conv relu gap", CAM_METHOD_CAM},
    {POOLED FLAT "a = Gemm(f, w:4x9, w:9)\nb = Relu(a)\nz = Gemm(b, w:9x3)",
     "conv relu gap fc relu fc", CAM_METHOD_HIRESCAM},
    {POOLED "a = Conv(g, w:9x4x1x1)\nb = Clip(a, s:0, s:6)\nl = Conv(b, w:3x9x1x1)\nz = Flatten(l)",
     "conv relu gap fc relu6 fc", CAM_METHOD_HIRESCAM},
    {POOLED FLAT "b = Mul(f, s:3)\nd = Add(b, w:4)\nz = Gemm(d, w:4x3, w:3)", "conv relu gap fc",
     CAM_METHOD_CAM},
    {POOLED FLAT "b = Mul(f, w:4)\nd = Add(b, w:4)\ne = Relu(d)\nz = Gemm(e, w:4x3, w:3)",
     "conv relu gap affine relu fc", CAM_METHOD_HIRESCAM},
    {CONV "f = Flatten(r)\na = Gemm(f, w:256x9)\nb = Relu(a)\nz = Gemm(b, w:9x3)",
     "conv relu flatten fc relu fc", CAM_METHOD_HIRESCAM},
};

START_TEST(heads_of_every_kind) {
  cam_graph *graph = NULL;
  write_made(made_onnx(13, "1,3,8,8", heads[_i].lines));
  const char *got = written_operators(&graph);
  ck_assert_msg(!strcmp(got, heads[_i].operators), "%s\n%s", heads[_i].lines, got);
  ck_assert_int_eq(graph->method, heads[_i].method);
  graph_free(graph);
}
END_TEST

/* W (3 x + 2) + b = (3 W) x + (2 W 1 + b). */
START_TEST(an_affine_behind_the_gap_goes_into_the_fc) {
  cam_graph *plain, *taken;
  write_made(made_onnx(13, "1,3,8,8",
                       POOLED FLAT "a = Mul(f, s:1)\nb = Add(a, s:0)\nz = Gemm(b, w:4x3, w:3)"));
  ck_assert_str_eq(written_operators(&plain), "conv relu gap fc"); /* 1 and 0 change nothing */
  write_made(made_onnx(13, "1,3,8,8",
                       POOLED FLAT "a = Mul(f, s:3)\nb = Add(a, s:2)\nz = Gemm(b, w:4x3, w:3)"));
  ck_assert_str_eq(written_operators(&taken), "conv relu gap fc");
  const cam_node *p = &plain->nodes[3], *t = &taken->nodes[3];
  for (int o = 0; o < 3; o++) {
    double sum = 0;
    for (int c = 0; c < 4; c++) {
      sum += p->weight->data[o * 4 + c];
      ck_assert_float_eq_tol(t->weight->data[o * 4 + c], 3 * p->weight->data[o * 4 + c], 1e-5f);
    }
    ck_assert_float_eq_tol(t->bias->data[o], p->bias->data[o] + 2 * sum, 1e-5f);
    ck_assert(fabs(sum) > 1e-3);
  }
  graph_free(plain);
  graph_free(taken);
}
END_TEST

START_TEST(more_than_a_chain_is_refused) {
  static const char *const rows[] = {
      POOLED FLAT "a = Gemm(f, w:4x4)\nb = Add(a, f)\nz = Gemm(b, w:4x3)",
      POOLED "a = Conv(g, w:4x1x1x1) group=4\nz = Flatten(a)",
  };
  static const char *const nodes[] = {"node b (Add)", "node a (Conv)"};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    write_made(made_onnx(13, "1,3,8,8", rows[i]));
    ck_assert_int_eq(convert((cam_convert_options){.weights = input}), CAM_E_WEIGHTS);
    ck_assert_msg(strstr(error.detail, nodes[i]) && strstr(error.detail, "behind the last pooling"),
                  "%s", error.detail);
  }
}
END_TEST

/* Two branches that agree at 8 cells, and not at 9: the network takes one size. */
START_TEST(sizes_that_do_not_go_through_are_not_offered) {
  cam_graph *graph;
  write_made(
      made_onnx(13, "1,3,7,8",
                "a = MaxPool(x) kernel_shape=2,2 strides=2,2\n"
                "b = MaxPool(x) kernel_shape=1,2 strides=2,2 pads=0,0,0,0\n"
                "c = MaxPool(b) kernel_shape=2,1\n"
                "s = Add(a, c)\ng = GlobalAveragePool(s)\nf = Flatten(g)\nz = Gemm(f, w:3x4)"));
  ck_assert_msg(!convert((cam_convert_options){.weights = input}), "%s", error.detail);
  ck_assert_ptr_nonnull(strstr(progress, "stretched to 8 x 7 alone"));
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert(graph->one_size);
  graph_free(graph);
}
END_TEST

START_TEST(sigmoids_are_written_down) {
  cam_graph *graph = NULL;
  write_made(made_onnx(13, "1,3,8,8", POOLED FLAT "l = Gemm(f, w:4x1)\nz = Sigmoid(l)"));
  ck_assert_str_eq(written_operators(&graph), "conv relu gap fc");
  ck_assert_int_eq(graph->probability, CAM_SIGMOID);
  ck_assert_int_eq(graph->n_classes, 1);
  ck_assert_str_eq(graph->classes[0].label, "class 0");
  graph_free(graph);
}
END_TEST

START_TEST(the_picture_s_affine_is_the_input_s) {
  cam_graph *graph;
  write_made(made_onnx(13, "N,3,8,8",
                       "a = Div(x, s:2)\nb = Sub(a, s:0.5)\n"
                       "gap = GlobalAveragePool(b)\nf = Flatten(gap)\n"
                       "z = Gemm(f, w:3x4)"));
  ck_assert_msg(!convert((cam_convert_options){.weights = input, .pixels = "unit"}), "%s",
                error.detail);
  ck_assert_int_eq(graph_load(output, &graph, &error), CAM_OK);
  ck_assert_int_eq(graph->n_nodes, 2);
  ck_assert_float_eq_tol(graph->scale[0], 1 / 510.f, 1e-9f); /* pixel / 255 / 2 - .5 */
  ck_assert_float_eq_tol(graph->mean[0], 255, 1e-4f);
  graph_free(graph);
}
END_TEST

/* ---- harm ---- */

/* A node whose attribute holds a graph with such a node, and so on. */
/* Puts the head of a field before its content, the last n bytes before `end`; bytes in all. */
static size_t headed(uint8_t *end, int field, size_t n) {
  made_bytes head = {0};
  made_varint(&head, (uint64_t)field << 3 | 2);
  made_varint(&head, n);
  memcpy(end - n - head.n, head.at, head.n);
  free(head.at);
  return n + head.n;
}

START_TEST(nested_graphs_are_not_followed) {
  enum { DEPTH = 10000, LEVEL = 24 }; /* most bytes that a level adds */
  uint8_t *room = malloc(DEPTH * LEVEL), *end = room + DEPTH * LEVEL;
  size_t n = 0;
  for (int i = 0; i < DEPTH; i++) { /* from the innermost on, or each would be copied DEPTH times */
    n = headed(end, 5, headed(end, 6, n)) + 4; /* an attribute, the graph in it */
    memcpy(end - n, "\x22\2If", 4);            /* beside the operator's name */
    n = headed(end, 1, n);                     /* in a node of a graph */
  }
  made_bytes model = {0};
  made_field(&model, 7, end - n, n);
  free(room);
  write_made(model);
  ck_assert_ptr_nonnull(strstr(operators(input), "version 0"));
}
END_TEST

/* Nodes of two bytes each, initializers of two bytes each, attributes, unknown fields. */
START_TEST(empty_messages_do_not_amplify) {
  static const int fields[] = {1, 5, 11, 99};
  enum { COUNT = 3000000 };
  for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
    made_bytes graph = {0}, model = {0};
    for (int i = 0; i < COUNT; i++) {
      made_varint(&graph, (uint64_t)fields[f] << 3 | 2);
      made_varint(&graph, 0);
    }
    made_field(&model, 7, graph.at, graph.n);
    free(graph.at);
    write_made(model);
    operators(input);
    ck_assert_int_eq(error.code, CAM_E_WEIGHTS);
    ck_assert_msg(strstr(error.detail, "bytes of memory"), "%s", error.detail);
  }
}
END_TEST

START_TEST(huge_shapes_are_refused) {
  static const char *const lines[] = {
      "c = ConstantOfShape(i:99999,99999)\ny = Add(x, c)",
      "c = ConstantOfShape(i:9223372036854775807,9223372036854775807)\ny = Add(x, c)",
      "c = Expand(s:1, i:99999,99999)\ny = Add(x, c)",
      "c = Tile(w:4x4, i:99999,99999)\ny = Add(x, c)",
      "c = Range(i:0;, i:9223372036854775807;, i:1;)\ny = Reshape(x, c)",
      "y = Conv(x, w:3x3x1x1) pads=63,63,63,63 strides=4611686018427387904,1",
      "y = Reshape(x, i:4611686018427387904,4611686018427387904)",
      "y = Slice(x, i:-9223372036854775808, i:9223372036854775807, i:1, i:-9223372036854775808)",
      "y = Unsqueeze(x, i:-9223372036854775808)",
      "y = Pad(x, i:0,0,9223372036854775807,0,0,0,0,0)",
      "y = Split(x, i:9223372036854775807,9223372036854775807) axis=1",
      "y = Gather(x, i:-9223372036854775808) axis=1",
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    char all[512];
    snprintf(all, sizeof all, "%s" AFTER, lines[i]);
    write_made(made_onnx(13, "1,3,16,16", all));
    operators(input);
    ck_assert_msg(error.code == CAM_E_WEIGHTS || error.code == CAM_E_NO_MEMORY, "%s", lines[i]);
  }
}
END_TEST

/* A file that is cut anywhere is refused or whole, never worse. */
START_TEST(files_that_are_cut_are_refused) {
  made_bytes made = made_onnx(13, "1,3,16,16", SMALL);
  for (size_t n = 0; n < made.n; n++) {
    write_file(input, made.at, n);
    operators(input);
    ck_assert_int_eq(error.code, CAM_E_WEIGHTS);
  }
  free(made.at);
}
END_TEST

/* An initializer w whose numbers are elsewhere. */
static void write_external(const char *location, const char *offset, const char *length) {
  made_bytes graph = {0}, model = {0}, tensor = {0}, version = {0};
  const char *const entries[][2] = {{"location", location}, {"offset", offset}, {"length", length}};
  made_number(&tensor, 1, 4);
  made_number(&tensor, 2, 1);
  made_text(&tensor, 8, "w");
  for (int i = 0; i < 3; i++) {
    made_bytes entry = {0};
    if (!entries[i][1])
      continue;
    made_text(&entry, 1, entries[i][0]);
    made_text(&entry, 2, entries[i][1]);
    made_field(&tensor, 13, entry.at, entry.n);
    free(entry.at);
  }
  made_number(&tensor, 14, 1);
  made_field(&graph, 5, tensor.at, tensor.n);
  made_field(&model, 7, graph.at, graph.n);
  made_number(&version, 2, 13);
  made_field(&model, 8, version.at, version.n);
  free(tensor.at);
  free(graph.at);
  free(version.at);
  write_made(model);
}

START_TEST(external_data_stays_in_the_folder) {
  static const struct {
    const char *location, *offset, *length, *expected;
  } rows[] = {
      {"../passwd", NULL, NULL, "no plain file name"},
      {"/etc/passwd", NULL, NULL, "no plain file name"},
      {"..", NULL, NULL, "no plain file name"},
      {"", NULL, NULL, "no plain file name"},
      {"a/b", NULL, NULL, "no plain file name"},
      {"missing", NULL, NULL, "missing"},
      {"data", "5", "16", "16 bytes at offset 5"},
      {"data", "99", NULL, "16 bytes at offset 99"},
      {"data", "9223372036854775807", NULL, "at offset 9223372036854775807"},
      {"data", "-1", NULL, "offset -1"},
      {"data", "0x1", NULL, "offset 0x1"},
      {"data", "99999999999999999999", NULL, "offset 99999999999999999999"},
      {"data", "0", "15", "length 15"},
      {"link", NULL, NULL, "link"},
      {"pipe", NULL, NULL, "is not a file"},
      {"data", "4", "16", "0 inputs and 0 outputs"}, /* read; the rest is missing */
      {"data", NULL, NULL, "0 inputs and 0 outputs"},
  };
  char path[3][128];
  static const char *const names[] = {"data", "link", "pipe"};
  for (int i = 0; i < 3; i++)
    snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
  write_file(path[0], "0123456789abcdefghij", 20);
  ck_assert_int_eq(symlink("/etc/passwd", path[1]), 0);
  ck_assert_int_eq(mkfifo(path[2], 0600), 0);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    write_external(rows[i].location, rows[i].offset, rows[i].length);
    const char *got = operators(input);
    ck_assert_msg(strstr(got, rows[i].expected), "%s at %s: %s", rows[i].location, rows[i].offset,
                  got);
  }
  for (int i = 0; i < 3; i++)
    remove(path[i]);
}
END_TEST

Suite *onnx_suite(void);
Suite *onnx_suite(void) {
  Suite *suite = suite_create("onnx");
  TCase *by_a_team = tcase_create("onnx, checked by a team");
  tcase_add_checked_fixture(by_a_team, begin, end);
  tcase_add_loop_test(by_a_team, every_spelling_is_the_same_network, 0, SPELLINGS);
  suite_add_tcase(suite, by_a_team);
  TCase *cases = tcase_create("onnx");
  tcase_set_tags(cases, "alone");
  tcase_add_checked_fixture(cases, begin, end);
  tcase_add_loop_test(cases, random_networks_agree, 0, SPELLINGS);
  tcase_add_test(cases, another_network_s_answer_is_refused);
  tcase_add_loop_test(cases, every_spelling_comes_to_the_same_operators, 0, SPELLINGS);
  tcase_add_loop_test(cases, spellings_are_recognised, 0, sizeof recognised / sizeof *recognised);
  tcase_add_loop_test(cases, refusals_name_what_is_missing, 0, sizeof refused / sizeof *refused);
  tcase_add_test(cases, what_is_no_classifier_of_photos_is_refused);
  tcase_add_loop_test(cases, constants_are_folded, 0, sizeof folded / sizeof *folded);
  tcase_add_test(cases, flattened_weights_are_turned);
  tcase_add_test(cases, numbers_come_in_any_field);
  tcase_add_test(cases, last_windows_begin_in_the_plane);
  tcase_add_test(cases, endings_are_dropped);
  tcase_add_test(cases, labels_come_in_any_form);
  tcase_add_loop_test(cases, heads_of_every_kind, 0, sizeof heads / sizeof *heads);
  tcase_add_test(cases, an_affine_behind_the_gap_goes_into_the_fc);
  tcase_add_test(cases, more_than_a_chain_is_refused);
  tcase_add_test(cases, sizes_that_do_not_go_through_are_not_offered);
  tcase_add_test(cases, sigmoids_are_written_down);
  tcase_add_test(cases, options_out_of_range_are_named);
  tcase_add_test(cases, one_logit_needs_a_sigmoid);
  tcase_add_test(cases, small_maps_are_said);
  tcase_add_test(cases, presets_turn_with_the_channels);
  tcase_add_test(cases, pixels_normalised_twice_are_said);
  tcase_add_test(cases, aspect_only_where_no_size_is_in_the_graph);
  tcase_add_test(cases, the_picture_s_affine_is_the_input_s);
  tcase_add_test(cases, nested_graphs_are_not_followed);
  tcase_add_test(cases, empty_messages_do_not_amplify);
  tcase_add_test(cases, huge_shapes_are_refused);
  tcase_add_test(cases, files_that_are_cut_are_refused);
  tcase_add_test(cases, external_data_stays_in_the_folder);
  suite_add_tcase(suite, cases);
  return suite;
}
