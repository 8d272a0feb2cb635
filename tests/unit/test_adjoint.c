/* test_adjoint.c - the gradient of the loss, in double: of every operator by central differences,
 * and of a network of vgg16-cam's kind by TensorFlow's own numbers
 * (tests/reference/finetune_fixtures.py). */
#include "made_training.h"
#include "network/cut.h"
#include "network/reference_loss.h"
#include "network/reference_node.h"
#include <check.h>
#include <math.h>
#include <string.h>

/* clang-format off */
#define STEM CONV("a", "input", W("w") B("b")) ","
#define ACTIVATION(op, rest) {STEM OP1("x", op, "a", rest) FC, \
  "w:1x1x3x4*3 b:4 fc:3x4*9 fcb:3", 3, 5, 6, 0, NULL}
#define POOL(op, rest) {STEM OP1("p", op, "a", rest) "," OP1("x", "silu", "p", "") FC, \
  "w:1x1x3x3*3 b:3 fc:3x3*9 fcb:3", 3, 7, 8, 0, NULL}

static const struct {
  const char *what;
  made_model model;
} cases[] = {
    {"conv, strided, SAME",
     {CONV("a", "input", ",\"stride\":[2,1],\"padding\":\"same\"" W("w") B("b")) ","
      CONV("c", "a", ",\"stride\":[2,2],\"padding\":\"same\"" W("v")) ","
      OP1("x", "silu", "c", "") FC,
      "w:3x2x3x4 b:4 v:3x3x4x5*3 fc:3x5*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"conv in two groups, lopsided padding",
     {STEM
      CONV("c", "a", ",\"padding\":[1,0,2,1],\"stride\":[1,2],\"groups\":2" W("v") B("c")) ","
      OP1("x", "silu", "c", "") FC,
      "w:1x1x3x4 b:4 v:3x3x2x6*3 c:6 fc:3x6*9 fcb:3", 3, 6, 5, 0, NULL}},
    {"conv, a filter a channel and two a channel",
     {STEM
      CONV("c", "a", ",\"padding\":[1,1,1,1],\"groups\":4" W("v") B("b")) ","
      CONV("x", "c", ",\"groups\":4" W("u")) FC,
      "w:1x1x3x4 b:4 v:3x3x1x4*3 u:2x2x1x8*3 fc:3x8*9 fcb:3", 3, 6, 5, 0, NULL}},
    {"a tensor that two nodes have",
     {STEM
      CONV("c", "a", W("v") B("b")) "," OP1("r", "silu", "c", "") ","
      CONV("x", "r", W("v") B("b")) FC,
      "w:1x1x3x4 b:4 v:1x1x4x4*3 fc:3x4*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"max_pool", POOL("max_pool", ",\"kernel\":[3,2],\"stride\":[2,2],\"padding\":[1,0,1,1]")},
    {"max_pool, ceil", POOL("max_pool", ",\"kernel\":[2,3],\"stride\":[2,2],\"ceil_mode\":true")},
    {"avg_pool, SAME", POOL("avg_pool", ",\"kernel\":[3,3],\"stride\":[2,1],\"padding\":\"same\"")},
    {"avg_pool, ceil, padding counts", POOL("avg_pool",
      ",\"kernel\":[3,3],\"stride\":[2,2],\"padding\":[1,1,0,1],\"ceil_mode\":true"
      ",\"count_include_pad\":true")},
    {"relu", ACTIVATION("relu", "")},
    {"relu6",
     {STEM OP1("x", "relu6", "a", "") FC,
      "w:1x1x3x4*9 b:4 fc:3x4*9 fcb:3", 3, 5, 6, 0, NULL}},
    {"clip", ACTIVATION("clip", ",\"least\":-0.5,\"most\":0.7")},
    {"sigmoid", ACTIVATION("sigmoid", "")},
    {"hard_sigmoid", ACTIVATION("hard_sigmoid", ",\"slope\":0.3,\"offset\":0.4")},
    {"silu", ACTIVATION("silu", "")},
    {"hard_swish",
     {STEM OP1("x", "hard_swish", "a", "") FC,
      "w:1x1x3x4*9 b:4 fc:3x4*9 fcb:3", 3, 5, 6, 0, NULL}},
    {"gelu", ACTIVATION("gelu", "")},
    {"add",
     {STEM CONV("c", "a", W("v")) ","
      OP2("s", "add", "a", "c") ","
      OP2("x", "add", "s", "s") FC,
      "w:1x1x3x4 b:4 v:1x1x4x4 fc:3x4 fcb:3", 3, 4, 5, 0, NULL}},
    {"mul of planes, and of one with itself",
     {STEM CONV("c", "a", W("v")) ","
      OP2("s", "mul", "a", "c") ","
      OP2("x", "mul", "s", "s") FC,
      "w:1x1x3x4 b:4 v:1x1x4x4 fc:3x4*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"mul by a factor a channel, gap before the last",
     {STEM OP1("g", "gap", "a", "") ","
      CONV("e", "g", W("v") B("b")) ","
      OP1("q", "sigmoid", "e", "") ","
      OP2("x", "mul", "a", "q") FC,
      "w:1x1x3x4*3 b:4 v:1x1x4x4*5 fc:3x4*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"affine",
     {STEM OP1("c", "affine", "a", SCALE("s", "t")) ","
      OP1("x", "silu", "c", "") FC,
      "w:1x1x3x4 b:4 s:4 t:4 fc:3x4*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"layer_norm",
     {STEM OP1("c", "layer_norm", "a", SCALE("s", "t") ",\"epsilon\":0.01") ","
      OP1("x", "silu", "c", "") FC,
      "w:1x1x3x4 b:4 s:4 t:4 fc:3x4*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"concat, of the picture, too",
     {STEM CONV("c", "input", W("v")) ","
      NODE("k", "concat", "\"a\",\"input\",\"c\",\"a\"", "") ","
      OP1("x", "silu", "k", "") FC,
      "w:1x1x3x4 b:4 v:1x1x3x2 fc:3x13*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"slice, shuffle",
     {STEM OP1("s", "slice", "a", ",\"channels\":[1,7]") ","
      OP1("f", "shuffle", "s", ",\"groups\":3") ","
      CONV("x", "f", W("v") ",\"groups\":2") FC,
      "w:1x1x3x8 b:8 v:1x1x3x4 fc:3x4*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"resize",
     {STEM OP1("r", "resize", "a", ",\"factor\":[2,3]") ","
      CONV("x", "r", W("v")) FC,
      "w:1x1x3x4 b:4 v:3x2x4x5 fc:3x5*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"flatten, two fc",
     {STEM OP1("s", "silu", "a", "") "," OP1("p", "flatten", "s", "") ","
      OP1("f", "fc", "p", W("u") B("c")) ","
      OP1("r", "gelu", "f", "") ","
      OP1("fc", "fc", "r", W("fc")),
      "w:1x1x3x2 b:2 u:6x24*3 c:6 fc:3x6*9", 3, 3, 4, 0, NULL}},
    {"no fc",
     {STEM OP1("gap", "gap", "a", ""), "w:1x1x3x4 b:4", 4, 3, 4, 0, NULL}},
};
#define GOLDEN_BLOCK(name, input, n) \
  CONV(name, input, ",\"padding\":\"same\"" W(name) B(name "b")) "," OP1(n, "relu", name, "")
static const made_model golden_model = {
    OP1("m", "affine", "input", SCALE("one", "mean")) ","
    GOLDEN_BLOCK("c1", "m", "r1") "," GOLDEN_BLOCK("c2", "r1", "r2") ","
    OP1("p", "max_pool", "r2", ",\"kernel\":[2,2],\"stride\":[2,2],\"padding\":\"same\"") ","
    GOLDEN_BLOCK("c3", "p", "r3") ","
    CONV("cam", "r3", ",\"padding\":\"same\",\"groups\":2" W("cam") B("camb")) ","
    OP1("gap", "gap", "cam", "") "," OP1("fc", "fc", "gap", W("fc")),
    "one:3 mean:3 c1:3x3x3x6 c1b:6 c2:3x3x6x8 c2b:8 c3:3x3x8x8 c3b:8 cam:3x3x4x12 camb:12 "
    "fc:5x12",
    5, 16, 16, 0, NULL};
/* clang-format on */
enum { CASES = sizeof cases / sizeof *cases };

static made_training made;
static cam_team *team;

static void load_model(const made_model *model) {
  made_training_load(model, &made);
  ck_assert(!team_create(1, &team, NULL));
}

static void drop_model(void) {
  made_training_drop(&made);
  team_free(team);
}

static double loss_of(const reference_batch *batch, double *gradient) {
  cam_error error = {0};
  double loss[2];
  ck_assert_msg(!reference_loss(made.graph, GRAPH_INPUT, &made.set, made.values, batch, 0.03, team,
                                loss, gradient, NULL, &error),
                "%s", error.detail);
  return loss[0] + loss[1];
}

START_TEST(every_adjoint_is_a_central_difference) {
  static float pictures[2][1024];
  double factors[2 * 64];
  const float *planes[] = {pictures[0], pictures[1]};
  const made_model *model = &cases[_i].model;
  load_model(model);
  const size_t count = made.set.count;
  double *values = made.values, *gradient = made.gradient;
  for (int s = 0; s < 2; s++)
    made_picture(s, 1024, pictures[s]);
  for (int i = 0; i < 2 * 64; i++)
    factors[i] = i % 3 ? 1.5 : 0;
  const reference_batch batch = {
      2, model->height, model->width, planes, (int[]){2, 0}, (double[]){1, 0.5}, factors};
  loss_of(&batch, gradient);
  double largest = 0;
  for (size_t i = 0; i < count; i++)
    largest = fmax(largest, fabs(gradient[i]));
  for (size_t i = 0; i < count; i++) {
    const double at = values[i], h = 1e-5;
    values[i] = at + h;
    const double above = loss_of(&batch, NULL);
    values[i] = at - h;
    const double slope = (above - loss_of(&batch, NULL)) / (2 * h);
    values[i] = at;
    ck_assert_msg(fabs(slope - gradient[i]) < 1e-8 * fmax(1, largest),
                  "%s: value %zu: %.12g by differences, %.12g by the adjoint", cases[_i].what, i,
                  slope, gradient[i]);
  }
  drop_model();
}
END_TEST

/* As TensorFlow has it. */
START_TEST(of_equal_values_the_first_is_the_largest) {
  const cam_node node = {.op = OP_MAX_POOL, .kernel = {2, 2}, .stride = {1, 1}, .channels = 1};
  double in[4] = {1, 2, 2, 2}, out[1] = {0}, back[4] = {0};
  const reference_call call = {.node = &node, .in = {{2, 2, 1, in}}, .out = {1, 1, 1, out}};
  const reference_gradient to = {.out = (double[]){5}, .in = {back}};
  reference_node_adjoint(&call, &to);
  ck_assert(back[0] == 0 && back[1] == 5 && back[2] == 0 && back[3] == 0);
}
END_TEST

static const made_model *model_of_case(int i) { return &cases[i].model; }
START_TEST(every_operator_has_a_case) { expect_every_operator(model_of_case, CASES); }
END_TEST

/* ---- TensorFlow's numbers ---- */

enum { SAMPLES = 3, PICTURE = 16 * 16 * 3, FEATURES = 12, COUNT = 1696, MEAN = 6, STEPS = 3 };

/* As the file has it; the parameters are those behind the affine that takes the mean off. */
typedef struct golden {
  double pictures[SAMPLES][PICTURE], labels[SAMPLES], factors[SAMPLES][FEATURES];
  double start[COUNT], gradient[COUNT], sgd1[COUNT], sgd3[COUNT], momentum3[COUNT];
  double losses[2][2][STEPS + 1]; /* SGD, momentum; cross-entropy, decay */
} golden;

static void read_golden(const char *name, golden *g) {
  char path[128];
  snprintf(path, sizeof path, "tests/fixtures/finetune/%s.f64", name);
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "%s", path);
  ck_assert_uint_eq(fread(g, 1, sizeof *g, file), sizeof *g);
  ck_assert_int_eq(fgetc(file), EOF);
  fclose(file);
}

static void expect_close(const char *what, const double *is, const double *wanted, int n) {
  double off = 0, most = 0;
  for (int i = 0; i < n; i++) {
    off = fmax(off, fabs(is[i] - wanted[i]));
    most = fmax(most, fabs(wanted[i]));
  }
  ck_assert_msg(off <= 1e-9 * most, "%s: off by %g of %g", what, off, most);
}

static void train(const golden *g, const reference_batch *batch, double momentum,
                  const double losses[2][STEPS + 1], const double *first, const double *last) {
  static double values[MEAN + COUNT], gradient[MEAN + COUNT], m[COUNT];
  static const double affine[MEAN] = {1, 1, 1, -103.939, -116.779, -123.68};
  ck_assert_uint_eq(made.set.count, MEAN + COUNT);
  memcpy(values, affine, sizeof affine);
  memcpy(values + MEAN, g->start, sizeof g->start);
  memset(m, 0, sizeof m);
  for (int step = 0; step <= STEPS; step++) {
    double loss[2];
    ck_assert(!reference_loss(made.graph, GRAPH_INPUT, &made.set, values, batch, 0.0005, team, loss,
                              gradient, NULL, NULL));
    expect_close("cross-entropy", &loss[0], &losses[0][step], 1);
    expect_close("decay", &loss[1], &losses[1][step], 1);
    if (step == 0)
      expect_close("gradient", gradient + MEAN, g->gradient, COUNT);
    if (step == 1 && first)
      expect_close("after a step", values + MEAN, first, COUNT);
    if (step == STEPS)
      expect_close("after three steps", values + MEAN, last, COUNT);
    for (int i = 0; i < COUNT; i++) {
      m[i] = momentum * m[i] + gradient[MEAN + i];
      values[MEAN + i] -= 2e-4 * m[i];
    }
  }
}

START_TEST(three_steps_are_tensorflows) {
  static const char *const names[] = {"tiny16", "tiny16_dropout"};
  static golden g;
  static float pictures[SAMPLES][PICTURE];
  const float *planes[SAMPLES];
  int labels[SAMPLES];
  read_golden(names[_i], &g);
  for (int s = 0; s < SAMPLES; s++) {
    for (int i = 0; i < PICTURE; i++)
      pictures[s][i] = (float)g.pictures[s][i];
    planes[s] = pictures[s];
    labels[s] = (int)g.labels[s];
  }
  load_model(&golden_model);
  const reference_batch batch = {SAMPLES, 16, 16, planes, labels, NULL, g.factors[0]};
  train(&g, &batch, 0, (const double(*)[STEPS + 1]) g.losses[0], g.sgd1, g.sgd3);
  /* TensorFlow has 0.9 in float32. */
  train(&g, &batch, 0.9F, (const double(*)[STEPS + 1]) g.losses[1], NULL, g.momentum3);
  drop_model();
}
END_TEST

Suite *adjoint_suite(void);
Suite *adjoint_suite(void) {
  Suite *suite = suite_create("adjoint");
  TCase *tcase = tcase_create("adjoints");
  tcase_set_tags(tcase, "alone");
  tcase_add_loop_test(tcase, every_adjoint_is_a_central_difference, 0, CASES);
  tcase_add_test(tcase, of_equal_values_the_first_is_the_largest);
  tcase_add_test(tcase, every_operator_has_a_case);
  tcase_add_loop_test(tcase, three_steps_are_tensorflows, 0, 2);
  suite_add_tcase(suite, tcase);
  return suite;
}
