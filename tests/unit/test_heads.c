/* test_heads.c - every kind of head: its logits against the reference in double, its class maps
 * against (d logit / d plane) * plane by differences of the reference, cell by cell. A wrong sign
 * or a gradient at the wrong place would explain the opposite, or something else. */
#include "made_model.h"
#include "network/forward.h"
#include "network/reference.h"
#include <check.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#define NODE(name, op, input, rest) \
  "{\"name\":\"" name "\",\"op\":\"" op "\",\"inputs\":[\"" input "\"]" rest "}"
#define W(tensor) ",\"weight\":\"" tensor "\""
#define B(tensor) ",\"bias\":\"" tensor "\""
#define SCALE(scale, shift) ",\"scale\":\"" scale "\",\"shift\":\"" shift "\""
#define BODY \
  NODE("c", "conv", "input", W("w") B("b") ",\"padding\":\"same\",\"stride\":[2,2]") "," \
  NODE("x", "relu", "c", "") ","
#define GAP(rest) BODY NODE("p", "gap", "x", "") rest
#define FLAT(rest) BODY NODE("p", "flatten", "x", "") rest
#define FC(name, input) "," NODE(name, "fc", input, W(name) B(name "b"))
#define OP(name, op, input) "," NODE(name, op, input, "")

static const struct {
  const char *what;
  cam_method method;
  made_model model;
} cases[] = {
    {"gap, fc", CAM_METHOD_CAM,
     {GAP(FC("f", "p")), "w:3x3x3x18*4 b:18 f:5x18 fb:5", 5, 11, 13, 20, NULL}},
    {"gap of a plane a class", CAM_METHOD_CAM,
     {GAP(""), "w:3x3x3x5*4 b:5", 5, 11, 13, 20, NULL}},
    {"gap of a plane without activation", CAM_METHOD_CAM,
     {NODE("c", "conv", "input", W("w") B("b")) "," NODE("p", "gap", "c", ""),
      "w:3x3x3x5*4 b:5", 5, 11, 13, 20, NULL}},
    {"gap, two fc", CAM_METHOD_HIRESCAM,
     {GAP(FC("f", "p") OP("r", "relu", "f") FC("g", "r")),
      "w:3x3x3x18*4 b:18 f:300x18*4 fb:300 g:5x300 gb:5", 5, 11, 13, 20, NULL}},
    {"gap, two fc with relu6, a relu at the end", CAM_METHOD_HIRESCAM,
     {GAP(FC("f", "p") OP("r", "relu6", "f") FC("g", "r") OP("e", "relu", "g")),
      "w:3x3x3x18*9 b:18 f:600x18*30 fb:600 g:5x600 gb:5", 5, 11, 13, 20, NULL}},
    {"gap, an activation, fc", CAM_METHOD_HIRESCAM,
     {GAP(OP("r", "relu6", "p") FC("g", "r")),
      "w:3x3x3x18*9 b:18 g:5x18 gb:5", 5, 11, 13, 20, NULL}},
    {"sigmoid and hard sigmoid", CAM_METHOD_HIRESCAM,
     {GAP(FC("f", "p") OP("r", "sigmoid", "f") FC("g", "r")
          "," NODE("s", "hard_sigmoid", "g", ",\"slope\":0.3,\"offset\":0.4") FC("h", "s")),
      "w:3x3x3x18*4 b:18 f:30x18*30 fb:30 g:20x30*9 gb:20 h:5x20*4 hb:5", 5, 11, 13, 20, NULL}},
    {"SiLU and hard swish", CAM_METHOD_HIRESCAM,
     {GAP(FC("f", "p") OP("r", "silu", "f") FC("g", "r") OP("s", "hard_swish", "g") FC("h", "s")),
      "w:3x3x3x18*4 b:18 f:30x18*9 fb:30 g:20x30 gb:20 h:5x20*4 hb:5", 5, 11, 13, 20, NULL}},
    {"GELU and clip", CAM_METHOD_HIRESCAM,
     {GAP(FC("f", "p") OP("r", "gelu", "f") FC("g", "r")
          "," NODE("s", "clip", "g", ",\"least\":-0.7,\"most\":1.1") FC("h", "s")),
      "w:3x3x3x18*4 b:18 f:30x18 fb:30 g:20x30*4 gb:20 h:5x20*4 hb:5", 5, 11, 13, 20, NULL}},
    {"layer norm, fc", CAM_METHOD_HIRESCAM,
     {GAP("," NODE("n", "layer_norm", "p", ",\"epsilon\":0.001" SCALE("s", "t")) FC("h", "n")),
      "w:3x3x3x18*4 b:18 s:18 t:18 h:5x18*4 hb:5", 5, 11, 13, 20, NULL}},
    {"affine, layer norm between fc", CAM_METHOD_HIRESCAM,
     {GAP("," NODE("a", "affine", "p", SCALE("s", "t")) FC("f", "a")
          "," NODE("n", "layer_norm", "f", ",\"epsilon\":0.1" SCALE("u", "v")) FC("h", "n")),
      "w:3x3x3x18*4 b:18 s:18 t:18 f:30x18*9 fb:30 u:30 v:30 h:5x30*4 hb:5", 5, 11, 13, 20, NULL}},
    {"flatten, fc", CAM_METHOD_HIRESCAM,
     {FLAT(FC("f", "p")), "w:3x3x3x7*4 b:7 f:5x294 fb:5", 5, 11, 13, 0, NULL}},
    {"flatten, three fc", CAM_METHOD_HIRESCAM,
     {FLAT(FC("f", "p") OP("r", "relu", "f") FC("g", "r") OP("s", "relu", "g") FC("h", "s")),
      "w:3x3x3x18*4 b:18 f:140x756*4 fb:140 g:9x140 gb:9 h:5x9 hb:5", 5, 11, 13, 0, NULL}},
    {"flatten of one cell", CAM_METHOD_HIRESCAM,
     {FLAT(FC("f", "p") OP("r", "relu", "f") FC("g", "r")),
      "w:3x3x3x18*4 b:18 f:30x18*4 fb:30 g:5x30 gb:5", 5, 1, 2, 0, NULL}},
    {"nothing behind the flatten", CAM_METHOD_HIRESCAM,
     {NODE("c", "conv", "input", W("w") B("b")) "," NODE("p", "flatten", "c", ""),
      "w:2x2x3x5*4 b:5", 5, 2, 2, 0, NULL}},
};
/* clang-format on */
enum { CASES = sizeof cases / sizeof *cases, CLASSES = 5, MOST_CELLS = 400, MOST_VALUES = 8000 };

/* What one case computes, in double: features and logits, and a class's map by central differences,
 * which are exact but for rounding where an activation has no kink within the nudge. */
typedef struct oracle {
  double features[MOST_VALUES], logits[CLASSES], map[CLASSES][MOST_CELLS];
} oracle;

static void ask_oracle(const cam_graph *graph, cam_team *team, const float *picture, int height,
                       int width, int cells, int grid_width, oracle *o) {
  static const double nudge = 1e-5;
  const int channels = graph->nodes[graph->nodes[graph->head].inputs[0]].channels;
  ck_assert_int_le(cells * channels, MOST_VALUES);
  ck_assert_int_eq(
      reference_forward(graph, team, picture, height, width, o->logits, o->features, NULL), CAM_OK);
  memset(o->map, 0, sizeof o->map);
  for (int i = 0; i < cells * channels; i++) {
    const double value = o->features[i];
    double above[CLASSES], below[CLASSES];
    o->features[i] = value + nudge;
    ck_assert(
        !reference_head(graph, team, o->features, cells / grid_width, grid_width, above, NULL));
    o->features[i] = value - nudge;
    ck_assert(
        !reference_head(graph, team, o->features, cells / grid_width, grid_width, below, NULL));
    o->features[i] = value;
    for (int c = 0; c < CLASSES; c++)
      o->map[c][i / channels] += (above[c] - below[c]) / (2 * nudge) * value;
  }
}

static void draw(float *picture, int height, int width) {
  for (int i = 0; i < height * width * 3; i++)
    picture[i] = sinf((float)(i * i % 1009));
}

/* CAM is the same sum of gradient times plane, but of cells and not of their mean. */
static void compare(const cam_graph *graph, const oracle *o, const float *logits,
                    float (*map)[MOST_CELLS], int cells, const char *where) {
  double share = 1, most = 0;
  if (graph->method == CAM_METHOD_CAM)
    share = cells;
  for (int c = 0; c < CLASSES; c++)
    most = fmax(most, fabs(o->logits[c]));
  ck_assert_msg(most > 0.01, "%s: logits up to %g: nothing is tested", where, most);
  for (int c = 0; c < CLASSES; c++) {
    double largest = 1e-9 * most, worst = 0;
    ck_assert_msg(fabs(logits[c] - o->logits[c]) <= 2e-5 * most, "%s: logit %d is %g, not %g",
                  where, c, logits[c], o->logits[c]);
    for (int i = 0; i < cells; i++) {
      largest = fmax(largest, fabs(share * o->map[c][i]));
      worst = fmax(worst, fabs(map[c][i] - share * o->map[c][i]));
    }
    ck_assert_msg(worst <= 1e-4 * largest, "%s: map of class %d is off by %g of %g", where, c,
                  worst, largest);
  }
}

/* One network at one size, with one, two and three threads: the same bits. */
static void check_head_at(const char *what, const cam_graph *graph, const kernels *k, int height,
                          int width) {
  static float picture[64 * 64 * 3], map[CLASSES][MOST_CELLS], first[CLASSES][MOST_CELLS];
  static oracle o;
  void *input;
  float logits[CLASSES], *maps[CLASSES];
  int ids[CLASSES], grid_height, grid_width;
  network *net;
  cam_error error = {0};
  draw(picture, height, width);
  ck_assert_msg(!network_create(graph, k, &net, &error), "%s: %s", what, error.detail);
  for (int c = 0; c < CLASSES; c++) {
    maps[c] = map[c];
    ids[c] = c;
  }
  for (int threads = 1; threads <= 3; threads++) {
    cam_team *team;
    forward *f;
    ck_assert_int_eq(team_create(threads, &team, NULL), CAM_OK);
    ck_assert_msg(!forward_create(net, team, &f, &error), "%s: %s", what, error.detail);
    ck_assert_msg(!forward_plan(f, height, width, &input, &error), "%s: %s", what, error.detail);
    memcpy(input, picture, (size_t)(height * width * 3) * sizeof *picture);
    forward_run(f, logits, NULL);
    forward_map_size(f, &grid_height, &grid_width);
    ck_assert_int_le(grid_height * grid_width, MOST_CELLS);
    forward_class_maps(f, CLASSES, ids, maps);
    if (threads == 1) {
      const int cells = grid_height * grid_width;
      ask_oracle(graph, team, picture, height, width, cells, grid_width, &o);
      compare(graph, &o, logits, map, cells, what);
      memcpy(first, map, sizeof map);
      forward_class_maps(f, 1, ids + 3, maps + 3); /* alone: as among others */
    }
    ck_assert_msg(!memcmp(first, map, sizeof map), "%s: %d threads give other bits", what, threads);
    forward_free(f);
    team_free(team);
  }
  network_free(net);
}

START_TEST(maps_are_gradient_times_plane) {
  static const char *const isas[] = {"portable", "x86-64-v3", "x86-64-v4"};
  cam_graph *graph;
  cam_error error = {0};
  const made_model *model = &cases[_i].model;
  const char *path = made_model_write(model);
  ck_assert_msg(!graph_load(path, &graph, &error), "%s: %s", cases[_i].what, error.detail);
  unlink(path);
  ck_assert_int_eq(graph->method, cases[_i].method);
  ck_assert_int_eq(graph->one_size, !model->max_side);
  for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
    const kernels *k;
    if (kernels_select(isas[i], &k, NULL))
      continue; /* not on this CPU */
    check_head_at(cases[_i].what, graph, k, model->height, model->width);
    if (model->max_side)
      check_head_at(cases[_i].what, graph, k, model->max_side, model->height);
  }
  graph_free(graph);
}
END_TEST

/* Whoever allows an operator in a head is reminded to test its slope. */
START_TEST(every_operator_of_a_head_has_a_case) {
  for (int op = 0; op < OP_COUNT; op++) {
    char member[64];
    int n = 0;
    snprintf(member, sizeof member, "\"op\":\"%s\"", op_name((cam_op)op));
    for (int i = 0; i < CASES; i++)
      n += strstr(strstr(cases[i].model.nodes, "\"name\":\"p\""), member) != NULL;
    ck_assert_msg(n > 0 || !graph_head_takes((cam_op)op), "no head has %s", member);
  }
}
END_TEST

Suite *heads_suite(void);
Suite *heads_suite(void) {
  Suite *suite = suite_create("heads");
  TCase *tcase = tcase_create("heads");
  tcase_add_loop_test(tcase, maps_are_gradient_times_plane, 0, CASES);
  tcase_add_test(tcase, every_operator_of_a_head_has_a_case);
  suite_add_tcase(suite, tcase);
  return suite;
}
