/* test_trainer.c - what a step moves, against the gradient of the reference in double: every
 * operator at odd sizes, a network of vgg16-cam's kind over three steps; the same bits on any
 * number of threads; a state that goes on to the bit. */
#include "made_training.h"
#include "network/cut.h"
#include "network/reference_loss.h"
#include "train/trainer.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define STEM CONV("a", "input", W("w") B("b") SAME) ","
#define ACTIVATION(op, rest) {STEM OP1("x", op, "a", rest) FC, \
  "w:3x3x3x19*3 b:19 fc:3x19*9 fcb:3", 3, 9, 7, 0, NULL}
#define POOL(op, rest) {STEM OP1("s", "silu", "a", "") "," OP1("x", op, "s", rest) FC, \
  "w:1x1x3x19*3 b:19 fc:3x19*9 fcb:3", 3, 11, 14, 0, NULL}

static const struct {
  const char *what;
  made_model model;
} cases[] = {
    {"strided, SAME, 70 channels",
     {CONV("a", "input", ",\"stride\":[2,1]" SAME W("w") B("b")) ","
      OP1("r", "relu", "a", "") ","
      CONV("c", "r", ",\"stride\":[2,2]" SAME W("v") B("b")) ","
      OP1("x", "relu6", "c", "") FC,
      "w:3x5x3x70 b:70 v:3x3x70x70*3 fc:3x70*9 fcb:3", 3, 17, 23, 0, NULL}},
    {"1x1, several blocks of rows, one that two read",
     {CONV("a", "input", W("w") B("b")) ","
      OP1("r", "relu6", "a", "") ","
      CONV("c", "r", W("v")) ","
      CONV("d", "r", W("u") B("b")) ","
      OP2("x", "add", "c", "d") FC,
      "w:1x1x3x40*9 b:40 v:1x1x40x40 u:1x1x40x40 fc:3x40*9 fcb:3", 3, 70, 90, 0, NULL}},
    {"in two groups, lopsided padding",
     {STEM
      CONV("c", "a", ",\"padding\":[1,0,2,1],\"stride\":[1,2],\"groups\":2" W("v") B("c")) ","
      OP1("x", "silu", "c", "") FC,
      "w:1x1x3x14 b:14 v:3x3x7x22*3 c:22 fc:3x22*9 fcb:3", 3, 16, 15, 0, NULL}},
    {"depthwise, strided, of 3 and of 150 channels, two a channel",
     {CONV("o", "input", SAME ",\"groups\":3" W("o")) ","
      CONV("a", "o", W("w") B("b")) ","
      CONV("c", "a", ",\"padding\":[2,1,1,2],\"groups\":150" W("v") B("b")) ","
      OP1("r", "relu6", "c", "") ","
      CONV("d", "r", SAME ",\"stride\":[2,2],\"groups\":150" W("u")) ","
      CONV("x", "d", ",\"groups\":150" W("t")) FC,
      "o:3x3x1x3 w:1x1x3x150 b:150 v:3x3x1x150*3 u:5x5x1x150 t:1x1x1x300 fc:3x300*9 fcb:3",
      3, 13, 12, 0, NULL}},
    {"inverted residuals",
     {CONV("a", "input", SAME ",\"stride\":[2,2]" W("w") B("b")) ","
      CONV("e", "a", W("u") B("c")) ","
      OP1("r", "relu6", "e", "") ","
      CONV("d", "r", SAME ",\"groups\":96" W("v") B("c")) ","
      OP1("s", "relu6", "d", "") ","
      CONV("p", "s", W("t")) ","
      OP2("m", "add", "p", "a") ","
      CONV("f", "m", W("u") B("c")) ","
      OP1("g", "relu6", "f", "") ","
      CONV("q", "g", W("t")) ","
      OP2("x", "add", "m", "q") FC,
      "w:3x3x3x16 b:16 u:1x1x16x96 c:96 v:3x3x1x96 t:1x1x96x16 fc:3x16*9 fcb:3",
      3, 22, 26, 0, NULL}},
    {"sums of a plane with itself, in place, then an activation",
     {STEM OP2("s", "add", "a", "a") "," OP1("r", "relu", "s", "") "," CONV("c", "r", W("v")) ","
      OP2("t", "add", "c", "r") "," OP1("x", "relu", "t", "") FC,
      "w:1x1x3x19 b:19 v:1x1x19x19 fc:3x19 fcb:3", 3, 7, 8, 0, NULL}},
    {"a sum in the place of one side, where the other is needed",
     {STEM OP1("r", "relu", "a", "") ","
      CONV("c", "input", W("v")) ","
      OP2("s", "add", "r", "c") ","
      OP1("x", "silu", "s", "") FC,
      "w:3x3x3x19*3 b:19 v:1x1x3x19*3 fc:3x19*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"a tensor that two nodes have",
     {STEM CONV("c", "a", W("v") B("b")) "," OP1("r", "silu", "c", "") ","
      CONV("x", "r", W("v") B("b")) FC,
      "w:1x1x3x18 b:18 v:1x1x18x18*3 fc:3x18*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"max_pool", POOL("max_pool", ",\"kernel\":[3,2],\"stride\":[2,2],\"padding\":[1,0,1,1]")},
    {"max_pool, ceil", POOL("max_pool", ",\"kernel\":[2,3],\"stride\":[2,2],\"ceil_mode\":true")},
    {"avg_pool, SAME", POOL("avg_pool", ",\"kernel\":[3,3],\"stride\":[2,1]" SAME)},
    {"avg_pool, ceil, padding counts",
     POOL("avg_pool", ",\"kernel\":[3,3],\"stride\":[2,2],\"padding\":[1,1,0,1],\"ceil_mode\":true"
                      ",\"count_include_pad\":true")},
    {"pool of the picture",
     {OP1("p", "avg_pool", "input", ",\"kernel\":[2,2],\"stride\":[2,2]") ","
      CONV("x", "p", W("w")) FC,
      "w:1x1x3x8 fc:3x8 fcb:3", 3, 10, 12, 0, NULL}},
    {"relu", ACTIVATION("relu", "")},
    {"relu6", ACTIVATION("relu6", "")},
    {"clip", ACTIVATION("clip", ",\"least\":-0.5,\"most\":0.7")},
    {"sigmoid", ACTIVATION("sigmoid", "")},
    {"hard_sigmoid", ACTIVATION("hard_sigmoid", ",\"slope\":0.3,\"offset\":0.4")},
    {"silu", ACTIVATION("silu", "")},
    {"hard_swish", ACTIVATION("hard_swish", "")},
    {"gelu", ACTIVATION("gelu", "")},
    {"sigmoid and clip of a pool",
     {STEM OP1("p", "avg_pool", "a", ",\"kernel\":[2,2]") "," OP1("r", "sigmoid", "p", "") ","
      OP1("x", "clip", "r", ",\"least\":0.3,\"most\":0.8") FC,
      "w:1x1x3x19*3 b:19 fc:3x19*9 fcb:3", 3, 9, 7, 0, NULL}},
    {"products of planes, and of one with itself",
     {STEM CONV("c", "a", W("v")) "," OP2("s", "mul", "a", "c") "," OP2("x", "mul", "s", "s") FC,
      "w:1x1x3x19 b:19 v:1x1x19x19 fc:3x19*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"squeeze and excite, a product of cells",
     {STEM OP1("r", "silu", "a", "") "," OP1("g", "gap", "r", "") ","
      CONV("e", "g", W("v") B("b")) ","
      OP1("q", "sigmoid", "e", "") "," OP2("h", "mul", "q", "g") "," OP2("m", "mul", "r", "h") ","
      CONV("x", "m", W("v")) FC,
      "w:1x1x3x19*3 b:19 v:1x1x19x19*5 fc:3x19*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"affine, of the picture and behind a sum",
     {OP1("p", "affine", "input", SCALE("u", "z")) "," CONV("a", "p", W("w") B("b")) ","
      CONV("c", "a", W("v")) "," OP2("d", "add", "a", "c") ","
      OP1("e", "affine", "d", SCALE("s", "t")) ","
      OP1("x", "silu", "e", "") FC,
      "u:3 z:3 w:1x1x3x19 b:19 v:1x1x19x19 s:19 t:19 fc:3x19*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"layer_norm, of what two read",
     {STEM OP1("c", "layer_norm", "a", SCALE("s", "t") ",\"epsilon\":0.01") ","
      OP2("d", "add", "c", "a") ","
      OP1("x", "layer_norm", "d", SCALE("t", "s") ",\"epsilon\":1e-6") FC,
      "w:1x1x3x19*3 b:19 s:19 t:19 fc:3x19*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"concat, of the picture, too",
     {STEM CONV("c", "input", W("v")) ","
      NODE("k", "concat", "\"a\",\"input\",\"c\",\"a\"", "") "," OP1("x", "silu", "k", "") FC,
      "w:1x1x3x19 b:19 v:1x1x3x2 fc:3x43*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"slice, shuffle",
     {STEM OP1("s", "slice", "a", ",\"channels\":[1,19]") ","
      OP1("f", "shuffle", "s", ",\"groups\":3") ","
      CONV("x", "f", W("v") ",\"groups\":2") FC,
      "w:1x1x3x22 b:22 v:1x1x9x4 fc:3x4*9 fcb:3", 3, 7, 8, 0, NULL}},
    {"resize",
     {STEM OP1("r", "resize", "a", ",\"factor\":[2,3]") "," CONV("x", "r", W("v")) FC,
      "w:1x1x3x19 b:19 v:3x2x19x5 fc:3x5*9 fcb:3", 3, 4, 5, 0, NULL}},
    {"flatten of what backward needs, activations, two fc",
     {STEM OP1("s", "relu", "a", "") "," OP1("p", "flatten", "s", "") ","
      OP1("y", "clip", "p", ",\"least\":0.2") ","
      OP1("f", "fc", "y", W("u") B("c")) "," OP1("r", "relu", "f", "") ","
      OP1("fc", "fc", "r", W("fc")),
      "w:1x1x3x5*9 b:5 u:40x100*3 c:40 fc:3x40*9", 3, 4, 5, 0, NULL}},
    {"no fc", {STEM OP1("gap", "gap", "a", ""), "w:1x1x3x4 b:4", 4, 3, 4, 0, NULL}},
};
#define BLOCK(name, input, n) \
  CONV(name, input, SAME W(name) B(name "b")) "," OP1(n, "relu", name, "")
#define HALF(name, input) OP1(name, "max_pool", input, ",\"kernel\":[2,2],\"stride\":[2,2]" SAME)
static const made_model vgg_model = {
    BLOCK("c1", "input", "r1") "," BLOCK("c2", "r1", "r2") "," HALF("p", "r2") ","
    BLOCK("c3", "p", "r3") "," HALF("q", "r3") "," BLOCK("c4", "q", "r4") ","
    CONV("cam", "r4", ",\"groups\":2" SAME W("cam") B("camb")) ","
    OP1("gap", "gap", "cam", "") "," OP1("fc", "fc", "gap", W("fc")),
    "c1:3x3x3x8*2 c1b:8*0.1 c2:3x3x8x8*2 c2b:8*0.1 c3:3x3x8x16*2 c3b:16*0.1 "
    "c4:3x3x16x32*2 c4b:32*0.1 "
    "cam:3x3x16x40*2 camb:40*0.1 fc:5x40*2",
    5, 32, 28, 0, NULL};
/* clang-format on */
enum { CASES = sizeof cases / sizeof *cases, SAMPLES = 7 };

/* ---- a network, its samples, the reference beside it ---- */

static made_training made;
static double *factors;
static float *pictures[SAMPLES];
static const double weights[SAMPLES] = {1, 0.5, 2, 1, 1, 0.25, 1};
static int labels[SAMPLES];

static void load_model(const made_model *model) {
  made_training_load(model, &made);
  const int n = model->height * model->width * 3;
  for (int s = 0; s < SAMPLES; s++) {
    pictures[s] = malloc((size_t)n * sizeof(float));
    made_picture(s, n, pictures[s]);
    labels[s] = (s * 5 + 2) % model->classes;
  }
}

static void drop_model(void) {
  for (int s = 0; s < SAMPLES; s++)
    free(pictures[s]);
  free(factors);
  factors = NULL;
  made_training_drop(&made);
}

static trainer *new_trainer(int cut, const train_options *options, cam_team *team) {
  trainer *t;
  cam_error error = {0};
  ck_assert_msg(!trainer_create(made.graph, cut, options, team, &t, &error), "%s", error.detail);
  return t;
}

static train_batch batch_of(int n) {
  return (train_batch){
      n, made.graph->height, made.graph->width, (const float *const *)pictures, labels, weights};
}

/* Dropout's factors as the trainer draws them. */
static void draw_factors(const train_options *options, int step) {
  const int n = (int)made.graph->nodes[cut_last_fc(made.graph)].weight->shape[1];
  float *drawn = malloc((size_t)n * sizeof *drawn);
  free(factors);
  factors = malloc((size_t)(SAMPLES * n) * sizeof *factors);
  for (int s = 0; s < SAMPLES; s++) {
    trainer_dropout(options, (uint64_t)step, s, n, drawn);
    for (int i = 0; i < n; i++)
      factors[s * n + i] = drawn[i];
  }
  free(drawn);
}

/* The loss at made.values, its gradient into made.gradient. */
static void expect_loss(cam_team *team, const train_options *options, int n, const train_loss *is) {
  double loss[2];
  const reference_batch batch = {n,
                                 made.graph->height,
                                 made.graph->width,
                                 (const float *const *)pictures,
                                 labels,
                                 weights,
                                 factors};
  ck_assert(!reference_loss(made.graph, GRAPH_INPUT, &made.set, made.values, &batch,
                            options->weight_decay, team, loss, made.gradient, NULL, NULL));
  ck_assert_double_le(fabs(loss[0] - is->cross_entropy), 1e-5 * fmax(1, loss[0]));
  ck_assert_double_le(fabs(loss[1] - is->weight_decay), 1e-6 * fmax(1, loss[1]));
}

/* How far a tensor has moved against how far it should have, L2, in parts of the latter. */
static double off_course(const parameter *p, const float *is, const double *should) {
  double off = 0, way = 0;
  for (size_t k = 0; k < p->tensor->count; k++) {
    const double moved = (double)is[k] - p->tensor->data[k],
                 wanted = should[p->at + k] - p->tensor->data[k];
    off += (moved - wanted) * (moved - wanted);
    way += wanted * wanted;
  }
  return sqrt(off / fmax(way, 1e-12));
}

START_TEST(every_operator_moves_as_the_reference) {
  const train_options options = {0, 0.003, 1, 1};
  cam_team *team;
  train_loss loss;
  load_model(&cases[_i].model);
  ck_assert(!team_create(2, &team, NULL));
  trainer *t = new_trainer(GRAPH_INPUT, &options, team);
  const train_batch batch = batch_of(SAMPLES);
  ck_assert(!trainer_step(t, &batch, 1, &loss, NULL));
  expect_loss(team, &options, SAMPLES, &loss);
  for (size_t i = 0; i < made.set.count; i++)
    made.values[i] -= made.gradient[i];
  for (int i = 0; i < made.set.n; i++) {
    const parameter *p = &made.set.list[i];
    const double off = off_course(p, trainer_tensor(t, p->tensor), made.values);
    ck_assert_msg(off < 1e-5, "%s: %s is off by %g", cases[_i].what, p->tensor->name, off);
  }
  trainer_free(t);
  team_free(team);
  drop_model();
}
END_TEST

static const made_model *model_of_case(int i) { return &cases[i].model; }
START_TEST(every_operator_has_a_case) { expect_every_operator(model_of_case, CASES); }
END_TEST

static const train_options ways[] = {
    {0, 0.0005, 1, 1}, {0.9, 0.0005, 1, 1}, {0.9, 0.0005, 0.5, 7}, {0, 0, 0.8, 3}};
enum { WAYS = sizeof ways / sizeof *ways, STEPS = 3 };

/* A step of so little that a float's last place would swallow much of it. */
START_TEST(three_steps_move_as_in_double) {
  static const double rates[] = {0.02, 1e-5};
  const train_options *options = &ways[_i / 2];
  const double rate = rates[_i % 2];
  cam_team *team;
  train_loss loss;
  load_model(&vgg_model);
  double *m = calloc(made.set.count, sizeof *m);
  ck_assert(!team_create(2, &team, NULL));
  trainer *t = new_trainer(GRAPH_INPUT, options, team);
  for (int step = 0; step < STEPS; step++) {
    const train_batch batch = batch_of(SAMPLES - step);
    ck_assert(!trainer_step(t, &batch, rate, &loss, NULL));
    if (options->keep_prob < 1)
      draw_factors(options, step);
    expect_loss(team, options, SAMPLES - step, &loss);
    for (size_t i = 0; i < made.set.count; i++) {
      m[i] = options->momentum * m[i] + made.gradient[i];
      made.values[i] -= rate * m[i];
    }
  }
  for (int i = 0; i < made.set.n; i++) {
    const parameter *p = &made.set.list[i];
    const double off = off_course(p, trainer_tensor(t, p->tensor), made.values);
    ck_assert_msg(off < 2e-2, "%s is off by %g", p->tensor->name, off);
  }
  free(m);
  trainer_free(t);
  team_free(team);
  drop_model();
}
END_TEST

/* Each alone is far below a float's last place. */
START_TEST(many_small_steps_come_to_a_large_one) {
  enum { MANY = 400 };
  const double rate = 3e-8;
  const train_options options = {0, 0, 1, 1};
  cam_team *team;
  train_loss loss;
  int i = 0;
  while (strcmp(cases[i].what, "sigmoid"))
    i++;
  load_model(&cases[i].model);
  ck_assert(!team_create(2, &team, NULL));
  trainer *t = new_trainer(GRAPH_INPUT, &options, team);
  const train_batch batch = batch_of(SAMPLES);
  for (int step = 0; step < MANY; step++) {
    ck_assert(!trainer_step(t, &batch, rate, &loss, NULL));
    if (step == 0)
      expect_loss(team, &options, SAMPLES, &loss);
  }
  for (size_t k = 0; k < made.set.count; k++)
    made.values[k] -= MANY * rate * made.gradient[k];
  const parameter *fc = &made.set.list[made.set.n - 2];
  ck_assert_double_le(off_course(fc, trainer_tensor(t, fc->tensor), made.values), 0.1);
  trainer_free(t);
  team_free(team);
  drop_model();
}
END_TEST

/* ---- bits ---- */

static void train_some(trainer *t, int from, int to) {
  for (int step = from; step < to; step++) {
    train_loss loss;
    const train_batch batch = batch_of(SAMPLES - step % 3);
    ck_assert(!trainer_step(t, &batch, 0.02, &loss, NULL));
  }
}

static char *state_of(const trainer *t) {
  char *state = malloc(trainer_state_bytes(t));
  trainer_save(t, state);
  return state;
}

START_TEST(threads_do_not_change_a_bit) {
  char *first = NULL;
  load_model(&vgg_model);
  for (int threads = 1; threads <= 5; threads++) {
    cam_team *team;
    ck_assert(!team_create(threads, &team, NULL));
    trainer *t = new_trainer(GRAPH_INPUT, &ways[2], team);
    train_some(t, 0, 3);
    char *state = state_of(t);
    if (!first)
      first = state;
    ck_assert_msg(!memcmp(first, state, trainer_state_bytes(t)), "%d threads", threads);
    if (state != first)
      free(state);
    trainer_free(t);
    team_free(team);
  }
  free(first);
  drop_model();
}
END_TEST

START_TEST(a_state_goes_on_to_the_bit) {
  cam_team *team;
  cam_error error = {0};
  load_model(&vgg_model);
  ck_assert(!team_create(2, &team, NULL));
  trainer *whole = new_trainer(GRAPH_INPUT, &ways[2], team), *half, *other;
  half = new_trainer(GRAPH_INPUT, &ways[2], team);
  other = new_trainer(GRAPH_INPUT, &ways[0], team);
  train_some(half, 0, 2);
  const size_t bytes = trainer_state_bytes(half);
  char *state = state_of(half), *broken = state_of(half);
  trainer_free(half);
  train_some(whole, 0, 5);
  half = new_trainer(GRAPH_INPUT, &ways[2], team);
  ck_assert_int_eq(trainer_load(half, state, bytes - 1, &error), CAM_E_MODEL);
  ck_assert_ptr_nonnull(strstr(error.detail, "cut off"));
  ck_assert_int_eq(trainer_load(half, state, 3, &error), CAM_E_MODEL);
  ck_assert_int_eq(trainer_load(other, state, bytes, &error), CAM_E_MODEL);
  memset(broken + bytes - 4, 0xff, 4);
  ck_assert_int_eq(trainer_load(half, broken, bytes, &error), CAM_E_MODEL);
  ck_assert_ptr_nonnull(strstr(error.detail, "finite"));
  ck_assert(!trainer_load(half, state, bytes, &error));
  train_some(half, 2, 5);
  char *a = state_of(whole), *b = state_of(half);
  ck_assert_mem_eq(a, b, bytes);
  free(a);
  free(b);
  free(state);
  free(broken);
  trainer_free(whole);
  trainer_free(half);
  trainer_free(other);
  team_free(team);
  drop_model();
}
END_TEST

/* ---- cuts ---- */

START_TEST(behind_a_cut_all_is_as_without) {
  const train_options options = {0, 0.001, 1, 1};
  cam_team *team;
  train_loss loss, loss_behind;
  int size[2], channels;
  load_model(&vgg_model);
  ck_assert(!team_create(2, &team, NULL));
  const int cut = trainer_cut(made.graph);
  ck_assert_str_eq(made.graph->nodes[cut].name, "q");
  ck_assert(!trainer_cut_shape(made.graph, cut, 32, 28, size, &channels, NULL));
  ck_assert(size[0] == 8 && size[1] == 7 && channels == 16);
  float *planes[SAMPLES];
  for (int s = 0; s < SAMPLES; s++)
    planes[s] = malloc((size_t)(8 * 7 * 16) * sizeof(float));
  const train_batch batch = batch_of(SAMPLES);
  ck_assert(!trainer_cut_planes(made.graph, cut, team, &batch, planes, NULL));
  trainer *all = new_trainer(GRAPH_INPUT, &options, team),
          *behind = new_trainer(cut, &options, team);
  const train_batch at_cut = {SAMPLES, 8, 7, (const float *const *)planes, labels, weights};
  ck_assert(!trainer_step(all, &batch, 0.5, &loss, NULL));
  ck_assert(!trainer_step(behind, &at_cut, 0.5, &loss_behind, NULL));
  ck_assert_double_le(fabs(loss.cross_entropy - loss_behind.cross_entropy), 1e-6);
  ck_assert(loss.right == loss_behind.right && loss.weight_decay > loss_behind.weight_decay);
  for (int i = 0; i < made.set.n; i++) {
    const cam_tensor *tensor = made.set.list[i].tensor;
    const float *a = trainer_tensor(all, tensor), *b = trainer_tensor(behind, tensor);
    if (strstr("c1b c2b c3b", tensor->name)) {
      ck_assert_ptr_eq(b, tensor->data);
      continue;
    }
    for (size_t k = 0; k < tensor->count; k++)
      ck_assert_float_eq_tol(a[k], b[k], 1e-5F);
  }
  for (int s = 0; s < SAMPLES; s++)
    free(planes[s]);
  trainer_free(all);
  trainer_free(behind);
  team_free(team);
  drop_model();
}
END_TEST

START_TEST(logits_are_the_references) {
  const train_options options = {0.9, 0, 0.5, 1};
  cam_team *team;
  double loss[2], wanted[SAMPLES * 8];
  float logits[SAMPLES * 8];
  load_model(&cases[_i].model);
  ck_assert(!team_create(3, &team, NULL));
  trainer *t = new_trainer(GRAPH_INPUT, &options, team);
  const train_batch batch = batch_of(SAMPLES);
  const reference_batch same = {
      SAMPLES, made.graph->height, made.graph->width, (const float *const *)pictures, labels, NULL,
      NULL};
  ck_assert(!trainer_logits(t, &batch, logits, NULL));
  ck_assert(!reference_loss(made.graph, GRAPH_INPUT, &made.set, made.values, &same, 0, team, loss,
                            NULL, wanted, NULL));
  double off = 0, most = 1;
  for (int i = 0; i < SAMPLES * made.graph->n_classes; i++) {
    off = fmax(off, fabs(logits[i] - wanted[i]));
    most = fmax(most, fabs(wanted[i]));
  }
  ck_assert_msg(off <= 2e-5 * most, "%s: off by %g of %g", cases[_i].what, off, most);
  trainer_free(t);
  team_free(team);
  drop_model();
}
END_TEST

/* ---- what is refused ---- */

START_TEST(what_is_wrong_is_said) {
  static const train_options wrong[] = {{1, 0, 1, 1},  {-0.1, 0, 1, 1}, {NAN, 0, 1, 1},
                                        {0, -1, 1, 1}, {0, 0, 0, 1},    {0, 0, 1.5, 1}};
  cam_team *team;
  cam_error error = {0};
  train_loss loss;
  trainer *t;
  load_model(&vgg_model);
  ck_assert(!team_create(1, &team, NULL));
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    ck_assert_int_eq(trainer_create(made.graph, GRAPH_INPUT, &wrong[i], team, &t, &error),
                     CAM_E_PARAMETER);
  ck_assert_int_eq(trainer_create(made.graph, made.graph->head, &ways[0], team, &t, &error),
                   CAM_E_PARAMETER);
  t = new_trainer(GRAPH_INPUT, &ways[1], team);
  char *before = state_of(t);
  train_batch batch = batch_of(SAMPLES);
  labels[3] = 5;
  ck_assert_int_eq(trainer_step(t, &batch, 0.1, &loss, &error), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "label 5"));
  labels[3] = 1;
  pictures[2][17] = INFINITY;
  ck_assert_int_eq(trainer_step(t, &batch, 0.1, &loss, &error), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "not finite"));
  batch.height = 1 << 20;
  ck_assert_int_eq(trainer_step(t, &batch, 0.1, &loss, &error), CAM_E_MODEL);
  char *after = state_of(t);
  ck_assert_mem_eq(before, after, trainer_state_bytes(t));
  free(before);
  free(after);
  trainer_free(t);
  team_free(team);
  drop_model();
}
END_TEST

START_TEST(a_branch_around_a_cut_is_no_cut) {
  const made_model model = {STEM CONV("c", "a", W("v")) "," OP2("x", "add", "a", "c") FC,
                            "w:1x1x3x19 b:19 v:1x1x19x19 fc:3x19 fcb:3",
                            3,
                            7,
                            8,
                            0,
                            NULL};
  cam_error error = {0};
  load_model(&model);
  ck_assert_int_eq(cut_check(made.graph, 1, &error), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "\"c\""));
  ck_assert(!cut_check(made.graph, 0, NULL) && !cut_check(made.graph, 2, NULL));
  ck_assert_int_eq(trainer_cut(made.graph), GRAPH_INPUT);
  drop_model();
}
END_TEST

START_TEST(dropout_keeps_its_share) {
  const train_options options = {0, 0, 0.7, 5};
  static float first[10000], other[10000];
  double sum = 0;
  int same = 0;
  trainer_dropout(&options, 3, 2, 10000, first);
  trainer_dropout(&options, 4, 2, 10000, other);
  for (int i = 0; i < 10000; i++) {
    ck_assert(first[i] == 0 || first[i] == 1 / 0.7F);
    sum += first[i] > 0;
    same += first[i] == other[i];
  }
  ck_assert_double_eq_tol(sum / 10000, 0.7, 0.02);
  ck_assert_double_eq_tol(same / 10000.0, 0.58, 0.02);
}
END_TEST

Suite *trainer_suite(void);
Suite *trainer_suite(void) {
  Suite *suite = suite_create("trainer");
  TCase *operators = tcase_create("operators"), *steps = tcase_create("steps"),
        *bits = tcase_create("bits");
  tcase_set_tags(operators, "alone"); /* threads are those of `bits` */
  tcase_set_tags(steps, "alone");
  tcase_add_loop_test(operators, every_operator_moves_as_the_reference, 0, CASES);
  tcase_add_test(operators, every_operator_has_a_case);
  tcase_add_loop_test(operators, logits_are_the_references, 0, CASES);
  tcase_add_loop_test(steps, three_steps_move_as_in_double, 0, 2 * WAYS);
  tcase_add_test(steps, many_small_steps_come_to_a_large_one);
  tcase_add_test(steps, behind_a_cut_all_is_as_without);
  tcase_add_test(steps, what_is_wrong_is_said);
  tcase_add_test(steps, a_branch_around_a_cut_is_no_cut);
  tcase_add_test(steps, dropout_keeps_its_share);
  tcase_add_test(bits, threads_do_not_change_a_bit);
  tcase_add_test(bits, a_state_goes_on_to_the_bit);
  suite_add_tcase(suite, operators);
  suite_add_tcase(suite, steps);
  suite_add_tcase(suite, bits);
  return suite;
}
