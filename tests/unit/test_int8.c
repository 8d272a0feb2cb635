/* test_int8.c - the networks of network_cases.h in 8 bits: layers in integers against the integer
 * twin, to the bit, with each table of kernels that this CPU has, on one, two and three threads;
 * maps that add up; and how far 8 bits are from float32. */
#include "convert/output.h"
#include "convert/quantize.h"
#include "network/forward.h"
#include "network/reference.h"
#include "network_cases.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CLASSES = 64, MOST_CELLS = 8192 };

/* ---- a case in 8 bits ---- */

static void fill_picture(const cam_graph *graph, int height, int width, void *out) {
  uint32_t noise = 11;
  for (int i = 0; i < height * width * 3; i++) {
    noise = noise * 1664525 + 1013904223;
    const int level = (i / 7 * 5 + (int)(noise >> 26)) % 256;
    if (graph->sees_bytes)
      ((uint8_t *)out)[i] = (uint8_t)level;
    else
      ((float *)out)[i] = ((float)level - graph->mean[i % 3]) * graph->scale[i % 3];
  }
}

typedef struct watched {
  const cam_graph *graph;
  ranges seen;
} watched;

static void widen(void *closure, const cam_node *node, const float *plane, int cells, int channels,
                  int stride) {
  watched *w = closure;
  ranges_widen(&w->seen, (int)(node - w->graph->nodes), plane, cells, channels, stride);
}

/* What the nodes give for the picture. */
static void watch(const cam_graph *graph, ranges *out) {
  const kernels *k;
  network *net;
  forward *f;
  cam_team *team;
  void *input;
  float logits[MOST_CLASSES];
  watched w = {.graph = graph};
  ck_assert(!ranges_create(graph, &w.seen, NULL) && !kernels_select(NULL, &k, NULL));
  ck_assert(!network_create_as(graph, &(network_making){.k = k, .apart = true}, &net, NULL));
  ck_assert(!team_create(2, &team, NULL) && !forward_create(net, team, &f, NULL));
  ck_assert(!forward_plan(f, graph->height, graph->width, &input, NULL));
  fill_picture(graph, graph->height, graph->width, input);
  forward_watch(f, logits, widen, &w);
  forward_free(f);
  team_free(team);
  network_free(net);
  *out = w.seen;
}

/* The model's file in float32 becomes one in 8 bits, and is read. */
static cam_graph *load_int8(const made_model *model, const char *what) {
  cam_graph *graph;
  cam_error error = {0};
  ranges seen;
  joined made;
  const char *path = made_model_write(model);
  ck_assert_msg(!graph_load(path, &graph, &error), "%s: %s", what, error.detail);
  watch(graph, &seen);
  ck_assert_msg(!quantize_graph(graph, &seen, "small-int8", &made, &error), "%s: %s", what,
                error.detail);
  ranges_free(&seen);
  graph_free(graph);
  ck_assert_msg(!output_write(path, &made, false, &error), "%s: %s", what, error.detail);
  joined_free(&made);
  ck_assert_msg(!graph_load(path, &graph, &error), "%s: %s", what, error.detail);
  unlink(path);
  return graph;
}

static void twin(const cam_graph *graph, int height, int width, double *logits) {
  cam_team *team;
  void *picture = malloc((size_t)(height * width * 3) * sizeof(float));
  fill_picture(graph, height, width, picture);
  ck_assert(!team_create(2, &team, NULL));
  ck_assert(!reference_forward(graph, team, picture, height, width, logits, NULL, NULL));
  team_free(team);
  free(picture);
}

/* ---- layers against the twin ---- */

static void check_maps(const network *net, forward *f, const float *logits, const char *what) {
  static float map[MOST_CELLS];
  int height, width;
  forward_map_size(f, &height, &width);
  ck_assert_int_le(height * width, MOST_CELLS);
  for (int c = 0; c < net->graph->n_classes; c++) {
    double sum = 0;
    float *maps[] = {map};
    forward_class_maps(f, 1, &c, maps);
    for (int i = 0; i < height * width; i++)
      sum += (double)map[i];
    const double off = fabs(sum / (height * width) + (double)network_bias(net, c) -
                            (double)logits[c]);
    ck_assert_msg(off <= 1e-4 * fmax(1, fabs((double)logits[c])), "%s: class %d: map off by %g",
                  what, c, off);
  }
}

static void check_logits(const cam_graph *graph, const float *logits, const double *wanted,
                         const char *what, const char *isa, int threads) {
  double most = 0;
  for (int c = 0; c < graph->n_classes; c++)
    most = fmax(most, fabs(wanted[c]));
  for (int c = 0; c < graph->n_classes; c++) {
    const double off = fabs((double)logits[c] - wanted[c]);
    ck_assert_msg(graph->bit_exact ? off == 0 : off <= 0.02 * most,
                  "%s on %s, %d threads: logit %d is %.9g, the twin's %.9g", what, isa, threads, c,
                  (double)logits[c], wanted[c]);
  }
}

static void check_at(const cam_graph *graph, const kernels_int8 *k8, int height, int width,
                     const double *wanted, const char *what) {
  const kernels *k;
  network *net;
  cam_error error = {0};
  ck_assert(!kernels_select(NULL, &k, NULL));
  ck_assert_msg(!network_create_as(graph, &(network_making){.k = k, .k8 = k8}, &net, &error),
                "%s: %s", what, error.detail);
  for (int threads = 1; threads <= 3; threads++) {
    cam_team *team;
    forward *f;
    void *input;
    float logits[MOST_CLASSES];
    ck_assert(!team_create(threads, &team, NULL) && !forward_create(net, team, &f, &error));
    for (int again = 0; again < 2; again++) {
      ck_assert_msg(!forward_plan(f, height, width, &input, &error), "%s", error.detail);
      fill_picture(graph, height, width, input);
      forward_run(f, logits, NULL);
      check_logits(graph, logits, wanted, what, k8->isa, threads);
    }
    check_maps(net, f, logits, what);
    forward_free(f);
    team_free(team);
  }
  network_free(net);
}

START_TEST(layers_are_the_twin_to_the_bit) {
  const made_model *model = &cases[_i].model;
  const char *what = cases[_i].what;
  cam_graph *graph = load_int8(model, what);
  const int side = model->height < model->width ? model->height : model->width;
  const int sizes[3][2] = {
      {model->height, model->width}, {model->max_side, side}, {side, model->max_side}};
  for (int s = 0; s < 3; s++) {
    double wanted[MOST_CLASSES];
    twin(graph, sizes[s][0], sizes[s][1], wanted);
    for (int i = 0; kernels_int8_had(i); i++)
      check_at(graph, kernels_int8_had(i), sizes[s][0], sizes[s][1], wanted, what);
  }
  graph_free(graph);
}
END_TEST

Suite *int8_suite(void);
Suite *int8_suite(void) {
  Suite *suite = suite_create("int8");
  TCase *tcase = tcase_create("layers");
  tcase_add_loop_test(tcase, layers_are_the_twin_to_the_bit, 0, CASES);
  suite_add_tcase(suite, tcase);
  return suite;
}
