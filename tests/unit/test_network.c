/* test_network.c - every way to compute a layer against the reference operators in double, at odd
 * sizes, on every instruction set this CPU has; and the same bits on one thread and on several. */
#include "made_model.h"
#include "network/forward.h"
#include "network/reference.h"
#include "network_cases.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const isas[] = {"portable", "x86-64-v3", "x86-64-v4"};
enum { ISAS = sizeof isas / sizeof *isas };

static float *made_picture(int height, int width) {
  float *picture = malloc((size_t)(height * width * 3) * sizeof *picture);
  for (int i = 0; i < height * width * 3; i++)
    picture[i] = sinf((float)(i * i % 1009));
  return picture;
}

static void expect(const cam_graph *graph, int height, int width, double wanted[64]) {
  cam_team *team;
  float *picture = made_picture(height, width);
  ck_assert_int_eq(team_create(1, &team, NULL), CAM_OK);
  ck_assert_int_eq(reference_forward(graph, team, picture, height, width, wanted, NULL, NULL),
                   CAM_OK);
  team_free(team);
  free(picture);
}

static double check_case(const cam_graph *graph, const network_making *how, int height, int width,
                         const double wanted[64]) {
  network *net;
  cam_error error = {0};
  ck_assert_msg(!network_create_as(graph, how, &net, &error), "%s", error.detail);
  void *input;
  float logits[64], first[64], map[8192], *picture = made_picture(height, width);
  double worst = 0, most = 0;
  cam_team *team;
  for (int threads = 1; threads <= 3; threads++) {
    forward *f;
    ck_assert_int_eq(team_create(threads, &team, NULL), CAM_OK);
    ck_assert_msg(!forward_create(net, team, &f, &error), "%s", error.detail);
    for (int again = 0; again < 2; again++) {
      ck_assert_msg(!forward_plan(f, height, width, &input, &error), "%s", error.detail);
      memcpy(input, picture, (size_t)(height * width * 3) * sizeof *picture);
      forward_run(f, logits, NULL);
      if (threads == 1 && !again)
        memcpy(first, logits, sizeof logits);
      ck_assert_msg(!memcmp(first, logits, (size_t)graph->n_classes * sizeof *logits),
                    "%d threads: other bits than one", threads);
    }
    if (threads == 1) {
      int h, w;
      forward_map_size(f, &h, &w);
      ck_assert_int_le(h * w, 8192);
      for (int c = 0; c < graph->n_classes; c++) {
        double sum = 0;
        float *maps[] = {map};
        forward_class_maps(f, 1, &c, maps);
        for (int i = 0; i < h * w; i++)
          sum += map[i];
        ck_assert_double_le(fabs(sum / (h * w) + network_bias(net, c) - logits[c]),
                            2e-5 * fmax(1, fabs(logits[c])));
      }
    }
    forward_free(f);
    team_free(team);
  }
  for (int c = 0; c < graph->n_classes; c++) {
    most = fmax(most, fabs(wanted[c]));
    worst = fmax(worst, fabs(wanted[c] - logits[c]));
  }
  free(picture);
  network_free(net);
  return worst / most;
}

START_TEST(layers_agree_with_the_reference) {
  cam_graph *graph;
  cam_error error = {0};
  const made_model *model = &cases[_i].model;
  const char *path = made_model_write(model);
  ck_assert_msg(!graph_load(path, &graph, &error), "%s: %s", cases[_i].what, error.detail);
  unlink(path);
  int tried = 0, sizes[3][2] = {{model->height, model->width},
                                {model->max_side, model->height},
                                {model->height < model->width ? model->height : model->width,
                                 model->max_side}};
  for (int s = 0; s < 3; s++) {
    double wanted[64];
    expect(graph, sizes[s][0], sizes[s][1], wanted);
    for (int i = 0; i < 2 * ISAS; i++) {
      network_making how = {.blocks = i >= ISAS};
      if (kernels_select(isas[i % ISAS], &how.k, NULL))
        continue; /* not on this CPU */
      double off = check_case(graph, &how, sizes[s][0], sizes[s][1], wanted);
      tried++;
      ck_assert_msg(off <= 2e-5, "%s on %s at %d x %d: off by %g of the largest logit",
                    cases[_i].what, how.k->isa, sizes[s][1], sizes[s][0], off);
    }
  }
  ck_assert_int_ge(tried, 3);
  graph_free(graph);
}
END_TEST

/* Whoever adds an operator is reminded to test it. */
START_TEST(every_operator_has_a_case) {
  for (int op = 0; op < OP_COUNT; op++) {
    char member[64];
    int n = 0;
    snprintf(member, sizeof member, "\"op\":\"%s\"", op_name((cam_op)op));
    for (int i = 0; i < CASES; i++)
      n += strstr(cases[i].model.nodes, member) != NULL;
    ck_assert_msg(n > 0 || op == OP_FLATTEN, "no case has %s", member); /* test_heads.c has it */
  }
}
END_TEST

/* Sizes that the graph allows and whose products do not fit 32 bits; packed weights of 8 GB from a
 * file of 1 MB. Nothing is computed. */
START_TEST(sizes_at_the_limit) {
  /* clang-format off */
  static const made_model models[] = {
      {CONV("a", "input", W("w")) ","
       CONV("e", "a", W("u")) ","
       CONV("d", "e", SAME STRIDE(64, 16) GROUPS(65536) W("v")) ","
       CONV("x", "d", W("t")) TAIL,
       "w:1x1x3x1 u:1x1x1x65536 v:1x15x1x65536 t:1x1x65536x1 fc:2x1 fcb:2", 2, 4, 1023, 1023, NULL},
      {CONV("a", "input", W("w")) ","
       CONV("x", "a", GROUPS(32753) W("v")) TAIL,
       "w:1x1x3x65506 v:1x1x2x32753 fc:2x32753 fcb:2", 2, 4, 4, 4, NULL},
  };
  /* clang-format on */
  cam_graph *graph;
  cam_error error = {0};
  const kernels *k;
  network *net;
  cam_team *team;
  forward *f;
  ck_assert(!kernels_select(NULL, &k, NULL) && !team_create(2, &team, NULL));
  for (int i = 0; i < 2; i++) {
    const char *path = made_model_write(&models[i]);
    ck_assert_msg(!graph_load(path, &graph, &error), "%s", error.detail);
    unlink(path);
    cam_code code = network_create(graph, k, &net, &error);
    if (i == 0) {
      ck_assert_msg(!code && !forward_create(net, team, &f, &error), "%s", error.detail);
      forward_free(f);
    } else {
      ck_assert_int_eq(code, CAM_E_MODEL);
      ck_assert_ptr_nonnull(strstr(error.detail, "packed weights"));
    }
    network_free(net);
    graph_free(graph);
  }
  team_free(team);
}
END_TEST

Suite *network_suite(void);
Suite *network_suite(void) {
  Suite *suite = suite_create("network");
  TCase *tcase = tcase_create("layers");
  tcase_add_loop_test(tcase, layers_agree_with_the_reference, 0, CASES);
  tcase_add_test(tcase, every_operator_has_a_case);
  tcase_add_test(tcase, sizes_at_the_limit);
  suite_add_tcase(suite, tcase);
  return suite;
}
